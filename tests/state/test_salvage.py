"""What is saved of a ledger that cannot be read says what was written, or nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from awflow.errors import StateCorruptError
from awflow.state.salvage import Salvage, owners, shortened
from awflow.state.store import Store
from awflow.state.table import Table
from tests.state.staging import Host, StillDisk, digest, done, ids, succeeded

LONG = {'f': {'t': 'def f(): pass\n' * 20}}


def folded(root: str) -> tuple[Store, Path]:
    """A state with everything in a snapshot, and its path."""
    store = Store(root, 'pi', StillDisk())
    reasons = {'estimate': [['0-2', 'missing', [{'kind': 'never ran'}]]]}
    codes = {digest(1000): {'f': 't'}}
    grant = store.publish(
        run='r', expected=store.read(), tasks={'estimate': ['0', '1', '2']}, reasons=reasons, codes=codes, sources=LONG
    )
    assert grant is not None
    outputs = {'out': [digest(7), 10]}
    grant.journal.append([done(key, int(key) + 1, 1, outputs=outputs, log='l').to_dict() for key in '012'])
    store.finish('r')
    store.compact(force=True)
    (path,) = Path(store.layout.ledger).glob('*.snapshot')
    return store, path


def salvage(root: str) -> Salvage:
    store = Store(root, 'pi', StillDisk())
    with pytest.raises(StateCorruptError) as caught:
        store.read()
    return Salvage(store.layout, caught.value)


def test_cut_at_every_byte_a_snapshot_keeps_all_its_records_or_is_given_up(root: str) -> None:
    _, path = folded(root)
    data = path.read_bytes()
    records = [Table(data).base('estimate').record(row) for row in range(3)]  # type: ignore[union-attr]
    saved = 0
    for length in range(len(data)):
        whole = shortened(data[:length])
        if whole is None:
            assert not saved, 'the more is there, the more can be saved'
            continue
        saved += 1
        base = Table(whole).base('estimate')
        assert base is not None and [base.record(row) for row in range(3)] == records
    assert saved > 8, 'sources and reasons stand last, and may be cut'
    assert shortened(data) is None, 'nothing is missing of it'


def test_a_snapshot_with_another_byte_is_not_taken_for_a_short_one(root: str) -> None:
    _, path = folded(root)
    data = path.read_bytes()
    records = [Table(data).base('estimate').record(row) for row in range(3)]  # type: ignore[union-attr]
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0xFF
        whole = shortened(bytes(changed))
        if whole is not None:  # the last column, which is only shown, may seem to be longer than it was
            base = Table(whole).base('estimate')
            assert base is not None and [base.record(row) for row in range(3)] == records, at


def test_mended_files_are_read_by_everybody_and_what_they_were_stays(root: str) -> None:
    store, path = folded(root)
    known = ids(store)
    broken = path.read_bytes()[:-20]
    path.write_bytes(broken)
    salvage(root).apply()
    assert ids(Store(root, 'pi')) == known
    assert Path(f'{path}.damaged').read_bytes() == broken
    assert not [name for name in os.listdir(store.layout.ledger) if name.startswith('.tmp')]


def test_two_damaged_files_are_mended_together(root: str) -> None:
    store, path = folded(root)
    succeeded(store, 's', '3', '4', first=30)
    (journal,) = Path(store.layout.ledger).glob('*.jsonl')
    path.write_bytes(path.read_bytes()[:-20])
    journal.write_bytes(journal.read_bytes()[:-30])
    found = salvage(root)
    assert [os.path.basename(step.path) for step in found.steps] == [path.name, journal.name]
    found.apply()
    assert set(ids(Store(root, 'pi'))) == {'0', '1', '2', '3'}, 'the last line of the journal was cut'
    store = Store(root, 'pi', StillDisk(), Host(pid=300))
    succeeded(store, 't', '4', first=50)
    assert ids(store)['4'] == digest(50)


def test_a_journal_that_is_gone_is_as_one_that_says_nothing(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    succeeded(store, 's', '1', first=5)
    next(Path(store.layout.ledger).glob('3-*.jsonl')).unlink()
    salvage(root).apply()
    assert ids(Store(root, 'pi')) == {'0': digest(1)}


def test_where_an_entry_is_damaged_nothing_is_saved_and_its_owner_is_not_known(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    path = Path(store.layout.ledger) / '1.claim'
    path.write_bytes(path.read_bytes()[:-5])
    found = salvage(root)
    assert (found.steps, found.unknown) == ([], ['1.claim'])
    assert '1.claim' in found.lost


def test_claims_that_no_entry_ends_have_owners_until_these_are_proven_dead(root: str) -> None:
    store = Store(root, 'pi', StillDisk(), Host(pid=100))
    succeeded(store, 'r', '0')
    assert store.publish(run='s', expected=store.read(), tasks={'estimate': ['1']})
    (Path(store.layout.ledger) / '9.claim').write_bytes(b'nothing')
    found = salvage(root)
    assert list(found.claims) == [3]
    assert list(owners(found, Host(pid=100))) == [3]
    assert owners(found, Host(pid=200)) == {}
    assert list(owners(found, Host(name='node2', boot='boot-2'))) == [3]


def test_what_is_put_aside_leaves_room_for_a_new_state(root: str) -> None:
    _, path = folded(root)
    path.write_bytes(b'')
    target = salvage(root).put_aside()
    assert os.path.exists(f'{target}/ledger/{path.name}')
    assert Store(root, 'pi').read().last == 0
    assert succeeded(Store(root, 'pi'), 'again', '0') == 1
