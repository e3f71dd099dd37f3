"""How the upstreams of a task ended, found on its node from the records alone.

That Slurm lets a task start proves little: an id that it has forgotten satisfies every dependency, and a job whose
process was killed has ended too. So each upstream's outcome is read from the state: the final record under this claim, or
a note that it was settled without one. A task that neither has may never have been meant to run, as its own edges said
no; that follows from *its* upstreams, so the question is passed on upwards. What remains open is on its way from another
host, or lost.
"""

from __future__ import annotations

from awflow.backends.slurm import manifest
from awflow.edges import answer, decide
from awflow.outcome import UNKNOWN, job_end, skipped_end

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from awflow.backends.slurm.manifest import Manifest
    from awflow.state.rows import Rows
    from awflow.state.view import State

    End = tuple[bool | None, bytes]  # succeeded (None: not known), outcome


class Edge:
    """An edge of a manifest: where it leads, what it asks for, and the partner of every row with `each`."""

    __slots__ = ('component', 'each', 'partners', 'status', 'upstream')

    def __init__(self, upstream: str, status: str, component: str, partners: Sequence[int] | None) -> None:
        self.upstream = upstream
        self.status = status
        self.component = component
        self.partners = partners
        self.each = partners is not None

    def partner(self, row: int) -> int:
        """The upstream's row that a row waits for."""
        assert self.partners is not None, 'only edges of `each` have partners'
        return self.partners[row]


class Cone:
    """What is above a task, as one look at the state shows it."""

    def __init__(
        self,
        claim: int,
        manifest_of: Callable[[str], Manifest],
        state: State,
        ended: Callable[[int, State], Mapping[tuple[str, str], Mapping[str, Any]]],
        lost: frozenset[tuple[str, str]] = frozenset(),
    ) -> None:
        self.claim = claim
        self.manifest_of = manifest_of
        self.state = state
        self.ended = ended  # what became of tasks of a claim that has ended, where no record says so
        self.open: dict[tuple[str, str], None] = {}  # tasks of whose end nothing is known
        self.lost = lost  # those that count as not having succeeded all the same
        self._tasks: dict[tuple[str, int], End] = {}
        self._jobs: dict[str, End] = {}

    def answers(self, of: Manifest, row: int) -> list[bool | None]:
        """What the edges of a task say."""
        return [answer(edge.status, self.end(edge, row)[0]) for edge in edges(of)]

    def decision(self, of: Manifest, row: int) -> bool | None:
        """Whether a task starts; None as long as that is open."""
        return decide(of.head['mode'], self.answers(of, row))

    def outcomes(self, of: Manifest, row: int) -> tuple[dict[str, str], dict[str, str]]:
        """The outcomes that count for a task which starts now: shared by its job, and its own (`each`)."""
        shared: dict[str, str] = {}
        own: dict[str, str] = {}
        for edge in edges(of):
            succeeded, end = self.end(edge, row)
            if of.head['mode'] == 'any' and answer(edge.status, succeeded) is not True:
                continue
            (own if edge.each else shared)[edge.component] = end.hex()
        return shared, own

    def skipped(self, of: Manifest, row: int) -> bytes:
        """The outcome of a task whose edges say no."""
        return skipped_end([self.end(edge, row)[1] for edge in edges(of)])

    def end(self, edge: Edge, row: int) -> End:
        """How the upstream of an edge ended, for one row."""
        return self.task(edge.upstream, edge.partner(row)) if edge.each else self.job(edge.upstream)

    def job(self, name: str) -> End:
        """How all elements of a job ended together."""
        if name not in self._jobs:
            ends = [self.task(name, row) for row in range(self.manifest_of(name).count)]
            succeeded = [end[0] for end in ends]
            self._jobs[name] = None if None in succeeded else all(succeeded), job_end([end[1] for end in ends])
        return self._jobs[name]

    def task(self, name: str, row: int) -> End:
        """How one task ended."""
        if (name, row) not in self._tasks:
            self._tasks[name, row] = self._found(self.manifest_of(name), row)
        return self._tasks[name, row]

    def record_end(self, of: Manifest, row: int, least: int) -> End | None:
        """What its record says, if that is of a claim not below `least`."""
        rows: Rows | None = self.state.rows(of.job)
        known = rows.row(of.key(row)) if rows is not None else None
        if rows is None or known is None or rows.generation(known) < least or not rows.final(known):
            return None
        return rows.outcome(known) == 'succeeded', rows.end(known)

    def _found(self, of: Manifest, row: int) -> End:
        stands = of.stands(row)
        if stands == manifest.DONE:
            return True, of.end(row)
        if stands == manifest.OPEN:
            return False, of.end(row)
        claim = self.claim if stands != manifest.ELSEWHERE else int(of.head['claims'].get(str(row), 0))
        found = self.record_end(of, row, claim) or self._settled(of, row, stands, claim)
        if found is not None:
            return found
        if (of.job, of.key(row)) in self.lost:
            return False, UNKNOWN
        self.open[of.job, of.key(row)] = None
        return None, UNKNOWN

    def _settled(self, of: Manifest, row: int, stands: str, claim: int) -> End | None:
        task = of.job, of.key(row)
        for number in self.state.claims:
            fact = self.state.settlements(number).get(task)
            if fact is not None and (number == claim or (stands == manifest.ELSEWHERE and number > claim)):
                return fact['settled'] == 'unchanged', bytes.fromhex(fact.get('end', '')) or UNKNOWN
        if stands == manifest.ELSEWHERE:
            return self._ended_elsewhere(of, row, claim) if self.state.owner_of(*task) is None else None
        if of.head['links'] and self.decision(of, row) is False:
            return False, self.skipped(of, row)
        return None

    def _ended_elsewhere(self, of: Manifest, row: int, claim: int) -> End | None:
        """Of a task whose claim has ended without a record of it: what the end of the claim tells."""
        fact = self.ended(claim, self.state).get((of.job, of.key(row)))
        if fact is not None and fact['settled'] != 'unchanged':
            return False, bytes.fromhex(fact.get('end', '')) or UNKNOWN
        return self.record_end(of, row, 0)


def edges(of: Manifest) -> Iterator[Edge]:
    """The edges of a job."""
    return (Edge(*link) for link in of.head['links'])
