"""What commands draw, letter by letter, at 80 columns: golden/screens/*.txt. After a change that is meant: AWFLOW_GOLDEN=1 pytest."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.cli.staged import NOON, QUEUE, SUBMITTER, records, stage

GOLDEN = Path(__file__).parent / 'golden' / 'screens'
UNICODE, ASCII = {'LC_ALL': 'C.UTF-8'}, {'LC_ALL': 'C'}


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Eight minutes after noon, in UTC, without a terminal."""
    monkeypatch.setenv('TZ', 'UTC')
    time.tzset()
    monkeypatch.setattr(time, 'time', lambda: NOON + 480)
    monkeypatch.delenv('COLUMNS', raising=False)
    yield
    monkeypatch.undo()
    time.tzset()


def over(directory: Path) -> None:
    stage(directory, records(120, 0), over=True)


def queued(directory: Path) -> None:
    stage(directory, records(72, 12), owner=SUBMITTER, queue=QUEUE)


def unknown(directory: Path) -> None:
    """Of another host, where it may have died."""
    stage(directory, records(72, 3), owner=SUBMITTER)


CASES = [
    ('status-over', over, ['status'], UNICODE),
    ('status-tasks', over, ['status', 'simulate[5:9]', 'report'], UNICODE),
    ('status-failed', over, ['status', '--failed'], UNICODE),
    ('status-verbose', over, ['status', '-v'], UNICODE),
    ('status-queued', queued, ['status'], UNICODE),
    ('status-queued-ascii', queued, ['status'], ASCII),
    ('status-unknown', unknown, ['status'], UNICODE),
    ('graph', queued, ['graph'], UNICODE),
    ('graph-ascii', queued, ['graph'], ASCII),
    ('why-array', over, ['why', 'simulate'], UNICODE),
]


@pytest.mark.parametrize(('name', 'make', 'line', 'locale'), CASES, ids=[case[0] for case in CASES])
def test_a_screen(
    name: str, make: Any, line: list[str], locale: dict[str, str], tmp_path: Path, awflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable, value in locale.items():
        monkeypatch.setenv(variable, value)
    make(tmp_path)
    done = awflow(*line, cwd=tmp_path)
    assert (done.code, done.err) == (0, '')
    here = os.uname().nodename
    shown = ''.join(f'{text.rstrip()}\n' for text in done.out.replace(f'from {here}', 'from here').splitlines())
    if 'AWFLOW_GOLDEN' in os.environ:
        (GOLDEN / f'{name}.txt').write_text(shown, encoding='utf-8')
    assert shown == (GOLDEN / f'{name}.txt').read_text(encoding='utf-8')
    assert locale is UNICODE or shown.isascii()
    too_long = [text for text in shown.splitlines() if len(text) > 80]
    assert not too_long


def test_every_golden_text_has_its_case() -> None:
    assert {path.stem for path in GOLDEN.glob('*.txt')} == {case[0] for case in CASES}


def test_the_same_jobs_are_in_the_table_and_in_the_graph() -> None:
    table = (GOLDEN / 'status-over.txt').read_text(encoding='utf-8')
    drawn = (GOLDEN / 'graph.txt').read_text(encoding='utf-8')
    for job in ('prepare', 'simulate', 'fit', 'report', 'alarm'):
        assert re.search(rf'^{job} ', table, re.MULTILINE)
        assert re.search(rf'\b{job}\b', drawn)
