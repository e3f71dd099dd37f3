"""Where everything lies below `.awflow/`, and who may write there."""

from __future__ import annotations

import errno
import os
import stat

from xxhash import xxh3_128_hexdigest

from awflow.errors import StateAccessError
from awflow.state.snapshot import VERSION, newer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from awflow.state.fs import Disk

DIRECTORY = '.awflow'
_PLAIN = frozenset(b'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_+=,@~')
_LONGEST = 120  # bytes; leaves room for what is added to a name within the 255 that filesystems allow

# A tag that backups and archivers look for; what follows the signature is for people. One file does for both.
_CACHEDIR_TAG = """\
Signature: 8a477f597d28d172789f06886806bc55
# This directory is kept by awflow: it remembers which tasks of the workflows in the directory above ran, with what code
# and inputs, and how they ended, so that only what changed runs again. It may be moved with the project. Deleting it
# loses that memory, logs and stored return values, never your files: the next run starts afresh. `awflow status` shows
# what it says, `awflow dump` prints all of it as JSON. Backups may leave it out.
"""
_FILES = {'FORMAT': f'{VERSION}\n', '.gitignore': '*\n', 'CACHEDIR.TAG': _CACHEDIR_TAG}


class Layout:
    """Every path of one workflow's state. `root` is the `.awflow` directory itself."""

    __slots__ = ('digests', 'directory', 'holder', 'ledger', 'lock', 'root', 'runs', 'workflow')

    def __init__(self, root: str, workflow: str) -> None:
        self.root = root
        self.workflow = workflow
        self.directory = f'{root}/{safe(workflow)}'
        self.ledger = f'{self.directory}/ledger'
        self.lock = f'{self.directory}/lock'
        self.holder = f'{self.directory}/lock.holder'
        self.digests = f'{self.directory}/digests'
        self.runs = f'{self.directory}/runs'

    def run_file(self, run: str) -> str:
        return f'{self.runs}/{safe(run)}.json'

    def payload(self, generation: int) -> str:
        return f'{self.directory}/payload/{generation}'

    def results_dir(self, job: str) -> str:
        return f'{self.directory}/results/{safe(job)}'

    def log_dir(self, job: str) -> str:
        return f'{self.directory}/logs/{safe(job)}'

    def kept_dir(self) -> str:
        return f'{self.directory}/kept'

    def relative(self, path: str) -> str:
        """A path below the workflow's directory as records name it."""
        return os.path.relpath(path, self.directory)


def safe(name: str) -> str:
    """A file name for any job name or key, different for different names.

    Bytes that shells or filesystems mind are written %XX; a name that gets too long is cut, and ends in '%%' (which
    cannot arise otherwise) and the digest of all of it.
    """
    raw = name.encode('utf-8', 'surrogatepass')
    text = ''.join(
        chr(byte) if byte in _PLAIN else '.' if byte == 0x2E and at else f'%{byte:02X}' for at, byte in enumerate(raw)
    )
    if not text:
        return '%'
    return text if len(text) <= _LONGEST else f'{text[: _LONGEST - 34]}%%{xxh3_128_hexdigest(raw)}'


def find(start: str) -> str | None:
    """The `.awflow` directory in `start` or the nearest directory above it."""
    directory = os.path.abspath(start)
    while True:
        candidate = os.path.join(directory, DIRECTORY)
        if os.path.isdir(candidate):
            return candidate
        above = os.path.dirname(directory)
        if above == directory:
            return None
        directory = above


def prepare(layout: Layout, disk: Disk) -> None:
    """Make the directories and the files that say what they are, before anything is written for the first time.

    The ledger's directory comes last: who finds it finds all the rest.
    """
    with accessing('write to', layout.root):
        make(layout.root, disk)
        make(layout.directory, disk)
        check_access(layout, disk)
        present = set(disk.listdir(layout.root))
        for name, text in _FILES.items():
            if name not in present:
                _place(disk, f'{layout.root}/{name}', text.encode())
        make(layout.runs, disk)
        make(layout.ledger, disk)
        disk.fsync_dir(layout.directory)
        disk.fsync_dir(layout.root)


def make(directory: str, disk: Disk) -> None:
    """A directory, and those above it within the state."""
    try:
        disk.mkdir(directory)
    except FileExistsError:
        pass
    except FileNotFoundError:
        above = os.path.dirname(directory)
        if not above or above == directory:
            raise
        make(above, disk)
        try:
            disk.mkdir(directory)  # not `make` again: a directory that takes no others, as /proc, would never end it
        except FileExistsError:
            pass


def _place(disk: Disk, path: str, data: bytes) -> None:
    """A file that is never seen half written, whoever else writes the same."""
    temporary = f'{os.path.dirname(path)}/.tmp-{disk.token()}'
    disk.create(temporary, data)
    try:
        disk.link(temporary, path)
    except FileExistsError:
        pass
    except OSError as error:
        if not lacks_links(error):
            raise
        raise no_links(path) from error
    finally:
        disk.unlink(temporary)


def lacks_links(error: OSError) -> bool:
    return error.errno in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


def no_links(path: str) -> StateAccessError:
    return StateAccessError(
        'the filesystem of {directory} has no hard links, by which awflow decides who may execute what',
        'Keep the state on another filesystem: schedule(state=...) or AWFLOW_STATE.',
        directory=os.path.dirname(path),
    )


def check_access(layout: Layout, disk: Disk, strangers: bool = False) -> None:
    """Refuse a state that others could write to, or that a newer awflow wrote; one that is not there is in order.

    Its payloads and results are pickles: who may write them may run code as whoever reads them. Who only looks, and unpickles
    nothing, may look at the state of `strangers`.
    """
    with accessing('read', layout.root):
        if not _is_directory(layout.root, disk):
            return
        _refuse_newer(layout, disk)
        for directory in (layout.root, layout.directory):
            if not strangers and os.environ.get('AWFLOW_SHARED') != '1' and _is_directory(directory, disk):
                _refuse_strangers(directory, disk.stat(directory))


def _is_directory(path: str, disk: Disk) -> bool:
    try:
        found = disk.stat(path)
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(found.st_mode):
        raise StateAccessError('{path} should be a directory, but is a file', 'Move it away.', path=path)
    return True


def _refuse_newer(layout: Layout, disk: Disk) -> None:
    try:
        text = disk.read(f'{layout.root}/FORMAT').strip()
    except FileNotFoundError:
        return
    if text.isdigit() and int(text) > VERSION:
        raise newer(int(text))


def _refuse_strangers(directory: str, found: os.stat_result) -> None:
    if found.st_uid not in (0, os.geteuid()):
        _refuse(directory, f'it belongs to {_user(found.st_uid)}')
    if found.st_mode & stat.S_IWOTH:
        _refuse(directory, 'everybody may write to it')
    if found.st_mode & stat.S_IWGRP and not _own_group(found.st_gid):
        _refuse(directory, f'every member of the group {_group(found.st_gid)} may write to it')


def _refuse(directory: str, why: str) -> None:
    raise StateAccessError(
        'the state in {directory} is not yours alone: {reason}',
        'Whoever writes there can run code as you. Take the right away (chmod go-w), or set AWFLOW_SHARED=1 if all who '
        'have it are trusted.',
        directory=directory,
        reason=why,
    )


def _own_group(gid: int) -> bool:
    """Is this the group that many systems make for each user, and name as the user?"""
    return gid == os.getegid() and _group(gid) == _user(os.geteuid())


def _user(uid: int) -> str:
    import pwd  # may ask a directory server: only looked up when there is something to say

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f'uid {uid}'


def _group(gid: int) -> str:
    import grp

    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return f'gid {gid}'


class accessing:  # noqa: N801  read as a phrase: with accessing('write to', path)
    """Turn an OSError within into a StateAccessError that says what could not be done, and what to do."""

    __slots__ = ('doing', 'path')

    def __init__(self, doing: str, path: str) -> None:
        self.doing = doing
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if isinstance(error, OSError):
            raise access_error(error, self.doing, self.path) from error


_CURES = {
    errno.EACCES: 'Check who owns it (ls -ld), or keep the state elsewhere: schedule(state=...) or AWFLOW_STATE.',
    errno.EPERM: 'Check who owns it (ls -ld), or keep the state elsewhere: schedule(state=...) or AWFLOW_STATE.',
    errno.EROFS: 'The filesystem is read-only: keep the state elsewhere, with schedule(state=...) or AWFLOW_STATE.',
    errno.ENOSPC: 'The disk is full: make room, then run again. What was recorded so far is kept.',
    errno.EDQUOT: 'Your quota is used up: make room, then run again. What was recorded so far is kept.',
    errno.ENOTDIR: 'A part of the path is a file: move it away.',
}


def access_error(error: OSError, doing: str, path: str) -> StateAccessError:
    todo = _CURES.get(error.errno or 0, 'Look whether the directory is still there and the filesystem answers.')
    where = error.filename if isinstance(error.filename, str) else path
    return StateAccessError(
        'cannot {_doing} the state in {_state}: {reason}',
        todo,
        path=where,
        reason=error.strerror or str(error),
        _doing=doing,
        _state=path,
    )
