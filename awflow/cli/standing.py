"""How a workflow stands: its jobs in counts, who is at work, how long it may take. What `status` shows, as data."""

from __future__ import annotations

from awflow.cli.claims import progress
from awflow.cli.estimate import Remaining
from awflow.cli.jobs import Jobs
from awflow.cli.observed import BAD
from awflow.cli.tally import tallies
from awflow.state.table import OUTCOMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.cli.observed import Workflow
    from awflow.state.rows import Rows


class Standing:
    """One workflow at one moment. `now` is seconds since the epoch; durations of what is under way count up to it."""

    def __init__(self, workflow: Workflow, now: float, whole: bool = False) -> None:
        self.whole = whole  # whether each of many jobs is to be shown
        self.workflow = workflow
        self.name = workflow.name
        self.claims = progress(workflow)
        self.jobs = Jobs(workflow.store, workflow.state, workflow.jobs())
        self.tallies = tallies(workflow, self.jobs, self.claims)
        self.left: dict[int, Remaining] = {}
        self.at(now)

    def at(self, now: float) -> None:
        """The same a little later: only times have changed."""
        self.now = now
        by_job = {tally.job: tally for tally in self.tallies}
        self.left = {claim.number: Remaining(claim, by_job, self.jobs, now) for claim in self.claims}

    @property
    def working(self) -> bool:
        """Whether somebody who may live has something to do."""
        return any(not claim.dead and claim.done < claim.total for claim in self.claims)

    @property
    def bad(self) -> bool:
        """Whether tasks have ended, and not well."""
        return any(tally.outcomes.get(outcome) for tally in self.tallies for outcome in BAD)

    def left_of(self, job: str) -> float | None:
        """Seconds until a job has ended; None if nothing can be said."""
        found = [left.of[job] for left in self.left.values() if job in left.of]
        return max(found) if found else None

    def first_bad(self) -> str:
        """A task that did not end well, the first of the first job that has one."""
        from awflow.plan import task_name

        for tally in self.tallies:
            if any(tally.outcomes.get(outcome) for outcome in BAD):
                rows = self.workflow.state.rows(tally.job)
                row = _first_bad(self.workflow, rows) if rows is not None else None
                if rows is None or row is None:
                    return tally.job  # of those that left no record
                return task_name(tally.job, rows.keys[row])
        return ''

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        from awflow.cli.salvaged import damage_of

        return {
            'workflow': self.name,
            'jobs': [
                {**tally.to_dict(self.now), 'left_seconds': self.left_of(tally.job)} for tally in self.tallies
            ],
            'claims': [
                {**claim.to_dict(), 'left_seconds': left.seconds, 'left_is_least': left.least}
                for claim in self.claims for left in [self.left[claim.number]]
            ],
            'damage': self.workflow.state.damage, 'damaged': damage_of(self.workflow),
        }  # fmt: skip


def _first_bad(workflow: Workflow, rows: Rows) -> int | None:
    """The first row of a task that did not end well."""
    since = rows.briefs()
    found = [row for row, outcome in zip(since.names, since.outcome, strict=True) if outcome in BAD]
    found += [row for row in since.without_outcome() if workflow.outcome(rows, row) in BAD]
    column = bytes(rows.base.outcome) if rows.base is not None else b''
    for code in [code for code, outcome in enumerate(OUTCOMES) if outcome in BAD or not outcome]:
        row = column.find(code)
        while row >= 0 and (row in rows.over or workflow.outcome(rows, row) not in BAD):
            row = column.find(code, row + 1)
        found += [row] if row >= 0 else []
    return min(found, default=None)
