"""What the tasks of a job used beside what it asked for, and what to ask for next time.

All attempts that ended count, as far as the state tells of them, of all tasks but those that were adopted. The rule for
next time:

    memory     1.2 times the greatest peak, rounded up to 1, 1.5, 2, 3, 4, 6, 8, 12, ... GB (below: 64, 128, 192, ... MB);
               at least twice what was asked for where an attempt failed for want of memory, since how much it needs is not
               known, unless the task has succeeded since with more
    timelimit  1.5 times the longest, rounded up to a minute (below 10 minutes), 5 minutes (below an hour) or half an hour;
               at least twice what was asked for where an attempt reached its limit, likewise
    cpus       the cpus that were busy on average in 95 % of the tasks, rounded up from 0.2 above a whole number; never
               more than what was asked for: a task does not use what it was not given

Tasks that ended in another way than with success count for memory and time only as far as they got.
"""

from __future__ import annotations

from math import ceil

from awflow.cli.figures import Figures
from awflow.cli.runs import Runs, asked_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Any, Final

    from awflow.cli.selection import Selection
    from awflow.state.rows import Rows

SPARE_MEMORY, SPARE_TIME, IDLE = 1.2, 1.5, 0.2
MIB: Final = 2**20


class Quantity:
    """One resource over the tasks of a job: median, 95th percentile and maximum, None if nothing is known."""

    __slots__ = ('max', 'p50', 'p95')

    def __init__(self, values: Sequence[float]) -> None:
        order = sorted(values)
        self.p50, self.p95 = _rank(order, 0.5), _rank(order, 0.95)
        self.max = order[-1] if order else None

    def to_dict(self) -> dict[str, float | None]:
        """For JSON."""
        return {'p50': _rounded(self.p50), 'p95': _rounded(self.p95), 'max': _rounded(self.max)}


def _rank(order: Sequence[float], part: float) -> float | None:
    return order[max(ceil(part * len(order)) - 1, 0)] if order else None


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


class Consumption:
    """One job. `asked` is what it asked for per task when it ran last, None if that is not known: cpus, memory (MiB), gpus,
    timelimit (seconds). `seconds`, `cpus` (busy on average) and `memory` (bytes) are quantities.
    """

    def __init__(self, selection: Selection) -> None:
        self.workflow = selection.workflow.name
        self.job = selection.job
        rows = selection.workflow.state.rows(selection.job)
        runs = Runs(selection.workflow.store)
        self.asked = _asked(selection.job, rows, runs)
        self.tasks = self.attempts = self.timeouts = self.short_of_memory = 0
        self.cpu_seconds = 0.0
        self.reserved: float | None = None
        self._least_memory = self._least_time = 0.0  # MiB and seconds
        self.seconds = self.memory = self.cpus = Quantity(())
        if rows is not None:
            self._figure(Figures(rows, _wanted(selection, rows), lambda run: asked_by(runs.of(run), selection.job)))

    def _figure(self, found: Figures) -> None:
        self.tasks, self.attempts = found.tasks, found.attempts
        self.seconds, self.memory, self.cpus = Quantity(found.seconds), Quantity(found.memory), Quantity(found.cpus)
        self.timeouts, self._least_time = found.time_short.count, 2 * found.time_short.most
        self.short_of_memory, self._least_memory = found.memory_short.count, 2 * found.memory_short.most / MIB
        self.cpu_seconds = found.computed
        self.reserved = found.metered * float(self.asked.get('cpus', 1)) if self.asked is not None else None

    @property
    def more_memory(self) -> bool:
        """Whether what was asked for was too little, and no success since says what is enough."""
        return bool(self._least_memory)

    @property
    def more_time(self) -> bool:
        """The same of the time limit."""
        return bool(self._least_time)

    def next_time(self) -> dict[str, Any]:
        """What to ask for: as @job takes it, but numbers (MiB, seconds). Empty if nothing is known."""
        asked = self.asked or {}
        found: dict[str, Any] = {}
        if not self.tasks:
            return found
        cpus = int(asked.get('cpus', 1))
        found['cpus'] = cpus if self.cpus.p95 is None else min(max(ceil(self.cpus.p95 - IDLE), 1), cpus)
        if self.memory.max or self._least_memory:
            found['memory'] = _memory_step(max((self.memory.max or 0.0) * SPARE_MEMORY / MIB, self._least_memory))
        if asked.get('gpus'):
            found['gpus'] = asked['gpus']
        if self.seconds.max is not None:
            found['timelimit'] = _time_step(max(self.seconds.max * SPARE_TIME, self._least_time))
        return found

    def decorator(self) -> str:
        """The line to write, '' if nothing is known."""
        spelled = {'memory': _memory, 'timelimit': _clock}
        asks = [f'{name}={spelled.get(name, str)(value)}' for name, value in self.next_time().items()]
        return f'@job({", ".join(asks)})' if asks else ''

    def to_dict(self) -> dict[str, Any]:
        """For JSON: seconds, bytes; what is asked for as noted with the run (memory in MiB)."""
        return {
            'workflow': self.workflow, 'job': self.job, 'tasks': self.tasks, 'attempts': self.attempts,
            'seconds': self.seconds.to_dict(),
            'cpus': self.cpus.to_dict(), 'memory_bytes': self.memory.to_dict(), 'timeouts': self.timeouts,
            'short_of_memory': self.short_of_memory, 'cpu_seconds': round(self.cpu_seconds, 3),
            'cpu_seconds_reserved': _rounded(self.reserved), 'asked': self.asked, 'next': self.next_time(),
            'decorator': self.decorator(),
        }  # fmt: skip


# -- what was used -----------------------------------------------------------------------------------------------------


def _wanted(selection: Selection, rows: Rows | None) -> Collection[int] | None:
    """The rows selected, None for all."""
    if rows is None or len(selection.keys) >= len(rows):
        return None
    return {row for key in selection.keys if (row := rows.row(key)) is not None}


def _asked(job: str, rows: Rows | None, runs: Runs) -> dict[str, Any] | None:
    """As the run noted that executed tasks of the job last."""
    if rows is None or not len(rows):
        return None
    newest = {rows.generation(row): row for row in rows.over}
    if rows.base is not None and rows.base.count:
        generations = rows.base.generation
        best = max(generations)
        newest.setdefault(best, list(generations).index(best))
    for number in sorted(newest, reverse=True):
        run = rows.record(newest[number]).run
        asked = asked_by(runs.of(run), job) if run else None
        if asked is not None:
            return asked
    return None


# -- what to ask for ---------------------------------------------------------------------------------------------------


def _memory_step(mib: float) -> int:
    """MiB, rounded up to what people write."""
    if mib <= 1024:
        return max(ceil(mib / 64), 1) * 64
    step = 1024
    while True:
        for size in (step, step + step // 2):
            if mib <= size:
                return size
        step *= 2


def _time_step(seconds: float) -> int:
    """Seconds, rounded up likewise."""
    step = 60 if seconds <= 600 else 300 if seconds <= 3600 else 1800
    return max(ceil(seconds / step), 1) * step


def _memory(mib: int) -> str:
    if mib % 512 or mib < 1024:
        return f"'{mib}MB'"
    return f"'{mib / 1024:g}GB'"


def _clock(seconds: int) -> str:
    days, rest = divmod(seconds, 86400)
    hours = f'{days}-{rest // 3600:02}' if days else f'{rest // 3600}'
    return f"'{hours}:{rest % 3600 // 60:02}:{rest % 60:02}'"
