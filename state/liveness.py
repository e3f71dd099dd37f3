"""Does the owner of a claim still live? Evidence, not guesses.

A pid alone says little: it is used again, and the same number means another process on another host or in another
container. What identifies a process is the boot, the pid namespace, the pid and the clock tick since boot at which it
started; the last cannot repeat for one pid within a boot, and unlike the start time in seconds it does not move when
the clock is set. Clocks and silence prove nothing, so what cannot be seen from here is `suspect`, never dead.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ALIVE, DEAD, SUSPECT = 'alive', 'dead', 'suspect'
_NOBODYS_NAMES = ('', 'localhost', 'localhost.localdomain')  # another boot under these may be another machine
UNSEEN = -1  # ticks of a process that is there, but hides behind hidepid


class Proc:
    """What the kernel says of this host and its processes: the seam where tests stage reboots and reused pids."""

    __slots__ = ()

    def host(self) -> str:
        return os.uname().nodename

    def boot(self) -> str:
        return _text('/proc/sys/kernel/random/boot_id').strip()

    def pidns(self) -> str:
        try:
            return os.readlink('/proc/self/ns/pid')
        except OSError:
            return ''

    def user(self) -> str:
        import pwd  # may ask a directory server, so only who writes asks

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return f'uid {os.getuid()}'

    def pid(self) -> int:
        return os.getpid()

    def stat(self, pid: int) -> tuple[str, int] | None:
        """State letter and start in clock ticks since boot; None if there is no such process."""
        text = _text(f'/proc/{pid}/stat')
        if text:
            fields = text.rpartition(')')[2].split()  # the name before it may hold anything, parentheses too
            return fields[0], int(fields[19])
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return '?', UNSEEN


def _text(path: str) -> str:
    try:
        with open(path, 'rb') as file:  # a text file would load the codec first
            return str(file.read(), 'ascii', 'replace')
    except OSError:
        return ''


class Owner:
    """The process that holds a claim, and others that act for it (the parents of running tasks), as (pid, ticks)."""

    __slots__ = ('boot', 'host', 'others', 'pid', 'pidns', 'ticks')

    def __init__(self, host: str, boot: str, pidns: str, pid: int, ticks: int, others: Iterable[tuple[int, int]] = ()) -> None:
        self.host = host
        self.boot = boot
        self.pidns = pidns
        self.pid = pid
        self.ticks = ticks
        self.others = [(other, start) for other, start in others]

    def to_dict(self) -> dict[str, Any]:
        return {
            'host': self.host,
            'boot': self.boot,
            'pidns': self.pidns,
            'pid': self.pid,
            'ticks': self.ticks,
            'others': [list(other) for other in self.others],
        }

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Owner:
        return cls(
            fields['host'],
            fields['boot'],
            fields['pidns'],
            fields['pid'],
            fields['ticks'],
            [(pid, ticks) for pid, ticks in fields.get('others', ())],
        )

    def __str__(self) -> str:
        return f'process {self.pid} on {self.host}'


class Evidence:
    """What is known of an owner: 'alive', 'dead' or 'suspect', and a sentence that says from what."""

    __slots__ = ('state', 'why')

    def __init__(self, state: str, why: str) -> None:
        self.state = state
        self.why = why

    def __repr__(self) -> str:
        return f'Evidence({self.state}: {self.why})'


def myself(others: Iterable[tuple[int, int]] = (), proc: Proc | None = None) -> Owner:
    proc = proc or Proc()
    pid = proc.pid()
    found = proc.stat(pid)
    return Owner(proc.host(), proc.boot(), proc.pidns(), pid, found[1] if found else UNSEEN, others)


def probe(owner: Owner, proc: Proc | None = None) -> Evidence:
    """Whether the owner, or any process that acts for it, lives, as far as it can be seen from here."""
    proc = proc or Proc()
    boot = proc.boot()
    if owner.boot != boot or not boot:
        if owner.boot and boot and owner.host == proc.host() and owner.host not in _NOBODYS_NAMES:
            return Evidence(DEAD, f'{owner.host} was started anew since {owner} ran')
        return Evidence(SUSPECT, f'it is {owner}, which cannot be seen from {proc.host()}')
    if owner.pidns != proc.pidns():
        return Evidence(SUSPECT, f'it is {owner} in another container (pid namespace), which cannot be seen from here')
    ends = []
    for pid, ticks in [(owner.pid, owner.ticks), *owner.others]:
        end = _end(pid, ticks, proc)
        if not end:
            what = f'process {pid}' if pid == owner.pid else f'its helper, process {pid},'
            return Evidence(ALIVE, f'{what} is running on {owner.host}')
        ends.append(end)
    return Evidence(DEAD, f'on {owner.host} {ends[0]}')


def _end(pid: int, ticks: int, proc: Proc) -> str:
    """How we know that a process is gone; '' if it is not, or may not be."""
    found = proc.stat(pid)
    if found is None:
        return f'process {pid} has ended'
    state, start = found
    if UNSEEN not in (start, ticks) and start != ticks:
        return f'pid {pid} now belongs to another process, started at tick {start} instead of {ticks}'
    return f'process {pid} has ended and waits to be reaped' if state in 'ZX' else ''
