"""On which filesystem a directory lies, and what is known of its kind: seen by other machines? locks decided by whom?"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SERVER: Final = 'server'  # who decides on a lock
NODE: Final = 'node'
NOBODY: Final = 'nobody'
UNKNOWN: Final = 'unknown'

SHARED: Final = {  # filesystems that other machines see too -> who decides on flock, where mount options do not say it
    'nfs': SERVER, 'nfs4': SERVER, 'lustre': UNKNOWN, 'gpfs': NODE, 'beegfs': NODE, 'fuse.glusterfs': SERVER, 'ceph': SERVER,
    'fuse.ceph': SERVER, 'fuse.ceph-fuse': SERVER, 'cifs': SERVER, 'smb3': SERVER, 'afs': SERVER, 'pvfs2': NOBODY,
    'fuse.sshfs': NODE, '9p': NODE, 'virtiofs': NODE, 'panfs': UNKNOWN, 'wekafs': UNKNOWN, 'gfs2': SERVER, 'ocfs2': SERVER,
    'fuse.juicefs': SERVER, 'fuse.s3fs': NODE, 'fuse.mfs': SERVER, 'quobyte': UNKNOWN, 'fuse.quobyte': UNKNOWN,
}  # fmt: skip
LOCAL: Final = frozenset((
    'ext2', 'ext3', 'ext4', 'xfs', 'btrfs', 'zfs', 'f2fs', 'bcachefs', 'overlay', 'tmpfs', 'ramfs', 'vfat', 'exfat', 'ntfs',
    'ntfs3', 'fuseblk', 'jfs', 'reiserfs', 'nilfs2', 'squashfs', 'iso9660',
))  # fmt: skip
PASSING: Final = {
    'tmpfs': 'it is gone when the machine restarts', 'ramfs': 'it is gone when the machine restarts',
    'overlay': 'it is the inside of a container, and may be gone with it',
}  # fmt: skip


class Mount:
    """A line of /proc/self/mountinfo. `shared`: whether other machines see it, None if that is not known."""

    __slots__ = ('kind', 'options', 'point', 'source')

    def __init__(self, point: str, kind: str, source: str, options: frozenset[str]) -> None:
        self.point = point
        self.kind = kind
        self.source = source
        self.options = options

    @property
    def shared(self) -> bool | None:
        """Whether other machines see it, None if that is not known."""
        return True if self.kind in SHARED else False if self.kind in LOCAL else None

    def locks(self) -> tuple[str, str]:
        """Who decides on flock, and from what that is known."""
        for option, who in self._said():
            if option in self.options:
                return who, f'mounted with {option}'
        if self.shared:
            return SHARED[self.kind], f'usual for {self.kind}'
        return (NODE, f'{self.kind} belongs to one machine') if self.shared is False else (UNKNOWN, f'{self.kind} is not known')

    def _said(self) -> tuple[tuple[str, str], ...]:
        """The options of its kind that say something of locks."""
        if self.kind.startswith('nfs'):
            return ('local_lock=all', NODE), ('local_lock=flock', NODE), ('nolock', NODE)
        if self.kind == 'lustre':
            return ('localflock', NODE), ('noflock', NOBODY), ('flock', SERVER)
        if self.kind in ('cifs', 'smb3'):
            return (('nobrl', NODE),)
        return ()


def parsed(text: str) -> list[Mount]:
    """The mounts of a mountinfo, in its order: a later one may lie over an earlier one."""
    mounts = []
    for line in text.splitlines():
        before, dash, after = line.partition(' - ')
        fields, rest = before.split(' '), after.split(' ')
        if dash and len(fields) >= 6 and len(rest) >= 2:
            options = frozenset([*fields[5].split(','), *(rest[2] if len(rest) > 2 else '').split(',')])
            mounts.append(Mount(_plain(fields[4]), rest[0], _plain(rest[1]), options))
    return mounts


def _plain(text: str) -> str:
    r"""Spaces and the like are written \040."""
    return re.sub(r'\\([0-7]{3})', lambda found: chr(int(found[1], 8)), text)


def mount_of(path: str, text: str) -> Mount | None:
    """The mount on which a path, without symbolic links, lies."""
    found = None
    for mount in parsed(text):
        inside = mount.point == '/' or path == mount.point or path.startswith(mount.point + '/')
        if inside and (found is None or len(mount.point) >= len(found.point)):
            found = mount
    return found


def mount_here(directory: str) -> Mount | None:
    """The mount of a directory, None if the kernel does not tell."""
    try:
        with open('/proc/self/mountinfo', encoding='utf-8', errors='surrogateescape') as file:
            return mount_of(os.path.realpath(directory), file.read())
    except OSError:
        return None
