"""Races and crashes, many times: kill -9 at random moments, two terminals at once.

Tasks tell of themselves by appending lines to `events`, and hold a lock on a file of their own while they live: the kernel
takes it back when they are killed, so a task that finds it taken proves that it is being executed twice at once.
STRESS_KILLS and STRESS_RACES say how often, STRESS_SEED from which moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

pytestmark = pytest.mark.stress

KILLS = int(os.environ.get('STRESS_KILLS', '12'))
RACES = int(os.environ.get('STRESS_RACES', '6'))
SEED = int(os.environ.get('STRESS_SEED', '7'))
WIDTH = 6

FLOW = """
    import fcntl

    ROUND = 0
    PAUSE = 0.02

    def note(line):
        fd = os.open('events', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(fd, (line + '\\n').encode())
        os.close(fd)

    def write(name, turn):
        lock = open('lock-' + name, 'w')
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            note('twice ' + name)
        note('start ' + name)
        with open('out-' + name, 'w') as out:
            for piece in range(4):
                out.write(f'{turn}-{piece}.')
                out.flush()
                time.sleep(PAUSE)
        note('end ' + name)

    @ensure(lambda i: os.path.exists(f'out-first-{i}'))
    @job(array=6)
    def first(i): write(f'first-{i}', ROUND)

    @after(first, each=True)
    @ensure(lambda i: os.path.exists(f'out-second-{i}'))
    @job(array=6)
    def second(i): write(f'second-{i}', ROUND)

    @after(second)
    @outputs('out-gather')
    @job
    def gather(): write('gather', ROUND)

    schedule(gather, workers=4)
"""
TASKS = [*(f'{job}-{i}' for job in ('first', 'second') for i in range(WIDTH)), 'gather']


def succeeded(workspace: Workspace, stale: frozenset[str] = frozenset()) -> set[str]:
    """The tasks on record as succeeded, as they call themselves, without `stale` attempts."""
    good = {name for name, r in workspace.attempts().items() if r.final and r.outcome == 'succeeded' and r.id not in stale}
    return {name.replace('[', '-').rstrip(']') for name in good}


def whole(workspace: Workspace, task: str, turn: int) -> bool:
    """Whether a task's file is as it should be."""
    return workspace.exists(f'out-{task}') and workspace.read(f'out-{task}') == ''.join(
        f'{turn}-{piece}.' for piece in range(4)
    )


def kill(process: subprocess.Popen[str]) -> bool:
    """Kill a driver and its whole process group; False if it had ended."""
    if process.poll() is not None:
        return False
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return True


def wait_for(workspace: Workspace, line: str) -> None:
    """Until a task has said so."""
    end = time.monotonic() + 30
    while line not in workspace.lines('events'):
        assert time.monotonic() < end, f'{line!r} never came: {workspace.lines("events")}'
        time.sleep(0.005)


def test_a_driver_killed_at_any_moment_loses_nothing_and_repeats_nothing(workspace: Workspace) -> None:
    moments = random.Random(SEED)
    workspace.script(FLOW)
    turn = killed = 0
    stale: frozenset[str] = frozenset()
    while killed < KILLS:
        if (before := succeeded(workspace, stale)) == set(TASKS):  # all is done: change what is to be written, and start over
            turn += 1
            workspace.edit(f'ROUND = {turn - 1}', f'ROUND = {turn}')
            stale = frozenset(record.id for record in workspace.attempts().values())
            before = set()
        heard = len(workspace.lines('events'))
        process = workspace.start()
        try:
            process.wait(moments.uniform(0.1, 1.1))
        except subprocess.TimeoutExpired:
            killed += kill(process)
        else:
            assert process.returncode == 0, process.communicate()
        began = {line.split()[1] for line in workspace.lines('events')[heard:] if line.startswith('start')}
        assert not began & before, f'these had succeeded and ran again: {began & before} (seed {SEED}, kill {killed})'
        torn = [task for task in succeeded(workspace, stale) if not whole(workspace, task, turn)]
        assert not torn, f'recorded as succeeded, but not whole: {torn} (seed {SEED}, kill {killed})'
    last = workspace.run()
    assert last.returncode == 0, last
    assert succeeded(workspace) == set(TASKS)
    assert [task for task in TASKS if not whole(workspace, task, turn)] == []
    assert [line for line in workspace.lines('events') if line.startswith('twice')] == []
    assert workspace.run().executed == []


def test_two_terminals_that_start_at_once_execute_every_task_once(workspace: Workspace) -> None:
    moments = random.Random(SEED)
    workspace.script(FLOW)
    for turn in range(RACES):
        if turn:
            workspace.edit(f'ROUND = {turn - 1}', f'ROUND = {turn}')
            workspace.remove('events')
        processes = [workspace.start()]
        time.sleep(moments.choice((0.0, 0.0, moments.uniform(0, 0.6))))
        processes.append(workspace.start())
        for process in processes:
            stdout, stderr = process.communicate(timeout=60)
            assert process.returncode == 0, (turn, stdout, stderr)
        lines = workspace.lines('events')
        assert sorted(line for line in lines if not line.startswith('end')) == sorted(f'start {task}' for task in TASKS)
        assert [task for task in TASKS if not whole(workspace, task, turn)] == []
    assert workspace.run().executed == []


def test_a_run_takes_over_when_the_one_it_waits_for_is_killed(workspace: Workspace) -> None:
    workspace.script(FLOW)
    workspace.edit('PAUSE = 0.02', 'PAUSE = 0.1')
    owner = workspace.start()
    wait_for(workspace, 'start first-0')
    other = workspace.start()
    wait_for(workspace, 'end first-0')
    assert kill(owner)
    done = succeeded(workspace)
    heard = len(workspace.lines('events'))
    stdout, stderr = other.communicate(timeout=60)
    assert other.returncode == 0, (stdout, stderr)
    began = {line.split()[1] for line in workspace.lines('events')[heard:] if line.startswith('start')}
    assert not began & done
    assert succeeded(workspace) == set(TASKS)
    assert [task for task in TASKS if not whole(workspace, task, 0)] == []
    assert [line for line in workspace.lines('events') if line.startswith('twice')] == []


def test_a_run_that_joins_another_hears_of_its_failures(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def bad():
            open('started', 'w').close()
            while not os.path.exists('go'): time.sleep(0.01)
            raise ValueError('no good')
        schedule(bad)
    """)
    one = workspace.start()
    end = time.monotonic() + 30
    while not workspace.exists('started'):
        assert time.monotonic() < end
        time.sleep(0.01)
    two = workspace.start()
    time.sleep(0.6)  # long enough to have joined; if it has not, it only runs the task again below
    workspace.write('go', '')
    for process in (one, two):
        stdout, stderr = process.communicate(timeout=60)
        assert process.returncode == 1, (stdout, stderr)
        assert 'no good' in stderr
