"""`awflow doctor` on states that are whole, damaged and in use."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.checks import access, ledger
from awflow.cli.checks.findings import Part
from awflow.state.fs import Disk
from awflow.state.layout import Layout
from awflow.state.store import Store
from tests.cli.conftest import Held, Workspace
from tests.cli.examination import parts, text_of
from tests.state.staging import StillDisk, succeeded

SCRIPT = """
    from awflow import after, job, outputs, schedule

    @job(array=3, throttle=1)
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
        f'unfit .awflow/flow/ledger/2.snapshot: {problem} Restore the file from a backup. If there is none, `awflow clean` '
        'saves what can be saved'
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
    from awflow.state.cached import RACY, Cached

    cache = ran.directory / '.awflow/flow/digests'
    digests = Store(str(ran.directory / '.awflow'), 'flow').digests()
    for number in range(1200):
        digests._remember(f'gone-{number}', Cached((0, 0, 0, 0), '0' * 32, RACY))
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
