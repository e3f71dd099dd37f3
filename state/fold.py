"""Folding a state into the bytes of its snapshot.

What is folded is what ended claims and entries say, and nothing of live claims: so that a snapshot is a function of
the ledger up to its number, whoever makes it. Rows that nothing touched since the last snapshot are copied as they
lie, block by block; a thousand reruns of one task among 100,000 must not unpack the other 99,999.
"""

from __future__ import annotations

from array import array
from itertools import pairwise
from operator import attrgetter

from awflow.state import jsontext, snapshot
from awflow.state.record import DEFAULTS, EMPTY, SECONDS, names_digest, own_digest
from awflow.state.sums import of_blocks
from awflow.state.table import (
    BLOCK,
    COUNTED,
    DIGESTS,
    EARLIER,
    END_IS_ID,
    FINAL,
    INTEGERS,
    KINDS,
    MAKES,
    NAMED,
    NUMBERED,
    OTHER_OUTCOME,
    OUTCOMES,
    PATHS,
    RESULT,
    SPANS,
    WIDTH,
    Base,
    natural,
    packed,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from awflow.state.record import Record
    from awflow.state.rows import Rows

_IN_COLUMNS = ('job', 'task', 'generation', 'attempt', 'final', 'outcome', 'end', 'code', 'upstream')
_SHOWN = tuple(name for name in DEFAULTS if name not in _IN_COLUMNS)
_CODES = {outcome: code for code, outcome in enumerate(OUTCOMES)}
_WORD = 0xFFFF
_LONGEST = 10**18  # of what `natural` takes for a number


def fold(
    jobs: Iterable[Rows],
    codes: Mapping[str, Mapping[str, str]],
    meta: Mapping[str, Any],
    sources: Mapping[str, Mapping[str, str]] | None = None,
    reasons: Mapping[int, Mapping[str, list[Any]]] | None = None,
) -> bytes:
    """The snapshot's bytes; of `codes` only those are kept that a row or a live claim (`meta`) still names, of `reasons`
    those of entries of which there is a row or which are live, of `sources` those that either of the two names.
    """
    writer = _Writer()
    for rows in jobs:
        writer.add(rows)
    used = {code for code, _ in writer.contexts}
    used.update(code for entry in meta['live'].values() for code in entry.get('codes', ()))
    kept = {digest: parts for digest, parts in codes.items() if digest in used}
    numbers = {*writer.integers['generation'], *map(int, meta['live'])}
    told = {str(number): of_jobs for number, of_jobs in sorted((reasons or {}).items()) if number in numbers}
    named = {(component, text) for parts in kept.values() for component, text in parts.items()} | set(_cited(told))
    texts = {
        component: found for component, of_component in sorted((sources or {}).items())
        if (found := {text: of_component[text] for text in sorted(of_component) if (component, text) in named})
    }  # fmt: skip
    return writer.finish(kept, meta, {'sources': texts, 'reasons': told, 'sums': {'blocks': writer.sums}})


def _cited(told: Mapping[str, Mapping[str, list[Any]]]) -> Iterator[tuple[str, str]]:
    """Component and text of every code that a reason names as the one before or after."""
    for of_jobs in told.values():
        for groups in of_jobs.values():
            for _, _, reasons in groups:
                for reason in reasons:
                    yield from ((reason.get('name', ''), reason[when]) for when in ('was', 'now') if when in reason)


class _Writer:
    """The columns as they grow."""

    def __init__(self) -> None:
        self.integers = {name: array(code) for name, code in INTEGERS.items()}
        self.digests = {name: bytearray() for name in DIGESTS}
        self.keys = bytearray()
        self.blocks = bytearray()
        self.block_ends = array('Q')
        self.contexts: list[tuple[str, Mapping[str, str]]] = []
        self.jobs: list[str] = []
        self.spans = {name: array(code) for name, code in SPANS.items()}
        self.sums: list[dict[str, list[Any]]] = []
        self._context_numbers: dict[tuple[object, ...], int] = {}

    def add(self, rows: Rows) -> None:
        keys = rows.keys
        numbers = _numbers(keys)
        order = _order(numbers, len(keys))
        if isinstance(order, list):
            keys = [keys[row] for row in order]
            numbers = [numbers[row] for row in order] if numbers is not None else None
        kind, packed = _packed_keys(keys, numbers)
        self.jobs.append(rows.job)
        first, block = len(self.integers['outcome']), len(self.block_ends)
        places = (first, len(order), KINDS.index(kind), len(self.keys), len(packed), block)
        for column, place in zip(self.spans.values(), places, strict=True):
            column.append(place)
        self.keys += packed
        touched = _touched_blocks(rows, order)
        self.sums += of_blocks(rows, order, touched)
        translation = _Translation(self, rows.base) if rows.base else None
        for number, first in enumerate(range(0, len(order), BLOCK)):
            if translation is not None and number not in touched:
                self._copy(translation, number)
            else:
                part = order[first : first + BLOCK]
                self._pack([rows.record(row) for row in part], [rows.earlier(row) for row in part])

    def _copy(self, translation: _Translation, number: int) -> None:
        base = translation.base
        span = slice(number * BLOCK, min((number + 1) * BLOCK, base.count))
        for name, column in self.integers.items():
            if name == 'context':
                column.extend(translation[old] for old in base.context[span])
            else:
                column.extend(getattr(base, name)[span])
        for name, digests in self.digests.items():
            digests += getattr(base, name)[WIDTH * span.start : WIDTH * span.stop]
        self._end_block(base.packed(number))

    def _pack(self, records: Sequence[Record], earlier: Sequence[list[dict[str, Any]]]) -> None:
        """Append a block: what is compared to the columns that all blocks share, what is only shown as JSON."""
        flags = self._put(records)
        self._end_block(packed(jsontext.dumps(_shown(records, earlier, flags))))

    def _put(self, records: Sequence[Record]) -> list[int]:
        """Append what is compared to the columns; return the flags."""
        flags = [
            FINAL * record.final | RESULT * (record.result is not None) | MAKES * bool(record.outputs)
            | END_IS_ID * bool(record.end and record.id == record.end) for record in records
        ]  # fmt: skip
        put = self.integers
        put['flags'].extend(flags)
        put['outcome'].extend(_CODES.get(record.outcome, OTHER_OUTCOME) for record in records)
        put['context'].extend(self.context(record.code, record.upstream) for record in records)
        put['generation'].extend(record.generation for record in records)
        put['attempt'].extend(
            min(restart, _WORD) << 16 | min(retry, _WORD) for restart, retry in (record.attempt for record in records)
        )
        self.digests['own'] += b''.join([own_digest(record.own) for record in records])
        self.digests['end'] += b''.join([bytes.fromhex(record.end) or EMPTY for record in records])
        return flags

    def _end_block(self, packed: bytes | memoryview) -> None:
        self.blocks += packed
        self.block_ends.append(len(self.blocks))

    def context(self, code: str, upstream: Mapping[str, str]) -> int:
        name = (code, *sorted(upstream.items())) if upstream else (code,)
        number = self._context_numbers.setdefault(name, len(self.contexts))
        if number == len(self.contexts):
            self.contexts.append((code, upstream))
        return number

    def finish(
        self, codes: Mapping[str, Mapping[str, str]], meta: Mapping[str, Any], told: Mapping[str, Mapping[str, Any]]
    ) -> bytes:
        import zlib

        columns: dict[str, bytes | bytearray] = {**self.digests}
        columns.update(snapshot.packed(self.integers))
        columns['keys'] = self.keys
        columns['block ends'] = snapshot.little_endian(self.block_ends)
        codes_used, upstreams = [code for code, _ in self.contexts], [upstream for _, upstream in self.contexts]
        columns['contexts'] = jsontext.dumps({'code': codes_used, 'upstream': upstreams})
        columns['jobs'] = jsontext.dumps(self.jobs)
        columns.update((f'job {name}', snapshot.little_endian(column)) for name, column in self.spans.items())
        columns['codes'] = jsontext.dumps(codes)
        columns['blocks'] = self.blocks
        columns.update((name, zlib.compress(jsontext.dumps(column))) for name, column in told.items() if column)
        return snapshot.write(columns, meta)


def _shown(records: Sequence[Record], earlier: Sequence[list[dict[str, Any]]], flags: Sequence[int]) -> dict[str, list[Any]]:
    """What is only shown of records, member by member, in the order in which a reader of the rows meets the members."""
    columns: dict[str, list[Any]] = {}
    for name in dict.fromkeys(name for record in records for name in record.extra):
        columns[name] = [record.extra.get(name) for record in records]
    for name, told in zip(_SHOWN, zip(*map(attrgetter(*_SHOWN), records), strict=True), strict=True):
        default = DEFAULTS[name]
        if told.count(default) < len(told):
            columns[name] = [None if value == default else value for value in told]
    _shorten(columns, records, flags)
    columns['outcome'] = [None if record.outcome in _CODES else record.outcome for record in records]
    columns['attempt'] = [list(record.attempt) if max(record.attempt) > _WORD else None for record in records]
    columns[EARLIER] = [told or None for told in earlier]
    firsts = {
        name: place for name, column in columns.items()
        if (place := next((row for row, value in enumerate(column) if value is not None), None)) is not None
    }  # fmt: skip
    return {name: columns[name] for name in sorted(firsts, key=firsts.__getitem__)}


def _shorten(columns: dict[str, list[Any]], records: Sequence[Record], flags: Sequence[int]) -> None:
    """Leave out what follows from the rest, and digits."""
    for name in SECONDS:
        if name in columns:
            columns[name] = [None if value is None else round(value, 3) for value in columns[name]]
    if 'started' in columns and 'ended' in columns:
        columns['ended'] = [
            end if end is None or start is None else round(end - start, 3)  # few digits where there were many
            for start, end in zip(columns['started'], columns['ended'], strict=True)
        ]
    if 'id' in columns:
        columns['id'] = [None if flag & END_IS_ID else value for value, flag in zip(columns['id'], flags, strict=True)]
    if 'own' in columns and 'outputs' in columns:
        columns['own'] = [_without_paths(record) for record in records]


def _without_paths(record: Record) -> dict[str, Any] | None:
    """Its own components, with a short word for the one that follows from the names of the outputs."""
    if not record.own or not record.outputs:
        return record.own or None
    paths = names_digest(record.outputs)
    return {name: PATHS if digest == paths else digest for name, digest in record.own.items()}


class _Translation(dict[int, int]):
    """Numbers of contexts in the old snapshot -> in the new one; those that no row uses any more fall away."""

    def __init__(self, writer: _Writer, base: Base) -> None:
        self.base = base
        self._writer = writer

    def __missing__(self, old: int) -> int:
        self[old] = new = self._writer.context(*self.base.contexts[old])
        return new


def _numbers(keys: Sequence[str]) -> Sequence[int] | None:
    """The numbers that keys spell; None if one spells none."""
    try:
        numbers = range(len(keys)) if keys[-1:] == [str(len(keys) - 1)] else list(map(int, keys))
    except ValueError:
        return None
    if list(map(str, numbers)) == keys and min(numbers, default=0) >= 0 and max(numbers, default=0) < _LONGEST:
        return numbers
    found = [number for number in map(natural, keys) if number is not None]
    return found if len(found) == len(keys) else None


def _order(numbers: Sequence[int] | None, count: int) -> Sequence[int]:
    """Rows in the order to be written: by number if all keys are numbers, else as they came."""
    if numbers is None or isinstance(numbers, range) or all(one < other for one, other in pairwise(numbers)):
        return range(count)
    return sorted(range(count), key=numbers.__getitem__)


def _packed_keys(keys: Sequence[str], numbers: Sequence[int] | None) -> tuple[str, bytes]:
    if numbers is None:
        return NAMED, jsontext.dumps(list(keys))
    if isinstance(numbers, range) or numbers == list(range(len(numbers))):
        return COUNTED, b''
    return NUMBERED, snapshot.little_endian(array('q', numbers))


def _touched_blocks(rows: Rows, order: Sequence[int]) -> set[int]:
    """Blocks that do not hold what the same block of the last snapshot holds."""
    if rows.base is None or isinstance(order, list):
        return set(range(-(-len(order) // BLOCK)))
    return {row // BLOCK for row in (*rows.over, *rows.under)}
