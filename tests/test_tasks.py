"""What a task sees of the world, and what is seen of it: output, logs, directory, modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Workspace


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
    assert (ran.stdout, '3 tasks done' in ran.stderr) == ('', True)


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


def test_a_script_may_have_the_name_of_a_module_that_awflow_uses(workspace: Workspace) -> None:
    workspace.write('in.txt', 'text')
    workspace.script(
        """
        print('the script runs')
        @inputs('in.txt')
        @job(array=100, batch=100)
        def work(i):
            import array, random
            print(array.array('i', [random.choice([i])]))
        schedule(work)
        """,
        name='array.py',
    )
    ran = workspace.run(name='array.py')
    assert (ran.returncode, ran.stderr) == (0, '') and len(ran.executed) == 100
    assert ran.stdout.count('the script runs') == 1
    assert workspace.run(name='array.py').executed == []


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
    workspace.write(
        'my jobs/pipeline.py',
        """
from awflow import after, job
@job(name='größe π')
def size(): return 3
@after(size)
@job
def δ(): print('δ', size.result())
""",
    )
    workspace.write('my jobs/flow.py', 'import pipeline\nfrom awflow import schedule\nschedule(pipeline.δ)\n')
    workspace.path /= 'my jobs'
    ran = workspace.run()
    assert (ran.executed, 'δ | δ 3' in ran.stdout) == (['größe π', 'δ'], True), ran
    assert workspace.run().executed == []


def test_a_script_given_to_exec_works_as_in_a_notebook(workspace: Workspace) -> None:
    workspace.write(
        'cells.py',
        """
cells = ['from awflow import *', '@job\\ndef work():\\n    return 5', 'schedule(work)', 'print(work.result())']
names = {'__name__': '__main__'}
for cell in cells: exec(compile(cell, '<cell>', 'exec'), names)
""",
    )
    first = workspace.run(name='cells.py')
    assert (first.returncode, first.executed, first.stdout) == (0, ['work'], '5\n'), first
    second = workspace.run(name='cells.py')
    assert (second.returncode, second.executed, second.stdout) == (0, [], '5\n'), second
