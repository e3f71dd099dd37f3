from __future__ import annotations

import subprocess
import sys
from typing import Any


def test_the_log_of_one_task_is_printed_as_it_is(awflow: Any) -> None:
    assert awflow('logs', 'count[3]').out == 'line of 3'


def test_the_logs_of_an_array_have_a_line_above_each(awflow: Any) -> None:
    lines = awflow('logs', 'count').lines
    assert [line.split()[1] for line in lines[::2]] == [f'count[{i}]' for i in range(12)]
    assert lines[1::2] == [f'line of {i}' for i in range(12)]


def test_failed_shows_only_what_did_not_succeed(awflow: Any) -> None:
    shown = awflow('logs', '--failed').out
    assert [line.split()[1] for line in shown.splitlines() if line.startswith('==>')] == ["fit['b", "fit['3']"]
    assert 'ValueError: no fit for b c' in shown
    assert 'line of' not in shown


def test_failed_of_a_job_without_failures_says_so(awflow: Any) -> None:
    shown = awflow('logs', 'count', '--failed')
    assert (shown.code, shown.out, shown.err) == (1, '', 'awflow: no task failed\n')


def test_a_task_that_wrote_nothing_says_so_on_stderr(awflow: Any) -> None:
    shown = awflow('logs', 'silent')
    assert (shown.code, shown.out, shown.err) == (0, '', 'awflow: silent wrote nothing\n')


def test_without_job_and_without_failed_it_is_a_usage_error(awflow: Any) -> None:
    assert awflow('logs').code == 2


def test_bytes_that_are_no_text_come_through(workspace: Any) -> None:
    workspace.script(r"""
        import os
        from awflow import job, schedule

        @job
        def f():
            os.write(1, b'\xff\x00\xfe')

        schedule(f)
    """)
    workspace.run()
    command = [sys.executable, '-m', 'awflow', 'logs', 'f']
    shown = subprocess.run(command, cwd=workspace.directory, env=workspace.environ, capture_output=True)
    assert shown.stdout == b'\xff\x00\xfe'


def test_a_log_that_was_deleted_is_an_explained_error(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job
        def f():
            print('hello')

        schedule(f)
    """)
    workspace.run()
    for log in workspace.directory.glob('.awflow/flow/logs/*/*.log'):
        log.unlink()
    shown = awflow('logs', 'f', cwd=workspace.directory)
    assert shown.code == 1
    assert shown.err.startswith('awflow: the log of f is gone\n')
