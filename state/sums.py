"""What the records of a block come to: counts and times that people ask for of all tasks at once.

They lie in the compressed part of a snapshot, and unpacking 100,000 records to add up three numbers of each takes a second. So
each block keeps what its records come to, one `Sum` for each generation among them; a block that is copied keeps its own.
"""

from __future__ import annotations

from awflow.state.record import vouched as vouched
from awflow.state.table import BLOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from awflow.state.briefs import Briefs
    from awflow.state.record import Record
    from awflow.state.rows import Rows


class Sum:
    """Of the records of one generation: how many `ended`, `succeeded` after having been executed, and are `unverified`, that
    is, succeeded without anything that vouches for it; the `first` start and the `last` end, seconds since the epoch, 0 if
    there is none; `seconds` that all took, and the `median` of those that succeeded; the highest `rss`, bytes.
    """

    __slots__ = ('ended', 'first', 'last', 'median', 'rss', 'seconds', 'succeeded', 'unverified')

    ended: int
    succeeded: int
    unverified: int
    first: float
    last: float
    seconds: float
    median: float
    rss: int

    def __init__(self, told: Sequence[Any]) -> None:
        for name, value in zip(_WRITTEN, told, strict=False):
            setattr(self, name, value)

    def to_list(self) -> list[Any]:
        return [getattr(self, name) for name in _WRITTEN]


_WRITTEN = ('ended', 'succeeded', 'unverified', 'first', 'last', 'seconds', 'median', 'rss')


def summed(records: Iterable[Record]) -> dict[int, Sum]:
    """What records come to, by generation."""
    from awflow.state.briefs import Briefs

    found = Briefs()
    told = list(records)
    found.add(range(len(told)), told)
    return {number: _sum(each) for number, each in found.by_generation()}


def _sum(briefs: Briefs) -> Sum:
    """In one pass: of a big run that goes on a hundred thousand are added up at each look."""
    unverified = 0
    first, seconds = float('inf'), 0.0
    good: list[float] = []
    columns = (briefs.outcome, briefs.started, briefs.ended, briefs.vouched, briefs.adopted)
    for outcome, started, end, sure, adopted in zip(*columns, strict=True):
        succeeded = outcome == 'succeeded'
        if succeeded and not sure:
            unverified += 1
        if started and not adopted:
            if started < first:
                first = started
            if end:
                took = end - started if end > started else 0.0  # clocks are set back at times
                seconds += took
                if succeeded:
                    good.append(took)
    ended, last, rss = len(briefs) - briefs.ended.count(0.0), max(briefs.ended, default=0.0), max(briefs.rss, default=0)
    good.sort()
    median = round(good[len(good) // 2], 3) if good else 0.0
    return Sum((ended, len(good), unverified, first if first < float('inf') else 0.0, last, round(seconds, 3), median, rss))


def of_blocks(rows: Rows, order: Sequence[int], touched: Collection[int]) -> Iterator[dict[str, list[Any]]]:
    """What each block of a job comes to, as it is written: {generation: list}."""
    for number, first in enumerate(range(0, len(order), BLOCK)):
        known = rows.base.sums(number) if rows.base is not None and number not in touched else None
        if known is None:
            found = summed(rows.record(row) for row in order[first : first + BLOCK])
            known = {str(generation): each.to_list() for generation, each in found.items()}
        yield known


def of_rows(rows: Rows) -> Iterator[tuple[int, Sum]]:
    """What all records of a job come to, in parts, each with its generation."""
    yield from ((number, _sum(each)) for number, each in rows.briefs().by_generation())
    if rows.base is None:
        return
    replaced: dict[int, int] = {}
    for row in rows.over:
        if row < rows.base.count:
            replaced[row // BLOCK] = replaced.get(row // BLOCK, 0) + 1
    for number, first in enumerate(range(0, rows.base.count, BLOCK)):
        block = range(first, min(first + BLOCK, rows.base.count))
        known: Mapping[str, list[Any]] | None = rows.base.sums(number) if number not in replaced else None
        if known is not None:
            yield from ((int(generation), Sum(told)) for generation, told in known.items())
        elif replaced.get(number) != len(block):
            yield from summed(rows.base.record(row) for row in block if row not in rows.over).items()
