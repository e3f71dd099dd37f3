"""The rows of all jobs in one snapshot: which columns there are, and one job's share of them.

A workflow may have one job of 100,000 tasks or a thousand of one, so all jobs share the columns and each owns a span of
rows. Two things keep a row small: what all tasks of a job have in common (the digest of its code, the outcomes of its
upstreams) is a number into a list of contexts; and what is only shown lies apart, in blocks of 1024 rows of one job,
field by field as JSON, compressed. README.md beside this file specifies every column.
"""

from __future__ import annotations

import sys

from awflow.state import jsontext
from awflow.state.attempts import brief
from awflow.state.record import Record, names_digest
from awflow.state.snapshot import Damaged, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

OUTCOMES = ('', 'succeeded', 'failed', 'timeout', 'cancelled', 'crashed', 'forgotten')
OTHER_OUTCOME = 255  # a word that this version does not know: it stands in the block

FINAL = 1  # flags: the attempt has ended
RESULT = 2  # it stored a return value
END_IS_ID = 4  # its outcome is its attempt id, which is then not kept twice
MAKES = 8  # it has outputs

_RESULT = bytes(bool(flags & RESULT) for flags in range(256))
BLOCK = 1024  # rows
EARLIER = 'earlier'  # the member of a block that tells of the attempts before a record's
WIDTH = 16  # bytes of a digest

INTEGERS = {'outcome': 'B', 'flags': 'B', 'context': 'I', 'generation': 'I', 'attempt': 'I'}
DIGESTS = ('own', 'end')
PATHS = True  # in place of a component that is the digest of the names of the outputs

SINGLE = b'["-"]'  # the keys of a job without array
KINDS = COUNTED, NUMBERED, NAMED = 'counted', 'numbered', 'named'  # how the keys of a job are kept
SPANS = {'first': 'Q', 'rows': 'Q', 'kind': 'B', 'offset': 'Q', 'length': 'Q', 'block': 'Q'}  # what is kept of a job


def natural(key: str) -> int | None:
    """The number that a key spells, if it spells one as we would: no sign, no leading zero."""
    if key.isdecimal() and key.isascii() and (key[0] != '0' or key == '0') and len(key) < 19:
        return int(key)
    return None


class Base:
    """One job's rows in a snapshot. Columns are views; element `row` belongs to the row of that number."""

    __slots__ = (
        '_block',
        '_first_block',
        '_keys',
        '_spelled',
        '_table',
        'attempt',
        'context',
        'count',
        'counted',
        'end',
        'flags',
        'generation',
        'job',
        'outcome',
        'own',
    )

    outcome: memoryview
    flags: memoryview
    context: memoryview
    generation: memoryview
    attempt: memoryview
    own: memoryview
    end: memoryview

    def __init__(self, table: Table, job: str, number: int) -> None:
        first, self.count, kind, offset, length, block = (table.spans[name][number] for name in SPANS)
        self.job = job
        self.counted = KINDS[kind] == COUNTED
        self._keys = (KINDS[kind], offset, length)
        self._spelled: list[str] | None = None
        self._first_block = block
        self._table = table
        self._block: tuple[int, dict[str, list[Any]]] = (-1, {})
        for name in INTEGERS:
            setattr(self, name, table.integers[name][first : first + self.count])
        for name in DIGESTS:
            setattr(self, name, table.snapshot[name][WIDTH * first : WIDTH * (first + self.count)])

    @property
    def contexts(self) -> list[tuple[str, dict[str, str]]]:
        return self._table.contexts

    @property
    def old(self) -> bool:
        """Whether it was written before flags told of outputs."""
        return self._table.snapshot.version < 2

    def keys(self) -> list[str]:
        """The key of every row."""
        if self._spelled is None:
            kind, offset, length = self._keys
            part = self._table.snapshot['keys'][offset : offset + length]
            if kind == COUNTED:
                self._spelled = [str(number) for number in range(self.count)]
            elif kind == NUMBERED:
                import struct

                self._spelled = [str(number) for (number,) in struct.iter_unpack('<q', part)]
            else:
                self._spelled = list(jsontext.loads(part))
        return self._spelled

    def numbers(self) -> Sequence[int] | None:
        """The keys as numbers, if all are."""
        kind, offset, length = self._keys
        if kind == COUNTED:
            return range(self.count)
        part = self._table.snapshot['keys'][offset : offset + length]
        return part.cast('q') if kind == NUMBERED and sys.byteorder == 'little' else None

    def older(self, row: int, record: Record) -> bool:
        """Does the record outrank this row? Ids are unpacked only to break a tie."""
        packed = self.attempt[row]
        mine = (self.generation[row], (packed >> 16, packed & 0xFFFF), bool(self.flags[row] & FINAL))
        theirs = record.rank[:3]
        return mine < theirs if mine != theirs else self.record(row).rank < record.rank

    def results(self) -> Iterator[tuple[int, str]]:
        """The rows that stored a result, with its file; of their blocks nothing else is unpacked."""
        flags = bytes(self.flags).translate(_RESULT)
        for first in range(0, self.count, BLOCK):
            if 1 in flags[first : first + BLOCK]:
                count = min(BLOCK, self.count - first)
                for at, result in enumerate(column_of(self.packed(first // BLOCK), 'result', count)):
                    if result is not None:
                        yield first + at, result['file']

    def sums(self, number: int) -> dict[str, list[Any]] | None:
        """What the records of this job's block of that number come to (see sums.py); None if the snapshot does not say."""
        known = self._table.sums
        return known[self._first_block + number] if known else None

    def packed(self, number: int) -> memoryview:
        """The compressed bytes of this job's block of that number."""
        ends = self._table.block_ends
        index = self._first_block + number
        return self._table.snapshot['blocks'][ends[index - 1] if index else 0 : ends[index]]

    def record(self, row: int) -> Record:
        """A row as a record; the block last unpacked is kept, so neighbours cost little."""
        shown = self._shown(row)
        shown.pop(EARLIER, None)
        return Record.from_dict({**self._compared(row), **shown})

    def earlier(self, row: int) -> list[dict[str, Any]]:
        """The attempts before the one on record, in short form."""
        found: list[dict[str, Any]] = self._shown(row).get(EARLIER, [])
        return found

    def brief(self, row: int) -> dict[str, Any]:
        """The attempt on record, in short form."""
        compared = self._compared(row)
        compared['attempt'] = list(compared['attempt']) if any(compared['attempt']) else None
        return {name: value for name, value in brief({**compared, **self._shown(row)}).items() if value}

    def _shown(self, row: int) -> dict[str, Any]:
        """The part of a row that lies in its block."""
        number, position = divmod(row, BLOCK)
        if self._block[0] != number:
            self._block = (number, jsontext.loads(unpacked(self.packed(number))))
        shown = {name: column[position] for name, column in self._block[1].items() if column[position] is not None}
        if 'started' in shown and 'ended' in shown:
            shown['ended'] = round(shown['started'] + shown['ended'], 3)
        if 'own' in shown and PATHS in shown['own'].values():
            paths = names_digest(shown['outputs'])
            shown['own'] = {name: paths if digest is PATHS else digest for name, digest in shown['own'].items()}
        return shown

    def _compared(self, row: int) -> dict[str, Any]:
        """The part of a record that lies in columns."""
        code, upstream = self.contexts[self.context[row]]
        flags, outcome, packed = self.flags[row], self.outcome[row], self.attempt[row]
        end = self.end[WIDTH * row : WIDTH * row + WIDTH].hex()
        fields = {
            'job': self.job,
            'task': str(row) if self.counted else self.keys()[row],
            'code': code,
            'upstream': upstream,
            'generation': self.generation[row],
            'attempt': (packed >> 16, packed & 0xFFFF),
            'final': bool(flags & FINAL),
            'outcome': OUTCOMES[outcome] if outcome != OTHER_OUTCOME else '',
            'end': end if end.strip('0') else '',
        }
        if flags & END_IS_ID:
            fields['id'] = end
        return fields


class Table:
    """A snapshot of the state up to one entry: its claims still live, and the rows of every job."""

    __slots__ = (
        '_bases', '_contexts', '_key_bytes', '_numbers', '_sums', 'block_ends', 'integers', 'meta', 'size', 'snapshot', 'spans',
    )  # fmt: skip

    def __init__(self, data: bytes) -> None:
        self.snapshot = Snapshot.open(data)
        self.size = len(data)
        self.meta = self.snapshot.meta
        self._contexts: list[tuple[str, dict[str, str]]] | None = None
        self._bases: dict[str, Base] = {}
        self._sums: list[dict[str, list[Any]]] | None = None
        try:
            self.integers = {name: self.snapshot.integers(name, code) for name, code in INTEGERS.items()}
            self.block_ends = self.snapshot.integers('block ends', 'Q')
            self._key_bytes = self.snapshot['keys']
            jobs, self.spans = _spans(self.snapshot)
            self._numbers: dict[str, int] = {job: number for number, job in enumerate(jobs)}
        except KeyError as missing:
            raise Damaged(f'it has no column {missing}') from None

    @property
    def contexts(self) -> list[tuple[str, dict[str, str]]]:
        if self._contexts is None:
            codes, upstreams = self.context_columns()
            self._contexts = list(zip(codes, upstreams, strict=True))
        return self._contexts

    def context_columns(self) -> tuple[list[str], list[dict[str, str]]]:
        """Code digest and upstream of each context."""
        columns = jsontext.loads(self.snapshot['contexts'])
        if isinstance(columns, list):  # as they were once written
            return [code for code, _ in columns], [upstream for _, upstream in columns]
        return columns['code'], columns['upstream']

    @property
    def codes(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = jsontext.loads(self.snapshot['codes'])
        return found

    @property
    def sums(self) -> list[dict[str, list[Any]]]:
        """By block what its records come to, {generation: see sums.Sum}; empty in snapshots written before there were any."""
        if self._sums is None:
            self._sums = self.told('sums')['blocks'] if 'sums' in self.snapshot else []
        return self._sums

    def told(self, name: str) -> dict[str, Any]:
        """A compressed column that is only shown: `sources`, `reasons` or `sums`."""
        import zlib

        if name not in self.snapshot:
            return {}
        found: dict[str, Any] = jsontext.loads(zlib.decompress(self.snapshot[name]))
        return found

    def jobs(self) -> list[str]:
        return list(self._numbers)

    def alone(self, job: str) -> int | None:
        """The row of the only task of a job without array, in the columns that all jobs share."""
        number = self._numbers.get(job)
        if number is None or self.spans['rows'][number] != 1 or self.spans['length'][number] != len(SINGLE):
            return None
        offset = self.spans['offset'][number]
        named = KINDS[self.spans['kind'][number]] == NAMED and self._key_bytes[offset : offset + len(SINGLE)] == SINGLE
        return self.spans['first'][number] if named else None

    def base(self, job: str) -> Base | None:
        if job not in self._bases and job in self._numbers:
            self._bases[job] = Base(self, job, self._numbers[job])
        return self._bases.get(job)


def _spans(snapshot: Snapshot) -> tuple[list[str], Mapping[str, Sequence[int]]]:
    """The names of the jobs, and of each what SPANS says, by name and number of the job."""
    jobs = jsontext.loads(snapshot['jobs'])
    if all(isinstance(job, str) for job in jobs):
        return jobs, {name: snapshot.integers(f'job {name}', code) for name, code in SPANS.items()}
    places = [
        (s['first'], s['rows'], KINDS.index(s['keys'][0]), *s['keys'][1:], s['block']) for s in jobs
    ]  # once, spans were so
    return [span['job'] for span in jobs], dict(zip(SPANS, zip(*places, strict=True), strict=True))


def packed(text: bytes) -> bytes:
    """Compressed JSON: digests, which do not compress, lie before it as 16 bytes each, and "#" stands in their places.

    Two thirds of what a record says are digests; spelled in hexadecimal they would still take 20 bytes each.
    """
    import re
    import zlib

    digests: list[bytes] = [] if b'"#"' in text else re.findall(b'"([0-9a-f]{32})"', text)
    if digests:
        text = re.sub(b'"[0-9a-f]{32}"', b'"#"', text)
    return len(digests).to_bytes(4, 'little') + bytes.fromhex(str(b''.join(digests), 'ascii')) + zlib.compress(text, 1)


def unpacked(block: memoryview) -> bytes:
    """The JSON that was packed."""
    import zlib

    count = int.from_bytes(block[:4], 'little')
    text = zlib.decompress(block[4 + WIDTH * count :])
    if not count:
        return text
    digits = block[4 : 4 + WIDTH * count].hex().encode()
    parts = text.split(b'"#"')
    for at in range(count):
        parts[at] += b'"%b"' % digits[32 * at : 32 * at + 32]
    return b''.join(parts)


def column_of(block: memoryview, name: str, count: int) -> list[Any]:
    """One member of all `count` rows of a block, digests in it as "#"; [] if no row has it. The others are not parsed."""
    import zlib

    text = str(zlib.decompress(block[4 + WIDTH * int.from_bytes(block[:4], 'little') :]), 'ascii')
    at = text.find(f'"{name}":[')  # not within a string: there its quotes would be escaped
    if at < 0:
        return []
    found: list[Any] = jsontext.loads_from(text, at + len(name) + 3)
    if len(found) != count:  # it was a member of a member
        found = jsontext.loads(text.encode('ascii')).get(name, [])
    return found
