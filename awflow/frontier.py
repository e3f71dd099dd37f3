"""Which tasks may start now, as others end. Pure: it is told how tasks end and answers what that makes ready.

The plan says which tasks are in question; everything else has ended already, as its record says. A task that is ready is
either to be run or, if the plan calls it *maybe*, to be compared once more, now that its upstreams' outcomes are known.
"""

from __future__ import annotations

from collections import deque

from awflow.edges import answer, decide
from awflow.facts import Link
from awflow.outcome import job_end, skipped_end
from awflow.plan import ELSEWHERE, IN, OUT, SKIP, Plan, Planned

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

Row = tuple[int, int]  # number of the job in the plan, row of the task in the job


class Frontier:
    """The tasks of a plan on their way: waiting, ready, taken, ended."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.ready: deque[Row] = deque()
        self.elsewhere: set[Row] = set()  # executed by another run, awaited
        self.waiting: set[Row] = set()
        self.taken: set[Row] = set()
        self.open: set[Row] = set()  # whatever has not ended
        self.skipped: list[Row] = []
        self._below: list[list[tuple[int, Link]]] = [[] for _ in plan.jobs]
        self._open = [0] * len(plan.jobs)  # tasks of the job that have not ended
        self._bad: list[set[int]] = [set() for _ in plan.jobs]  # rows that ended without success
        self._whole: dict[int, bytes] = {}
        for number, planned in enumerate(plan.jobs):
            self._enter(number, planned)
        # Of each job: whether its tasks wait one by one for others; and for how many whole jobs all of them wait.
        self._single = [any(link.partners is not None for link in planned.facts.links) for planned in plan.jobs]
        self._pending = [
            sum(link.partners is None and self._open[link.upstream] > 0 for link in planned.facts.links)
            for planned in plan.jobs
        ]
        self._single_below = [any(link.partners is not None for _, link in below) for below in self._below]
        for number, planned in enumerate(plan.jobs):
            for ended in self._settle(number, list(planned.rows(IN))):
                self._close(*ended)

    def _enter(self, number: int, planned: Planned) -> None:
        for link in planned.facts.links:
            self._below[link.upstream].append((number, link))
        tasks = [(number, row) for row in planned.rows(IN)]
        elsewhere = [(number, row) for row in planned.rows(ELSEWHERE)]
        self.waiting.update(tasks)
        self.elsewhere.update(elsewhere)
        self.open.update(tasks, elsewhere)
        self._open[number] = len(tasks) + len(elsewhere)
        self._bad[number].update(planned.rows(SKIP))
        self._bad[number].update(
            row for row in planned.facts.never if planned.succeeded(row) is None and planned.mark[row] == OUT
        )

    @property
    def done(self) -> bool:
        """Whether nothing is left to start or to wait for."""
        return not (self.ready or self.waiting or self.taken or self.elsewhere)

    def take(self, task: Row) -> None:
        """A ready task is being run."""
        self.taken.add(task)

    def ended(self, task: Row, succeeded: bool, end: bytes) -> None:
        """A task ended, here or elsewhere, or is unchanged."""
        number, row = task
        self.taken.discard(task)
        self.elsewhere.discard(task)
        self.plan.jobs[number].facts.ends[row] = end
        self._close(number, row, succeeded)

    def release(self, task: Row) -> None:
        """A task that somebody else had is ours now."""
        self.elsewhere.discard(task)
        self.waiting.add(task)
        self._settle(task[0], [task[1]])

    def succeeded(self, link: Link, row: int) -> bool | None:
        """Whether the upstream of an edge succeeded, None while that is open."""
        return self._succeeded(link, row)

    def failed(self, number: int) -> bool:
        """Whether some task of a job has ended without success."""
        return bool(self._bad[number])

    def give_up(self) -> list[Row]:
        """Nothing new starts: all that has not started is dropped, and returned."""
        dropped = sorted([*self.ready, *self.waiting])
        self.ready.clear()
        self.waiting.clear()
        return dropped

    def outcomes(self, task: Row) -> tuple[dict[str, str], dict[str, str]]:
        """The upstream outcomes that count for a task that starts now: shared by its job, and its own (`each`)."""
        number, row = task
        facts = self.plan.jobs[number].facts
        shared: dict[str, str] = {}
        own: dict[str, str] = {}
        for link in facts.links:
            succeeded = self._succeeded(link, row)
            if facts.mode == 'any' and answer(link.status, succeeded) is not True:
                continue
            target = shared if link.partners is None else own
            target[link.component] = self._end(link, row).hex()
        return shared, own

    def _close(self, number: int, row: int, succeeded: bool) -> None:
        """Let dependents know, without recursion: a skip may skip a chain of 10,000."""
        if succeeded and (not self._below[number] or (self._open[number] > 1 and not self._single_below[number])):
            self.open.discard((number, row))
            self._open[number] -= 1
            return  # nobody waits for just this one
        queue = deque([(number, row, succeeded)])
        while queue:
            number, row, succeeded = queue.popleft()
            self.open.discard((number, row))
            self._open[number] -= 1
            if not succeeded:
                self._bad[number].add(row)
            for below, link in self._below[number]:
                if link.partners is not None:
                    queue.extend(self._settle(below, self._partners(link, row)))
                elif self._open[number] == 0:
                    self._pending[below] -= 1
                    if self._may_settle(below, link):
                        queue.extend(self._settle(below, range(len(self.plan.jobs[below].mark))))

    def _may_settle(self, number: int, link: Link) -> bool:
        """Whether the end of a whole upstream can decide what a job does. It may wait for thousands: most ends do not."""
        if self._single[number] or self._pending[number] == 0:
            return True
        return answer(link.status, self._succeeded(link, 0)) is (self.plan.jobs[number].facts.mode == 'any')

    def _partners(self, link: Link, row: int) -> list[int]:
        assert link.partners is not None
        if row < len(link.partners) and link.partners[row] == row:
            return [row]  # the usual case: the same array on both sides
        return [r for r, partner in enumerate(link.partners) if partner == row]

    def _settle(self, number: int, rows: Iterator[int] | range | list[int]) -> list[tuple[int, int, bool]]:
        """Move the waiting rows whose edges are decided; the skipped ones are returned as ended."""
        planned = self.plan.jobs[number]
        ended = []
        shared = None if self._single[number] else self._decision(planned, 0)
        for row in rows:
            task = (number, row)
            if task not in self.waiting:
                continue
            decision = self._decision(planned, row) if self._single[number] else shared
            if decision is None:
                continue
            self.waiting.discard(task)
            if decision:
                self.ready.append(task)
            else:
                self.skipped.append(task)
                planned.facts.ends[row] = skipped_end([self._end(link, row) for link in planned.facts.links])
                ended.append((number, row, False))
        return ended

    def _decision(self, planned: Planned, row: int) -> bool | None:
        answers = [answer(link.status, self._succeeded(link, row)) for link in planned.facts.links]
        return decide(planned.facts.mode, answers)

    def _succeeded(self, link: Link, row: int) -> bool | None:
        number = link.upstream
        if link.partners is not None:
            partner = link.partners[row]
            if partner in self._bad[number]:
                return False
            return None if (number, partner) in self.open else True
        return None if self._open[number] else not self._bad[number]

    def _end(self, link: Link, row: int) -> bytes:
        ends = self.plan.jobs[link.upstream].facts.ends
        if link.partners is not None:
            return ends[link.partners[row]]
        if self._open[link.upstream]:
            return job_end(ends)
        if link.upstream not in self._whole:
            self._whole[link.upstream] = job_end(ends)
        return self._whole[link.upstream]
