"""From jobs to a plan and its claim: names, fingerprints, the survey, and what the ledger is told."""

from __future__ import annotations

import os
import sys
from time import time

from awflow.ancestry import Ancestry
from awflow.errors import CycleError
from awflow.facts import Link
from awflow.graph import ordered, unique_names
from awflow.job import Job
from awflow.meanwhile import Meanwhile
from awflow.place import definition_site, place_of, refuse_foreign
from awflow.plan import Plan
from awflow.sources import Sources
from awflow.state.record import Record
from awflow.state.store import Store
from awflow.subject import Code, Subject, condition_digests
from awflow.survey import Survey

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from typing import Any

    from awflow.backends.payload import Definition
    from awflow.backends.slurm.reconcile import Reconciliation
    from awflow.fingerprint import Fingerprint
    from awflow.job import Edge
    from awflow.state.grant import Grant
    from awflow.state.liveness import Evidence
    from awflow.state.view import State


PACE = 35.0  # seconds between two looks at the queue of a cluster while a run goes on: 18 at most in ten minutes


class Planner:
    """The jobs of one schedule, fingerprinted, with the store of their workflow."""

    def __init__(
        self,
        order: list[Job],
        given: Collection[Job],
        forced: Collection[Job],
        *,
        prune: bool,
        workflow: str | None,
        root: Any,
    ) -> None:
        self.place = place_of(order, workflow, root)
        self.store = Store(self.place.root, self.place.workflow, witness=self._witness)
        self._queue: Reconciliation | None = None
        self._pace = 0.0
        self.digests = self.store.digests()
        self.order = order
        self.prints = self._fingerprints(order)
        patterns: dict[object, Any] = {}
        self._codes = [Code(job, self.prints[job], condition_digests(job, self._fingerprinter), patterns) for job in order]
        if self._known.learned:
            self.digests.keep_codes(self._known.to_dict())
        self.names = self._names(order)
        self.subjects: list[Subject] = []
        self.lint = False  # whether tasks watch which files they use
        self._state: State | None = None
        self._given, self._forced, self._prune = set(given), set(forced), prune
        self.survey: Survey

    def _fingerprints(self, order: list[Job]) -> dict[Job, Fingerprint]:
        from awflow.fingerprint import Fingerprinter, Known
        from awflow.job import JobReference

        self._known = Known(self.digests.codes)
        self._fingerprinter = Fingerprinter(
            self.place.project, lambda value: isinstance(value, (Job, JobReference)), self._known
        )
        return {job: self._fingerprinter.function(job.function, ignore=job.options.ignore) for job in order}

    def _names(self, order: list[Job]) -> dict[Job, str]:
        names = unique_names(order, lambda job: self.prints[job].captured)
        names = {job: self.place.prefix + name for job, name in names.items()}
        for job, name in names.items():
            job.scheduled_as = (self.place.root, self.place.workflow, name)
        return names

    # -- planning ------------------------------------------------------------------------------------------------------

    def read(self, run: str = '') -> tuple[State, dict[int, str]]:
        """The state, and the claims in it whose owners are dead: evidence is gathered before the read that decides.

        In the name of a run it is also published what became of tasks that left the queue of a cluster.
        """
        state = self.store.read()
        while state.claims:
            evidence = self.store.evidence(state)
            if not (run and self._queue is not None and self.queue.settle(run, state)):
                dead = {number: found.why for number, found in evidence.items() if found.state == 'dead'}
                return self.store.read() if dead else state, dead
            state = self.store.read()
        return state, {}

    def settle(self, run: str, state: State) -> bool:
        """Publish what is known to have become of tasks that left the queue of a cluster; whether the state has moved."""
        return self._queue is not None and self.queue.settle(run, state, patient=False)

    def calm(self) -> None:
        """From now on the queue of a cluster is looked at now and then only."""
        self._pace = PACE
        if self._queue is not None:
            self._queue.pace = PACE

    @property
    def queue(self) -> Reconciliation:
        """What is to be known of claims in the queue of a cluster."""
        if self._queue is None:
            from awflow.backends.slurm.client import Slurm
            from awflow.backends.slurm.reconcile import Reconciliation

            self._queue = Reconciliation(self.store, Slurm(), self._pace)
        return self._queue

    def _witness(self, state: State, submitters: Mapping[int, Evidence]) -> Mapping[int, Evidence]:
        return self.queue.witness(state, submitters)

    def plan(self, state: State, dead: Mapping[int, str] | None = None) -> Plan:
        """What must run, as things are now."""
        self._refuse_own_ancestors()
        for entry in state.entries.values():
            refuse_foreign(self.place, entry.script)
        self.subjects = [
            Subject(number, job, self.names[job], code, state)
            for number, (job, code) in enumerate(zip(self.order, self._codes, strict=True))
        ]
        self._link()
        self._mark()
        self.survey = Survey(self.subjects, state, self.digests, self.store.layout.directory, dead or {})
        self.survey.sources = Sources(self._fingerprinter.excerpt, self.subjects, state)
        with Meanwhile():
            facts = self.survey.facts()
        return Plan(facts)

    def _link(self) -> None:
        numbers = {job: number for number, job in enumerate(self.order)}
        for subject in self.subjects:
            if subject.job.edges:
                subject.links = [self._linked(subject, edge, numbers[edge.job]) for edge in subject.job.edges]
        ancestry = Ancestry([[link.upstream for link in subject.links] for subject in self.subjects])
        for subject in self.subjects:
            subject.ancestry = ancestry

    def _linked(self, subject: Subject, edge: Edge, number: int) -> Link:
        upstream = self.subjects[number]
        partners = _partners(subject, upstream) if edge.each else None
        return Link(number, upstream.name, edge.status, partners)

    def _mark(self) -> None:
        """Who is scheduled, forced, and kept from pruning."""
        for subject in self.subjects:
            job = subject.job
            subject.scheduled = job in self._given
            subject.forced = job in self._forced
            subject.pruning = self._prune or job.pruned
        if not self._prune:
            for subject in reversed(self.subjects):  # a flag covers all that the job depends on
                if subject.pruning:
                    for link in subject.links:
                        self.subjects[link.upstream].pruning = True

    def _refuse_own_ancestors(self) -> None:
        """A task that waits for what its own ancestor executes would wait for ever."""
        ancestors = set(self.place.ancestors)
        for job in self.order if ancestors else ():
            if definition_site(job.function) in ancestors:
                raise CycleError('job {job!r} is scheduled by a task of its own, which would wait for itself', '', job=job.name)

    def confirm(self, state: State) -> None:
        """Keep how the files of big arrays look that hold what this state says."""
        if any(subject.big for subject in self.subjects):
            from awflow.confirming import confirm

            confirm(self.survey, state)

    def release(self) -> None:
        """Let go of all that served to plan. It refers to itself, so it would stay until the collector comes, which at the end
        of the process is slowed by every object that there still is.
        """
        self.__dict__.clear()

    def notes(self, plan: Plan) -> list[str]:
        """What the fingerprints warn of, for the jobs that run."""
        found = []
        for subject, planned in zip(self.subjects, plan.jobs, strict=True):
            if any(planned.mark):
                found += [f'{subject.name}: {note}' for note in self.prints[subject.job].notes]
        return list(dict.fromkeys(found))

    # -- publishing ----------------------------------------------------------------------------------------------------

    def adoptions(self, plan: Plan) -> list[Record]:
        """Records of the tasks that are taken as done although no record says so, or by other postconditions than it says."""
        records = []
        if self.survey.rechecked:
            from awflow.recheck import rechecks

            records = rechecks(self.survey, plan)
        for (number, row), outputs in self.survey.drafts.items():
            planned = plan.jobs[number]
            if planned.mark[row]:
                continue  # something above it runs after all
            subject = self.subjects[number]
            shared: dict[str, str] = {}
            own: dict[str, str] = {}
            for link in subject.links:
                target = shared if link.partners is None else own
                target[link.component] = plan.end_of(link, row).hex()
            records.append(Record(
                job=subject.name, task=subject.keys[row], final=True, outcome='succeeded', adopted=True,
                id=os.urandom(16).hex(), end=planned.facts.ends[row].hex(), code=subject.code, upstream=shared,
                started=time(), ended=time(),
                own=subject.own(row, self.survey.inputs(subject, row), own), outputs=outputs, note='adopted',
            ))  # fmt: skip
        return records

    def publish(
        self,
        run: str,
        plan: Plan,
        state: State,
        dead: Mapping[int, str],
        adopted: Iterable[Record],
        pids: Iterable[tuple[int, int]],
        tasks: dict[str, list[str]] | None = None,
        queue: dict[str, Any] | None = None,
    ) -> Grant | None:
        """Claim what the plan runs (or of it only `tasks`), adopt, and end the claims of the dead; None if others were faster.

        `queue` says in which cluster's queue the claim goes on without this process.
        """
        from awflow.explain import Account
        from awflow.state.liveness import myself

        tasks = plan.tasks() if tasks is None else tasks
        records = [record if record.run else record.replace(run=run) for record in adopted]
        touched = {*tasks, *(record.job for record in records)}
        codes = {s.code: s.components for s in self.subjects if s.name in touched}
        return self.store.publish(
            run=run, expected=state, tasks=tasks, records=records, codes=codes, dead=dead, script=self.place.script_name,
            sources=self.survey.sources.unknown(codes), reasons=Account.of_plan(plan).for_entry(),
            parent=self.place.parent, owner=myself(pids, self.store.proc), queue=queue,
        )  # fmt: skip

    def run_facts(
        self, run: str, plan: Plan, memory: int | None = None, timelimit: float | None = None
    ) -> dict[str, Any]:  # fmt: skip
        """Who runs what, when and with what. `memory` and `timelimit` are asked for by jobs that do not say."""
        from awflow.resources import asked_for

        packages: dict[str, str] = {}
        for print_ in self.prints.values():
            packages.update(print_.packages)
        working = [(s.name, s.job.options) for s, planned in zip(self.subjects, plan.jobs, strict=True) if any(planned.mark)]
        return {
            'run': run, 'time': time(), 'user': os.getuid(), 'host': os.uname().nodename, 'argv': sys.argv,
            'command': [sys.executable, *sys.orig_argv[1:]], 'prefix': sys.prefix, 'state': self.store.layout.root,
            'directory': os.getcwd(), 'python': sys.version.split()[0], 'packages': packages,
            'git': self.place.commit(), 'plan': plan.counts(), 'jobs': [*self.names.values()],
            'process': list(self._process()), 'parent': self.place.parent, 'asked': asked_for(working, memory, timelimit),
        }  # fmt: skip

    def _process(self) -> tuple[int, int]:
        """Pid and ticks of ours: what one process schedules, one after another, is one start of the script."""
        from awflow.state.liveness import myself

        owner = myself(proc=self.store.proc)
        return owner.pid, owner.ticks

    def note_run(self, facts: dict[str, Any]) -> None:
        """Write down a run, in a file of its own."""
        from awflow.declared import declared, lines_of

        path = self.store.layout.run_file(facts['run'])
        facts = {**facts, 'declared': declared(self.subjects)}
        os.makedirs(os.path.dirname(path), exist_ok=True)
        self.store.disk.create(path, lines_of(facts))

    def write_payload(self, path: str, plans: Mapping[str, bytes] | None = None) -> None:
        """What the tasks of this run are made of, and what their backend tells them besides."""
        from awflow.backends.payload import write

        os.makedirs(os.path.dirname(path), exist_ok=True)
        definitions = {}
        for subject in self.subjects:
            edges = [(self.subjects[link.upstream].name, link.status, link.partners is not None) for link in subject.links]
            definitions[subject.name] = _definition(subject.name, subject.job, edges)
        prints = dict(self.prints)
        for job in self._mentioned(prints):
            edges = [(edge.job.name, edge.status, edge.each) for edge in job.edges]
            definitions.setdefault(job.name, _definition(job.name, job, edges))
        modules = list({id(m): m for print_ in prints.values() for m in print_.modules}.values())
        write(path, definitions, sys_path=sys.path, cwd=os.getcwd(), script=self.place.script, modules=modules, plans=plans)

    def _mentioned(self, prints: dict[Job, Fingerprint]) -> list[Job]:
        """The jobs that functions refer to without being part of this schedule: a task may call or schedule them."""
        found: list[Job] = []
        todo = list(prints.values())
        while todo:
            for other, _ in todo.pop().jobs.values():
                for job in ordered([other]) if isinstance(other, Job) and other not in prints else ():
                    if job not in prints:
                        prints[job] = self._fingerprinter.function(job.function, ignore=job.options.ignore)
                        todo.append(prints[job])
                        found.append(job)
        return found


def _definition(name: str, job: Job, edges: list[tuple[str, str, bool]]) -> Definition:
    from awflow.backends.payload import Definition

    return Definition(
        name, job.function, array=job.array, before=job.before, after=job.postconditions, edges=edges, outputs=job.output_specs,
        inputs=job.input_specs, options=job.options, declares_outputs=job.declares_outputs, mode=job.mode,
    )  # fmt: skip


def _partners(subject: Subject, upstream: Subject) -> Sequence[int]:
    """The row of the upstream's element of the same key, for every element."""
    if subject.keys == upstream.keys or list(subject.keys) == list(upstream.keys):
        return range(len(subject.keys))
    rows = {key: row for row, key in enumerate(upstream.keys)}
    missing = [key for key in subject.keys if key not in rows]
    if missing:
        from awflow.errors import DefinitionError

        raise DefinitionError(
            'job {job!r} waits for each element of {upstream!r}, which does not have them all', 'Give both the same array.',
            job=subject.name, upstream=upstream.name, missing=', '.join(missing[:5]), site=subject.job.site,
        )  # fmt: skip
    return [rows[key] for key in subject.keys]
