"""The local backend as its user meets it: limits, retries, signals, logs, and tasks that die in every way."""

from __future__ import annotations

import os
import signal
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
    ('options', 'workers', 'most'), [('throttle=1', 4, 1), ('throttle=2', 4, 2), ('cpus=2', 4, 2), ('cpus=64', 4, 1), ('cpus=1', 1, 1)]
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


# -- output ------------------------------------------------------------------------------------------------------------


def test_output_appears_while_the_task_runs_with_its_name_in_front(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=['ä'])
        def talk(v):
            print('first words')
            while not os.path.exists('go'): time.sleep(0.01)
            sys.stderr.write('last words, no newline')
        schedule(talk)
    """)
    process = workspace.start()
    assert process.stdout is not None
    assert process.stdout.readline() == "talk['ä'] | first words\n"
    workspace.write('go', '')
    stdout, _ = process.communicate(timeout=60)
    assert stdout == "talk['ä'] | last words, no newline\n"


def test_the_log_holds_what_a_task_and_its_children_write(workspace: Workspace) -> None:
    workspace.script("""
        import subprocess
        @job
        def talk():
            print('from python')
            subprocess.run(['sh', '-c', 'echo from a child; echo and its errors >&2'])
            os.write(1, b'raw \\xff bytes\\n')
        schedule(talk)
    """)
    ran = workspace.run()
    assert ran.returncode == 0
    (log,) = (workspace.path / '.awflow' / 'flow' / 'logs' / 'talk').iterdir()
    assert log.read_bytes() == b'from python\nfrom a child\nand its errors\nraw \xff bytes\n'
    assert 'talk | raw \N{REPLACEMENT CHARACTER} bytes' in ran.stdout
    assert ran.records['talk'].log.endswith(log.name)


def test_a_task_that_says_nothing_leaves_no_log(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def quiet(): pass
        schedule(quiet)
    """)
    assert workspace.run().executed == ['quiet']
    assert not (workspace.path / '.awflow' / 'flow' / 'logs' / 'quiet').exists()


def test_a_million_lines_arrive_whole(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def chatty():
            for k in range(20000): print('line', k)
        schedule(chatty)
    """)
    ran = workspace.run()
    assert ran.stdout.splitlines() == [f'chatty | line {k}' for k in range(20000)]


def test_progress_goes_to_stderr_and_can_be_switched_on(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=3)
        def work(i): pass
        schedule(work)
    """)
    ran = workspace.run(AWFLOW_PROGRESS='1')
    assert (ran.stdout, '3/3 tasks done' in ran.stderr) == ('', True)


# -- the world of a task -----------------------------------------------------------------------------------------------


def test_tasks_run_in_the_directory_of_the_schedule_with_fresh_state(workspace: Workspace) -> None:
    workspace.script("""
        seen = []
        @job(array=3)
        def work(i):
            seen.append(i)
            os.chdir('/')
            os.environ['LEFT'] = 'behind'
            return seen
        @after(work)
        @job
        def check(): print(work.results(), os.path.samefile(os.getcwd(), os.environ['HERE']), 'LEFT' in os.environ)
        os.environ['HERE'] = os.getcwd()
        schedule(check)
    """)
    assert 'check | [[0], [1], [2]] True False' in workspace.run().stdout


def test_the_script_is_never_executed_again_to_run_a_task(workspace: Workspace) -> None:
    workspace.script("""
        with open('imports', 'a') as out: out.write('x')
        @job(array=3)
        def work(i): pass
        schedule(work)
    """)
    assert len(workspace.run().executed) == 3
    assert workspace.read('imports') == 'x'


def test_numeric_libraries_are_told_how_many_cpus_they_have(workspace: Workspace) -> None:
    workspace.script("""
        @job(cpus=2)
        def work(): print(os.environ['OMP_NUM_THREADS'])
        schedule(work, workers=2)
    """)
    assert 'work | 2' in workspace.run().stdout


def test_helpers_classes_and_modules_of_the_project_travel_to_the_task(workspace: Workspace) -> None:
    workspace.write('lab/__init__.py', '')
    workspace.write('lab/tools.py', 'FACTOR = 3\ndef scale(x): return x * FACTOR\n')
    workspace.write('state.py', 'name = "mine"\n')
    workspace.script("""
        import state
        from lab.tools import scale
        from lab import tools
        class Model:
            def __init__(self, rate): self.rate = rate
            def __call__(self, x): return scale(x) * self.rate
        model = Model(2)
        @job(array=[Model(1), Model(5)])
        def work(m): return m(1) + model(1) + tools.FACTOR
        @after(work)
        @job
        def show(): print(work.results(), state.name)
        schedule(show)
    """)
    assert 'show | [12, 24] mine' in workspace.run().stdout
    assert workspace.run().executed == []
    workspace.edit('FACTOR = 3', 'FACTOR = 4', name='lab/tools.py')
    assert len(workspace.run().executed) == 3


def test_jobs_of_an_imported_module_and_unicode_names_and_spaces(workspace: Workspace) -> None:
    workspace.write('my jobs/pipeline.py', """
from awflow import after, job
@job(name='größe π')
def size(): return 3
@after(size)
@job
def δ(): print('δ', size.result())
""")
    workspace.write('my jobs/flow.py', 'import pipeline\nfrom awflow import schedule\nschedule(pipeline.δ)\n')
    workspace.path /= 'my jobs'
    ran = workspace.run()
    assert (ran.executed, 'δ | δ 3' in ran.stdout) == (['größe π', 'δ'], True), ran
    assert workspace.run().executed == []


def test_a_script_given_to_exec_works_as_in_a_notebook(workspace: Workspace) -> None:
    workspace.write('cells.py', """
cells = ['from awflow import *', '@job\\ndef work():\\n    return 5', 'schedule(work)', 'print(work.result())']
names = {'__name__': '__main__'}
for cell in cells: exec(compile(cell, '<cell>', 'exec'), names)
""")
    first = workspace.run(name='cells.py')
    assert (first.returncode, first.executed, first.stdout) == (0, ['work'], '5\n'), first
    second = workspace.run(name='cells.py')
    assert (second.returncode, second.executed, second.stdout) == (0, [], '5\n'), second
