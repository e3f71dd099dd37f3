"""Earlier attempts stay known in short form, whatever order they are met in and however often they are folded."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from awflow.state.attempts import DROPPED, KEPT
from awflow.state.fold import fold
from awflow.state.overlay import Overlay, Told
from awflow.state.record import Record
from awflow.state.rows import Rows
from awflow.state.store import Store
from awflow.state.table import BLOCK, Table
from tests.state.staging import StillDisk, claimed, digest, done, succeeded

PLACES = st.tuples(st.integers(1, 12), st.integers(0, 2), st.integers(0, 2))


def tried(generation: int, restart: int, retry: int, ended: bool) -> Record:
    """The start or the end of an attempt; its id follows from its place."""
    number = generation * 9 + restart * 3 + retry
    fields = {'outcome': 'failed', 'ended': 1000.5 + number, 'exit': 1, 'error': {'line': f'no {number}'}} if ended else {}
    return Record(
        job='estimate', task='0', generation=generation, attempt=(restart, retry), id=digest(number), host='node1',
        started=1000.0 + number, final=ended, **fields,
    )  # fmt: skip


def merged(base: Rows | None, found: list[Record], repeat: int = 1) -> Rows:
    """As one look finds them: some in one journal, the others in another."""
    table = Table(fold([base], {}, {'live': {}})) if base else None
    overlays = [Overlay().extended([r.to_dict() for r in part] * repeat) for part in (found[::2], found[1::2])]
    newer = [overlay.records['estimate'] for overlay in overlays if overlay.records]
    return Rows('estimate', table.base('estimate') if table else None, newer, ())


@given(st.lists(st.tuples(PLACES, st.booleans()), min_size=1, max_size=60), st.integers(1, 5), st.integers(1, 2))
def test_they_do_not_depend_on_order_repetition_or_snapshots(
    found: list[tuple[tuple[int, int, int], bool]], size: int, repeat: int
) -> None:  # fmt: skip
    unique = list(dict.fromkeys(found))  # across snapshots a journal is folded once
    rows: Rows | None = None
    for at in range(0, len(unique), -(-len(unique) // size)):
        part = unique[at : at - (-len(unique) // size)]
        rows = merged(rows, [tried(*place, ended) for place, ended in part], repeat)
    assert rows is not None
    places = sorted({place for place, _ in found})
    last = rows.record(0)
    expected = [place for place in places if place != (last.generation, *last.attempt)]
    told = rows.earlier(0)
    kept = [(each.get('generation', 0), *each.get('attempt', (0, 0))) for each in told]
    assert kept == expected[-KEPT:]
    ends = {place for place, ended in found if ended}
    assert {tuple(place) for place, each in zip(kept, told, strict=True) if each.get('outcome') == 'failed'} == ends & set(kept)


def test_what_is_dropped_is_counted(root: str) -> None:
    store = Store(root, 'flow', StillDisk())
    for number in range(KEPT + 4):
        with claimed(store, f'r{number}', '0') as grant:
            grant.journal.append([done('0', number, grant.number, outcome='failed').to_dict()])
        store.compact(force=number % 3 == 0)
    rows = store.read().rows('estimate')
    assert rows is not None
    told = rows.earlier(0)
    assert [each['id'] for each in told] == [digest(number) for number in range(3, KEPT + 3)]
    assert [each.get(DROPPED) for each in told] == [3] + [None] * (KEPT - 1)
    store.compact(force=True)
    again = Store(root, 'flow', StillDisk()).read().rows('estimate')
    assert again is not None and again.earlier(0) == told


def test_retries_of_one_run_are_told_apart_and_survive_compaction(root: str) -> None:
    store = Store(root, 'flow', StillDisk())
    with claimed(store, 'r', '0', '1') as grant:
        lines = [
            done('0', 1, grant.number, final=False, outcome='', end='', started=1.0),
            done('0', 1, grant.number, final=False, outcome='failed', end='', started=1.0, ended=2.0, log='logs/e/0-1-0.log'),
            done('0', 2, grant.number, attempt=(0, 1), final=False, outcome='', end=''),
            done('0', 2, grant.number, attempt=(0, 1)),
            done('1', 3, grant.number),
        ]
        grant.journal.append([line.to_dict() for line in lines])
    expected = {'generation': 1, 'outcome': 'failed', 'id': digest(1), 'started': 1.0, 'ended': 2.0, 'log': 'logs/e/0-1-0.log'}
    for _ in range(2):
        rows = Store(root, 'flow', StillDisk()).read().rows('estimate')
        assert rows is not None
        assert rows.earlier(0) == [expected]
        assert rows.earlier(1) == []
        store.compact(force=True)


def test_a_record_that_comes_too_late_to_count_is_told_of_all_the_same(root: str) -> None:
    """The claim that a later one overtook, because its task was finished, is folded after it."""
    store = Store(root, 'flow', StillDisk())
    first = store.publish(run='old', expected=store.read(), tasks={'estimate': ['0', '1']})
    assert first is not None
    first.journal.append([done('0', 1, first.number).to_dict()])
    first.sync()
    succeeded(store, 'new', '0', first=2)
    store.compact(force=True)
    store.finish('old')
    store.compact(force=True)
    rows = Store(root, 'flow', StillDisk()).read().rows('estimate')
    assert rows is not None
    assert rows.record(0).id == digest(2)
    assert [each['id'] for each in rows.earlier(0)] == [digest(1)]


def test_tasks_that_ran_once_pay_nothing_for_it() -> None:
    records: list[dict[str, Any]] = [done(str(n), n, 1, log='l').to_dict() for n in range(BLOCK + 1)]
    once = Rows('estimate', None, [Overlay().extended(records).records['estimate']], ())
    again = Rows('estimate', Table(fold([once], {}, {'live': {}})).base('estimate'), [Told.of([done('0', 9999, 2)])], ())
    table = Table(fold([again], {}, {'live': {}}))
    base = table.base('estimate')
    assert base is not None
    assert [len(base.earlier(row)) for row in (0, 1, BLOCK)] == [1, 0, 0]
    assert bytes(base.packed(1)) == bytes(Table(fold([once], {}, {'live': {}})).base('estimate').packed(1))  # type: ignore[union-attr]
