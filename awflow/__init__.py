"""Incremental workflows of plain Python functions, on a laptop and on Slurm.

A name is loaded when it is first asked for: a task on a node imports this package too, and needs no planner.
"""

from __future__ import annotations

import sys

from awflow._version import __version__
from awflow.uncaught import install

TYPE_CHECKING = False
if TYPE_CHECKING:
    from awflow.decorators import after, ensure, inputs, job, outputs, waitfor
    from awflow.graph import terminal_nodes
    from awflow.job import Job
    from awflow.run import Run, available_backends, schedule
    from awflow.stopping import Requeue, scratch, should_stop

__all__ = [
    'Job',
    'Requeue',
    'Run',
    '__version__',
    'after',
    'available_backends',
    'ensure',
    'inputs',
    'job',
    'outputs',
    'schedule',
    'scratch',
    'should_stop',
    'terminal_nodes',
    'waitfor',
]

_HOMES = {
    'awflow.decorators': ('after', 'ensure', 'inputs', 'job', 'outputs', 'waitfor'),
    'awflow.graph': ('terminal_nodes',),
    'awflow.job': ('Job',),
    'awflow.run': ('Run', 'available_backends', 'schedule'),
    'awflow.stopping': ('Requeue', 'scratch', 'should_stop'),
}


def __getattr__(name: str) -> object:
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    __import__(home)
    value = globals()[name] = getattr(sys.modules[home], name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(type(sys)):  # type: ignore[misc]
    """A package in which `job` is the decorator: importing the module of that name does not replace it."""

    def __setattr__(self, name: str, value: object) -> None:
        if name != 'job' or not isinstance(value, type(sys)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
install()
