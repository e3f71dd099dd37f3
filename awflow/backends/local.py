"""The local backend: tasks as forked children of a zygote, within the resources of this machine."""

from __future__ import annotations

import os
import signal
from collections import deque
from time import monotonic

from awflow.backends.budget import Budget, Share
from awflow.backends.interrupt import Interrupt
from awflow.backends.meter import exact_memory_of, memory_of
from awflow.backends.pool import Began, Exited, Lost, Reported, Wrote
from awflow.backends.tasklog import TaskLog
from awflow.errors import BackendError
from awflow.state.layout import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from awflow.backends.pool import Pool
    from awflow.display import Display
    from awflow.frontier import Row
    from awflow.session import Attempt, Session

GRACE = 10.0  # seconds between SIGTERM and SIGKILL
LOOK = 0.3  # seconds between looks at tasks of other runs
SYNC = 1.0  # seconds for which a record may be written but not yet on the disk
SIGN, RAREST = 30.0, 600.0  # seconds between signs of life: each pause doubles, for they only inform
MIB = 1024 * 1024


class Child:
    """A process that performs attempts in turn, and what is known of it."""

    __slots__ = (
        'attempts',
        'deadline',
        'doom',
        'index',
        'log',
        'number',
        'peak',
        'pid',
        'report',
        'share',
        'slot',
        'stop_at',
    )

    def __init__(self, slot: int, number: int, attempts: list[Attempt], share: Share, log: TaskLog) -> None:
        self.slot = slot
        self.number = number
        self.attempts = attempts
        self.share = share
        self.log = log
        self.index = 0
        self.pid = 0
        self.peak = 0  # bytes
        self.deadline: float | None = None
        self.doom: tuple[str, dict[str, str]] | None = None  # outcome and error of a task that is being ended
        self.stop_at: float | None = None  # when SIGKILL follows
        self.report: Mapping[str, Any] | None = None

    @property
    def attempt(self) -> Attempt:
        """The one under way."""
        return self.attempts[self.index]


class LocalBackend:
    """Drives a session to its end on this machine."""

    def __init__(self, session: Session, pool: Pool, budget: Budget, slots: int, display: Display, fail_fast: bool) -> None:
        self.session = session
        self.frontier = session.frontier
        self.pool = pool
        self.budget = budget
        self.display = display
        self.fail_fast = fail_fast
        self.slots = list(range(slots))
        self.children: dict[int, Child] = {}
        self.queues: dict[int, deque[Row]] = {}
        self.running: dict[int, int] = {}  # processes of each job
        self.retries: dict[Row, int] = {}  # attempts so far, of tasks that had some
        self.requeued: dict[Row, int] = {}  # those of them that asked to go on later: they use up no retry
        self.interrupt = Interrupt()
        self._looked = self._synced = self._metered = monotonic()
        self._pause, self._sign_at = SIGN, monotonic() + SIGN
        self._total, self._concluded, self._settled = len(self.frontier.open), 0, 0

    def run(self) -> None:
        """Until nothing is left to start or to wait for. Raises KeyboardInterrupt or SystemExit when told to stop."""
        with self.interrupt:
            try:
                while self.queues or not self.frontier.done:  # a queued task is neither ready nor taken
                    self._step()
                    if self.interrupt.count and not self.children:
                        break
            finally:
                self._show()
                self.session.sync()
        self.interrupt.reraise()

    def _step(self) -> None:
        now = monotonic()
        if self.interrupt.count:
            self._stop(hard=self.interrupt.count > 1)
        elif self.fail_fast and self.session.failures:
            self._drop()
        else:
            self._launch()
        if self.frontier.elsewhere and now - self._looked > LOOK:
            self._looked = now
            self.session.look_elsewhere()
        self._enforce(now)
        if now - self._synced > SYNC:
            self._synced = now
            self.session.sync()
        if now > self._sign_at:
            self._pause = min(2 * self._pause, RAREST)
            self._sign_at = now + self._pause
            self.session.sign()
        if not self.children and not self.frontier.elsewhere:
            return
        for event in self.pool.wait(self._patience()):
            self._handle(event)
        self._show()

    def _show(self) -> None:
        """Tell the display of tasks that ended without an attempt of this run."""
        settled = self._total - len(self.frontier.open) - self._concluded
        if settled > self._settled:
            self.display.settled(settled - self._settled)
            self._settled = settled
        self.display.tick()

    def _patience(self) -> float:
        if self.frontier.ready or any(self.queues.values()):
            return 0.05 if self.slots else 0.2
        return 0.1 if any(self._limited(child) for child in self.children.values()) else 0.2

    # -- starting ------------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        self._start_ready()
        while self.frontier.ready:  # unchanged tasks made others ready: a loop, for a chain of them may be long
            self._start_ready()

    def _start_ready(self) -> None:
        while self.frontier.ready:
            task = self.frontier.ready.popleft()
            self.queues.setdefault(task[0], deque()).append(task)
        for number in sorted(self.queues):
            queue = self.queues[number]
            while queue and self.slots and self._allowed(number):
                share = self.budget.take(self.session.survey.subjects[number].job.options)
                if share is None:
                    break
                if not self._start(number, queue, share):
                    self.budget.give_back(share)
            if not queue:
                del self.queues[number]

    def _allowed(self, number: int) -> bool:
        throttle = self.session.survey.subjects[number].job.options.throttle
        return throttle is None or self.running.get(number, 0) < throttle

    def _start(self, number: int, queue: deque[Row], share: Share) -> bool:
        """Start a process for the first tasks of a queue; False if all of them proved unchanged."""
        options = self.session.survey.subjects[number].job.options
        attempts: list[Attempt] = []
        while queue and len(attempts) < options.batch:
            task = queue.popleft()
            attempt = self.session.prepare(task, self.retries.get(task, 0))
            if attempt is not None:
                attempts.append(attempt)
        if not attempts:
            return False
        if not self.session.holds():
            raise BackendError(
                'this run has lost its claim: another run took its tasks, or the state was replaced',
                'Run again when the other has ended.', run=self.session.run,
            )  # fmt: skip
        slot = self.slots.pop()
        cuda = ','.join(share.gpus) if options.gpus and share.gpus else None
        orders = [self.session.order(attempt, {}, cuda) for attempt in attempts]
        child = Child(slot, number, attempts, share, self._log(attempts[0]))
        self.children[slot] = child
        self.running[number] = self.running.get(number, 0) + 1
        self.session.started(attempts[0])
        self.display.started(self.session.name(attempts[0].task))
        self.pool.launch(slot, orders, share.cpus)
        return True

    def _log(self, attempt: Attempt) -> TaskLog:
        name = self.session.name(attempt.task)
        return TaskLog(
            os.path.join(self.session.store.layout.directory, self._log_path(attempt)),
            lambda line: self.display.output(name, line),
        )

    def _log_path(self, attempt: Attempt) -> str:
        layout, subject = self.session.store.layout, self.session.subject(attempt.task)
        key = safe(subject.keys[attempt.row]) if subject.job.array is not None else 'log'
        name = f'{key}-{self.session.generation(attempt.task)}-{attempt.retry}.log'
        return os.path.relpath(os.path.join(layout.log_dir(subject.name), name), layout.directory)

    # -- events --------------------------------------------------------------------------------------------------------

    def _handle(self, event: Began | Wrote | Reported | Exited | Lost) -> None:
        if isinstance(event, Lost):
            raise BackendError('the process that starts tasks has died', 'Run again.', pid=event.pid, cause=event.why)
        child = self.children[event.slot]
        if isinstance(event, Wrote):
            child.log.write(event.data)
        elif isinstance(event, Began):
            child.pid = event.pid
            limit = self.session.survey.subjects[child.number].job.options.timelimit
            child.deadline = None if limit is None else monotonic() + limit
        elif isinstance(event, Reported):
            child.report = event.report
            if child.index < len(child.attempts) - 1 and child.doom is None:
                self._conclude(child, {'rss': child.peak}, status=0)
                self._next(child)
        else:
            self._exited(child, event)

    def _next(self, child: Child) -> None:
        child.index += 1
        child.report = None
        child.log = self._log(child.attempt)
        self.session.started(child.attempt)
        self.pool.go(child.slot)

    def _exited(self, child: Child, event: Exited) -> None:
        del self.children[child.slot]
        self.slots.append(child.slot)
        self.running[child.number] -= 1
        self.budget.give_back(child.share)
        usage = {'user': event.user, 'system': event.system, 'rss': max(child.peak, event.rss)}
        self._conclude(child, usage, event.status)
        for attempt in child.attempts[child.index + 1 :]:
            self.frontier.taken.discard(attempt.task)
            if self.interrupt.count:
                self.frontier.waiting.discard(attempt.task)
            else:
                self.queues.setdefault(child.number, deque()).append(attempt.task)

    def _conclude(self, child: Child, usage: dict[str, Any], status: int) -> None:
        """Record the attempt under way, which has ended, and try again if it may."""
        attempt = child.attempt
        child.log.close()
        outcome, report = outcome_of(child, status)
        if child.log.written:
            usage['log'] = self._log_path(attempt)
        usage |= {'host': os.uname().nodename, 'pid': child.pid}
        if os.WIFSIGNALED(status):
            usage['signal'] = os.WTERMSIG(status)
        options = self.session.survey.subjects[child.number].job.options
        if outcome == 'requeue':
            self.requeued[attempt.task] = self.requeued.get(attempt.task, 0) + 1
            outcome, again = 'cancelled', True
        else:
            tried = attempt.retry - self.requeued.get(attempt.task, 0)
            again = outcome in ('failed', 'crashed') and child.doom is None and tried < options.retries
        again = again and not self.interrupt.count and not (self.fail_fast and self.session.failures)
        self.session.ended(attempt, outcome, report, usage, last=not again)
        name = self.session.name(attempt.task)
        self._concluded += not again
        self.display.ended(name, outcome, (report.get('error') or {}).get('line', ''), again)
        if again:
            self.retries[attempt.task] = attempt.retry + 1
            self.queues.setdefault(child.number, deque()).appendleft(attempt.task)

    # -- limits --------------------------------------------------------------------------------------------------------

    def _limited(self, child: Child) -> bool:
        options = self.session.survey.subjects[child.number].job.options
        return options.memory is not None or options.timelimit is not None

    def _enforce(self, now: float) -> None:
        """End what exceeds its time or memory; kill what does not end."""
        for child in self.children.values():
            if child.deadline is not None and now > child.deadline and child.doom is None:
                limit = self.session.survey.subjects[child.number].job.options.timelimit
                self._end(child, 'timeout', 'TimeLimit', f'it ran longer than its time limit of {limit:g} s', now)
            if child.stop_at is not None and now > child.stop_at:
                child.stop_at = None
                self.pool.signal(child.slot, signal.SIGKILL)
        limited = any(self._limited(child) for child in self.children.values())
        if now - self._metered < (0.1 if limited else 1.0):
            return
        self._metered = now
        used = memory_of([child.pid for child in self.children.values() if child.pid])
        for child in self.children.values():
            child.peak = max(child.peak, used.get(child.pid, 0))
            memory = self.session.survey.subjects[child.number].job.options.memory
            if memory is None or child.peak <= memory * MIB or child.doom is not None:
                continue
            child.peak = exact_memory_of(child.pid)  # forked workers share pages, which the quick look counts for each
            if child.peak > memory * MIB:
                line = f'it used {child.peak / MIB:.0f} MiB of memory and had asked for {memory} MiB'
                self._end(child, 'failed', 'MemoryLimit', line, now, signal.SIGKILL)

    def _end(self, child: Child, outcome: str, kind: str, line: str, now: float, how: int = signal.SIGTERM) -> None:
        child.doom = (outcome, {'type': kind, 'line': line})
        child.stop_at = now + GRACE
        self.pool.signal(child.slot, how)

    def _stop(self, hard: bool) -> None:
        """Ctrl-C or SIGTERM: nothing new, and what runs is asked to end; the second time it is killed."""
        self._drop()
        for child in self.children.values():
            if child.doom is None:
                self._end(child, 'cancelled', 'Cancelled', f'stopped by {self.interrupt.name}', monotonic())
            if hard:
                child.stop_at = None
                self.pool.signal(child.slot, signal.SIGKILL)

    def _drop(self) -> None:
        self.frontier.give_up()
        for queue in self.queues.values():
            self.frontier.taken.difference_update(queue)  # a retry that will not be
        self.queues.clear()
        self.frontier.elsewhere.clear()


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
