"""What became of tasks that are in a queue: Slurm's word beside the state's, and what follows for the claims.

No process lives for a claim on Slurm, so nobody ends it when its last task is done, and a task whose node died leaves
no word. Whoever reads such a state next finds out: of every task without a final record, whether its job is still
there. The queue is asked once, without a filter by id; an id that is there, in whatever state but an end, lives. One
that is not there is only gone if it is still not there half a minute later: a busy controller, a failover or another
cluster answer without it too. The state is read again *after* the queue was asked: a task may have recorded its end and
left the queue in between.

    alive     it waits or runs in Slurm, or its submitter is at work
    ended     Slurm says how, and no final record says it better: a record is made of what is known
    settled   it never began: it is noted that nobody performs it any more; what is on record of it stays
"""

from __future__ import annotations

import os
import sys
from time import time

from awflow.backends.slurm.client import user
from awflow.backends.slurm.handed import MARK, Handed
from awflow.backends.slurm.limits import limits_of
from awflow.backends.slurm.look import BLOCKED, ENDED, Look
from awflow.errors import SlurmError
from awflow.state.liveness import ALIVE, DEAD, SUSPECT, Evidence
from awflow.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from awflow.backends.slurm.client import Slurm
    from awflow.state.store import Store
    from awflow.state.view import State

    Task = tuple[str, str]  # job, key

PAUSE: Final = 30.0  # seconds between two looks at a queue in which an id is missing
KILLED: Final = ('JobLaunchFailure', 'RaisedSignal')  # how a SIGKILL looks where there are no cgroups


class Gone:
    """How a task left the queue: Slurm's words for it, or that it is in no listing."""

    __slots__ = ('reason', 'state')

    def __init__(self, state: str, reason: str) -> None:
        self.state = state
        self.reason = reason

    @property
    def called(self) -> str:
        """The end of a task that never began."""
        return 'skipped' if self.reason in (BLOCKED, 'Dependency') else 'cancelled'


class Finding:
    """What is known of one claim: its tasks without an end, those that nobody performs any more, those that are missing."""

    __slots__ = ('evidence', 'gone', 'handed', 'left', 'missing')

    def __init__(self, evidence: Evidence, left: Sequence[Task] = (), handed: Handed | None = None) -> None:
        self.evidence = evidence
        self.left = left
        self.handed = handed
        self.gone: dict[Task, Gone] = {}
        self.missing: list[Task] = []


class Reconciliation:
    """The claims of one state that are in a queue, and what is to be published about them.

    `pace` is how many seconds must lie between two looks at the queue.
    """

    def __init__(self, store: Store, slurm: Slurm, pace: float = 0.0) -> None:
        self.store = store
        self.slurm = slurm
        self.pace = pace
        self.looked: Look | None = None
        self.trouble = ''  # why the queue cannot be asked
        self.findings: dict[int, Finding] = {}
        self._submitters: Mapping[int, Evidence] = {}
        self._cluster = ''  # whose queue it is
        self._missed: dict[tuple[int, Task], float] = {}  # when a task was first not to be found

    # -- evidence ------------------------------------------------------------------------------------------------------

    def witness(self, state: State, submitters: Mapping[int, Evidence]) -> dict[int, Evidence]:
        """Evidence on the queued claims of a state. A claim is dead when none of its tasks is with anybody any more."""
        rested = self.looked is None or time() - self.looked.when >= self.pace
        if rested:
            self.looked, self.trouble = None, ''  # a look from before a claim was made knows nothing of it
        before = self.findings
        self.findings, self._submitters = {}, submitters
        for number in submitters:
            known = before.get(number) or Finding(Evidence(ALIVE, 'it was submitted since the last look at the queue'))
            left = unfinished(state, number)
            self.findings[number] = self._finding(state, number, left) if rested or not left else known
        return {number: found.evidence for number, found in self.findings.items()}

    def _finding(self, state: State, number: int, left: Sequence[Task]) -> Finding:
        submitter = self._submitters[number]
        if not left:
            return Finding(Evidence(DEAD, 'all its tasks have ended'))
        handed = Handed(state.claims[number], state.facts(number))
        if not handed.complete and submitter.state == ALIVE:
            return Finding(Evidence(ALIVE, f'its tasks are being submitted: {submitter.why}'), left)
        look = self._look(state)
        if look is None:
            return Finding(Evidence(SUSPECT, f'the queue could not be asked: {self.trouble}'), left)
        here, there = self._cluster, cluster_of(state, number)
        if there and here != there:
            return Finding(Evidence(SUSPECT, f'it was submitted to the cluster {there}, and this is {here}'), left)
        adopt(handed, look)
        found = Finding(submitter, left, handed)
        for task in left:
            self._sort(found, state, number, task, look)
        found.evidence = self._judged(found, f'the queue of {there or "Slurm"}', submitter)
        return found

    def _sort(self, found: Finding, state: State, number: int, task: Task, look: Look) -> None:
        """Find out whether somebody performs a task, or will."""
        assert found.handed is not None
        place = found.handed.places.get(task)
        line = look.of(*place) if place else None
        if place is None:
            if found.handed.complete or self._submitters[number].state == DEAD:
                found.gone[task] = Gone('', 'it was never submitted')
        elif line is not None:
            if line.state in ENDED or line.reason == BLOCKED:
                found.gone[task] = Gone(line.state, line.reason)
        elif look.when - self._missed.setdefault((number, task), look.when) >= PAUSE and self._mine(state, number):
            found.gone[task] = Gone('', 'its job is not in the queue any more')
        else:
            found.missing.append(task)

    def _mine(self, state: State, number: int) -> bool:
        """Whether this user submitted it: clusters may hide the jobs of others, so of theirs a missing one proves nothing."""
        return state.claims[number].user in ('', user(), f'uid {user()}')

    def _judged(self, found: Finding, queue: str, submitter: Evidence) -> Evidence:
        assert found.handed is not None
        there = len(found.left) - len(found.gone) - len(found.missing)
        if there and (found.handed.complete or submitter.state != SUSPECT):
            return Evidence(ALIVE, f'{there} of its tasks are in {queue}')
        if there:
            return Evidence(SUSPECT, f'{there} of its tasks are in {queue} or still to be submitted: {submitter.why}')
        if found.missing:
            return Evidence(SUSPECT, f'{len(found.missing)} of its tasks are not in {queue} any more, and left no word')
        return Evidence(DEAD, f'none of its tasks is in {queue} any more')

    def _look(self, state: State) -> Look | None:
        """The queue, asked once; None if it does not answer."""
        if self.looked is None and not self.trouble:
            users = {state.claims[number].user.removeprefix('uid ') for number in self._submitters if number in state.claims}
            try:
                self._cluster = limits_of(self.slurm).name
                self.looked = Look(self.slurm.queue(users - {''} or {user()}))
            except SlurmError as error:
                self.trouble = str(error).partition('\n')[0]  # the sentence; evidence is one line
        return self.looked

    # -- what follows --------------------------------------------------------------------------------------------------

    def settle(self, run: str, state: State, patient: bool = True) -> bool:
        """Publish what became of tasks that nobody performs any more, and end the claims that have none left.

        Whether the state has moved. It is about what `witness` found. With `patient` it is waited until what is missing
        can be told to be gone.
        """
        if patient:
            self.look_again(state)
        found = self.findings
        if not any(finding.gone or finding.evidence.state == DEAD for finding in found.values()):
            return False
        state = self._awaited(self.store.read())
        records, facts, ends = [], [], {}
        for number, finding in found.items():
            if number not in state.claims:
                continue
            facts += [{'claim': number, **fact} for fact in self._found_again(state, number)]
            left = unfinished(state, number)
            for task in left:
                if task in finding.gone:
                    made, fact = self._told(state, number, task, finding)
                    records += made
                    facts += fact
            if all(task in finding.gone for task in left):
                ends[number] = 'all its tasks have ended' if not left else 'its last tasks have left the queue'
        facts = [fact for fact in facts if fact['claim'] not in ends or 'settled' in fact]
        news = records or facts or ends
        if news and self.store.publish(run=run, expected=state, tasks={}, records=records, facts=facts, dead=ends):
            self.store.compact()
        return True

    def _found_again(self, state: State, number: int) -> list[dict[str, Any]]:
        """Facts that the submitter did not come to note."""
        handed = Handed(state.claims[number], state.facts(number))
        return adopt(handed, self.looked) if self.looked and not handed.complete else []

    def look_again(self, state: State) -> None:
        """Wait until tasks that are missing have been so for half a minute, and look once more."""
        since = [
            self._missed[number, task] for number, finding in self.findings.items() if self._mine(state, number)
            for task in finding.missing
        ]  # fmt: skip
        if not since:
            return
        wait = max(since) + PAUSE - time()
        if wait > 0:
            text = f'{len(since)} tasks are not in the queue any more and left no word: looking again in {wait:.0f} s'
            print(f'awflow: {text}', file=sys.stderr, flush=True)
            self.store.disk.sleep(wait)
        self.looked, self.trouble = None, ''
        self.findings = {number: self._finding(state, number, finding.left) for number, finding in self.findings.items()}

    def _awaited(self, state: State) -> State:
        """The state, read again for a while if a task that Slurm calls completed has no record yet: it may be on its way."""
        pause = 0.1
        while pause < 8 and any(
            gone.state == 'COMPLETED' and number in state.claims and not state.finished(number, *task)
            for number, finding in self.findings.items() for task, gone in finding.gone.items()
        ):  # fmt: skip
            self.store.disk.sleep(pause)
            pause *= 2
            state = self.store.read()
        return state

    def _told(self, state: State, number: int, task: Task, finding: Finding) -> tuple[list[Record], list[dict[str, Any]]]:
        """A record of a task that was begun, or that failed to; a note on one that was not."""
        gone = finding.gone[task]
        begun = begun_record(state, number, task)
        handed = finding.handed or Handed(state.claims[number], state.facts(number))
        outcome, kind, line = in_words(gone, begun, peak_of(state, number, task))
        if gone.state == 'FAILED':
            outcome, kind, line = self._said(handed, task, begun, (outcome, kind, line))
        if begun is None and outcome in ('cancelled', 'skipped'):
            return [], [{'claim': number, 'settled': gone.called, 'job': task[0], 'key': task[1], 'why': line}]
        attempt = begun or Record(job=task[0], task=task[1], run=state.claims[number].run, started=time())
        return [attempt.replace(
            outcome=outcome, error={'type': kind, 'line': line}, ended=time(),
            id=os.urandom(16).hex(), end=os.urandom(16).hex(),
            slurm={**(attempt.slurm or {}), 'state': gone.state, 'reason': gone.reason, 'job': handed.spelled(*task)},
        )], []  # fmt: skip

    def _said(self, handed: Handed, task: Task, begun: Record | None, told: tuple[str, str, str]) -> tuple[str, str, str]:
        """Better words for how a job failed, if its output has some."""
        from awflow.backends.slurm.said import OUTPUT, last_line, over_memory, tail

        spelled = handed.spelled(*task)
        said = tail(f'{self.store.layout.directory}/{OUTPUT}/{spelled.partition("_")[0]}.out')
        ids = {spelled, str(((begun.slurm if begun else None) or {}).get('job', ''))}
        if line := over_memory(said, ids):
            return 'failed', 'MemoryLimit', line
        if begun is None and (words := last_line(said)):
            return told[0], told[1], f'{told[2]}: {words}'
        return told


def as_recorded(state: State, number: int, submitter: Evidence) -> Evidence:
    """Evidence on a claim from the state alone, without asking Slurm."""
    left = unfinished(state, number)
    if not left:
        return Evidence(DEAD, 'all its tasks have ended')
    handed = Handed(state.claims[number], state.facts(number))
    if not handed.complete:
        if submitter.state == ALIVE:
            return Evidence(ALIVE, f'its tasks are being submitted: {submitter.why}')
        return Evidence(SUSPECT, f'it was not submitted completely: {submitter.why}')
    return Evidence(
        ALIVE, f'{len(left)} of its tasks were submitted to {cluster_of(state, number) or "Slurm"} and have not ended'
    )


def suspicious(state: State, number: int) -> bool:
    """Whether tasks of a claim may wait for ever: something under it did not succeed, and nothing of it runs."""
    claim = state.claims[number]
    if state.started(number) or not unfinished(state, number):
        return False
    for job in claim.tasks:
        rows = state.rows(job)
        for row in range(len(rows) if rows else 0):
            assert rows is not None, 'only rows are looked at'
            if rows.generation(row) == number and rows.final(row) and rows.outcome(row) != 'succeeded':
                return True
    return False


def unfinished(state: State, number: int) -> list[tuple[str, str]]:
    """The tasks of a live claim of which no end is known."""
    claim = state.claims[number]
    return [(job, key) for job in claim.tasks for key in sorted(claim.keys(job)) if not state.finished(number, job, key)]


def begun_record(state: State, number: int, task: tuple[str, str]) -> Record | None:
    """The record of an attempt under that claim which has begun and not ended."""
    rows = state.rows(task[0])
    row = rows.row(task[1]) if rows else None
    if rows is None or row is None or rows.generation(row) != number or rows.final(row):
        return None
    return rows.record(row)


def peak_of(state: State, number: int, task: tuple[str, str]) -> tuple[int, int]:
    """Bytes of memory that a task was seen to use at most, and MiB that it had asked for; 0 if unknown."""
    signs = [f for f in state.facts(number) if 'alive' in f and (f.get('job'), f.get('key')) == task]
    return max((f.get('rss', 0) for f in signs), default=0), max((f.get('asked', 0) for f in signs), default=0)


def adopt(handed: Handed, look: Look) -> list[dict[str, Any]]:
    """Pieces that are in the queue by their comment although nobody noted them: the submitter died in between."""
    found = []
    for line in look.lines.values():
        mark, _, rest = line.comment.partition(':')
        nonce, _, place = rest.partition(':')
        if mark != MARK or nonce != handed.claim.nonce:
            continue
        job, _, piece = place.rpartition(':')
        if (job, int(piece)) in handed.known:
            continue
        fact = {'submitted': line.job, 'job': job, 'piece': int(piece)}
        handed.add(fact)
        found.append(fact)
    return found


def cluster_of(state: State, number: int) -> str:
    """The name of the cluster that a claim was submitted to."""
    return str(((state.claims[number].owner or {}).get('queue') or {}).get('cluster', ''))


def in_words(gone: Gone, begun: Record | None, memory: tuple[int, int]) -> tuple[str, str, str]:
    """Outcome, kind and sentence for a task that left no final record."""
    state, reason = gone.state, gone.reason
    if state == 'TIMEOUT':
        return 'timeout', 'TimeLimit', 'Slurm ended it at its time limit'
    if state in ('CANCELLED', 'PREEMPTED', 'REVOKED') or reason == BLOCKED:
        why = 'what it waited for did not succeed' if reason == BLOCKED else f'Slurm says {state.lower()}'
        return 'cancelled', 'Cancelled', why
    if state == 'OUT_OF_MEMORY':
        return 'failed', 'MemoryLimit', f'it used more memory than it had asked for{_memory(memory)}'
    if state == 'NODE_FAIL':
        return 'crashed', 'NodeFailure', f'its node {begun.host if begun else ""} failed'.replace('  ', ' ')
    if state == 'FAILED' and begun is None:
        return 'failed', 'Start', 'its batch script failed before Python reached the task'
    if state == 'FAILED' and reason.startswith(KILLED):
        return 'crashed', 'Killed', f'it was killed, perhaps out of memory{_memory(memory)}'
    if not state and begun is None:
        return 'cancelled', 'Lost', reason
    where = f'on {begun.host} ' if begun and begun.host else ''
    said = f'Slurm says {state} ({reason})' if state else reason
    return 'crashed', 'Lost', f'its process {where}left no word; {said}'


def _memory(seen: tuple[int, int]) -> str:
    used, asked = seen
    if not used:
        return ''
    return f' ({used / 2**20:.0f} MiB seen' + (f', {asked} MiB asked for)' if asked else ')')
