"""What Slurm starts on a node: the tasks of one job or array element, from the first look at the state to the last record.

    read the state -> edges -> unchanged? -> record `started` -> is the claim still ours? -> function -> final record

The order is the protocol's (state/ledger.py): only when `started` is on the disk is it looked whether a later claim took
the task over, so that of two who believe to own it at least one sees the other. What proves to be skipped or unchanged
leaves its record alone and notes that it is settled. Nothing here needs the script, the planner or another process.

Everything is imported as late as it can be: an array of 10,000 starts this 10,000 times.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from awflow.backends.slurm.chronicle import Chronicle
from awflow.backends.slurm.element import Element
from awflow.backends.slurm.signs import Signs, output_of, slurm_facts
from awflow.namesake import uncover

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, Final, NoReturn

    from awflow.backends.slurm.attempt import Watched
    from awflow.backends.slurm.element import Row
    from awflow.backends.tasklog import TaskLog
    from awflow.state.view import State
else:
    import _signal as signal  # without the enums around it

HOLDS: Final = 60.0  # seconds between looks whether the claim still stands
SKIPPED: Final = 75  # exit status of what did not run: no success for what Slurm lets wait for it


class Worker:
    """The process that Slurm started."""

    def __init__(self, root: str, workflow: str, number: int, nonce: str, job: str, piece: int) -> None:
        self.near = os.memfd_create('near')  # written to when the end is near; shared with the child
        self.element = Element(root, workflow, number, nonce, job, piece, lambda: os.fstat(self.near).st_size > 0)
        self.output = output_of(2)
        self.told = False  # to end
        self.watched: Watched | None = None
        self.chronicle: Chronicle
        self.signs = Signs()

    def run(self) -> int:
        """Perform what is to be performed; the exit status."""
        self._settle_in()
        state = self._state()
        mine = {(self.element.job, row.key) for row in self.element.rows}
        grant = self.element.store().attach(self.element.number, state, mine) if self._claimed(state) else None
        if grant is None and all(self._done(state, row) for row in self.element.rows):
            return 0  # requeued after all had been seen to end
        if grant is None:
            print('awflow: this claim has been ended or replaced: nothing is run', file=sys.stderr)
            return 1
        if self._a_twin(state):
            print('awflow: Slurm took this job twice, and the other one counts: nothing is run', file=sys.stderr)
            return 1
        self.chronicle = Chronicle(self.element, grant, slurm_facts(os.environ))
        ready, status = [], 0
        for row in self.element.rows:
            verdict = 0 if self._done(state, row) else self._decide(state, row)
            ready += [row] if verdict is None else []
            status = max(status, verdict or 0)
        if ready:
            self._perform(list(ready))
            status = max(status, *(0 if row.succeeded else 1 for row in ready))
        grant.close()
        return status

    def _state(self) -> State:
        """The state, once the claim is visible here: it was published before this job was handed in."""
        from awflow.backends.visibility import awaited, freshen

        found = [self.element.store().read()]

        def arrived() -> bool:
            if found[0].last < self.element.number:
                freshen(self.element.layout.ledger)
                found[0] = self.element.store().read()
            return found[0].last >= self.element.number

        awaited(arrived)
        return found[0]

    def _settle_in(self) -> None:
        payload = self.element.payload
        os.chdir(payload.cwd)
        sys.path[:] = payload.sys_path
        uncover(payload.script)
        sys.argv[:] = [payload.script]
        os.environ['AWFLOW_SCRIPT'] = payload.script
        self.wakeup, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGUSR1, lambda number, frame: self._warned())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self._told_to_end())

    def _claimed(self, state: State) -> bool:
        claim = state.claims.get(self.element.number)
        return claim is not None and claim.nonce == self.element.nonce

    def _a_twin(self, state: State) -> bool:
        """Whether this job was noted under another id: a controller that did not answer in time may take it all the same,
        later than the submitter has looked for it and handed it in again.
        """
        mine = os.environ.get('SLURM_ARRAY_JOB_ID') or os.environ.get('SLURM_JOB_ID')
        place = self.element.job, self.element.piece
        noted = [fact['submitted'] for fact in state.facts(self.element.number)
                 if 'submitted' in fact and (fact['job'], fact['piece']) == place]  # fmt: skip
        return bool(noted) and mine not in noted

    # -- before --------------------------------------------------------------------------------------------------------

    def _done(self, state: State, row: Row) -> bool:
        """Whether an earlier start of this job has brought the task to its end: requeued, and nothing left to do."""
        rows = state.rows(self.element.job)
        known = rows.row(row.key) if rows is not None else None
        if rows is None or known is None or rows.generation(known) != self.element.number or not rows.final(known):
            return False
        return rows.outcome(known) == 'succeeded'

    def _decide(self, state: State, row: Row) -> int | None:
        """None if it is to run, otherwise the exit status of what is settled instead."""
        from awflow.backends.slurm.decision import Decision, Refused

        decision = Decision(self.element, state, row)
        try:
            decision.make()
        except Refused as refused:
            self.chronicle.begin(row)
            self.chronicle.end(row, True, 'failed', {'error': {'type': refused.kind, 'line': refused.line}, 'exit': 1})
            return 1
        if decision.how == 'run':
            return None
        self.chronicle.settle(row, decision.how, decision.end)
        return SKIPPED if decision.how == 'skipped' else 0

    # -- attempts ------------------------------------------------------------------------------------------------------

    def _perform(self, rows: list[Row]) -> None:
        """Run the functions, again where they fail and may be tried again."""
        while rows and not self.told:
            for row in rows:
                row.id = os.urandom(16).hex()  # before the orders are written, which name it
            self.chronicle.begin(rows[0])
            if not self.chronicle.grant.holds(0):
                superseded = {'error': {'type': 'Superseded', 'line': 'another run took it over'}}
                self.chronicle.end(rows[0], True, 'cancelled', superseded)
                return
            rows = self._attempt(rows)

    def _attempt(self, rows: list[Row]) -> list[Row]:
        """One process for these tasks in turn. Those that are still to be done: the rest after a crash, and retries."""
        from awflow.backends.slurm.attempt import Watched

        for row in rows:
            self._put_aside(row)
        element = self.element
        orders = [element.order(row, self.chronicle.grant.writer) for row in rows]
        watched = self.watched = Watched(element.definition, element.tools(), orders, bool(element.head['resume']))
        reports: dict[int, dict[str, Any]] = {}
        again: list[Row] = []

        def began(n: int) -> None:
            if n:
                self.chronicle.begin(rows[n])
                watched.log = self._log(rows[n])

        def reported(n: int, report: dict[str, Any]) -> None:
            if n + 1 < len(rows):
                again.extend(self._conclude(watched, rows[n], report, 0))
            reports[n] = report

        watched.log = self._log(rows[0])
        watched.start()
        if self.told:
            watched.end(gently=False)
        watched.serve(self.wakeup, began, reported, lambda: self._tick(watched, rows[watched.n]))
        assert watched.status is not None, 'it is served to its end'
        self.watched = None
        done = min(len(reports), len(rows) - 1)
        if watched.n < done:  # it ended before it began the next
            return [*again, *rows[done:]]
        return [*again, *self._conclude(watched, rows[done], reports.get(done), watched.status), *rows[done + 1 :]]

    def _put_aside(self, row: Row) -> None:
        """Outputs that somebody edited are kept before the task overwrites them."""
        for path in row.fragment.pop('keep', ()):
            if os.path.lexists(path):
                from awflow.state.layout import safe

                kept = self.element.layout.kept_dir()
                os.makedirs(kept, exist_ok=True)
                os.rename(path, os.path.join(kept, f'{safe(path)}-{self.element.number}-{os.urandom(4).hex()}'))

    def _log(self, row: Row) -> TaskLog:
        from awflow.backends.tasklog import TaskLog

        return TaskLog(self.element.log_path(row), lambda line: None)

    def _conclude(self, watched: Watched, row: Row, report: dict[str, Any] | None, status: int) -> list[Row]:
        """Record how an attempt ended; the row again if it is to be tried again."""
        from awflow.backends.slurm.attempt import outcome_of, terminated

        if watched.log is not None:
            watched.log.close()
        if watched.told is None and terminated(report, status) and self._told_within(2.0):
            watched.told = monotonic()  # Slurm tells all processes of a job; the task's was only the first to hear it
        outcome, told = outcome_of(watched, report, status, self.output, self.signs.peak)
        user, system, rss = watched.usage
        usage: dict[str, Any] = {'user': user, 'system': system, 'rss': max(rss, self.signs.peak), 'pid': watched.pid}
        if watched.log is not None and watched.log.written:
            usage['log'] = os.path.relpath(self.element.log_path(row), self.element.layout.directory)
        if os.WIFSIGNALED(status):
            usage['signal'] = os.WTERMSIG(status)
        later = outcome in ('requeue', 'put back')
        again = outcome in ('failed', 'crashed') and not self.told and row.retry < self.element.head['retries']
        self.chronicle.end(row, not (again or later), 'cancelled' if later else outcome, told, **usage)
        if row.succeeded and self.element.head['resume']:
            self._discard_scratch(row)
        if outcome == 'requeue':
            self._requeue(row)
        row.retry += again
        return [row] if again else []

    def _discard_scratch(self, row: Row) -> None:
        from awflow.stopping import discarded, place

        discarded(place(self.element.layout.directory, {'job': self.element.job, 'task': row.key}))

    def _requeue(self, row: Row) -> None:
        """Give the node back; Slurm starts the job again when it can."""
        from awflow.backends.slurm.client import Slurm
        from awflow.errors import SlurmError

        try:
            if not self._put_back():
                Slurm().run('scontrol', 'requeue', os.environ['SLURM_JOB_ID'])
        except SlurmError as error:
            if not self._told_within(2.0):
                self.chronicle.end(row, True, 'failed', {'error': {'type': 'Requeue', 'line': str(error).splitlines()[0]}})
                return
        while True:
            signal.pause()  # Slurm ends this process; an end of its own would be an end of the job

    def _put_back(self) -> bool:
        """Whether Slurm is about to start the job again anyway."""
        from awflow.backends.slurm.said import why_ended

        return self.told and why_ended(self.output, os.environ)[3]

    def _told_within(self, seconds: float) -> bool:
        """Whether this process is told to end: then so was the command that asked for it, and it cannot say how it fared."""
        end = monotonic() + seconds
        while not self.told and monotonic() < end:
            sleep(0.05)
        return self.told

    # -- while it runs -------------------------------------------------------------------------------------------------

    def _warned(self) -> None:
        os.pwrite(self.near, b'!', 0)

    def _told_to_end(self) -> None:
        self.told = True
        os.pwrite(self.near, b'!', 0)
        if self.watched is not None:
            self.watched.end(gently=bool(self.element.head['resume']))

    def _tick(self, watched: Watched, row: Row) -> None:
        """Now and then: signs of life, and a look whether the claim still stands."""
        asked = int(self.element.head['memory'] or 0)
        if self.signs.due(watched.peak(), asked):
            self.chronicle.sign(row, self.signs.peak, asked)
        if watched.told is None and not self.chronicle.grant.holds(HOLDS):
            print('awflow: another run took this task over: it is stopped here', file=sys.stderr)
            watched.end(gently=False)


def main(arguments: list[str]) -> NoReturn:
    """Perform one element; ends the process."""
    root, workflow, number, nonce, job, piece = arguments
    sys.setrecursionlimit(100_000)  # the edges of what was skipped lead upwards, however long the chain
    status = Worker(root, workflow, int(number), nonce, job, int(piece)).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
