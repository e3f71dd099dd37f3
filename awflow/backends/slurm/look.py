"""One look at the queue: what it says of every job and element, and of those that it may never start."""

from __future__ import annotations

from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from awflow.backends.slurm.client import Queued

ENDED: Final = frozenset({
    'BOOT_FAIL', 'CANCELLED', 'COMPLETED', 'DEADLINE', 'FAILED', 'LAUNCH_FAILED', 'NODE_FAIL', 'OUT_OF_MEMORY', 'PREEMPTED',
    'RECONFIG_FAIL', 'REVOKED', 'TIMEOUT',
})  # fmt: skip
BLOCKED: Final = 'DependencyNeverSatisfied'
USUAL: Final = frozenset({  # why a job waits as any may: its turn comes, or what it waits for
    'None', 'Priority', 'Resources', 'Dependency', BLOCKED, 'BeginTime', 'JobArrayTaskLimit', 'Cleaning', 'Prolog',
    'Scheduling', 'NodeDown', 'JobHeldUser', 'Reservation', 'Licenses', '',
})  # fmt: skip


class Look:
    """The queue as it answered once, by id."""

    __slots__ = ('_of', 'lines', 'when')

    def __init__(self, lines: list[Queued]) -> None:
        self.when = time()
        self.lines: dict[str, Queued] = {}  # one of each job
        self._of: dict[tuple[str, int | None], Queued] = {}
        for line in lines:
            self.lines[line.job] = line
            self._of.update(((line.job, index), line) for index in line.indexes())

    def of(self, job: str, index: int | None) -> Queued | None:
        """The line that speaks of a job or element."""
        return self._of.get((job, index))

    def held(self, ids: Iterable[str]) -> dict[str, str]:
        """Of these jobs those that wait for something that may never come, and Slurm's word for it."""
        lines = {job: line for job in ids if (line := self.lines.get(job)) is not None}
        return {job: line.reason for job, line in lines.items() if line.state == 'PENDING' and line.reason not in USUAL}
