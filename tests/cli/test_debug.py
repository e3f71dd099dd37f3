"""`awflow debug`: one task by hand, and nothing on record is touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.by_hand import Terminal, debug
from tests.cli.conftest import Held, Workspace


def tree(directory: Path) -> dict[str, bytes]:
    """All files below a directory, but for caches of Python."""
    found = (path for path in directory.rglob('*') if path.is_file() and '__pycache__' not in path.parts)
    return {str(path.relative_to(directory)): path.read_bytes() for path in found}


# -- here --------------------------------------------------------------------------------------------------------------


def test_a_failed_task_fails_again_with_its_traceback_and_the_state_is_as_before(attempted: Workspace) -> None:
    before = tree(attempted.directory / '.awflow')
    done = debug(attempted, 'fit[2]')
    assert done.returncode == 1
    assert done.stdout == f'fitting 2 result of b c {attempted.directory}\n'
    said = done.stderr.splitlines()
    assert said[0] == (
        f'awflow: a look at fit[2]: nothing is recorded, but files that it writes in {attempted.directory} are real; it failed before'
    )
    assert said[1] == 'Traceback (most recent call last):'
    assert said[2].endswith('flow.py", line 21, in fit'), 'the frames of awflow are left out'
    assert 'ValueError: no fit for 2' in said
    assert said[-1].startswith('awflow: fit[2] failed: ValueError: no fit for 2 (after ')
    assert tree(attempted.directory / '.awflow') == before


def test_a_crashed_task_crashes_the_command_and_leaves_nothing(attempted: Workspace, tmp_path: Path) -> None:
    assert debug(attempted, 'fit[3]', env={**attempted.environ, 'TMPDIR': str(tmp_path)}).returncode == -9
    assert os.listdir(tmp_path) == []


def test_what_a_task_leaves_to_the_exit_is_done(workspace: Workspace) -> None:
    workspace.script("""
        import atexit
        from awflow import job, schedule

        @job
        def late():
            atexit.register(print, 'at the exit')

        schedule(late)
    """)
    workspace.run()
    assert 'at the exit' in debug(workspace, 'late', '--yes').stdout


def test_a_crash_in_c_says_where_it_was(workspace: Workspace) -> None:
    workspace.script("""
        import ctypes
        from awflow import job, schedule

        @job
        def crash():
            ctypes.string_at(0)

        schedule(crash, check=False)
    """)
    workspace.run()
    done = debug(workspace, 'crash')
    assert done.returncode == -11
    assert 'in crash' in done.stderr


def test_what_succeeded_is_only_run_again_if_told_so(attempted: Workspace) -> None:
    output = attempted.directory / 'out-1.txt'
    before = output.stat().st_mtime_ns
    done = debug(attempted, 'fit[1]')
    assert done.returncode == 1
    assert done.stderr.startswith('awflow: fit[1] is on record as succeeded, and running it here writes its files again\n')
    assert 'out-1.txt' in done.stderr
    assert output.stat().st_mtime_ns == before
    done = debug(attempted, 'fit[1]', '--yes')
    assert done.returncode == 0
    assert output.stat().st_mtime_ns > before
    assert 'awflow: output out-1.txt: 1 byte\n' in done.stderr
    assert "awflow: returned {'value': 1}\n" in done.stderr


def test_a_task_that_is_being_executed_is_only_run_beside_it_if_told_so(held: Held, workspace: Workspace) -> None:
    done = debug(workspace, 'hold[1]')
    assert done.returncode == 1
    assert done.stderr.startswith('awflow: hold[1] is being executed by run ')
    assert 'Wait until it has ended, or say --yes.' in done.stderr
    process = subprocess.Popen(
        [sys.executable, '-m', 'awflow', 'debug', 'hold[1]', '--yes'], cwd=workspace.directory, env=workspace.environ,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == 'holding 1\n'
    process.kill()
    process.communicate()


def test_a_condition_that_raises_shows_its_traceback(attempted: Workspace) -> None:
    done = debug(attempted, 'unmet')
    assert done.returncode == 1
    assert 'IndexError: list index out of range' in done.stderr
    assert 'postcondition' in done.stderr.splitlines()[-1]


def test_a_function_that_exits_has_failed(attempted: Workspace) -> None:
    done = debug(attempted, 'leaves')
    assert done.returncode == 1
    assert 'exited with code 1 instead of returning, saying: enough' in done.stderr


def test_several_tasks_are_refused_and_those_that_failed_named(attempted: Workspace) -> None:
    done = debug(attempted, 'fit')
    assert done.returncode == 1
    assert done.stderr.startswith('awflow: fit means 4 tasks; one at a time can be debugged\n  not succeeded  fit[2], fit[3]\n')


@pytest.mark.parametrize('line', ['', 'fit[2] --from x.zip', '--from x.zip --bundle y.zip'])
def test_wrong_usage_is_2(attempted: Workspace, line: str) -> None:
    assert debug(attempted, *line.split()).returncode == 2


def test_it_runs_the_code_of_its_last_attempt_and_says_that_the_file_was_edited(workspace: Workspace) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job
        def f():
            raise ValueError('as it was')

        schedule(f, check=False)
    """)
    workspace.run()
    script = workspace.directory / 'flow.py'
    script.write_text(script.read_text().replace('as it was', 'as it is now'))
    later = time.time() + 100
    os.utime(script, (later, later))
    done = debug(workspace, 'f')
    assert 'ValueError: as it was' in done.stderr
    assert 'awflow: flow.py was edited since: the code runs as it was then' in done.stderr


def test_a_project_that_was_moved_is_run_where_it_is_now(attempted: Workspace, tmp_path: Path) -> None:
    shutil.copytree(attempted.directory, tmp_path / 'moved')
    moved = Workspace(tmp_path / 'moved')
    done = debug(moved, 'fit[2]')
    assert done.returncode == 1
    assert done.stdout == f'fitting 2 result of b c {tmp_path}/moved\n'


def test_threads_variables_of_the_environment_and_arguments_are_those_of_a_task(workspace: Workspace) -> None:
    workspace.environ |= {'OMP_NUM_THREADS': '64', 'SLURM_ARRAY_TASK_ID': '7', 'SLURM_JOB_ID': '1'}
    workspace.script("""
        import os, sys
        from awflow import job, schedule

        @job(cpus=3)
        def wide():
            print(os.environ['OMP_NUM_THREADS'], 'SLURM_ARRAY_TASK_ID' in os.environ, sys.argv, __name__)

        schedule(wide)
    """)
    workspace.run()
    (log,) = workspace.directory.glob('.awflow/flow/logs/wide/*.log')
    done = debug(workspace, 'wide', '--yes')
    assert done.returncode == 0
    assert done.stdout == f"3 False ['{workspace.directory}/flow.py'] __main__\n"
    assert done.stdout.split(' ', 2)[2] == log.read_text().split(' ', 2)[2]


def test_it_reads_what_it_is_given(workspace: Workspace) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job
        def ask():
            return input('how many? ')

        schedule(ask, check=False)
    """)
    workspace.run()
    done = debug(workspace, 'ask', input='twelve\n')
    assert done.returncode == 0
    assert done.stdout == 'how many? '
    assert "returned 'twelve'" in done.stderr


def test_a_schedule_within_the_task_and_what_it_keeps_for_later_leave_the_state_alone(
    workspace: Workspace, tmp_path: Path
) -> None:
    workspace.script("""
        import os
        from awflow import Requeue, job, schedule, scratch

        @job(resume=True)
        def outer():
            path = os.path.join(scratch(), 'step')
            step = int(open(path).read()) if os.path.exists(path) else 0
            with open(path, 'w') as file:
                file.write(str(step + 1))

            @job(array=2)
            def inner(i):
                return i + step

            schedule(inner)
            print('step', step, inner.results() if hasattr(inner, 'results') else '')
            raise ValueError(step)

        schedule(outer, check=False)
    """)
    workspace.run()
    before = tree(workspace.directory / '.awflow')
    assert any('/scratch/' in name for name in before)
    workspace.environ['TMPDIR'] = str(tmp_path / 'tmp')
    os.mkdir(tmp_path / 'tmp')
    for _ in range(2):
        done = debug(workspace, 'outer')
        assert os.listdir(tmp_path / 'tmp') == []
        assert 'step 1 [1, 2]' in done.stdout, done.stderr
    assert tree(workspace.directory / '.awflow') == before


def test_the_payload_of_what_failed_is_kept_when_other_jobs_run_and_goes_when_it_is_replaced(workspace: Workspace) -> None:
    workspace.script("""
        import sys
        from awflow import job, schedule

        @job(array=50)
        def many(i):
            if i == 7:
                raise ValueError(sys.argv)

        @job
        def other():
            print(version)

        version = int(sys.argv[2])
        schedule(*([many] if sys.argv[1] == 'many' else [other]), check=False)
    """)
    state = workspace.directory / '.awflow' / 'flow'

    def run(which: str, version: int) -> None:
        command = [sys.executable, 'flow.py', which, str(version)]
        subprocess.run(command, cwd=workspace.directory, env=workspace.environ, check=True, capture_output=True)

    run('many', 1)
    files = [path for path in state.rglob('*') if path.is_file() and 'logs' not in path.parts]
    assert len(files) <= 10, files
    for version in (2, 3, 4):
        run('other', version)
    assert len(os.listdir(state / 'payload')) == 2, 'that of the failed task, and that of the last run'
    done = debug(workspace, 'many[7]')
    assert done.returncode == 1
    assert 'ValueError' in done.stderr
    shutil.rmtree(state / 'payload')
    done = debug(workspace, 'many[7]')
    assert done.returncode == 1
    assert done.stderr.startswith('awflow: of many[7] nothing is left that could be run: its payload is gone\n')


def test_a_task_that_was_forgotten_or_never_ran_is_run_from_the_last_payload_that_has_it(workspace: Workspace) -> None:
    workspace.script("""
        from awflow import after, job, schedule

        @job
        def first():
            raise ValueError('no')

        @after(first)
        @job
        def second():
            return 'second'

        schedule(second, check=False)
    """)
    workspace.run()
    done = debug(workspace, 'second')
    assert done.returncode == 0, done.stderr
    assert 'awflow: second has not run yet: the code is that of claim 1, the last that is kept' in done.stderr
    workspace.awflow('forget', 'first', '--yes')
    done = debug(workspace, 'first')
    assert done.returncode == 1
    assert 'ValueError: no' in done.stderr


def test_another_interpreter_is_used_if_the_run_used_it(workspace: Workspace) -> None:
    workspace.script(
        'from awflow import job, schedule\n@job\ndef f():\n    import sys\n    print(sys.argv)\n    0 / 0\nschedule(f, check=False)\n'
    )
    workspace.run()
    (noted,) = workspace.directory.glob('.awflow/flow/runs/*.json')
    facts = json.loads(noted.read_text())
    other = workspace.directory / 'python'
    other.write_text(f'#!/bin/sh\necho "other: $*"\nexec {sys.executable} "$@"\n')
    other.chmod(0o755)
    noted.write_text(json.dumps({**facts, 'prefix': '/elsewhere', 'command': [str(other), 'flow.py']}))
    done = debug(workspace, 'f')
    assert done.returncode == 1
    assert done.stdout.splitlines()[0] == 'other: -m awflow debug f --yes'
    assert 'ZeroDivisionError' in done.stderr
    other.unlink()
    done = debug(workspace, 'f')
    assert 'which is not here: packages may be others' in done.stderr
    assert 'ZeroDivisionError' in done.stderr


# -- the debugger ------------------------------------------------------------------------------------------------------


def test_the_debugger_opens_where_it_was_raised_and_reads_the_terminal(attempted: Workspace) -> None:
    terminal = Terminal(attempted, 'debug', 'fit[2]', '--pdb')
    assert 'ValueError: no fit for 2' in terminal.until('(Pdb) ')
    terminal.type('p inner')
    assert '34' in terminal.until('(Pdb) ')
    terminal.type('list')
    assert "raise ValueError(f'no fit for {i}')" in terminal.until('(Pdb) ')
    terminal.type('q')
    assert terminal.close() == 1


def test_breakpoint_in_the_function_stops_there(workspace: Workspace) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job
        def f():
            number = 6 * 7
            breakpoint()
            return number

        schedule(f, check=False)
    """)
    workspace.run()
    terminal = Terminal(workspace, 'debug', 'f', '--yes')
    terminal.until('(Pdb) ')
    terminal.type('p number')
    assert '42' in terminal.until('(Pdb) ')
    terminal.type('continue')
    terminal.until('returned 42')
    assert terminal.close() == 0


def test_ctrl_c_interrupts_and_with_the_debugger_shows_where(workspace: Workspace) -> None:
    workspace.script("""
        import signal
        from awflow import job, schedule

        @job
        def hangs():
            print('hanging', flush=True)
            if __import__('os').isatty(0):
                signal.pause()

        schedule(hangs)
    """)
    workspace.run()
    terminal = Terminal(workspace, 'debug', 'hangs', '--yes', '--pdb')
    terminal.until('hanging')
    os.kill(terminal.process.pid, 2)
    terminal.until('(Pdb) ')
    terminal.type('where')
    assert 'hangs()' in terminal.until('(Pdb) ')
    terminal.type('q')
    assert terminal.close() == 130


def test_the_debugger_opens_in_a_condition_that_raises_and_not_where_nothing_was_raised(workspace: Workspace) -> None:
    workspace.script("""
        from awflow import ensure, job, schedule

        def first():
            numbers = []
            return numbers[0]

        @ensure(first)
        @job
        def raises(): pass

        @ensure(lambda: False)
        @job
        def says_no(): pass

        schedule(raises, says_no, check=False)
    """)
    workspace.run()
    done = debug(workspace, 'raises', '--pdb', input='p numbers\nq\n')
    assert '-> return numbers[0]' in done.stdout
    assert '(Pdb) []' in done.stdout
    done = debug(workspace, 'says_no', '--pdb', input='')
    assert done.returncode == 1
    assert 'nothing was raised: there is nothing to look into' in done.stderr
