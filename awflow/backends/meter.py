"""What this machine has, and what tasks use of it."""

from __future__ import annotations

import os

from awflow.backends.processes import processes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

ENOUGH: Final = 1 << 60  # bytes; what cgroups of version 1 report as a limit when there is none


def memory_of(sessions: Iterable[int]) -> dict[int, int]:
    """Resident bytes of the processes of each session and of their descendants, whatever sessions those made.

    Pages that processes share count for each of them, as with Slurm.
    """
    used = dict.fromkeys(sessions, 0)
    if not used:
        return used
    table = {process.pid: process for process in processes()}
    home = {pid: process.session for pid, process in table.items() if process.session in used}
    for pid, process in table.items():
        climbed = []
        while process is not None and process.pid not in home:
            climbed.append(process.pid)
            home[process.pid] = 0
            process = table.get(process.parent)  # type: ignore[assignment]
        session = home[process.pid] if process is not None else 0
        home.update(dict.fromkeys(climbed, session))
        if session:
            used[session] += table[pid].rss
    return used


def exact_memory_of(session: int) -> int:
    """As `memory_of` for one session, but a page that n processes share counts 1/n for each; slower."""
    return sum(_share(line) for pid in _members(session) for line in _text(f'/proc/{pid}/smaps_rollup').splitlines())


def _share(line: str) -> int:
    return int(line.split()[1]) * 1024 if line.startswith('Pss:') else 0


def _members(session: int) -> list[int]:
    children: dict[int, list[int]] = {}
    found = []
    for process in processes():
        children.setdefault(process.parent, []).append(process.pid)
        if process.session == session:
            found.append(process.pid)
    members = dict.fromkeys(found)
    for pid in found:
        fresh = [child for child in children.get(pid, ()) if child not in members]
        members.update(dict.fromkeys(fresh))
        found += fresh
    return found


def machine(root: str = '/') -> tuple[int, int, list[str]]:
    """Cpus and bytes of memory that this process may use, and its gpus as CUDA_VISIBLE_DEVICES names them."""
    cpus: float = len(os.sched_getaffinity(0))
    memory = _total(root)
    for directory in _cgroups(root, 'cpu'):
        cpus = min(cpus, _quota(directory))
    for directory in _cgroups(root, 'memory'):
        memory = min(memory, _limit(directory))
    return max(1, int(cpus)), memory, _gpus(root)


def _total(root: str) -> int:
    for line in _text(os.path.join(root, 'proc/meminfo')).splitlines():
        if line.startswith('MemTotal:'):
            return int(line.split()[1]) * 1024
    return ENOUGH


def _cgroups(root: str, controller: str) -> Iterator[str]:
    """The directories of this process's control groups, each of which may limit it. Both versions may be mounted."""
    top = os.path.join(root, 'sys/fs/cgroup')
    for line in _text(os.path.join(root, 'proc/self/cgroup')).splitlines():
        _, controllers, path = line.split(':', 2)
        if not controllers:
            mounts = [top, os.path.join(top, 'unified')]
        elif controller in controllers.split(','):
            mounts = [os.path.join(top, controllers), os.path.join(top, controller)]
        else:
            continue
        parts = path.strip('/').split('/') if path.strip('/') else []
        for mount in mounts:
            yield from (os.path.join(mount, *parts[:depth]) for depth in range(len(parts), -1, -1))


def _quota(directory: str) -> float:
    quota, _, period = _text(os.path.join(directory, 'cpu.max')).partition(' ')
    if not quota:
        quota = _text(os.path.join(directory, 'cpu.cfs_quota_us'))
        period = _text(os.path.join(directory, 'cpu.cfs_period_us'))
    try:
        return int(quota) / int(period) if int(quota) > 0 else ENOUGH
    except (ValueError, ZeroDivisionError):  # 'max', or no such file
        return ENOUGH


def _limit(directory: str) -> int:
    text = _text(os.path.join(directory, 'memory.max')) or _text(os.path.join(directory, 'memory.limit_in_bytes'))
    return int(text) if text.isdigit() else ENOUGH


def _gpus(root: str) -> list[str]:
    visible = os.environ.get('CUDA_VISIBLE_DEVICES')
    if visible is not None:
        named = [name.strip() for name in visible.split(',')]
        return named[: named.index('-1')] if '-1' in named else [name for name in named if name]
    try:
        return [str(n) for n in range(len(os.listdir(os.path.join(root, 'proc/driver/nvidia/gpus'))))]
    except OSError:
        return []


def _text(path: str) -> str:
    try:
        with open(path, encoding='ascii', errors='replace') as file:
            return file.read().strip()
    except OSError:
        return ''
