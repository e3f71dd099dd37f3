"""Tasks that die in every way, and drivers that are told to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import subprocess

    from tests.conftest import Ran, Workspace


def wait_for(workspace: Workspace, name: str, process: subprocess.Popen[str]) -> None:
    """Until a file is there that a task writes."""
    end = time.monotonic() + 30
    while not workspace.exists(name):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, f'{name} never came'
        time.sleep(0.005)


def gone(pid: int) -> bool:
    """Whether a process ends within seconds."""
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            with open(f'/proc/{pid}/stat') as file:
                if file.read().rpartition(')')[2].split()[0] == 'Z':
                    return True
        except (FileNotFoundError, ProcessLookupError):
            return True
        time.sleep(0.02)
    return False


# -- deaths ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('death', 'outcome', 'words'),
    [
        ('os.kill(os.getpid(), signal.SIGKILL)', 'crashed', ('SIGKILL', 'memory')),
        ('os.kill(os.getpid(), signal.SIGSEGV)', 'crashed', ('SIGSEGV',)),
        ('os.kill(os.getpid(), signal.SIGTERM)', None, ()),
        ('os.abort()', 'crashed', ('SIGABRT',)),
        ('os._exit(0)', 'failed', ('status 0',)),
        ('os._exit(7)', 'failed', ('status 7',)),
        ('sys.exit(3)', 'failed', ('3',)),
        ("sys.exit('out of disk')", 'failed', ('out of disk',)),
        ('raise KeyboardInterrupt', None, ('KeyboardInterrupt',)),
        ('raise MemoryError', 'failed', ('MemoryError',)),
        ("raise type('Odd', (BaseException,), {})('odd')", 'failed', ('Odd', 'odd')),
        ('(lambda f: f(f))(lambda f: f(f))', 'failed', ('RecursionError',)),
    ],
)
def test_a_task_that_dies_is_never_taken_as_done(
    workspace: Workspace, death: str, outcome: str | None, words: tuple[str, ...]
) -> None:
    workspace.script(f"""
        @job
        def dies(): {death}
        @job
        def lives(): pass
        schedule(dies, lives)
    """)
    ran = workspace.run()
    assert ran.returncode == 1, ran
    assert ran.failed == ['dies'], ran
    assert outcome in (None, ran.outcomes['dies'])
    assert [word for word in words if word not in ran.stderr] == [], ran.stderr
    assert workspace.run().executed == ['dies']


def test_a_clean_sys_exit_is_no_success_of_a_half_done_task(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def leaves(): sys.exit(0)
        schedule(leaves)
    """)
    first = workspace.run()
    assert first.outcomes['leaves'] in ('succeeded', 'failed')
    assert (first.returncode == 0) == (first.outcomes['leaves'] == 'succeeded')


def test_threads_and_children_left_behind_do_not_hold_up_the_run(workspace: Workspace) -> None:
    workspace.script("""
        import subprocess
        @job
        def leaves():
            child = subprocess.Popen(['sleep', '120'])
            with open('pid', 'w') as out: out.write(str(child.pid))
        @after(leaves)
        @job
        def next(): pass
        schedule(next)
    """)
    ran = workspace.run()
    pid = int(workspace.read('pid'))
    try:
        assert (ran.returncode, ran.executed) == (0, ['leaves', 'next'])
    finally:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def test_the_time_limit_ends_what_the_task_has_started_too(workspace: Workspace) -> None:
    workspace.script("""
        import subprocess
        @job(timelimit=0.5)
        def slow():
            child = subprocess.Popen(['sleep', '60'])
            with open('pid', 'w') as out: out.write(str(child.pid))
            child.wait()
        schedule(slow)
    """)
    assert workspace.run().outcomes == {'slow': 'timeout'}
    assert gone(int(workspace.read('pid')))


# -- signals -----------------------------------------------------------------------------------------------------------

LONG = """
    @job(array=4)
    def long(i):
        with open(f'pid-{i}', 'w') as out: out.write(str(os.getpid()))
        os.rename(f'pid-{i}', f'started-{i}')
        time.sleep(0 if os.path.exists('go') else 60)
    @after(long)
    @job
    def last(): pass
    schedule(last, workers=2)
"""


def stopped(workspace: Workspace, number: int) -> Ran:
    """The long script, which was sent a signal while its first two tasks ran."""
    workspace.script(LONG)
    process = workspace.start()
    wait_for(workspace, 'started-0', process)
    wait_for(workspace, 'started-1', process)
    os.kill(process.pid, number)
    return workspace.finish(process, {})


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_tasks_records_them_as_cancelled_and_says_so(workspace: Workspace, number: int) -> None:
    ran = stopped(workspace, number)
    assert ran.returncode in (128 + number, -number) if number == signal.SIGTERM else ran.returncode == 130, ran
    assert ran.outcomes == {'long[0]': 'cancelled', 'long[1]': 'cancelled'}
    assert 'Traceback' not in ran.stderr
    assert all(gone(int(workspace.read(f'started-{i}'))) for i in (0, 1))
    workspace.write('go', '')
    again = workspace.run()
    assert sorted(again.executed) == ['last', 'long[0]', 'long[1]', 'long[2]', 'long[3]']


def test_ctrl_c_reaches_a_terminal_as_a_whole_group_and_ends_the_same_way(workspace: Workspace) -> None:
    workspace.script(LONG)
    process = workspace.start()
    wait_for(workspace, 'started-0', process)
    wait_for(workspace, 'started-1', process)
    os.killpg(process.pid, signal.SIGINT)
    ran = workspace.finish(process, {})
    assert ran.returncode == 130, ran
    assert ran.outcomes == {'long[0]': 'cancelled', 'long[1]': 'cancelled'}


def test_a_second_ctrl_c_kills_a_task_that_does_not_listen(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def deaf():
            signal.signal(signal.SIGTERM, lambda *_: open('heard', 'w').close())
            open('started', 'w').close()
            end = time.monotonic() + 50
            while time.monotonic() < end: time.sleep(0.05)
        schedule(deaf)
    """)
    process = workspace.start()
    wait_for(workspace, 'started', process)
    begin = time.monotonic()
    os.kill(process.pid, signal.SIGINT)
    wait_for(workspace, 'heard', process)
    os.kill(process.pid, signal.SIGINT)
    ran = workspace.finish(process, {})
    assert (ran.returncode, ran.outcomes) == (130, {'deaf': 'cancelled'})
    assert time.monotonic() - begin < 8  # sooner than the period of grace


def test_a_task_may_clean_up_when_it_is_asked_to_end(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def tidy():
            try:
                open('started', 'w').close()
                time.sleep(60)
            finally:
                open('tidied', 'w').close()
        schedule(tidy)
    """)
    process = workspace.start()
    wait_for(workspace, 'started', process)
    os.kill(process.pid, signal.SIGINT)
    ran = workspace.finish(process, {})
    assert (ran.outcomes, workspace.exists('tidied')) == ({'tidy': 'cancelled'}, True)
