"""What a cluster allows, asked once and remembered: the limit of array numbers, its name, its version."""

from __future__ import annotations

import json
import os
import re
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from awflow.backends.slurm.client import Slurm

REMEMBERED: Final = 86400.0  # seconds
STOCK: Final = 1001  # MaxArraySize where nobody set it


class Limits:
    """`numbers`: array numbers are below it. `elements`: of one array. `name`: of the cluster."""

    __slots__ = ('elements', 'name', 'numbers', 'version')

    def __init__(self, name: str, version: str, numbers: int, elements: int) -> None:
        self.name = name
        self.version = version
        self.numbers = numbers
        self.elements = elements

    @property
    def piece(self) -> int:
        """How many consecutive numbers one `sbatch` may ask for."""
        return max(1, min(self.numbers, self.elements))


def limits_of(slurm: Slurm) -> Limits:
    """From the user's cache if it is of today and of this configuration, otherwise from `scontrol show config`."""
    path = _cache(slurm)
    if (known := _read(path)) is None:
        known = parsed(slurm.run('scontrol', 'show', 'config'))
        _write(path, known)
    return Limits(known['name'], known['version'], int(known['numbers']), int(known['elements']))


def parsed(text: str) -> dict[str, str]:
    """The settings that count here, out of the many."""
    fields = dict(re.findall(r'^(\w+)\s+= (.*?)\s*$', text, re.MULTILINE))
    numbers = fields.get('MaxArraySize', str(STOCK))
    most = re.search(r'max_array_tasks=(\d+)', fields.get('SchedulerParameters', ''))
    return {
        'name': fields.get('ClusterName', ''), 'version': fields.get('SLURM_VERSION', ''), 'numbers': numbers,
        'elements': most[1] if most else numbers,
    }  # fmt: skip


def _cache(slurm: Slurm) -> str:
    """A file for every configuration: another cluster, or a changed file, is another one."""
    from xxhash import xxh3_64_hexdigest

    home = os.environ.get('XDG_CACHE_HOME') or os.path.join(os.path.expanduser('~'), '.cache')
    conf = slurm.environ.get('SLURM_CONF', '/etc/slurm/slurm.conf')
    try:
        found = os.stat(conf)
        mark = f'{conf} {found.st_mtime_ns} {found.st_ino}'
    except OSError:
        mark = conf
    mark += ' ' + slurm.environ.get('SLURM_CLUSTERS', '')
    return os.path.join(home, 'awflow', f'slurm-{xxh3_64_hexdigest(mark.encode())}.json')


def _read(path: str) -> dict[str, str] | None:
    try:
        if time.time() - os.stat(path).st_mtime > REMEMBERED:
            return None
        with open(path, encoding='ascii') as file:
            found: dict[str, str] = json.load(file)
        return found if found.keys() >= {'name', 'version', 'numbers', 'elements'} else None
    except (OSError, ValueError, AttributeError):
        return None


def _write(path: str, known: dict[str, str]) -> None:
    """Only a cache: where it cannot be written the next run asks again."""
    temporary = f'{path}.{os.getpid()}'
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(temporary, 'w', encoding='ascii') as file:
            json.dump(known, file)
        os.replace(temporary, path)
    except OSError:
        return
