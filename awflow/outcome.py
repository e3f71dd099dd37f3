"""Outcomes as dependents compare them. Of a task that declares its outputs: equal bytes are an equal outcome."""

from __future__ import annotations

import os

from xxhash import xxh3_128, xxh3_128_digest, xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Final

WIDTH: Final = 16  # bytes
UNKNOWN: Final = bytes(WIDTH)  # the outcome of a task that never ran: equal only to itself


class Ends:
    """The outcomes of a job's tasks, by row; 16 bytes each and no objects."""

    __slots__ = ('column',)

    def __init__(self, rows: int) -> None:
        self.column = bytearray(WIDTH * rows)

    def __len__(self) -> int:
        return len(self.column) // WIDTH

    def __getitem__(self, row: int) -> bytes:
        if not 0 <= row < len(self):
            raise IndexError(row)
        return bytes(self.column[WIDTH * row : WIDTH * row + WIDTH])

    def __setitem__(self, row: int, end: bytes) -> None:
        self.column[WIDTH * row : WIDTH * row + WIDTH] = end

    def __iter__(self) -> Iterator[bytes]:
        return (self[row] for row in range(len(self)))


def outcome_digest(outputs: Mapping[str, Sequence[Any]], result: str | None) -> str:
    """One digest of the outputs (path -> [digest, size]) and of the stored result's digest, if there is one."""
    if len(outputs) == 1 and result is None:
        [(path, content)] = outputs.items()
        name = os.fsencode(path)
        return xxh3_128_hexdigest(b'%d:%s=%s\n' % (len(name), name, str(content[0]).encode('ascii')))
    digest = xxh3_128()
    for path, content in sorted(outputs.items()):
        name = os.fsencode(path)
        digest.update(b'%d:%s=%s\n' % (len(name), name, str(content[0]).encode('ascii')))
    if result is not None:
        digest.update(b'result=' + result.encode('ascii'))
    return digest.hexdigest()


def job_end(ends: Sequence[bytes] | Ends) -> bytes:
    """The outcome of a job: its elements' in array order; of a single task, its own."""
    if len(ends) == 1:
        return ends[0]
    return xxh3_128_digest(ends.column if isinstance(ends, Ends) else b''.join(ends))


def skipped_end(upstreams: Sequence[bytes]) -> bytes:
    """The outcome of a skipped task."""
    return xxh3_128_digest(b'skipped' + b''.join(upstreams))
