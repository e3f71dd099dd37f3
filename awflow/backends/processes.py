"""The kernel's view of processes: who descends from whom, and the settings by which none of them gets away."""

from __future__ import annotations

import os
import time

from awflow.backends import libc

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Container, Iterator
    from typing import Final
else:
    import _signal as signal  # without the enums around it

SET_PDEATHSIG: Final = 1  # prctl(2)
SET_CHILD_SUBREAPER: Final = 36
PATIENCE: Final = 2.0  # seconds for killed processes to vanish; one in an uninterruptible read of a dead server may not


class Process:
    """A line of /proc: `session` and `rss` (bytes) as the kernel counts them."""

    __slots__ = ('parent', 'pid', 'rss', 'session')

    def __init__(self, pid: int, parent: int, session: int, rss: int) -> None:
        self.pid, self.parent, self.session, self.rss = pid, parent, session, rss


def processes() -> Iterator[Process]:
    """All processes that can be seen, in one pass; not a snapshot."""
    page = os.sysconf('SC_PAGESIZE')
    for name in os.listdir('/proc'):
        if name.isdigit() and (fields := _stat(int(name))):
            yield Process(int(name), int(fields[1]), int(fields[3]), int(fields[21]) * page)


def start_ticks(pid: int) -> int:
    """Clock ticks since boot at which a process started, 0 if there is none: with its pid, what identifies it."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def parent_of(pid: int) -> int:
    """The parent of a process, 0 if there is none."""
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def has_ended(child: int) -> bool:
    """Whether a child of this process has; it is left to be reaped."""
    try:
        return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return True


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/pid/stat after the command name, which may hold anything."""
    try:
        descriptor = os.open(f'/proc/{pid}/stat', os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return os.read(descriptor, 4096).rpartition(b')')[2].split()
    except OSError:  # it ended meanwhile
        return []
    finally:
        os.close(descriptor)


def descendants(root: int) -> list[int]:
    """Whoever descends from a process, the nearest first."""
    children: dict[int, list[int]] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process.pid)
    found = list(children.get(root, ()))
    for pid in found:  # grows while it is walked
        found += children.get(pid, ())
    return found


def children_of_mine() -> list[int]:
    """The children of this process; asks the kernel for them alone where it has the answer ready."""
    me = os.getpid()
    try:
        found = []
        for thread in os.listdir('/proc/self/task'):
            with open(f'/proc/self/task/{thread}/children', 'rb') as file:
                found += [int(pid) for pid in file.read().split()]
        return found
    except OSError:  # kernels without CONFIG_PROC_CHILDREN
        return [process.pid for process in processes() if process.parent == me]


def childless() -> bool:
    """Whether no child of this process is left, dead or alive: the one answer about children without a race."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return True
    return False


def kill_children(spared: Container[int] = ()) -> bool:
    """Kills and reaps the children that are not spared, and those that it inherits as their parents die; whether all went."""
    limit, pause = time.monotonic() + PATIENCE, 0.0002
    while time.monotonic() < limit:
        doomed = [pid for pid in children_of_mine() if pid not in spared]
        if not doomed:
            return True
        for pid in doomed:
            send(pid, signal.SIGKILL)
        time.sleep(pause)
        pause = min(2 * pause, 0.05)
        for pid in doomed:
            _collect(pid)
    return False


def _collect(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass


def send(pid: int, number: int) -> None:
    try:
        os.kill(pid, number)
    except (ProcessLookupError, PermissionError):
        pass


def send_group(leader: int, number: int) -> None:
    """Signals a task's process group, or the task alone while it has not made one yet."""
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        send(leader, number)


def die_with_parent(parent: int) -> None:
    """The kernel kills this process when its parent ends, however that happens."""
    _prctl(SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was asked
        os._exit(1)


def adopt_orphans() -> None:
    """From now on descendants whose parents die become children of this process, not of init."""
    _prctl(SET_CHILD_SUBREAPER, 1)


def signal_descriptor(number: int) -> int:
    """A descriptor that is readable while the signal, which must be blocked, is pending."""
    mask = (1 << number - 1).to_bytes(128, 'little')
    found = libc.signalfd(-1, mask, os.O_NONBLOCK | os.O_CLOEXEC)
    if found < 0:
        raise OSError(libc.errno(), 'signalfd')
    return found


def flush_c_streams() -> None:
    """What C libraries have printed and still hold in their buffers."""
    libc.fflush(None)


def _prctl(option: int, value: int) -> None:
    if libc.quick_prctl(option, value, 0, 0, 0) and libc.prctl(option, value, 0, 0, 0):
        raise OSError(libc.errno(), f'prctl {option}')
