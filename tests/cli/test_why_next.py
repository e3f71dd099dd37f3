"""`awflow why`: why a task ran, and what the next run will make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SCRIPT = """
    from pathlib import Path
    from awflow import after, ensure, inputs, job, outputs, schedule
    import json, click, util

    n = 1

    @inputs('in.txt')
    @outputs('{i}.txt')
    @job(array=3)
    def fit(i):
        click.get_app_dir
        if not Path('in.txt').read_text():
            raise ValueError('no input')
        Path(f'{i}.txt').write_text(str(util.f(i) + n))

    @after(fit)
    @outputs('sum.txt')
    @job
    def total():
        Path('sum.txt').write_text('sum')

    @after(total)
    @job
    def report():
        pass

    schedule(report, check=False)
"""


class Project:
    def __init__(self, workspace: Any, awflow: Any) -> None:
        self.workspace = workspace
        self.directory: Path = workspace.directory
        self._awflow = awflow
        self.write('util.py', 'def f(x):\n    return 2 * x\n')
        self.write('in.txt', '1')
        workspace.script(SCRIPT)
        workspace.run()

    def write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)

    def why(self, *arguments: str) -> list[str]:
        done = self._awflow('why', *arguments, cwd=self.directory)
        assert done.code == 0, done.err
        return [str(line) for line in done.lines]


@pytest.fixture
def project(workspace: Any, awflow: Any) -> Project:
    return Project(workspace, awflow)


def test_the_last_run_is_told_with_the_difference_and_the_way_from_the_cause(project: Project) -> None:
    project.write('util.py', 'def f(x):\n    return 3 * x\n')
    project.workspace.run()
    told = project.why('total')
    assert told[0] == 'total  succeeded'
    assert told[1] == '  Ran because upstream fit had another outcome than the one used before'
    assert told[2] == '    because fit[0, 1, 2] ran: helper util.f changed'
    assert '    -    return 2 * x' in told and '    +    return 3 * x' in told
    assert '  Ran because helper util.f changed' in project.why('fit[2]')
    assert project.why('report')[1] == '  Ran because it had never run'  # the sum stayed the same


def test_changed_inputs_and_edited_and_absent_outputs_are_seen_without_the_script(project: Project) -> None:
    assert project.why('fit[0]')[2].startswith('  Nothing on disk says that it must run again.')
    project.write('in.txt', '22')
    (line,) = [line for line in project.why('fit[0]') if 'input in.txt changed: ' in line]
    assert line.startswith('  The next run executes it: ')
    project.write('in.txt', '1')
    project.write('1.txt', 'mine')
    assert '  The next run executes it: output 1.txt has other bytes than were recorded.' in project.why('fit[1]')
    (project.directory / '2.txt').unlink()
    assert '  The next run executes it if that counts then: output 2.txt is absent.' in project.why('fit[2]')


def test_it_works_from_below_the_project(project: Project, awflow: Any) -> None:
    inner = project.directory / 'inner'
    inner.mkdir()
    assert awflow('why', 'fit[0]', cwd=inner).lines[2].startswith('  Nothing on disk says')
    project.write('in.txt', '22')
    assert 'input in.txt changed' in awflow('why', 'fit[0]', cwd=inner).out


def test_an_upstream_that_has_run_since_is_named(project: Project) -> None:
    script = project.directory / 'flow.py'
    text = script.read_text()
    script.write_text(text.replace('n = 1', 'n = 2').replace('schedule(report,', 'schedule(fit,'))
    project.workspace.run()
    assert '  The next run executes it if that counts then: upstream fit[0] and 2 more ran since.' in project.why('total')


def test_with_now_the_script_itself_is_asked(project: Project) -> None:
    assert '  The next run leaves it alone: nothing differs.' in project.why('fit[0]', '--now')
    project.write('util.py', 'def f(x):\n    return 3 * x\n')
    told = project.why('report', '--now')
    assert '  The next run: maybe: upstream total may change' in told
    assert '    because total may run: upstream fit may change' in told
    assert '      because fit[0, 1, 2] runs: helper util.f changed' in told
    assert '    +    return 3 * x' in told
    told = project.why('fit[0:2]', 'total', '--now')
    assert '    [0, 1] outdated: helper util.f changed' in told
    assert '    maybe: upstream fit may change' in told


def test_a_task_that_a_run_had_planned_and_did_not_start_is_told_with_what_failed(project: Project) -> None:
    script = project.directory / 'flow.py'
    script.write_text(script.read_text().replace('def report', 'def other'))
    script.write_text(script.read_text().replace('schedule(report', 'schedule(other'))
    project.write('in.txt', '')
    project.workspace.run()
    told = project.why('other')
    assert told[0] == 'other  not started'
    assert told[1] == '  It has not run. It was to run because it had never run'
    assert told[2].startswith('  It waits for total, which waits for fit: fit[0] failed, fit[1] failed, fit[2] failed')
    assert told[3] == '  The next run executes it if it is still needed.'


def test_tasks_that_ran_for_the_same_reasons_are_told_together(project: Project) -> None:
    project.write('1.txt', 'mine')
    project.workspace.run()
    told = project.why('fit')
    assert told[0] == '3 succeeded: [0, 1, 2]'
    assert '  [0, 2] Ran because it had never run; it was needed by total' in told
    assert '  [1] Ran because output 1.txt has other bytes than were recorded' in told


def test_a_package_of_another_version_is_told_and_said_not_to_count(project: Project) -> None:
    (run,) = (project.directory / '.awflow' / 'flow' / 'runs').iterdir()
    text = run.read_text()
    import importlib.metadata

    version = importlib.metadata.version('click')
    assert f'"click": "{version}"' in text
    run.write_text(text.replace(f'"click": "{version}"', '"click": "0.1"'))
    for selector in ('fit[1]', 'fit'):
        assert any(
            line.split(None, 1)[1:] == [f'package click 0.1 -> {version}: not counted'] for line in project.why(selector)
        )


def test_only_failed_tasks_are_told_if_asked(awflow: Any) -> None:
    told = awflow('why', 'fit', '--failed').lines
    assert told[0] == "1 failed: ['b c']  ValueError: no fit for b c"
    assert told[1] == "1 crashed: ['3']  its process was killed by SIGKILL" or told[1].startswith("1 crashed: ['3']")
    assert not any('succeeded' in line for line in told)
