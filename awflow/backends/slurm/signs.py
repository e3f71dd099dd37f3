"""What a node can tell of a task besides its own report: when it last lived, and why Slurm ended it."""

from __future__ import annotations

import os
from time import monotonic, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

FIRST, LAST = 30.0, 600.0  # seconds between signs of life: each pause doubles, for they only inform
AGAIN: Final = ('preemption', 'requeue', 'node failure')  # why Slurm ends jobs that it puts back into the queue, if it may
SHARES: Final = (0.5, 0.8, 0.95)  # of the memory asked for, at which a sign is left besides


class Signs:
    """When a sign of life is due: ever more rarely, and when memory gets short."""

    def __init__(self) -> None:
        self.peak = 0  # bytes
        self._pause = FIRST
        self._next = monotonic() + FIRST
        self._shares = list(SHARES)

    def due(self, peak: int, asked: int) -> bool:
        """Whether one is due now. `peak` is bytes, `asked` MiB."""
        self.peak = max(self.peak, peak)
        passed = [share for share in self._shares if asked and self.peak > share * asked * 2**20]
        del self._shares[: len(passed)]
        if monotonic() >= self._next:
            self._pause = min(2 * self._pause, LAST)
            self._next = monotonic() + self._pause
            return True
        return bool(passed)


def slurm_facts(environ: Mapping[str, str]) -> dict[str, Any]:
    """The ids that every record repeats."""
    found = {'job': environ.get('SLURM_JOB_ID', '')}
    if 'SLURM_ARRAY_JOB_ID' in environ:
        found['array'] = f'{environ["SLURM_ARRAY_JOB_ID"]}_{environ["SLURM_ARRAY_TASK_ID"]}'
    return found


def why_ended(output: str, environ: Mapping[str, str]) -> tuple[str, str, str, bool]:
    """Outcome, kind and sentence for a task that Slurm ended by SIGTERM, and whether it is going to start it again: Slurm says
    why in the job's output.
    """
    mark = f'JOB {environ.get("SLURM_JOB_ID", "")} ON '
    lines = [line for line in _tail(output).splitlines() if mark in line and 'CANCELLED AT' in line]
    reason = lines[-1].partition('CANCELLED AT ')[2].partition(' DUE TO ')[2].strip(' *').lower() if lines else ''
    ends = environ.get('SLURM_JOB_END_TIME', '')
    if 'time limit' in reason or (not lines and ends.isdigit() and time() >= int(ends) - 1):
        return 'timeout', 'TimeLimit', 'Slurm ended it at its time limit', False
    later = any(word in reason for word in AGAIN)
    how = f'because of {reason}' if reason else 'as somebody asked (scancel)'
    return 'cancelled', 'Cancelled', f'Slurm ended it, {how}', later


def _tail(path: str) -> str:
    try:
        with open(path, 'rb') as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 16)))
            return file.read().decode('utf-8', 'replace')
    except OSError:
        return ''


def output_of(descriptor: int) -> str:
    """The file that Slurm gave this process for its output, '' if it is none."""
    try:
        return os.readlink(f'/proc/self/fd/{descriptor}')
    except OSError:
        return ''
