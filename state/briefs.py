"""What is counted of tasks: a few members of their records, by columns."""

from __future__ import annotations

from operator import attrgetter

from awflow.state.record import vouched

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from awflow.state.record import Record

_MEMBERS = attrgetter('generation', 'final', 'outcome', 'started', 'ended', 'rss', 'adopted')


class Briefs:
    """Columns that run side by side, named as in a Record; `vouched`: whether more than its return says that a task succeeded.
    `names` are the tasks: keys, or rows of a job.
    """

    __slots__ = ('adopted', 'ended', 'final', 'generation', 'names', 'outcome', 'rss', 'started', 'vouched')

    def __init__(self) -> None:
        self.names: list[Any] = []
        self.generation: list[int] = []
        self.final: list[bool] = []
        self.outcome: list[str] = []
        self.started: list[float] = []
        self.ended: list[float] = []
        self.rss: list[int] = []
        self.vouched: list[bool] = []
        self.adopted: list[bool] = []

    def __len__(self) -> int:
        return len(self.generation)

    def add(self, names: Iterable[Any], records: Iterable[Record]) -> None:
        """Append what records say."""
        found = list(records)
        self.names += names
        columns = (self.generation, self.final, self.outcome, self.started, self.ended, self.rss, self.adopted)
        for column, told in zip(columns, zip(*map(_MEMBERS, found), strict=True), strict=False):
            column += told  # type: ignore[operator]
        self.vouched += map(vouched, found)

    def extend(self, other: Briefs) -> None:
        """Append others."""
        for name in self.__slots__:
            getattr(self, name).extend(getattr(other, name))

    def ends(self) -> Iterator[tuple[Any, int, bool]]:
        """Name, generation, and whether it is final."""
        return zip(self.names, self.generation, self.final, strict=True)

    def without_outcome(self) -> list[Any]:
        """The names of those that have not ended, and of those of which it is not known how."""
        return [name for name, outcome in zip(self.names, self.outcome, strict=True) if not outcome]

    def named(self, names: list[int]) -> Briefs:
        """The same columns with other names."""
        found = Briefs()
        for name in self.__slots__:
            setattr(found, name, getattr(self, name))
        found.names = names
        return found

    def some(self, places: Sequence[int]) -> Briefs:
        """Those at these places."""
        found = Briefs()
        for name in self.__slots__:
            column = getattr(self, name)
            setattr(found, name, [column[place] for place in places])
        return found

    def by_generation(self) -> Iterator[tuple[int, Briefs]]:
        """Those of each claim."""
        numbers = dict.fromkeys(self.generation)
        for number in numbers:
            if len(numbers) == 1:
                yield number, self
            else:
                yield number, self.some([place for place, each in enumerate(self.generation) if each == number])
