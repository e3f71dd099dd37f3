"""A journal from some byte on, read piece by piece: the journal of 100,000 tasks has 80 MB, which nobody needs at once."""

from __future__ import annotations

import gc

from awflow.state.journal import parse
from awflow.state.starts import without_starts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from awflow.state.view import Overlay

PIECE = 4 << 20  # bytes; few journals have more, so nearly all are read in one call


class Pieces:
    """The bytes of a journal from `offset` on, at most up to `limit` (-1: all that are there), as objects.

    The first piece is read at once, the others as their objects are asked for. When all were asked for, `end` is the offset
    behind the last byte, `bad` are the offsets of lines that are no objects, and `holed` says whether there were NUL bytes in
    one, as in pages that have not arrived.
    """

    __slots__ = ('_behind', '_first', '_limit', '_read', 'bad', 'end', 'holed')

    def __init__(self, read: Callable[[int, int], bytes], offset: int, limit: int = -1) -> None:
        self._read = read
        self._limit = limit
        self.bad: list[int] = []
        self.holed = False
        self.end = self._behind = offset  # `_behind` the last newline
        self._first = self._piece(PIECE)

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return bool(self._first)

    @property
    def resume(self) -> int:
        """Where a later look at a growing journal must start: behind the last line, but before the first bad byte."""
        return min(self._behind, *self.bad[:1] or [self.end])

    @property
    def torn(self) -> list[int]:
        """The bad lines to which nothing can be added any more."""
        return [at for at in self.bad if at < self._behind]

    def onto(self, overlay: Overlay, wanted: Callable[[bytes], bool] | None = None) -> Overlay:
        """What the overlay says and what the objects say. Of lines that are not `wanted` none are made.

        Nothing that is made meanwhile is garbage, and where there is much of it the search for it would take half the time.
        """
        if len(self._first) < PIECE or not gc.isenabled():
            return overlay.extended(self.objects(wanted))
        gc.disable()
        try:
            return overlay.extended(self.objects(wanted))
        finally:
            gc.enable()

    def objects(self, wanted: Callable[[bytes], bool] | None = None) -> Iterator[dict[str, Any]]:
        piece, size = self._first, PIECE
        self._first = b''
        while piece:
            last = len(piece) < size
            lines = piece if last else piece[: piece.rfind(b'\n') + 1]
            if lines or last:
                yield from self._told(lines, wanted)
                size = PIECE
            else:
                size *= 2  # a line longer than that
            del lines
            piece = b''  # before there is another one
            if not last:
                piece = self._piece(size)

    def _piece(self, size: int) -> bytes:
        return self._read(self.end, size if self._limit < 0 else max(min(size, self._limit - self.end), 0))

    def _told(self, lines: bytes, wanted: Callable[[bytes], bool] | None) -> Iterator[dict[str, Any]]:
        bad: list[int] = []
        yield from parse(lines, bad, wanted, without_starts)
        self.bad += [self.end + at for at in bad]
        self.holed = self.holed or (bool(bad) and b'\0' in lines)
        self._behind = self.end + lines.rfind(b'\n') + 1 if b'\n' in lines else self._behind
        self.end += len(lines)
