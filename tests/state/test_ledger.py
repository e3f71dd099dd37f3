from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awflow.errors import StateVersionError
from awflow.state.journal import frame
from awflow.state.ledger import Entry, Listing, decode_keys, encode_keys
from awflow.state.snapshot import VERSION, Damaged


@given(st.sets(st.integers(-3, 30).map(str) | st.sampled_from(['-', "'a'", '007', '#ff'])))
def test_sets_of_keys_come_back(keys: set[str]) -> None:
    assert set(decode_keys(encode_keys(keys))) == keys


@pytest.mark.parametrize(
    ('keys', 'encoded'),
    [(['15', '0', '1', '2'], '0-2,15'), (['-'], '-'), (['3'], '3'), (["'b'", '1'], ["'b'", '1']), (['-5'], ['-5']), ([], [])],
)
def test_keys_are_written_as_a_reader_of_the_file_would_like(keys: list[str], encoded: object) -> None:
    assert encode_keys(keys) == encoded


def test_an_entry_comes_back_and_carries_along_what_it_does_not_know() -> None:
    entry = Entry(
        nonce='r.1',
        run='r',
        tasks={'estimate': '0-9'},
        ends={3: {'why': 'dead', 'journals': {'x': 5}}},
        extra={'colour': 'blue'},
    )
    again = Entry.from_bytes(entry.to_bytes())
    assert again.to_dict() == entry.to_dict() and again.extra == {'colour': 'blue'} and again.ends == entry.ends
    assert again.covers('estimate', '7') and not again.covers('estimate', '10') and not again.covers('merge', '7')


def test_cut_at_any_byte_an_entry_is_damaged() -> None:
    data = Entry(nonce='r.1', run='r').to_bytes()
    for cut in range(len(data) - 1):
        with pytest.raises(Damaged):
            Entry.from_bytes(data[:cut])


def test_an_entry_of_a_newer_format_is_refused() -> None:
    with pytest.raises(StateVersionError):
        Entry.from_bytes(frame({'format': VERSION + 1, 'nonce': 'r.1', 'run': 'r'}))


def test_names_that_mean_nothing_are_left_alone() -> None:
    listing = Listing(
        [
            '.nfs0000',
            '1.claim',
            'x.claim',
            '0.claim',
            '2.claim.bak',
            '1.snapshot',
            'notes.txt',
            '.tmp-1',
            '1-r.1-h.jsonl',
            '1-r.2-h.jsonl',
            '10-r.1-h.jsonl',
            'r.jsonl',
        ]
    )
    assert listing.entries == {1} and listing.snapshots == {1} and listing.temporary == ['.tmp-1']
    assert listing.journals(1, 'r.1') == ['1-r.1-h.jsonl']
    assert sorted(listing.journals_until(9, keep=())) == ['1-r.1-h.jsonl', '1-r.2-h.jsonl']
