"""What `status` says of a job, as data: its tasks counted by outcome, what they took, and what is still to come.

Counted are columns, not records: an array may have a million tasks, and nobody waits for a million objects.
"""

from __future__ import annotations

from awflow.cli.claims import open_tasks, waiting
from awflow.cli.observed import CRASHED, NOT_STARTED, RUNNING, WAITING
from awflow.state.sums import of_rows
from awflow.state.sums import vouched as vouched
from awflow.state.table import OTHER_OUTCOME, OUTCOMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Final

    from awflow.cli.claims import Progress
    from awflow.cli.jobs import Declared, Jobs
    from awflow.cli.observed import Workflow
    from awflow.state.rows import Rows
    from awflow.state.sums import Sum

ORDER: Final = (
    'succeeded', 'failed', 'timeout', 'cancelled', CRASHED, RUNNING, WAITING, 'skipped', 'forgotten', NOT_STARTED,
)  # fmt: skip
ENOUGH: Final = 5  # successes of the last runs by which it is judged how long a task takes


class Tally:
    """One job: its tasks by outcome, and the times and memory of their last attempts.

    `unverified` counts successes that neither a postcondition nor an output vouches for. `began` and `ended` are the first
    start and the last end under the last claim that executed some, seconds since the epoch, 0 if there is none; `seconds` is
    the sum over tasks, `median` what a task takes that succeeds, `peak` the most memory of any, in bytes. `open` counts the
    tasks that are claimed by a run that may live and have not ended.
    """

    __slots__ = (
        'asks', 'began', 'ended', 'job', 'last_ended', 'median', 'open', 'outcomes', 'peak', 'seconds', 'unverified',
    )  # fmt: skip

    def __init__(self, workflow: Workflow, job: str, declared: Declared | None = None, open_tasks: int = 0) -> None:
        self.job = job
        self.asks: Mapping[str, Any] = declared.asks if declared is not None else {}
        self.outcomes: dict[str, int] = {}
        rows = workflow.state.rows(job)
        if rows is not None:
            for outcome, number in _counted(workflow, rows):
                self._count(outcome, number)
        self._measure(list(of_rows(rows)) if rows is not None else [])
        self.open = open_tasks
        self._count(WAITING, waiting(workflow, job))
        for key in workflow.dropped(job):
            self._count(workflow.gone[job, key])
        if declared is not None and declared.tasks is not None:
            self._count(NOT_STARTED, max(declared.tasks - self.tasks, 0))
        self.outcomes = {outcome: number for outcome, number in self.outcomes.items() if number}

    def _count(self, outcome: str, number: int = 1) -> None:
        if number:
            self.outcomes[outcome] = self.outcomes.get(outcome, 0) + number

    def _measure(self, sums: Sequence[tuple[int, Sum]]) -> None:
        """Times and memory, of blocks of records."""
        self.unverified = sum(each.unverified for _, each in sums)
        self.seconds = sum(each.seconds for _, each in sums)
        self.peak = max((each.rss for _, each in sums), default=0)
        self.last_ended = max((each.last for _, each in sums), default=0.0)
        last = max((number for number, each in sums if each.first), default=0)
        newest = [each for number, each in sums if number == last and each.first]
        self.began = min((each.first for each in newest), default=0.0)
        self.ended = max((each.last for each in newest), default=0.0)
        self.median = _median(sums)

    @property
    def tasks(self) -> int:
        """How many are known."""
        return sum(self.outcomes.values())

    @property
    def done(self) -> int:
        """How many have ended and are not claimed to run again."""
        return self.tasks - max(self.open, self.outcomes.get(RUNNING, 0)) - self.outcomes.get(NOT_STARTED, 0)

    @property
    def again(self) -> int:
        """How many have ended and wait to run again."""
        return max(self.open - self.outcomes.get(RUNNING, 0) - self.outcomes.get(WAITING, 0), 0)

    def elapsed(self, now: float) -> float:
        """Seconds from the first start to the last end, or to now while tasks are open."""
        if not self.began or (not self.open and not self.ended):
            return 0.0
        return max((now if self.open else self.ended) - self.began, 0.0)

    def ordered(self) -> list[tuple[str, int]]:
        """Outcomes with their counts, in one order for all jobs."""
        rank = {outcome: place for place, outcome in enumerate(ORDER)}
        return sorted(self.outcomes.items(), key=lambda item: rank.get(item[0], len(rank)))

    def to_dict(self, now: float) -> dict[str, Any]:
        """For JSON."""
        return {
            'job': self.job, 'tasks': self.tasks, 'done': self.done, 'outcomes': dict(self.ordered()), 'open': self.open,
            'unverified': self.unverified, 'began': self.began or None, 'last_ended': self.last_ended or None,
            'elapsed': round(self.elapsed(now), 3), 'seconds': round(self.seconds, 3), 'median_seconds': self.median or None,
            'peak_bytes': self.peak or None, 'memory_mib': self.asks.get('memory'),
        }  # fmt: skip


def _counted(workflow: Workflow, rows: Rows) -> Iterator[tuple[str, int]]:
    """Outcomes of the tasks on record, in portions."""
    since = rows.briefs()
    yield from ((outcome, since.outcome.count(outcome)) for outcome in set(since.outcome) if outcome)
    yield from ((workflow.outcome(rows, row), 1) for row in since.without_outcome())
    if rows.base is None:
        return
    column = bytes(rows.base.outcome)
    for code, outcome in enumerate(OUTCOMES):
        if code:
            yield outcome, column.count(code)
    replaced = [row for row in rows.over if row < rows.base.count]
    for code in [column[row] for row in replaced]:
        if 0 < code < len(OUTCOMES):
            yield OUTCOMES[code], -1
    for code in (0, OTHER_OUTCOME):
        row = column.find(code)
        while row >= 0:
            if row not in rows.over:
                yield workflow.outcome(rows, row), 1
            row = column.find(code, row + 1)


def _median(sums: Sequence[tuple[int, Sum]]) -> float:
    """Of the successes of the last claims, as many as it takes to have five: the median of their blocks' medians."""
    by_generation: dict[int, list[Sum]] = {}
    for number, each in sums:
        if each.succeeded:
            by_generation.setdefault(number, []).append(each)
    chosen: list[tuple[float, int]] = []
    for number in sorted(by_generation, reverse=True):
        chosen += [(each.median, each.succeeded) for each in by_generation[number]]
        if sum(weight for _, weight in chosen) >= ENOUGH:
            break
    half = sum(weight for _, weight in chosen) / 2
    for median, weight in sorted(chosen):
        half -= weight
        if half <= 0:
            return median
    return 0.0


def tallies(workflow: Workflow, jobs: Jobs, claims: Sequence[Progress]) -> list[Tally]:
    """Every job, upstream first."""
    still_open = open_tasks(claims)
    return [Tally(workflow, each.job, each, still_open.get(each.job, 0)) for each in jobs]
