"""What a user may get wrong: refused early, in words that name the job, the option, the value or the place."""

from __future__ import annotations

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
def test_a_bad_option_names_the_job_the_option_the_value_and_what_is_accepted(
    workspace: Workspace, option: str, value: str
) -> None:
    text = f"""
        @job({option}={value})
        def work(*args): pass
        schedule(work)
    """
    shown = '<generator' if 'for i' in value else value
    message = refused(workspace, text, 'OptionError', "'work'", option, shown, 'accepted')
    assert len(message.splitlines()) < 25


@pytest.mark.parametrize(
    ('given', 'right'),
    [('mem', 'memory'), ('cores', 'cpus'), ('time', 'timelimit'), ('walltime', 'timelimit'), ('retry', 'retries')],
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
    assert any(
        path in message
        for path in (
            'a -> b -> c -> a',
            'b -> c -> a -> b',
            'c -> a -> b -> c',
            'a -> c -> b -> a',
            'b -> a -> c -> b',
            'c -> b -> a -> c',
        )
    )


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
def test_what_cannot_be_declared_is_refused_where_it_is_written(
    workspace: Workspace, text: str, words: tuple[str, ...]
) -> None:
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
