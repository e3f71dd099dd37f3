from __future__ import annotations

import json
from typing import Any

import pytest

from awflow.cli.observed import Workflow
from awflow.cli.selection import select
from tests.cli.staged import records, stage


def told(awflow: Any, *line: str, **options: Any) -> list[dict[str, Any]]:
    done = awflow('why', '--json', *line, **options)
    assert done.code == 0, done.err
    found: list[dict[str, Any]] = json.loads(done.out)['tasks']
    return found


def test_of_one_task_everything_is_told(awflow: Any) -> None:
    (task,) = told(awflow, 'fit[b c]')
    assert (task['task'], task['outcome'], task['error']) == ("fit['b c']", 'failed', 'ValueError: no fit for b c')
    assert [reason['kind'] for reason in task['ran_because']] == ['never ran']
    assert task['next'] == {'asked': False, 'runs': True, 'reasons': []}
    assert task['record']['outcome'] == 'failed'
    assert 'global factor' not in task['code'], 'it is not used there'
    assert task['log'].endswith('.log')


def test_what_changed_on_disk_is_among_the_reasons_of_the_next_run(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        from awflow import job, outputs, schedule

        @outputs('made')
        @job
        def make():
            open('made', 'w').write('1')

        schedule(make)
    """)
    workspace.run()
    (task,) = told(awflow, 'make', cwd=workspace.directory)
    assert (task['next']['runs'], task['next']['reasons']) == (None, [])
    (workspace.directory / 'made').write_text('2')
    (task,) = told(awflow, 'make', cwd=workspace.directory)
    assert task['next']['runs'] is True
    assert [reason['kind'] for reason in task['next']['reasons']] == ['output changed']


def test_many_tasks_are_told_in_groups(awflow: Any) -> None:
    found = told(awflow, 'fit', 'count')
    assert {(each['job'], each['outcome'], each['number']) for each in found} == {
        ('fit', 'succeeded', 1), ('fit', 'failed', 1), ('fit', 'crashed', 1), ('count', 'succeeded', 12),
    }  # fmt: skip
    assert [each['keys'] for each in found if each['job'] == 'count'] == ['0-11']
    assert all(each['ran_because'][0]['kind'] == 'never ran' for each in found)


def test_the_script_is_asked_for_what_runs_next(made: Any, workspace: Any, awflow: Any) -> None:
    workspace.script('from awflow import job, schedule\n@job(array=3)\ndef f(i): pass\nschedule(f)\n')
    workspace.run()
    workspace.script('from awflow import job, schedule\n@job(array=3)\ndef f(i): return i\nschedule(f)\n')
    (task,) = told(awflow, '--now', 'f[1]', cwd=workspace.directory)
    assert (task['next']['asked'], task['next']['runs'], task['next']['verdict']) == (True, True, 'outdated')
    ended, following = told(awflow, '--now', 'f', cwd=workspace.directory)
    assert (ended['outcome'], ended['number']) == ('succeeded', 3)
    assert (following['keys'], following['next']['runs']) == ('0-2', True)


def test_one_task_is_found_without_spelling_out_the_others(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stage(tmp_path, records(72, 12))

    def refuse(self: Workflow, job: str) -> list[str]:
        raise AssertionError('the keys of all tasks were asked for')

    monkeypatch.setattr(Workflow, 'keys', refuse)
    for text, key in [('simulate[5]', '5'), ('simulate[100]', '100'), ('fit[3]', '3')]:
        assert list(select(str(tmp_path / '.awflow'), None, text).keys) == [key]
