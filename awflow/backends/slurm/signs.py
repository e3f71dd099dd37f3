"""What a node can tell of a task besides its own report: when it last lived, and in which job of Slurm."""

from __future__ import annotations

import os
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

FIRST, LAST = 30.0, 600.0  # seconds between signs of life: each pause doubles, for they only inform
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


def output_of(descriptor: int) -> str:
    """The file that Slurm gave this process for its output, '' if it is none."""
    try:
        return os.readlink(f'/proc/self/fd/{descriptor}')
    except OSError:
        return ''
