"""Can this machine hand jobs to Slurm, and what does the cluster allow?"""

from __future__ import annotations

import os
import re
import shutil

from awflow.errors import SlurmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from awflow.backends.slurm.client import Slurm
    from awflow.cli.checks.findings import Part

COMMANDS: Final = ('sbatch', 'squeue', 'scancel', 'scontrol')
PATIENCE: Final = 2.0  # seconds for which a controller that refuses to answer is asked again
OLDEST: Final = '20.11'  # version that awflow works with
REMEMBERED: Final = 60  # seconds: ended jobs should stay known for longer, or late dependents start before their time


def check(part: Part) -> None:
    """The cluster that this machine submits to, if there is one."""
    from awflow.backends.slurm.client import Slurm

    slurm = Slurm()
    path = slurm.environ.get('PATH')
    lacking = [command for command in COMMANDS if not shutil.which(command, path=path)]
    if lacking == list(COMMANDS):
        part.ok('no Slurm on this machine: local only', "schedule(..., backend='slurm') is refused here; local runs work.")
        return
    if lacking:
        part.warn(f'of the commands of Slurm these are missing: {", ".join(lacking)}', "backend='slurm' does not work here.")
        return
    try:
        config = slurm.run('scontrol', 'show', 'config', patience=PATIENCE)
        _limits(part, config)
        if shutil.which('sinfo', path=path):
            _partitions(part, slurm)
    except SlurmError as error:
        said = str(error).splitlines()[0].rpartition('fatal: ')[2]
        part.warn(
            f'Slurm is installed, but does not answer: {said}',
            "backend='slurm' does not work now; local runs do.",
        )


def _limits(part: Part, config: str) -> None:
    from awflow.backends.slurm.limits import Limits, parsed

    known = parsed(config)
    limits = Limits(known['name'], known['version'], int(known['numbers']), int(known['elements']))
    part.facts.update(cluster=limits.name, version=limits.version, numbers=limits.numbers, elements=limits.elements)
    part.ok(f'Slurm {limits.version}, cluster {limits.name}')
    part.ok(
        f'an array may have {limits.piece} elements, numbered below {limits.numbers}',
        'Larger arrays are handed in as several, which awflow treats as one.',
    )
    if limits.version and _numbers(limits.version) < _numbers(OLDEST):
        part.warn(f'Slurm {limits.version} is older than {OLDEST}', "backend='slurm' is not made for it; local runs work.")
    fields = dict(re.findall(r'^(\w+)\s+= (.*?)\s*$', config, re.MULTILINE))
    age = re.match(r'\d+', fields.get('MinJobAge', ''))
    if age and int(age[0]) < REMEMBERED:
        part.warn(
            f'Slurm forgets jobs {age[0]} s after their end (MinJobAge)',
            'Tasks ask the records, not Slurm, how those before them ended; a run that dies may take longer to be recognised.',
        )


def _partitions(part: Part, slurm: Slurm) -> None:
    lines = slurm.run('sinfo', '--noheader', '--format=%R|%a|%l|%D', patience=PATIENCE).splitlines()
    nodes: dict[str, int] = {}
    shown: dict[str, str] = {}
    for line in lines:
        name, state, limit, count = line.split('|')
        nodes[name] = nodes.get(name, 0) + int(count)
        shown[name] = f'{name} ({limit})' if state == 'up' else f'{name} ({state})'
    part.facts.update(partitions=sorted(nodes), nodes=max(nodes.values(), default=0))
    part.ok(f'partitions, with their time limits: {", ".join(shown.values()) or "none"}')
    if os.environ.get('SLURM_JOB_ID'):
        part.ok(
            f'this is inside of Slurm job {os.environ["SLURM_JOB_ID"]}', 'What it left in the environment is hidden from jobs.'
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r'\d+', version)[:2]))
