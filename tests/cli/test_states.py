"""Every command that looks, over every kind of state: it answers or explains, changes nothing, and never shows a traceback."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.program import COMMANDS
from tests.cli.conftest import Held, Workspace

PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1

# How each command is called that only looks; None for those that change something or start the script. A command that is
# missing here fails the first test, so that whoever adds one says how it looks at a state.
LOOKS: dict[str, list[str] | None] = {
    'status': ['status'],
    'show': ['show', 'hold[0]'],
    'why': ['why', 'hold'],
    'logs': ['logs', 'hold[0]'],
    'graph': ['graph'],
    'usage': ['usage'],
    'blame': None,  # asks about a file
    'dump': ['dump'],
    'doctor': None,  # tries out what the file system can do
    'debug': None,
    'accept': None,
    'forget': None,
    'cancel': None,
    'clean': ['clean', '--dry-run'],
    'completion': ['completion', 'zsh'],
}
LOOKING = [LOOKS[name] for name in COMMANDS if LOOKS.get(name)]
NAMES = [line[0] for line in LOOKING if line]
MORE = [['status', '-v'], ['status', 'hold[0:2]'], ['status', '--failed'], ['status', '--json', '-v'], ['why', '--json', 'hold[1]'],
        ['graph', '--svg'], ['graph', '--json']]  # fmt: skip


def everything(directory: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.lstat().st_mtime_ns, path.lstat().st_size) for path in directory.rglob('*')}


@pytest.fixture(scope='module')
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state of a run that is over, with a failure."""
    workspace = Workspace(tmp_path_factory.mktemp('finished'))
    workspace.script("""
        from awflow import after, job, schedule

        @job(array=3)
        def hold(i):
            print('holding', i)
            assert i != 1

        @after(hold)
        @job
        def later():
            pass

        schedule(later, check=False)
    """)
    workspace.run()
    return workspace.directory


def call(awflow: Any, line: list[str], directory: Path) -> Any:
    done = awflow(*line, cwd=directory)
    assert 'Traceback' not in done.err
    return done


def test_it_is_said_of_every_command_how_it_looks() -> None:
    assert set(COMMANDS) <= set(LOOKS)


@pytest.mark.parametrize('line', [*LOOKING, *MORE], ids=' '.join)
def test_a_finished_state(finished: Path, awflow: Any, line: list[str]) -> None:
    before = everything(finished)
    done = call(awflow, line, finished)
    assert done.code == 0, done.err
    assert done.out
    assert everything(finished) == before


@pytest.mark.parametrize('line', LOOKING, ids=NAMES)
def test_from_a_directory_of_the_project(finished: Path, awflow: Any, line: list[str], tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / 'project')
    inner = tmp_path / 'project' / 'plots' / 'old'
    inner.mkdir(parents=True)
    assert call(awflow, line, inner).code == 0


def without_privilege(line: list[str], directory: Path) -> subprocess.CompletedProcess[str]:
    """The command in a process to which a directory without the right to write is read-only, also if root runs the tests."""
    libc = ctypes.CDLL(None)

    def lose() -> None:
        libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0)

    return subprocess.run(
        [sys.executable, '-m', 'awflow', *line], cwd=directory, capture_output=True, text=True, timeout=60, preexec_fn=lose,
        env={name: value for name, value in os.environ.items() if name != 'AWFLOW_STATE'}, check=False,
    )  # fmt: skip


@pytest.fixture
def readonly(finished: Path, tmp_path: Path) -> Iterator[Path]:
    directory = tmp_path / 'readonly'
    shutil.copytree(finished, directory)
    paths = [directory, *directory.rglob('*')]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield directory
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.mark.parametrize('line', LOOKING, ids=NAMES)
def test_a_state_that_may_only_be_read(readonly: Path, line: list[str]) -> None:
    done = without_privilege(line, readonly)
    assert done.returncode == 0, done.stderr
    assert 'Traceback' not in done.stderr


def test_what_changes_a_state_says_that_it_may_only_be_read(readonly: Path) -> None:
    done = without_privilege(['forget', 'hold', '--yes'], readonly)
    assert done.returncode == 1
    assert 'can be read but not written' in done.stderr


@pytest.fixture(scope='module')
def at_work(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Held]:
    """A run that is under way."""
    held = Held(Workspace(tmp_path_factory.mktemp('at-work')))
    yield held
    held.close()


@pytest.mark.parametrize('line', [*LOOKING, *MORE], ids=' '.join)
def test_a_state_with_a_run_at_work(at_work: Held, awflow: Any, line: list[str]) -> None:
    assert call(awflow, line, at_work.directory).code == 0
    assert at_work.process.poll() is None


@pytest.fixture(scope='module')
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What a run left that was killed."""
    held = Held(Workspace(tmp_path_factory.mktemp('killed')))
    held.kill()
    yield held.directory
    held.close()


@pytest.mark.parametrize('line', LOOKING, ids=NAMES)
def test_a_state_whose_run_was_killed(killed: Path, awflow: Any, line: list[str]) -> None:
    assert call(awflow, line, killed).code == 0


@pytest.mark.parametrize('line', LOOKING, ids=NAMES)
def test_a_state_with_a_torn_journal(killed: Path, awflow: Any, line: list[str], tmp_path: Path) -> None:
    shutil.copytree(killed / '.awflow', tmp_path / '.awflow')
    (journal,) = (tmp_path / '.awflow/flow/ledger').glob('*.jsonl')
    with journal.open('ab') as file:
        file.write(b'\n{"job":"hold","task":"2","gener')
    assert call(awflow, line, tmp_path).code == 0


@pytest.mark.parametrize('line', LOOKING, ids=NAMES)
def test_a_state_that_was_copied_elsewhere(finished: Path, awflow: Any, line: list[str], tmp_path: Path) -> None:
    shutil.copytree(finished / '.awflow', tmp_path / '.awflow')
    assert call(awflow, line, tmp_path).code == 0


@pytest.mark.parametrize('line', [line for line in LOOKING if line and line[0] not in ('completion', 'clean')], ids=' '.join)
def test_a_state_without_any_workflow_is_explained(awflow: Any, line: list[str], tmp_path: Path) -> None:
    (tmp_path / '.awflow').mkdir()
    done = call(awflow, line, tmp_path)
    assert done.code == 1
    assert done.err.startswith('awflow: no workflow has run with this state yet')


def test_files_that_others_put_there_are_left_alone(finished: Path, awflow: Any, tmp_path: Path) -> None:
    shutil.copytree(finished, tmp_path / 'project')
    ledger = tmp_path / 'project/.awflow/flow/ledger'
    for name in ('7.claim~', 'x.snapshot', '.nfs0001', 'notes.txt', '1-other.jsonl'):
        (ledger / name).write_text('not ours')
    runs = tmp_path / 'project/.awflow/flow/runs'
    (runs / 'zzz.json').write_text('{half')
    (runs / 'zzzz.json').write_text('[]')
    before = json.loads(awflow('status', '--json', cwd=finished).out)
    after = json.loads(awflow('status', '--json', cwd=tmp_path / 'project').out)
    assert after['workflows'] == before['workflows']
