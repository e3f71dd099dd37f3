"""What is known of a postcondition: whether it held before its task, whether it ever was false, and what a change of it does."""

from __future__ import annotations

import os
from typing import Any

import pytest

from awflow.proofs import history_of, remembered
from awflow.state.store import Store


def check_of(workspace: Any, task: str = 'make', number: int = 0) -> dict[str, Any]:
    """A postcondition as the task's record has it."""
    checks = [check for check in workspace.attempts()[task].checks if check['when'] == 'after']
    return checks[number]


FLOW = """
    words = 'first'

    @ensure(lambda: os.path.exists('out'))
    @job
    def make():
        with open('out', 'w') as out:
            out.write(words)

    schedule(make)
"""


# -- before the task ---------------------------------------------------------------------------------------------------


def test_a_check_tells_whether_it_held_before_and_after_and_what_each_took(workspace: Any) -> None:
    workspace.script(FLOW)
    workspace.run()
    check = check_of(workspace)
    assert (check['before'], check['ok'], check['was_false']) == (False, True, True)
    assert 0 < check['before_seconds'] < 1
    assert 0 < check['seconds'] < 1


def test_one_that_held_before_the_first_attempt_never_was_false(workspace: Any) -> None:
    workspace.script("""
        @ensure(lambda: True)
        @job
        def make():
            assert 'n' * 3

        schedule(make, prune=False)
    """)
    for _ in range(2):
        assert workspace.run().executed == ['make']
        assert (check_of(workspace)['before'], check_of(workspace)['was_false']) == (True, False)


def test_one_that_was_false_once_is_known_to_have_been_when_its_task_runs_again(workspace: Any) -> None:
    workspace.script(FLOW)
    workspace.run()
    workspace.edit("'first'", "'second'")
    assert workspace.again() == ['make']
    assert (check_of(workspace)['before'], check_of(workspace)['was_false']) == (True, True)


@pytest.mark.parametrize('how', ['raise RuntimeError("half")', 'os.kill(os.getpid(), signal.SIGKILL)', 'assert not "again"'])
def test_it_stays_known_over_attempts_that_do_not_succeed(workspace: Any, how: str) -> None:
    workspace.script(FLOW)
    workspace.run()
    workspace.edit('out.write(words)', f'out.write(words)\n    {how}')
    assert workspace.run().failed == ['make']
    assert check_of(workspace)['was_false'] is True
    workspace.edit(f'\n    {how}', '')
    assert workspace.again() == ['make']
    assert check_of(workspace)['was_false'] is True


def test_a_failed_attempt_that_found_it_false_counts(workspace: Any) -> None:
    workspace.script("""
        @ensure(lambda: os.path.exists('out'))
        @job(retries=1)
        def make():
            if not os.path.exists('out'):
                open('out', 'w').close()
                raise RuntimeError('half of it')

        schedule(make)
    """)
    workspace.run()
    record = workspace.attempts()['make']
    assert (record.outcome, record.attempt) == ('succeeded', (0, 1))
    assert (check_of(workspace)['before'], check_of(workspace)['was_false']) == (True, True)


def test_a_check_that_the_task_did_not_get_to_says_so(workspace: Any) -> None:
    workspace.script("""
        @ensure(lambda: os.path.exists('out'))
        @job
        def make():
            raise RuntimeError

        schedule(make, check=False)
    """)
    workspace.run()
    assert check_of(workspace)['before'] is False
    assert 'ok' not in check_of(workspace)


def test_of_an_adopted_task_it_is_not_known_even_after_it_ran(workspace: Any) -> None:
    workspace.write('out', 'by hand')
    workspace.script(FLOW)
    assert workspace.run().executed == []
    workspace.edit("'first'", "'second'")
    assert workspace.again() == ['make']
    assert check_of(workspace)['before'] is True
    assert 'was_false' not in check_of(workspace)


def test_raising_before_the_task_means_that_it_did_not_hold_and_leaves_no_trace(workspace: Any) -> None:
    workspace.script("""
        @ensure(lambda: open('out').read() == 'done')
        @job
        def make():
            with open('out', 'w') as out:
                out.write('done')

        schedule(make)
    """)
    ran = workspace.run()
    assert (check_of(workspace)['before'], check_of(workspace)['ok']) == (False, True)
    assert 'error' not in check_of(workspace)
    assert 'Traceback' not in ran.stdout + ran.stderr


def test_an_answer_that_was_cached_before_the_task_is_not_taken_for_the_one_after(workspace: Any) -> None:
    workspace.script("""
        import functools

        @functools.cache
        def there(path):
            return os.path.exists(path)

        @ensure(lambda: there('out'))
        @job
        def make():
            open('out', 'w').close()

        schedule(make)
    """)
    assert workspace.run().failed == []
    assert (check_of(workspace)['before'], check_of(workspace)['ok']) == (False, True)


def test_where_a_condition_goes_the_task_does_not(workspace: Any) -> None:
    workspace.script("""
        def there():
            here = os.path.abspath('out')
            os.chdir('/')
            return os.path.exists(here)

        @ensure(there)
        @job
        def make():
            open('out', 'w').close()

        schedule(make)
    """)
    assert workspace.run().failed == []
    assert workspace.exists('out')


def test_two_of_one_name_are_told_apart_by_their_order() -> None:
    history = history_of([
        {'name': 'x', 'when': 'before', 'was_false': True}, {'name': 'x', 'when': 'after', 'was_false': True},
        {'name': 'x', 'when': 'after', 'was_false': False}, {'name': 'y', 'when': 'after'},
    ])  # fmt: skip
    assert remembered(['x', 'y', 'x', 'z'], history) == [True, None, False, None]
    assert remembered(['x'], None) == [False]


def test_a_check_keeps_the_name_that_it_had_when_the_task_was_planned(workspace: Any) -> None:
    workspace.script("""
        @ensure(lambda: os.path.exists('out'))
        @job
        def make():
            open('out', 'w').close()
            with open('flow.py', 'w') as script:
                script.write('# nothing is left')

        schedule(make)
    """)
    workspace.run()
    assert check_of(workspace)['name'] == "@ensure(lambda: os.path.exists('out'))"


# -- changed postconditions --------------------------------------------------------------------------------------------


def entries(workspace: Any) -> int:
    return len(list((workspace.path / '.awflow' / 'flow' / 'ledger').glob('*.claim')))


def test_a_changed_postcondition_is_asked_anew_and_the_record_says_so(workspace: Any) -> None:
    workspace.script(FLOW)
    workspace.run()
    before = workspace.attempts()['make']
    workspace.edit("os.path.exists('out')", "os.path.getsize('out') == 5")
    assert workspace.again() == []
    record = workspace.attempts()['make']
    assert (record.id, record.end, record.run, record.started) == (before.id, before.end, before.run, before.started)
    assert record.note == 're-checked with changed postconditions'
    assert [reason['kind'] for reason in record.why] == ['never ran']
    assert record.code != before.code
    (check,) = record.checks
    assert (check['name'], check['ok']) == ("@ensure(lambda: os.path.getsize('out') == 5)", True)
    assert check['rechecked'] >= before.ended
    assert 'was_false' not in check
    known = entries(workspace)
    assert workspace.again() == []
    assert entries(workspace) == known


def planned(workspace: Any) -> list[str]:
    """Kind and name of the reason for which the task ran last, as its run's entry says."""
    state = Store(str(workspace.path / '.awflow'), 'flow').read()
    ((_, _, (reason,)),) = state.all_reasons[workspace.attempts()['make'].generation]['make']
    return [reason['kind'], reason['name']]


def test_a_changed_postcondition_that_does_not_hold_runs_its_task(workspace: Any) -> None:
    workspace.script(FLOW)
    workspace.run()
    workspace.edit("os.path.exists('out')", "os.path.exists('other')")
    assert workspace.run().executed == ['make']
    assert planned(workspace) == ['postcondition', "@ensure(lambda: os.path.exists('other'))"]


def test_a_helper_of_a_postcondition_counts_as_its_code(workspace: Any) -> None:
    workspace.write('checks.py', 'def fine(path):\n    return len(open(path).read()) > 1\n')
    workspace.script(FLOW)
    workspace.edit("os.path.exists('out')", "checks.fine('out')")
    workspace.edit('words =', 'import checks\nwords =')
    workspace.run()
    workspace.edit('> 1', '> 2', name='checks.py')
    assert workspace.again() == []
    assert workspace.attempts()['make'].note.startswith('re-checked')
    workspace.edit('> 2', '> 200', name='checks.py')
    assert workspace.run().executed == ['make']


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ("@ensure(lambda: os.path.exists('out'))", "@ensure(\n    lambda: os.path.exists('out')  # there\n)"),
        ('words = ', '# a comment\nwords = '),
    ],
)
def test_one_that_only_looks_different_is_no_other(workspace: Any, old: str, new: str) -> None:
    workspace.script(FLOW)
    workspace.run()
    before = entries(workspace)
    workspace.edit(old, new)
    assert workspace.again() == []
    assert entries(workspace) == before


def test_of_several_the_unchanged_ones_keep_what_is_known_of_them(workspace: Any) -> None:
    workspace.script(FLOW)
    workspace.run()
    workspace.edit('@job', "@ensure(lambda: os.path.getsize('out') > 0)\n@job")
    assert workspace.again() == []
    new, old = workspace.attempts()['make'].checks
    assert 'rechecked' in new
    assert ('rechecked' in old, old['was_false']) == (False, True)


def test_a_task_that_runs_for_another_reason_is_not_recorded_as_rechecked(workspace: Any) -> None:
    workspace.script(FLOW)
    workspace.run()
    workspace.edit("os.path.exists('out')", "os.path.exists('./out')")
    workspace.edit("'first'", "'second'")
    assert workspace.again() == ['make']
    assert workspace.attempts()['make'].note == ''
    assert planned(workspace) == ['changed', 'global words']


def test_every_task_of_an_array_is_rechecked_for_itself(workspace: Any) -> None:
    workspace.script("""
        @ensure(lambda i: os.path.exists(f'out-{i}'))
        @job(array=4)
        def make(i):
            with open(f'out-{i}', 'w') as out:
                out.write('x' * i)

        schedule(make)
    """)
    workspace.run()
    workspace.edit("os.path.exists(f'out-{i}')", "os.path.getsize(f'out-{i}') != 2")
    ran = workspace.run()
    assert ran.executed == ['make[2]']
    assert ran.failed == ['make[2]']
    notes = {name: record.note.partition(';')[0] for name, record in workspace.attempts().items()}
    assert {name for name, note in notes.items() if note.startswith('re-checked')} == {'make[0]', 'make[1]', 'make[3]'}


def test_beside_a_version_postconditions_count_as_without(workspace: Any) -> None:
    workspace.script(FLOW)
    workspace.edit('@job', "@job(version='1')")
    workspace.run()
    workspace.edit("os.path.exists('out')", "os.path.exists('./out')")
    assert workspace.again() == []
    assert workspace.attempts()['make'].note.startswith('re-checked')


def test_one_that_holds_what_cannot_be_digested_is_never_taken_as_changed(workspace: Any) -> None:
    workspace.script("""
        class Odd:
            def __awflow_fingerprint__(self):
                raise ValueError('no')

        @ensure(lambda odd=Odd(): os.path.exists('out'))
        @job
        def make():
            open('out', 'w').close()

        schedule(make)
    """)
    workspace.run()
    before = entries(workspace)
    assert workspace.again() == []
    assert entries(workspace) == before


def test_a_job_in_flight_with_other_postconditions_is_not_other_code(workspace: Any) -> None:
    os.mkfifo(workspace.path / 'fifo')
    workspace.script("""
        @ensure(lambda: os.path.exists('out'))
        @job
        def make():
            open('fifo').read()
            open('out', 'w').close()

        schedule(make)
    """)
    first = workspace.start()
    fifo = os.open(workspace.path / 'fifo', os.O_WRONLY)  # returns when the task is there
    workspace.edit("exists('out')", "exists('./out')")
    second = workspace.start(AWFLOW_PROGRESS='1')
    assert second.stderr is not None
    assert 'in flight' in second.stderr.readline()
    os.close(fifo)
    assert second.communicate(timeout=60)[1].count('InFlightError') == 0
    assert (first.wait(60), second.returncode) == (0, 0)
    first.communicate()
