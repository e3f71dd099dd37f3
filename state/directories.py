"""The digest of a directory: names, types and contents of all that is in it, sorted."""

from __future__ import annotations

import errno
import os
import stat

from xxhash import xxh3_128, xxh3_128_digest, xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from awflow.state.digests import Content
    from awflow.state.fs import Disk

    Within = tuple[tuple[int, int], ...]  # the directories around: device and inode of each
    Digester = Callable[[str, os.stat_result, Within], Content]

_DANGLING = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EINVAL)  # of a link; the last is said of a socket or pipe


def digest_of(disk: Disk, content: Digester, path: str, found: os.stat_result, within: Within) -> tuple[str, int]:
    """Digest and bytes of a directory, of which `content` digests what is in it.

    Of a link also where it points counts, of a socket or pipe only that it is one. One that leads back to a directory it lies
    in counts by where it points only.
    """
    here = (found.st_dev, found.st_ino)
    if here in within:
        return xxh3_128_hexdigest(b'loop'), 0
    whole = xxh3_128()
    size = 0
    for name in sorted(disk.listdir(path), key=os.fsencode):
        raw = os.fsencode(name)
        kind, digest, more = _member(disk, content, f'{path}/{name}', (*within, here))
        size += more
        whole.update(b'%d %b %b %b\n' % (len(raw), raw, kind, digest.encode()))
    return whole.hexdigest(), size


def _member(disk: Disk, content: Digester, path: str, within: Within) -> tuple[bytes, str, int]:
    """Kind, digest and bytes."""
    found = disk.lstat(path)
    if stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode):
        inner = content(path, found, within)
        return b'd' if stat.S_ISDIR(found.st_mode) else b'f', inner.digest, inner.size
    if not stat.S_ISLNK(found.st_mode):
        return b'o', xxh3_128_hexdigest(b'%o' % stat.S_IFMT(found.st_mode)), 0
    target = b'l' + xxh3_128_digest(os.fsencode(os.readlink(path)))
    try:
        inner = content(path, disk.stat(path), within)
    except OSError as error:
        if error.errno not in _DANGLING:
            raise
        return target, xxh3_128_hexdigest(b'nothing'), 0
    return target, inner.digest, inner.size
