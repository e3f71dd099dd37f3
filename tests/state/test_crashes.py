"""A process killed before any call that it makes, and a machine that loses its power then: nothing published is
lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from awflow.state.record import Record
from awflow.state.store import Store
from tests.state.staging import Crash, CrashingDisk, Host, StillDisk, digest, done, ids, succeeded


class Victim:
    """Two runs and a compaction, noting what it knows to be published."""

    def __init__(self, root: str, disk: CrashingDisk) -> None:
        self.store = Store(root, 'pi', disk, Host(pid=100))
        self.published: dict[str, tuple[int, str]] = {}  # key -> generation and id

    def live(self) -> None:
        self.run('r1', ['0', '1'], first=1)
        self.run('r2', ['1', '2'], first=11)
        self.store.compact(force=True)

    def run(self, run: str, keys: list[str], first: int) -> None:
        grant = self.store.publish(run=run, expected=self.store.read(), tasks={'estimate': keys})
        assert grant is not None
        for number, key in enumerate(keys, first):
            grant.journal.append([done(key, number + 50, grant.number, final=False, outcome='').to_dict()])
            grant.journal.append([done(key, number, grant.number).to_dict()])
            grant.sync()
            self.published[key] = grant.number, digest(number)
        self.store.finish(run)
        assert self.store.compact(force=run == 'r1') == (run == 'r1')


def crash(root: str, k: int, torn: bool = False) -> tuple[Victim, CrashingDisk]:
    disk = CrashingDisk(k, torn)
    victim = Victim(root, disk)
    try:
        victim.live()
    except Crash:
        pass
    return victim, disk


def survive(root: str, victim: Victim, where: str) -> None:
    """Whoever comes next reads all that was published, takes over what is left, and works on."""
    host = Host(pid=200)
    store = Store(root, 'pi', StillDisk(), host)
    found = ids(store)
    rows = store.read().rows('estimate')
    for key, (generation, id) in victim.published.items():
        row = rows.row(key) if rows else None
        assert rows is not None and row is not None, f'{where}: {key} was published and is lost'
        assert rows.generation(row) > generation or rows.id(row) == id, f'{where}: {key} was published and is lost'
    evidence = store.evidence(store.read())
    assert all(found.state == 'dead' for found in evidence.values())
    grant = store.publish(
        run='next',
        expected=store.read(),
        tasks={'estimate': ['0', '1', '2']},
        dead={number: found.why for number, found in evidence.items()},
    )
    assert grant is not None, where
    grant.journal.append([done('0', 99, grant.number).to_dict()])
    store.finish('next')
    store.compact(force=True)
    again = Store(root, 'pi', StillDisk(), host)
    assert again.read().claims == {}, where
    assert ids(again) == {**found, '0': digest(99)}, where


def total(root: str) -> int:
    return crash(root, -1)[1].calls


@pytest.mark.parametrize('torn', [False, True])
def test_killed_before_any_call_nothing_published_is_lost_and_the_next_run_goes_on(tmp_path: Path, torn: bool) -> None:
    (tmp_path / 'whole').mkdir()
    count = total(f'{tmp_path}/whole/.awflow')
    assert count > 60
    for k in range(count):
        directory = tmp_path / str(k)
        directory.mkdir()
        victim, disk = crash(f'{directory}/.awflow', k, torn)
        assert disk.crashed
        survive(f'{directory}/.awflow', victim, f'killed before call {k}')


class PowerCut(CrashingDisk):
    """A machine whose power fails before the k-th call: bytes not fsynced and names not fsynced are gone."""

    def __init__(self, k: int) -> None:
        super().__init__(k)
        self._written: dict[int, str] = {}
        self._safe: dict[str, int] = {}  # path -> bytes that are on the disk
        self._names: dict[str, set[str]] = {}  # directory -> names made since its last fsync

    def open_append(self, path: str) -> int:
        new = not os.path.exists(path)
        fd = super().open_append(path)
        self._written[fd] = path
        if new:
            self._new(path)
        return fd

    def fsync(self, fd: int) -> None:
        super().fsync(fd)
        self._safe[self._written[fd]] = os.fstat(fd).st_size

    def flush(self, path: str) -> None:
        super().flush(path)
        self._safe[path] = os.stat(path).st_size

    def link(self, source: str, target: str) -> None:
        new = not os.path.exists(target)
        super().link(source, target)
        self._safe[target] = self._safe.get(source, 0)
        if new:
            self._new(target)

    def create(self, path: str, data: bytes) -> None:
        super().create(path, data)
        self._safe[path] = len(data)
        self._new(path)

    def fsync_dir(self, path: str) -> None:
        super().fsync_dir(path)
        self._names.pop(path, None)

    def _new(self, path: str) -> None:
        self._names.setdefault(os.path.dirname(path), set()).add(path)

    def fail(self) -> None:
        for path in {name for names in self._names.values() for name in names if os.path.exists(name)}:
            os.unlink(path)
        for path in {*self._written.values(), *self._safe}:
            if os.path.exists(path):
                os.truncate(path, self._safe.get(path, 0))


def test_what_was_published_survives_a_power_cut_before_any_call(tmp_path: Path) -> None:
    (tmp_path / 'whole').mkdir()
    for k in range(total(f'{tmp_path}/whole/.awflow')):
        directory = tmp_path / str(k)
        directory.mkdir()
        disk = PowerCut(k)
        victim = Victim(f'{directory}/.awflow', disk)
        try:
            victim.live()
        except Crash:
            pass
        disk.fail()
        survive(f'{directory}/.awflow', victim, f'power cut before call {k}')


def test_who_takes_over_syncs_what_the_dead_wrote_before_vouching_for_it(root: str) -> None:
    """Else a power cut after the takeover leaves an end that names bytes which are gone: unreadable for ever."""
    host = Host(pid=100)
    dying = Store(root, 'pi', StillDisk(), host)
    grant = dying.publish(run='r', expected=dying.read(), tasks={'estimate': ['0']})
    assert grant is not None
    grant.journal.append([done('0', 1, 1).to_dict()])  # written, never fsynced

    disk = PowerCut(-1)
    disk._written[-1] = f'{root}/pi/ledger/{grant.journal.name}'
    store = Store(root, 'pi', disk, Host(pid=200))
    assert store.publish(run='s', expected=store.read(), tasks={'estimate': ['0']}, dead={1: 'it has ended'})
    disk.fail()
    assert ids(Store(root, 'pi', StillDisk())) == {'0': digest(1)}


def test_half_a_record_of_a_killed_writer_is_told_and_does_no_harm(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    grant = store.publish(run='r', expected=store.read(), tasks={'estimate': ['0', '1']})
    assert grant is not None
    grant.journal.append([done('0', 1, 1).to_dict()])
    with open(f'{root}/pi/ledger/{grant.journal.name}', 'ab') as file:
        file.write(b'\n{"job":"estimate","task":"1","gener')
    grant.journal.append([done('1', 2, 1).to_dict()])
    assert len(store.read().damage) == 1 and grant.journal.name in store.read().damage[0]
    store.finish('r')
    assert ids(Store(root, 'pi')) == {'0': digest(1), '1': digest(2)}
    assert len(Store(root, 'pi').read().damage) == 1


def test_temporary_files_of_the_dead_are_removed_once_they_are_old(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    for name, age in (('.tmp-old', 7200), ('.tmp-new', 60)):
        path = f'{root}/pi/ledger/{name}'
        with open(path, 'w'):
            pass
        os.utime(path, (store.disk.now() - age,) * 2)
    store.compact(force=True)
    assert [name for name in os.listdir(f'{root}/pi/ledger') if name.startswith('.tmp')] == ['.tmp-new']


def test_a_journal_that_lost_bytes_it_is_said_to_have_is_named(root: str) -> None:
    from awflow.errors import StateCorruptError

    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    name = next(name for name in os.listdir(f'{root}/pi/ledger') if name.endswith('.jsonl'))
    os.truncate(f'{root}/pi/ledger/{name}', 20)
    disk = StillDisk()
    with pytest.raises(StateCorruptError, match=name):
        Store(root, 'pi', disk).read()
    assert 60 < disk.monotonic() - 1000 <= 90, 'it was given time to arrive'


def test_a_missing_entry_is_named(root: str) -> None:
    from awflow.errors import StateCorruptError

    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    os.unlink(f'{root}/pi/ledger/1.claim')
    with pytest.raises(StateCorruptError, match=r'1\.claim'):
        Store(root, 'pi', StillDisk()).read()


def test_records_are_made_of_what_a_record_has() -> None:
    with pytest.raises(TypeError, match='colour'):
        Record(job='estimate', task='0', colour='blue')
