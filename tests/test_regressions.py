"""Bugs that were found once, each as its user would have met it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Workspace


def test_fail_fast_ends_although_a_failing_task_has_retries_left(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def bad():
            raise ValueError('bad')
        @job(retries=1)
        def slow():
            while not any('bad' in p for p, _, f in os.walk('.awflow/flow/logs') if f): time.sleep(0.01)
            time.sleep(0.7)
            raise ValueError('slow')
        run = schedule(bad, slow, fail_fast=True, check=False, workers=2)
        print(len(run.failures))
    """)
    assert workspace.run().stdout.split()[-1] == '2'


def test_equal_bytes_after_a_producer_that_failed_rerun_no_reader(workspace: Workspace) -> None:
    workspace.script("""
        @job(outputs='a')
        def first():
            with open('a', 'w') as out: out.write('half' if os.path.exists('bad') else 'whole')
            if os.path.exists('bad'): raise ValueError('bad')
        @after(first)
        @job(inputs='a', outputs='b')
        def second():
            with open('a') as source, open('b', 'w') as out: out.write(source.read())
        schedule(second, force=[first] if os.path.exists('bad') else [])
    """)
    assert workspace.again() == ['first', 'second']
    workspace.write('bad', '')
    assert workspace.run().failed == ['first']
    workspace.remove('bad')
    assert workspace.again() == ['first']
    assert workspace.again() == []


def test_a_chain_of_unchanged_tasks_may_be_longer_than_the_stack(workspace: Workspace) -> None:
    workspace.script("""
        def make(k, above):
            @job(name=f'j{k}', outputs=f'o{k}')
            def write(k=k):
                with open(f'o{k}', 'w') as out: out.write('x')
            return write if above is None else after(above)(write)
        first = last = make(0, None)
        for k in range(1, 200):
            last = make(k, last)
        again = os.path.exists('o199')
        sys.setrecursionlimit(170 if again else 1000)
        schedule(last, force=[first] if again else [])
    """)
    assert len(workspace.again()) == 200
    assert workspace.again() == ['j0']


def test_a_task_that_proved_unchanged_in_another_run_does_not_run_in_this_one(workspace: Workspace) -> None:
    workspace.script("""
        @job(outputs='a')
        def first():
            with open('a', 'w') as out: out.write('x')
            with open('at work', 'w'): pass
            while not os.path.exists('go'): time.sleep(0.01)
        @after(first)
        @job(outputs='b')
        def second():
            with open('b', 'w') as out: out.write('y')
        run = schedule(second, force=[first] if 'force' in sys.argv else [])
        print('ran', *run.executed)
    """)
    workspace.write('go', '')
    assert workspace.again() == ['first', 'second']
    workspace.remove('go')
    workspace.remove('at work')
    one = workspace.start('force')
    while not workspace.exists('at work'):
        assert one.poll() is None
    two = workspace.start()
    time.sleep(1.5)  # long enough to attach; the assertion holds if it is not
    workspace.write('go', '')
    assert (workspace.finish(one, {}).stdout.split(), workspace.finish(two, {}).stdout.split()) == (['ran', 'first'], ['ran'])
