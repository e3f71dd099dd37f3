"""What a user may get wrong: refused early, in words that name the job, the option, the value or the place."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace


def refused(workspace: Workspace, text: str, *words: str) -> str:
    """The message with which a script is refused: nothing ran, it names all these, and it is no bare traceback of ours."""
    workspace.script(text)
    ran = workspace.run()
    assert ran.returncode != 0, ran
    assert ran.executed == []
    missing = [word for word in words if word not in ran.stderr]
    assert not missing, f'{missing} not in:\n{ran.stderr}'
    assert 'Traceback' not in ran.stderr or 'AwflowError' not in ran.stderr.splitlines()[0]
    return ran.stderr


# -- options -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('option', 'value'),
    [
        ('cpus', "'many'"), ('cpus', '0'), ('cpus', '-1'), ('cpus', '1.5'), ('cpus', 'True'),
        ('memory', "'4 apples'"), ('memory', '0'), ('memory', "'GB'"),
        ('gpus', '-1'), ('gpus', "'one'"),
        ('timelimit', "'soon'"), ('timelimit', '0'), ('timelimit', "'1:2:3:4'"), ('timelimit', '-5'),
        ('retries', '-1'), ('retries', "'x'"), ('throttle', '0'), ('batch', '0'), ('ignore', '[1]'), ('version', '[1]'),
        ('array', '-1'), ('array', "'abc'"), ('array', '(i for i in range(3))'), ('array', '1.5'),
    ],
)  # fmt: skip
def test_a_bad_option_names_the_job_the_option_the_value_and_what_is_accepted(workspace: Workspace, option: str, value: str) -> None:
    text = f"""
        @job({option}={value})
        def work(*args): pass
        schedule(work)
    """
    shown = '<generator' if 'for i' in value else value
    message = refused(workspace, text, 'OptionError', "'work'", option, shown, 'accepted')
    assert len(message.splitlines()) < 25


@pytest.mark.parametrize(
    ('given', 'right'), [('mem', 'memory'), ('cores', 'cpus'), ('time', 'timelimit'), ('walltime', 'timelimit'), ('retry', 'retries')]
)
def test_an_option_of_another_tool_is_answered_with_ours(workspace: Workspace, given: str, right: str) -> None:
    text = f"""
        @job({given}='4')
        def work(): pass
        schedule(work)
    """
    refused(workspace, text, 'OptionError', "'work'", f"'{given}'", right)


# -- jobs --------------------------------------------------------------------------------------------------------------


def test_two_jobs_that_cannot_be_told_apart_name_both_places(workspace: Workspace) -> None:
    text = """
        def make():
            @job
            def fit(): pass
            return fit
        one = make()
        @job(name='fit')
        def other(): pass
        schedule(one, other)
    """
    workspace.script(text)
    lines = (workspace.path / 'flow.py').read_text().splitlines()
    first = next(n for n, line in enumerate(lines, 1) if line.strip() == '@job')
    second = next(n for n, line in enumerate(lines, 1) if "name='fit'" in line)
    message = refused(workspace, text, 'DuplicateJobError', "'fit'", 'flow.py:')
    assert any(f'flow.py:{n}' in message for n in (first, first + 1))
    assert any(f'flow.py:{n}' in message for n in (second, second + 1))


def test_a_cycle_is_shown_as_a_path(workspace: Workspace) -> None:
    text = """
        @job
        def a(): pass
        @after(a)
        @job
        def b(): pass
        @after(b)
        @job
        def c(): pass
        a.after(c)
        schedule(b)
    """
    message = refused(workspace, text, 'CycleError')
    assert any(path in message for path in ('a -> b -> c -> a', 'b -> c -> a -> b', 'c -> a -> b -> c', 'a -> c -> b -> a', 'b -> a -> c -> b', 'c -> b -> a -> c'))


def test_a_job_that_waits_for_itself_is_a_cycle(workspace: Workspace) -> None:
    text = """
        @job
        def a(): pass
        a.after(a)
        schedule(a)
    """
    refused(workspace, text, 'CycleError', 'a -> a')


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('@job\n@job\ndef twice(): pass', ('twice',)),
        ('@job\n@ensure(lambda: True)\ndef below(): pass', ()),
        ('@job\n@after(good)\ndef below(): pass', ()),
        ('class A:\n    @job\n    def method(self): pass', ('method', 'self')),
        ('job(lambda: 1)', ('lambda', 'name')),
        ("job(name='')(print)", ('name',)),
        ('job(3)', ('3',)),
        ('@job\ndef needs(x): pass', ('needs',)),
        ('@job(array=3)\ndef takes(): pass', ('takes',)),
        ('@job(array=3)\ndef takes(i, j): pass', ('takes',)),
        ('@ensure(lambda i: True)\n@job\ndef single(): pass', ('single',)),
        ('@ensure(lambda i, j: True)\n@job(array=3)\ndef many(i): pass', ('many',)),
        ("@ensure('file')\n@job\ndef text(): pass", ('text', "'file'")),
        ("@ensure(lambda: True, when='later')\n@job\ndef late(): pass", ('late', 'later')),
        ("@after(good, status='done')\n@job\ndef odd(): pass", ('odd', 'done', 'success')),
        ("@after('good')\n@job\ndef odd(): pass", ('odd', "'good'")),
        ('@after(good, each=True)\n@job(array=3)\ndef odd(i): pass', ('odd', 'good', 'array')),
        ("@waitfor('some')\n@job\ndef odd(): pass", ('odd', 'some')),
        ("schedule('good')", ("'good'",)),
        ('schedule(print)', ('print',)),
        ('schedule(good, workers=0)', ('workers', '0')),
        ('schedule(good, colour=3)', ('colour',)),
        ("schedule(good, workflow='a/b')", ('a/b',)),
        ('schedule(good, force=[3])', ('3',)),
        ('terminal_nodes(3)', ('3',)),
    ],
)
def test_what_cannot_be_declared_is_refused_where_it_is_written(workspace: Workspace, text: str, words: tuple[str, ...]) -> None:
    workspace.write('flow.py', f'from awflow import *\n@job\ndef good(): pass\n{text}\n')
    ran = workspace.run()
    assert (ran.returncode != 0, ran.executed) == (True, []), ran
    assert 'Error' in ran.stderr
    assert [word for word in words if word not in ran.stderr] == [], ran.stderr
    assert re.search(r'\b(DefinitionError|OptionError): ', ran.stderr), ran.stderr
    assert re.search(r'flow\.py"?[:,]', ran.stderr), ran.stderr


def test_an_unknown_backend_is_answered_with_the_known_ones(workspace: Workspace) -> None:
    text = """
        @job
        def work(): pass
        schedule(work, backend='cloud')
    """
    refused(workspace, text, 'BackendError', "'cloud'", 'local')


def test_two_elements_of_one_key_name_their_positions(workspace: Workspace) -> None:
    text = """
        @job(array=['a', 'b', 'a'])
        def work(v): pass
        schedule(work)
    """
    refused(workspace, text, 'DefinitionError', "'work'", "'a'", '0 and 2')


def test_elements_without_a_partner_are_named(workspace: Workspace) -> None:
    text = """
        @job(array=3)
        def up(i): pass
        @after(up, each=True)
        @job(array=5)
        def down(i): pass
        schedule(down)
    """
    refused(workspace, text, 'DefinitionError', "'up'", "'down'", '3, 4')


# -- files -------------------------------------------------------------------------------------------------------------


def test_one_output_of_two_jobs_names_both(workspace: Workspace) -> None:
    text = """
        @job(outputs='same')
        def one(): pass
        @job(outputs='./same')
        def two(): pass
        schedule(one, two)
    """
    refused(workspace, text, 'DefinitionError', 'same', 'one', 'two', 'flow.py:')


def test_one_output_of_two_elements_names_both_and_the_cure(workspace: Workspace) -> None:
    text = """
        @job(array=2, outputs='same')
        def one(i): pass
        schedule(one)
    """
    refused(workspace, text, 'DefinitionError', 'same', 'one[0]', 'one[1]', '{i}')


def test_an_absent_input_that_nobody_makes_is_named_before_anything_runs(workspace: Workspace) -> None:
    text = """
        @job
        def other(): pass
        @job(inputs='data/absent.csv')
        def read(): pass
        schedule(other, read)
    """
    refused(workspace, text, 'DefinitionError', 'read', 'data/absent.csv')


def test_an_input_of_a_job_that_is_not_waited_for_names_the_edge_to_add(workspace: Workspace) -> None:
    text = """
        @job(outputs='made')
        def make(): open('made', 'w').close()
        @job(inputs='made')
        def use(): pass
        schedule(make, use)
    """
    refused(workspace, text, 'DefinitionError', 'use', 'make', 'made', '@after(make)')


def test_a_task_cannot_read_what_it_makes(workspace: Workspace) -> None:
    workspace.write('file', '')
    text = """
        @job(inputs='file', outputs='file')
        def work(): pass
        schedule(work)
    """
    refused(workspace, text, 'DefinitionError', 'work', 'file')


def test_a_template_for_values_that_are_no_names_asks_for_a_callable(workspace: Workspace) -> None:
    text = """
        @job(array=[(1, 2)], outputs='out-{i}')
        def work(v): pass
        schedule(work)
    """
    refused(workspace, text, 'DefinitionError', 'work', 'out-{i}', 'callable')


# -- while it runs -----------------------------------------------------------------------------------------------------


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


def test_two_scripts_of_one_name_in_one_state_name_both(workspace: Workspace) -> None:
    text = 'from awflow import job, schedule\n@job\ndef work(): pass\nschedule(work)\n'
    workspace.write('one/flow.py', text)
    workspace.write('two/flow.py', text)
    assert workspace.run(name='one/flow.py').returncode == 0
    ran = workspace.run(name='two/flow.py')
    assert ran.returncode == 1
    assert 'one/flow.py' in ran.stderr
    assert 'two/flow.py' in ran.stderr
    assert 'workflow=' in ran.stderr


def test_a_state_of_a_newer_format_is_refused_and_left_alone(workspace: Workspace) -> None:
    workspace.script('@job\ndef work(): pass\nschedule(work)\n')
    assert workspace.run().returncode == 0
    claims = sorted((workspace.path / '.awflow' / 'flow' / 'ledger').glob('*.claim'))
    workspace.write('.awflow/FORMAT', '999\n')
    before = workspace.files()
    process = workspace.start()
    _, stderr = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip('the format stands in the entries alone')
    assert '999' in stderr
    assert workspace.files() == before
    assert claims


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_directory_that_cannot_be_written_is_named(workspace: Workspace) -> None:
    workspace.script('@job\ndef work(): pass\nschedule(work)\n')
    workspace.path.chmod(0o555)
    try:
        process = workspace.start()
        _, stderr = process.communicate(timeout=60)
    finally:
        workspace.path.chmod(0o755)
    assert process.returncode != 0
    assert 'StateAccessError' in stderr
    assert str(workspace.path) in stderr
