"""`awflow debug --bundle` and `--from`: a task packed by one and run by another."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from pathlib import Path

import pytest

from tests.cli.by_hand import Terminal, debug
from tests.cli.conftest import Workspace


@pytest.fixture
def bundle(attempted: Workspace, tmp_path: Path) -> Path:
    """fit[2] of SCRIPT, packed while the environment holds a secret."""
    path = tmp_path / 'case.zip'
    done = debug(attempted, 'fit[2]', '--bundle', str(path), env={**attempted.environ, 'API_TOKEN': 'sesame-4711'})
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f'{path}: fit[2] (inputs named: 1, results of other jobs: 2, source files: 1)\n')
    return path


def test_a_bundle_holds_what_is_needed_and_no_variables_of_the_environment(attempted: Workspace, bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert members.keys() == {
        'README.txt', 'bundle.json', 'payload', 'log.txt', 'inputs.json', 'environment.json', 'sources/0.py',
        'upstream/0.pickle', 'upstream/1.pickle',
    }  # fmt: skip
    assert not any(b'sesame' in data for data in members.values())
    assert b'fitting 2 result of b c' in members['log.txt']
    (found,) = json.loads(members['inputs.json'])
    assert (found['path'], found['bytes'], found['declared'], len(found['digest'])) == ('data.csv', 4, True, 32)
    told = json.loads(members['bundle.json'])
    assert (told['job'], told['task'], told['record']['outcome']) == ('fit', '2', 'failed')
    assert 'click' in json.loads(members['environment.json'])['installed']
    assert b'awflow debug --from case.zip --pdb' in members['README.txt']
    assert b'RUNNING IT RUNS CODE' in members['README.txt']


def test_a_bundle_runs_elsewhere_with_the_results_that_it_brings(attempted: Workspace, bundle: Path, tmp_path: Path) -> None:
    there = Workspace(tmp_path / 'there')
    there.directory.mkdir()
    (there.directory / 'data.csv').write_text('1,2\n')
    done = debug(there, '--from', str(bundle), '--yes')
    assert done.returncode == 1
    assert done.stdout == f'fitting 2 result of b c {there.directory}\n'
    assert 'ValueError: no fit for 2' in done.stderr
    assert done.stderr.startswith('awflow: fit[2] of workflow flow, which failed (no fit for 2)\n')
    assert sorted(os.listdir(there.directory)) == ['data.csv', 'out-2.txt']


def test_lines_of_source_are_shown_where_the_files_are_not(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / 'home').mkdir()
    home = Workspace(tmp_path / 'home')
    (home.directory / 'helper.py').write_text('def inverse(x):\n    return 1 / x  # the line\n')
    home.script("""
        import helper
        from awflow import job, schedule

        @job
        def f():
            return helper.inverse(0)

        schedule(f, check=False)
    """)
    home.run()
    assert debug(home, 'f', '--bundle', str(tmp_path / 'f.zip')).returncode == 0
    shutil.rmtree(home.directory)
    done = debug(workspace, '--from', 'f.zip', '--yes', '--pdb', input='list\nq\n')
    assert 'return 1 / x  # the line' in done.stderr
    assert '-> return 1 / x  # the line' in done.stdout


def test_inputs_that_are_missing_or_others_are_named_first(bundle: Path, tmp_path: Path) -> None:
    there = Workspace(tmp_path / 'there')
    there.directory.mkdir()
    done = debug(there, '--from', str(bundle), '--yes')
    assert 'awflow: of its inputs these are not here: data.csv\n' in done.stderr
    assert 'the input data.csv does not exist' in done.stderr
    (there.directory / 'data.csv').write_text('1,2,3\n')
    done = debug(there, '--from', str(bundle), '--yes')
    assert 'awflow: of its inputs these are others: data.csv (6 bytes, not 4)\n' in done.stderr


def test_a_bundle_is_not_opened_unless_its_user_agrees(bundle: Path, workspace: Workspace, tmp_path: Path) -> None:
    """In place of what unpickles it, something that leaves a mark."""
    opened = tmp_path / 'opened'
    probe = f'from awflow.backends import payload\npayload.Payload.definition = lambda *_: open({str(opened)!r}, "w")\n'
    (tmp_path / 'sitecustomize.py').write_text(probe)
    workspace.environ['PYTHONPATH'] = str(tmp_path)
    done = debug(workspace, '--from', bundle.name, input='y\n')
    assert done.returncode == 1
    assert done.stderr.endswith('Say --yes if you trust where it comes from.\n')
    for answer in ('n', 'y'):
        assert not opened.exists()
        terminal = Terminal(workspace, 'debug', '--from', bundle.name)
        terminal.until('Do you trust where it comes from? [y/N]: ')
        terminal.type(answer)
        assert terminal.close() == 1
    assert opened.exists(), 'this is where it is opened'


def test_what_is_no_bundle_is_refused_in_words(bundle: Path, workspace: Workspace, tmp_path: Path) -> None:
    def refused(name: str) -> str:
        done = debug(workspace, '--from', name, '--yes')
        assert done.returncode == 1
        assert 'Traceback' not in done.stderr
        return done.stderr

    (tmp_path / 'text.zip').write_text('no zip')
    assert 'text.zip is no task that' in refused('text.zip')
    assert 'cannot be read' in refused('absent.zip')
    with zipfile.ZipFile(tmp_path / 'other.zip', 'w') as archive:
        archive.writestr('file', 'x')
    assert 'other.zip is no task that' in refused('other.zip')
    with zipfile.ZipFile(bundle) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    whole = members['bundle.json']
    members['bundle.json'] = whole.replace(b'"workflow": "flow"', b'"workflow": 7')
    with zipfile.ZipFile(tmp_path / 'odd.zip', 'w') as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert 'odd.zip is no task that' in refused('odd.zip')
    members['bundle.json'] = whole.replace(b'"format": 1', b'"format": 99')
    with zipfile.ZipFile(tmp_path / 'newer.zip', 'w') as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    assert 'was packed by a newer awflow' in refused('newer.zip')
    (tmp_path / 'cut.zip').write_bytes(bundle.read_bytes()[:-100])
    assert 'cut.zip is no task that' in refused('cut.zip')


def test_a_file_that_is_there_is_not_overwritten(attempted: Workspace, bundle: Path) -> None:
    before = bundle.read_bytes()
    done = debug(attempted, 'fit[2]', '--bundle', str(bundle))
    assert done.returncode == 1
    assert 'is there already' in done.stderr
    assert bundle.read_bytes() == before
