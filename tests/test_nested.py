"""A task that schedules jobs itself."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

NESTED = """
    FACTOR = 2
    @job(array=2)
    def parent(i):
        @job(array=2, name='square')
        def square(k): return k * k * FACTOR
        @after(square)
        @job
        def total():
            with open(f'total-{i}', 'w') as out: out.write(str(sum(square.results()) + i))
            return sum(square.results()) + i
        schedule(total)
        return total.result()
    @after(parent)
    @job
    def last(): print('got', parent.results())
    schedule(last)
"""
INNER = [f'parent[{i}]/{task}' for i in range(2) for task in ('square[0]', 'square[1]', 'total')]


def test_jobs_scheduled_inside_a_task_run_under_its_name_and_give_it_their_results(workspace: Workspace) -> None:
    workspace.script(NESTED)
    ran = workspace.run()
    assert ran.returncode == 0, ran
    assert sorted(ran.executed) == sorted([*INNER, 'parent[0]', 'parent[1]', 'last'])
    assert 'got [2, 3]' in ran.stdout
    assert (workspace.read('total-0'), workspace.read('total-1')) == ('2', '3')
    assert workspace.run().executed == []


def test_a_parent_that_runs_again_runs_of_its_jobs_only_what_is_not_up_to_date(workspace: Workspace) -> None:
    workspace.script(NESTED)
    workspace.run()
    workspace.edit('schedule(last)', 'schedule(last, force=[parent])')
    assert sorted(workspace.run().executed) == ['last', 'parent[0]', 'parent[1]']
    workspace.edit(', force=[parent]', '')
    workspace.edit('sum(square.results()) + i))', 'sum(square.results()) + 10 + i))')
    ran = workspace.run()
    assert sorted(ran.executed) == ['last', 'parent[0]', 'parent[0]/total', 'parent[1]', 'parent[1]/total']
    assert workspace.read('total-1') == '13'


def test_what_an_inner_job_reaches_counts_for_its_parent(workspace: Workspace) -> None:
    workspace.script(NESTED)
    workspace.run()
    workspace.edit('FACTOR = 2', 'FACTOR = 3')
    ran = workspace.run()
    assert sorted(ran.executed) == sorted([*INNER, 'parent[0]', 'parent[1]', 'last'])
    assert 'got [3, 4]' in ran.stdout


def test_a_failure_inside_fails_the_parent_and_a_rerun_continues_there(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def parent():
            @job
            def good(): pass
            @after(good)
            @job
            def bad():
                if not os.path.exists('mended'): raise ValueError('inner trouble')
            schedule(bad)
        schedule(parent)
    """)
    ran = workspace.run()
    assert (ran.returncode, sorted(ran.failed)) == (1, ['parent', 'parent/bad'])
    assert 'inner trouble' in ran.stdout + ran.stderr
    workspace.write('mended', '')
    assert sorted(workspace.run().executed) == ['parent', 'parent/bad']


def test_jobs_may_nest_three_deep(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def a():
            @job
            def b():
                @job
                def c(): return 'deep'
                schedule(c)
                return c.result()
            schedule(b)
            return b.result()
        run = schedule(a)
        print(a.result())
    """)
    ran = workspace.run()
    assert (ran.returncode, sorted(ran.executed)) == (0, ['a', 'a/b', 'a/b/c']), ran
    assert 'deep' in ran.stdout.splitlines()


def test_a_task_cannot_wait_for_itself_or_for_what_its_ancestor_executes(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def parent(): schedule(parent)
        @job
        def outer():
            @job
            def inner(): schedule(outer)
            schedule(inner)
        schedule(parent, outer)
    """)
    ran = workspace.run()
    assert ran.returncode == 1
    assert sorted(ran.failed) == ['outer', 'outer/inner', 'parent']
    assert 'CycleError' in ran.stdout
    assert "'parent'" in ran.stderr


def test_an_inner_run_uses_no_more_than_its_parent_was_given(workspace: Workspace) -> None:
    workspace.script("""
        @job(cpus=1)
        def parent():
            @job(array=4)
            def inner(i):
                open(f'here-{i}', 'w').close()
                with open('crowds', 'a') as out: out.write(f"{len([n for n in os.listdir('.') if n.startswith('here-')])}\\n")
                time.sleep(0.05)
                os.unlink(f'here-{i}')
            schedule(inner)
        schedule(parent, workers=2)
    """)
    assert workspace.run().returncode == 0
    assert set(workspace.lines('crowds')) == {'1'}


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGKILL])
def test_stopping_the_outer_driver_stops_the_inner_tasks_too(workspace: Workspace, number: int) -> None:
    workspace.script("""
        @job
        def parent():
            @job
            def inner():
                with open('pid', 'w') as out: out.write(str(os.getpid()))
                os.rename('pid', 'started')
                time.sleep(0 if os.path.exists('go') else 60)
            schedule(inner)
        schedule(parent)
    """)
    process = workspace.start()
    end = time.monotonic() + 30
    while not workspace.exists('started'):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.01)
    inner = int(workspace.read('started'))
    (os.killpg if number == signal.SIGKILL else os.kill)(process.pid, number)
    process.communicate(timeout=60)
    end = time.monotonic() + 15
    while os.path.exists(f'/proc/{inner}/stat') and 'Z' not in letter(inner):
        assert time.monotonic() < end, 'the inner task lives on'
        time.sleep(0.02)
    workspace.write('go', '')
    ran = workspace.run()
    assert (ran.returncode, sorted(ran.executed)) == (0, ['parent', 'parent/inner']), ran


def letter(pid: int) -> str:
    """The state letter of a process, Z if it is no more."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return 'Z'
