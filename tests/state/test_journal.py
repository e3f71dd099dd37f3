from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awflow.errors import StateAccessError
from awflow.state.journal import Journal, Pieces, frame, parse
from tests.state.staging import StillDisk

OBJECTS: list[dict[str, Any]] = [{'job': 'merge', 'task': str(number), 'text': 'π\n"}' * number} for number in range(4)]


def test_cut_at_any_byte_a_journal_yields_exactly_the_whole_lines_before_the_cut() -> None:
    frames = [frame(obj) for obj in OBJECTS]
    data = b''.join(frames)
    ends = [sum(map(len, frames[: count + 1])) - 1 for count in range(len(frames))]  # the last newline may lack
    for cut in range(len(data) + 1):
        assert list(parse(data[:cut])) == OBJECTS[: sum(end <= cut for end in ends)]


def test_a_line_cut_at_any_byte_does_not_harm_its_neighbours() -> None:
    before, torn, after = (frame(obj) for obj in OBJECTS[1:])
    for cut in range(1, len(torn) - 2):
        damage: list[int] = []
        assert list(parse(before + torn[:cut] + after, damage)) == [OBJECTS[1], OBJECTS[3]]
        assert len(damage) == (cut > 1)


def test_no_flipped_bit_goes_unnoticed() -> None:
    line = frame({'job': 'merge', 'task': '-'})
    for at in range(1, len(line) - 1):
        flipped = bytearray(line)
        flipped[at] ^= 1
        assert list(parse(bytes(flipped))) == []


def test_a_reader_resumes_before_the_first_page_that_has_not_arrived() -> None:
    frames = [frame(obj) for obj in OBJECTS]
    arrived = b''.join(frames)
    start = len(frames[0])
    holed = arrived[:start] + b'\0' * len(frames[1]) + arrived[start + len(frames[1]) :]
    pieces = Pieces(lambda at, size: holed[at : at + size], 0)
    seen = list(pieces.objects())
    assert pieces.holed
    seen += parse(arrived[pieces.resume :])
    assert all(obj in seen for obj in OBJECTS)


VALUES = st.text() | st.integers() | st.floats(allow_nan=False)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.dictionaries(st.sampled_from(['job', 'task', 'x']), VALUES, min_size=1)))
def test_what_is_framed_is_parsed(objs: list[dict[str, Any]]) -> None:
    assert list(parse(b''.join(map(frame, objs)))) == objs


def test_names_of_files_that_are_not_utf8_survive() -> None:
    obj = {'log': os.fsdecode(b'caf\xe9')}
    assert list(parse(frame(obj))) == [obj]


class FullDisk(StillDisk):
    """Fails a call of the given kind a number of times with an errno; a failing write leaves half."""

    def __init__(self, call: str, error: int, times: int = 1) -> None:
        super().__init__()
        self.call, self.error, self.times = call, error, times

    def _fail(self, call: str) -> bool:
        self.times -= call == self.call
        return call == self.call and self.times >= 0

    def write(self, fd: int, data: bytes) -> int:
        if self._fail('write'):
            return super().write(fd, data[: len(data) // 2])
        return super().write(fd, data)

    def fsync(self, fd: int) -> None:
        if self._fail('fsync'):
            raise OSError(self.error, os.strerror(self.error))
        super().fsync(fd)


@pytest.mark.parametrize(
    ('call', 'error'), [('write', errno.ENOSPC), ('fsync', errno.ENOSPC), ('fsync', errno.EDQUOT), ('fsync', errno.EIO)]
)
def test_when_a_disk_fails_all_that_is_not_known_to_be_on_it_goes_to_a_new_file(
    tmp_path: Path,
    call: str,
    error: int,
) -> None:
    journal = Journal(FullDisk(call, error, times=0), str(tmp_path), '1-r.1-host')
    journal.append(OBJECTS[:1])
    journal.sync()
    journal._disk = FullDisk(call, error)
    journal.append(OBJECTS[1:2])
    journal.append(OBJECTS[2:])
    journal.sync()
    assert sorted(journal.names) == ['1-r.1-host+2.jsonl', '1-r.1-host.jsonl']
    vouched = [obj for name, size in journal.names.items() for obj in parse((tmp_path / name).read_bytes()[:size])]
    assert vouched == OBJECTS


def test_a_disk_that_stays_full_is_reported_with_what_to_do(tmp_path: Path) -> None:
    journal = Journal(FullDisk('fsync', errno.ENOSPC, times=9), str(tmp_path), '1-r.1-host')
    journal.append(OBJECTS)
    with pytest.raises(StateAccessError, match='make room'):
        journal.sync()
    assert journal.names == {}


@pytest.mark.parametrize('call', ['write', 'fsync'])
def test_what_could_not_be_written_is_not_taken_as_published_later(tmp_path: Path, call: str) -> None:
    journal = Journal(FullDisk(call, errno.ENOSPC, times=3), str(tmp_path), '1-r.1-host')
    with pytest.raises(StateAccessError):
        journal.append(OBJECTS)
        journal.sync()
    journal.sync()  # there is room again
    ((name, size),) = journal.names.items()
    assert list(parse((tmp_path / name).read_bytes()[:size])) == OBJECTS


def test_a_file_is_made_by_the_first_append(tmp_path: Path) -> None:
    journal = Journal(StillDisk(), str(tmp_path), '1-r.1-host')
    journal.append([])
    journal.sync()
    assert os.listdir(tmp_path) == []


def test_two_processes_of_one_host_may_share_a_file(tmp_path: Path) -> None:
    one, other = (Journal(StillDisk(), str(tmp_path), '1-r.1-host') for _ in range(2))
    for number in range(4):
        (one, other)[number % 2].append([OBJECTS[number]])
    one.sync()
    other.sync()
    data = (tmp_path / one.name).read_bytes()
    assert list(parse(data)) == OBJECTS
    assert other.names == {other.name: len(data)}
