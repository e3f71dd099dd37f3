"""Where the state lies: shared with another script, read-only, full, of a newer format, or nowhere at all."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from awflow.place import Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.conftest import Workspace


def test_two_scripts_of_one_name_in_one_state_name_both(workspace: Workspace) -> None:
    text = 'from awflow import job, schedule\n@job\ndef work(): pass\nschedule(work)\n'
    workspace.write('one/flow.py', text)
    workspace.write('two/flow.py', text)
    assert workspace.run(name='one/flow.py').returncode == 0
    ran = workspace.run(name='two/flow.py')
    assert ran.returncode == 1
    assert 'one/flow.py' in ran.stderr
    assert 'two/flow.py' in ran.stderr
    assert 'workflow=' in ran.stderr


def test_a_state_of_a_newer_format_is_refused_and_left_alone(workspace: Workspace) -> None:
    workspace.script('@job\ndef work(): pass\nschedule(work)\n')
    assert workspace.run().returncode == 0
    claims = sorted((workspace.path / '.awflow' / 'flow' / 'ledger').glob('*.claim'))
    workspace.write('.awflow/FORMAT', '999\n')
    before = workspace.files()
    process = workspace.start()
    _, stderr = process.communicate(timeout=60)
    if process.returncode == 0:
        pytest.skip('the format stands in the entries alone')
    assert '999' in stderr
    assert workspace.files() == before
    assert claims


@pytest.mark.parametrize('place', ['/proc/nowhere', '/dev/null/state', 'flow.py'])
def test_a_place_that_cannot_hold_the_state_is_named(workspace: Workspace, place: str) -> None:
    text = f"""
        @job
        def work(): pass
        schedule(work, state={place!r})
    """
    workspace.script(text)
    ran = workspace.run()
    assert ran.returncode == 1
    assert 'StateAccessError' in ran.stderr
    assert place in ran.stderr
    assert len(ran.stderr.splitlines()) < 10


@pytest.fixture
def read_only(workspace: Workspace) -> Iterator[Workspace]:
    """A workspace that a script, run once the rest of it is there, cannot write to even as root."""
    if os.geteuid() == 0:
        if shutil.which('setpriv') is None:
            pytest.skip('root may write everywhere')
        workspace.prefix = ['setpriv', '--bounding-set=-all', '--inh-caps=-all']
    yield workspace
    for path in [workspace.path, *workspace.path.rglob('*')]:
        path.chmod(0o755)


def protect(workspace: Workspace) -> None:
    """Take away the right to write from everything."""
    for path in [*workspace.path.rglob('*'), workspace.path]:
        path.chmod(path.stat().st_mode & 0o555)


def test_a_directory_that_cannot_be_written_is_named(read_only: Workspace) -> None:
    read_only.script('@job\ndef work(): pass\nschedule(work)\n')
    protect(read_only)
    ran = read_only.run()
    assert ran.returncode == 1, ran
    assert 'StateAccessError' in ran.stderr
    assert str(read_only.path) in ran.stderr
    assert 'Traceback' not in ran.stderr


def test_nothing_to_do_is_no_error_in_a_directory_that_cannot_be_written(read_only: Workspace) -> None:
    read_only.script('@job\ndef work(): return 5\nschedule(work)\nprint(work.result())\n')
    assert read_only.run().executed == ['work']
    protect(read_only)
    ran = read_only.run()
    assert (ran.returncode, ran.executed, ran.stdout) == (0, [], '5\n'), ran


@pytest.fixture
def small(workspace: Workspace) -> Iterator[Workspace]:
    """A workspace on a filesystem of 400 KiB."""
    mounted = subprocess.run(['mount', '-t', 'tmpfs', '-o', 'size=400k', 'tmpfs', str(workspace.path)], capture_output=True)
    if mounted.returncode != 0:
        pytest.skip('mounting is not permitted')
    yield workspace
    subprocess.run(['umount', '--lazy', str(workspace.path)], check=True)


def test_a_disk_that_fills_up_stops_the_run_and_making_room_lets_it_go_on(small: Workspace) -> None:
    small.script("""
        @job(array=6)
        def work(i):
            with open(f'big-{i}', 'wb') as out: out.write(os.urandom(100_000))
        @after(work)
        @job
        def last(): pass
        schedule(last, workers=2)
    """)
    first = small.run()
    assert first.returncode == 1
    assert 'No space left on device' in first.stderr
    done = {name for name, record in small.attempts().items() if record.final and record.outcome == 'succeeded'}
    for path in small.path.glob('big-*'):
        path.write_bytes(b'')
    small.edit('os.urandom(100_000)', 'os.urandom(1_000)')
    again = small.run()
    assert again.returncode == 0, again
    assert again.executed[-1] == 'last'
    assert len(again.executed) == 7
    assert 'work[5]' not in done


def test_a_disk_that_is_full_from_the_start_is_said_so(small: Workspace) -> None:
    small.script("""
        @job
        def work(): pass
        schedule(work)
    """)
    with pytest.raises(OSError, match='No space'):
        small.write('filler', 'x' * 500_000)
    ran = small.run()
    assert (ran.returncode, ran.executed) == (1, [])
    assert 'No space left on device' in ran.stderr
    assert 'Traceback' not in ran.stderr
    small.remove('filler')
    assert small.run().executed == ['work']


def test_the_commit_is_read_from_a_repository_a_packed_one_and_a_worktree(tmp_path: Path) -> None:
    def place(directory: Path) -> str:
        return Place(str(directory / '.awflow'), 'flow', str(directory), '', None).commit()

    git = tmp_path / 'main/.git'
    (git / 'refs/heads').mkdir(parents=True)
    assert place(tmp_path / 'main') == place(tmp_path / 'nowhere') == ''
    (git / 'HEAD').write_text('ref: refs/heads/main\n')
    (git / 'packed-refs').write_text(
        '# pack-refs with: peeled\n' + 'a' * 40 + ' refs/heads/main\n' + 'b' * 40 + ' refs/heads/x\n'
    )
    assert place(tmp_path / 'main') == 'a' * 40
    (git / 'refs/heads/main').write_text('c' * 40 + '\n')
    assert place(tmp_path / 'main') == 'c' * 40
    tree = tmp_path / 'tree'
    (git / 'worktrees/tree').mkdir(parents=True)
    tree.mkdir()
    (tree / '.git').write_text(f'gitdir: {git}/worktrees/tree\n')
    (git / 'worktrees/tree/commondir').write_text('../..\n')
    (git / 'worktrees/tree/HEAD').write_text('ref: refs/heads/x\n')
    assert place(tree) == 'b' * 40
    (git / 'HEAD').write_text('d' * 40 + '\n')
    assert place(tmp_path / 'main') == 'd' * 40
