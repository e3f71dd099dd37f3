"""A filesystem whose stats take as long as the test says, by a clock that stands otherwise."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from awflow.state.looks import BLOCK, TRIAL, Look, Looks
from tests.state.staging import StillDisk


class Server(StillDisk):
    """A stat takes 300 us, of a file in a directory that was listed 2 us."""

    def __init__(self, remembers: bool = True) -> None:
        super().__init__()
        self.remembers = remembers
        self.stats: list[str] = []
        self.listed: list[str] = []

    def stat(self, path: str) -> os.stat_result:
        self.stats.append(path)
        self.time += 2e-6 if self.remembers and os.path.dirname(path) in self.listed else 300e-6
        return super().stat(path)

    def listdir(self, path: str) -> list[str]:
        self.listed.append(path)
        return super().listdir(path)


class Local(Server):
    """Any stat takes 2 us."""

    def stat(self, path: str) -> os.stat_result:
        before = self.time
        try:
            return super().stat(path)
        finally:
            self.time = before + 2e-6


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Of 300 files in each of two directories; every tenth is absent."""
    monkeypatch.chdir(tmp_path)
    found = [f'{folder}/{number}' for number in range(300) for folder in ('a', 'b')]
    for folder in ('a', 'b'):
        os.mkdir(folder)
    for number, path in enumerate(found):
        if number % 10:
            Path(path).write_bytes(bytes(number))
    return found


def expected(paths: list[str]) -> list[int]:
    return [len(Path(path).read_bytes()) if os.path.exists(path) else -1 for path in paths]


def sizes(found: list[Look]) -> list[int]:
    return [-1 if isinstance(look, OSError) else look.st_size for look in found]


def test_on_a_local_disk_files_are_looked_at_one_by_one_and_nothing_is_listed(paths: list[str]) -> None:
    disk = Local()
    assert sizes(Looks(disk).all(paths)) == expected(paths)
    assert disk.stats == paths and disk.listed == []


def test_on_a_slow_filesystem_a_directory_that_holds_many_is_listed_once(paths: list[str]) -> None:
    disk = Server()
    looks = Looks(disk)
    assert sizes(looks.all(paths)) == expected(paths)
    assert sorted(disk.listed) == ['a', 'b']
    assert not looks.slow and disk.stats == paths  # after the listing they were quick, and so one by one
    looks.all(paths)
    assert sorted(disk.listed) == ['a', 'b']


def test_where_listing_does_not_help_stats_go_side_by_side(paths: list[str]) -> None:
    disk = Server(remembers=False)
    looks = Looks(disk)
    assert sizes(looks.all(paths)) == expected(paths)
    assert looks.slow and sorted(disk.stats) == sorted(paths) and disk.stats[: 2 * TRIAL] == paths[: 2 * TRIAL]


def test_a_directory_of_few_of_the_files_is_not_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = [f'{number}/file' for number in range(100)]
    for path in found:
        Path(path).parent.mkdir()
        Path(path).write_bytes(b'x')
    disk = Server()
    assert sizes(Looks(disk).all(found)) == [1] * 100
    assert disk.listed == []


def test_every_block_is_asked_again_whether_it_is_slow(paths: list[str]) -> None:
    disk = Server(remembers=False)
    looks = Looks(disk)
    looks.all(paths[:BLOCK])
    assert looks.slow
    disk.remembers = True  # the client's cache is warm by now
    looks.all(paths[:BLOCK])
    assert not looks.slow


def test_few_files_are_just_looked_at(paths: list[str]) -> None:
    disk = Server()
    assert sizes(Looks(disk).all(paths[:5])) == expected(paths[:5])
    assert disk.stats == paths[:5] and disk.listed == []
