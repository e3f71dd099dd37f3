from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.program import COMMANDS


def test_help_names_the_commands_and_imports_nothing_that_draws(made: Any) -> None:
    code = "import sys; from awflow.cli.program import run; run(['--help']); print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, '-c', code], env=made.environ, capture_output=True, text=True)
    assert all(f'\n  {command} ' in done.stdout for command in ('status', 'why', 'logs', 'dump'))
    assert done.stdout.endswith('False\n')


def test_the_help_of_the_program_imports_no_command(made: Any) -> None:
    code = "import sys; from awflow.cli.program import run; run(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, '-c', code], env=made.environ, capture_output=True, text=True)
    loaded = {name for name in COMMANDS if f"'awflow.cli.{name}'" in done.stdout.splitlines()[-1]}
    assert loaded == set()
    assert max(map(len, done.stdout.splitlines()[:-1])) <= 80


def test_what_may_have_been_meant_is_said(awflow: Any) -> None:
    assert "Did you mean 'status'?" in awflow('statsu').err
    assert 'awflow why "fit[3]"' in awflow('fit[3]').err
    assert 'If it is a job: awflow status fit,' in awflow('fit').err
    assert '--verbose' in awflow('status', '--verbos').err


def test_scripts_can_ask_how_it_stands(made: Any, awflow: Any, workspace: Any, held: Any) -> None:
    assert awflow('status').code == 0
    assert awflow('status', '--exit-code').code == 3
    assert awflow('--exit-code', cwd=workspace.directory).code == 4
    held.kill()
    assert awflow('--exit-code', cwd=workspace.directory).code == 3


@pytest.mark.parametrize('line', ['nonsense', 'status --nonsense', 'why', 'status --watch=x', '--nonsense', 'statu', 'fit[3]'])
def test_wrong_usage_is_2(awflow: Any, line: str) -> None:
    done = awflow(*line.split())
    assert done.code == 2
    assert done.err.startswith('Usage: awflow')


@pytest.mark.parametrize('line', ['status', 'why f', 'logs f', 'logs --failed', 'dump'])
def test_without_a_state_there_is_an_explained_error(awflow: Any, tmp_path: Path, line: str) -> None:
    done = awflow(*line.split(), cwd=tmp_path)
    assert (done.code, done.out) == (1, '')
    assert done.err.startswith('awflow: there is no .awflow here or in any directory above')
    assert 'schedule()' in done.err


def test_the_state_is_found_upward_by_option_and_by_environment(made: Any, tmp_path: Path) -> None:
    inner = made.directory / 'inner' / 'most'
    inner.mkdir(parents=True)
    state = str(made.directory / '.awflow')
    for options in (
        {'cwd': inner},
        {'cwd': tmp_path, 'env': made.environ | {'AWFLOW_STATE': state}},
    ):
        assert 'count' in made.awflow(**options).stdout
    assert 'count' in made.awflow('--state', state, cwd=tmp_path).stdout
    assert 'count' in made.awflow('dump', '--state', state, cwd=tmp_path).stdout


def test_a_state_that_is_not_there_or_is_a_file_is_refused(awflow: Any, tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    (tmp_path / 'empty').mkdir()
    for name, says in [('absent', 'no state directory'), ('file', 'is a file'), ('empty', 'no workflow has run')]:
        done = awflow('status', '--state', str(tmp_path / name), cwd=tmp_path)
        assert done.code == 1
        assert says in done.err


def test_the_state_of_a_newer_awflow_is_refused_in_words(workspace: Any, awflow: Any) -> None:
    workspace.script('from awflow import job, schedule\n@job\ndef f(): pass\nschedule(f)\n')
    workspace.run()
    (workspace.directory / '.awflow' / 'FORMAT').write_text('99\n')
    done = awflow('status', cwd=workspace.directory)
    assert done.code == 1
    assert 'newer' in done.err


def test_dump_is_an_object_a_line_and_whole(awflow: Any) -> None:
    objects = [json.loads(line) for line in awflow('dump').lines]
    assert {found['kind'] for found in objects} == {'state', 'entry', 'code', 'source', 'reasons', 'record'}
    assert {found['workflow'] for found in objects} == {'flow'}
    assert sum(found['kind'] == 'record' and found['job'] == 'count' for found in objects) == 12


@pytest.mark.parametrize('line', ['status', 'dump', 'logs count', 'why count[1]', 'status --json'])
def test_a_reader_that_has_gone_is_no_reason_to_complain(made: Any, line: str) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    done = made.awflow(*line.split(), capture_output=False, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    assert done.stderr == ''


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='needs /dev/full')
def test_a_full_disk_is_told_in_words(made: Any) -> None:
    with open('/dev/full', 'w') as full:
        done = made.awflow('dump', capture_output=False, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr == 'awflow: cannot show it: No space left on device\n'


def test_what_the_terminal_cannot_show_is_spelled_out(workspace: Any) -> None:
    workspace.script("from awflow import job, schedule\n@job(name='π-fit')\ndef f(): pass\nschedule(f)\n")
    workspace.run()
    done = workspace.awflow('status', env=workspace.environ | {'PYTHONIOENCODING': 'ascii'})
    assert done.returncode == 0
    assert r'\u03c0-fit' in done.stdout


@pytest.mark.parametrize('name', ['mein ablauf', 'wörk%20flow', '実験' * 12])
def test_workflows_are_listed_under_the_names_of_their_scripts(workspace: Any, awflow: Any, name: str) -> None:
    workspace.script('from awflow import job, schedule\n@job\ndef f(): pass\nschedule(f)\n', name)
    workspace.run(name)
    assert awflow(cwd=workspace.directory).out.startswith(f'{name} in .awflow\n')
    assert awflow('why', 'f', '--workflow', name, cwd=workspace.directory).lines[0] == 'f  succeeded'
