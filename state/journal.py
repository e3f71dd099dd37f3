r"""Journals: append-only logs of records, one JSON object a line, that survive torn writes and two writers.

    \n{"job":"merge",...,"sum":"<xxh3_64 of all before the comma, 16 hex digits>"}\n

A writer that is killed in mid-write leaves half a line for ever, and the next writer appends right behind it. The
newline *before* every object keeps such a half from eating its neighbour; the sum, which nothing may follow on its
line, tells the half from a whole. On network filesystems a page that has not arrived reads as NUL bytes: such a line
is no record yet, so who reads on later must start again at the first bad byte, never behind it.
"""

from __future__ import annotations

import errno

from xxhash import xxh3_64_hexdigest

from awflow.state import jsontext
from awflow.state.layout import access_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any

    from awflow.state.fs import Disk
    from awflow.state.overlay import Overlay

_SUM = b',"sum":"'
_TAIL = len(_SUM) + 16 + len(b'"}')
_BETWEEN = '"}\n\n'  # what is between the sum of a line and the next line
_AFTER = 16 + len(_BETWEEN)
_MOVE_ON = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE)
_FILES_TRIED = 3
_FEW = 1 << 16  # bytes of a journal that are parsed at once: to leave that for later takes modules
PIECE = 1 << 18  # bytes that are read at a time: what is done to them finds them in the processor's cache
_PART = 1 << 18  # bytes that are cut into lines at a time


def frame(obj: Mapping[str, Any]) -> bytes:
    """One object as a line of its own, with its sum."""
    assert obj and 'sum' not in obj, 'an object that is framed says something, and leaves the name sum to the frame'
    return framed(jsontext.dumps(obj)[:-1])


def framed(body: bytes) -> bytes:
    """The same of an object that is spelled already, without the brace at its end."""
    return b'\n%b%b%b"}\n' % (body, _SUM, xxh3_64_hexdigest(body).encode())


def parse(
    data: bytes, damage: list[int] | None = None, wanted: Callable[[bytes], bool] | None = None
) -> Iterator[dict[str, Any]]:
    """The whole objects among these bytes; where a line is no object, its offset is appended to `damage`.

    Lines that are not `wanted` are not looked at.
    """
    for bodies in bodies_of(data, damage, wanted):
        yield from objects(bodies)


def bodies_of(
    data: bytes, damage: list[int] | None = None, wanted: Callable[[bytes], bool] | None = None
) -> Iterator[list[bytes]]:
    """The same as lines without their sums, many at a time. What such a line says is in it, and a `}`."""
    at = 0
    while at < len(data):
        end = data.find(b'\n', at + _PART)
        end = len(data) if end < 0 else end
        part = data[at:end]
        bodies = _orderly(part) if wanted is None else None
        yield list(_bodies(part.split(b'\n'), at, damage, wanted)) if bodies is None else bodies
        at = end + 1


def _orderly(part: bytes) -> list[bytes] | None:
    """The bodies of lines that are as they were written, all of them; None if one is not. In half the time that it takes to
    look at them one by one: each is cut out once, and all sums are compared at once.
    """
    lines = part.split(_SUM)
    bodies = [line[_AFTER:] for line in lines]
    bodies[0] = lines[0].lstrip(b'\n')
    lines[-1] = lines[-1].rstrip(b'\n')
    if len(lines[-1]) != _AFTER - 2 or bodies.pop().strip(b'\n'):
        return None
    right = _BETWEEN.join(map(xxh3_64_hexdigest, bodies)) + '"}'
    return bodies if b''.join([line[:_AFTER] for line in lines[1:]]) == right.encode() else None


def _bodies(lines: list[bytes], at: int, damage: list[int] | None, wanted: Callable[[bytes], bool] | None) -> Iterator[bytes]:
    """Of the lines that begin at this offset the bodies of those that end in a right sum."""
    for number, line in enumerate(lines):
        if line and (wanted is None or wanted(line)):
            body = line[:-_TAIL]
            if line[-_TAIL:] == b'%b%b"}' % (_SUM, xxh3_64_hexdigest(body).encode()):
                yield body
            elif damage is not None:
                damage.append(at + sum(map(len, lines[:number])) + number)


def objects(bodies: list[bytes]) -> list[dict[str, Any]]:
    """What lines say, given without sums. One call for all takes three quarters of the time that one for each takes."""
    if not bodies:
        return []
    try:
        found: list[dict[str, Any]] = jsontext.loads(b'[%b}]' % b'},'.join(bodies))
        if len(found) == len(bodies):
            return found
    except ValueError:
        pass  # said by the line that it is
    return [jsontext.loads(body + b'}') for body in bodies]


class Pieces:
    """A growing journal's bytes from `offset` on, at most up to `limit` (-1: all that are there), as objects.

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

    def onto(self, overlay: Overlay, wanted: Callable[[bytes], bool] | None = None, whole: bool = False) -> Overlay:
        """What the overlay says and what the objects say; of many only the lines are kept, unless the `whole` is going to be
        needed. Those that are not `wanted` are not looked at.

        Nothing that is made meanwhile is garbage, and where there is much of it the search for it would take half the time.
        """
        import gc

        if len(self._first) <= _FEW or wanted is not None or not gc.isenabled():
            return self._onto(overlay, wanted, whole)
        gc.disable()
        try:
            return self._onto(overlay, wanted, whole)
        finally:
            gc.enable()

    def _onto(self, overlay: Overlay, wanted: Callable[[bytes], bool] | None, whole: bool) -> Overlay:
        if len(self._first) <= _FEW or wanted is not None:
            return overlay.extended(self.objects(wanted))
        return overlay.with_lines(self._bodies(None), whole)

    def objects(self, wanted: Callable[[bytes], bool] | None = None) -> Iterator[dict[str, Any]]:
        for bodies in self._bodies(wanted):
            yield from objects(bodies)

    def _bodies(self, wanted: Callable[[bytes], bool] | None) -> Iterator[list[bytes]]:
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

    def _told(self, lines: bytes, wanted: Callable[[bytes], bool] | None) -> Iterator[list[bytes]]:
        bad: list[int] = []
        yield from bodies_of(lines, bad, wanted)
        self.bad += [self.end + at for at in bad]
        self.holed = self.holed or (bool(bad) and b'\0' in lines)
        self._behind = self.end + lines.rfind(b'\n') + 1 if b'\n' in lines else self._behind
        self.end += len(lines)


class Journal:
    """One writer's file of one claim, made when the first object is appended.

    `names` says of every file how many bytes are known to be on the disk. When a disk or quota is full or broken, what
    is not known to be there is written once more, to a new file: some filesystems drop unwritten pages after the first
    failed fsync and report success ever after.
    """

    __slots__ = ('_directory', '_disk', '_fd', '_file', '_put', '_stem', '_unsynced', 'names', 'size')

    def __init__(self, disk: Disk, directory: str, stem: str) -> None:
        self.names: dict[str, int] = {}
        self.size = 0  # bytes of the current file behind our last write
        self._disk = disk
        self._directory = directory
        self._stem = stem
        self._file = 1
        self._fd: int | None = None
        self._put: list[bytes] = []  # lines that are not written yet
        self._unsynced: list[bytes] = []

    @property
    def name(self) -> str:
        return f'{self._stem}.jsonl' if self._file == 1 else f'{self._stem}+{self._file}.jsonl'

    @property
    def path(self) -> str:
        """The file that is written to now. It exists, so that others may append to it."""
        if self._fd is None:
            self._persist([], durably=False)
        return f'{self._directory}/{self.name}'

    def append(self, objs: Iterable[Mapping[str, Any]]) -> None:
        """Write objects, all in one system call; they are published when `sync` has returned."""
        self._put += [frame(obj) for obj in objs]
        self.write()

    def put(self, line: bytes) -> None:
        """Take a framed object, to be written with others."""
        self._put.append(line)

    def write(self) -> None:
        """Write what was put, all in one system call."""
        if self._put:
            data = b''.join(self._put)
            self._put.clear()
            self._unsynced.append(data)
            self._persist([data], durably=False)

    def sync(self) -> None:
        """Return when all that was appended is on the disk."""
        self.write()
        if self._unsynced:
            lost = [] if self._fd is not None else [b''.join(self._unsynced)]  # an append has failed and left its file
            self._persist(lost, durably=True)
            self._unsynced.clear()

    def close(self) -> None:
        self.sync()
        if self._fd is not None:
            self._disk.close(self._fd)
            self._fd = None

    def _persist(self, parts: list[bytes], durably: bool) -> None:
        for attempt in range(_FILES_TRIED):
            try:
                self._write(parts)
                if durably:
                    self._fsync()
                return
            except OSError as error:  # noqa: PERF203  three turns at most
                self._abandon()
                if error.errno not in _MOVE_ON or attempt == _FILES_TRIED - 1:
                    raise access_error(error, 'write to', self._directory) from error
                parts = [b''.join(self._unsynced)]

    def _write(self, parts: list[bytes]) -> None:
        if self._fd is None:
            self._fd = self._disk.open_append(f'{self._directory}/{self.name}')
        for data in parts:
            if self._disk.write(self._fd, data) < len(data):  # a second write could land behind somebody else's
                raise OSError(errno.ENOSPC, 'only a part could be written', self.name)
            self.size = self._disk.tell(self._fd)

    def _fsync(self) -> None:
        assert self._fd is not None
        self._disk.fsync(self._fd)
        if self.name not in self.names:
            self._disk.fsync_dir(self._directory)
        self.names[self.name] = self.size

    def _abandon(self) -> None:
        """Leave a file that cannot be trusted any more; the next write makes another."""
        if self._fd is not None:
            try:
                self._disk.close(self._fd)
            except OSError:
                pass  # it failed already, and all that matters is written again
        self._fd = None
        self._file += 1
        self.size = 0
