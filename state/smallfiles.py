"""The digest of a small file in as few steps as can be: what a task does for each of its inputs and outputs."""

from __future__ import annotations

from posix import O_CLOEXEC, O_NONBLOCK, O_RDONLY, close, fstat, open, read, stat  # what `os` hands on

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from awflow.state.cached import Signature

SMALL: Final = 1 << 20  # bytes
LITTLE: Final = 1 << 16  # bytes: read in less time than a process takes to end
_FLAGS: Final = O_RDONLY | O_CLOEXEC | O_NONBLOCK  # a pipe of that name is not waited for
_TYPE, _REGULAR = 0o170000, 0o100000


def small_file(path: str, most: int = SMALL) -> tuple[str, Signature] | None:
    """The digest and the signature of a file that held still while it was read; None of whatever else the path may be.

    `most` is how many bytes are small.
    """
    try:
        fd = open(path, _FLAGS)
    except OSError:
        return None
    try:
        found = fstat(fd)
        if found.st_mode & _TYPE != _REGULAR or found.st_size > most:
            return None
        data = read(fd, found.st_size + 1)
        after = fstat(fd)
    except OSError:
        return None
    finally:
        close(fd)
    signature = found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino
    if len(data) != signature[0] or signature != (after.st_size, after.st_mtime_ns, after.st_ctime_ns, after.st_ino):
        return None
    return xxh3_128_hexdigest(data), signature


def is_small_file(path: str) -> bool:
    """Whether it is there and one whose digest is a matter of a moment."""
    try:
        found = stat(path)
    except OSError:
        return False
    return found.st_mode & _TYPE == _REGULAR and found.st_size <= LITTLE
