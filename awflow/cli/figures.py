"""What attempts of a job's tasks used: of all that ended, as far as the state tells of them.

Of a task it keeps the record of its last attempt, and of up to ten before that their times, peaks of memory and ends. The
seconds that they computed it does not keep, so cpus are those of the last attempts.

An attempt that ran out of memory or time says only that what it was given was too little. That counts, unless the task
has succeeded since with more: then it is known how much it needs.
"""

from __future__ import annotations

from itertools import compress

from awflow.state import blocks
from awflow.state.table import BLOCK, EARLIER, OUTCOMES, column_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from typing import Any, Final

    from awflow.state.rows import Rows

    Asked = Callable[[str], Mapping[str, Any] | None]  # what the job asked for per task in a run, None if unknown

NUMBERS: Final = ('started', 'ended', 'user', 'system', 'rss', 'pid')
EXECUTED: Final = ('succeeded', 'failed', 'timeout', 'cancelled', 'crashed')
WANTING: Final = 'MemoryLimit'  # the type of the error of an attempt that failed for want of memory
TIMEOUT: Final = 'timeout'


class Shortage:
    """Attempts for which memory or time was too little: how many, and the most that was too little and not made up for since
    (bytes or seconds; 0.0 if there is none).
    """

    __slots__ = ('count', 'most')

    def __init__(self) -> None:
        self.count = 0
        self.most = 0.0


class Figures:
    """Of the tasks of a job, all if `wanted` is None. `metered` are the seconds of those attempts whose `computed` seconds
    are known; `tasks` is how many tasks have executed attempts, `attempts` how many those are.
    """

    def __init__(self, rows: Rows, wanted: Collection[int] | None, asked: Asked) -> None:
        self.seconds: list[float] = []
        self.cpus: list[float] = []
        self.memory: list[float] = []
        self.computed = self.metered = 0.0
        self.memory_short, self.time_short = Shortage(), Shortage()
        self._rows = rows
        self._wanted = wanted
        self._asked = asked
        self._runs: dict[int, str] = {}  # by generation
        self._began: Sequence[float | None] = ()  # when the attempts on record started, of the rows of the snapshot
        self._short: dict[int, list[Mapping[str, Any]]] = {}  # row -> attempts that ran out of something
        self._last()
        self.tasks = len(self.seconds)
        self._before()
        self.attempts = len(self.seconds)
        for row, attempts in self._short.items():
            self._judge(row, attempts)

    def _last(self) -> None:
        """The attempts on record; rows by the hundred thousand as columns."""
        rows, base = self._rows, self._rows.base
        if base is not None:
            numbers = blocks.numbers(base, NUMBERS)
            self._began = numbers[0]
            columns: Iterator[Any] = zip(*numbers, strict=True)
            if rows.over or self._wanted is not None:
                columns = compress(columns, (row not in rows.over and self._counts(row) for row in range(base.count)))
            for started, ended, user, system, rss, pid in columns:
                if pid is not None and ended is not None:
                    self._add(ended if started is not None else 0.0, rss, user, system)
        for row, record in rows.over.items():
            if record.pid and record.ended and self._counts(row):
                self._add(record.ended - record.started, record.rss or None, record.user or None, record.system or None)
        for row in _out_of(rows):
            if self._counts(row):
                self._short.setdefault(row, []).append(rows.record(row).to_dict())

    def _before(self) -> None:
        """The attempts before those."""
        for row, told in _earlier(self._rows):
            found = list(_executed(told, self._start(row))) if self._counts(row) else ()
            self.tasks += bool(found) and not _ended(self._rows, row)
            for attempt in found:
                self._add(attempt['ended'] - attempt['started'], attempt.get('rss'))
                if _ran_out(attempt):
                    self._short.setdefault(row, []).append(attempt)

    def _start(self, row: int) -> float:
        """When the attempt on record started."""
        record = self._rows.over.get(row)
        return record.started if record is not None else self._began[row] or 0.0

    def _counts(self, row: int) -> bool:
        return self._wanted is None or row in self._wanted

    def _add(self, seconds: float, peak: float | None, user: float | None = None, system: float | None = None) -> None:
        if seconds < 0.0:
            seconds = 0.0  # clocks are set back at times
        self.seconds.append(seconds)
        if peak is not None:
            self.memory.append(peak)
        if user is not None or system is not None:
            computed = (user or 0.0) + (system or 0.0)
            self.computed += computed
            self.metered += seconds
            if seconds:
                self.cpus.append(computed / seconds)

    def _run(self, row: int) -> str:
        """The run of an attempt on record; those of one entry are of one run."""
        number = self._rows.generation(row)
        if number not in self._runs:
            self._runs[number] = self._rows.record(row).run
        return self._runs[number]

    def _judge(self, row: int, attempts: Sequence[Mapping[str, Any]]) -> None:
        """Count the attempts of a task that ran out of something."""
        since = self._asked(self._run(row)) if self._rows.outcome(row) == 'succeeded' else None
        for attempt in attempts:
            asked = self._asked(attempt.get('run', '')) or {}
            if attempt.get('outcome') == TIMEOUT:
                short, given, name = self.time_short, asked.get('timelimit', 0), 'timelimit'
                given = given or max(attempt.get('ended', 0.0) - attempt.get('started', 0.0), 0.0)
            else:
                short, name = self.memory_short, 'memory'
                given = asked.get('memory', 0) * 2**20 or attempt.get('rss', 0)
            short.count += 1
            made_up = since is not None and asked.get(name, 0) and (since.get(name) or given + 1) > asked[name]
            if not made_up:
                short.most = max(short.most, float(given))


def _ended(rows: Rows, row: int) -> bool:
    """Whether the attempt on record has ended, and it is known when. One that runs has not, nor one whose run was killed."""
    if rows.outcome(row) == 'succeeded' and row not in rows.over:
        return True
    record = rows.record(row)
    return bool(record.pid and record.ended)


def _ran_out(attempt: Mapping[str, Any]) -> bool:
    return attempt.get('outcome') == TIMEOUT or (attempt.get('error') or {}).get('type') == WANTING


def _out_of(rows: Rows) -> list[int]:
    """The rows whose attempt on record ran out of memory or time."""
    found = [row for row, record in rows.over.items() if record.pid and record.ended and _ran_out(record.to_dict())]
    if rows.base is not None:
        failed, timeout = OUTCOMES.index('failed'), OUTCOMES.index(TIMEOUT)
        codes = bytes(rows.base.outcome)
        found += [row for row, code in enumerate(codes) if code == timeout and row not in rows.over] if timeout in codes else []
        rest = [row for row, code in enumerate(codes) if code == failed and row not in rows.over] if failed in codes else []
        for row, error in blocks.members(rows.base, 'error', WANTING, rest):
            if isinstance(error, dict) and error.get('type') == WANTING:
                found.append(row)
    return sorted(found)


def _earlier(rows: Rows) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """The rows of which more than the attempt on record is known, with the attempts before it; digests may be left out."""
    folded = rows.base.count if rows.base is not None else 0
    for row in {*(row for row in rows.over if row < folded), *rows.under}:
        yield row, rows.earlier(row)
    for first in range(0, folded, BLOCK):
        assert rows.base is not None, 'only its blocks are looked through'
        column = column_of(rows.base.packed(first // BLOCK), EARLIER, min(BLOCK, folded - first))
        for row, told in enumerate(column, first):
            if told and row not in rows.over and row not in rows.under:
                yield row, told


def _executed(told: Sequence[dict[str, Any]], last: float) -> Iterator[dict[str, Any]]:
    """Of earlier attempts those that were executed and ended; `last` is when that on record started.

    Whoever accepts or looks again at a success leaves it on record twice, with the same times.
    """
    seen = {last}
    for attempt in told:
        timed = attempt.get('started') and attempt.get('ended')
        if not timed or attempt.get('adopted') or attempt.get('outcome') not in EXECUTED:
            continue
        if attempt['outcome'] == 'succeeded' and attempt['started'] in seen:
            continue
        seen.add(attempt['started'])
        yield attempt
