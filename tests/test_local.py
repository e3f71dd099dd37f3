"""The local backend as its user meets it: retries, limits, how many at once, and what goes on after a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace


# -- retries -----------------------------------------------------------------------------------------------------------


def test_a_task_is_tried_again_as_often_as_it_says(workspace: Workspace) -> None:
    workspace.script("""
        @job(retries=2, array=2)
        def work(i):
            with open(f'tries-{i}', 'a') as out: out.write('x')
            if i == 0 and os.path.getsize('tries-0') < 3 or i == 1: raise ValueError('again')
        schedule(work)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.failed) == (1, ['work[1]'])
    assert (workspace.read('tries-0'), workspace.read('tries-1')) == ('xxx', 'xxx')
    assert workspace.run().executed == ['work[1]']
    assert workspace.read('tries-1') == 'x' * 6  # retries are per run


def test_every_attempt_has_its_log(workspace: Workspace) -> None:
    workspace.script("""
        @job(retries=1)
        def work():
            print('hello from', os.path.exists('second'))
            if not os.path.exists('second'):
                open('second', 'w').close()
                raise ValueError
        schedule(work)
    """)
    assert workspace.run().returncode == 0
    logs = sorted((workspace.path / '.awflow' / 'flow' / 'logs' / 'work').iterdir())
    assert [path.read_text().splitlines()[0] for path in logs] == ['hello from False', 'hello from True']


def test_a_crash_is_tried_again_too(workspace: Workspace) -> None:
    workspace.script("""
        @job(retries=1)
        def work():
            if not os.path.exists('second'):
                open('second', 'w').close()
                os.kill(os.getpid(), signal.SIGSEGV)
        schedule(work)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.outcomes) == (0, {'work': 'succeeded'})


# -- limits ------------------------------------------------------------------------------------------------------------


def test_a_task_over_its_time_limit_is_ended_and_not_tried_again(workspace: Workspace) -> None:
    workspace.script("""
        @job(timelimit=0.3, retries=3)
        def slow():
            with open('tries', 'a') as out: out.write('x')
            time.sleep(60)
        @job
        def other(): pass
        schedule(slow, other)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.outcomes) == (1, {'slow': 'timeout', 'other': 'succeeded'})
    assert workspace.read('tries') == 'x'
    assert 'time limit of 0.3 s' in ran.stderr


def test_a_task_over_its_memory_is_ended_and_says_how_much_it_used(workspace: Workspace) -> None:
    workspace.script("""
        @job(memory='120MB')
        def hungry():
            held = []
            while True:
                held.append(bytearray(os.urandom(1024)) * 4096)
                time.sleep(0.01)
        schedule(hungry)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.outcomes) == (1, {'hungry': 'failed'})
    assert 'asked for 120 MiB' in ran.stderr


def test_the_memory_of_what_a_task_starts_counts(workspace: Workspace) -> None:
    workspace.script("""
        import subprocess
        @job(memory='150MB')
        def hungry():
            subprocess.run([sys.executable, '-c', 'import time; held = bytearray(400 * 2**20); time.sleep(60)'])
        schedule(hungry)
    """)
    ran = workspace.run()
    assert ran.outcomes == {'hungry': 'failed'}
    assert 'asked for 150 MiB' in ran.stderr


def test_peak_memory_and_times_are_recorded(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def work():
            held = bytearray(os.urandom(4096)) * 20000
            end = time.process_time() + 0.2
            while time.process_time() < end: pass
        schedule(work)
    """)
    record = workspace.run().records['work']
    assert record.rss > 60 * 2**20
    assert record.user + record.system >= 0.15
    assert record.ended - record.started >= 0.2


# -- how many at once --------------------------------------------------------------------------------------------------

CROWD = """
    @job({options}, array=6)
    def work(i):
        open(f'here-{{i}}', 'w').close()
        crowd = len([name for name in os.listdir('.') if name.startswith('here-')])
        with open('crowds', 'a') as out: out.write(f'{{crowd}}\\n')
        time.sleep(0.1)
        os.unlink(f'here-{{i}}')
    schedule(work, workers={workers})
"""


@pytest.mark.parametrize(
    ('options', 'workers', 'most'),
    [('throttle=1', 4, 1), ('throttle=2', 4, 2), ('cpus=2', 4, 2), ('cpus=64', 4, 1), ('cpus=1', 1, 1)],
)
def test_no_more_tasks_at_once_than_asked_for(workspace: Workspace, options: str, workers: int, most: int) -> None:
    workspace.script(CROWD.format(options=options, workers=workers))
    assert workspace.run().returncode == 0
    assert len(workspace.lines('crowds')) == 6
    assert max(map(int, workspace.lines('crowds'))) <= most


def test_tasks_run_at_once_where_there_is_room(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=2)
        def meet(i):
            open(f'here-{i}', 'w').close()
            while not os.path.exists(f'here-{1 - i}'): time.sleep(0.005)
        schedule(meet, workers=2)
    """)
    assert workspace.run().returncode == 0


def test_a_batch_shares_a_process_and_is_recorded_task_by_task(workspace: Workspace) -> None:
    workspace.script("""
        @job(batch=3, array=7)
        def work(i):
            with open('pids', 'a') as out: out.write(f'{os.getpid()}\\n')
            print('task', i)
            if i == 1: raise ValueError('one is bad')
        schedule(work)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.failed, len(ran.executed)) == (1, ['work[1]'], 7)
    assert len(set(workspace.lines('pids'))) in (3, 4)  # the one after a failure may get a process of its own
    assert all(f'work[{i}] | task {i}' in ran.stdout for i in range(7))
    assert workspace.run().executed == ['work[1]']


def test_a_crash_in_a_batch_costs_one_task(workspace: Workspace) -> None:
    workspace.script("""
        @job(batch=4, array=4)
        def work(i):
            if i == 1: os._exit(9)
        schedule(work)
    """)
    ran = workspace.run()
    assert sorted(ran.executed) == [f'work[{i}]' for i in range(4)]
    assert ran.failed == ['work[1]']


# -- what happens to the rest ------------------------------------------------------------------------------------------

BRANCHES = """
    @job
    def bad(): raise ValueError
    @after(bad)
    @job
    def below(): pass
    @after(bad, status='any')
    @job
    def one(): pass
    @after(one)
    @job
    def two(): pass
    schedule(below, two, workers=1{options})
"""


def test_independent_branches_go_on_after_a_failure(workspace: Workspace) -> None:
    workspace.script(BRANCHES.format(options=''))
    ran = workspace.run()
    assert (ran.returncode, ran.executed) == (1, ['bad', 'one', 'two'])


def test_fail_fast_starts_nothing_after_a_failure(workspace: Workspace) -> None:
    workspace.script(BRANCHES.format(options=', fail_fast=True'))
    ran = workspace.run()
    assert (ran.returncode, ran.executed) == (1, ['bad'])
    workspace.edit('raise ValueError', 'pass')
    assert sorted(workspace.run().executed) == ['bad', 'below', 'one', 'two']


def test_fail_fast_lets_running_tasks_finish(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def bad():
            while not os.path.exists('running'): time.sleep(0.005)
            raise ValueError
        @job
        def good():
            open('running', 'w').close()
            time.sleep(0.5)
        schedule(good, bad, workers=2, fail_fast=True)
    """)
    ran = workspace.run()
    assert ran.outcomes == {'bad': 'failed', 'good': 'succeeded'}
