"""Incremental workflows of plain Python functions, on a laptop and on Slurm."""

from __future__ import annotations

from awflow._version import __version__
from awflow.decorators import after, ensure, inputs, job, outputs, waitfor
from awflow.graph import terminal_nodes
from awflow.job import Job
from awflow.run import Run, available_backends, schedule
from awflow.stopping import Requeue, scratch, should_stop
from awflow.uncaught import install

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

install()
