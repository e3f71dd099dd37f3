"""What a survey found of the tasks of one job: what the plan is made of. Columns, with an element a task."""

from __future__ import annotations

from awflow.outcome import Ends

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any

    from awflow.reasons import Reason

FRESH_ROW, MISSING_ROW, OUTDATED_ROW, ELSEWHERE_ROW = range(4)  # of Facts.base: what is found of a task alone
SETTLED, TOLD = 1, 2  # of Facts.settled: fresh and like the others; not fresh, though the reasons are known already


def places_of(column: bytes | bytearray, value: int) -> Iterator[int]:
    """Where a column has this value."""
    row = column.find(value)
    while row >= 0:
        yield row
        row = column.find(value, row + 1)


class Link:
    """An edge by numbers: upstream job, status, and with `each` the partner row of every row."""

    __slots__ = ('name', 'partners', 'status', 'upstream')

    def __init__(self, upstream: int, name: str, status: str, partners: Sequence[int] | None) -> None:
        self.upstream = upstream
        self.name = name
        self.status = status
        self.partners = partners

    @property
    def component(self) -> str:
        """The name under which an identity holds the upstream's outcome."""
        return self.name if self.status == 'success' else f'{self.name}?{self.status}'


class Used:
    """The upstream outcomes that records name, by component, for the rows that have a record.

    Rows say it by themselves, or `settled` rows by a column of numbers into `contexts`; what those say beside that, if their
    edges go element by element, is asked of `alone`.
    """

    __slots__ = ('alone', 'by_row', 'column', 'contexts', 'settled')

    def __init__(self) -> None:
        self.by_row: dict[int, Mapping[str, str]] = {}
        self.settled: bytearray | None = None
        self.column: Sequence[int] = ()
        self.contexts: Mapping[int, Mapping[str, str]] = {}
        self.alone: Callable[[int], Mapping[str, str]] | None = None

    def __setitem__(self, row: int, used: Mapping[str, str]) -> None:
        self.by_row[row] = used

    def get(self, row: int, default: Any = None) -> Any:
        """Of a row; the default without a record."""
        found = self.by_row.get(row)
        if found is None and self.settled is not None and self.settled[row] == SETTLED:
            found = self.contexts[self.column[row]] if self.alone is None else self.alone(row)
        return default if found is None else found

    def examples(self, among: bytearray) -> Iterator[tuple[int, int]]:
        """Of the rows marked SETTLED, one for each number of a context, with that number."""
        first = among.find(SETTLED)
        if first >= 0 and len(self.contexts) == 1:
            yield first, self.column[first]
            return
        seen: set[int] = set()
        for row in places_of(among, SETTLED):
            if (number := self.column[row]) not in seen:
                seen.add(number)
                yield row, number


class Facts:
    """What a survey found of one job. Sequences have an element a task, in array order.

    Of `settled` rows (if it is not None) those marked SETTLED are fresh, and alike in all that the plan asks, but for the
    outcomes that they used.
    """

    __slots__ = (
        'base',
        'declares_outputs',
        'ends',
        'keys',
        'late',
        'links',
        'mode',
        'name',
        'never',
        'reasons',
        'scheduled',
        'settled',
        'used',
    )

    def __init__(self, name: str, keys: Sequence[str], links: Sequence[Link], mode: str) -> None:
        self.name = name
        self.keys = keys
        self.links = links
        self.mode = mode
        self.scheduled = False
        self.declares_outputs = False
        self.base = bytearray(len(keys))
        self.settled: bytearray | None = None
        self.ends = Ends(len(keys))  # the outcome on record, or of the adoption
        self.never: set[int] = set()  # rows of which nothing is on record
        self.reasons: dict[int, Sequence[Reason]] = {}
        self.late: dict[int, Sequence[Reason]] = {}  # differences that count only if no upstream runs: it may undo them
        self.used = Used()
