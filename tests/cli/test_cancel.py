"""`awflow cancel` of a run on this machine; tests/slurm has those in a queue."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from tests.cli.conftest import LIMIT, Workspace


@pytest.fixture
def waiting(workspace: Workspace) -> Any:
    """A run of which one task waits for the test, and another job for that."""
    workspace.script("""
        from awflow import after, job, schedule

        @job
        def first():
            open('fifo').read()

        @after(first)
        @job
        def second(): pass

        schedule(second)
    """)
    os.mkfifo(workspace.directory / 'fifo')
    process = workspace.start()
    fifo = os.open(workspace.directory / 'fifo', os.O_WRONLY)  # returns when the task has opened it too
    yield workspace, process
    os.close(fifo)
    process.communicate(timeout=LIMIT)


@pytest.mark.parametrize('which', ['first', 'second', 's*', '*', 'first second'])
def test_a_part_of_it_is_not_cancelled_and_it_says_how_all_of_it_is(waiting: Any, awflow: Any, which: str) -> None:
    workspace, process = waiting
    done = awflow('cancel', *which.split(), cwd=workspace.directory)
    assert (done.code, 'can only be stopped as a whole' in done.err, 'awflow cancel' in done.err) == (1, True, True)
    assert process.poll() is None


def test_the_whole_is_stopped_and_recorded(waiting: Any, awflow: Any) -> None:
    workspace, process = waiting
    done = awflow('cancel', cwd=workspace.directory)
    assert (done.code, done.out.startswith('asked run '), done.out.endswith(' to stop: 2 tasks\n')) == (0, True, True)
    assert process.wait(LIMIT) != 0
    (flow,) = json.loads(awflow('status', '--json', cwd=workspace.directory).out)['workflows']
    assert {job['job']: job['outcomes'] for job in flow['jobs']} == {'first': {'cancelled': 1}, 'second': {'not started': 1}}
    done = awflow('cancel', cwd=workspace.directory)
    assert (done.code, done.out) == (0, 'awflow: nothing of that runs or waits\n')
