"""A run under way: what is to be done with a task that is ready, and what is recorded when it has ended.

A backend drives it and knows processes; the session knows identities, records and outcomes.
"""

from __future__ import annotations

import os
from time import time

from awflow.frontier import Frontier
from awflow.identity import local_part, unchanged, upstream_part
from awflow.place import PARENT, Place, definition_site
from awflow.plan import IN, Plan, task_name
from awflow.proofs import history_of
from awflow.reasons import MAYBE, Reason
from awflow.state import jsontext
from awflow.state.digests import Content
from awflow.state.layout import safe
from awflow.state.record import Record
from awflow.stopping import discarded, place
from awflow.verdict import differences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from awflow.advice import Linter
    from awflow.frontier import Row
    from awflow.state.grant import Grant
    from awflow.state.liveness import Owner
    from awflow.state.store import Store
    from awflow.state.view import State
    from awflow.subject import Subject
    from awflow.survey import Survey

BAD = ('failed', 'timeout', 'cancelled', 'crashed')


class Attempt:
    """One execution of one task: its identity as it starts, and the history of its postconditions."""

    __slots__ = ('history', 'id', 'number', 'own', 'restart', 'retry', 'row', 'started', 'upstream', 'why')

    def __init__(self, task: Row, retry: int, upstream: dict[str, str], own: dict[str, str]) -> None:
        self.number, self.row = task
        self.retry = retry
        self.id = os.urandom(16).hex()
        self.upstream = upstream
        self.own = own
        self.started = time()
        self.why: list[dict[str, str]] = []  # where the plan, which the entry keeps, does not say it
        self.history: list[dict[str, Any]] | None = None

    @property
    def task(self) -> Row:
        """Its place in the plan."""
        return self.number, self.row


class Failure:
    """A task that did not succeed: what the summary and `Run.failures` say of it."""

    __slots__ = ('error', 'job', 'log', 'outcome', 'task', 'value')

    def __init__(self, job: str, task: str, value: object, outcome: str, error: str, log: str) -> None:
        self.job = job
        self.task = task
        self.value = value
        self.outcome = outcome
        self.error = error
        self.log = log

    def __str__(self) -> str:
        return f'{task_name(self.job, self.task)}  {self.outcome}: {self.error}'

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {'job': self.job, 'task': self.task, 'outcome': self.outcome, 'error': self.error, 'log': self.log}


class Session:
    """The tasks of one granted plan, from ready to recorded."""

    def __init__(
        self,
        run: str,
        store: Store,
        survey: Survey,
        plan: Plan,
        frontier: Frontier,
        owner: Owner,
        place: Place,
        equip: Callable[[Grant], None],
        settle: Callable[[str, State], bool],
    ) -> None:
        self.run = run
        self.owner = owner  # the processes that act for the run
        self.place = place
        self.store = store
        self.survey = survey
        self.plan = plan
        self.frontier = frontier
        self.grants: dict[Row, Grant] = {}  # of tasks that were taken over
        self.standing: set[Row] = set()  # of those, the ones that nobody touched: they may prove unchanged
        self.grant: Grant | None = None
        self.settle = settle  # publishes what became of tasks that left the queue of a cluster
        self.equip = equip  # makes ready what the tasks of a new claim need
        self.failures: list[Failure] = []
        self.executed: list[str] = []  # names of tasks, in order of their end
        self.counts: dict[str, int] = {}
        self.linter: Linter | None = None  # collects which files tasks use, if the schedule asks for it
        self._tried: dict[Row, list[dict[str, Any]]] = {}  # checks of attempts that others follow

    def claimed(self, grant: Grant) -> None:
        """The plan's tasks are this run's."""
        self.grant = grant
        self.equip(grant)

    def subject(self, task: Row) -> Subject:
        """The job of a task."""
        return self.survey.subjects[task[0]]

    def name(self, task: Row) -> str:
        """What a task is called."""
        subject = self.subject(task)
        return task_name(subject.name, subject.keys[task[1]])

    def unsettled(self, number: int) -> bool:
        """Whether any task of a job may still have to run."""
        return IN in self.plan.jobs[number].mark

    # -- before a task -------------------------------------------------------------------------------------------------

    def prepare(self, task: Row, retry: int = 0) -> Attempt | None:
        """What will run, or None if the task proves unchanged, which is then noted."""
        subject = self.subject(task)
        shared, partners = self.frontier.outcomes(task)
        inputs = self.survey.inputs(subject, task[1])
        attempt = Attempt(task, retry, shared, subject.own(task[1], inputs, partners))
        maybe = task in self.standing or self.plan.jobs[task[0]].kind(task[1]) == MAYBE
        if maybe and not retry and self._unchanged(subject, attempt):
            self._count('unchanged')
            self.frontier.ended(task, True, self.plan.jobs[task[0]].facts.ends[task[1]])
            return None
        attempt.why = [reason.to_dict() for reason in self._why(subject, attempt, maybe)]
        if not retry:
            self._keep(task)
        self.frontier.take(task)
        attempt.history = self._history(subject, task)
        return attempt

    def _history(self, subject: Subject, task: Row) -> list[dict[str, Any]] | None:
        """What is known of the task's postconditions, None before its first attempt."""
        if task in self._tried:
            return self._tried[task]
        row = subject.rows.row(subject.keys[task[1]]) if subject.rows is not None else None
        if subject.rows is None or row is None:
            return None
        return history_of(subject.rows.record(row).checks) if subject.job.postconditions else []

    def _unchanged(self, subject: Subject, attempt: Attempt) -> bool:
        assert subject.rows is not None, 'a task that may be unchanged has a record'
        row = subject.rows.row(subject.keys[attempt.row])
        assert row is not None, 'a task that may be unchanged has a record'
        return unchanged(subject.job.mode, subject.rows.record(row), attempt.own, attempt.upstream)

    def _keep(self, task: Row) -> None:
        """Move outputs that somebody edited out of the way before the task overwrites them."""
        for reason in self.plan.jobs[task[0]].reasons.get(task[1], ()):
            if reason.kind == 'output changed' and os.path.lexists(reason.name):
                kept = self.store.layout.kept_dir()
                os.makedirs(kept, exist_ok=True)
                os.rename(reason.name, os.path.join(kept, f'{safe(reason.name)}-{self.run}-{os.urandom(4).hex()}'))

    def order(self, attempt: Attempt, environment: Mapping[str, str], cuda: str | None) -> dict[str, Any]:
        """What a worker is told, as JSON can say it."""
        subject = self.subject(attempt.task)
        paths = self.survey.input_paths(subject, attempt.row) if subject.job.input_specs else {}
        produced = {path: d for path in paths if path in self.survey.producers and (d := self.survey.produced(path))}
        layout, number = self.store.layout, self.generation(attempt.task)
        parent = self._parent(attempt)
        return {
            'job': subject.name,
            'task': subject.keys[attempt.row],
            'position': -1 if subject.job.array is None else attempt.row,
            'generation': number,
            'attempt': [0, attempt.retry],
            'id': attempt.id,
            'outputs': subject.outputs.get(attempt.row, []),
            'inputs': list(paths),
            'stat': [path for path, stat in paths.items() if stat],
            'produced': produced,
            'env': {**environment, PARENT: jsontext.dumps(parent).decode()},
            'cuda': cuda,
            'cwd': self.place.directory,
            'results_file': os.path.join(layout.results_dir(subject.name), f'{number}.pickles'),
            'parent': parent,
            'state': layout.root,
            'workflow': layout.workflow,
            'limit': subject.job.options.timelimit,
            'history': attempt.history,
            'lint': self.linter and self.linter.order(subject, attempt.row),
        }

    def _parent(self, attempt: Attempt) -> dict[str, Any]:
        """What a schedule inside the task is told of where it is."""
        layout, job = self.store.layout, self.subject(attempt.task).job
        return {
            'run': self.run, 'task': self.name(attempt.task), 'attempt': attempt.id, 'workflow': layout.workflow,
            'state': layout.root, 'script': self.place.script, 'cpus': job.options.cpus,
            'ancestors': [*self.place.ancestors, definition_site(job.function)],
        }  # fmt: skip

    def generation(self, task: Row) -> int:
        """The number of the claim under which a task runs."""
        grant = self.grants.get(task, self.grant)
        assert grant is not None, 'only claimed tasks run'
        return grant.number

    def _journal(self, task: Row, record: Record) -> None:
        grant = self.grants.get(task, self.grant)
        assert grant is not None, 'only claimed tasks are recorded'
        grant.journal.append([record.to_dict()])

    def started(self, attempt: Attempt) -> None:
        """Note that an attempt starts: without an end on record it counts as crashed."""
        attempt.started = time()
        self._journal(attempt.task, self._record(attempt, final=False, started=attempt.started, checks=attempt.history or []))

    def holds(self) -> bool:
        """Whether this run may still start tasks."""
        grants = [self.grant, *self.grants.values()]
        return all(grant.holds() for grant in grants if grant is not None)

    def sync(self) -> None:
        """Make what was recorded durable."""
        for grant in self._all_grants():
            grant.sync()

    def sign(self) -> None:
        """Leave a sign of life: who looks from another host cannot see the processes of this one."""
        for grant in self._all_grants():
            grant.journal.append([{'alive': round(time(), 3)}])

    def _all_grants(self) -> Iterable[Grant]:
        return {id(g): g for g in [self.grant, *self.grants.values()] if g is not None}.values()

    # -- after a task --------------------------------------------------------------------------------------------------

    def _record(self, attempt: Attempt, **fields: Any) -> Record:
        subject = self.subject(attempt.task)
        return Record(
            job=subject.name, task=subject.keys[attempt.row], generation=self.generation(attempt.task), run=self.run,
            attempt=(0, attempt.retry), id=attempt.id, code=subject.code, upstream=attempt.upstream, own=attempt.own,
            shown=shown(subject, attempt.row), why=attempt.why, **fields,
        )  # fmt: skip

    def _why(self, subject: Subject, attempt: Attempt, maybe: bool) -> list[Reason]:
        """Why it runs, if that is known only now."""
        if attempt.retry:
            return [Reason('retry')]
        if maybe:
            return self._moved(subject, attempt)
        planned = self.plan.jobs[attempt.number].reasons.get(attempt.row, ())
        return [Reason('taken over', reason.name) for reason in planned if reason.kind == 'in flight']

    def _moved(self, subject: Subject, attempt: Attempt) -> list[Reason]:
        """What a task that might have proved unchanged has found changed."""
        assert subject.rows is not None, 'a task that may be unchanged has a record'
        row = subject.rows.row(subject.keys[attempt.row])
        assert row is not None, 'a task that may be unchanged has a record'
        record = subject.rows.record(row)
        now = {**attempt.upstream, **upstream_part(attempt.own)}
        used = {**record.upstream, **upstream_part(record.own)}
        moved = [
            Reason('upstream changed', self.plan.named(link, attempt.row)) for link in subject.links
            for name in [link.component if link.partners is None else f'upstream {link.component}']
            if now.get(name) != used.get(name)
        ]  # fmt: skip
        return moved + differences(local_part(record.own), local_part(attempt.own))

    def ended(self, attempt: Attempt, outcome: str, report: Mapping[str, Any], usage: Mapping[str, Any], *, last: bool) -> None:
        """Record how an attempt ended. `last`: no retry follows; only then is the record final and the task free."""
        subject = self.subject(attempt.task)
        record = self._record(
            attempt, final=last, outcome=outcome, end=report['end'] if outcome == 'succeeded' else attempt.id,
            outputs={path: list(content) for path, content in report.get('outputs', {}).items()},
            result=report.get('result'), checks=report.get('checks', attempt.history or []), lint=report.get('lint'),
            inputs_changed=report.get('inputs_changed', []), exit=report.get('exit'), error=report.get('error'),
            started=attempt.started, ended=time(), **usage,
        )  # fmt: skip
        if report.get('inputs'):
            upstream = {name: end for name, end in attempt.own.items() if name.startswith('upstream ')}
            record.own = subject.own(attempt.row, report['inputs'], {}) | upstream
        self._journal(attempt.task, record)
        self.executed.append(self.name(attempt.task))
        if not last:
            self._tried[attempt.task] = history_of(record.checks)
            return
        self._count(outcome)
        if self.linter is not None and record.lint is not None:
            self.linter.learn(subject.name, record.task, record.lint)
        for path, (content, size) in record.outputs.items():
            self.survey.made[path] = content
            self.survey.digests.learn(path, Content(content, size))
        if outcome in BAD:
            self.fail(attempt.task, record)
        elif subject.job.options.resume:
            discarded(place(self.store.layout.directory, {'job': subject.name, 'task': record.task}))
        self.frontier.ended(attempt.task, outcome == 'succeeded', bytes.fromhex(record.end))

    def fail(self, task: Row, record: Record) -> None:
        """Note a task that did not succeed, here or elsewhere."""
        subject = self.subject(task)
        text, log = failure_of(record, self.store.layout.directory)
        value = subject.value(task[1])
        self.failures.append(Failure(subject.name, subject.keys[task[1]], value, record.outcome, text, log))

    def _count(self, outcome: str) -> None:
        self.counts[outcome] = self.counts.get(outcome, 0) + 1

    # -- tasks of others -----------------------------------------------------------------------------------------------

    def look_elsewhere(self) -> None:
        """See how tasks that other runs execute are getting on, and take over those whose owner is gone."""
        state = self.store.read()
        evidence = self.store.evidence(state)
        if self.settle(self.run, state):
            state = self.store.read()
            evidence = {number: found for number, found in evidence.items() if number in state.claims}
        dead = {number: found.why for number, found in evidence.items() if found.state == 'dead'}
        if dead:
            state = self.store.read()
        orphans: dict[Row, bool] = {}  # whether what was on record before still is
        for task in sorted(self.frontier.elsewhere):
            subject = self.subject(task)
            key = subject.keys[task[1]]
            claim = state.owner_of(subject.name, key)
            if claim is not None and claim not in dead:
                continue
            rows = state.rows(subject.name)
            row = rows.row(key) if rows is not None else None
            record = rows.record(row) if rows is not None and row is not None and rows.final(row) else None
            if claim is None and record is not None and record.generation > self._seen_generation(task):
                self._ended_elsewhere(task, record)
            else:
                orphans[task] = record is not None and record.generation == self._seen_generation(task)
        if orphans:
            self._take_over(orphans, state, dead)

    def _seen_generation(self, task: Row) -> int:
        """The generation on record when the plan was made."""
        subject = self.subject(task)
        row = subject.rows.row(subject.keys[task[1]]) if subject.rows is not None else None
        if subject.rows is None or row is None or not subject.rows.final(row):
            return 0
        return subject.rows.generation(row)

    def _ended_elsewhere(self, task: Row, record: Record) -> None:
        self._count('attached')
        self.survey.made.update({path: str(content[0]) for path, content in record.outputs.items()})
        if record.outcome in BAD:
            self.fail(task, record)
        self.frontier.ended(task, record.outcome == 'succeeded', bytes.fromhex(record.end))

    def _take_over(self, tasks: Mapping[Row, bool], state: Any, dead: Mapping[int, str]) -> None:
        claim: dict[str, list[str]] = {}
        for task in tasks:
            subject = self.subject(task)
            claim.setdefault(subject.name, []).append(subject.keys[task[1]])
        codes = {self.subject(t).code: self.subject(t).components for t in tasks}
        with self.store.turn():
            grant = self.store.publish(
                run=self.run, expected=state, tasks=claim, dead=dead, codes=codes, owner=self.owner,
                sources=self.survey.sources.unknown(codes),
            )  # fmt: skip
        if grant is None:
            return  # somebody was faster: look again later
        self.equip(grant)
        for task, untouched in tasks.items():
            self.grants[task] = grant
            end = self.survey.standing_end(self.subject(task), task[1]) if untouched else None
            if end is not None:
                self.standing.add(task)
                self.plan.jobs[task[0]].facts.ends[task[1]] = end
            self.frontier.release(task)


def failure_of(record: Record, directory: str) -> tuple[str, str]:
    """What a record says of why its task did not succeed, in a line, and the path of its log ('' if it wrote none)."""
    said = (record.error or {}).get('line') or (record.error or {}).get('type') or record.note or 'it left no word'
    kind = (record.error or {}).get('type', '')
    text = f'{kind}: {said}' if kind[:1].isupper() and said != kind else said
    return text, os.path.relpath(os.path.join(directory, record.log)) if record.log else ''


def shown(subject: Subject, row: int) -> str:
    """A value that its key does not spell, for humans."""
    if not subject.keys[row].startswith('#'):
        return ''
    return repr(subject.title(row))[:80]
