from __future__ import annotations

from typing import Any

import pytest

from awflow.cli.selection import select
from awflow.errors import StateError


@pytest.fixture
def root(made: Any) -> str:
    return str(made.directory / '.awflow')


@pytest.mark.parametrize(
    ('text', 'job', 'key'),
    [
        ('silent', 'silent', '-'),
        ('sum/all', 'sum/all', '-'),
        ('count[3]', 'count', '3'),
        ("fit['a']", 'fit', "'a'"),
        ('fit["a"]', 'fit', "'a'"),
        ('fit[a]', 'fit', "'a'"),
        ('fit[b c]', 'fit', "'b c'"),
        ('fit[3]', 'fit', "'3'"),
    ],
)
def test_a_task_is_found_as_people_write_it(root: str, text: str, job: str, key: str) -> None:
    found = select(root, None, text)
    assert (found.job, list(found.keys)) == (job, [key])


def test_a_job_alone_means_all_its_tasks(root: str) -> None:
    assert list(select(root, None, 'count').keys) == [str(i) for i in range(12)]


@pytest.mark.parametrize(
    'text', ['nothing', 'count[99]', 'count[x]', 'silent[0]', 'count[', ']', '[]', '', 'count]', 'count[(]']
)
def test_what_is_not_on_record_is_refused_with_what_is(root: str, text: str) -> None:
    with pytest.raises(StateError, match='known'):
        select(root, None, text)


def test_a_misspelt_job_gets_a_proposal(root: str) -> None:
    with pytest.raises(StateError, match=r'Did you mean count\?'):
        select(root, None, 'coumt[3]')


def test_floats_tuples_and_brackets_in_names_and_values(workspace: Any) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job(name='grid[1]', array=[0.1, (1, 'x'), 'a[0]', None, True, 'long ' * 40])
        def f(x): pass

        schedule(f)
    """)
    workspace.run()
    root = str(workspace.directory / '.awflow')
    assert len(select(root, None, 'grid[1]').keys) == 6
    meant = {'0.1': '0.1', '1e-1': '0.1', "(1,'x')": "(1, 'x')", 'a[0]': "'a[0]'", 'None': 'None', 'True': 'True'}
    for value, key in meant.items():
        assert list(select(root, None, f'grid[1][{value}]').keys) == [key]
    (digest,) = select(root, None, f'grid[1][{"long " * 40}]').keys
    assert digest.startswith('#')
    assert list(select(root, None, f'grid[1][{digest[:6]}]').keys) == [digest]


def test_of_several_workflows_the_one_that_has_the_job_is_meant(workspace: Any) -> None:
    for name in ('one', 'two'):
        workspace.script(f"""
            from awflow import job, schedule

            @job(name='only {name}')
            def f(): pass

            @job
            def both(): pass

            schedule(f, both)
        """, name)  # fmt: skip
        workspace.run(name)
    root = str(workspace.directory / '.awflow')
    assert select(root, None, 'only two').workflow.name == 'two'
    assert select(root, 'one', 'both').workflow.name == 'one'
    with pytest.raises(StateError, match='--workflow'):
        select(root, None, 'both')
    with pytest.raises(StateError, match='one, two'):
        select(root, 'three', 'both')
