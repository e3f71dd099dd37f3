"""Storage that is damaged, full or forbidden: what is said of it, what is saved, and that nothing done is done again."""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from awflow.state import reader
from awflow.state.fs import Disk
from tests.conftest import Workspace
from tests.crashes.staging import LIMIT, REST, SCRIPT, Command, Held, journal, ledger, outcomes, ran, store, tree

NOBODY = 65534


@pytest.fixture(autouse=True)
def _no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands within this process do not wait for bytes that will not come."""
    monkeypatch.setattr(reader, 'BRIEF', 0.0)


# -- journals ----------------------------------------------------------------------------------------------------------


def test_a_torn_last_line_is_told_does_no_harm_and_is_gone_after_cleaning(
    held: Held, workspace: Workspace, awflow: Command
) -> None:
    held.kill()
    with journal(workspace.path).open('ab') as file:
        file.write(b'\n{"job":"hold","task":"1","generation":1,"final":true,"outcome":"succ')
        file.write(b'\n')
    status = awflow('status', '--json')
    assert len(status.workflow['damage']) == 1
    assert outcomes(status)['hold'] == {'succeeded': 1, 'crashed': 1}
    found = awflow('clean', '--dry-run', '--json').workflow
    assert [claim['state'] for claim in found['claims']] == ['dead']
    assert found['notes'] == ['1 line of a journal is no record: a killed writer left half of it; no harm']
    assert awflow('clean', '--yes').code == 0
    assert awflow('status', '--json').workflow['damage'] == []
    workspace.write('go', '')
    assert sorted(workspace.again()) == REST
    assert ran(workspace)['hold[0]'] == 1


def test_of_a_journal_that_lost_its_end_what_is_whole_counts(workspace: Workspace, awflow: Command) -> None:
    workspace.script("""
        @job(array=3)
        def f(i):
            with open(f'ran-{i}', 'a') as ran: ran.write('x')
        schedule(f, workers=1)
    """)
    assert len(workspace.again()) == 3
    (name,) = Path(store(workspace.path).layout.ledger).glob('*.jsonl')
    lines = name.read_bytes().splitlines(keepends=True)
    name.write_bytes(b''.join(lines[:-1]))  # the end of the last task
    status = awflow('status')
    assert (status.code, name.name in status.err, 'awflow clean' in status.err) == (1, True, True), status
    shown = awflow('clean', '--dry-run')
    assert (shown.code, f'damaged: {name.name}: it has' in shown.out) == (0, True), shown
    assert awflow('clean', '--yes').code == 0
    assert outcomes(awflow('status', '--json')) == {'f': {'succeeded': 2, 'crashed': 1}}
    assert workspace.again() == ['f[2]']
    assert [workspace.read(f'ran-{i}') for i in range(3)] == ['x', 'x', 'xx']


# -- snapshots ---------------------------------------------------------------------------------------------------------


def finished(workspace: Workspace) -> Path:
    """A workflow that has run to its end, all of it in a snapshot, whose path this is."""
    workspace.write('go', '')
    workspace.script(SCRIPT)
    assert len(workspace.again()) == 5
    folder = Path(store(workspace.path).layout.ledger)
    shutil.copytree(folder, workspace.path / 'before')
    store(workspace.path).compact(force=True)
    (snapshot,) = folder.glob('*.snapshot')
    assert not list(folder.glob('*.jsonl'))
    return snapshot


def test_a_snapshot_without_its_end_is_closed_and_no_record_is_lost(workspace: Workspace, awflow: Command) -> None:
    snapshot = finished(workspace)
    os.truncate(snapshot, snapshot.stat().st_size - 20)
    broken = snapshot.read_bytes()
    before = tree(workspace.path)
    status = awflow('status')
    assert (status.code, f'{snapshot.name}: the checksum does not fit' in status.err) == (1, True), status
    shown = awflow('clean', '--dry-run', '--json')
    assert shown.workflow['damaged'][0]['remedy'].startswith('only its end is missing'), shown
    assert tree(workspace.path) == before
    assert awflow('clean', '--yes').code == 0
    assert outcomes(awflow('status', '--json')) == {'hold': {'succeeded': 4}, 'last': {'succeeded': 1}}
    assert Path(f'{snapshot}.damaged').read_bytes() == broken
    assert awflow('clean', '--yes').out.splitlines()[-1] == 'Nothing to do.'
    assert workspace.again() == []
    os.utime(f'{snapshot}.damaged', (1.0e9, 1.0e9))
    assert awflow('clean', '--yes', '--older-than', '1y').out.splitlines()[-1].startswith('Done: removed 1 file')


def test_a_snapshot_is_left_out_if_what_it_folded_is_still_there(workspace: Workspace, awflow: Command) -> None:
    snapshot = finished(workspace)
    for name in (workspace.path / 'before').glob('*.jsonl'):  # its publisher died before it removed them
        shutil.copy(name, snapshot.parent)
    os.truncate(snapshot, 40)
    assert awflow('status').code == 1
    assert 'nothing is lost' in awflow('clean', '--dry-run').out
    assert awflow('clean', '--yes').code == 0
    assert outcomes(awflow('status', '--json')) == {'hold': {'succeeded': 4}, 'last': {'succeeded': 1}}
    assert workspace.again() == []


@pytest.mark.parametrize('damage', ['half of it is missing', 'a byte is another'])
def test_a_state_from_which_nothing_can_be_saved_is_put_aside_not_deleted(
    workspace: Workspace, awflow: Command, damage: str
) -> None:
    snapshot = finished(workspace)
    data = bytearray(snapshot.read_bytes())
    data[len(data) // 2] ^= 1
    snapshot.write_bytes(data if damage == 'a byte is another' else data[: len(data) // 2])
    shown = awflow('clean', '--dry-run')
    assert f'damaged: {snapshot.name}: the checksum does not fit' in shown.out
    assert 'put aside in .awflow/.damaged' in shown.out
    assert awflow('clean', '--yes').code == 0
    (aside,) = (workspace.path / '.awflow' / '.damaged').iterdir()
    assert (aside / 'ledger' / snapshot.name).exists()
    os.utime(aside, (1.0e9, 1.0e9))
    assert workspace.again() == ['last'], 'what outputs vouch for is adopted'
    assert ran(workspace)['hold[1]'] == 1
    assert awflow('clean', '--yes').out.splitlines()[-1] == 'Nothing to do.'
    assert aside.exists()
    assert awflow('clean', '--yes', '--older-than', '1y').code == 0
    assert not aside.exists()


def test_a_damaged_state_is_not_put_aside_under_a_run_that_lives(held: Held, workspace: Workspace, awflow: Command) -> None:
    folder = Path(store(workspace.path).layout.ledger)
    before = ledger(workspace.path)
    (folder / '9.claim').write_bytes(b'nothing')
    refused = awflow('clean', '--yes')
    assert (refused.code, f'process {held.process.pid} is running' in refused.err) == (1, True), refused
    (folder / '9.claim').unlink()
    assert ledger(workspace.path) == before
    held.release()
    assert held.process.wait(LIMIT) == 0, held.process.communicate()


def test_a_journal_left_behind_by_who_folded_it_is_removed(workspace: Workspace, awflow: Command) -> None:
    snapshot = finished(workspace)
    (left,) = (workspace.path / 'before').glob('*.jsonl')
    shutil.copy(left, snapshot.parent)
    assert f'{left.name}' in awflow('clean', '--dry-run').out
    assert awflow('clean', '--yes').code == 0
    assert sorted(name.name for name in snapshot.parent.iterdir()) == ['1.claim', '2.claim', snapshot.name]
    assert workspace.again() == []


# -- a disk that is full -----------------------------------------------------------------------------------------------

FULL = (
    """
    from awflow.state import fs
    def full(self, fd, data):
        if os.path.exists('full'): raise OSError(28, 'No space left on device')
        return os.write(fd, data)
    fs.Disk.write = full
"""
    + SCRIPT
)


def test_a_run_that_meets_a_full_disk_ends_with_words_and_what_it_could_not_record_runs_again(
    workspace: Workspace, awflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = Held(workspace, FULL)
    workspace.write('full', '')
    held.release()
    _, err = held.process.communicate(timeout=LIMIT)
    assert (held.process.returncode, 'The disk is full' in err) == (1, True), err
    assert outcomes(awflow('status', '--json'))['hold'] == {'succeeded': 1, 'crashed': 1}

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, 'No space left on device')

    with monkeypatch.context() as patched:
        patched.setattr(Disk, 'write', full)
        before = ledger(workspace.path)
        assert awflow('clean', '--dry-run').code == 0
        refused = awflow('clean', '--yes')
        assert (refused.code, 'The disk is full: make room' in refused.err) == (1, True), refused
        assert ledger(workspace.path) == before
    assert awflow('clean', '--yes').code == 0
    workspace.remove('full')
    workspace.write('go', '')
    assert sorted(workspace.again()) == REST
    assert ran(workspace)['hold[0]'] == 1


def test_on_a_full_disk_cleaning_makes_room_before_it_writes(
    held: Held, workspace: Workspace, awflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.kill()
    left = workspace.write('.awflow/flow/ledger/.tmp-left', 'x' * 100)
    os.utime(left, (1.0e9, 1.0e9))
    write = Disk.write

    def full(disk: Disk, fd: int, data: bytes) -> int:
        if left.exists():
            raise OSError(errno.ENOSPC, 'No space left on device')
        return write(disk, fd, data)

    monkeypatch.setattr(Disk, 'write', full)
    assert awflow('clean', '--yes').code == 0
    assert store(workspace.path).read().claims == {}


# -- a state that may not be written, or not even read -----------------------------------------------------------------


@contextmanager
def forbidden(directory: Path, mode: int) -> Iterator[None]:
    """To everything below this process has no more rights than `mode`."""
    paths = [directory, *directory.rglob('*')]
    modes = {path: path.stat().st_mode for path in paths}
    root = os.getuid() == 0
    for path, known in modes.items():
        path.chmod(known & ~stat.S_IRWXO & ~stat.S_IRWXG | mode << 3 | mode if root else known & ~stat.S_IRWXU | mode << 6)
    if root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)
        for path, known in modes.items():
            path.chmod(known)


@pytest.fixture
def reachable() -> Iterator[Workspace]:
    """A workspace that other users may enter."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield Workspace(directory)


def test_a_state_that_may_only_be_read_is_shown_and_not_changed(reachable: Workspace, awflow: Command) -> None:
    held = Held(reachable)
    held.kill()
    held.close()
    awflow('clean', '--dry-run', cwd=reachable.path)  # what it imports may not be readable for others
    before = tree(reachable.path)
    with forbidden(reachable.path, 0o5):
        assert outcomes(awflow('status', '--json', cwd=reachable.path))['hold'] == {'succeeded': 1, 'crashed': 1}
        shown = awflow('clean', '--dry-run', cwd=reachable.path)
        assert (shown.code, 'dead: ' in shown.out) == (0, True), shown
        refused = awflow('clean', '--yes', cwd=reachable.path)
        assert (refused.code, 'can be read but not written' in refused.err) == (1, True), refused
    assert tree(reachable.path) == before
    assert awflow('clean', '--yes', cwd=reachable.path).code == 0


@pytest.mark.skipif(os.getuid() != 0, reason='only root can make a state that belongs to somebody else')
def test_the_state_of_another_user_may_be_looked_at_and_its_code_is_not_run(reachable: Workspace, awflow: Command) -> None:
    held = Held(reachable)
    held.kill()
    held.close()
    for path in [reachable.path, *reachable.path.rglob('*')]:
        os.chown(path, 4321, 4321)
    shown = awflow('clean', '--dry-run', '--older-than', '1d', cwd=reachable.path)
    assert (shown.code, 'dead: ' in shown.out) == (0, True), shown
    for looks in ('status -v', 'status --crashed', 'show hold[0]', 'why hold[1]', 'usage', 'graph', 'dump'):
        told = awflow(*looks.split(), cwd=reachable.path)
        assert (told.code, 'hold' in told.out) == (0, True), (looks, told)
    assert awflow('logs', 'hold[1]', cwd=reachable.path).code == 0
    for refused in (awflow('debug', 'hold[1]', cwd=reachable.path), awflow('why', '--now', 'hold[1]', cwd=reachable.path)):
        assert (refused.code, 'is not yours alone' in refused.err) == (1, True), refused
    for options in (['--dry-run', '--outputs'], ['--dry-run', '--orphans'], ['--yes']):
        refused = awflow('clean', *options, cwd=reachable.path)
        assert (refused.code, 'is not yours alone' in refused.err) == (1, True), (options, refused)


def test_a_state_that_may_not_be_read_is_said_to_be_so(reachable: Workspace, awflow: Command) -> None:
    reachable.script("""
        @job
        def f(): pass
        schedule(f)
    """)
    assert reachable.again() == ['f']
    awflow('clean', cwd=reachable.path)
    with forbidden(reachable.path / '.awflow' / 'flow' / 'ledger', 0):
        for command in ('status', 'clean'):
            said = awflow(command, cwd=reachable.path)
            assert (said.code, 'Permission denied' in said.err, 'Traceback' in said.err) == (1, True, False), said
    assert reachable.again() == []


def test_a_file_that_cannot_be_removed_is_named_and_the_rest_is_done(
    held: Held, workspace: Workspace, awflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.kill()
    left = workspace.write('.awflow/flow/.tmp-left', '')
    os.utime(left, (1.0e9, 1.0e9))
    unlink = os.unlink

    def refuse(path: Any, **options: Any) -> None:
        if str(path) == str(left):
            raise PermissionError(errno.EACCES, 'Permission denied', str(path))
        unlink(path, **options)

    monkeypatch.setattr(os, 'unlink', refuse)
    done = awflow('clean', '--yes')
    assert done.code == 1
    assert '.tmp-left could not be removed: Permission denied' in done.err
    assert store(workspace.path).read().claims == {}


REALLY_FULL = """
    @job(array=3)
    def f(i):
        with open(f'ran-{i}', 'a') as ran: ran.write('x')
        if i == 1 and not os.path.exists('go'):
            try:
                with open('full/filler', 'wb', buffering=0) as filler:
                    while True: filler.write(b'x' * 4096)
            except OSError: pass
        print('x' * 8000)
    schedule(f, workers=1, state='full/.awflow')
"""
STEPS = """
set -u
mount -t tmpfs -o size=256k none full
export AWFLOW_STATE=full/.awflow
step() { name=$1; shift; "$@" > "$name.out" 2> "$name.err"; echo $? > "$name.code"; }
step run python flow.py
step status python -m awflow status --json
step look python -m awflow clean --dry-run --json
step refused python -m awflow clean --yes
rm full/filler
touch go
step clean python -m awflow clean --yes
step again python flow.py
step rest python -m awflow status --json
"""


@pytest.fixture
def namespace() -> list[str]:
    """What starts a command that may mount filesystems of its own."""
    command = ['unshare', '-m'] if os.getuid() == 0 else ['unshare', '-Urm']
    if subprocess.run([*command, 'true'], capture_output=True).returncode:
        pytest.skip('this machine lets nobody mount a small filesystem')
    return command


def test_on_a_disk_that_is_really_full_nothing_published_is_lost(workspace: Workspace, namespace: list[str]) -> None:
    workspace.script(REALLY_FULL)
    workspace.path.joinpath('full').mkdir()
    environ = {**os.environ, 'AWFLOW_PROGRESS': '0', 'PATH': f'{Path(sys.executable).parent}:{os.environ["PATH"]}'}
    done = subprocess.run([*namespace, 'sh', '-c', STEPS], cwd=workspace.path, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    steps = ('run', 'status', 'look', 'refused', 'clean', 'again', 'rest')
    codes = {name: int(workspace.read(f'{name}.code')) for name in steps}
    assert codes == {'run': 1, 'status': 0, 'look': 0, 'refused': 1, 'clean': 0, 'again': 0, 'rest': 0}
    assert 'The disk is full' in workspace.read('run.err')
    assert 'The disk is full' in workspace.read('refused.err')
    (looked,) = json.loads(workspace.read('look.out'))['workflows']
    assert [claim['state'] for claim in looked['claims']] == ['dead']
    (known,) = json.loads(workspace.read('status.out'))['workflows'][0]['jobs']
    runs = sum(len(workspace.read(f'ran-{i}')) for i in range(3))
    assert runs == 3 + known['outcomes'].get('crashed', 0), 'what was recorded as succeeded did not run again'
    (rest,) = json.loads(workspace.read('rest.out'))['workflows'][0]['jobs']
    assert rest['outcomes'] == {'succeeded': 3}
