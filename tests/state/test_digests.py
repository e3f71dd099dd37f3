from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from awflow.errors import RunError
from awflow.state import digests, hashing
from awflow.state.digests import Content, Digests
from awflow.state.fs import Disk
from tests.state.staging import StillDisk

OLD = 1_500_000_000 * 10**9


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / 'state').mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


class SlowClock(StillDisk):
    """A filesystem whose own time the test sets, in ns, relative to the real one."""

    ahead = 0

    def stat(self, path: str) -> os.stat_result:
        found = super().stat(path)
        if '.tmp-' not in path or not self.ahead:
            return found
        fields = list(found)
        return os.stat_result(fields, {'st_mtime_ns': found.st_mtime_ns + self.ahead})


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files whose content was read."""
    seen: list[str] = []
    plain: Callable[[str], object] = digests._read

    def noting(path: str) -> object:
        seen.append(path)
        return plain(path)

    monkeypatch.setattr(digests, '_read', noting)
    return seen


def cache(disk: Disk | None = None) -> Digests:
    return Digests('state/digests', disk or SlowClock())


def later(seconds: float) -> SlowClock:
    disk = SlowClock()
    disk.ahead = int(seconds * 10**9)
    return disk


def test_the_digest_of_a_file_is_that_of_its_bytes() -> None:
    Path('a').write_bytes(b'abc')
    Path('empty').write_bytes(b'')
    assert cache().of('a') == Content(xxh3_128_hexdigest(b'abc'), 3)
    assert cache().of('empty') == Content(xxh3_128_hexdigest(b''), 0)
    assert cache().of('absent') is None and cache().of('a/b') is None


def test_an_old_file_is_read_once(read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    first = cache(later(10))
    assert first.of('a') == first.of('a')
    first.save()
    assert cache().of('a') == first.of('a')
    assert read == ['a']


def test_a_young_file_is_read_at_every_look_because_it_may_be_written_again_within_one_tick(read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    found = cache(later(-1))
    for _ in range(3):
        found.of('a')
    found.save()
    cache(later(10)).of('a')
    assert read == ['a'] * 4


def test_a_young_file_is_trusted_once_it_has_kept_its_signature_until_it_was_old(read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    Path('b').write_bytes(b'abc')
    disk = later(-1)
    found = cache(disk)
    found.of('a')
    found.of('b')
    Path('b').write_bytes(b'abcd')
    disk.ahead = 10 * 10**9
    disk.sleep(5)
    found.confirm(['a', 'b', 'never looked at'])
    found.save()
    read.clear()
    again = cache()
    assert again.of('a') == Content(xxh3_128_hexdigest(b'abc'), 3)
    assert again.of('b') == Content(xxh3_128_hexdigest(b'abcd'), 4)
    assert read == ['b']


@pytest.mark.parametrize(('fraction', 'age', 'trusted'), [(1, 0.05, False), (1, 0.2, True), (0, 0.2, False), (0, 2.0, True)])
def test_how_old_a_file_must_be_depends_on_how_fine_its_times_are(
    fraction: int, age: float, trusted: bool, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ticking(StillDisk):
        """A filesystem whose own files are of one moment, the others of one that is `age` before it."""

        def stat(self, path: str) -> os.stat_result:
            ns = 10**18 + (fraction if '.tmp-' not in path else int(age * 10**9) + fraction)
            return os.stat_result([*super().stat(path)], {'st_mtime_ns': ns, 'st_ctime_ns': ns})

    Path('a').write_bytes(b'abc')
    monkeypatch.setattr(digests, '_signature', lambda found: (3, 10**18 + fraction, 10**18 + fraction, 1))
    found = cache(Ticking())
    found.of('a')
    found.of('a')
    assert read == ['a'] * (1 if trusted else 2)


def test_what_was_digested_before_there_was_a_state_is_trusted_once_the_time_is_known(read: list[str]) -> None:
    Path('old').write_bytes(b'abc')
    disk = later(10)
    found = Digests('not yet/digests', disk)
    found.of('old')
    disk.sleep(5)
    Path('young').write_bytes(b'abc')
    os.mkdir('not yet')
    found.catch_up()
    found.of('old')
    assert read == ['old']
    early = Digests('nor this/digests', later(4))
    early.of('young')
    early.disk.sleep(5)
    os.mkdir('nor this')
    early.catch_up()
    early.of('young')
    assert read == ['old', 'young', 'young']


def test_confirming_too_early_changes_nothing(read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    found = cache(later(-1))
    found.of('a')
    found.confirm(['a'])
    found.of('a')
    assert read == ['a', 'a']


@pytest.mark.parametrize('change', ['content', 'older', 'replaced'])
def test_any_change_of_the_signature_is_noticed_also_one_into_the_past(change: str, read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    found = cache(later(10))
    found.of('a')
    if change == 'content':
        Path('a').write_bytes(b'xyz')
    if change == 'older':
        Path('a').write_bytes(b'xyz')
        os.utime('a', ns=(OLD, OLD))
    if change == 'replaced':
        Path('b').write_bytes(b'xyz')
        os.rename('b', 'a')
    assert found.of('a') == Content(xxh3_128_hexdigest(b'xyz'), 3)
    assert read == ['a', 'a']


def test_what_a_worker_digested_is_trusted_after_confirmation_only(read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    content = cache().of('a')
    assert content is not None
    disk = later(-1)
    found = cache(disk)
    found.learn('a', content, found.signature('a'))
    read.clear()
    found.of('a')
    assert read == ['a']
    found.learn('a', content)
    disk.ahead = 10 * 10**9
    disk.sleep(5)
    found.confirm(['a'])
    assert found.of('a') == content and read == ['a']


def test_a_file_that_never_holds_still_is_reported_and_not_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    Path('a').write_bytes(b'abc')
    plain = hashing.digest

    def disturbed(fd: int, size: int) -> str:
        with open('a', 'ab') as file:
            file.write(b'x')
        return plain(fd, size)

    monkeypatch.setattr(hashing, 'digest', disturbed)
    found = cache(later(10))
    assert found.of('a') is not None and found.changing == {'a'}
    monkeypatch.setattr(hashing, 'digest', plain)
    assert found.of('a') == Content(xxh3_128_hexdigest(b'abcxxx'), 6) and found.changing == set()


def test_a_directory_changes_with_the_name_the_content_and_the_kind_of_what_is_in_it() -> None:
    def fresh() -> Content | None:
        return cache().of('d')

    os.makedirs('d/sub')
    Path('d/sub/a').write_bytes(b'abc')
    seen = [fresh()]
    assert fresh() == seen[0] and seen[0] is not None and seen[0].size == 3
    Path('d/sub/a').write_bytes(b'abd')
    seen.append(fresh())
    os.rename('d/sub/a', 'd/sub/b')
    seen.append(fresh())
    os.rename('d/sub/b', 'd/b')
    seen.append(fresh())
    os.rmdir('d/sub')
    seen.append(fresh())
    os.symlink('b', 'd/link')
    seen.append(fresh())
    os.unlink('d/link')
    os.symlink('../outside', 'd/link')
    seen.append(fresh())
    Path('outside').write_bytes(b'1')
    seen.append(fresh())
    Path('outside').write_bytes(b'2')
    seen.append(fresh())
    os.mkfifo('d/pipe')
    seen.append(fresh())
    assert len(set(seen)) == len(seen)


def test_links_that_lead_in_circles_come_to_an_end() -> None:
    os.makedirs('d/sub')
    os.symlink('..', 'd/sub/up')
    os.symlink('self', 'd/self')
    assert cache().of('d') == cache().of('d') is not None


def test_a_link_counts_as_what_it_points_to() -> None:
    Path('a').write_bytes(b'abc')
    os.symlink('a', 'link')
    assert cache().of('link') == cache().of('a')


def test_what_cannot_be_read_is_an_error_that_names_it() -> None:
    os.mkfifo('pipe')
    with pytest.raises(RunError, match='pipe cannot be read'):
        cache().of('pipe')


def test_a_stand_in_by_size_and_time_reads_nothing(read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    first = cache().stat_only('a')
    os.utime('a', ns=(OLD, OLD))
    assert first != cache().stat_only('a') is not None
    assert cache().stat_only('absent') is None and read == []


@pytest.mark.parametrize('damage', [b'', b'nonsense', None])
def test_a_cache_that_is_damaged_or_gone_costs_only_the_reading(damage: bytes | None, read: list[str]) -> None:
    Path('a').write_bytes(b'abc')
    first = cache(later(10))
    content = first.of('a')
    first.save()
    if damage is None:
        os.unlink('state/digests')
    else:
        Path('state/digests').write_bytes(damage)
    assert cache().of('a') == content and read == ['a', 'a']


def test_a_cache_that_cannot_be_written_is_not_and_then_nothing_is_trusted(read: list[str]) -> None:
    os.rmdir('state')
    Path('a').write_bytes(b'abc')
    found = cache(later(10))
    found.of('a')
    found.of('a')
    found.confirm(['a'])
    found.save()
    assert read == ['a', 'a'] and not os.path.exists('state')


def test_names_that_are_not_utf8_and_times_before_1970_are_cached(read: list[str]) -> None:
    name = os.fsdecode(b'caf\xe9')
    Path(name).write_bytes(b'abc')
    os.utime(name, ns=(-OLD, -OLD))
    first = cache(later(10))
    first.of(name)
    first.save()
    assert os.listdir('state') == ['digests']
    cache().of(name)
    assert read == [name]


def test_of_many_files_only_those_are_read_again_that_changed(monkeypatch: pytest.MonkeyPatch, read: list[str]) -> None:
    monkeypatch.setattr(hashing, 'BUFFER', 4)
    monkeypatch.setattr(os, 'sched_getaffinity', lambda _: {0, 1})
    paths = [f'f{at}' for at in range(9)]
    for path in paths:
        Path(path).write_bytes(b'12345')
    found = cache(later(10))
    first = found.of_all(paths)
    assert sorted(read) == paths
    Path('f4').write_bytes(b'54321')
    second = found.of_all(paths)
    assert read[9:] == ['f4'] and {path for path in paths if first[path] != second[path]} == {'f4'}
