from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import Any

LIMIT = 60.0  # seconds after which a test has failed; nothing waits for them to pass


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


def retried(workspace: Any) -> None:
    workspace.script("""
        import sys
        from awflow import job, schedule

        @job(array=2, retries=2)
        def fit(i):
            print('attempt of', i)
            if i:
                raise ValueError('no fit')

        schedule(fit, check=False)
    """)
    workspace.run()


def test_an_earlier_attempt_is_asked_for_by_its_number(workspace: Any, awflow: Any) -> None:
    retried(workspace)
    for number, name in (('1', '1-1-0.log'), ('2', '1-1-1.log'), ('3', '1-1-2.log'), ('-1', '1-1-2.log')):
        expected = (workspace.directory / '.awflow/flow/logs/fit' / name).read_text()
        assert awflow('logs', 'fit[1]', '--attempt', number, cwd=workspace.directory).out == expected
    lines = awflow('logs', 'fit', '--attempt', '2', cwd=workspace.directory).lines
    assert lines[0] == '==> fit[1] attempt 2 failed: ValueError: no fit (.awflow/flow/logs/fit/1-1-1.log) <=='
    assert sum(line.startswith('==>') for line in lines) == 1, 'the other had one attempt only'


def test_an_attempt_that_is_not_known_names_those_that_are(workspace: Any, awflow: Any) -> None:
    retried(workspace)
    shown = awflow('logs', 'fit[1]', '--attempt', '4', cwd=workspace.directory)
    assert (shown.code, shown.out) == (1, '')
    assert shown.err.splitlines()[:2] == ['awflow: nothing is known of attempt 4 of fit[1]', '  attempts  1 to 3']
    assert awflow('logs', 'fit[1]', '--attempt', '0', cwd=workspace.directory).code == 1
    shown = awflow('logs', 'fit', '--attempt', '9', cwd=workspace.directory)
    assert (shown.code, shown.err) == (1, 'awflow: none of these tasks has an attempt 9\n')


def test_crashed_shows_only_those_that_were_killed(awflow: Any) -> None:
    shown = awflow('logs', '--crashed')
    assert [line for line in shown.lines if line.startswith('==>')] == [
        "==> fit['3'] crashed: SIGKILL: its process was killed by SIGKILL, perhaps for want of memory "
        '(.awflow/flow/logs/fit/%273%27-1-0.log) <=='
    ]


def test_one_log_that_cannot_be_read_does_not_hide_the_others(workspace: Any, awflow: Any) -> None:
    retried(workspace)
    log = workspace.directory / '.awflow/flow/logs/fit/0-1-0.log'
    log.unlink()
    log.mkdir()  # nobody can read it, not even root
    shown = awflow('logs', 'fit', cwd=workspace.directory)
    assert shown.code == 1
    assert 'attempt of 1' in shown.out
    assert 'awflow: cannot read the state in' in shown.err and 'Is a directory' in shown.err
    assert awflow('logs', 'fit[0]', cwd=workspace.directory).code == 1


# -- following ---------------------------------------------------------------------------------------------------------


class Follower:
    """`awflow logs -f` in a process of its own, whose lines are read as they come."""

    def __init__(self, workspace: Any, *arguments: str) -> None:
        command = [sys.executable, '-m', 'awflow', 'logs', '-f', *arguments]
        self.process = subprocess.Popen(
            command, cwd=workspace.directory, env=workspace.environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def rest(self) -> tuple[str, str, int]:
        out, err = self.process.communicate(timeout=LIMIT)
        return out, err, self.process.returncode


def test_a_running_task_is_followed_until_it_ends(workspace: Any, held: Any) -> None:
    follower = Follower(workspace, 'hold[1]')
    assert follower.line() == 'holding 1\n'
    held.close_fifo()
    assert follower.rest() == ('', '', 0)


def test_of_several_tasks_lines_bear_their_names_and_those_that_wait_are_followed_too(workspace: Any, held: Any) -> None:
    follower = Follower(workspace, 'hold')
    assert follower.line() == 'hold[1] | holding 1\n', 'of hold[0], which has ended, nothing is to come'
    held.close_fifo()
    out, err, code = follower.rest()
    assert (out, code) == ('hold[2] | holding 2\n', 0)
    assert sorted(err.splitlines()) == ['awflow: hold[1] succeeded', 'awflow: hold[2] succeeded']


def test_ctrl_c_ends_following_and_nothing_else(workspace: Any, held: Any) -> None:
    follower = Follower(workspace, 'hold[1]')
    assert follower.line() == 'holding 1\n'
    follower.process.send_signal(signal.SIGINT)
    assert follower.rest()[2] == 130
    assert held.process.poll() is None


def test_a_task_whose_run_is_killed_ends_as_crashed(workspace: Any, held: Any) -> None:
    follower = Follower(workspace, 'hold[1]')
    assert follower.line() == 'holding 1\n'
    held.kill()
    out, err, code = follower.rest()
    assert (out, err, code) == ('', 'awflow: hold[1] crashed\n', 0)


def test_retries_are_followed_from_file_to_file(workspace: Any) -> None:
    workspace.script("""
        import os
        from awflow import job, schedule

        @job(retries=1)
        def fit():
            print('trying', end='', flush=True)
            fifo = next(name for name in ('first', 'second') if os.path.exists(name))
            open(fifo).read()
            raise ValueError('no fit')

        schedule(fit, check=False)
    """)
    for name in ('first', 'second'):
        os.mkfifo(workspace.directory / name)
    run = workspace.start()
    end = os.open(workspace.directory / 'first', os.O_WRONLY)  # returns when the task has opened it too
    follower = Follower(workspace, 'fit')
    assert follower.process.stdout is not None
    assert follower.process.stdout.read(6) == 'trying'
    (workspace.directory / 'first').unlink()
    os.close(end)
    os.close(os.open(workspace.directory / 'second', os.O_WRONLY))
    out, err, code = follower.rest()
    assert out.count('trying') == 1 and out.count('ValueError: no fit') == 2
    assert err == 'awflow: fit is tried again\nawflow: fit failed: ValueError: no fit\n'
    assert code == 0
    run.communicate(timeout=LIMIT)


def test_following_what_has_ended_prints_it_once_and_of_several_says_that_nothing_runs(awflow: Any) -> None:
    assert awflow('logs', '-f', 'count[3]').out == 'line of 3'
    shown = awflow('logs', '-f', 'count')
    assert (shown.code, shown.out) == (1, '') and 'none of these tasks runs or waits' in shown.err


def test_following_goes_with_no_choice_of_what_is_over(awflow: Any) -> None:
    assert awflow('logs', '-f', '--failed').code == awflow('logs', '-f', 'count', '--attempt', '1').code == 2
