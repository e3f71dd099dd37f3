"""One workflow as it is now: its state, and what can be seen of the processes that work on it.

The ledger alone does not know of a run that was killed: its claim stands until the next run ends it. So what the state
calls running counts as crashed here if the owner of its claim is provably dead.
"""

from __future__ import annotations

from awflow.state.liveness import DEAD
from awflow.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from awflow.state.ledger import Entry
    from awflow.state.rows import Rows

RUNNING = 'running'
CRASHED = 'crashed'
WAITING = 'waiting'  # claimed by a run that lives, without a record yet


class Workflow:
    """A state as read, with the evidence on the owners of its live claims."""

    __slots__ = ('evidence', 'name', 'state', 'store')

    def __init__(self, root: str, name: str) -> None:
        self.name = name
        self.store = Store(root, name)
        self.state = self.store.read()
        self.evidence = self.store.evidence(self.state)
        if any(found.state == DEAD for found in self.evidence.values()):
            self.state = self.store.read()  # it may have recorded its last tasks and ended in between
            self.evidence = {**self.store.evidence(self.state), **self.evidence}

    def jobs(self) -> list[str]:
        """Every job of which something is on record or claimed."""
        names = dict.fromkeys(self.state.jobs())
        for claim in self.working().values():
            names.update(dict.fromkeys(claim.tasks))
        return list(names)

    def working(self) -> dict[int, Entry]:
        """The live claims whose owners are not known to be dead, by number."""
        return {number: claim for number, claim in self.state.claims.items() if self.evidence[number].state != DEAD}

    def keys(self, job: str) -> list[str]:
        """The tasks of a job: those on record, then those that wait for the first time."""
        rows = self.state.rows(job)
        return [*(rows.keys if rows else ()), *self.waiting(job)]

    def waiting(self, job: str) -> Sequence[str]:
        """Tasks that are claimed and of which nothing is on record yet."""
        rows = self.state.rows(job)
        claimed = {key for claim in self.working().values() for key in claim.keys(job)}
        first = [key for key in claimed if rows is None or rows.row(key) is None]
        return sorted(first, key=lambda key: (len(key), key))

    def outcome(self, rows: Rows, row: int) -> str:
        """How the last attempt of a task ended, 'running' if it has not."""
        outcome = rows.outcome(row)
        if outcome:
            return outcome
        found = self.evidence.get(rows.generation(row))
        return CRASHED if found is not None and found.state == DEAD else RUNNING
