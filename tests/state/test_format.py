"""What the specification shows is what the code reads and writes."""

from __future__ import annotations

import os
from pathlib import Path

import awflow.state
from awflow.state import attempts
from awflow.state.journal import frame, parse
from awflow.state.ledger import Entry
from awflow.state.record import Record
from awflow.state.snapshot import MAGIC, VERSION
from awflow.state.store import Store
from awflow.state.table import DIGESTS, EARLIER, INTEGERS
from tests.state.staging import StillDisk, succeeded

README = (Path(awflow.state.__path__[0]) / 'README.md').read_text(encoding='utf-8')


def test_the_lines_shown_are_whole_and_would_be_written_the_same() -> None:
    shown = list(parse(README.encode()))
    assert len(shown) == 3
    for obj in shown:
        again = Record.from_dict(obj).to_dict() if 'task' in obj else Entry.from_dict(obj).to_dict()
        assert frame(again).decode().strip() in README


def test_every_member_and_every_column_is_described(root: str) -> None:
    for name in Record.__slots__:
        assert name == 'extra' or f'`{name}`' in README, name
    for name in Entry._FIELDS:
        assert f'`{name}`' in README, name
    for name in (*INTEGERS, *DIGESTS, EARLIER, *attempts.MEMBERS, attempts.DROPPED):
        assert f'`{name}`' in README, name


def test_the_files_are_those_that_are_described(root: str) -> None:
    store = Store(root, 'fit/it', StillDisk())
    succeeded(store, 'r', '0')
    store.compact(force=True)
    ledger = f'{root}/fit%2Fit/ledger'
    assert sorted(os.listdir(ledger)) == ['1.claim', '2.claim', '2.snapshot']
    assert Path(f'{ledger}/2.snapshot').read_bytes().startswith(MAGIC)
    assert Path(f'{root}/FORMAT').read_text() == f'{VERSION}\n'
