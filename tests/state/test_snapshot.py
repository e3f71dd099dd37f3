from __future__ import annotations

import pytest
from xxhash import xxh3_64_digest

from awflow.errors import StateVersionError
from awflow.state.snapshot import ALIGN, VERSION, Damaged, Snapshot, write

COLUMNS = {'own': bytes(range(32)), 'π': b'x', 'empty': b''}


def test_columns_come_back_by_name() -> None:
    found = Snapshot.open(write(COLUMNS, {'upto': 7}))
    assert {name: bytes(found[name]) for name in COLUMNS} == COLUMNS
    assert found.meta == {'upto': 7}
    assert list(found.integers('own', 'I'))[:2] == [0x03020100, 0x07060504]
    assert 'own' in found and 'other' not in found


def test_cut_at_any_byte_a_snapshot_is_damaged() -> None:
    data = write(COLUMNS, {})
    for cut in range(len(data)):
        with pytest.raises(Damaged):
            Snapshot.open(data[:cut])


def test_no_flipped_bit_goes_unnoticed() -> None:
    data = write(COLUMNS, {})
    for at in range(len(data)):
        flipped = bytearray(data)
        flipped[at] ^= 1
        with pytest.raises(Damaged):
            Snapshot.open(bytes(flipped))


def test_a_newer_version_is_refused_and_told_from_damage() -> None:
    body = bytearray(write(COLUMNS, {})[:-8])
    body[8] = VERSION + 1
    with pytest.raises(StateVersionError, match='newer awflow'):
        Snapshot.open(bytes(body) + xxh3_64_digest(body))


def test_columns_start_where_integers_may() -> None:
    data = write({'odd': b'abc', 'numbers': b'numbers!'}, {})
    assert data.index(b'numbers!') % ALIGN == 0
