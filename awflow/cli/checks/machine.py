"""Python, awflow and the packages it needs, and what the kernel tells of processes."""

from __future__ import annotations

import os
import re
import sys

from awflow._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

    from awflow.cli.checks.findings import Part
    from awflow.state.liveness import Proc

PYTHON: Final = (3, 10)
NEEDED: Final[Mapping[str, str]] = {  # as setup.cfg has it
    'click': '8.1', 'cloudpickle': '3.0', 'filelock': '3.12', 'psutil': '5.9', 'rich': '13.0', 'xxhash': '3.0',
}  # fmt: skip


def check(part: Part) -> None:
    """Of this interpreter on this machine."""
    from awflow.state.liveness import Proc

    _python(part)
    packages(part, installed)
    processes(part, Proc())


def _python(part: Part) -> None:
    version = '.'.join(map(str, sys.version_info[:3]))
    part.facts.update(python=version, awflow=__version__, executable=sys.executable)
    if sys.version_info[:2] < PYTHON:
        part.unfit(f'Python {version} is too old', f'Use {".".join(map(str, PYTHON))} or later.')
    else:
        part.ok(f'awflow {__version__} on Python {version}')
    if not sys.platform.startswith('linux'):
        part.unfit(f'{sys.platform} is not Linux', 'awflow relies on its processes and signals.')


def installed(name: str) -> str:
    """The version of an installed package, '' if there is none."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ''


def packages(part: Part, version_of: Callable[[str], str]) -> None:
    """Are the packages there that awflow needs, and new enough?"""
    found = {name: version_of(name) for name in NEEDED}
    part.facts['packages'] = found
    for name, version in found.items():
        if not version:
            part.unfit(f'{name} is not installed', f'pip install "{name}>={NEEDED[name]}"')
        elif _numbers(version) < _numbers(NEEDED[name]):
            part.unfit(f'{name} {version} is too old', f'pip install "{name}>={NEEDED[name]}"')
    if not part.findings or all(found.values()):
        part.ok(', '.join(f'{name} {version}' for name, version in found.items() if version))


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r'\d+', version)[:3]))


def processes(part: Part, proc: Proc) -> None:
    """Can it be told from here whether the process of a run still lives?"""
    told = {'boot id': proc.boot(), 'pid namespace': proc.pidns(), 'process table': proc.stat(os.getpid())}
    lacking = [what for what, there in told.items() if not there]
    if lacking:
        part.warn(
            f'/proc does not tell this: {", ".join(lacking)}',
            'Runs that died are not recognised; their tasks stay claimed until `awflow clean --force` ends them.',
        )
    else:
        part.ok('/proc tells processes apart: runs that died are recognised')
