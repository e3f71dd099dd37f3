"""The few system calls that the state is made of: the seam where tests inject delay, stale answers and crashes.

Nothing here decides anything. The protocol (see `ledger.py`) asks for no more than a server of any network filesystem
decides alone: exclusive create, link, rename, unlink, list, read, append, fsync. `stat` serves the digest cache, access
checks and housekeeping, never the protocol: on NFS it may describe for a minute what was there before.
"""

from __future__ import annotations

import errno
import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

FILE_MODE = 0o644
DIRECTORY_MODE = 0o755  # the umask may take from it; group and others never get to write

_MORE = 1 << 16  # bytes that are asked for beyond the length that a file is believed to have
_ONE_HOST = frozenset((  # filesystems that no other host writes to: what they show is what there is
    'ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs', 'bcachefs', 'jfs', 'overlay', 'tmpfs', 'ramfs', 'vfat', 'squashfs',
))  # fmt: skip
_NO_DIRECTORY_FSYNC = (errno.EINVAL, errno.ENOTSUP, errno.EBADF)


class Disk:
    """System calls by name; raises OSError as they do."""

    __slots__ = ()

    def listdir(self, path: str) -> list[str]:
        return os.listdir(path)

    def read(self, path: str, offset: int = 0, limit: int = -1) -> bytes:
        """The bytes from `offset` on, at most `limit` of them; opened anew, so that the server is asked.

        Without a limit up to where reading ends, not to the length that the client believes in: it may be an old one.
        Not mapped: a page of a file that another host has deleted is a SIGBUS, not an exception.
        """
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            wanted = limit if limit >= 0 else max(os.fstat(fd).st_size - offset, 0) + _MORE
            if offset:
                os.lseek(fd, offset, os.SEEK_SET)
            parts = []
            while wanted > 0 and (part := os.read(fd, wanted)):
                parts.append(part)
                wanted = wanted - len(part) if limit >= 0 else _MORE
            return parts[0] if len(parts) == 1 else b''.join(parts)
        finally:
            os.close(fd)

    def create(self, path: str, data: bytes) -> None:
        """A new file with these bytes, on the disk when this returns; FileExistsError if the name is taken."""
        self._make(path, data, durable=True)

    def jot(self, path: str, data: bytes) -> None:
        """A new file whose loss would do no harm: nobody waits until it is on the disk."""
        self._make(path, data, durable=False)

    def _make(self, path: str, data: bytes, durable: bool) -> None:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
        try:
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(fd, rest) :]
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)

    def open_append(self, path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, FILE_MODE)

    def write(self, fd: int, data: bytes) -> int:
        return os.write(fd, data)

    def tell(self, fd: int) -> int:
        """Where the last write ended; after an append this is the file's length as of that append."""
        return os.lseek(fd, 0, os.SEEK_CUR)

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def close(self, fd: int) -> None:
        os.close(fd)

    def flush(self, path: str) -> None:
        """Bring to the disk what anybody on this host has written to a file."""
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def fsync_dir(self, path: str) -> None:
        """Make names durable; filesystems that cannot sync a directory do it by themselves."""
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        except OSError as error:
            if error.errno not in _NO_DIRECTORY_FSYNC:
                raise
        finally:
            os.close(fd)

    def link(self, source: str, target: str) -> None:
        os.link(source, target)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def rename(self, source: str, target: str) -> None:
        os.rename(source, target)

    def mkdir(self, path: str) -> None:
        os.mkdir(path, DIRECTORY_MODE)

    def stat(self, path: str) -> os.stat_result:
        return os.stat(path)

    def stats(self, paths: Iterable[str]) -> Iterator[os.stat_result]:
        """`stat` of many, as they are asked for."""
        return map(os.stat, paths)

    def lstat(self, path: str) -> os.stat_result:
        return os.lstat(path)

    def alone(self, path: str) -> bool:
        """Whether only this host writes to the filesystem of a path, so that nothing is still on its way from others."""
        return _kind(os.path.realpath(path)) in _ONE_HOST

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def now(self) -> float:
        """Seconds since the epoch, for display: nothing is decided by comparing clocks."""
        return time.time()

    def token(self) -> str:
        """Eight random hex digits."""
        return os.urandom(4).hex()


def _kind(path: str) -> str:
    """The kind of the filesystem that a path lies on, '' if the kernel does not tell."""
    kind, longest = '', 0
    try:
        with open('/proc/self/mountinfo', 'rb') as file:
            lines = os.fsdecode(file.read()).splitlines()
    except OSError:
        return ''
    for line in lines:
        before, _, after = line.partition(' - ')
        point = before.split(' ')[4].replace('\\040', ' ')
        if (path == point or path.startswith(point.rstrip('/') + '/')) and len(point) >= longest:
            kind, longest = after.partition(' ')[0], len(point)
    return kind
