"""What `awflow clean` would do to one workflow, as data: a verdict on every live claim, and the files that may go.

Nothing here changes anything. What is applied is decided anew at that moment (mend.py), and is never more than was shown.
"""

from __future__ import annotations

import os

from awflow.cli.observed import Workflow
from awflow.errors import InFlightError, StateError
from awflow.plan import task_name
from awflow.state.liveness import ALIVE, DEAD, SUSPECT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Any

    from awflow.backends.slurm.reconcile import Finding, Reconciliation
    from awflow.cli.litter import Removal
    from awflow.state.ledger import Entry
    from awflow.state.liveness import Evidence
    from awflow.state.view import State

    Task = tuple[str, str]

END, BREAK, SETTLE, LEAVE = 'end', 'break', 'settle', 'leave'


class Options:
    """What was asked for: whether partial outputs and what belongs to lost jobs go, how old is old (seconds), whose claims
    are to be broken. `asked` keeps what scripts have answered: they are started once.
    """

    __slots__ = ('asked', 'force', 'older', 'orphans', 'outputs')

    def __init__(
        self, outputs: bool = False, orphans: bool = False, older: float | None = None, force: Collection[str] = ()
    ) -> None:
        self.outputs = outputs
        self.orphans = orphans
        self.older = older
        self.force = tuple(force)
        self.asked: dict[str, tuple[set[str], str]] = {}


class Scene(Workflow):
    """A workflow with the evidence that counts: of claims in the queue of a cluster, the queue is asked."""

    __slots__ = ('queue',)

    def __init__(self, root: str, name: str, looking: bool = False) -> None:
        self.queue: Reconciliation | None = None
        super().__init__(root, name, looking)

    def _in_queue(self, state: State, submitters: Mapping[int, Evidence]) -> Mapping[int, Evidence]:
        from awflow.backends.slurm.reconcile import Reconciliation
        from awflow.cli.queue import Impatient

        if self.queue is None:
            self.queue = Reconciliation(self.store, Impatient(), pace=30.0)
        found = self.queue.witness(state, submitters)
        for finding in self.queue.findings.values():
            self.gone.update((task, gone.called) for task, gone in finding.gone.items())
        return found

    def look_again(self) -> None:
        """Wait until tasks that left the queue without a word can be told to be gone."""
        if self.queue is not None and any(finding.missing for finding in self.queue.findings.values()):
            self.queue.look_again(self.state)
            for number, finding in self.queue.findings.items():
                self.evidence[number] = finding.evidence
                self.gone.update((task, gone.called) for task, gone in finding.gone.items())
            self.state = self.store.read()

    def finding(self, number: int) -> Finding | None:
        """What the queue says of a claim."""
        return self.queue.findings.get(number) if self.queue is not None else None


class Verdict:
    """One live claim: what is known of its owner, and what is to be done about it.

    `crashed` are tasks that had begun and of which no end will come, `told` those whose end the queue of a cluster knows,
    with outcome and words; `open` is how many tasks have not begun; `sign` when something was last recorded under it.
    """

    _FIELDS = ('number', 'run', 'user', 'host', 'state', 'why', 'action', 'since', 'sign', 'total', 'ended', 'open')
    __slots__ = (*_FIELDS, 'claim', 'crashed', 'jobs', 'missing', 'told')

    def __init__(self, scene: Scene, number: int, claim: Entry, forced: bool) -> None:
        found = scene.evidence[number]
        owner = claim.owner or {}
        self.claim = claim
        self.number = number
        self.run = claim.run
        self.user = claim.user
        self.host = str(owner.get('host', ''))
        self.jobs = list(claim.tasks)
        self.state = found.state
        self.why = found.why
        self.since = claim.time
        self.sign = last_sign(scene, number, claim) if found.state != DEAD else 0.0
        self.total = sum(len(claim.keys(job)) for job in claim.tasks)
        finding = scene.finding(number)
        self.missing = len(finding.missing) if finding is not None else 0  # tasks that may have left the queue
        self.told = _told(scene, number)
        begun = [(record.job, record.task) for record in scene.state.started(number)]
        self.crashed = [task for task in begun if task not in self.told]
        settled = len(scene.state.settlements(number))
        self.ended = _ended(scene.state, number, claim) + settled
        self.open = max(self.total - self.ended - len(begun), 0)
        self.action = self._action(forced)
        if self.action in (LEAVE, SETTLE):
            self.crashed = []

    def _action(self, forced: bool) -> str:
        if self.state == DEAD:
            return END
        if forced and self.state == SUSPECT:
            return BREAK
        return SETTLE if self.told else LEAVE

    @property
    def ends(self) -> bool:
        """Whether the claim is to be ended."""
        return self.action in (END, BREAK)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = [{'task': task_name(*task), 'outcome': how, 'why': why} for task, (how, why) in self.told.items()]
        crashed = [{'task': task_name(*task), 'outcome': 'crashed', 'why': self.why} for task in self.crashed]
        fields = {name: getattr(self, name) for name in self._FIELDS}
        return {**fields, 'sign': self.sign or None, 'recorded': [*crashed, *told]}


class Cleaning:
    """All that would be done to one workflow."""

    __slots__ = ('blocked', 'notes', 'removals', 'scene', 'verdicts')

    def __init__(self, scene: Scene, options: Options, patient: bool = False) -> None:
        from awflow.cli.litter import litter
        from awflow.cli.queue import blocked

        if patient:
            scene.look_again()
        self.scene = scene
        self.notes: list[str] = []  # what could not be found out, and what is worth knowing
        forced = {number for job in options.force for number in _forced(scene, job)}
        self.verdicts = [
            Verdict(scene, number, claim, number in forced) for number, claim in sorted(scene.state.claims.items())
        ]
        self.blocked = blocked(scene, {verdict.number for verdict in self.verdicts if verdict.ends})
        ended = {verdict.number for verdict in self.verdicts if verdict.ends}
        self.removals: list[Removal] = litter(scene, options, ended, self.notes)
        if options.outputs:
            from awflow.cli.partial import partial_outputs

            self.removals += partial_outputs(scene, self.notes)
        if scene.state.damage:
            number = len(scene.state.damage)
            lines = '1 line of a journal is no record' if number == 1 else f'{number} lines of journals are no records'
            self.notes.append(f'{lines}: a killed writer left half of it; no harm')

    def __bool__(self) -> bool:
        return bool(self.removals or self.blocked or any(verdict.action != LEAVE for verdict in self.verdicts))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            'workflow': self.scene.name,
            'claims': [verdict.to_dict() for verdict in self.verdicts],
            'cancel': [{'job': job, 'why': why} for job, why in self.blocked.items()],
            'remove': [removal.to_dict() for removal in self.removals],
            'notes': self.notes,
        }


def last_sign(scene: Workflow, number: int, claim: Entry) -> float:
    """When something was last recorded under a claim, as the filesystem says; the claim itself is the first of it."""
    times = [claim.time]
    for name in scene.state.journals.get(number, ()):
        try:
            times.append(os.stat(os.path.join(scene.store.layout.ledger, name)).st_mtime)
        except OSError:  # noqa: PERF203  it was folded meanwhile
            continue
    return max(times)


def _told(scene: Scene, number: int) -> dict[Task, tuple[str, str]]:
    """Tasks of a queued claim that left the queue: how they are going to be recorded."""
    from awflow.backends.slurm.reconcile import begun_record, in_words, peak_of

    finding = scene.finding(number)
    found: dict[Task, tuple[str, str]] = {}
    for task, gone in (finding.gone if finding is not None else {}).items():
        begun = begun_record(scene.state, number, task)
        outcome, _, words = in_words(gone, begun, peak_of(scene.state, number, task))
        found[task] = (outcome if begun is not None or outcome not in ('cancelled', 'skipped') else gone.called, words)
    return found


def _ended(state: State, number: int, claim: Entry) -> int:
    """How many tasks of a live claim have a final record of that claim or a later entry; a pass over what came since."""
    count = 0
    for job in claim.tasks:
        rows, keys = state.rows(job), claim.keys(job)
        if rows is None:
            continue
        known = rows.keys
        for row, generation, final in rows.briefs().ends():
            count += final and generation >= number and known[row] in keys
        if rows.base is not None and max(rows.base.generation, default=0) >= number:
            count += sum(
                rows.generation(row) >= number and rows.final(row) and known[row] in keys
                for row in range(rows.base.count) if row not in rows.over
            )  # fmt: skip
    return count


def _forced(scene: Scene, job: str) -> list[int]:
    """The claims on a job that may be broken; an error if there is none, or if the owner of one lives."""
    covering = [number for number, claim in scene.state.claims.items() if job in claim.tasks]
    alive = [number for number in covering if scene.evidence[number].state == ALIVE]
    if alive:
        raise InFlightError(
            'the claim on {job!r} is not broken: its run lives', 'Wait until it has ended, or stop it: awflow cancel {job}',
            job=job, run=scene.state.claims[alive[0]].run, evidence=scene.evidence[alive[0]].why,
        )  # fmt: skip
    return covering


def refuse_unknown(scenes: Sequence[Scene], jobs: Collection[str]) -> None:
    """StateError if nobody has claimed one of these jobs, or if that is so in several workflows."""
    claimed = {scene.name: {job for claim in scene.state.claims.values() for job in claim.tasks} for scene in scenes}
    for job in jobs:
        found = [name for name, of_workflow in claimed.items() if job in of_workflow]
        if len(found) > 1:
            raise StateError(
                'several workflows have {_job}', 'Say which with --workflow.', workflows=', '.join(found), _job=job
            )
        if not found:
            raise StateError(
                'no claim on {_job!r} is to be broken: nobody has claimed it', 'Name a job, without a value.',
                claimed=', '.join(sorted({job for found in claimed.values() for job in found})) or 'nothing', _job=job,
            )  # fmt: skip
