"""Stale listings, names that look absent, stale handles, lost replies: what NFS and its kin do, each at every place."""

from __future__ import annotations

import itertools
import os

import pytest

from awflow.state.liveness import SUSPECT
from awflow.state.store import Store
from tests.state.staging import Host, LyingDisk, StillDisk, claimed, digest, done, ids, succeeded


@pytest.mark.parametrize('lie', ['absent', 'stale handle', 'half'])
@pytest.mark.parametrize('times', [1, 2, 5])
@pytest.mark.parametrize('compacted', [False, True])
def test_a_reader_starts_over_until_what_it_is_shown_is_whole(root: str, lie: str, times: int, compacted: bool) -> None:
    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0', '1')
    if compacted:
        store.compact(force=True)
    disk = LyingDisk()
    reader = Store(root, 'pi', disk)
    reader._reader._checked = True  # the lies are for the protocol
    disk.lies = [lie] * times
    assert ids(reader) == {'0': digest(1), '1': digest(2)}
    assert disk.lies == []


def test_a_reader_with_a_stale_listing_sees_an_older_state_but_a_whole_one(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    disk = LyingDisk()
    reader = Store(root, 'pi', disk)
    assert ids(reader) == {'0': digest(1)}
    succeeded(store, 's', '0', first=5)
    disk.lies = ['stale listing']
    assert ids(reader) == {'0': digest(1)}
    assert ids(reader) == {'0': digest(5)}


def test_a_stale_listing_of_journals_that_were_folded_since_leads_to_a_new_look(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    disk = LyingDisk()
    Store(root, 'pi', disk).read()
    store.compact(force=True)
    disk.lies = ['stale listing']
    assert ids(Store(root, 'pi', disk)) == {'0': digest(1)} and disk.lies == []


def test_a_publisher_is_not_misled_by_a_stale_listing(root: str) -> None:
    disk = LyingDisk()
    store = Store(root, 'pi', disk)
    succeeded(Store(root, 'pi', StillDisk()), 'r', '0')
    expected = store.read()
    with claimed(Store(root, 'pi', StillDisk()), 'other', '0'):
        disk.lies = ['stale listing']
        stale = store.read()
        assert stale.last == expected.last == 2
        disk.lies = ['stale listing']
        assert store.publish(run='s', expected=stale, tasks={'estimate': ['0']}) is None


def test_who_takes_over_is_not_misled_by_a_listing_older_than_the_journal_of_the_dead(root: str) -> None:
    host, disk = Host(pid=100), LyingDisk()
    dying, store = Store(root, 'pi', StillDisk(), host), Store(root, 'pi', disk, Host(pid=200))
    grant = dying.publish(run='r', expected=dying.read(), tasks={'estimate': ['0', '1']})
    assert grant is not None
    store.read()
    grant.journal.append([done('0', 1, 1).to_dict()])
    disk.lies = ['stale listing'] * 3
    assert store.publish(run='s', expected=store.read(), tasks={'estimate': ['1']}, dead={1: 'it has ended'})
    assert ids(Store(root, 'pi')) == {'0': digest(1)}


def test_an_end_waits_until_all_that_its_run_recorded_is_to_be_seen(root: str) -> None:
    class Hiding(StillDisk):
        hidden = 0

        def listdir(self, path: str) -> list[str]:
            self.hidden -= 1
            return [name for name in super().listdir(path) if self.hidden < 0 or not name.endswith('.jsonl')]

    disk = Hiding()
    store = Store(root, 'pi', disk)
    with claimed(store, 'r', '0') as grant:
        grant.journal.append([done('0', 1, 1).to_dict()])
        disk.hidden = 4
    assert ids(Store(root, 'pi')) == {'0': digest(1)}


def test_a_lost_reply_to_link_does_not_lose_the_claim(root: str) -> None:
    disk = LyingDisk()
    store = Store(root, 'pi', disk)
    store.read()
    succeeded(store, 'r', '0')
    disk.lies = ['lost reply']
    grant = store.publish(run='s', expected=store.read(), tasks={'estimate': ['0']})
    assert disk.lies == [] and grant is not None and grant.number == 3
    grant.journal.append([done('0', 7, 3).to_dict()])
    disk.lies = ['lost reply']
    store.finish('s')
    assert disk.lies == [] and store.read().claims == {} and store.read().last == 4
    disk.lies = ['lost reply']
    assert store.compact(force=True)
    assert ids(Store(root, 'pi')) == {'0': digest(7)}


def test_a_link_that_never_reached_the_server_is_not_taken_for_granted(root: str) -> None:
    class Deaf(StillDisk):
        deaf = True

        def link(self, source: str, target: str) -> None:
            if not target.endswith('.claim') or not self.deaf:
                super().link(source, target)

    disk = Deaf()
    store = Store(root, 'pi', disk)
    assert store.publish(run='s', expected=store.read(), tasks={'estimate': ['0']}) is None
    disk.deaf = False
    assert store.publish(run='s', expected=store.read(), tasks={'estimate': ['0']}) is not None


def test_two_hosts_that_take_turns_under_all_lies_lose_no_record(root: str) -> None:
    lies = ['stale listing', 'absent', 'stale handle', 'half', 'lost reply']
    disks = [LyingDisk(), LyingDisk()]
    stores = [Store(root, 'pi', disk, Host(name=f'node{at}', boot=f'b{at}')) for at, disk in enumerate(disks)]
    succeeded(stores[0], 'r', '0')
    stores[1].read()
    for number, (first, second) in enumerate(itertools.product(lies, lies), 10):
        at = number % 2
        disks[at].lies = [first, second]
        store = stores[at]
        while (grant := store.publish(run=f'r{number}', expected=store.read(), tasks={'estimate': ['0']})) is None:
            pass
        grant.journal.append([done('0', number, grant.number).to_dict()])
        store.finish(f'r{number}')
        disks[at].lies = []
        assert ids(stores[1 - at]) == {'0': digest(number)}, (first, second)


def test_an_owner_on_another_host_is_not_declared_dead(root: str) -> None:
    with claimed(Store(root, 'pi', StillDisk(), Host(name='node1', boot='b1')), 'r', '0'):
        store = Store(root, 'pi', StillDisk(), Host(name='node2', boot='b2'))
        assert store.evidence(store.read())[1].state == SUSPECT


def test_names_that_a_server_leaves_behind_do_not_matter(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    succeeded(store, 'r', '0')
    for name in ('.nfs000000000123', '7.claim~', '9-other-host.jsonl', '1-r.other-host.jsonl'):
        with open(f'{root}/pi/ledger/{name}', 'w') as file:
            file.write('nonsense')
    assert ids(Store(root, 'pi', StillDisk())) == {'0': digest(1)}
    store.compact(force=True)
    assert '.nfs000000000123' in os.listdir(f'{root}/pi/ledger')
