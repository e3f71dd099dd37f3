"""What is looked up in the text of blocks is what the records say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from awflow.state import blocks
from awflow.state.fold import fold
from awflow.state.overlay import Told
from awflow.state.rows import Rows
from awflow.state.table import BLOCK, Base, Table
from tests.state.staging import digest, done

NAMES = ('started', 'ended', 'user', 'system', 'rss', 'pid')
TRICKY = [
    'a',
    'x/a',
    'b/a',
    'rss',
    'started',
    '"',
    'é',
    '\udce9',
    'dir/ü',
    '0123456789abcdef' * 2,
    'x/' + '0123456789abcdef' * 2,
    '#',
]


def base_of(records: list[Any]) -> Base:
    rows = Rows('estimate', None, [Told.of(records)], ())
    base = Table(fold([rows], {}, {'live': {}})).base('estimate')
    assert base is not None
    return base


def record(number: int, **fields: Any) -> Any:
    return done(str(number), number, 1, **fields)


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        'started': st.just(1000.5),
        'user': st.floats(0.001, 1e5).map(lambda x: round(x, 3)),
        'rss': st.integers(1, 2**40),
        'pid': st.integers(1, 99),
        'outputs': st.dictionaries(st.sampled_from(TRICKY), st.tuples(st.integers(0, 9).map(digest), st.integers(0, 9)).map(list)),
        'lint': st.just({'rss': [1, 2, 3], 'started': [5], 'more': {'rss': 1}}),
    },
)  # fmt: skip


@given(st.lists(FIELDS, min_size=1, max_size=6), st.sampled_from([1, blocks.FEW]), st.sets(st.sampled_from(TRICKY), min_size=1))
def test_numbers_and_names_are_those_of_the_records(given_: list[dict[str, Any]], times: int, wanted: set[str]) -> None:
    records = [record(number, **fields) for number, fields in enumerate(given_ * times)]
    base = base_of(records)
    told = [base.record(row) for row in range(len(records))]
    for name, column in zip(NAMES, blocks.numbers(base, NAMES), strict=True):
        assert [value or 0 for value in column] == [getattr(each, name) for each in told], name
    found = {(row, name) for row, each in enumerate(told) for name in each.outputs if name in wanted}
    assert set(blocks.named(base, 'outputs', wanted)) == found
    plain = [name for name in wanted if '/' not in name and not name.startswith('0')]
    ends = {(row, name) for row, each in enumerate(told) for name in each.outputs if name.rpartition('/')[2] in plain}
    assert set(blocks.ending(base, 'outputs', plain)) == ends


def test_ended_is_counted_from_the_start() -> None:
    base = base_of([record(n, started=1000.0 + n, ended=1001.25 + n) for n in range(5)])
    assert blocks.numbers(base, ['ended']) == [[1.25] * 5]


def test_rows_of_later_blocks_are_numbered_on() -> None:
    base = base_of([record(n, rss=n + 1, outputs={f'out-{n}': [digest(n), 1]}) for n in range(2 * BLOCK + 3)])
    assert blocks.numbers(base, ['rss']) == [list(range(1, 2 * BLOCK + 4))]
    last = 2 * BLOCK + 2
    assert list(blocks.named(base, 'outputs', [f'out-{last}', f'out-{BLOCK}'])) == [
        (BLOCK, f'out-{BLOCK}'),
        (last, f'out-{last}'),
    ]
    many = [f'out-{n}' for n in range(0, 2 * BLOCK, 97)]
    assert len(many) > blocks.SEARCHED
    assert [name for _, name in blocks.named(base, 'outputs', many)] == many


def test_members_of_chosen_rows_are_parsed_only_where_the_mark_stands() -> None:
    errors = {1: 'MemoryLimit', 3: 'ValueError', BLOCK + 5: 'ValueError'}
    base = base_of([record(n, **({'error': {'type': errors[n]}} if n in errors else {})) for n in range(BLOCK + 9)])
    found = dict(blocks.members(base, 'error', 'MemoryLimit', [1, 2, 3, BLOCK + 5]))
    assert found == {1: {'type': 'MemoryLimit'}, 2: None, 3: {'type': 'ValueError'}}


def test_rows_are_found_by_a_digest_that_a_member_holds() -> None:
    base = base_of([record(n, own={'output paths': digest(n % 7), 'value': digest(50)}) for n in range(20)])
    assert list(blocks.digested(base, 'own', 'output paths', {digest(3)})) == [3, 10, 17]
    assert list(blocks.digested(base, 'own', 'output paths', {digest(50)})) == []
