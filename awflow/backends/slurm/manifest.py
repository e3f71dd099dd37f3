"""What the tasks of a submission are told of the plan they belong to: written by who submits, read on the nodes.

A node has no planner: it must know how each task's identity is made, what its upstreams are and how those counted that
were not submitted. So every job has a part in the payload, of which a task reads its own and those of its upstreams. A
part is JSON for what all rows share and, behind it, a fragment of JSON for each row that differs, found by an index: a
task of 100,000 does not parse what concerns the others.

    one byte: whether zlib packed the rest   u32 size of the head, head, u32 offset of each fragment's end, fragments

Numbers are little-endian.
"""

from __future__ import annotations

from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Final

# How a row stands in the plan, a letter each.
RUNS: Final = 'r'  # it was submitted, and runs
MAYBE: Final = 'm'  # it was submitted, and runs unless it proves unchanged
DONE: Final = 'd'  # not submitted: it counts as succeeded
OPEN: Final = 'o'  # not submitted: nobody ever ran it, or it was skipped; it counts as not succeeded
ELSEWHERE: Final = 'e'  # another run performs it

PLAIN, PACKED = b'-', b'z'
LARGE: Final = 1 << 16  # bytes from which on a part is packed: below, that costs a task more than reading them
WORD: Final = 4


class Manifest:
    """One job's part. `fragment(row)` is what concerns that row alone."""

    __slots__ = ('_ends', '_fragments', 'head', 'job')

    def __init__(self, data: bytes) -> None:
        raw = _unpacked(data)
        first = WORD + int.from_bytes(raw[:WORD], 'little')
        self.head: dict[str, Any] = jsontext.loads(raw[WORD:first])
        self.job: str = self.head['job']
        last = first + WORD * self.head['fragments']
        self._ends = raw[first:last]
        self._fragments = raw[last:]

    @property
    def count(self) -> int:
        """How many tasks the job has."""
        rows: int = self.head['rows']
        return rows

    def key(self, row: int) -> str:
        """What the task of that row is called."""
        keys = self.head['keys']
        return str(row) if keys is None else str(keys[row])

    def stands(self, row: int) -> str:
        """How it stands in the plan: one of the letters above."""
        marks: str = self.head['marks']
        return marks if len(marks) == 1 else marks[row]

    def end(self, row: int) -> bytes:
        """The outcome of a row that was not submitted, as the planner knew it."""
        ends = self.head['ends']
        return bytes.fromhex(ends.get(str(row), '')) or bytes(16)

    def fragment(self, row: int) -> dict[str, Any]:
        """What concerns one row alone; {} if there is nothing."""
        part = self._fragments[self._end(row - 1) : self._end(row)]
        found: dict[str, Any] = jsontext.loads(part) if part else {}
        return found

    def _end(self, row: int) -> int:
        """Where a fragment ends; no row has one behind the last that does."""
        return int.from_bytes(self._ends[WORD * row : WORD * (row + 1)], 'little') if row >= 0 else 0


def packed(head: Mapping[str, Any], fragments: Mapping[int, Mapping[str, Any]]) -> bytes:
    """A part as it is written."""
    ends, parts = bytearray(), bytearray()
    for row in range(max(fragments, default=-1) + 1):
        if row in fragments:
            parts += jsontext.dumps(fragments[row])
        ends += len(parts).to_bytes(WORD, 'little')
    body = jsontext.dumps({**head, 'fragments': len(ends) // WORD})
    raw = b''.join((len(body).to_bytes(WORD, 'little'), body, ends, parts))
    if len(raw) < LARGE:
        return PLAIN + raw
    import zlib

    return PACKED + zlib.compress(raw, 1)


def _unpacked(data: bytes) -> memoryview:
    if data[:1] == PLAIN:
        return memoryview(data)[1:]
    import zlib

    return memoryview(zlib.decompress(memoryview(data)[1:]))


def joined(marks: Sequence[str]) -> str:
    """The marks of all rows; one for all if they are alike."""
    return marks[0] if marks and marks.count(marks[0]) == len(marks) else ''.join(marks)


def rows_of(encoded: str) -> Iterator[int]:
    """The rows of '0-9,15'."""
    for span in encoded.split(',') if encoded else ():
        first, _, last = span.partition('-')
        yield from range(int(first), int(last or first) + 1)


def spans(numbers: Iterable[int]) -> str:
    """Numbers in their order, runs abbreviated: '0-9,15'."""
    parts: list[list[int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ','.join(str(first) if first == last else f'{first}-{last}' for first, last in parts)
