from __future__ import annotations

from typing import Any


def test_a_failure_is_told_with_its_error_its_log_and_what_follows(awflow: Any) -> None:
    told = awflow('why', "fit['b c']")
    assert told.lines[0] == "fit['b c']  failed"
    assert 'The next run executes it: the last attempt failed.' in told.out
    assert told.facts('error') == ['ValueError: no fit for b c']
    assert told.facts('log')[0].endswith('.log')


def test_a_success_is_told_with_its_checks_and_the_code_it_depends_on(awflow: Any) -> None:
    told = awflow('why', 'count[3]')
    assert told.lines[0] == 'count[3]  succeeded'
    assert any(check.endswith(' held') for check in told.facts('check'))
    assert 'global factor = 2' in told.facts('code')
    assert 'code of count' in told.facts('code')


def test_a_killed_task_is_told_with_its_signal(awflow: Any) -> None:
    told = awflow('why', "fit['3']")
    assert told.lines[0] == "fit['3']  crashed"
    assert 'signal 9' in told.facts('exit')


def test_upstreams_are_named(awflow: Any) -> None:
    assert [fact.split()[0] for fact in awflow('why', 'sum/all').facts('upstream')] == ['count']


def test_a_job_with_an_array_is_grouped_by_how_its_tasks_ended(awflow: Any) -> None:
    told = awflow('why', 'fit').out
    assert "1 failed: ['b c']  ValueError: no fit for b c" in told
    assert "1 succeeded: ['a']" in told
    assert '12 succeeded: [0, 1, 2, 3, 4, 5, ...]' in awflow('why', 'count').out


def test_outputs_are_told_with_size_and_digest(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        from pathlib import Path
        from awflow import inputs, job, outputs, schedule

        @inputs('in.txt')
        @outputs('out.txt')
        @job
        def copy():
            Path('out.txt').write_text(Path('in.txt').read_text())
            return 42

        schedule(copy)
    """)
    (workspace.directory / 'in.txt').write_text('hello')
    workspace.run()
    told = awflow('why', 'copy', cwd=workspace.directory)
    assert [fact.split(',')[0] for fact in told.facts('output')] == ['out.txt  5 bytes']
    assert [fact.split()[0] for fact in told.facts('input')] == ['in.txt']
    assert len(told.facts('result')) == 1


def test_what_would_steer_the_terminal_is_spelled_out(workspace: Any, awflow: Any) -> None:
    workspace.script(r"""
        from awflow import job, schedule

        @job
        def f():
            raise ValueError('\x1b[31mred\x07')

        schedule(f, check=False)
    """)
    workspace.run()
    assert awflow('why', 'f', cwd=workspace.directory).facts('error') == [r'ValueError: \x1b[31mred\x07']
