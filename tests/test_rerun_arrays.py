"""Which elements of an array run, and when edges let them: told by scripts that change between two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

# -- arrays ------------------------------------------------------------------------------------------------------------

ARRAY = """
    @job(array={array})
    def each(v): pass
    schedule(each)
"""


@pytest.mark.parametrize(
    ('before', 'after', 'executed'),
    [
        ('3', '5', ['each[3]', 'each[4]']),
        ('5', '3', []),
        ('range(3)', 'range(1, 4)', ['each[3]']),
        ('range(0, 10, 5)', '[5, 0]', []),
        ("['a', 'b']", "['b', 'c', 'a']", ["each['c']"]),
        ('[0.1, 0.2]', '[0.2, 0.30000000000000004, 0.1]', ['each[0.30000000000000004]']),
        ("{'x', 'y', 'z'}", "{'z', 'x', 'y'}", []),
        ("{'x', 'y'}", "{'y', 'w', 'x'}", ["each['w']"]),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", []),
        ("{'a': 1, 'b': 2}", "{'b': 3, 'a': 1}", ["each['b']"]),
        ("[1, '1', 1.0, True, None]", "[None, True, 1.0, '1', 1]", []),
        ("[(1, 'a'), (2, 'b')]", "[(2, 'b'), (3, 'c'), (1, 'a')]", ["each[(3, 'c')]"]),
        ("[{'lr': 0.1}, {'lr': 0.2}]", "[{'lr': 0.2}, {'lr': 0.1}]", []),
    ],
)
def test_elements_are_known_by_their_value_and_not_by_their_place(
    workspace: Workspace, before: str, after: str, executed: list[str]
) -> None:
    workspace.script(ARRAY.format(array=before))
    assert len(workspace.again()) == len(eval(f'range({before})' if before.isdigit() else before))
    workspace.script(ARRAY.format(array=after))
    assert workspace.again() == executed


@pytest.mark.parametrize('seed', ['1', '2', '3'])
def test_the_order_of_a_set_does_not_count(workspace: Workspace, seed: str) -> None:
    workspace.script(
        """
        @job(array={'alpha', 'beta', 'gamma', 'delta'})
        def each(v): pass
        @after(each)
        @job
        def gather(): pass
        schedule(gather)
        """
    )
    assert len(workspace.run(PYTHONHASHSEED='0').executed) == 5
    assert workspace.run(PYTHONHASHSEED=seed).executed == []


def test_an_empty_array_is_simply_done(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=[])
        def none(v): pass
        @after(none)
        @job
        def gather(): pass
        schedule(gather)
    """)
    assert workspace.again() == ['gather']
    assert workspace.again() == []
    workspace.edit('array=[]', 'array=[1]')
    assert workspace.again() == ['none[1]', 'gather']


@pytest.mark.parametrize('array', ['[1, 2, 3, 4]', '[1, 2]', '[3, 2, 1]'], ids=['grown', 'shrunk', 'reordered'])
def test_another_array_runs_the_job_that_waits_for_all_of_it(workspace: Workspace, array: str) -> None:
    text = """
        @job(array=[1, 2, 3])
        def each(v): return v
        @after(each)
        @job
        def gather(): print('gathered', each.results())
        schedule(gather)
    """
    workspace.script(text)
    assert len(workspace.again()) == 4
    workspace.script(text.replace('[1, 2, 3]', array))
    ran = workspace.run()
    assert ran.executed == (['each[4]', 'gather'] if '4' in array else ['gather'])
    assert f'gathered {array}' in ran.stdout


def test_elements_joined_each_to_each_run_on_their_own(workspace: Workspace) -> None:
    workspace.script("""
        @inputs('in-{i}')
        @job(array=['a', 'b', 'c'])
        def first(i): pass
        @after(first, each=True)
        @job(array=['c', 'b', 'a'])
        def second(i): pass
        schedule(second)
    """)
    for i in 'abc':
        workspace.write(f'in-{i}', i)
    assert len(workspace.again()) == 6
    workspace.write('in-b', 'new')
    assert workspace.again() == ["first['b']", "second['b']"]
    assert workspace.again() == []


def test_an_element_whose_partner_failed_is_skipped_and_the_others_run(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=3)
        def first(i):
            if i == 1 and not os.path.exists('mended'): sys.exit(3)
        @after(first, each=True)
        @job(array=3)
        def second(i): pass
        schedule(second)
    """)
    ran = workspace.run()
    assert sorted(ran.executed) == ['first[0]', 'first[1]', 'first[2]', 'second[0]', 'second[2]']
    workspace.write('mended', '')
    assert workspace.again() == ['first[1]', 'second[1]']


# -- edges -------------------------------------------------------------------------------------------------------------

HANDLERS = """
    @job
    def work():
        if os.path.exists('broken'): raise RuntimeError('broken')
        return len(os.listdir('.')) * 0
    @after(work, status='failure')
    @job
    def alert(): print('alerted')
    @after(work, status='any')
    @job
    def clean(): print('cleaned')
    @after(work)
    @job
    def report(): print('reported')
    schedule(alert, clean, report)
"""


def test_a_failure_handler_runs_when_it_is_needed_and_not_otherwise(workspace: Workspace) -> None:
    workspace.script(HANDLERS)
    workspace.write('broken', '')
    first = workspace.run()
    assert (first.returncode, first.failed) == (1, ['work'])
    assert sorted(first.executed) == ['alert', 'clean', 'work']
    workspace.remove('broken')
    assert sorted(workspace.again()) == ['clean', 'report', 'work']
    assert workspace.again() == []


def test_a_handler_that_was_never_needed_never_runs(workspace: Workspace) -> None:
    workspace.script(HANDLERS)
    assert sorted(workspace.again()) == ['clean', 'report', 'work']
    assert workspace.again() == []


def test_a_task_that_failed_again_alerts_again(workspace: Workspace) -> None:
    workspace.script(HANDLERS)
    workspace.write('broken', '')
    workspace.run()
    second = workspace.run()
    assert sorted(second.executed) == ['alert', 'clean', 'work']


def test_waiting_for_any_starts_at_the_first_yes(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def quick(): pass
        @job
        def slow():
            while not os.path.exists('started'): time.sleep(0.01)
        @waitfor('any')
        @after(quick, slow)
        @job
        def eager(): open('started', 'w').close()
        schedule(eager, workers=4)
    """)
    ran = workspace.run()  # `slow` ends only after `eager` has started
    assert ran.returncode == 0, ran
    assert sorted(ran.executed) == ['eager', 'quick', 'slow']
    assert workspace.again() == []


def test_waiting_for_any_is_skipped_when_all_say_no(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def one(): sys.exit(1)
        @job
        def two(): sys.exit(1)
        @waitfor('any')
        @after(one, two)
        @job
        def eager(): pass
        schedule(eager)
    """)
    ran = workspace.run()
    assert sorted(ran.executed) == ['one', 'two']


def test_a_skipped_job_skips_what_waits_for_it(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def a(): raise ValueError
        @after(a)
        @job
        def b(): pass
        @after(b)
        @job
        def c(): pass
        @after(c, status='failure')
        @job
        def d(): print('handled')
        schedule(c, d)
    """)
    assert workspace.run().executed == ['a', 'd']


def test_a_new_edge_runs_the_job(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def a(): pass
        @job
        def b(): pass
        @after(a)
        @job
        def c(): pass
        schedule(b, c)
    """)
    assert len(workspace.again()) == 3
    workspace.edit('@after(a)', '@after(a, b)')
    assert workspace.again() == ['c']
    workspace.edit('@after(a, b)', '@after(b)')
    assert workspace.again() == ['c']
    assert workspace.again() == []
