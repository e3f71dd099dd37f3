"""What is said of tasks that fail, and of results and jobs that cannot be had, once it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Workspace


def test_the_summary_names_task_value_cause_and_log(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=['a', 'b'])
        def work(v):
            print('working on', v)
            if v == 'b': raise ValueError('b is bad')
        schedule(work)
    """)
    ran = workspace.run()
    assert ran.returncode == 1
    for word in ('WorkflowFailed', "work['b']", 'ValueError', 'b is bad', 'log: '):
        assert word in ran.stderr, ran
    log = ran.stderr.split('log: ')[1].splitlines()[0]
    text = workspace.read(log)
    assert 'working on b' in text
    assert 'ValueError: b is bad' in text
    assert ', in work' in text  # where in the script it happened
    assert "work['a']" not in ran.stderr


def test_many_failures_are_counted_and_not_all_listed(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=30)
        def work(v): raise ValueError(v)
        schedule(work)
    """)
    ran = workspace.run()
    assert '30 of the tasks' in ran.stderr
    assert '10 more' in ran.stderr


def test_without_check_the_failures_are_data(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=3)
        def work(v):
            if v: raise ValueError(f'no {v}')
        run = schedule(work, check=False)
        for failure in run.failures: print(failure.job, failure.value, failure.outcome, failure.error)
        print(run.status())
    """)
    ran = workspace.run()
    assert ran.returncode == 0
    assert 'work 1 failed ValueError: no 1' in ran.stdout
    assert 'work 2 failed ValueError: no 2' in ran.stdout
    assert "'failed': 2" in ran.stdout


def test_the_exception_carries_the_run(workspace: Workspace) -> None:
    workspace.script("""
        from awflow.errors import WorkflowFailed
        @job
        def work(): raise ValueError('no')
        try: schedule(work)
        except WorkflowFailed as error: print([str(f) for f in error.run.failures])
    """)
    ran = workspace.run()
    assert (ran.returncode, 'ValueError: no' in ran.stdout) == (0, True), ran


def test_a_postcondition_that_does_not_hold_is_quoted(workspace: Workspace) -> None:
    workspace.script("""
        @ensure(lambda: os.path.exists('never.txt'))
        @job
        def work(): pass
        schedule(work)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.failed) == (1, ['work'])
    assert 'never.txt' in ran.stderr


def test_a_precondition_that_does_not_hold_fails_the_task_before_it_starts(workspace: Workspace) -> None:
    workspace.script("""
        @ensure(lambda: os.path.exists('needed.txt'), when='before')
        @job
        def work(): print('worked')
        schedule(work)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.failed, 'worked' in ran.stdout) == (1, ['work'], False), ran
    assert 'needed.txt' in ran.stderr
    workspace.write('needed.txt', '')
    assert workspace.run().executed == ['work']
    workspace.remove('needed.txt')
    assert workspace.run().executed == []  # it is no part of being up to date


def test_a_result_that_is_not_along_a_direct_edge_names_the_cure(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def far(): return 1
        @after(far)
        @job
        def middle(): return 2
        @after(middle)
        @job
        def work(): print(far.result())
        schedule(work)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.failed) == (1, ['work'])
    assert 'far' in ran.stderr
    assert '@after' in ran.stdout


def test_a_result_that_cannot_be_stored_fails_its_task_by_name(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def work(): return (i for i in range(3))
        schedule(work)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.failed) == (1, ['work'])
    assert 'work' in ran.stderr
    assert 'generator' in ran.stderr


def test_a_script_run_with_another_code_while_a_task_is_in_flight_is_refused(workspace: Workspace) -> None:
    workspace.script("""
        n = 10000
        @job
        def work():
            open('started', 'w').close()
            while not os.path.exists('go'): time.sleep(0.01)
            return n
        schedule(work)
    """)
    before = workspace.attempts()
    process = workspace.start()
    while not workspace.exists('started'):
        assert process.poll() is None, process.communicate()
    workspace.edit('n = 10000', 'n = 20000')
    refused_run = workspace.run()
    workspace.write('go', '')
    assert workspace.finish(process, before).returncode == 0
    assert refused_run.returncode == 1
    for word in ('InFlightError', 'work', 'n', '10000', '20000'):
        assert word in refused_run.stderr


def test_a_job_that_a_notebook_has_redefined_since_is_refused(workspace: Workspace) -> None:
    workspace.write(
        'cells.py',
        """
cells = [
    'from awflow import *', '@job\\ndef load(): return 1', '@after(load)\\n@job\\ndef fit(): return load.result()',
    '@job\\ndef load(): return 2', 'schedule(fit)',
]
names = {'__name__': '__main__'}
for cell in cells: exec(compile(cell, '<cell>', 'exec'), names)
""",
    )
    ran = workspace.run(name='cells.py')
    assert (ran.returncode, ran.executed) == (1, [])
    for word in ('DefinitionError', "'fit'", "'load'", 'Run the cell'):
        assert word in ran.stderr
