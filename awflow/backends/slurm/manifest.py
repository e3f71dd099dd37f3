"""What the tasks of a submission are told of the plan they belong to: written by who submits, read on the nodes.

A node has no planner: it must know how each task's identity is made, what its upstreams are and how those counted that
were not submitted. So every job has a part in the payload, of which a task reads its own and those of its upstreams. A
part is JSON for what all rows share and, behind it, a fragment of JSON for each row that differs, found by an index: a
task of 100,000 does not parse what concerns the others.

    u32 size of the head, head, u32 offset of each fragment's end, fragments; all behind zlib
"""

from __future__ import annotations

import json
import zlib
from array import array

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


class Manifest:
    """One job's part. `fragment(row)` is what concerns that row alone."""

    __slots__ = ('_ends', '_fragments', 'head', 'job')

    def __init__(self, data: bytes) -> None:
        raw = zlib.decompress(data)
        size = int.from_bytes(raw[:4], 'little')
        self.head: dict[str, Any] = json.loads(raw[4 : 4 + size])
        self.job: str = self.head['job']
        count = self.head['fragments']
        self._ends = array('I')
        self._ends.frombytes(raw[4 + size : 4 + size + 4 * count])
        self._fragments = raw[4 + size + 4 * count :]

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
        if row >= len(self._ends):
            return {}
        first = self._ends[row - 1] if row else 0
        part = self._fragments[first : self._ends[row]]
        found: dict[str, Any] = json.loads(part) if part else {}
        return found


def packed(head: Mapping[str, Any], fragments: Mapping[int, Mapping[str, Any]]) -> bytes:
    """A part as it is written."""
    ends, parts = array('I'), bytearray()
    for row in range(max(fragments, default=-1) + 1):
        if row in fragments:
            parts += json.dumps(fragments[row], separators=(',', ':')).encode('ascii')
        ends.append(len(parts))
    body = json.dumps({**head, 'fragments': len(ends)}, separators=(',', ':')).encode('ascii')
    return zlib.compress(len(body).to_bytes(4, 'little') + body + ends.tobytes() + bytes(parts), 1)


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
