from __future__ import annotations

import _thread
import os
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from awflow.state import hashing
from awflow.state.digests import Digests
from awflow.state.fs import Disk
from awflow.state.sidebyside import each


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def digest(path: str, size: int | None = None) -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return hashing.digest(fd, os.fstat(fd).st_size if size is None else size)
    finally:
        os.close(fd)


def expected(data: bytes, chunk: int) -> str:
    """By the definition: of the only chunk, or of the digests of all."""
    chunks = [data[at : at + chunk] for at in range(0, len(data), chunk)]
    if len(chunks) < 2:
        return xxh3_128_hexdigest(data)
    return xxh3_128_hexdigest(b''.join(bytes.fromhex(xxh3_128_hexdigest(chunk)) for chunk in chunks))


@pytest.mark.parametrize('length', [0, 1, 7, 8, 9, 15, 16, 17, 64, 1000])
def test_chunks_do_not_depend_on_how_they_are_read_nor_by_how_many_threads(
    length: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, 'CHUNK', 8)
    data = bytes(at % 251 for at in range(length))
    Path('a').write_bytes(data)
    found = set()
    for buffer in (1, 3, 8):
        for cores in (1, 2, 4):
            monkeypatch.setattr(hashing, 'BUFFER', buffer)
            monkeypatch.setattr(os, 'sched_getaffinity', lambda _, cores=cores: set(range(cores)))
            found.add(digest('a'))
    assert found == {expected(data, 8)}


def test_a_file_bigger_than_a_chunk_has_the_digest_of_its_chunks_by_one_thread_and_by_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = os.urandom(1 << 20) * 129 + b'rest'
    Path('a').write_bytes(data)
    for cores in ({0}, {0, 1}):
        monkeypatch.setattr(os, 'sched_getaffinity', lambda _, cores=cores: cores)
        assert digest('a') == expected(data, 64 << 20)


@pytest.mark.parametrize('said', [0, 5, 40, 10_000])
def test_a_file_that_is_not_as_long_as_it_was_is_read_to_its_end(said: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, 'CHUNK', 8)
    monkeypatch.setattr(hashing, 'BUFFER', 4)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1})
    data = bytes(range(39))
    Path('a').write_bytes(data)
    assert digest('a', said) == expected(data, 8)


def test_a_read_that_fails_in_a_thread_fails_as_a_whole_and_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, 'CHUNK', 8)
    monkeypatch.setattr(hashing, 'BUFFER', 8)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1})
    Path('a').write_bytes(bytes(1000))

    def torn(fd: int, buffers: list[memoryview], offset: int) -> int:
        if offset >= 400:
            raise OSError(5, 'a bad sector')
        return plain(fd, buffers, offset)

    plain = os.preadv
    monkeypatch.setattr(os, 'preadv', torn)
    with pytest.raises(OSError, match='a bad sector'):
        digest('a')
    assert _thread._count() == 0


def test_where_the_system_gives_no_threads_one_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, 'CHUNK', 8)
    monkeypatch.setattr(hashing, 'BUFFER', 8)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1})
    Path('a').write_bytes(bytes(range(100)))

    def refused(*_: object) -> int:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(_thread, 'start_new_thread', refused)
    assert digest('a') == expected(bytes(range(100)), 8)


def test_many_files_are_digested_side_by_side_as_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hashing, 'BUFFER', 4)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1, 2})
    os.mkdir('d')
    for at in range(40):
        Path(f'f{at}').write_bytes(bytes([at]) * at)
    paths = [*(f'f{at}' for at in range(40)), 'absent', 'd', 'f3']
    found = Digests('cache', Disk()).of_all(paths)
    one = Digests('cache', Disk())
    assert found == {path: one.of(path) for path in paths}
    assert found['absent'] is None


def test_an_interrupted_reading_leaves_no_thread_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1})
    main = _thread.get_ident()
    begun = _thread.allocate_lock()
    begun.acquire()

    def work(item: int) -> None:
        if _thread.get_ident() == main:
            begun.acquire()  # the other thread is at work
            raise KeyboardInterrupt
        if begun.locked():
            begun.release()

    with pytest.raises(KeyboardInterrupt):
        each(work, range(10**6), 2)
    assert _thread._count() == 0
