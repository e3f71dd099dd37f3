"""What `status` says, as data: the tasks of a job counted by outcome, and how far each live claim is."""

from __future__ import annotations

from awflow.cli.observed import RUNNING, WAITING
from awflow.state.liveness import DEAD, Owner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.cli.observed import Workflow
    from awflow.state.ledger import Entry
    from awflow.state.record import Record

ORDER = ('succeeded', 'failed', 'timeout', 'cancelled', 'crashed', RUNNING, WAITING, 'skipped', 'forgotten')


class Tally:
    """One job: its tasks by outcome, and the times of their last attempts.

    `unverified` counts successes that neither a postcondition nor an output vouches for. `ended` is seconds since the
    epoch, 0 if nothing has ended; `seconds` is the sum over tasks.
    """

    __slots__ = ('ended', 'job', 'outcomes', 'seconds', 'unverified')

    def __init__(self, workflow: Workflow, job: str) -> None:
        self.job = job
        self.outcomes: dict[str, int] = {}
        self.unverified = 0
        self.ended = 0.0
        self.seconds = 0.0
        rows = workflow.state.rows(job)
        for row in range(len(rows) if rows else 0):
            assert rows is not None, 'only rows are counted'
            self._count(workflow.outcome(rows, row))
            self._measure(rows.record(row))
        self._count(WAITING, len(workflow.waiting(job)))
        for key in workflow.dropped(job):
            self._count(workflow.gone[job, key])

    def _count(self, outcome: str, number: int = 1) -> None:
        if number:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number

    def _measure(self, record: Record) -> None:
        self.unverified += record.outcome == 'succeeded' and not vouched(record)
        self.ended = max(self.ended, record.ended)
        if record.ended:
            self.seconds += max(record.ended - record.started, 0.0)  # clocks are set back at times

    @property
    def tasks(self) -> int:
        """How many are known."""
        return sum(self.outcomes.values())

    def ordered(self) -> list[tuple[str, int]]:
        """Outcomes with their counts, in one order for all jobs."""
        rank = {outcome: place for place, outcome in enumerate(ORDER)}
        return sorted(self.outcomes.items(), key=lambda item: rank.get(item[0], len(rank)))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            'job': self.job, 'tasks': self.tasks, 'outcomes': dict(self.ordered()), 'unverified': self.unverified,
            'last_ended': self.ended or None, 'seconds': round(self.seconds, 3),
        }  # fmt: skip


def vouched(record: Record) -> bool:
    """Whether more than the function's return says that the task succeeded. Only what is vouched for gets adopted."""
    return bool(record.outputs) or record.adopted or any(check.get('when') == 'after' for check in record.checks)


class Progress:
    """One live claim: whose it is, whether they live, and what of it has ended or runs."""

    _FIELDS = ('number', 'run', 'host', 'state', 'why', 'since', 'total', 'done', 'running')
    __slots__ = ('done', 'host', 'number', 'run', 'running', 'since', 'state', 'total', 'why')

    def __init__(self, workflow: Workflow, number: int, claim: Entry) -> None:
        found = workflow.evidence[number]
        self.number = number
        self.run = claim.run
        self.host = Owner.from_dict(claim.owner).host if claim.owner else ''
        self.state = found.state
        self.why = found.why
        self.since = claim.time
        self.total = sum(len(claim.keys(job)) for job in claim.tasks)
        tasks = [(job, key) for job in claim.tasks for key in claim.keys(job)]
        self.done = sum(task in workflow.gone or workflow.state.finished(number, *task) for task in tasks)
        self.running = 0 if found.state == DEAD else len(workflow.state.started(number))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {name: getattr(self, name) for name in self._FIELDS}


def tallies(workflow: Workflow) -> list[Tally]:
    """Every job of a workflow."""
    return [Tally(workflow, job) for job in workflow.jobs()]


def progress(workflow: Workflow) -> list[Progress]:
    """Every live claim on which something is still to come, oldest first."""
    found = [Progress(workflow, number, claim) for number, claim in sorted(workflow.state.claims.items())]
    return [claim for claim in found if claim.state != DEAD or claim.done < claim.total]
