"""A launched process, as the local backend knows it, and how to tell the end of the attempt that it was at."""

from __future__ import annotations

import os
import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from awflow.attempt import Attempt
    from awflow.backends.budget import Share
    from awflow.backends.events import Ended, Exited
    from awflow.backends.tasklog import TaskLog


class Child:
    """A process that performs attempts in turn, and what is known of it."""

    __slots__ = (
        'attempts',
        'common',
        'deadline',
        'doom',
        'index',
        'lane',
        'log',
        'number',
        'open',
        'paced',
        'peak',
        'pid',
        'portion',
        'report',
        'share',
        'slot',
        'stop_at',
    )

    def __init__(self, slot: int, number: int, attempts: list[Attempt], share: Share, *, paced: bool, lane: bool) -> None:
        self.slot = slot
        self.number = number
        self.attempts = attempts
        self.share = share
        self.paced = paced  # each attempt waits until the one before it is on record
        self.lane = lane  # each attempt has a process of its own
        self.open = lane  # more may follow
        self.portion = len(attempts)  # how many it was given last
        self.common: Mapping[str, Any] = {}  # of its orders
        self.log: TaskLog | None = None  # once something was written
        self.index = 0
        self.pid = 0
        self.peak = 0  # bytes
        self.deadline: float | None = None
        self.doom: tuple[str, dict[str, str]] | None = None  # outcome and error of a task that is being ended
        self.stop_at: float | None = None  # when SIGKILL follows
        self.report: Mapping[str, Any] | None = None

    @property
    def alone(self) -> bool:
        """Whether no attempt shares a process with others."""
        return self.lane or len(self.attempts) == 1

    @property
    def attempt(self) -> Attempt:
        """The one under way."""
        return self.attempts[self.index]


def used(child: Child, event: Ended | Exited) -> dict[str, Any]:
    """What a process that has ended used, as records have it."""
    rss = max(child.peak, event.rss)
    return {'user': round(event.user, 3), 'system': round(event.system, 3), **({'rss': rss} if rss else {})}


def outcome_of(child: Child, status: int) -> tuple[str, Mapping[str, Any]]:
    """How the attempt ended, from its own report, from what was done to it, and from the status of its process."""
    report = child.report
    if report is not None and (report['outcome'] == 'succeeded' or child.doom is None):
        return report['outcome'], report
    if child.doom is not None:
        return child.doom[0], {**(report or {}), 'outputs': {}, 'error': child.doom[1]}
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        hint = ', perhaps for want of memory' if number == signal.SIGKILL else ''
        return 'crashed', {'error': {'type': name, 'line': f'its process was killed by {name}{hint}'}}
    code = os.WEXITSTATUS(status)
    return 'failed', {
        'exit': code,
        'error': {'type': 'Exit', 'line': f'its process ended with status {code} before the function returned'},
    }
