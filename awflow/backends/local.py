"""The local backend: tasks as forked children of a zygote, within the resources of this machine."""

from __future__ import annotations

import os
import signal
from collections import deque
from heapq import heappop, heappush
from time import monotonic, time

from awflow.attempt import completed
from awflow.backends.budget import Budget, Share
from awflow.backends.feeding import Feeding
from awflow.backends.interrupt import Interrupt
from awflow.backends.launched import Child, outcome_of, used
from awflow.backends.meter import exact_memory_of, memory_of
from awflow.backends.pacing import Pacing
from awflow.backends.pool import Began, Ended, Exited, Lost, Reported, Wrote
from awflow.backends.tasklog import TaskLog
from awflow.errors import BackendError
from awflow.state.layout import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.attempt import Attempt
    from awflow.backends.events import Event
    from awflow.backends.pool import Pool
    from awflow.display import Display
    from awflow.frontier import Row
    from awflow.session import Session

GRACE = 10.0  # seconds between SIGTERM and SIGKILL
LOOK = 0.3  # seconds between looks at tasks of other runs
SYNC = 1.0  # seconds for which a record may be written but not yet on the disk
RECORDS = 256  # of which that may be so
LOOSE = 0.05  # seconds by which a limit may be overstepped
SIGN, RAREST = 30.0, 600.0  # seconds between signs of life: each pause doubles, for they only inform
MIB = 1024 * 1024
LANES = 100  # at a time: each takes two descriptors more


class LocalBackend:
    """Drives a session to its end on this machine."""

    def __init__(self, session: Session, pool: Pool, budget: Budget, slots: int, display: Display, fail_fast: bool) -> None:
        self.session = session
        self.frontier = session.frontier
        self.pool = pool
        self.budget = budget
        self.display = display
        self.fail_fast = fail_fast
        self.size = slots
        self.slots = list(range(slots))
        self.pacing = Pacing()
        self.feeding = Feeding(self)
        self.children: dict[int, Child] = {}
        self.queues: dict[int, deque[Row]] = {}  # tasks that may start, by job
        self.turns: list[int] = []  # the jobs that have such, a heap
        self.unwritten = False  # whether a process could not note the start of its tasks
        self.running: dict[int, int] = {}  # processes of each job
        self.retries: dict[Row, int] = {}  # attempts so far, of tasks that had some
        self.requeued: dict[Row, int] = {}  # those of them that asked to go on later: they use up no retry
        self.interrupt = Interrupt()
        self._looked = self._synced = self._metered = self._enforced = monotonic()
        self._recorded = 0  # ends that are not on the disk yet
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
        if now - self._synced > SYNC or self._recorded >= RECORDS:
            self._synced, self._recorded = now, 0
            self.session.sync()
        else:
            self.session.write()
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
        if (self.frontier.ready or self.queues) and self.slots:
            return 0.05
        return 0.1 if any(self._limited(child) for child in self.children.values()) else 0.2

    # -- starting ------------------------------------------------------------------------------------------------------

    def _launch(self) -> None:
        self._start_ready()
        while self.frontier.ready:  # unchanged tasks made others ready: a loop, for a chain of them may be long
            self._start_ready()
        self.feeding.top_up()
        while self.slots and self.feeding.unburden():
            self._start_ready()

    def _start_ready(self) -> None:
        while self.frontier.ready:
            self._queue(self.frontier.ready.popleft())
        blocked = []
        while self.turns and self.slots:
            number = heappop(self.turns)
            queue = self.queues.get(number)
            while queue and self.slots and self._allowed(number):
                share = self.budget.take(self.session.survey.subjects[number].job.options)
                if share is None:
                    break
                if not self._start(number, queue, share):
                    self.budget.give_back(share)
            if queue:
                blocked.append(number)
            else:
                self.queues.pop(number, None)
        for number in blocked:
            heappush(self.turns, number)

    def _queue(self, task: Row, first: bool = False) -> None:
        """A task may start."""
        queue = self.queues.get(task[0])
        if queue is None:
            queue = self.queues[task[0]] = deque()
            heappush(self.turns, task[0])
        (queue.appendleft if first else queue.append)(task)

    def _allowed(self, number: int) -> bool:
        throttle = self.session.survey.subjects[number].job.options.throttle
        return throttle is None or self.running.get(number, 0) < throttle

    def _start(self, number: int, queue: deque[Row], share: Share) -> bool:
        """Start a process for the first tasks of a queue; False if all of them proved unchanged."""
        options = self.session.survey.subjects[number].job.options
        lane = self.lane(number, queue)
        attempts = self.prepared(queue, max(lane, options.batch))
        if not attempts:
            return False
        slot = self.slots.pop()
        paced = options.timelimit is not None or self._watches() or len(attempts) == 1
        child = self.children[slot] = Child(slot, number, attempts, share, paced=paced, lane=lane > 1 and len(attempts) > 1)
        self.running[number] = self.running.get(number, 0) + 1
        gpus = ','.join(share.gpus) if options.gpus and share.gpus else None
        child.common = self.session.common(attempts[0], gpus)
        orders = self.orders(child, attempts)
        self.display.started(attempts[0].name)
        self.pool.launch(
            slot, orders, share.cpus, common=child.common, paced=child.paced, lane=child.lane, careful=self.fail_fast
        )
        return True

    def _watches(self) -> bool:
        """Whether this process notes each start, because it wants to know what the task has found or can do it alone."""
        return self.session.linter is not None or self.unwritten

    def lane(self, number: int, queue: deque[Row]) -> int:
        """How many of the tasks a lane gets, see Pacing."""
        options = self.session.survey.subjects[number].job.options
        if self._watches() or sum(child.lane for child in self.children.values()) >= LANES:
            return 1
        return self.pacing.lane(number, options, len(queue), self.size)

    def prepared(self, queue: deque[Row], most: int) -> list[Attempt]:
        """What is to be run of the first tasks of a queue, none if all of them proved unchanged."""
        attempts: list[Attempt] = []
        while queue and len(attempts) < most:
            task = queue.popleft()
            attempt = self.session.prepare(task, self.retries.get(task, 0))
            if attempt is not None:
                attempts.append(attempt)
        if attempts and not self.session.holds():
            raise BackendError(
                'this run has lost its claim: another run took its tasks, or the state was replaced',
                'Run again when the other has ended.', run=self.session.run,
            )  # fmt: skip
        return attempts

    def put_back(self, attempts: list[Attempt]) -> None:
        """They have not begun, and may start elsewhere."""
        self.session.not_started(attempts)
        for attempt in reversed(attempts):
            self.frontier.taken.discard(attempt.task)
            self._queue(attempt.task, first=True)

    def orders(self, child: Child, attempts: list[Attempt]) -> list[dict[str, Any]]:
        """The orders of a process. Starts that it does not note itself are noted before it starts."""
        session = self.session
        orders = [session.order(attempt, child.common, child.alone) for attempt in attempts]
        if child.paced:
            session.started(attempts[0])
        else:
            for attempt, order in zip(attempts, orders, strict=True):
                session.starts_itself(attempt, order)
        session.write()
        return orders

    def _log(self, child: Child) -> TaskLog:
        attempt = child.attempt
        path = os.path.join(self.session.store.layout.directory, self._log_path(attempt))
        return TaskLog(path, lambda line: self.display.output(attempt.name, line))

    def _log_path(self, attempt: Attempt) -> str:
        layout, subject = self.session.store.layout, self.session.subject(attempt.task)
        key = safe(subject.keys[attempt.row]) if subject.job.array is not None else 'log'
        name = f'{key}-{self.session.generation(attempt.task)}-{attempt.retry}.log'
        return os.path.relpath(os.path.join(layout.log_dir(subject.name), name), layout.directory)

    # -- events --------------------------------------------------------------------------------------------------------

    def _handle(self, event: Event) -> None:
        if isinstance(event, Lost):
            raise BackendError('the process that starts tasks has died', 'Run again.', pid=event.pid, cause=event.why)
        child = self.children[event.slot]
        if isinstance(event, Wrote):
            child.log = child.log or self._log(child)
            child.log.write(event.data)
        elif isinstance(event, Began):
            child.pid = event.pid
            limit = self.session.survey.subjects[child.number].job.options.timelimit
            child.deadline = None if limit is None else monotonic() + limit
        elif isinstance(event, Reported):
            child.report = event.report
            if not child.lane and child.index < len(child.attempts) - 1 and (child.doom is None or not child.paced):
                self._conclude(child, {'rss': child.peak} if child.peak else {}, status=0)
                self._next(child)
        elif isinstance(event, Ended):
            child.attempt.started = event.started
            self.pacing.learn(child.number, event.ended - event.started)
            self._conclude(child, {**used(child, event), 'pid': event.pid, 'ended': round(event.ended, 3)}, event.status)
            self._next(child)
        else:
            self._exited(child, event)

    def _next(self, child: Child) -> None:
        child.index += 1
        child.report = None
        if child.lane:
            child.peak = child.pid = 0
        if child.index == len(child.attempts):  # of a lane, for now
            return
        self.display.started(child.attempt.name)
        if child.paced:
            self.session.started(child.attempt)
            self.session.write()
            self.pool.go(child.slot)

    def _exited(self, child: Child, event: Exited) -> None:
        del self.children[child.slot]
        self.slots.append(child.slot)
        self.running[child.number] -= 1
        self.budget.give_back(child.share)
        left = child.index
        if len(child.attempts) == 1 and not child.lane:
            self.pacing.learn(child.number, time() - child.attempt.started)
        if child.lane:
            over = event.begun > left  # it died with its task
        else:
            over = child.paced or child.report is not None or event.begun > left or (left == 0 and event.status != 0)
        if over:
            self._conclude(child, {} if child.lane else used(child, event), event.status)
            left += 1
        elif child.attempts and not (event.begun if child.lane else event.status):
            self.unwritten = True  # from now on this process writes, which knows what to do or says what is wrong
        self.session.not_started(child.attempts[left:])
        for attempt in child.attempts[left:]:
            self.frontier.taken.discard(attempt.task)
            if self.interrupt.count:
                self.frontier.waiting.discard(attempt.task)
            else:
                self._queue(attempt.task)

    def _conclude(self, child: Child, usage: dict[str, Any], status: int) -> None:
        """Record the attempt under way, which has ended, and try again if it may."""
        attempt = child.attempt
        if child.alone and child.report is not None:
            subject = self.session.subject(attempt.task)
            child.report, said = completed(attempt, subject, self.session.survey, child.report)
            for line in said:
                child.log = child.log or self._log(child)
                child.log.write(f'awflow: {line}\n'.encode())
        if child.log is not None:
            child.log.close()
            usage['log'] = self._log_path(attempt)
            child.log = None
        outcome, report = outcome_of(child, status)
        usage.setdefault('pid', child.pid)
        if os.WIFSIGNALED(status):
            usage['signal'] = os.WTERMSIG(status)
        again = outcome != 'succeeded' and self._again(child, attempt, outcome)
        if outcome == 'requeue':
            self.requeued[attempt.task] = self.requeued.get(attempt.task, 0) + 1
            outcome = 'cancelled'
        self.session.ended(attempt, outcome, report, usage, last=not again)
        self._recorded += 1
        self._concluded += not again
        self.display.ended(attempt.name, outcome, (report.get('error') or {}).get('line', ''), again)
        if again:
            self.retries[attempt.task] = attempt.retry + 1
            self._queue(attempt.task, first=True)

    def _again(self, child: Child, attempt: Attempt, outcome: str) -> bool:
        """Whether another attempt follows one that ended like this."""
        if self.interrupt.count or (self.fail_fast and self.session.failures):
            return False
        tried = attempt.retry - self.requeued.get(attempt.task, 0)
        retries = self.session.survey.subjects[child.number].job.options.retries
        return outcome == 'requeue' or (outcome in ('failed', 'crashed') and child.doom is None and tried < retries)

    # -- limits --------------------------------------------------------------------------------------------------------

    def _limited(self, child: Child) -> bool:
        options = self.session.survey.subjects[child.number].job.options
        return options.memory is not None or options.timelimit is not None

    def _enforce(self, now: float) -> None:
        """End what exceeds its time or memory; kill what does not end."""
        if now - self._enforced < LOOSE:
            return
        self._enforced = now
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
            if child.index == len(child.attempts):
                continue  # a lane that performs nothing
            if child.doom is None:
                self._end(child, 'cancelled', 'Cancelled', f'stopped by {self.interrupt.name}', monotonic())
            if hard:
                child.stop_at = None
                self.pool.signal(child.slot, signal.SIGKILL)

    def _drop(self) -> None:
        self.feeding.close_all()
        self.frontier.give_up()
        for queue in self.queues.values():
            self.frontier.taken.difference_update(queue)  # a retry that will not be
        self.queues.clear()
        self.turns.clear()
        self.frontier.elsewhere.clear()
