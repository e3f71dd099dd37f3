"""Many files read one by one or side by side: in any case all of them, in their order."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from awflow.state import ahead, hashing
from awflow.state.digests import Digests
from awflow.state.fs import Disk

PATHS = [f'f{at}' for at in range(100)]


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many threads were asked for, each time that it was more than one."""
    asked: list[int] = []
    plain = ahead.each

    def each(work: Callable[[int], None], items: range, number: int) -> None:
        asked.append(number)
        plain(work, items, number)

    monkeypatch.setattr(ahead, 'each', each)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2})
    return asked


def clocks(monkeypatch: pytest.MonkeyPatch, waiting: float, working: float) -> Callable[[str], str]:
    """A read that takes so many seconds of waiting, and so many of work."""
    now = [0.0, 0.0]
    monkeypatch.setattr(ahead, 'monotonic', lambda: now[0])
    monkeypatch.setattr(ahead, 'thread_time', lambda: now[1])

    def read(path: str) -> str:
        now[0] += waiting + working
        now[1] += working
        return path.upper()

    return read


@pytest.mark.parametrize(
    ('waiting', 'working', 'number'), [(0.0, 1e-5, None), (2e-3, 1e-5, 16), (0.0, 1e-3, 3), (2e-3, 1e-3, 16)]
)
def test_files_are_read_side_by_side_if_the_first_took_long(
    monkeypatch: pytest.MonkeyPatch, threads: list[int], waiting: float, working: float, number: int | None
) -> None:
    found = ahead.read_all(clocks(monkeypatch, waiting, working), PATHS)
    assert found == [path.upper() for path in PATHS]
    assert threads == ([] if number is None else [number])


def test_one_slow_file_among_quick_ones_changes_nothing(monkeypatch: pytest.MonkeyPatch, threads: list[int]) -> None:
    now = [0.0]
    monkeypatch.setattr(ahead, 'monotonic', lambda: now[0])
    monkeypatch.setattr(ahead, 'thread_time', lambda: 0.0)

    def read(path: str) -> str:
        now[0] += 5.0 if path == 'f3' else 1e-6
        return path

    assert ahead.read_all(read, PATHS) == PATHS and not threads


@pytest.mark.parametrize('few', [0, 1, ahead.TRIAL])
def test_few_files_are_never_worth_a_thread(monkeypatch: pytest.MonkeyPatch, threads: list[int], few: int) -> None:
    assert len(ahead.read_all(clocks(monkeypatch, 1.0, 1.0), PATHS[:few])) == few and not threads


def test_the_first_error_is_raised(monkeypatch: pytest.MonkeyPatch, threads: list[int]) -> None:
    read = clocks(monkeypatch, 1.0, 0.0)

    def refusing(path: str) -> str:
        if path == 'f77':
            raise PermissionError(path)
        return read(path)

    with pytest.raises(PermissionError, match='f77'):
        ahead.read_all(refusing, PATHS)
    assert threads == [16]


def test_digests_of_many_small_files_are_the_same_where_they_have_to_be_waited_for(
    monkeypatch: pytest.MonkeyPatch, threads: list[int], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ahead, 'SLOW', -1.0)
    for at, path in enumerate(PATHS):
        Path(path).write_bytes(bytes([at]) * at)
    os.mkdir('d')
    os.symlink('f1', 'link')
    paths = [*PATHS, 'absent', 'd', 'link', 'f5']
    found = Digests('cache', Disk()).of_all(paths)
    assert threads == [16]
    one = Digests('cache', Disk())
    assert found == {path: one.of(path) for path in paths}


def test_big_files_are_read_side_by_side_at_once(monkeypatch: pytest.MonkeyPatch, threads: list[int], tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(hashing, 'BUFFER', 4)
    for path in PATHS[:3]:
        Path(path).write_bytes(path.encode() * 10)
    assert None not in Digests('cache', Disk()).of_all(PATHS[:3]).values()
    assert threads == [3]
