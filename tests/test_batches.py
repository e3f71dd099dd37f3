"""Batches that run on by themselves: each task has a record, a log and an end of its own, however the process ends."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Workspace


def test_a_crash_in_a_batch_costs_one_task_and_what_had_not_begun_runs_after_it(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=20, batch=10)
        def work(i):
            with open('ran', 'a') as out: out.write(f'{i}\\n')
            if i == 4 and not os.path.exists('healed'): os.kill(os.getpid(), signal.SIGKILL)
        schedule(work, check=False)
    """)
    ran = workspace.run()
    assert ran.failed == ['work[4]']
    assert workspace.attempts()['work[4]'].outcome == 'crashed'
    assert sorted(map(int, workspace.lines('ran'))) == list(range(20))
    workspace.write('healed', '')
    assert workspace.run().executed == ['work[4]']


def test_what_tasks_of_a_batch_print_is_in_their_own_logs_and_only_those_have_one(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=30, batch=10)
        def work(i):
            if i % 3 == 0: print('line of', i)
            if i % 3 == 1: os.system(f'echo shell of {i}')
        schedule(work)
    """)
    ran = workspace.run()
    for i in range(30):
        log = workspace.attempts()[f'work[{i}]'].log
        said = {0: f'line of {i}\n', 1: f'shell of {i}\n'}.get(i % 3)
        assert (workspace.read(f'.awflow/flow/{log}') if log else None) == said
    shown = [line for line in ran.stdout.splitlines() if ' | ' in line]
    assert sorted(shown) == sorted([f'work[{i}] | {["line", "shell"][i % 3]} of {i}' for i in range(30) if i % 3 < 2])


def test_a_failure_in_a_batch_is_tried_again_and_the_rest_goes_on(workspace: Workspace) -> None:
    workspace.script("""
        @outputs('out/{i}')
        @job(array=12, batch=6, retries=1)
        def work(i):
            os.makedirs('out', exist_ok=True)
            with open('tries', 'a') as out: out.write(f'{i}\\n')
            if workspace_tries(i) == 1 and i == 3: raise ValueError('once')
            with open(f'out/{i}', 'w') as out: out.write(str(i))
        def workspace_tries(i):
            return open('tries').read().split().count(str(i))
        schedule(work)
    """)
    ran = workspace.run()
    assert ran.returncode == 0, ran
    assert sorted(map(int, workspace.lines('tries'))) == sorted([*range(12), 3])
    assert workspace.attempts()['work[3]'].attempt == (0, 1)
    assert workspace.again() == []


def test_when_the_driver_is_killed_nothing_on_record_is_done_again_and_nothing_begun_is_taken_as_done(
    workspace: Workspace,
) -> None:
    workspace.script("""
        @ensure(lambda i: os.path.exists(f'out/{i}'))
        @job(array=400, batch=20)
        def work(i):
            os.makedirs('out', exist_ok=True)
            with open('ran', 'a') as out: out.write(f'{i}\\n')
            with open(f'out/{i}', 'w') as out: out.write('half')
            time.sleep(0.005)
            with open(f'out/{i}', 'w') as out: out.write('whole')
        schedule(work)
    """)
    process = workspace.start()
    end = time.monotonic() + 30
    while not (workspace.exists('ran') and len(workspace.lines('ran')) > 100):
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    done = {name for name, record in workspace.attempts().items() if record.final}
    before = workspace.lines('ran')
    ran = workspace.run()
    assert ran.returncode == 0, ran
    assert not {f'work[{i}]' for i in workspace.lines('ran')[len(before) :]} & done
    assert len(done) > 30
    assert {workspace.read(f'out/{i}') for i in range(400)} == {'whole'}
    assert workspace.again() == []


def test_an_input_that_changes_while_its_task_runs_is_told_in_the_log_and_makes_it_run_again(workspace: Workspace) -> None:
    workspace.write('a', '1')
    workspace.script("""
        @inputs('a')
        @outputs('b')
        @job
        def work():
            with open('b', 'w') as out: out.write(open('a').read())
            if not os.path.exists('second'):
                with open('second', 'w'): pass
                with open('a', 'w') as out: out.write('2')
        schedule(work)
    """)
    workspace.run()
    assert workspace.attempts()['work'].inputs_changed == ['a']
    assert 'the input a changed while the task was running' in workspace.read(
        f'.awflow/flow/{workspace.attempts()["work"].log}'
    )
    assert workspace.run().executed == ['work']
    assert workspace.read('b') == '2'


def test_an_output_that_is_missing_fails_a_task_whoever_looks_for_it(workspace: Workspace) -> None:
    workspace.script(
        """
        @outputs('out-{i}')
        @job(array=3, batch=BATCH)
        def work(i):
            if i != 1:
                with open(f'out-{i}', 'w') as out: out.write('x' * 100_000 * i)
        schedule(work, check=False)
    """.replace('BATCH', "int(os.environ['BATCH'])")
    )
    for batch in ('1', '3'):
        ran = workspace.run(BATCH=batch)
        assert ran.failed == ['work[1]'], batch
        error = workspace.attempts()['work[1]'].error
        assert error is not None and error['line'] == 'the function returned, but the output out-1 does not exist'
        assert workspace.attempts()['work[2]'].outputs['out-2'][1] == 200_000
