"""Accepting and forgetting: what is shown, what is recorded, what runs afterwards, and what is refused."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from awflow.state.store import Store

SCRIPT = """
    import os, sys
    from pathlib import Path
    from awflow import after, inputs, job, outputs, schedule
    import util

    @inputs('in.txt')
    @job(array=4)
    def fit(i):
        Path('ran').open('a').write(f'fit{i} ')
        return util.f(i)

    @after(fit)
    @outputs('sum.txt')
    @job
    def total():
        Path('ran').open('a').write('total ')
        Path('sum.txt').write_text(str(sum(fit.results())))

    @after(total)
    @job
    def report():
        Path('ran').open('a').write('report ')

    schedule(report)
    Path('went on').touch()
"""


class Project:
    """A directory with the script, and the command line in it."""

    def __init__(self, workspace: Any, awflow: Any) -> None:
        self.workspace = workspace
        self.directory: Path = workspace.directory
        self._awflow = awflow
        self.write('util.py', 'def f(x):\n    return 2 * x\n')
        self.write('in.txt', '1')
        workspace.script(SCRIPT)
        self.run()

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def edit(self, old: str, new: str) -> None:
        path = self.directory / 'flow.py'
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def run(self) -> list[str]:
        """The tasks that a run executes."""
        self.write('ran', '')
        self.workspace.run()
        return sorted((self.directory / 'ran').read_text().split())

    def awflow(self, *arguments: str) -> Any:
        return self._awflow(*arguments, cwd=self.directory)

    def state(self) -> Any:
        return Store(str(self.directory / '.awflow'), 'flow').read()

    def record(self, job: str, key: str = '-') -> Any:
        rows = self.state().rows(job)
        return rows.record(rows.row(key))

    def refactor(self) -> None:
        self.write('util.py', 'def f(x):\n    return x + x\n')


@pytest.fixture
def project(workspace: Any, awflow: Any) -> Project:
    return Project(workspace, awflow)


def test_what_is_accepted_does_not_run_and_neither_does_anything_below(project: Project) -> None:
    project.refactor()
    done = project.awflow('accept', 'fit', '--yes', '--note', 'only refactored')
    assert done.code == 0, done.err
    assert '  [0, 1, 2, 3] accepted: helper util.f changed' in done.lines
    assert '    -    return 2 * x' in done.lines and '    +    return x + x' in done.lines
    assert project.run() == []


def test_nothing_runs_and_the_script_does_not_go_on_while_it_is_asked(project: Project) -> None:
    project.refactor()
    (project.directory / 'went on').unlink()
    assert project.awflow('accept', 'fit', '--dry-run').lines[-1] == 'Nothing was changed.'
    assert not (project.directory / 'went on').exists()
    assert (project.directory / 'ran').read_text() != ''
    last = project.state().last
    project.awflow('accept', 'fit', '--dry-run')
    assert project.state().last == last


def test_it_asks_and_a_no_changes_nothing(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.refactor()
    asked = []
    monkeypatch.setattr('click.confirm', lambda question, err: asked.append(question))
    done = project.awflow('accept', 'fit')
    assert asked == ['Accept 4 tasks as up to date?']
    assert (done.code, done.lines[-1]) == (1, 'Nothing was changed.')
    assert len(project.run()) == 4 + 1  # `report` is spared: the sum is the same


def test_an_acceptance_is_told_by_why_with_who_when_and_the_note_and_undone_by_forget(project: Project) -> None:
    project.refactor()
    project.awflow('accept', 'fit[1]', '--yes', '--note', 'only refactored')
    record = project.record('fit', '1')
    assert record.accepted and record.note == 'only refactored' and record.by['user'] and record.by['time'] > 0
    told = project.awflow('why', 'fit[1]').lines
    assert told[1].startswith('  Accepted although helper util.f changed, by ')
    assert told[1].endswith('(only refactored)')
    assert '    +    return x + x' in told
    assert project.awflow('forget', 'fit[1]', '--yes', '--note', 'too hasty').code == 0
    told = project.awflow('why', 'fit[1]').lines
    assert told[1].startswith('  Forgotten, by ') and told[1].endswith('(too hasty)')
    assert 'fit1' in project.run()


def test_the_attempt_stays_the_same_with_its_result(project: Project) -> None:
    before = project.record('fit', '3')
    project.refactor()
    project.awflow('accept', 'fit', '--yes')
    after = project.record('fit', '3')
    assert (after.id, after.end, after.started, after.log, after.run) == (
        before.id,
        before.end,
        before.started,
        before.log,
        before.run,
    )
    project.edit('str(sum(', 'str(1 + sum(')
    assert project.run() == ['report', 'total']
    assert (project.directory / 'sum.txt').read_text() == '13'
    assert project.run() == []  # the stored results outlive the sweep of files that no record names


def test_only_the_part_that_was_asked_for_is_accepted_and_the_rest_is_named(project: Project) -> None:
    project.refactor()
    project.write('in.txt', '2')
    done = project.awflow('accept', 'fit', '--component', 'code', '--yes')
    assert '  [0, 1, 2, 3] accepted: helper util.f changed' in done.lines
    assert any(line.startswith('fit[0, 1, 2, 3] runs all the same: input in.txt changed: ') for line in done.lines)
    assert project.awflow('accept', 'fit[0:3]', '--component', 'inputs', '--yes').code == 0
    assert project.run() == ['fit3', 'total']


def test_a_single_component_of_the_code_may_be_named(project: Project) -> None:
    project.edit('return util.f(i)', 'return n * util.f(i)')
    project.edit('import util', 'import util\n    n = 1'.replace('\n    ', '\n'))
    done = project.awflow('accept', 'fit', '--component', 'code of fit', '--yes')
    assert '  [0, 1, 2, 3] accepted: code of fit changed' in done.lines
    assert 'fit[0, 1, 2, 3] runs all the same: global n is new: 1' in done.lines
    assert project.awflow('accept', 'fit', '--component', 'global n', '--yes').code == 0
    assert project.run() == []


def test_an_edited_output_is_kept_and_is_another_outcome(project: Project) -> None:
    project.write('sum.txt', 'mine')
    before = project.record('total')
    done = project.awflow('accept', 'total', '--component', 'outputs', '--yes')
    assert done.code == 0, done.err
    after = project.record('total')
    assert after.id != before.id and after.end != before.end
    assert project.run() == ['report']
    assert (project.directory / 'sum.txt').read_text() == 'mine'


def test_an_upstream_that_ran_may_be_accepted(project: Project) -> None:
    project.edit('schedule(report)', 'schedule(fit, force=[fit])')
    assert len(project.run()) == 4
    project.edit('schedule(fit, force=[fit])', 'schedule(report)')
    done = project.awflow('accept', 'total', '--yes')
    assert '  accepted: upstream fit has another outcome than the one used' in done.lines
    assert project.run() == []


def test_what_cannot_be_accepted_is_said_with_its_reason(project: Project) -> None:
    project.refactor()
    done = project.awflow('accept', 'total', '--yes')
    assert done.code == 1
    assert done.lines == ['total: nothing of its own differs: upstream fit runs; accept that instead']
    project.edit('return util.f(i)', 'raise ValueError(i)')
    project.workspace.start().communicate()
    done = project.awflow('accept', 'fit[0]', '--yes')
    assert (done.code, done.lines) == (1, ['fit[0]: only a success can be accepted; the last attempt failed'])


def test_what_is_up_to_date_needs_no_acceptance(project: Project) -> None:
    done = project.awflow('accept', 'fit', 'total', '--yes')
    assert (done.code, done.lines) == (0, ['Nothing to accept: they are up to date.'])


def test_a_schedule_with_work_to_do_above_that_of_the_job_stops_it(project: Project) -> None:
    project.edit(
        'schedule(report)', '@job\n    def first(): pass\n    schedule(first)\n    schedule(report)'.replace('\n    ', '\n')
    )
    project.refactor()
    done = project.awflow('accept', 'fit', '--yes')
    assert done.code == 1
    assert 'has work to do in a schedule() before that of fit: first' in done.err
    assert 'first' not in project.state().jobs()


def test_a_schedule_above_that_has_nothing_to_do_is_passed(project: Project) -> None:
    project.edit(
        'schedule(report)', '@job\n    def first(): pass\n    schedule(first)\n    schedule(report)'.replace('\n    ', '\n')
    )
    project.run()
    project.refactor()
    assert project.awflow('accept', 'fit', '--yes').code == 0
    assert project.run() == []


def test_a_script_that_fails_or_does_not_schedule_the_job_is_told_with_what_it_said(project: Project) -> None:
    project.edit('import util', "import util; print('so far'); raise SystemExit(3)")
    done = project.awflow('accept', 'fit', '--yes')
    assert done.code == 1
    assert 'the script failed with status 3 before it scheduled fit' in done.err and 'so far' in done.err
    project.write('other.py', '')
    done = project.awflow('accept', 'fit', '--yes', '--script', str(project.directory / 'other.py'))
    assert 'does not schedule fit in this state directory' in done.err


def test_the_script_is_started_with_the_arguments_of_its_last_run(project: Project) -> None:
    project.edit('return util.f(i)', 'return fast * util.f(i)')
    project.edit('import util', "import util\nfast = 1 if '--fast' in sys.argv else 2")
    command = [sys.executable, 'flow.py', '--fast']
    subprocess.run(command, cwd=project.directory, env=project.workspace.environ, check=True, capture_output=True)
    project.refactor()
    done = project.awflow('accept', 'fit', '--yes')
    assert '  [0, 1, 2, 3] accepted: helper util.f changed' in done.lines  # and not: global fast
    assert project.record('fit', '0').accepted


def test_forgotten_tasks_run_again_and_what_is_below_is_spared_if_they_make_the_same(project: Project) -> None:
    done = project.awflow('forget', 'total', '--yes')
    assert done.lines == ['total  succeeded', 'Forgot 1 task: the next run executes it.']
    assert project.run() == ['total']
    assert project.awflow('forget', 'fit[0:2]', 'report', '--yes').lines[-1] == 'Forgot 3 tasks: the next run executes them.'
    assert project.run() == ['fit0', 'fit1', 'report', 'total']


def test_forget_shows_and_asks_first_and_does_nothing_twice(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.awflow('forget', 'fit', '--dry-run').lines == ['fit[0, 1, 2, 3]  succeeded', 'Nothing was changed.']
    monkeypatch.setattr('click.confirm', lambda question, err: question != 'Forget 4 tasks?')
    assert project.awflow('forget', 'fit').code == 1
    monkeypatch.setattr('click.confirm', lambda question, err: question == 'Forget 4 tasks?')
    assert project.awflow('forget', 'fit').code == 0
    assert project.awflow('forget', 'fit', '--yes').lines == ['Nothing to forget: nothing is on record of them.']
    assert len([word for word in project.run() if word.startswith('fit')]) == 4


def test_a_forgotten_task_is_not_adopted_although_its_files_are_there(project: Project) -> None:
    project.awflow('forget', 'total', '--yes')
    assert 'total' in project.run()


def test_a_state_that_may_only_be_read_is_refused_before_anything_is_asked(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, 'access', lambda path, mode: False)
    for command in ('accept', 'forget'):
        done = project.awflow(command, 'fit')
        assert done.code == 1
        assert "the state of workflow 'flow' can be read but not written" in done.err


@pytest.mark.parametrize('command', ['accept', 'forget'])
def test_a_task_that_a_live_run_holds_is_refused_naming_the_run(held: Any, awflow: Any, command: str) -> None:
    done = awflow(command, 'hold', '--yes', cwd=held.directory)
    (claim,) = Store(str(held.directory / '.awflow'), 'flow').read().claims.values()
    assert done.code == 1
    assert f'hold[1] is being executed by run {claim.run}' in done.err


def test_a_task_of_a_dead_run_may_be_forgotten_and_the_claim_is_ended(held: Any, awflow: Any) -> None:
    held.kill()
    assert awflow('forget', 'hold[1]', '--yes', cwd=held.directory).code == 0
    state = Store(str(held.directory / '.awflow'), 'flow').read()
    rows = state.rows('hold')
    assert rows is not None and not state.claims
    assert [rows.outcome(rows.row(key)) for key in '01'] == ['succeeded', 'forgotten']
