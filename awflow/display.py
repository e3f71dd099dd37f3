"""What a run shows while it goes: tasks' output with its origin, to stdout, and how far it is, to stderr."""

from __future__ import annotations

import os
import sys
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

    from awflow.plan import Plan

PACE = 0.1  # seconds between redraws
QUIET = 10.0  # seconds between lines where there is no terminal, if there is something new to say
SILENT = 300.0  # if there is not
MARKS = {'succeeded': '✓', 'failed': '✗', 'timeout': '✗', 'crashed': '✗', 'cancelled': '✗'}


def wanted(progress: bool | None) -> bool:
    """Whether progress is shown: as said, else by AWFLOW_PROGRESS, else yes."""
    if progress is not None:
        return progress
    return os.environ.get('AWFLOW_PROGRESS', '1').lower() not in ('0', 'false', 'no', 'off')


class Display:
    """Output only: the display of runs without progress."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout

    def begin(self, plan: Plan, total: int) -> None:
        """The plan is granted, `total` tasks are in question."""

    def started(self, name: str) -> None:
        """An attempt starts."""

    def output(self, name: str, line: str) -> None:
        """A task wrote a line."""
        try:
            print(f'{name} | {line}', file=self.out, flush=True)
        except UnicodeEncodeError:
            print(f'{name} | {line}'.encode('ascii', 'replace').decode(), file=self.out, flush=True)

    def ended(self, name: str, outcome: str, error: str, again: bool) -> None:
        """An attempt ended; `again` if another follows."""

    def settled(self, number: int) -> None:
        """So many tasks are done without an attempt of this run: unchanged, skipped, or executed elsewhere."""

    def note(self, text: str) -> None:
        """Something worth a line."""
        print(f'awflow: {text}', file=sys.stderr, flush=True)

    def tick(self) -> None:
        """Time has passed."""

    def close(self) -> None:
        """The run is over."""


class Lines(Display):
    """Plain lines, for logs and pipes."""

    def __init__(self) -> None:
        super().__init__()
        self.total = self.done = self.failed = 0
        self._said = monotonic()
        self._told = (0, 0)

    def begin(self, plan: Plan, total: int) -> None:
        self.total = total
        counts = ', '.join(f'{count} {kind}' for kind, count in plan.counts().items() if count)
        self.note(f'{_tasks(total)} to do ({counts})')

    def ended(self, name: str, outcome: str, error: str, again: bool) -> None:
        self.done += not again
        self.failed += outcome != 'succeeded' and not again
        if outcome != 'succeeded':
            self.note(f'{name} {outcome}: {error}' + (', trying again' if again else ''))

    def settled(self, number: int) -> None:
        self.done += number

    def tick(self) -> None:
        now = (self.done, self.failed)
        if monotonic() - self._said >= (SILENT if now == self._told else QUIET):
            self._said, self._told = monotonic(), now
            self.note(f'{self.done} of {_tasks(self.total)} done' + (f', {self.failed} failed' if self.failed else ''))

    def close(self) -> None:
        self.note(f'{self.done} of {_tasks(self.total)} done' + (f', {self.failed} failed' if self.failed else ''))


class Bar(Display):
    """A rich progress bar on a terminal, with the names of what runs."""

    def __init__(self) -> None:
        super().__init__()
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        self.console = Console(stderr=True)
        self.progress: Any = Progress(
            TextColumn('awflow'), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn('{task.description}'),
            console=self.console, transient=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False,
        )  # fmt: skip
        self.bar: Any = None
        self.running: dict[str, None] = {}
        self.failed = 0
        self._drawn = 0.0

    def begin(self, plan: Plan, total: int) -> None:
        self.bar = self.progress.add_task('', total=total)
        self.progress.start()

    def started(self, name: str) -> None:
        self.running[name] = None

    def output(self, name: str, line: str) -> None:
        from rich.text import Text

        if self.out.isatty():
            self.progress.console.print(Text(f'{name} │ ', style='dim').append(line, style='default'), soft_wrap=True)
        else:
            super().output(name, line)

    def ended(self, name: str, outcome: str, error: str, again: bool) -> None:
        self.running.pop(name, None)
        if outcome != 'succeeded':
            self.failed += not again
            from rich.text import Text

            tail = ', trying again' if again else ''
            self.progress.console.print(
                Text(f'{MARKS.get(outcome, "·")} {name} {outcome}: {error}{tail}', style='red'), soft_wrap=True
            )
        if not again:
            self.progress.advance(self.bar)

    def settled(self, number: int) -> None:
        self.progress.advance(self.bar, number)

    def tick(self) -> None:
        if self.bar is None or monotonic() - self._drawn < PACE:
            return
        self._drawn = monotonic()
        names = list(self.running)
        shown = ' '.join(names[:4]) + (f' +{len(names) - 4}' if len(names) > 4 else '')
        failed = f'{self.failed} failed  ' if self.failed else ''
        self.progress.update(self.bar, description=failed + shown)
        self.progress.refresh()

    def close(self) -> None:
        self.progress.stop()


def _tasks(number: int) -> str:
    return '1 task' if number == 1 else f'{number} tasks'


def make(progress: bool | None) -> Display:
    """The display that fits where stderr goes."""
    if not wanted(progress):
        return Display()
    return Bar() if sys.stderr.isatty() else Lines()
