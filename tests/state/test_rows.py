from __future__ import annotations

import os
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awflow.state import jsontext
from awflow.state.fold import fold
from awflow.state.listing import listed
from awflow.state.members import having
from awflow.state.overlay import Told
from awflow.state.record import EMPTY, Record, names_digest, own_digest
from awflow.state.rows import Rows
from awflow.state.snapshot import RUNS
from awflow.state.table import BLOCK, FINAL, OUTCOMES, RESULT, Table, packed, unpacked
from tests.state.staging import digest, done

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy
DIGESTS = st.integers(0, 2**128 - 2).map(digest)
SECONDS = st.integers(0, 4 * 10**12).map(lambda ms: round(ms / 1000, 3))
TEXT = st.text(max_size=12)
JSON = st.none() | st.dictionaries(TEXT, st.integers() | TEXT, min_size=1, max_size=2)


def records(keys: st.SearchStrategy[str]) -> st.SearchStrategy[Record]:
    fields: dict[str, st.SearchStrategy[Any]] = {
        'task': keys,
        'shown': TEXT,
        'generation': st.integers(0, 2**32 - 1),
        'attempt': st.tuples(st.integers(0, 70_000), st.integers(0, 3)),
        'final': st.booleans(),
        'outcome': st.sampled_from(OUTCOMES) | st.just('evaporated'),
        'id': st.just('') | DIGESTS,
        'end': st.just('') | DIGESTS,
        'code': DIGESTS,
        'upstream': st.dictionaries(TEXT, DIGESTS, max_size=2),
        'own': st.dictionaries(TEXT, DIGESTS, max_size=2),
        'result': JSON,
        'outputs': st.dictionaries(TEXT, st.tuples(DIGESTS, st.integers(0, 9)).map(list), max_size=2),
        'checks': st.lists(JSON.filter(bool), max_size=2),
        'inputs_changed': st.lists(TEXT, max_size=2),
        'exit': st.none() | st.integers(-1, 255),
        'signal': st.none() | st.integers(1, 64),
        'error': JSON,
        'host': TEXT,
        'pid': st.integers(0, 2**22),
        'slurm': JSON,
        'started': SECONDS,
        'ended': SECONDS,
        'user': SECONDS,
        'system': SECONDS,
        'rss': st.integers(0, 2**45),
        'log': TEXT,
        'run': TEXT,
        'note': TEXT,
        'why': st.lists(JSON.filter(bool), max_size=2),
        'by': JSON,
        'adopted': st.booleans(),
        'accepted': st.booleans(),
        'extra': st.dictionaries(st.just('colour'), st.integers()),
    }
    return st.builds(lambda **given: Record(job='estimate', **given), **fields)


COMPARED = ('final', 'outcome', 'end', 'code', 'upstream', 'own', 'makes', 'generation', 'id', 'has_result')
NUMBERS = st.integers(0, 50).map(str)
KEYS = st.one_of(NUMBERS, TEXT.map(repr), st.just('-'), st.just('007'), st.just('-5'))


def rows(found: Collection[Record], base: Rows | None = None, live: Collection[int] = ()) -> Rows:
    table = folded(base) if base else None
    return Rows('estimate', table.base('estimate') if table else None, [Told.of([record]) for record in found], live)


def folded(*jobs: Rows) -> Table:
    return Table(fold(jobs, {}, {'live': {}}))


def known(found: Rows) -> dict[str, Record]:
    return {key: found.record(row) for row, key in enumerate(found.keys)}


def highest(found: Collection[Record]) -> dict[str, Record]:
    best: dict[str, Record] = {}
    for record in found:
        if record.task not in best or best[record.task].rank < record.rank:
            best[record.task] = record
    return best


@PATIENT
@given(records(KEYS))
def test_a_record_comes_back_from_json_as_it_was(record: Record) -> None:
    assert Record.from_dict(jsontext.loads(jsontext.dumps(record.to_dict()))) == record


@PATIENT
@given(st.one_of(st.lists(records(NUMBERS), max_size=8), st.lists(records(KEYS), max_size=8)), st.integers(0, 8))
def test_rows_say_the_same_before_and_after_they_are_folded(found: list[Record], cut: int) -> None:
    plain = rows(found)
    split = rows(found[cut:], base=rows(found[:cut]))
    base = folded(split).base('estimate')
    again = Rows('estimate', base, [], ())
    assert known(plain) == known(split) == known(again) == highest(found)
    for one in (split, again):
        for row, key in enumerate(one.keys):
            other = plain.row(key)
            assert other is not None and one.row(key) == row
            for name in COMPARED:
                assert getattr(one, name)(row) == getattr(plain, name)(other), name


@pytest.mark.parametrize('order', [['b', 'a'], ['a', 'b']])
def test_the_digest_of_the_names_of_outputs_is_not_kept_and_comes_back(order: list[str]) -> None:
    own = {'output paths': names_digest(['b', 'a']), 'input x': digest(3)}
    record = done('0', 1, 1, own=own, outputs={path: [digest(4), 1] for path in order})
    base = folded(rows([record])).base('estimate')
    assert base is not None and base.record(0) == record
    kept = unpacked(base.packed(0))
    assert (names_digest(['b', 'a']).encode() in kept) == (order == ['a', 'b'])


def test_columns_that_say_the_same_of_most_rows_are_small_and_read_as_they_were() -> None:
    found = [done(str(number), number, 1 + (number == 400), attempt=(number % 7, 0)) for number in range(500)]
    table = folded(rows(found))
    assert 'generation' not in table.snapshot and len(table.snapshot[f'generation{RUNS}']) < 100
    base = table.base('estimate')
    assert base is not None and [number for number, one in enumerate(base.generation) if one != 1] == [400]
    assert [one >> 16 for one in base.attempt] == [number % 7 for number in range(500)] and 'attempt' in table.snapshot


def test_what_is_merged_does_not_depend_on_the_order_in_which_it_is_met() -> None:
    first, retry = done('3', 1, 5, final=False, outcome=''), done('3', 2, 5, attempt=(0, 1))
    zombie, later = done('3', 3, 4), done('3', 4, 6, final=False, outcome='')
    assert known(rows([first, retry, zombie]))['3'] == known(rows([zombie, retry, first]))['3'] == retry
    assert known(rows([later, retry]))['3'] == known(rows([retry], base=rows([later])))['3'] == later


def test_a_task_without_an_end_is_running_while_its_claim_lives_and_crashed_after() -> None:
    started = done('3', 1, 5, final=False, outcome='', end='')
    assert rows([started], live={5}).outcome(0) == ''
    assert rows([started]).outcome(0) == 'crashed'
    assert rows([], base=rows([started])).outcome(0) == 'crashed'
    assert rows([started]).end(0) == b''


def test_columns_are_put_together_in_the_order_of_the_keys_asked_for() -> None:
    found = [done(str(number), number, 1, own={'value': digest(number)}, result={'file': 'x'}) for number in range(3)]
    below = rows(found)
    whole = rows([done('1', 9, 2, own={'value': digest(7)}), done('3', 4, 2)], base=below)
    keys = ['0', '1', '2', '3', '4']
    columns = whole.columns(keys, range(5))
    assert list(columns.outcome) == [OUTCOMES.index('succeeded')] * 4 + [0]
    assert [flags & (FINAL | RESULT) for flags in columns.flags] == [FINAL | RESULT, FINAL, FINAL | RESULT, FINAL, 0]
    assert bytes(columns.own) == b''.join([*map(whole.own, range(4)), bytes(16)])
    assert bytes(columns.end) == b''.join([*map(whole.end, range(4)), bytes(16)])
    assert columns.contexts[min(columns.numbers())] == (digest(1000), {})
    for order in (['2', '0'], ['3', '1', '7'], ['0', '1'], ['0', '2', '1']):
        part = whole.columns(order)
        own = {key: whole.own(row) for row, key in enumerate(whole.keys)}
        assert bytes(part.own) == b''.join(own.get(key, bytes(16)) for key in order)
        assert [bool(flags & FINAL) for flags in part.flags] == [key in own for key in order]


def test_numbered_keys_are_kept_in_order_and_found_without_an_index() -> None:
    found = [done(key, int(key), 1) for key in ('10', '2', '0', '1')]
    base = folded(rows(found)).base('estimate')
    assert base is not None and base.keys() == ['0', '1', '2', '10'] and not base.counted
    grown = rows([done('11', 11, 2), done('3', 3, 2)], base=rows(found))
    assert [grown.row(key) for key in ('10', '11', '3', '03', '-1', "'3'")] == [3, 4, 5, None, None, None]
    assert folded(grown).base('estimate').keys() == ['0', '1', '2', '3', '10', '11']  # type: ignore[union-attr]


def test_many_jobs_share_one_snapshot() -> None:
    found = [done('-', number, 1, job=f'fit~{number}', upstream={'a': digest(number % 3)}) for number in range(50)]
    jobs = [Rows(record.job, None, [Told.of([record])], ()) for record in found]
    table = folded(*jobs)
    for number in range(50):
        base = table.base(f'fit~{number}')
        assert base is not None and base.record(0) == jobs[number].record(0)
    assert len(table.contexts) == 3
    assert table.base('absent') is None


def test_a_snapshot_of_one_changed_task_copies_the_blocks_it_did_not_touch() -> None:
    count = 2 * BLOCK + 5
    base = folded(rows([done(str(number), number, 1, log=f'logs/{number}') for number in range(count)]))
    old = base.base('estimate')
    changed = Rows('estimate', old, [Told.of([done(str(BLOCK), 7, 2)]), Told.of([done(str(count), 8, 2)])], ())
    new = folded(changed).base('estimate')
    assert old is not None and new is not None and new.counted
    assert [bytes(new.packed(block)) == bytes(old.packed(block)) for block in range(3)] == [True, False, False]
    assert known(Rows('estimate', new, [], ())) == known(changed)


def test_contexts_that_no_row_uses_any_more_fall_away() -> None:
    old = rows([done('0', 1, 1, code=digest(1)), done('1', 2, 1, code=digest(2))])
    new = rows([done('0', 3, 2, code=digest(2))], base=old)
    assert folded(new).contexts == [(digest(2), {})]


def test_100000_ordinary_tasks_take_less_than_150_bytes_each() -> None:
    count = 10 * BLOCK
    found = {}
    for number in range(count):
        started = 1_700_000_000 + number * 0.0131
        seconds = int.from_bytes(os.urandom(2), 'little') / 65536
        random = [os.urandom(16).hex() for _ in range(4)]
        found[str(number)] = done(
            str(number),
            number,
            1,
            id=random[0],
            end=random[1],
            own={'value': random[2]},
            exit=0,
            host='node17',
            outputs={f'pi-{number}.npy': [random[3], 10128]},
            pid=4000 + number % 30_000,
            started=started,
            ended=started + seconds,
            user=seconds,
            system=seconds / 10,
            rss=int(50e6 + seconds * 1e6) // 4096 * 4096,
            checks=[{'name': "os.path.exists(f'pi-{i}.npy')", 'when': 'after', 'ok': True, 'seconds': 0.0}],
            log=f'logs/estimate/{number}.1.log',
            run='20260101-101010-abcdef01',
        )
    assert folded(Rows('estimate', None, [Told.of(found.values())], ())).size / count < 150


@PATIENT
@given(st.text(st.sampled_from('"#\\0a'), max_size=40), st.lists(DIGESTS, max_size=3))
def test_packed_text_is_unpacked_whatever_it_looks_like(text: str, digests: list[str]) -> None:
    plain = jsontext.dumps([text, *digests, text, f'"{digest(1)}"'])
    assert unpacked(memoryview(packed(plain))) == plain


def test_digests_of_components_and_outputs_do_not_depend_on_order_and_tell_names_from_values() -> None:
    assert own_digest({'a': '1', 'b': '2'}) == own_digest({'b': '2', 'a': '1'}) != own_digest({'a': '2', 'b': '1'})
    assert own_digest({}) == EMPTY


def test_one_member_of_a_block_is_read_without_the_others() -> None:
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


@PATIENT
@given(st.lists(records(KEYS), max_size=8), st.lists(records(KEYS), max_size=2), st.sampled_from([{}, {'workflow': 'flow'}]))
def test_all_records_are_listed_as_they_are_one_by_one(found: list[Record], later: list[Record], head: dict[str, str]) -> None:
    for each in (rows(found), rows(later, base=rows(found), live=(1,)), rows([], base=rows(found))):
        expected = []
        for row in range(len(each)):
            earlier = {'earlier': told} if (told := each.earlier(row)) else {}
            expected.append({**head, 'shows': each.outcome(row), **each.record(row).to_dict(), **earlier})
        assert [list(told.items()) for told in listed(each, head)] == [list(told.items()) for told in expected]


@pytest.mark.parametrize('count', [3, 200])
def test_of_members_that_lie_in_blocks_those_asked_for_are_found(count: int) -> None:
    odd: list[dict[str, object]] = [
        {}, {'lint': {}}, {'lint': {'checks': list(range(count)), 'x': digest(1)}}, {'note': '"checks":['}, {'error': {'line': '#'}},
        {'checks': [{'name': 'c', 'when': 'after', 'ok': True}]}, {'error': {'line': digest(2)}}, {'outputs': {'a': [digest(3), 1]}},
    ]  # fmt: skip
    for kept in (odd, odd[:4], odd[3:6], odd[5:], odd[:2]):
        told = [Record(job='f', task=str(row), **kept[row % len(kept)]) for row in range(count)]  # type: ignore[arg-type]
        plain = Rows('f', None, [Told.of(told)], ())
        for names in (('checks',), ('lint', 'checks'), ('error', 'note'), ('outputs', 'lint')):
            expected = [
                (row, {name: fields[name] for name in names if name in fields})
                for row, fields in enumerate(record.to_dict() for record in told)
            ]
            for each in (plain, Rows('f', folded(plain).base('f'), [], ())):
                assert list(having(each, names)) == [(row, members) for row, members in expected if members]
