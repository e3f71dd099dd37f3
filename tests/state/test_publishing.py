"""Claims, grants and ends, by one process at a time and by two at once."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest

from awflow.errors import StateAccessError
from awflow.state.fs import Disk
from awflow.state.liveness import Owner
from awflow.state.store import Store
from tests.state.staging import HeldDisk, Host, InterruptedDisk, StillDisk, claimed, digest, done, ids, succeeded


@pytest.fixture
def store(root: str) -> Store:
    return Store(root, 'pi', StillDisk())


def test_reading_a_state_that_is_not_there_makes_nothing(root: str, store: Store) -> None:
    state = store.read()
    assert (state.last, state.jobs(), state.rows('estimate'), state.claims) == (0, [], None, {})
    assert not os.path.exists(root)


def test_what_is_recorded_under_a_claim_is_read_while_it_lives_and_after(root: str, store: Store) -> None:
    with claimed(store, 'r', '0', '1') as grant:
        grant.journal.append([done('0', 1, grant.number).to_dict()])
        grant.sync()
        state = Store(root, 'pi').read()
        assert list(state.claims) == [1] and ids(Store(root, 'pi')) == {'0': digest(1)}
        assert [state.owner_of('estimate', key) for key in ('0', '1', '2')] == [None, 1, None]
    state = Store(root, 'pi').read()
    assert state.claims == {} and state.last == 2 and ids(Store(root, 'pi')) == {'0': digest(1)}


def test_records_of_the_entry_itself_bear_its_number_and_are_final(store: Store) -> None:
    succeeded(store, 'r', '0')
    grant = store.publish(
        run='s',
        expected=store.read(),
        tasks={},
        records=[done('0', 5, 0, final=False, outcome='forgotten'), done('-', 6, 0, job='merge', adopted=True)],
    )
    assert grant is not None and grant.number == 3
    state = store.read()
    rows = state.rows('estimate')
    assert state.claims == {} and rows is not None
    assert (rows.outcome(0), rows.generation(0), rows.final(0)) == ('forgotten', 3, True)
    assert ids(store, 'merge') == {'-': digest(6)}


def test_a_plan_made_before_the_ledger_moved_is_not_published(root: str, store: Store) -> None:
    expected = store.read()
    succeeded(Store(root, 'pi'), 'other', '0')
    assert store.publish(run='r', expected=expected, tasks={'estimate': ['0']}) is None
    assert 0.01 <= store.disk.monotonic() - 1000.0 <= 0.1  # it waits, so that two do not stay in step
    assert store.publish(run='r', expected=store.read(), tasks={'estimate': ['0']}) is not None


def test_a_plan_that_claims_what_somebody_executes_is_a_mistake_of_the_planner(store: Store) -> None:
    with claimed(store, 'r', '0', '1'), pytest.raises(AssertionError, match='owned by a live claim'):
        store.publish(run='s', expected=store.read(), tasks={'estimate': ['1', '2']})


def test_a_task_that_is_started_again_before_a_plan_is_published_stops_the_plan(store: Store) -> None:
    """As when Slurm requeues what had failed: the plan was right when it was made."""
    with claimed(store, 'r', '0') as first:
        first.journal.append([done('0', 1, 1, outcome='failed').to_dict()])
        expected = store.read()
        first.journal.append([done('0', 2, 1, attempt=(1, 0), final=False, outcome='').to_dict()])
        assert store.publish(run='s', expected=expected, tasks={'estimate': ['0']}) is None
        assert list(store.read().claims) == [1]


def test_a_task_that_a_live_claim_has_finished_may_be_claimed_by_another(store: Store) -> None:
    with claimed(store, 'r', '0', '1') as first:
        first.journal.append([done('0', 1, 1).to_dict()])
        with claimed(store, 's', '0') as second:
            second.journal.append([done('0', 2, 2, final=False, outcome='').to_dict()])
            assert store.read().owner_of('estimate', '0') == 2
            assert first.holds(max_age=0.0), 'it still owns 1, and 0 was given up'
            assert [record.id for record in store.read().started(2)] == [digest(2)]


def test_a_dead_owner_is_replaced_and_what_it_recorded_counts(root: str) -> None:
    host = Host(pid=100)
    dying = Store(root, 'pi', StillDisk(), host)
    grant = dying.publish(run='r', expected=dying.read(), tasks={'estimate': ['0', '1']})
    assert grant is not None
    grant.journal.append([done('0', 1, 1).to_dict(), done('1', 2, 1, final=False, outcome='', end='').to_dict()])

    host.processes = {101: ('S', 8)}
    host.own = 101
    store = Store(root, 'pi', StillDisk(), host)
    evidence = store.evidence(store.read())
    assert evidence[1].state == 'dead'
    taken = store.publish(run='s', expected=store.read(), tasks={'estimate': ['1']}, dead={1: evidence[1].why})
    assert taken is not None and taken.number == 2
    state = store.read()
    assert list(state.claims) == [2] and state.owner_of('estimate', '1') == 2
    assert state.entries[2].ends[1]['why'] == evidence[1].why
    rows = state.rows('estimate')
    assert rows is not None and [rows.outcome(row) for row in range(2)] == ['succeeded', 'crashed']
    assert not grant.holds(max_age=0.0)
    grant.journal.append([done('1', 9, 1).to_dict()])  # a zombie that did not look
    grant.sync()
    assert ids(Store(root, 'pi')) == {'0': digest(1), '1': digest(2)}


def test_the_helpers_of_a_claim_are_asked_too(root: str) -> None:
    host = Host(pid=100)
    host.processes[200] = ('S', 9)
    store = Store(root, 'pi', StillDisk(), host)
    owner = Owner('node1', 'boot-1', 'pid:[1]', 100, 7, others=[(200, 9)])
    assert store.publish(run='r', expected=store.read(), tasks={'estimate': ['0']}, owner=owner)
    del host.processes[100]
    assert store.evidence(store.read())[1].state == 'alive'


@pytest.mark.parametrize('loss', ['removed', 'restored', 'replaced', 'ended'])
def test_who_lost_its_claim_notices_before_the_next_launch(root: str, store: Store, loss: str, tmp_path: Path) -> None:
    succeeded(store, 'before', '0')
    shutil.copytree(root, tmp_path / 'backup')
    grant = store.publish(run='r', expected=store.read(), tasks={'estimate': ['0']})
    assert grant is not None and grant.holds(max_age=0.0)
    other = Store(root, 'pi', StillDisk())
    if loss == 'ended':
        assert other.publish(run='s', expected=other.read(), tasks={}, dead={grant.number: 'forced'})
    else:
        shutil.rmtree(root)
        if loss != 'removed':
            shutil.copytree(tmp_path / 'backup', root)
        if loss == 'replaced':
            assert other.publish(run='s', expected=other.read(), tasks={'estimate': ['0']})
    assert grant.holds(), 'the last look is less than a second old'
    store.disk.sleep(1.0)
    assert not grant.holds()
    assert not grant.holds(), 'and it stays lost'


def test_looking_whether_a_claim_holds_lists_once_a_second_at_most(root: str) -> None:
    class Counting(InterruptedDisk):
        listings = 0

        def before(self, name: str, *args: object) -> None:
            self.listings += name == 'listdir'

    disk = Counting()
    store = Store(root, 'pi', disk)
    with claimed(store, 'r', '0') as grant:
        disk.listings = 0
        for _ in range(100):
            assert grant.holds()
            disk.sleep(0.1)
        assert 9 <= disk.listings <= 10


def test_a_worker_on_another_host_takes_part_in_a_claim(root: str, store: Store) -> None:
    with claimed(store, 'r', '0', '1') as grant:
        worker = Store(root, 'pi', StillDisk(), Host(name='node2', boot='boot-2')).attach(grant.number)
        assert worker is not None and worker.holds(max_age=0.0)
        grant.journal.append([done('0', 1, 1).to_dict()])
        worker.journal.append([done('1', 2, 1).to_dict()])
        worker.sync()
        grant.sync()
        assert len(store.read().journals[1]) == 2
    assert ids(Store(root, 'pi')) == {'0': digest(1), '1': digest(2)}
    assert store.attach(grant.number) is None


def test_what_is_noted_about_a_claim_is_kept_while_it_lives(root: str, store: Store) -> None:
    with claimed(store, 'r', '0') as grant:
        grant.journal.append([{'submitted': '4711', 'job': 'estimate'}])
        assert store.publish(run='s', expected=store.read(), tasks={}, facts=[{'claim': 1, 'submitted': '4712'}])
        assert store.compact(force=True)
        facts = Store(root, 'pi').read().facts(1)
        assert [fact['submitted'] for fact in facts] == ['4712', '4711']
    assert Store(root, 'pi').read().facts(1) == []


def test_compaction_leaves_what_lives_and_forgets_nothing(root: str, store: Store) -> None:
    codes = {digest(1000): {'code of f': 'abc'}}
    assert store.publish(run='a', expected=store.read(), tasks={}, records=[done('9', 9, 0)], codes=codes)
    with claimed(store, 'r', '0', '1') as grant:
        grant.journal.append([done('0', 1, 2).to_dict()])
        succeeded(store, 's', '5', first=5)
        assert store.compact(force=True)
        state = Store(root, 'pi').read()
        assert state.floor == 4 and list(state.claims) == [2] and state.owner_of('estimate', '1') == 2
        assert ids(Store(root, 'pi')) == {'9': digest(9), '5': digest(5), '0': digest(1)}
        base = state.table.base('estimate') if state.table else None
        assert base is not None and base.keys() == ['5', '9'], 'what a live claim says is not folded'
        assert [name for name in os.listdir(f'{root}/pi/ledger') if name.endswith('.jsonl')] == list(state.journals[2])
        grant.journal.append([done('1', 2, 2).to_dict()])
    assert store.compact(force=True) and not store.compact(force=True)
    assert ids(Store(root, 'pi')) == {'9': digest(9), '5': digest(5), '0': digest(1), '1': digest(2)}
    assert Store(root, 'pi').read().codes(digest(1000)) == {'code of f': 'abc'}
    assert sorted(os.listdir(f'{root}/pi/ledger')) == [*(f'{n}.claim' for n in range(1, 6)), '5.snapshot']


def test_many_small_runs_are_compacted_by_themselves(root: str) -> None:
    store = Store(root, 'pi', StillDisk())
    for number in range(20):
        succeeded(store, f'r{number}', str(number), first=number)
    names = os.listdir(f'{root}/pi/ledger')
    assert sum(name.endswith('.snapshot') for name in names) == 1
    assert sum(name.endswith('.jsonl') for name in names) <= 9
    assert ids(Store(root, 'pi')) == {str(number): digest(number) for number in range(20)}


def test_a_reader_that_polls_opens_only_what_is_new(root: str, store: Store) -> None:
    class Watched(InterruptedDisk):
        opened: list[str]

        def before(self, name: str, *args: object) -> None:
            if name == 'read':
                self.opened.append(os.path.basename(str(args[0])))

    for number in range(5):
        succeeded(store, f'r{number}', str(number))
    disk = Watched()
    disk.opened = []
    polling = Store(root, 'pi', disk)
    polling.read()
    disk.opened = []
    polling.read()
    assert disk.opened == ['10.claim']
    with claimed(store, 'r', '7') as grant:
        grant.journal.append([done('7', 7, 11).to_dict()])
        disk.opened = []
        assert ids(polling)['7'] == digest(7)
        assert disk.opened == ['10.claim', '11.claim', grant.journal.name]


def test_a_state_once_read_does_not_change(store: Store) -> None:
    with claimed(store, 'r', '0', '1') as grant:
        grant.journal.append([done('0', 1, 1).to_dict()])
        before = store.read()
        grant.journal.append([done('1', 2, 1).to_dict()])
        store.read()
        rows = before.rows('estimate')
        assert rows is not None and list(rows.keys) == ['0']


def test_the_dump_is_json_and_holds_every_record(store: Store) -> None:
    import json

    succeeded(store, 'r', '0', '1')
    with claimed(store, 's', '2'):
        kinds = [json.loads(json.dumps(line))['kind'] for line in store.read().dump()]
    assert kinds == ['state', 'entry', 'entry', 'entry', 'record', 'record']


def test_waiting_for_a_turn_names_who_holds_it_and_goes_on_in_the_end(root: str) -> None:
    said: list[str] = []
    holder, other = Store(root, 'pi', proc=Host(name='node7', pid=77)), Store(root, 'pi')
    with holder.turn(), other.turn(timeout=0.1, notify=said.append):
        assert len(said) == 2 and 'node7 (process 77)' in said[0] and 'going on without' in said[1]
    said.clear()
    with other.turn(notify=said.append):
        assert said == [] and other.layout.holder in paths_in(other)
    assert other.layout.holder not in paths_in(other)


def paths_in(store: Store) -> list[str]:
    return [f'{store.layout.directory}/{name}' for name in os.listdir(store.layout.directory)]


def test_a_lock_that_cannot_be_had_stops_nobody(root: str) -> None:
    said: list[str] = []
    store = Store(root, 'pi')
    succeeded(store, 'r', '0')
    os.mkdir(store.layout.lock)
    with store.turn(timeout=0.1, notify=said.append):
        assert 'going on without the lock' in said[-1]


def test_errors_while_writing_are_errors_of_the_state(root: str) -> None:
    class Full(Disk):
        def write(self, fd: int, data: bytes) -> int:
            raise OSError(28, 'No space left on device')

    store = Store(root, 'pi', Full())
    with pytest.raises(StateAccessError, match='make room'):
        store.publish(run='r', expected=store.read(), tasks={'estimate': ['0']})
    assert Store(root, 'pi').read().last == 0


def contend(root: str, k: int) -> tuple[list[str], bool]:
    """Two plan the same task; the first is held before its k-th call until the second has published and is about to
    run."""
    held = HeldDisk(k)
    granted: list[str] = []

    def plan(store: Store, run: str) -> None:
        state = store.read()
        if state.last == 0 and store.publish(run=run, expected=state, tasks={'estimate': ['0']}):
            granted.append(run)

    first = threading.Thread(target=plan, args=(Store(root, 'pi', held), 'first'))
    first.start()
    while not (stopped := held.reached.wait(0.01)) and first.is_alive():
        pass
    plan(Store(root, 'pi', StillDisk()), 'second')
    held.released.set()
    first.join()
    return granted, stopped


def test_of_two_that_plan_the_same_task_one_is_granted_wherever_the_other_is_held(tmp_path: Path) -> None:
    k = 0
    stopped = True
    while stopped:
        root = tmp_path / str(k)
        root.mkdir()
        granted, stopped = contend(f'{root}/.awflow', k)
        state = Store(f'{root}/.awflow', 'pi').read()
        assert len(granted) == 1, f'held before call {k}: {granted}'
        assert [entry.run for entry in state.claims.values()] == granted
        assert not [name for name in os.listdir(f'{root}/.awflow/pi/ledger') if name.startswith('.tmp')]
        k += 1
    assert k > 20
