"""Who is at work: for each live claim how far it is, what runs under it and where, what waits in a queue and why."""

from __future__ import annotations

from awflow.cli.keys import number_of, number_on_record
from awflow.plan import task_name
from awflow.state.liveness import DEAD, Owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from awflow.cli.observed import Workflow
    from awflow.state.ledger import Entry
    from awflow.state.record import Record
    from awflow.state.rows import Rows


class Share:
    """What one claim has to do with one job: how many tasks, how many of them are `done`, and the records of those that run."""

    __slots__ = ('done', 'job', 'running', 'total')

    def __init__(self, workflow: Workflow, number: int, claim: Entry, job: str) -> None:
        self.job = job
        self.total = number_of(claim.tasks[job])
        self.running: list[Record] = []
        self.done = 0
        rows = workflow.state.rows(job)
        counted: set[str] = set()
        if rows is not None:
            keys, gone = rows.keys, workflow.gone
            for row, generation, final in self._not_over(rows, number, claim, workflow):
                over = final or (job, keys[row]) in gone
                if not over and generation == number:
                    self.running.append(rows.record(row))
                elif over or workflow.state.finished(number, job, keys[row]):
                    self.done += 1
                    counted.add(keys[row])
        self.done += sum(key not in counted and claim.covers(job, key) for key in workflow.gone_of(job))

    def _not_over(self, rows: Rows, number: int, claim: Entry, workflow: Workflow) -> Iterable[tuple[int, int, bool]]:
        """The records that must be looked at one by one. Where nothing is gone, ends under the claim are counted at once."""
        since = rows.briefs()
        found = list(since.ends())
        if not workflow.gone:
            found = [(row, generation, final) for row, generation, final in found if not final or generation != number]
            self.done = len(since) - len(found)
        return _newer(rows, number, claim, workflow.state.floor, found)

    @property
    def open(self) -> int:
        """How many have not ended."""
        return self.total - self.done


def _newer(
    rows: Rows, number: int, claim: Entry, floor: int, since: Iterable[tuple[int, int, bool]]
) -> Iterator[tuple[int, int, bool]]:
    """The records of a claim's tasks that are its own, or of later entries: row, generation, whether it is final. A snapshot
    has none of a live claim's own; `since` are those that came after it.
    """
    for row, generation, final in since:
        if generation == number or (generation > number and claim.covers(rows.job, rows.keys[row])):
            yield row, generation, final
    if rows.base is not None and floor > number:
        for row, generation in enumerate(rows.base.generation):
            if generation > number and row not in rows.over and claim.covers(rows.job, rows.keys[row]):
                yield row, generation, rows.final(row)


class Progress:
    """One live claim: whose it is, whether they live, and what of it has ended, runs and waits. Times are since the epoch."""

    _FIELDS = ('number', 'run', 'host', 'pid', 'state', 'why', 'since', 'cluster', 'total', 'done', 'waiting')
    __slots__ = ('_workflow', 'claim', 'cluster', 'host', 'number', 'pid', 'run', 'shares', 'since', 'state', 'why')

    def __init__(self, workflow: Workflow, number: int, claim: Entry) -> None:
        found = workflow.evidence[number]
        owner = Owner.from_dict(claim.owner) if claim.owner else None
        self._workflow = workflow
        self.claim = claim
        self.number = number
        self.run = claim.run
        self.host = owner.host if owner else ''
        self.pid = owner.pid if owner else 0
        self.state = found.state
        self.why = found.why
        self.since = claim.time
        queue = (claim.owner or {}).get('queue')
        self.cluster: str | None = str(queue.get('cluster', '')) if queue else None  # in whose queue it goes on
        self.shares = [Share(workflow, number, claim, job) for job in claim.tasks]

    @property
    def dead(self) -> bool:
        """Whether nobody works on it any more."""
        return self.state == DEAD

    @property
    def total(self) -> int:
        return sum(share.total for share in self.shares)

    @property
    def done(self) -> int:
        return sum(share.done for share in self.shares)

    @property
    def running(self) -> list[Record]:
        """The records of what runs, longest first."""
        if self.dead:
            return []
        return sorted((record for share in self.shares for record in share.running), key=lambda record: record.started)

    @property
    def waiting(self) -> int:
        return 0 if self.dead else self.total - self.done - sum(len(share.running) for share in self.shares)

    def queued(self) -> Iterator[dict[str, Any]]:
        """What was handed in to Slurm and still has tasks that wait: its job, the id, and why it waits if Slurm was asked."""
        from awflow.backends.slurm.handed import Handed

        if self.cluster is None or self.dead:
            return
        open_of = {share.job: share.open - len(share.running) for share in self.shares}
        handed = Handed.ids_of(self._workflow.state.facts(self.number))
        for (job, _), identity in handed.items():
            if open_of.get(job):
                reason = self._workflow.waits_for.get(identity, '')
                yield {'job': job, 'slurm': identity, 'reason': reason, 'waiting': open_of[job]}

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            **{name: getattr(self, name) for name in self._FIELDS}, 'running': len(self.running),
            'in_flight': [in_flight(record, self.host) for record in self.running], 'queued': list(self.queued()),
        }  # fmt: skip


def in_flight(record: Record, host: str) -> dict[str, Any]:
    """What is known of a task that runs; `host` is its run's."""
    return {
        'task': task_name(record.job, record.task), 'job': record.job, 'key': record.task, 'since': record.started,
        'host': record.host or host, 'pid': record.pid or None, 'slurm': record.slurm, 'attempt': list(record.attempt),
    }  # fmt: skip


def progress(workflow: Workflow) -> list[Progress]:
    """Every live claim on which something is still to come, oldest first."""
    found = [Progress(workflow, number, claim) for number, claim in sorted(workflow.state.claims.items())]
    return [claim for claim in found if not claim.dead or claim.done < claim.total]


def open_tasks(claims: Sequence[Progress]) -> dict[str, int]:
    """By job how many tasks are claimed by somebody who may live, and have not ended."""
    found: dict[str, int] = {}
    for claim in claims:
        for share in claim.shares if not claim.dead else ():
            found[share.job] = found.get(share.job, 0) + share.open
    return found


def waiting(workflow: Workflow, job: str) -> int:
    """How many tasks of a job are claimed and have nothing on record yet."""
    rows = workflow.state.rows(job)
    found = 0
    for number, claim in workflow.working().items():
        if job in claim.tasks:
            found += number_of(claim.tasks[job])
            found -= number_on_record(claim.tasks[job], rows, number) if rows is not None else 0
    return found - len(workflow.dropped(job)) if found else 0
