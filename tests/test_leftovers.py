"""What newer attempts replaced does not pile up in the state."""

from __future__ import annotations

import os
from typing import Any


def test_payloads_and_results_that_no_record_names_are_removed(workspace: Any) -> None:
    text = """
        from awflow import after, job, schedule
        n = {n}
        @job(array=3)
        def one(i): return i * n
        @after(one)
        @job
        def all_of_them(): return sum(one.results())
        schedule(all_of_them)
        print(all_of_them.result())
    """
    for n in range(1, 4):
        workspace.script(text.replace('{n}', str(n)))
        assert str(3 * n) in workspace.run().stdout
    state = workspace.path / '.awflow' / 'flow'
    assert len(os.listdir(state / 'payload')) == 1
    assert len(os.listdir(state / 'results' / 'one')) == 1
    assert len(os.listdir(state / 'results' / 'all_of_them')) == 1


def test_results_of_tasks_that_did_not_run_again_are_kept(workspace: Any) -> None:
    text = """
        from awflow import after, job, schedule
        extra = {n}
        @job(array=3)
        def one(i): return i
        @after(one)
        @job
        def total(): return sum(one.results()) + extra
        schedule(total)
        print('total', total.result())
    """
    for n in (1, 2):
        workspace.script(text.replace('{n}', str(n)))
        assert f'total {3 + n}' in workspace.run().stdout


def test_a_result_whose_record_was_checked_again_or_accepted_since_is_kept(workspace: Any) -> None:
    text = """
        from awflow import after, ensure, job, schedule
        limit, extra = {limit}, {extra}
        @ensure(lambda: limit)
        @job
        def one():
            with open('ran', 'a') as file: print('one', file=file)
            return 41
        @after(one)
        @job
        def two(): return one.result() + extra
        schedule(two)
        print('two', two.result())
    """
    for limit, extra in ((1, 1), (2, 1), (2, 2), (2, 3)):
        workspace.script(text.format(limit=limit, extra=extra))
        ran = workspace.run()
        assert f'two {41 + extra}' in ran.stdout, ran
    assert workspace.lines('ran') == ['one'], 'the second time only its condition was checked'
