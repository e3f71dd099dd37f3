"""From a plan to what is submitted: which tasks share an `sbatch`, and what each waits for. Pure.

The problem. Slurm's dependencies say less than ours. `afterok` on an array is decided when the whole array has ended;
`aftercorr` pairs elements by number, and an element whose partner does not exist is cancelled; "," and "?" do not mix,
and with "?" a list of ids becomes alternatives too. And what Slurm has forgotten it takes for satisfied.

What this does. Native dependencies decide *when* a task starts, and end what can never start, without any process of
ours; they never decide *whether* it runs: on its node every task asks the records of its upstreams once more. So where
Slurm cannot say exactly what we mean it is told to wait for the end (`afterany`), and the task decides.

- The elements of jobs that are joined by `each` share their numbers, so that `aftercorr` pairs what belongs together.
  A job of which only some elements have partners that run is handed in as several pieces, one for each set of upstream
  pieces.
- An alternative ("?") must be a single id. Where it would be several, a *join* (a job that does nothing) waits for all.
- An array with numbers above the cluster's limit becomes several pieces, whose numbers start anew.
"""

from __future__ import annotations

from awflow.backends.slurm.manifest import spans
from awflow.plan import ELSEWHERE, IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final

    from awflow.facts import Link
    from awflow.frontier import Frontier
    from awflow.plan import Plan
    from awflow.subject import Subject

KINDS: Final = {'success': 'afterok', 'failure': 'afternotok', 'any': 'afterany'}


class Gate:
    """One condition of a piece: a kind of dependency, and on what: pieces, or ids of jobs that are in the queue.

    `exact`: once it holds the edge has said yes; otherwise the task is to find out.
    """

    __slots__ = ('exact', 'kind', 'refs')

    def __init__(self, kind: str, refs: Sequence[Piece | str], exact: bool = True) -> None:
        self.kind = kind
        self.refs = list(refs)
        self.exact = exact


class Piece:
    """What one `sbatch` hands in: rows of one job, the numbers of its elements, and its conditions.

    `indexes` has a number a row (with `batch` a number for every so many rows), or is None for a job without array.
    A join has no rows and belongs to no job.
    """

    __slots__ = ('batch', 'gates', 'id', 'indexes', 'job', 'mode', 'number', 'rows', 'throttle')

    def __init__(self, job: int, number: int, rows: Sequence[int], indexes: Sequence[int] | None, mode: str) -> None:
        self.job = job
        self.number = number  # within its job, or among the joins
        self.rows = rows
        self.indexes = indexes
        self.mode = mode
        self.gates: list[Gate] = []
        self.batch = 1
        self.throttle: int | None = None
        self.id = ''  # once it is handed in

    @property
    def upstream(self) -> list[Piece]:
        """The pieces whose ids it must know."""
        return [ref for gate in self.gates for ref in gate.refs if isinstance(ref, Piece)]

    def dependency(self) -> str:
        """The option for sbatch, '' if it waits for nothing."""
        joint = ',' if self.mode == 'all' else '?'
        terms = [':'.join([gate.kind, *(_id(ref) for ref in gate.refs)]) for gate in self.gates]
        return joint.join(dict.fromkeys(terms))

    def array(self) -> str:
        """The option for sbatch, '' for a job without array."""
        if self.indexes is None:
            return ''
        return spans(self.indexes) + (f'%{self.throttle}' if self.throttle else '')


def _id(ref: Piece | str) -> str:
    if isinstance(ref, Piece):
        assert ref.id, 'what is waited for is handed in first'
        return ref.id
    return ref


class Shape:
    """All pieces of a plan, upstream first."""

    def __init__(
        self,
        plan: Plan,
        frontier: Frontier,
        subjects: Sequence[Subject],
        limit: int,
        foreign: Callable[[int, Sequence[int]], tuple[list[str], bool]],
    ) -> None:
        self.plan = plan
        self.frontier = frontier
        self.subjects = subjects
        self.limit = limit  # numbers of elements are below it
        # The ids of the jobs in the queue that perform these rows for another run, and whether they perform nothing else.
        self.foreign = foreign
        self.pieces: list[Piece] = []
        self.of: list[list[Piece]] = [[] for _ in subjects]  # by job
        self._home: list[dict[int, Piece]] = [{} for _ in subjects]  # the piece of every row that is handed in
        self._ready = frozenset(frontier.ready)
        self._mine = self._ready | frontier.waiting
        self._numbers: list[Sequence[int]] = []
        for number in range(len(subjects)):
            self._numbers.append(self._numbered(number))
            self._cut(number)

    def rows(self, number: int) -> list[int]:
        """The rows of a job that are to be handed in."""
        return [row for row in self.plan.jobs[number].rows(IN) if (number, row) in self._mine]

    # -- elements and their numbers ------------------------------------------------------------------------------------

    def _numbered(self, number: int) -> Sequence[int]:
        """The number of every row: of the partner, if there is one that has it."""
        for link in self.subjects[number].links:
            if link.partners is not None and link.status == 'success':
                upstream = self._numbers[link.upstream]
                return [upstream[partner] for partner in link.partners]
        return range(len(self.subjects[number].keys))

    def _paired(self, number: int, link: Link) -> bool:
        """Whether Slurm can pair the elements of this edge: one number on both sides, one task an element."""
        if link.partners is None or link.status != 'success':
            return False
        upstream = self.subjects[link.upstream]
        if (
            self.subjects[number].job.options.batch > 1
            or upstream.job.options.batch > 1
            or self.subjects[number].job.mode == 'any'
        ):
            return False
        mine, theirs = self._numbers[number], self._numbers[link.upstream]
        return all(mine[row] == theirs[partner] for row, partner in enumerate(link.partners))

    def _cut(self, number: int) -> None:
        """The pieces of a job: rows that have their upstream pieces in common, below the limit of numbers."""
        subject = self.subjects[number]
        paired = [link for link in subject.links if self._paired(number, link)]
        groups: dict[tuple[object, ...], list[int]] = {}
        for row in self.rows(number):
            ready = (number, row) in self._ready
            homes = () if ready else (self._home[link.upstream].get(_partner(link, row)) for link in paired)
            groups.setdefault((self._numbers[number][row] // self.limit, ready, *homes), []).append(row)
        for (_, at_once, *_), rows in groups.items():
            piece = self._piece(number, rows)
            if subject.job.options.throttle:
                piece.throttle = max(1, subject.job.options.throttle // len(groups))
            if not at_once:
                self._gate(piece, paired)
            self._home[number].update(dict.fromkeys(rows, piece))
            self.of[number].append(piece)
            self.pieces.append(piece)

    def _piece(self, number: int, rows: list[int]) -> Piece:
        subject = self.subjects[number]
        place = len(self.of[number])
        if subject.job.array is None:
            return Piece(number, place, rows, None, subject.job.mode)
        batch = subject.job.options.batch
        if batch == 1:
            rows.sort(key=lambda row: self._numbers[number][row])
            indexes: Sequence[int] = [self._numbers[number][row] % self.limit for row in rows]
        else:
            indexes = range(-(-len(rows) // batch))
        piece = Piece(number, place, rows, indexes, subject.job.mode)
        piece.batch = batch
        return piece

    # -- conditions ----------------------------------------------------------------------------------------------------

    def _gate(self, piece: Piece, paired: list[Link]) -> None:
        """What a piece waits for: of the edges that are still open, as Slurm can say it."""
        gates = [gate for link in self.subjects[piece.job].links if (gate := self._of_link(piece, link, link in paired))]
        if piece.mode == 'any' and not all(gate.exact for gate in gates):
            piece.mode = 'all'  # the first that ends would start it, and it could not tell yet whether it may
            gates = [Gate('afterany', gate.refs) for gate in gates]
        piece.gates = [self._single(gate) for gate in gates] if piece.mode == 'any' and len(gates) > 1 else gates

    def _of_link(self, piece: Piece, link: Link, paired: bool) -> Gate | None:
        """None if the edge is decided: had it said no to a job that waits for all, there would be no such piece."""
        if link.partners is not None:
            refs, _ = self._awaited(link, {_partner(link, row) for row in piece.rows})
            exact = paired and len(refs) == 1 and isinstance(refs[0], Piece)
            return Gate('aftercorr' if exact else 'afterany', refs, exact) if refs else None
        if self.frontier.succeeded(link, piece.rows[0]) is not None:
            return None
        refs, alone = self._awaited(link, None)
        if self.frontier.failed(link.upstream) or not alone:
            return Gate('afterany', refs, exact=False)  # it has failed in part, or what else is in it may; the task decides
        if link.status == 'failure' and len(refs) > 1:
            return Gate('afternotok', [self._join('afterok', refs)])
        return Gate(KINDS[link.status], refs)

    def _awaited(self, link: Link, wanted: set[int] | None) -> tuple[list[Piece | str], bool]:
        """What must have ended before an edge is decided, and whether that is all there is in it; of an upstream only some
        rows may be `wanted`.
        """
        foreign = [row for row in self.plan.jobs[link.upstream].rows(ELSEWHERE) if wanted is None or row in wanted]
        if wanted is None:
            pieces = self.of[link.upstream]
        else:
            home = self._home[link.upstream]
            pieces = list(dict.fromkeys(home[row] for row in sorted(wanted) if row in home))
        ids, alone = self.foreign(link.upstream, foreign) if foreign else ([], True)
        return [*pieces, *ids], alone

    def _single(self, gate: Gate) -> Gate:
        """The same condition on one id."""
        if len(gate.refs) == 1:
            return gate
        return Gate(gate.kind, [self._join('afterany' if gate.kind == 'afterany' else 'afterok', gate.refs)])

    def _join(self, kind: str, refs: Sequence[Piece | str]) -> Piece:
        join = Piece(-1, sum(piece.job < 0 for piece in self.pieces), [], None, 'all')
        join.gates = [Gate(kind, refs)]
        self.pieces.append(join)
        return join


def _partner(link: Link, row: int) -> int:
    assert link.partners is not None, 'only edges of `each` have partners'
    return link.partners[row]
