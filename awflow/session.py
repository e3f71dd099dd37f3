"""A run under way: what is to be done with a task that is ready, and what is recorded when it has ended.

A backend drives it and knows processes; the session knows identities, records and outcomes.
"""

from __future__ import annotations

import os
from time import time

from awflow.attempt import Attempt, note_inputs, telling, told_of_inputs
from awflow.failure import BAD, Failure, failure_of
from awflow.frontier import Frontier
from awflow.identity import local_part, unchanged, upstream_part
from awflow.lines import Lines
from awflow.plan import IN, Plan, task_name
from awflow.proofs import history_of
from awflow.reasons import MAYBE, Reason
from awflow.state import jsontext
from awflow.state.digests import Content
from awflow.state.journal import frame
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
    from awflow.place import Place
    from awflow.state.grant import Grant
    from awflow.state.liveness import Owner
    from awflow.state.store import Store
    from awflow.state.view import State
    from awflow.subject import Subject
    from awflow.survey import Survey


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
        self._commons: dict[tuple[object, ...], dict[str, Any]] = {}
        self._host = os.uname().nodename
        self._lines = Lines(run, survey.subjects, self.generation)

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
        """What will run, or None if the task proves unchanged, which is then noted.

        What surely runs says itself, when it has begun, which inputs it found.
        """
        subject = self.subject(task)
        shared, partners = self.frontier.outcomes(task)
        maybe = task in self.standing or self.plan.jobs[task[0]].kind(task[1]) == MAYBE
        inputs = self.survey.inputs(subject, task[1]) if maybe else {}
        key = subject.keys[task[1]]
        own = subject.own(task[1], inputs, partners)
        attempt = Attempt(task_name(subject.name, key), key, task, retry, shared, own)
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

    def common(self, attempt: Attempt, cuda: str | None) -> dict[str, Any]:
        """What a worker is told of all tasks of a job, as JSON can say it; one object as long as it is the same."""
        number, generation = attempt.number, self.generation(attempt.task)
        key = (number, generation, cuda)
        if key not in self._commons:
            subject, layout = self.survey.subjects[number], self.store.layout
            self._commons[key] = {
                'job': subject.name, 'position': -1, 'generation': generation, 'attempt': (0, 0), 'outputs': (), 'inputs': (),
                'stat': (), 'produced': {}, 'env': {}, 'cuda': cuda, 'cwd': self.place.directory,
                'results_file': os.path.join(layout.results_dir(subject.name), f'{generation}.pickles'),
                'telling': telling(self.run, subject, self.place, layout), 'state': layout.root, 'workflow': layout.workflow,
                'limit': subject.job.options.timelimit, 'history': None, 'lint': None,
            }  # fmt: skip
        return self._commons[key]

    def order(self, attempt: Attempt, common: Mapping[str, Any], alone: bool) -> dict[str, Any]:
        """What a worker is told of one task besides, and in place of, what is common. `alone`: none starts before it."""
        row, subject = attempt.row, self.subject(attempt.task)
        alone = alone and self.linter is None  # which wants to know what the task has found
        called = jsontext.quoted(attempt.name)
        order: dict[str, Any] = {'task': attempt.key, 'id': attempt.id, 'called': called, 'digested': alone}
        if self.grants:  # tasks that were taken over may be among them
            mine = self.common(attempt, common['cuda'])
            order.update({name: mine[name] for name in ('generation', 'results_file')})
        if subject.job.array is not None:
            order['position'] = row
        if attempt.retry:
            order['attempt'] = (0, attempt.retry)
        if subject.job.output_specs:
            order['outputs'] = subject.outputs.get(row, ())
        if subject.job.input_specs:
            order.update(told_of_inputs(attempt, subject, self.survey, alone))
        if attempt.history is not None:
            order['history'] = attempt.history
        if self.linter is not None:
            order['lint'] = self.linter.order(subject, row)
        return order

    def generation(self, task: Row) -> int:
        """The number of the claim under which a task runs."""
        return self._grant_of(task).number

    def _grant_of(self, task: Row) -> Grant:
        grant = self.grants.get(task, self.grant) if self.grants else self.grant
        assert grant is not None, 'only claimed tasks run'
        return grant

    def started(self, attempt: Attempt) -> None:
        """Note that an attempt starts: without an end on record it counts as crashed. It may, once `write` has returned."""
        attempt.started = time()
        grant, subject, line = self._grant_of(attempt.task), self.subject(attempt.task), self._lines.start(attempt)
        grant.written.start(line, subject.name, attempt.key)
        grant.journal.put(line)

    def starts_itself(self, attempt: Attempt, order: dict[str, Any]) -> None:
        """Let the task's process note that it starts, when it does."""
        attempt.started = time()
        grant, subject = self._grant_of(attempt.task), self.subject(attempt.task)
        order['journal'] = grant.journal.path
        order['line'] = line = self._lines.start(attempt).decode('ascii')
        grant.written.start(line, subject.name, attempt.key)
        attempt.noted = len(line)

    def not_started(self, attempts: Iterable[Attempt]) -> None:
        """None of their processes has noted that it starts, nor will."""
        for attempt in attempts:
            if attempt.noted:
                self._grant_of(attempt.task).written.unstart(attempt.noted, self.subject(attempt.task).name, attempt.key)

    def write(self) -> None:
        """Hand what was recorded to the system, so that this process may die."""
        if self.grant is not None:
            self.grant.journal.write()
        for grant in self.grants.values():
            grant.journal.write()

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
        sign = {'alive': round(time(), 3)}
        for grant in self._all_grants():
            line = frame(sign)
            grant.written.fact(line, sign)
            grant.journal.put(line)
            grant.journal.write()

    def _all_grants(self) -> Iterable[Grant]:
        return {id(g): g for g in [self.grant, *self.grants.values()] if g is not None}.values()

    # -- after a task --------------------------------------------------------------------------------------------------

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
        """Record how an attempt ended. `last`: no retry follows; only then is the record final and the task free.

        `usage` are fields of the record: what its process used, where it ran, the path of its log.
        """
        subject = self.subject(attempt.task)
        known = outcome != 'succeeded' or report.get('outputs') or not subject.output_templates
        assert known, 'a success is recorded with the digests of its outputs, or it would vouch for anything that lies there'
        attempt.started = report.get('started', attempt.started)
        note_inputs(attempt, subject, self.survey, report)
        fields = self._lines.fields(attempt)
        end = report.get('end', attempt.id) if outcome == 'succeeded' else attempt.id
        fields |= {'outcome': outcome, 'end': end, 'host': self._host, 'ended': round(report.get('ended') or time(), 3)}
        if last:
            fields['final'] = True
        for name in ('outputs', 'result', 'inputs_changed', 'error'):
            if said := report.get(name):
                fields[name] = said
        if report.get('lint') is not None:  # {} says that it was watched
            fields['lint'] = report['lint']
        if report.get('exit') is not None:
            fields['exit'] = report['exit']
        if checks := report.get('checks', attempt.history):
            fields['checks'] = checks
        fields |= usage
        grant, line = self._grant_of(attempt.task), frame(fields)
        record = grant.written.end(line, fields)
        grant.journal.put(line)
        self.executed.append(attempt.name)
        if not last:
            self._tried[attempt.task] = history_of(checks or ())
            return
        self._count(outcome)
        if self.linter is not None and report.get('lint') is not None:
            self.linter.learn(subject.name, fields['task'], report['lint'])
        if report.get('outputs'):
            self._made(report)
        if outcome in BAD:
            self.fail(attempt.task, record)
        elif subject.job.options.resume:
            discarded(place(self.store.layout.directory, {'job': subject.name, 'task': fields['task']}))
        self.frontier.ended(attempt.task, outcome == 'succeeded', bytes.fromhex(end))

    def _made(self, report: Mapping[str, Any]) -> None:
        made, digests, signatures = self.survey.made, self.survey.digests, report.get('signatures', {})
        for path, (digest, size) in report['outputs'].items():
            made[path] = digest
            digests.learn(path, Content(digest, size), tuple(signatures[path]) if path in signatures else None)

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
