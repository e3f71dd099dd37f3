"""What is asked of `sbatch` for a job: its options, the schedule's, the user's configuration; and the script it is given."""

from __future__ import annotations

import os
import shlex
import sys

from awflow.errors import OptionError
from awflow.resources import OWN_OPTIONS, READERS, THREAD_VARIABLES, memory_mib, seconds

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from awflow.job import Job

DEFAULTS: Final = ('memory', 'timelimit')  # of all jobs that do not say; others have defaults of their own
OWN: Final = (*DEFAULTS, 'env', 'interpreter')  # options of the backend that sbatch does not get as they are
WARNING: Final = 120  # seconds before the time limit at which a task is told, unless that is most of it


class Site:
    """What holds for all jobs of a schedule: the configuration's [slurm] table, and above it the options of schedule()."""

    __slots__ = ('env', 'interpreter', 'memory', 'options', 'timelimit')

    def __init__(self, configured: Mapping[str, Any], given: Mapping[str, Any]) -> None:
        self.env: list[str] = []
        self.interpreter = sys.executable
        self.memory: int | None = None
        self.timelimit: float | None = None
        self.options: dict[str, object] = {}
        self._take(configured, 'config.toml, [slurm]')
        self._take(given, "schedule(backend='slurm')")

    def _take(self, options: Mapping[str, Any], where: str) -> None:
        for name, value in ((name.replace('-', '_'), value) for name, value in options.items()):
            if name == 'env':
                self.env += _lines(value, where)
            elif name == 'interpreter':
                self.interpreter = os.path.expanduser(str(value))
            elif name in DEFAULTS:
                self._default(name, value, where)
            elif name in READERS or name in OWN_OPTIONS or not isinstance(value, (str, int, float, bool, type(None))):
                raise OptionError(
                    '{_where} cannot have {option}={value}', OWN_OPTIONS.get(name, 'Say it of the job: @job(...).'),
                    _where=where, option=name, value=repr(value),
                )  # fmt: skip
            else:
                self.options[name] = value

    def _default(self, name: str, value: object, where: str) -> None:
        reader: Any = {'memory': memory_mib, 'timelimit': seconds}[name]
        try:
            setattr(self, name, None if value is None else reader(value))
        except (ValueError, TypeError, OverflowError, AttributeError):
            raise OptionError(
                '{_where} cannot have {option}={value}', '', _where=where, option=name, value=repr(value),
                accepted=READERS[name][2],
            ) from None  # fmt: skip


def _lines(value: object, where: str) -> list[str]:
    lines = [value] if isinstance(value, str) else value
    if not isinstance(lines, (list, tuple)) or not all(isinstance(line, str) for line in lines):
        raise OptionError('{_where} cannot have env={value}', '', _where=where, value=repr(value), accepted='shell lines')
    return list(lines)


def arguments(job: Job, site: Site) -> list[str]:
    """The resources of a job as options of sbatch; equal lists ask for the same. What the job itself says wins."""
    options = job.options
    asked: dict[str, object] = {'cpus_per_task': options.cpus}
    memory = options.memory or site.memory
    limit = options.timelimit or site.timelimit
    if memory:
        asked['mem'] = f'{memory}M'
    if options.gpus:
        asked['gpus'] = options.gpus
    if limit:
        asked['time'] = clock(limit)
    asked['signal'] = f'B:USR1@{_warning(limit)}'
    if options.resume:
        asked['requeue'] = True
    said = {'mem': options.memory, 'time': options.timelimit, 'requeue': options.resume}
    asked.update((name, value) for name, value in site.options.items() if not said.get(name))
    asked.update(options.slurm)
    return [spelled for name, value in asked.items() if (spelled := _spelled(name, value))]


def _warning(limit: float | None) -> int:
    """Seconds before the end of which a task is told of it; Slurm looks at this only about once a minute."""
    return WARNING if limit is None or limit >= 10 * WARNING else max(1, int(limit / 10))


def _spelled(name: str, value: object) -> str:
    option = '--' + name.strip('_').replace('_', '-')
    if value is None or value is False:
        return ''
    return option if value is True else f'{option}={value}'


def clock(limit: float) -> str:
    """Seconds as Slurm reads them; it rounds up to minutes."""
    whole = int(-(-limit // 1))
    days, rest = divmod(whole, 86400)
    return f'{days}-{rest // 3600:02}:{rest % 3600 // 60:02}:{rest % 60:02}'


def batch_script(job: Job, site: Site, words: list[str]) -> str:
    """The script of a job's tasks. What runs first are the user's own lines, as they are; all else is quoted.

    Libraries read how many threads to use when they are loaded, so that is said before Python starts.
    """
    exports = [f'export {name}={job.options.cpus}' for name in THREAD_VARIABLES]
    lines = ['#!/bin/bash', *exports, *site.env, *job.options.env]
    return '\n'.join([*lines, f'exec {shlex.join([site.interpreter, "-c", START, package_home(), *words])}', ''])


# Not `python -m`, which imports more; the current directory must not be where modules are looked for.
START: Final = (
    'import sys; sys.path[:] = [p for p in sys.path if p]; sys.argv[1] in sys.path or sys.path.insert(0, sys.argv[1]); '
    'from awflow.backends.slurm.node import main; main(sys.argv[2:])'
)


def package_home() -> str:
    """The directory in which the package lies, so that tasks find the one that submitted them."""
    return os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))


def output_pattern(directory: str, array: bool) -> str:
    """What --output is given: a file of the job, or one for all elements of an array.

    In a path with a backslash Slurm replaces nothing, not even its number: then it has to keep its words to itself.
    """
    if '\\' in directory:
        return '/dev/null'
    return f'{directory.replace("%", "%%")}/{"%A" if array else "%j"}.out'
