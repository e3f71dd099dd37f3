"""Following a submitted run to its end, from the state alone.

Every task that is in question is awaited: those that this run submitted and those of other runs that it attached to. The
state is read ever so often, and Slurm is asked only when nothing has moved for a while, at most every half minute: a
task without a word may be gone. What waits for an upstream that failed never gets a word of its own; the frontier knows.
"""

from __future__ import annotations

import os
from time import monotonic

from awflow.advice import Linter
from awflow.failure import BAD, Failure, failure_of
from awflow.plan import task_name
from awflow.planner import PACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from awflow.backends.slurm.driver import Driver
    from awflow.frontier import Row
    from awflow.state.view import State

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0  # seconds between two looks at the state
QUIET: Final = 10.0  # seconds without news after which the queue is asked


class Follower:
    """The tasks of a run on their way, as the state shows them."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.planner = driver.planner
        self.store = driver.planner.store
        self.frontier = driver.frontier
        self.display = driver.display
        self.failures: list[Failure] = []
        self.executed: list[str] = []
        self.counts: dict[str, int] = {}
        self.linter = Linter(self.planner.survey, self.planner.place) if self.planner.lint else None
        self._claims = {task: driver.claim_of(task) for task in self.frontier.open}
        self._ended: dict[int, Mapping[tuple[str, str], Mapping[str, Any]]] = {}  # claims -> what their ends tell
        self._running: set[Row] = set()
        self._said: set[tuple[str, str]] = set()  # what was said of jobs that do not start
        self._news = monotonic()
        self._asked = self._news - PACE

    def follow(self, timeout: float | None = None) -> bool:
        """Until everything has ended, or for so many seconds; whether it has."""
        began, pause = monotonic(), FIRST_PAUSE
        self.planner.calm()
        while True:
            moved = self.look()
            if not self.frontier.open:
                return True
            if timeout is not None and monotonic() - began >= timeout:
                return False
            pause = FIRST_PAUSE if moved else min(1.5 * pause, LONGEST_PAUSE)
            self.store.disk.sleep(pause)

    def expect_silence(self) -> None:
        """Tasks were cancelled: those that waited leave without a word, so Slurm is asked soon."""
        self._news = monotonic() - QUIET + 1
        self._asked = self._news - PACE

    def look(self) -> bool:
        """Take in what has happened since; whether anything has."""
        state = self.store.read()
        moved = self._take(state)
        now = monotonic()
        if moved:
            self._news = now
        elif now - self._news > QUIET and now - self._asked > PACE and self.frontier.open:
            self._asked = now
            self.store.evidence(state)
            self._say_held()
            if self.planner.queue.settle(self.driver.run, state, patient=False):
                moved = self._take(self.store.read())
        self.display.tick()
        return moved

    def _say_held(self) -> None:
        """Say once of every job that Slurm may never start it, and why: it would be waited for in silence."""
        look = self.planner.queue.looked
        handed = [finding.handed for finding in self.planner.queue.findings.values() if finding.handed is not None]
        if look is None:
            return
        jobs = {place[0]: task[0] for each in handed for task, place in each.places.items()}
        for job, reason in look.held(jobs).items():
            if (job, reason) not in self._said:
                self._said.add((job, reason))
                self.display.note(f'{jobs[job]} (Slurm job {job}) does not start: Slurm says {reason}')

    def _take(self, state: State) -> bool:
        moved = False
        for task in sorted(self.frontier.open):
            if task in self.frontier.open:  # the end of one may have been the end of others
                moved |= self._look_at(task, state)
        return moved

    def _look_at(self, task: Row, state: State) -> bool:
        subject = self.planner.subjects[task[0]]
        key = subject.keys[task[1]]
        rows = state.rows(subject.name)
        row = rows.row(key) if rows is not None else None
        if rows is not None and row is not None and rows.generation(row) >= self._claims[task]:
            if not rows.final(row) and rows.generation(row) in state.claims:
                return self._begun(task)
            record = rows.record(row)
            outcome = record.outcome if record.final else 'crashed'
            said = failure_of(record, self.store.layout.directory) if outcome in BAD else ('', '')
            self.executed.append(self._name(task))
            self._close(task, outcome == 'succeeded', bytes.fromhex(record.end) or bytes(16), outcome, said[0])
            if outcome in BAD:
                self._failed(task, outcome, said)
            elif self.linter is not None and record.lint is not None:
                self.linter.learn(subject.name, record.task, record.lint)
            return True
        return self._settled(task, state, subject.name, key)

    def _settled(self, task: Row, state: State, job: str, key: str) -> bool:
        claim = self._claims[task]
        for number in state.claims:
            fact = state.settlements(number).get((job, key)) if number >= claim else None
            if fact is not None:
                return self._settle(task, fact['settled'], fact.get('end', ''), fact.get('why', ''))
        if claim in state.claims or state.owner_of(job, key) is not None:
            return False
        if claim not in self._ended:
            self._ended[claim] = self.store.settled_by(claim, state)
        found = self._ended[claim].get((job, key), {})
        how, end = found.get('settled', 'cancelled'), found.get('end', '')
        if how == 'unchanged':
            end = self.frontier.plan.jobs[task[0]].facts.ends[task[1]].hex()  # as the plan knew it
        return self._settle(task, how, end, found.get('why', 'its run has ended without it'))

    def _settle(self, task: Row, how: str, end: str, why: str) -> bool:
        if how == 'skipped' and self._open_upstream(task):
            return False
        if how in ('skipped', 'unchanged'):
            self._close(task, how == 'unchanged', bytes.fromhex(end) or bytes(16), how)
        else:
            self._close(task, False, bytes(16), how, why)
            self._failed(task, how, (why, ''))
        return True

    def _open_upstream(self, task: Row) -> bool:
        """Whether the frontier will find out by itself, once it knows of the upstreams, that it is skipped."""
        links = self.planner.subjects[task[0]].links
        return any(self.frontier.succeeded(link, task[1]) is None for link in links)

    def _begun(self, task: Row) -> bool:
        if task in self._running:
            return False
        self._running.add(task)
        self.display.started(self._name(task))
        return True

    def _close(self, task: Row, succeeded: bool, end: bytes, outcome: str, said: str = '') -> None:
        before = len(self.frontier.skipped)
        self.frontier.waiting.discard(task)
        if task in self.frontier.ready:
            self.frontier.ready.remove(task)
        self.frontier.ended(task, succeeded, end)
        self._count(outcome)
        if outcome == 'skipped':
            self.frontier.skipped.append(task)
            self.display.settled(1)
        elif outcome == 'unchanged':
            self.display.settled(1)
        else:
            self.display.ended(self._name(task), outcome, said, False)
        late = self.frontier.skipped[before + (outcome == 'skipped') :]
        if late:
            self.display.settled(len(late))
            self._count('skipped', len(late))

    def _count(self, outcome: str, number: int = 1) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + number

    def _failed(self, task: Row, outcome: str, said: tuple[str, str]) -> None:
        subject = self.planner.subjects[task[0]]
        value = subject.value(task[1])
        log = os.path.relpath(said[1]) if said[1] else ''
        self.failures.append(Failure(subject.name, subject.keys[task[1]], value, outcome, said[0], log))

    def _name(self, task: Row) -> str:
        subject = self.planner.subjects[task[0]]
        return task_name(subject.name, subject.keys[task[1]])
