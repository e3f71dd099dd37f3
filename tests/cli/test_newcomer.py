"""What a newcomer asks of a run that went wrong overnight: which task was it, why did others not run, what comes next."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Workspace
from tests.cli.staged import records, stage

SCRIPT = """
    from awflow import after, job, schedule

    grid = [{'rate': rate, 'layers': n} for rate in (0.1, 0.01) for n in (1, 2)]

    @job(array=grid)
    def train(p):
        print('training', p)
        if p['rate'] == 0.1:
            raise ValueError('diverged')

    @job
    def well():
        pass

    @after(train)
    @job
    def best():
        pass

    @after(best)
    @job
    def plot():
        pass

    @after(well, status='failure')
    @job
    def alarm():
        pass

    schedule(plot, alarm, check=False)
"""


@pytest.fixture
def night(workspace: Workspace, awflow: Any) -> Any:
    workspace.script(SCRIPT)
    workspace.run()
    return lambda *arguments: awflow(*arguments, cwd=workspace.directory)


def test_a_task_whose_key_is_a_digest_is_listed_with_its_value(night: Any) -> None:
    lines = ' '.join(' '.join(night('status', 'train').out.split()).split())
    assert "{'rate': 0.1, 'layers': 1}" in lines
    (first, *_) = night('show', 'train[rate=0.1]').lines
    name, outcome = first.split()
    assert (name[:7], len(name), outcome) == ('train[#', len('train[#]') + 32, 'failed')
    assert "  value     {'rate': 0.1, 'layers': 1}" in night('show', 'train[rate=0.1,layers=1]').lines
    assert "  value    {'rate': 0.1, 'layers': 1}" in night('why', 'train[rate=0.1,layers=1]').lines


def test_what_is_listed_of_a_digest_is_enough_to_name_the_task(night: Any) -> None:
    cut = night('status', 'train').lines[2].split()[0]
    assert len(cut) == len('train[#]') + 12
    assert night('logs', cut).out.startswith("training {'rate': 0.1, 'layers': 1}\n")


def test_what_did_not_start_is_told_with_what_was_in_the_way(night: Any) -> None:
    told = night('why', 'best').lines
    assert told[:2] == ['best  not started', '  It has not run. It was to run because it had never run; it was needed by plot']
    assert told[2].startswith('  It waits for train: train[#')
    assert told[2].count(' failed') == 2
    assert night('why', 'plot').lines[2].startswith('  It waits for best, which waits for train: train[#')
    assert night('why', 'alarm').lines[2] == '  It waits for a failure of well, which succeeded.'


def test_what_did_not_start_has_no_log_and_is_known_all_the_same(night: Any) -> None:
    done = night('logs', 'best')
    assert (done.code, done.out, done.err) == (0, '', 'awflow: best has not started\n')


def test_of_an_array_it_is_told_what_the_next_run_surely_executes(night: Any) -> None:
    lines = night('why', 'train').lines
    assert any(line.startswith('  The next run executes 2: [#') for line in lines)
    assert '  Whether it executes the others is told of one task, or with --now.' in lines
    assert night('why', '--failed').lines[0].startswith('2 failed: [#')
    assert night('why', '--crashed').err == 'awflow: no task crashed\n'
    assert night('forget', '--crashed').out == 'Nothing to forget: no task crashed.\n'
    assert night('forget').code == 2
    assert night('why').code == 2


def test_of_tasks_of_a_killed_run_it_is_told_how_that_is_known(held: Any, awflow: Any) -> None:
    held.kill()
    lines = awflow('status', '--crashed', cwd=held.directory).lines
    assert lines[2].split()[:2] == ['hold[1]', 'crashed']
    assert 'process' in ' '.join(lines) and 'ended' in ' '.join(lines)
    told = awflow('why', 'hold[2]', cwd=held.directory).lines
    assert told[2].startswith('  That run died before it came to it: on ')


def test_of_what_waits_it_is_told_for_what(workspace: Workspace, awflow: Any) -> None:
    workspace.script("""
        from awflow import after, job, schedule

        @job(array=2, cpus=1)
        def hold(i):
            open('fifo').read()

        @after(hold)
        @job
        def later():
            pass

        schedule(later, workers=1)
    """)
    os.mkfifo(workspace.directory / 'fifo')
    process = workspace.start()
    fifo = os.open(workspace.directory / 'fifo', os.O_WRONLY)
    try:
        told = awflow('why', 'later', cwd=workspace.directory).lines
        assert told[:2] == ['later  waiting', '  It waits for hold: hold[0] running, hold[1] waiting.']
        told = awflow('why', 'hold[1]', cwd=workspace.directory).lines
        assert told[:2] == ['hold[1]  waiting', '  What it waits for has ended: it waits for a free place.']
    finally:
        process.kill()
        os.close(fifo)
        process.communicate(timeout=60)


def test_of_what_runs_here_it_is_told_where(held: Any, awflow: Any) -> None:
    here = os.uname().nodename
    (task,) = [line for line in awflow('status', 'hold', cwd=held.directory).lines if line.startswith('hold[1]')]
    assert task.split()[-1] == here
    assert f'  where     {here}' in awflow('show', 'hold[1]', cwd=held.directory).lines


@pytest.mark.parametrize('line', [['forget', 'train'], ['clean', '--older-than', '0d']])
def test_where_nobody_can_be_asked_nothing_is_done_and_it_says_so(night: Any, workspace: Workspace, line: list[str]) -> None:
    done = workspace.awflow(*line, stdin=subprocess.DEVNULL)
    assert (done.returncode, 'Nothing was changed.' in done.stdout) == (1, True)
    assert 'nobody is there to be asked; --yes does it without' in done.stderr
    assert {task['outcome'] for task in json.loads(night('status', 'train', '--json').out)['tasks']} == {'succeeded', 'failed'}


@pytest.mark.parametrize('line', [['forget', 'train'], ['accept', 'train'], ['clean', '--older-than', '0d']])
def test_a_dry_run_works_where_nothing_may_be_written(night: Any, monkeypatch: pytest.MonkeyPatch, line: list[str]) -> None:
    monkeypatch.setattr(os, 'access', lambda path, mode: mode != os.W_OK)
    done = night(*line, '--dry-run')
    assert 'can be read but not written' not in done.err
    assert done.out


def test_logs_of_all_tasks_leave_out_those_that_did_not_start(night: Any, workspace: Workspace) -> None:
    assert Path(workspace.directory / '.awflow').is_dir()
    headings = [line for line in night('logs', '*').lines if line.startswith('==> ')]
    assert len(headings) == 4 + 1


def test_of_what_was_skipped_it_is_told_what_was_in_the_way(tmp_path: Path, awflow: Any) -> None:
    store = stage(tmp_path, records(simulated=120, running=0))
    state = store.read()
    (number,) = state.claims
    grant = store.attach(number, state)
    assert grant is not None
    grant.journal.append([{'settled': 'skipped', 'job': 'report', 'key': '-', 'end': 'e0' * 16}])
    grant.close()
    told = awflow('why', 'report', cwd=tmp_path).lines
    assert told[:2] == ['report  skipped', '  It has not run.']
    assert told[2].startswith('  It waits for fit: fit[5] waiting')
    assert told[3] == '  The next run executes it if it is still needed.'


@pytest.mark.parametrize('value', ["it's", 'say "x"', 'a$b', 'plain'])
def test_what_it_says_to_type_next_is_what_a_shell_takes(workspace: Workspace, awflow: Any, value: str) -> None:
    workspace.script(f"""
        from awflow import job, schedule

        @job(array=[{value!r}])
        def fit(x):
            raise ValueError('no')

        schedule(fit, check=False)
    """)
    workspace.run()
    line = next(line for line in awflow('status', cwd=workspace.directory).lines if line.startswith('1 failed: '))
    said = line.partition('; awflow ')[2]
    words = subprocess.run(
        ['sh', '-c', f"printf '%s\\n' {said}"], capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()  # fmt: skip
    assert awflow(*words, cwd=workspace.directory).lines[0].endswith('  failed')
