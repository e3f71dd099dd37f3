from __future__ import annotations

from typing import Any

import pytest

from awflow.cli.selection import select, select_all
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


@pytest.mark.parametrize(
    ('text', 'found'),
    [
        ('count[0:3]', {'count': ['0', '1', '2']}),
        ('count[10:]', {'count': ['10', '11']}),
        ('count[:8:4]', {'count': ['0', '4']}),
        ('count[-2:]', {'count': ['10', '11']}),
        ('count[1*]', {'count': ['1', '10', '11']}),
        ('fit[b*]', {'fit': ["'b c'"]}),
        ('s*', {'silent': ['-'], 'sum/all': ['-']}),
        ('[cf]*[3]', {'count': ['3'], 'fit': ["'3'"]}),
    ],
)
def test_slices_and_globs_mean_what_fits(root: str, text: str, found: dict[str, list[str]]) -> None:
    assert {each.job: sorted(each.keys, key=lambda key: (len(key), key)) for each in select_all(root, None, [text])} == found


def test_a_slice_of_values_that_are_no_numbers_goes_by_their_places(root: str) -> None:
    (selection,) = select_all(root, None, ['fit[0:2]'])
    assert list(selection.keys) == list(selection.workflow.keys('fit'))[:2]


@pytest.mark.parametrize('text', ['count[20:30]', 'count[0:x]', 'zz*', 'count[99*]', 'fit[0:2:-1]', 'count[a=1]'])
def test_patterns_that_fit_nothing_are_refused(root: str, text: str) -> None:
    with pytest.raises(StateError, match='known'):
        select_all(root, None, [text])


def test_several_selectors_are_taken_together_and_each_task_once(root: str) -> None:
    found = select_all(root, None, ['count[3]', 'count[2:5]', 'silent'])
    assert {each.job: list(each.keys) for each in found} == {'count': ['3', '2', '4'], 'silent': ['-']}


def test_without_a_selector_all_tasks_are_meant(root: str) -> None:
    assert {each.job for each in select_all(root, None, [])} == {'fit', 'count', 'silent', 'sum/all'}


def test_a_value_is_found_by_its_parts(workspace: Any) -> None:
    workspace.script("""
        from typing import NamedTuple
        from awflow import job, schedule

        class P(NamedTuple):
            lr: float
            kind: str = 'sgd'

        @job(array=[{'lr': 0.1, 'kind': 'sgd'}, {'lr': 0.10, 'kind': 'adam'}, {'lr': 0.15, 'kind': 'adam'}])
        def fit(x): pass

        @job(array=[P(0.1), P(0.2)])
        def tune(x): pass

        @job(array={'lr=0.1': 1, 'lr=0.2': 2})
        def named(x): pass

        schedule(fit, tune, named)
    """)
    workspace.run()
    root = str(workspace.directory / '.awflow')

    def number(text: str) -> int:
        return sum(len(each.keys) for each in select_all(root, None, [text]))

    assert number('fit[lr=0.1]') == 2
    assert number('fit[lr=0.1, kind=adam]') == 1
    assert number('tune[lr=0.2]') == 1
    assert number('named[lr=0.1]') == 1
    with pytest.raises(StateError):
        number('fit[lr=1]')


def test_numbers_are_the_same_however_they_are_spelled_and_whatever_wraps_them(workspace: Any) -> None:
    workspace.script("""
        import numpy as np
        from pathlib import Path
        from awflow import job, schedule

        @job(array=[{'lr': lr, 'data': Path('a.csv'), 'size': np.int64(n)} for lr in np.logspace(-3, -1, 3) for n in (1, 10)])
        def fit(x): pass

        schedule(fit)
    """)
    workspace.run()
    root = str(workspace.directory / '.awflow')
    for text, tasks in {
        'fit[lr=0.1]': 2, 'fit[lr=.1]': 2, 'fit[lr=1e-3]': 2, 'fit[size=1]': 3, 'fit[lr=0.1,size=10]': 1, 'fit[data=a.csv]': 6,
    }.items():  # fmt: skip
        assert len(select(root, None, text).keys) == tasks, text
    with pytest.raises(StateError):
        select(root, None, 'fit[size=100]')


def test_of_a_value_that_is_cut_the_parts_that_are_whole_can_be_named(workspace: Any) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job(array=[{'lr': 0.1, 'words': 'x' * 42, 'seed': 100 + n, 'last': 1000 + n} for n in range(3)])
        def fit(x): pass

        schedule(fit)
    """)
    workspace.run()
    root = str(workspace.directory / '.awflow')
    assert len(select(root, None, 'fit[lr=0.1]').keys) == 3
    assert len(select(root, None, 'fit[seed=101]').keys) == 1
    for text in ('fit[last=1001]', 'fit[last=1]', 'fit[last=10]'):
        with pytest.raises(StateError, match='of long ones only the beginning is'):
            select(root, None, text)
