"""One workflow as it is now: its state, and what can be seen of the processes that work on it.

The ledger alone does not know of a run that was killed: its claim stands until the next run ends it. So what the state
calls running counts as crashed here if the owner of its claim is provably dead.
"""

from __future__ import annotations

from awflow.cli.keys import holds
from awflow.state.ledger import decode_keys
from awflow.state.liveness import DEAD
from awflow.state.store import Store
from awflow.state.table import natural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from awflow.state.ledger import Entry
    from awflow.state.liveness import Evidence
    from awflow.state.rows import Rows
    from awflow.state.view import State

RUNNING = 'running'
CRASHED = 'crashed'
BAD = ('failed', 'timeout', 'cancelled', CRASHED)
WAITING = 'waiting'  # claimed by a run that lives, without a record yet
NOT_STARTED = 'not started'  # a run planned it and ended without coming to it, and nothing is on record


class Workflow:
    """A state as read, with the evidence on the owners of its live claims.

    `looking` is for who neither changes nor unpickles anything: then it may be the state of another user.
    """

    __slots__ = ('_gone_of', 'evidence', 'gone', 'name', 'state', 'store', 'waits_for', 'with_planned')

    def __init__(self, root: str, name: str, looking: bool = False) -> None:
        self.name = name
        self.waits_for: dict[str, str] = {}  # Slurm's word for why a job waits, by id, if the queue was asked
        self._gone_of: tuple[object, dict[str, list[str]]] = (None, {})  # of which `gone` it is, and by job
        self.with_planned = False  # whether tasks count that were planned and never started
        self.store = Store(root, name, witness=self._in_queue, tell=_say, looking=looking)
        self.look()

    def look(self) -> None:
        """Read the state and gather the evidence, anew."""
        self.gone: dict[tuple[str, str], str] = {}  # tasks that nobody performs any more
        self.state = self.store.read()
        self.evidence = self.store.evidence(self.state)
        if any(found.state == DEAD for found in self.evidence.values()):
            self.state = self.store.read()  # it may have recorded its last tasks and ended in between
            self.evidence = {**self.store.evidence(self.state), **self.evidence}
        for number in self.state.claims:
            self.gone.update((task, fact['settled']) for task, fact in self.state.settlements(number).items())

    def _in_queue(self, state: State, submitters: Mapping[int, Evidence]) -> Mapping[int, Evidence]:
        """Of claims in the queue of a cluster. Slurm is asked only where the state alone looks as if something was over."""
        from awflow.backends.slurm.client import Slurm
        from awflow.backends.slurm.reconcile import Reconciliation, as_recorded, suspicious

        found = {number: as_recorded(state, number, known) for number, known in submitters.items()}
        doubtful = {number: submitters[number] for number in submitters if suspicious(state, number)}
        if doubtful:
            queue = Reconciliation(self.store, Slurm())
            found.update(queue.witness(state, doubtful))
            if queue.looked is not None:
                lines = queue.looked.lines.items()
                self.waits_for.update((job, line.reason) for job, line in lines if line.state == 'PENDING')
            for finding in queue.findings.values():
                self.gone.update((task, gone.called) for task, gone in finding.gone.items())
        return found

    def refresh(self) -> bool:
        """Look again; whether anything has changed."""
        state, known = self.store.read(), self.state
        if (state.last, state.floor, state.journals) == (known.last, known.floor, known.journals):
            evidence = self.store.evidence(known) if known.claims else {}
            if {n: found.state for n, found in evidence.items()} == {n: found.state for n, found in self.evidence.items()}:
                return False
        self.look()
        return True

    def jobs(self) -> list[str]:
        """Every job of which something is on record or claimed."""
        names = dict.fromkeys(self.state.jobs())
        for claim in self.working().values():
            names.update(dict.fromkeys(claim.tasks))
        names.update((job, None) for job, _ in self.gone)
        for of_jobs in self.state.all_reasons.values() if self.with_planned else ():
            names.update(dict.fromkeys(of_jobs))
        return list(names)

    def working(self) -> dict[int, Entry]:
        """The live claims whose owners are not known to be dead, by number."""
        return {number: claim for number, claim in self.state.claims.items() if self.evidence[number].state != DEAD}

    def keys(self, job: str) -> list[str]:
        """The tasks of a job: by number if all have one, else those on record, then those that wait for the first time."""
        rows = self.state.rows(job)
        known = [*(rows.keys if rows else ()), *self.waiting(job), *self.dropped(job)]
        keys = [*known, *self._planned(job, known)] if self.with_planned else known
        folded = rows.base.count if rows is not None and rows.base is not None else 0
        return keys if len(keys) == folded else _by_number(keys)  # a snapshot is in order

    def has(self, job: str, key: str) -> bool:
        """Whether a task is on record, or claimed by somebody who may live."""
        rows = self.state.rows(job)
        if rows is not None and rows.row(key) is not None:
            return True
        return any(holds(claim, job, key) for claim in self.working().values())

    def dropped(self, job: str) -> list[str]:
        """Tasks that were claimed and of which no record will come: they were skipped, or cancelled before they began."""
        rows = self.state.rows(job)
        return [key for key in self.gone_of(job) if rows is None or rows.row(key) is None]

    def gone_of(self, job: str) -> Sequence[str]:
        """The tasks of a job that nobody performs any more."""
        if self._gone_of[0] is not self.gone:
            by_job: dict[str, list[str]] = {}
            for name, key in self.gone:
                by_job.setdefault(name, []).append(key)
            self._gone_of = (self.gone, by_job)
        return self._gone_of[1].get(job, ())

    def _planned(self, job: str, known: Sequence[str]) -> list[str]:
        """The tasks that the last plan of a job had, and of which nothing is known."""
        numbers = [number for number, of_jobs in self.state.all_reasons.items() if job in of_jobs]
        groups = self.state.all_reasons[max(numbers)][job] if numbers else ()
        seen = set(known)
        return [key for keys, _, _ in groups for key in decode_keys(keys) if key not in seen]

    def waiting(self, job: str) -> Sequence[str]:
        """Tasks that are claimed and of which nothing is on record yet."""
        rows = self.state.rows(job)
        claimed = {key for claim in self.working().values() for key in claim.keys(job)}
        first = [key for key in claimed if (rows is None or rows.row(key) is None) and (job, key) not in self.gone]
        return sorted(first, key=lambda key: (len(key), key))

    def outcome(self, rows: Rows, row: int) -> str:
        """How the last attempt of a task ended, 'running' if it has not."""
        outcome = rows.outcome(row)
        if outcome:
            return outcome
        found = self.evidence.get(rows.generation(row))
        if (rows.job, rows.keys[row]) in self.gone:
            return CRASHED
        return CRASHED if found is not None and found.state == DEAD else RUNNING


def _say(text: str) -> None:
    """To whoever waits for a command."""
    import sys

    print(f'awflow: {text}', file=sys.stderr, flush=True)


def _by_number(keys: list[str]) -> list[str]:
    """In journals tasks stand as they were started, several at a time."""
    numbers = {key: number for key in keys if (number := natural(key)) is not None}
    return sorted(keys, key=numbers.__getitem__) if len(numbers) == len(keys) else keys
