"""`awflow doctor` on states that are whole, damaged and in use, and on machines that are faked at their seams."""

from __future__ import annotations

import configparser
import errno
import json
import os
import re
import shutil
import signal
import stat
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.checks import access, bounded, cluster, filesystem, ledger, machine, mounts
from awflow.cli.checks.findings import Part
from awflow.state.fs import Disk
from awflow.state.layout import Layout
from awflow.state.liveness import Proc
from awflow.state.store import Store
from tests.cli.conftest import LIMIT, Held, Result, Workspace
from tests.state.staging import StillDisk, succeeded

SCRIPT = """
    from awflow import after, job, outputs, schedule

    @job(array=3)
    def fit(i):
        print('fitting', i)
        return i * i

    @after(fit)
    @outputs('sum.txt')
    @job
    def total():
        open('sum.txt', 'w').write(str(sum(fit.results())))

    schedule(total)
"""


@pytest.fixture(scope='module')
def _ran_once(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace(tmp_path_factory.mktemp('ran'))
    workspace.script(SCRIPT)
    workspace.run()
    return workspace


@pytest.fixture
def ran(workspace: Workspace, _ran_once: Workspace) -> Workspace:
    """A directory in which SCRIPT has run."""
    shutil.copytree(_ran_once.directory, workspace.directory, dirs_exist_ok=True)
    return workspace


@pytest.fixture
def examined(awflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command in the test's directory, without any Slurm."""
    monkeypatch.setenv('PATH', str(tmp_path / 'no commands'))
    monkeypatch.setattr(ledger, 'PAUSE', 0.0)

    def call(*arguments: str) -> Result:
        done: Result = awflow('doctor', *arguments, cwd=tmp_path)
        return done

    return call


def parts(done: Result) -> dict[str, Any]:
    """The parts of --json by name."""
    return {part['part']: part for part in json.loads(done.out)['parts']}


def text_of(done: Result, part: str) -> str:
    """What is printed of one part, in one line."""
    lines = done.out.splitlines()
    first = lines.index(part) + 1
    last = next((at for at in range(first, len(lines)) if not lines[at].startswith(' ')), len(lines))
    return ' '.join(' '.join(lines[first:last]).split())


def tree(directory: Path) -> dict[str, tuple[int, bytes]]:
    """All files below a directory: when they were written, and what."""
    return {
        str(path.relative_to(directory)): (path.lstat().st_mtime_ns, path.read_bytes() if path.is_file() else b'')
        for path in directory.rglob('*')
    }


def ledger_of(workspace: Any) -> Path:
    return Path(workspace.directory) / '.awflow' / 'flow' / 'ledger'


def snapshot_of(workspace: Any) -> Path:
    """The snapshot of the state, after what there is was folded into one."""
    assert Store(str(workspace.directory / '.awflow'), 'flow').compact(force=True)
    (found,) = ledger_of(workspace).glob('*.snapshot')
    return found


# -- a machine that is fit ---------------------------------------------------------------------------------------------


def test_a_whole_state_is_fit_and_looks_the_same_afterwards(ran: Any, examined: Any) -> None:
    before = tree(ran.directory)
    done = examined()
    assert done.code == 0, done.out
    assert text_of(done, 'state') == 'ok flow: 4 tasks on record, 3 stored results, 2 entries, 1 journal: all sums are right'
    assert text_of(done, 'permissions') == f'ok nobody else may write to {ran.directory}/.awflow'
    assert done.lines[-1].startswith('fit')
    assert {name for name, what in tree(ran.directory).items() if what != before.get(name)} <= {'.awflow'}, (
        'only the directory in which something was tried has another time'
    )
    assert tree(ran.directory).keys() == before.keys()


def test_the_text_for_people(examined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(part: Part, *_: Any) -> None:
        part.ok('this is so')
        part.warn(f'this is {"very " * 14}long', 'awflow does something about it.\nAnd says so.')
        part.unfit('this is not so')

    for module in (machine, cluster, filesystem):
        monkeypatch.setattr(module, 'check', check)
    done = examined()
    block = """\
machine
  ok       this is so
  warning  this is very very very very very very very very very very very very
           very very long
           awflow does something about it.
           And says so.
  unfit    this is not so
"""
    assert done.out == (
        block + block.replace('machine', 'Slurm') + 'state\n'
        '  ok       there is none here or in any directory above\n'
        '           The first run that has work to do makes .awflow.\n'
        + block.replace('machine', 'filesystem')
        + 'not fit: machine, Slurm, filesystem\n'
    )  # fmt: skip
    assert done.code == 1


def test_without_a_state_the_current_directory_is_tried(examined: Any, tmp_path: Path) -> None:
    done = examined('--json')
    assert done.code == 0
    assert parts(done)['filesystem']['facts']['milliseconds'].keys() == {'create', 'stat', 'fsync', 'list'}
    assert parts(done)['filesystem']['facts']['timestamps_ns'] >= 1
    assert os.listdir(tmp_path) == []


def test_another_directory_is_tried_if_it_is_named(examined: Any, tmp_path: Path) -> None:
    (tmp_path / 'other').mkdir()
    assert examined('--directory', 'other').code == 0
    done = examined('--directory', 'absent')
    assert done.code == 1
    assert 'there is no directory' in done.out


def test_json_says_what_the_text_says(ran: Any, examined: Any) -> None:
    found = json.loads(examined('--json').out)
    assert found['fit'] is True
    assert [part['part'] for part in found['parts']] == ['machine', 'Slurm', 'state', 'permissions', 'filesystem']
    for part in found['parts']:
        assert part['verdict'] in ('ok', 'warning')
        assert all(finding['what'] for finding in part['findings'])
    assert parts(examined('--json'))['state']['facts']['workflows']['flow']['tasks'] == 4


def test_a_running_workflow_is_in_order_and_goes_on(workspace: Any, examined: Any) -> None:
    held = Held(workspace)
    done = examined()
    held.close()
    assert done.code == 0, done.out
    assert held.process.returncode == 0
    assert '3 tasks on record' in examined().out


def test_a_state_that_does_not_exist_is_said_to_be_missing(examined: Any) -> None:
    done = examined('--state', 'absent')
    assert done.code == 1
    assert 'there is no state directory' in text_of(done, 'state')


# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('share', [0, 0.1, 0.5, 0.9])
def test_a_truncated_snapshot_is_named_with_its_cure(ran: Any, examined: Any, share: float) -> None:
    snapshot = snapshot_of(ran)
    data = snapshot.read_bytes()
    snapshot.write_bytes(data[: int(share * len(data))])
    done = examined()
    assert done.code == 1
    problem = 'too short' if share < 0.1 else 'the checksum does not fit'
    assert text_of(done, 'state').startswith(
        f'unfit .awflow/flow/ledger/2.snapshot: {problem} Restore the file from a backup. If there is none, move '
        f'{ran.directory}/.awflow/flow away: the next run starts afresh'
    )
    assert done.lines[-1] == 'not fit: state'


def test_a_byte_of_a_snapshot_that_changed_is_noticed(ran: Any, examined: Any) -> None:
    snapshot = snapshot_of(ran)
    data = bytearray(snapshot.read_bytes())
    data[len(data) // 2] ^= 1
    snapshot.write_bytes(data)
    assert 'the checksum does not fit' in text_of(examined(), 'state')


def test_a_damaged_snapshot_that_is_not_needed_may_be_removed(ran: Any, examined: Any) -> None:
    before = {path: path.read_bytes() for path in ledger_of(ran).iterdir()}
    snapshot = snapshot_of(ran)
    snapshot.write_bytes(b'')
    for path, data in before.items():  # as if the machine had stopped before the journals were removed
        path.write_bytes(data)
    done = examined()
    assert done.code == 1
    assert 'what it says still stands in older files' in text_of(done, 'state')
    snapshot.unlink()
    assert '4 tasks on record' in text_of(examined(), 'state')


def test_an_entry_that_is_missing_or_damaged_is_named(ran: Any, examined: Any) -> None:
    entry = ledger_of(ran) / '1.claim'
    data = entry.read_bytes()
    entry.write_bytes(data.replace(b'"run"', b'"ruN"'))
    assert 'unfit .awflow/flow/ledger/1.claim: it holds no whole entry' in text_of(examined(), 'state')
    entry.unlink()
    assert '1.claim: it is missing, though there are later ones' in text_of(examined(), 'state')


def test_the_journal_of_an_ended_claim_must_be_as_long_as_it_was(ran: Any, examined: Any) -> None:
    (journal,) = ledger_of(ran).glob('*.jsonl')
    data = journal.read_bytes()
    journal.write_bytes(data[:-10])
    done = examined()
    assert done.code == 1
    assert f'it has {len(data) - 10} bytes of {len(data)}' in text_of(done, 'state')
    journal.unlink()
    assert 'it is missing' in text_of(examined(), 'state')


def test_a_torn_line_of_a_journal_is_a_warning(ran: Any, examined: Any) -> None:
    (journal,) = ledger_of(ran).glob('*.jsonl')
    data = bytearray(journal.read_bytes())
    at = data.index(b'"fit"')
    data[at + 1] = ord('F')
    journal.write_bytes(data)
    done = examined()
    assert done.code == 0
    assert re.search(r'1-.*\.jsonl: no record at byte \d+', text_of(done, 'state'))
    assert 'counts as crashed and runs again' in text_of(done, 'state')


def test_half_a_line_at_the_end_of_a_live_journal_is_being_written(tmp_path: Path) -> None:
    store = Store(str(tmp_path), 'flow')
    grant = store.publish(run='run', expected=store.read(), tasks={'estimate': ['0', '1']})
    assert grant is not None
    grant.journal.append([{'job': 'estimate', 'task': '0', 'generation': 1}])
    grant.sync()
    (journal,) = Path(store.layout.ledger).glob('*.jsonl')
    journal.write_bytes(journal.read_bytes() + b'\n{"job":"est')
    found = ledger.inspect(store.layout, Disk())
    assert (found.damage, found.torn, list(found.live)) == ([], [], [1])


def test_what_is_amiss_only_for_a_moment_is_not_amiss(tmp_path: Path) -> None:
    succeeded(Store(str(tmp_path), 'flow'), 'run', '0')

    class Late(StillDisk):
        """Brings an entry only when it was asked before."""

        asked = False

        def read(self, path: str, offset: int = 0, limit: int = -1) -> bytes:
            if path.endswith('1.claim') and not self.asked:
                self.asked = True
                raise OSError(errno.ESTALE, 'Stale file handle', path)
            return super().read(path, offset, limit)

    disk = Late()
    assert ledger.inspect(Layout(str(tmp_path), 'flow'), disk).damage == []
    assert disk.asked


def test_a_stored_result_that_changed_is_named_with_its_task(ran: Any, examined: Any) -> None:
    results = ran.directory / '.awflow/flow/results/fit/1.pickles'
    data = bytearray(results.read_bytes())
    (record,) = [r for r in records(ran) if (r['job'], r['task']) == ('fit', '1')]
    data[record['result']['at'] + 2] ^= 1
    results.write_bytes(data)
    for fold in (False, True):
        if fold:
            snapshot_of(ran)
        done = examined()
        assert done.code == 1
        assert (
            'results/fit/1.pickles: the checksum of the bytes at 5 does not fit: the stored result of fit[1] Tasks that read '
            'it fail. Have it made again: awflow forget "fit[1]", and run the script.'
        ) in text_of(done, 'state')


def records(workspace: Any) -> list[dict[str, Any]]:
    lines = workspace.awflow('dump').stdout.splitlines()
    return [found for line in lines if (found := json.loads(line))['kind'] == 'record']


def test_a_results_file_that_is_cut_damages_the_last_and_one_that_is_gone_none(ran: Any, examined: Any) -> None:
    results = ran.directory / '.awflow/flow/results/fit/1.pickles'
    results.write_bytes(results.read_bytes()[:-1])
    assert 'of its 5 bytes at 10 are there: the stored result of fit[2]' in text_of(examined(), 'state')
    results.unlink()
    done = examined()
    assert done.code == 0
    assert 'stored results are gone: fit[0], fit[1], fit[2]' in text_of(done, 'state')


def test_results_are_found_in_a_snapshot_among_other_members_of_that_name(tmp_path: Path) -> None:
    from awflow.state import jsontext
    from awflow.state.table import column_of, packed

    told = [None, {'file': 'a', 'at': 3, 'digest': '0' * 32}]
    for columns in (
        {'lint': [{'result': [1, 2, 3]}, None], 'result': told},
        {'note': ['"result":[', 'x'], 'result': told},
        {'result': told, 'note': ['', '"#"']},
    ):
        found = column_of(memoryview(packed(jsontext.dumps(columns))), 'result', 2)
        assert found[0] is None
        assert found[1]['at'] == 3
    assert column_of(memoryview(packed(b'{"note":["a","b"]}')), 'result', 2) == []


@pytest.mark.parametrize('place', [0, 20, 100, -5])
def test_a_damaged_payload_is_a_warning(ran: Any, examined: Any, place: int) -> None:
    payload = ran.directory / '.awflow/flow/payload/1'
    data = bytearray(payload.read_bytes())
    data[place] ^= 1
    payload.write_bytes(data)
    done = examined()
    assert done.code == 0
    assert 'warning .awflow/flow/payload/1: it ' in text_of(done, 'state')


def test_another_python_than_that_of_the_last_run_is_a_warning(ran: Any, examined: Any) -> None:
    (noted,) = ran.directory.glob('.awflow/flow/runs/*.json')
    facts = json.loads(noted.read_text())
    noted.write_text(json.dumps({**facts, 'python': '3.7.1', 'prefix': '/opt/old'}))
    done = examined()
    assert done.code == 0
    assert 'flow: its last run used Python 3.7.1, this is 3.' in text_of(done, 'state')
    assert 'debugged with /opt/old' in text_of(done, 'state')


def test_the_state_of_a_newer_awflow_is_not_called_damaged(ran: Any, examined: Any) -> None:
    (ran.directory / '.awflow/FORMAT').write_text('99\n')
    done = examined()
    assert done.code == 1
    assert 'written by a newer awflow' in text_of(done, 'state')
    assert 'backup' not in done.out


# -- leftovers ---------------------------------------------------------------------------------------------------------


def test_leftovers_are_told_by_kind(ran: Any, examined: Any) -> None:
    state = ran.directory / '.awflow' / 'flow'
    journal = next(state.glob('ledger/*.jsonl'))
    kept = journal.read_bytes()
    snapshot_of(ran)
    (state / 'ledger' / journal.name).write_bytes(kept)
    (state / 'ledger' / '1.snapshot').write_bytes(b'old')
    (state / 'results' / 'fit' / '2-node-1.pickles').write_bytes(b'x' * 3000)
    (state / 'results' / 'fit' / '99.pickles').write_bytes(b'of a claim that is being published')
    (state / 'payload' / '2').write_bytes((state / 'payload' / '1').read_bytes())
    for kind in ('logs', 'results'):
        (state / kind / 'gone').mkdir()
        (state / kind / 'gone' / 'file').write_bytes(b'x' * 2000)
    for name in ('ledger/.tmp-1', 'digests.tmp-2', '../.tmp-doctor-3'):
        (state / name).write_bytes(b'')
        os.utime(state / name, (0, 0))
    (state / 'ledger' / '.tmp-being-written').write_bytes(b'')
    done = examined()
    assert done.code == 0
    said = text_of(done, 'state')
    for leak in (
        'temporary files: 3, 0 bytes', 'journals of claims that are in the snapshot: 1,', 'older snapshots: 1, 3 bytes',
        'payloads of claims that have ended: 1,', 'results of jobs that are not on record: 1, 2.0 kB', 'results that newer ones replaced: 1, 3.0 kB',
        'logs of jobs that are not on record: 1, 2.0 kB',
    ):  # fmt: skip
        assert f'flow: {leak}' in said


def test_a_cache_of_digests_full_of_files_that_are_gone_is_told(ran: Any, examined: Any) -> None:
    from awflow.state.digests import Content

    cache = ran.directory / '.awflow/flow/digests'
    digests = Store(str(ran.directory / '.awflow'), 'flow').digests()
    for number in range(1200):
        digests.learn(f'gone-{number}', Content('0' * 32, 0), (0, 0, 0, 0))
    digests.save()
    assert 'files that it remembers about 99 % are gone' in text_of(examined(), 'state') or (
        'files that it remembers about 100 % are gone' in text_of(examined(), 'state')
    )
    cache.write_bytes(cache.read_bytes()[:-1])
    done = examined()
    assert done.code == 0
    assert 'the next run writes it anew' in text_of(done, 'state')


# -- who may write -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize('name', ['.', 'flow', 'flow/results/fit', 'flow/payload/1', 'flow/ledger/1.claim'])
def test_what_everybody_may_write_to_is_named(ran: Any, examined: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    path = ran.directory / '.awflow' / name
    path.chmod(path.stat().st_mode | stat.S_IWOTH)
    done = examined()
    assert done.code == 1
    assert parts(examined('--json'))['permissions']['verdict'] == 'unfit'
    assert os.path.basename(path) in text_of(done, 'permissions')
    assert '4 tasks on record' in text_of(done, 'state'), 'which is no reason not to look at the rest'
    monkeypatch.setenv('AWFLOW_SHARED', '1')
    assert examined().code == 0


def test_a_directory_in_which_the_state_can_be_replaced_is_a_warning(ran: Any, examined: Any) -> None:
    ran.directory.chmod(0o777)
    done = examined()
    assert done.code == 0
    assert 'may replace the state in it' in text_of(done, 'permissions')


def test_a_state_of_somebody_else_is_refused(ran: Any) -> None:
    class Theirs(Disk):
        def stat(self, path: str) -> os.stat_result:
            found = list(super().stat(path))
            found[stat.ST_UID] = os.geteuid() + 1
            return os.stat_result(found)

    part = Part('permissions')
    access.check(part, str(ran.directory / '.awflow'), ['flow'], Theirs())
    assert part.verdict == 'unfit'
    assert 'is not yours alone' in part.findings[0].what


# -- filesystems -------------------------------------------------------------------------------------------------------


def tried(tmp_path: Path, disk: Disk) -> Part:
    """The filesystem as this disk shows it; whatever it is, nothing is left on it."""
    part = Part('filesystem')
    filesystem.check(part, str(tmp_path), f'{tmp_path}/{filesystem.PREFIX}x', disk)
    assert os.listdir(tmp_path) == []
    return part


def said(part: Part, verdict: str) -> str:
    return '; '.join(f'{finding.what} {finding.does}' for finding in part.findings if finding.verdict == verdict)


def test_a_filesystem_without_links_is_refused_and_the_cure_named(tmp_path: Path) -> None:
    class NoLinks(Disk):
        def link(self, source: str, target: str) -> None:
            raise PermissionError(errno.EPERM, 'Operation not permitted', target)

    part = tried(tmp_path, NoLinks())
    assert part.verdict == 'unfit'
    assert 'hard links are not supported' in said(part, 'unfit')
    assert 'schedule(state=...)' in said(part, 'unfit')


def test_links_and_creates_that_do_not_exclude_are_unfit(tmp_path: Path) -> None:
    class Lax(Disk):
        def link(self, source: str, target: str) -> None:
            if os.path.exists(target):
                return
            super().link(source, target)

        def create(self, path: str, data: bytes) -> None:
            Path(path).write_bytes(data)

    part = tried(tmp_path, Lax())
    assert 'could be created exclusively once more' in said(part, 'unfit')
    assert 'was granted to a second link' in said(part, 'unfit')


@pytest.mark.parametrize(('step', 'shown'), [(10**9, '1 s'), (10**6, '1 ms'), (100, '100 ns')])
def test_coarse_timestamps_are_told(tmp_path: Path, step: int, shown: str) -> None:
    class Coarse(Disk):
        def stat(self, path: str) -> os.stat_result:
            found = super().stat(path)
            return _Stat(found, found.st_mtime_ns // step * step)  # type: ignore[return-value]

    part = tried(tmp_path, Coarse())
    assert part.facts['timestamps_ns'] == step
    assert f'kept to {shown}' in said(part, 'ok')
    assert part.verdict != 'unfit'


class _Stat:
    """What stat says, with another time."""

    def __init__(self, found: os.stat_result, mtime: int) -> None:
        self._found = found
        self.st_mtime_ns = mtime

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)


@pytest.mark.parametrize(('skew', 'how'), [(100.0, 'behind'), (-100.0, 'ahead of')])
def test_a_clock_that_differs_from_the_filesystems_is_a_warning(tmp_path: Path, skew: float, how: str) -> None:
    class Early(Disk):
        def now(self) -> float:
            return super().now() + skew

    part = tried(tmp_path, Early())
    assert f'the clock of the filesystem is 100.0 s {how} that of this machine' in said(part, 'warning')


@pytest.mark.parametrize('number', [errno.EROFS, errno.EACCES])
def test_where_nothing_can_be_written_nothing_is_tried(tmp_path: Path, number: int) -> None:
    class Closed(Disk):
        def mkdir(self, path: str) -> None:
            raise OSError(number, os.strerror(number), path)

    part = tried(tmp_path, Closed())
    assert os.strerror(number) in said(part, 'skipped')
    assert part.verdict != 'unfit'


def test_a_full_disk_is_unfit(tmp_path: Path) -> None:
    class Full(Disk):
        def mkdir(self, path: str) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    assert 'No space left on device' in said(tried(tmp_path, Full()), 'unfit')


def test_a_failing_call_is_told_and_the_rest_still_tried(tmp_path: Path) -> None:
    class Broken(Disk):
        def rename(self, source: str, target: str) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO), target)

    part = tried(tmp_path, Broken())
    assert 'rename failed: Input/output error' in said(part, 'unfit')
    assert 'milliseconds' in said(part, 'ok')


def test_names_that_are_changed_or_not_told_apart_are_warnings(tmp_path: Path) -> None:
    class Folding(Disk):
        """As on a disk of another system: no upper case, no letters beyond ASCII."""

        def create(self, path: str, data: bytes) -> None:
            folder, name = os.path.split(path)
            super().create(f'{folder}/{name.lower().encode("ascii", "replace").decode()}', data)

    part = tried(tmp_path, Folding())
    assert 'upper and lower case are not told apart' in said(part, 'warning')
    assert 'names that are not ASCII are refused or changed' in said(part, 'warning')


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:44 / /home rw,nosuid - nfs4 server:/export/home rw,vers=4.2,local_lock=none,addr=10.0.0.1
31 22 0:45 / /old rw - nfs server:/old rw,vers=3,local_lock=all
32 22 0:46 / /lustre rw - lustre 10.0.0.2@o2ib:/fs rw,localflock
33 22 0:47 / /lustre/strict rw - lustre 10.0.0.2@o2ib:/fs2 rw,flock
34 22 0:48 / /gpfs rw - gpfs fs1 rw
35 22 0:49 / /with\\040space rw - fuse.glusterfs host:/volume rw
36 22 0:50 / /tmp rw shared:5 master:1 - tmpfs tmpfs rw
37 22 0:51 / /new rw - newfs x rw
38 36 0:52 / /tmp/beegfs rw - beegfs beegfs_nodev rw
39 22 0:53 / /home rw - lustre over:/it rw,noflock
"""


@pytest.mark.parametrize(('path', 'kind', 'shared', 'locks'), [
    ('/etc', 'ext4', False, 'node'), ('/homes', 'ext4', False, 'node'), ('/old/x', 'nfs', True, 'node'),
    ('/lustre', 'lustre', True, 'node'), ('/lustre/strict/x', 'lustre', True, 'server'), ('/gpfs/x', 'gpfs', True, 'node'),
    ('/with space/x', 'fuse.glusterfs', True, 'server'), ('/tmp/x', 'tmpfs', False, 'node'), ('/new', 'newfs', None, 'unknown'),
    ('/tmp/beegfs/x', 'beegfs', True, 'node'), ('/home/x', 'lustre', True, 'nobody'),
])  # fmt: skip
def test_mounts_tell_their_kind_and_who_decides_on_locks(path: str, kind: str, shared: bool | None, locks: str) -> None:
    mount = mounts.mount_of(path, MOUNTS)
    assert mount is not None
    assert (mount.kind, mount.shared, mount.locks()[0]) == (kind, shared, locks)


def test_a_filesystem_of_this_machine_does_not_do_for_a_cluster(
    examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, 'mount_here', lambda path: mounts.mount_of('/etc', MOUNTS))
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol=CONFIG, sinfo='echo "main*|up|infinite|4"'))
    done = examined()
    assert done.code == 0
    assert 'other nodes of the cluster do not see it' in text_of(done, 'filesystem')


# -- the machine and Slurm ---------------------------------------------------------------------------------------------

CONFIG = """cat <<'END'
Configuration data as of 2026-03-14T09:26:53
ClusterName             = lab
MaxArraySize            = 1001
MinJobAge               = 300 sec
SchedulerParameters     = bf_continue,max_array_tasks=500
SLURM_VERSION           = 23.11.4
END"""


def commands(tmp_path: Path, **bodies: str) -> str:
    """A directory of commands, to be the PATH; those that are not told do nothing. Not where something is examined."""
    folder = tmp_path.parent / f'{tmp_path.name}-commands'
    folder.mkdir(exist_ok=True)
    for name in ('sbatch', 'squeue', 'scancel', 'scontrol', 'sinfo'):
        path = folder / name
        path.write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin\n{bodies.get(name, "")}\n')
        path.chmod(0o755)
    return str(folder)


def test_without_slurm_it_is_local_only(examined: Any) -> None:
    assert text_of(examined(), 'Slurm').startswith('ok no Slurm on this machine: local only')


def test_the_limits_of_a_cluster_are_told(examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = 'echo "main|up|2-00:00:00|3"; echo "main|up|2-00:00:00|2"; echo "old|down|infinite|1"'
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol=CONFIG, sinfo=lines))
    done = examined('--json')
    assert done.code == 0
    assert parts(done)['Slurm']['facts'] == {
        'cluster': 'lab', 'version': '23.11.4', 'numbers': 1001, 'elements': 500, 'partitions': ['main', 'old'], 'nodes': 5,
    }  # fmt: skip
    assert 'main (2-00:00:00), old (down)' in done.out
    assert 'an array may have 500 elements, numbered below 1001' in done.out


def test_a_controller_that_refuses_is_a_warning(examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol='echo "scontrol: error: no such host" >&2; exit 1'))
    done = examined()
    assert done.code == 0
    assert 'does not answer: scontrol refused: no such host' in text_of(done, 'Slurm')


def test_a_controller_that_hangs_is_given_up_with_the_command_that_asked_it(
    examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path.parent / f'{tmp_path.name}-pid'
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol=f'echo $$ > {pid}; exec sleep 1000'))
    done = examined('--timeout', '2')
    assert done.code == 0
    assert text_of(done, 'Slurm').startswith('warning no answer within 2 s')
    assert 'fit, with 1 warning' in done.lines[-1]
    assert_gone(int(pid.read_text()))


def assert_gone(pid: int) -> None:
    """Until a killed process is gone; it has been sent its signal."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        found = Proc().stat(pid)
        if found is None or found[0] in 'ZX':
            return
    pytest.fail(f'process {pid} is still there')


def test_commands_of_slurm_that_are_missing_are_named(examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = commands(tmp_path)
    os.unlink(f'{folder}/squeue')
    monkeypatch.setenv('PATH', folder)
    assert 'of the commands of Slurm these are missing: squeue' in text_of(examined(), 'Slurm')


def test_packages_that_are_missing_or_too_old_are_unfit_with_the_command_that_helps() -> None:
    part = Part('machine')
    versions = {**machine.NEEDED, 'rich': '12.9', 'psutil': '', 'filelock': '3.9.1'}
    machine.packages(part, versions.__getitem__)
    assert [finding.what for finding in part.findings if finding.verdict == 'unfit'] == [
        'filelock 3.9.1 is too old', 'psutil is not installed', 'rich 12.9 is too old',
    ]  # fmt: skip
    assert part.findings[1].does == 'pip install "psutil>=5.9"'


def test_the_packages_looked_for_are_those_that_the_metadata_asks_for() -> None:
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / 'setup.cfg')
    wanted = dict(re.findall(r'^(\w+)>=([\d.]+)$', config['options']['install_requires'], re.MULTILINE))
    assert wanted == dict(machine.NEEDED)
    assert config['options']['python_requires'] == '>=' + '.'.join(map(str, machine.PYTHON))


def test_a_kernel_that_hides_processes_is_a_warning() -> None:
    class Hidden(Proc):
        def boot(self) -> str:
            return ''

    part = Part('machine')
    machine.processes(part, Hidden())
    assert said(part, 'warning').startswith('/proc does not tell this: boot id')


# -- time bounds -------------------------------------------------------------------------------------------------------


def test_a_check_that_hangs_is_given_up_with_all_that_it_started(tmp_path: Path) -> None:
    pid = tmp_path / 'pid'

    def hang(part: Part) -> None:
        sleeper = subprocess.Popen(['sleep', '1000'], start_new_session=True)
        pid.write_text(str(sleeper.pid))
        signal.pause()

    part = bounded.bounded('x', hang, 1.0, 'It means this.')
    assert repr(part.findings) == '[Finding(unfit: no answer within 1 s)]'
    assert part.findings[0].does == 'It means this.'
    assert_gone(int(pid.read_text()))


def test_a_check_that_dies_or_fails_is_told() -> None:
    def die(part: Part) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def fail(part: Part) -> None:
        part.ok('so far')
        raise RuntimeError('a mistake')

    assert bounded.bounded('x', die, LIMIT).findings[0].what == f'the process that looked ended by signal {signal.SIGKILL:d}'
    found = bounded.bounded('x', fail, LIMIT)
    assert [finding.verdict for finding in found.findings] == ['ok', 'unfit']
    assert found.findings[1].what.startswith('the check itself failed: RuntimeError: a mistake (test_doctor.py:')


def test_what_was_made_for_trying_is_removed_when_a_trial_hangs(
    examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(part: Part, directory: str, probe: str, disk: Disk) -> None:
        os.mkdir(probe)
        Path(probe, 'file').touch()
        (tmp_path / 'seen').touch()
        signal.pause()

    monkeypatch.setattr(filesystem, 'check', hang)
    done = examined('--timeout', '2')
    assert done.code == 1
    assert text_of(done, 'filesystem') == 'unfit no answer within 2 s The filesystem does not answer: tasks would hang, too.'
    assert os.listdir(tmp_path) == ['seen']


def test_two_hosts_need_a_cluster(examined: Any, tmp_path: Path) -> None:
    done = examined('--two-hosts')
    assert done.code == 1
    assert 'this machine has no command srun' in text_of(done, 'two hosts')
    assert os.listdir(tmp_path) == []
