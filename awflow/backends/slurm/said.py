"""What the output of a Slurm job says of its end: Slurm itself writes there why it killed, a batch script why it failed."""

from __future__ import annotations

import os
import re
from time import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Final

OUTPUT: Final = 'slurm'  # directory of what Slurm and the batch scripts say themselves, below a workflow's
AGAIN: Final = ('preemption', 'requeue', 'node failure')  # why Slurm ends jobs that it puts back into the queue, if it may
LAST: Final = 1 << 16  # bytes of it that are looked at
MARKS: Final = ('slurmstepd', 'srun:', 'JOB ', 'awflow:')  # how lines begin that no batch script wrote


def why_ended(output: str, environ: Mapping[str, str]) -> tuple[str, str, str, bool]:
    """Outcome, kind and sentence for a task that Slurm ended by SIGTERM, and whether it is going to start it again."""
    said = tail(output)
    job = environ.get('SLURM_JOB_ID', '')
    if line := over_memory(said, (job,)):
        return 'failed', 'MemoryLimit', line, False
    lines = [line for line in said.splitlines() if f'JOB {job} ON ' in line and 'CANCELLED AT' in line]
    reason = lines[-1].partition('CANCELLED AT ')[2].partition(' DUE TO ')[2].strip(' *').lower() if lines else ''
    ends = environ.get('SLURM_JOB_END_TIME', '')
    if 'time limit' in reason or (not lines and ends.isdigit() and time() >= int(ends) - 1):
        return 'timeout', 'TimeLimit', 'Slurm ended it at its time limit', False
    later = any(word in reason for word in AGAIN)
    how = f'because of {reason}' if reason else 'as somebody asked (scancel)'
    return 'cancelled', 'Cancelled', f'Slurm ended it, {how}', later


def over_memory(said: str, ids: Collection[str]) -> str:
    """The sentence for a job, known by these ids, that Slurm killed over its memory; '' if it did not."""
    for id, used, limit in re.findall(r'StepId=(\w+)\.\w+ exceeded memory limit \((\d+) > (\d+)\)', said):
        if id in ids:
            return f'it used more memory than it had asked for ({mib(used)} MiB seen, {mib(limit)} MiB asked for)'
    return ''


def last_line(said: str) -> str:
    """The last line that the batch script or something in it wrote."""
    lines = [line.strip() for line in said.splitlines() if line.strip() and not line.startswith(MARKS)]
    return lines[-1][:300] if lines else ''


def tail(path: str) -> str:
    """The end of an output, '' if there is none."""
    try:
        with open(path, 'rb') as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LAST))
            return file.read().decode('utf-8', 'replace')
    except OSError:
        return ''


def mib(size: str) -> str:
    """Bytes as MiB."""
    return f'{int(size) / 2**20:.0f}'
