"""What is only shown, sources and reasons, comes back as long as something names it, and costs nothing until asked for."""

from __future__ import annotations

from typing import Any

from awflow.state.record import Record
from awflow.state.store import Store
from tests.state.staging import StillDisk, digest

GREETS = 'def greet():\n    return "hello"\n'


def publish(store: Store, run: str, task: str, text: str, **told: Any) -> None:
    """A task that a run executed with the code `text` of one component."""
    code = digest(sum(map(ord, text)))
    tasks = {'estimate': [task]}
    grant = store.publish(run=run, expected=store.read(), tasks=tasks, codes={code: {'code of greet': text}}, **told)
    assert grant is not None
    grant.journal.append([
        Record(job='estimate', task=task, generation=grant.number, final=True, outcome='succeeded', code=code,
               id=digest(1), end=digest(1)).to_dict()
    ])  # fmt: skip
    store.finish(run)


def reasons(was: str, now: str) -> dict[str, list[Any]]:
    return {'estimate': [['0', 'outdated', [{'kind': 'changed', 'name': 'code of greet', 'was': was, 'now': now}]]]}


def sources(text: str, source: str) -> dict[str, dict[str, str]]:
    return {'code of greet': {text: source}}


def test_they_are_the_same_before_and_after_compaction(root: str) -> None:
    store = Store(root, 'flow', StillDisk())
    publish(store, 'r1', '0', 'a:1', sources=sources('a:1', GREETS), reasons=reasons('a:0', 'a:1'))
    before = store.read()
    assert before.all_sources == sources('a:1', GREETS)
    assert before.all_reasons == {1: reasons('a:0', 'a:1')}
    store.compact(force=True)
    after = Store(root, 'flow', StillDisk()).read()
    assert after.floor == 2
    assert (after.all_sources, after.all_reasons) == (before.all_sources, before.all_reasons)


def test_the_source_before_a_change_is_kept_while_the_reason_that_names_it_is(root: str) -> None:
    store = Store(root, 'flow', StillDisk())
    publish(store, 'r1', '0', 'a:1', sources=sources('a:1', 'one'), reasons=reasons('a:0', 'a:1'))
    publish(store, 'r2', '0', 'a:2', sources=sources('a:2', 'two'), reasons=reasons('a:1', 'a:2'))
    store.compact(force=True)
    state = store.read()
    assert state.all_sources == {'code of greet': {'a:1': 'one', 'a:2': 'two'}}
    assert list(state.all_reasons) == [3]
    publish(store, 'r3', '0', 'a:3', sources=sources('a:3', 'three'), reasons=reasons('a:2', 'a:3'))
    store.compact(force=True)
    assert store.read().all_sources == {'code of greet': {'a:2': 'two', 'a:3': 'three'}}


def test_those_of_a_live_claim_lie_beside_it_not_in_what_every_reader_parses(root: str) -> None:
    store = Store(root, 'flow', StillDisk())
    told = {'sources': sources('a:1', GREETS), 'reasons': reasons('a:0', 'a:1')}
    assert store.publish(
        run='r1', expected=store.read(), tasks={'estimate': ['0']}, codes={digest(1): {'code of greet': 'a:1'}}, **told
    )
    store.compact(force=True)
    state = Store(root, 'flow', StillDisk()).read()
    assert state.table is not None
    assert 'sources' not in state.table.meta['live']['1'] and 'reasons' not in state.table.meta['live']['1']
    assert state.all_sources == told['sources']
    assert state.all_reasons == {1: told['reasons']}


def test_a_thousand_tasks_that_ran_for_one_reason_share_it(root: str) -> None:
    store = Store(root, 'flow', StillDisk())
    keys = [str(number) for number in range(1000)]
    told = {'estimate': [['0-999', 'missing', [{'kind': 'never ran'}]]]}
    grant = store.publish(run='r', expected=store.read(), tasks={'estimate': keys}, reasons=told)
    assert grant is not None
    grant.journal.append(
        [Record(job='estimate', task=key, generation=1, final=True, outcome='succeeded').to_dict() for key in keys]
    )
    store.finish('r')
    store.compact(force=True)
    table = store.read().table
    assert table is not None and len(table.snapshot['reasons']) < 100


def test_dump_prints_them(root: str) -> None:
    store = Store(root, 'flow', StillDisk())
    publish(store, 'r1', '0', 'a:1', sources=sources('a:1', GREETS), reasons=reasons('a:0', 'a:1'))
    found = {obj['kind']: obj for obj in store.read().dump()}
    assert found['source'] == {'kind': 'source', 'component': 'code of greet', 'text': 'a:1', 'source': GREETS}
    assert found['reasons'] == {'kind': 'reasons', 'number': 1, 'jobs': reasons('a:0', 'a:1')}
