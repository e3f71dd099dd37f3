"""What the filesystem of a directory can do, tried in a directory of our own within it, which is removed afterwards."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from awflow.cli.checks import mounts
from awflow.state.layout import lacks_links

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

    from awflow.cli.checks.findings import Part
    from awflow.state.fs import Disk

PREFIX: Final = '.tmp-doctor-'
ROUNDS: Final = 24  # files made to measure how long it takes
PACE: Final = 0.25  # seconds for each of these measures, whatever was done by then
SLOW: Final = 0.02  # seconds for a create from which on it is worth a word
SKEW: Final = 2.0  # seconds
TICKS: Final = ((10**9, '1 s'), (10**6, '1 ms'), (10**3, '1 us'), (100, '100 ns'))
ROOM: Final = 100 * 10**6  # bytes
FILES: Final = 1000
ELSEWHERE: Final = 'awflow refuses this place. Keep the state on another filesystem: schedule(state=...) or AWFLOW_STATE.'
NOT_WRITABLE: Final = (errno.EROFS, errno.EACCES, errno.EPERM)


def check(part: Part, directory: str, probe: str, disk: Disk) -> None:
    """Try all of it in `probe`, a new directory in `directory`."""
    _kind(part, directory)
    try:
        disk.mkdir(probe)
    except OSError as error:
        _cannot_write(part, directory, error)
        return
    try:
        for attempt in (_exclusive, _links, _rename, _names, _flock, _times, _speed, _room):
            _try(part, attempt, probe, disk)
    finally:
        remove(probe)


def remove(probe: str) -> None:
    """Leave nothing behind, not even after a check that was given up."""
    from shutil import rmtree

    if os.path.basename(probe).startswith(PREFIX):
        rmtree(probe, ignore_errors=True)


def _kind(part: Part, directory: str) -> None:
    mount = mounts.mount_here(directory)
    if mount is None:
        part.warn('the kind of the filesystem is not known: /proc/self/mountinfo cannot be read')
        return
    where = f'{mount.kind} from {mount.source}, mounted at {mount.point}'
    part.facts.update(kind=mount.kind, source=mount.source, mounted=mount.point, shared=mount.shared)
    if mount.kind in mounts.PASSING:
        part.warn(where, f'What lies here does not last: {mounts.PASSING[mount.kind]}.')
    else:
        part.ok(where)


def _cannot_write(part: Part, directory: str, error: OSError) -> None:
    reason = error.strerror or str(error)
    if error.errno in NOT_WRITABLE:
        part.skip(
            f'nothing was tried, as nothing can be written in {directory}: {reason}',
            'The state can be looked at; a run needs to write.',
        )
    else:
        part.unfit(f'no directory can be made in {directory}: {reason}', 'Make room, or keep the state elsewhere.')


def _try(part: Part, attempt: Callable[[Part, str, Disk], None], probe: str, disk: Disk) -> None:
    try:
        attempt(part, probe, disk)
    except OSError as error:
        part.unfit(f'{attempt.__name__.strip("_")} failed: {error.strerror or error}', ELSEWHERE)


# -- what the protocol needs -------------------------------------------------------------------------------------------


def _exclusive(part: Part, probe: str, disk: Disk) -> None:
    disk.create(f'{probe}/once', b'first')
    try:
        disk.create(f'{probe}/once', b'second')
    except FileExistsError:
        part.ok('a file can be created exclusively')
        return
    part.unfit('a file that was there could be created exclusively once more', ELSEWHERE)


def _links(part: Part, probe: str, disk: Disk) -> None:
    disk.create(f'{probe}/source', b'linked')
    try:
        disk.link(f'{probe}/source', f'{probe}/target')
    except OSError as error:
        if not lacks_links(error):
            raise
        part.unfit('hard links are not supported, by which awflow decides who may execute what', ELSEWHERE)
        return
    try:
        disk.link(f'{probe}/source', f'{probe}/target')
    except FileExistsError:
        disk.unlink(f'{probe}/source')
        whole = disk.read(f'{probe}/target') == b'linked'
        part.ok('a hard link is granted once') if whole else part.unfit('a link lost the content of its file', ELSEWHERE)
        return
    part.unfit('a name that was taken was granted to a second link', ELSEWHERE)


def _rename(part: Part, probe: str, disk: Disk) -> None:
    disk.create(f'{probe}/new', b'new')
    disk.create(f'{probe}/old', b'old')
    disk.rename(f'{probe}/new', f'{probe}/old')
    left = set(disk.listdir(probe)) & {'new', 'old'}
    if left == {'old'} and disk.read(f'{probe}/old') == b'new':
        part.ok('a rename replaces a file')
    else:
        part.warn('a rename does not replace a file', 'The cache of digests is not kept: files are read again at every run.')


def _names(part: Part, probe: str, disk: Disk) -> None:
    """Long ones as of journals, others than ASCII, and whether upper and lower case are told apart."""
    longest = 'n' * 200
    odd = 'gr\u00fc\u00df-\u03c0'
    disk.create(f'{probe}/{longest}', b'')
    disk.create(f'{probe}/Case', b'')
    listed = set(disk.listdir(probe))
    if longest not in listed:
        part.unfit('a name of 200 characters is cut', ELSEWHERE)
    try:
        disk.create(f'{probe}/{odd}', b'')
        kept = odd in disk.listdir(probe)
    except OSError:
        kept = False
    if not kept:
        part.warn(
            'names that are not ASCII are refused or changed',
            'Those of the state are ASCII. Outputs with such names may not be found again.',
        )
    try:
        disk.create(f'{probe}/case', b'')
    except FileExistsError:
        part.warn(
            'upper and lower case are not told apart in names',
            'Give jobs names that differ in more: logs and results of `Fit` and `fit` would share a directory.',
        )
        return
    if kept and longest in listed:
        part.ok('names of 200 characters, of any letters, are kept')


def _flock(part: Part, probe: str, disk: Disk) -> None:
    import fcntl

    first, second = (disk.open_append(f'{probe}/lock') for _ in range(2))
    does = 'awflow does not rely on locks: they only make planners queue up. Claims in the ledger decide.'
    try:
        fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
            part.warn('flock grants a lock twice', does)
            return
        except BlockingIOError:
            pass
    except OSError as error:
        part.warn(f'flock does not work: {error.strerror}', does)
        return
    finally:
        disk.close(first)
        disk.close(second)
    mount = mounts.mount_here(probe)
    who, why = mount.locks() if mount else (mounts.UNKNOWN, 'its kind is not known')
    part.facts['locks'] = who
    if who == mounts.SERVER:
        part.ok(f'flock excludes, and counts for all machines ({why})')
    elif mount is not None and mount.shared is False:
        part.ok(f'flock excludes ({why})')
    else:
        told = 'counts for one machine only' if who == mounts.NODE else 'may count for one machine only'
        part.ok(f'flock excludes here, but {told} ({why})', does)


# -- times and speed ---------------------------------------------------------------------------------------------------


def _times(part: Part, probe: str, disk: Disk) -> None:
    """The clock of the server of files as compared with ours, and into what steps it divides time."""
    stamps, skews = [], []
    for turn in range(8):
        before = disk.now()
        disk.create(f'{probe}/time-{turn}', b'')
        after = disk.now()
        stamps.append(disk.stat(f'{probe}/time-{turn}').st_mtime_ns)
        skews.append(stamps[-1] / 1e9 - (before + after) / 2)
    tick, shown = next((size, name) for size, name in (*TICKS, (1, '1 ns')) if all(stamp % size == 0 for stamp in stamps))
    skew = sorted(skews)[len(skews) // 2]
    part.facts.update(timestamps_ns=tick, clock_skew_s=round(skew, 3))
    age = '0.1 s' if tick < 10**6 else '2 s'
    part.ok(f'times of files are kept to {shown}', f'A digest is only trusted of a file that was {age} old when it was read.')
    if abs(skew) > max(SKEW, tick / 1e9):
        how = 'ahead of' if skew > 0 else 'behind'
        part.warn(
            f'the clock of the filesystem is {abs(skew):.1f} s {how} that of this machine',
            'awflow decides nothing by comparing them; make and other programs do. Have the clocks set (NTP).',
        )
    else:
        part.ok('the clock of the filesystem is that of this machine, up to what can be told')


def _speed(part: Part, probe: str, disk: Disk) -> None:
    """Each operation as often as a quarter of a second allows, the median of it in milliseconds."""
    paths = [f'{probe}/speed-{turn}' for turn in range(ROUNDS)]

    def create(path: str) -> None:
        disk.close(disk.open_append(path))

    def sync(path: str) -> None:
        fd = disk.open_append(path)
        try:
            disk.write(fd, b'x' * 100)
            disk.fsync(fd)
        finally:
            disk.close(fd)

    made = _median(create, paths, disk)
    found = {
        'create': made, 'stat': _median(disk.stat, paths, disk), 'fsync': _median(sync, paths, disk),
        'list': _median(lambda _: disk.listdir(probe), paths, disk),
    }  # fmt: skip
    part.facts['milliseconds'] = {name: round(1e3 * seconds, 3) for name, seconds in found.items()}
    shown = ', '.join(f'{name} {1e3 * seconds:.2g}' for name, seconds in found.items())
    what = f'milliseconds for a call: {shown}'
    if made > SLOW:
        part.warn(what, 'Slow, but few calls are made: state is kept per workflow, not per task. Logs cost a file a task.')
    else:
        part.ok(what)


def _median(call: Callable[[str], object], paths: list[str], disk: Disk) -> float:
    taken = []
    end = disk.monotonic() + PACE
    for path in paths:
        began = disk.monotonic()
        with suppress(FileNotFoundError):  # those that there was no time to make
            call(path)
        taken.append(disk.monotonic() - began)
        if disk.monotonic() > end:
            break
    return sorted(taken)[len(taken) // 2]


def _room(part: Part, probe: str, disk: Disk) -> None:
    """Of quotas only what the filesystem itself tells as free; one that is used up has been met by now."""
    from awflow.cli.units import size

    found = os.statvfs(probe)
    free, files = found.f_bavail * found.f_frsize, found.f_favail
    part.facts.update(free_bytes=free, free_files=files if found.f_files else None)
    counted = f', {files} more files' if found.f_files else ''
    if free < ROOM or (found.f_files and files < FILES):
        part.warn(
            f'there is room for {size(free)}{counted}',
            'A run that finds the disk full stops, and keeps what was recorded. Make room first.',
        )
    else:
        part.ok(f'there is room for {size(free)}{counted}, as far as quotas show in that')
