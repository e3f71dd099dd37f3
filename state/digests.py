"""Content digests of files and directories, and a cache that says when they need not be read again.

The cache trusts a digest if the file's signature (size, mtime, ctime, inode) is the one it had. That alone is not
safe: a file written twice within one tick of the filesystem's clock has the same signature after both. So, as git does
(its "racy" rule), a digest is trusted only if the file was older than a tick when it was taken, by the clock of the
filesystem, which is not ours: it is read off the mtime of a file just written beside the cache. How long a tick is, the
ctime tells, which nobody but the filesystem sets: where it has fractions of a millisecond, it comes from a kernel's clock,
which ticks every 10 ms or faster, and a tenth of a second is plenty; where it has none, it may be one of whole seconds or
two. Younger files are read again at every look, until `confirm` finds their signature unchanged and old enough.

Signatures are compared for equality, never for newer: files get copied with older times. The cache may be lost or
damaged at any time, and costs only the reading.
"""

from __future__ import annotations

import errno
import os
import stat

from xxhash import xxh3_128_hexdigest

from awflow.errors import RunError, StateVersionError
from awflow.state import confirmed, jsontext
from awflow.state.cached import RACY, Cached, Signature, packed, unpacked
from awflow.state.snapshot import Damaged, Snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

    from awflow.state.confirmed import Confirmed
    from awflow.state.fs import Disk
    from awflow.state.looks import Looks

_TRIES = 3
_CLOCK_AGE = 1.0  # seconds for which the filesystem's time is not asked again; too early is on the safe side
_ABSENT = (errno.ENOENT, errno.ENOTDIR)

_Reading = tuple[Signature, str, Signature]  # a digest, and the signature before and after the file was read


class Content:
    """What a path holds: its digest (32 hex digits) and its bytes (of a directory: of all files in it)."""

    __slots__ = ('digest', 'size')

    def __init__(self, digest: str, size: int) -> None:
        self.digest = digest
        self.size = size

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and (self.digest, self.size) == (other.digest, other.size)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f'Content({self.digest}, {self.size})'


class Digests:
    """Digests by path, relative to the current directory as given; `changing` names files that never held still."""

    __slots__ = (
        '_cached', '_changed', '_clock', '_codes', '_confirmed', '_looks', '_opened', '_path', '_undated', 'changing', 'disk',
    )  # fmt: skip

    def __init__(self, path: str, disk: Disk) -> None:
        self.disk = disk
        self.changing: set[str] = set()
        self._path = path
        self._opened: Snapshot | None = None
        self._cached: dict[str, Cached] | None = None
        self._confirmed: dict[str, Confirmed] | None = None
        self._codes: dict[str, Any] | None = None
        self._looks: Looks | None = None
        self._undated: float | None = None  # when, by our clock, something was first digested without knowing the time
        self._changed = False
        self._clock = (float('-inf'), 0)  # our monotonic time, the filesystem's ns then

    def of(self, path: str) -> Content | None:
        """What a file or directory holds, None if it is absent; RunError if it cannot be read."""
        for _ in range(_TRIES):
            try:
                return self._content(path, self.disk.stat(path), ())
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise _unreadable(path, error) from error
            if self.signature(path) is None:
                return None
        raise _unreadable(path, OSError(errno.EBUSY, 'files in it come and go'))

    def of_all(self, paths: Iterable[str]) -> dict[str, Content | None]:
        """The same for many paths, which are read side by side where that helps."""
        wanted = list(dict.fromkeys(paths))
        seen = self._filesystem_time()
        ahead = self._ahead(wanted)
        return {path: self._settled(path, ahead[path], seen) if path in ahead else self.of(path) for path in wanted}

    def known(self, path: str) -> Content | None:
        """What a file holds as far as the cache vouches for it: nothing is read."""
        cached, signature = self._cache.get(path), self.signature(path)
        return Content(cached.digest, signature[0]) if cached and signature and cached.vouches_for(signature) else None

    def digest_of(self, path: str) -> str | None:
        """The digest of `of`; of a file that is as it was when it was cached with as little as that takes."""
        cached = self._cache.get(path)
        if cached is not None and cached.lasts:
            try:
                if _regular_signature(self.disk.stat(path)) == cached.signature:
                    return cached.digest
            except OSError:
                pass  # told below
        content = self.of(path)
        return content.digest if content is not None else None

    def stat_only(self, path: str) -> Content | None:
        """A stand-in for files too big to read: a digest of size and mtime."""
        found = self.signature(path)
        return Content(self.digest_of_signature(found), found[0]) if found else None

    def digest_of_signature(self, signature: Signature) -> str:
        """What stands for the digest of a file too big to read."""
        return xxh3_128_hexdigest(b'stat %d %d' % signature[:2])

    def signature(self, path: str) -> Signature | None:
        """What tells that a file was not touched; None if it is absent."""
        try:
            return _signature(self.disk.stat(path))
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise _unreadable(path, error) from error

    def vouched(self, path: str) -> list[object] | None:
        """The digest of a file and the signature that tells that it is still the one, as far as that can be trusted."""
        cached = self._cache.get(path)
        return [cached.digest, *cached.signature] if cached and cached.vouches_for(cached.signature) else None

    @property
    def slow(self) -> bool:
        """Whether the files that were looked at last had to be waited for."""
        return self._looks is not None and self._looks.slow

    def small(self, path: str, most: int) -> tuple[str, Signature, bool] | None:
        """Digest and signature of a file of at most so many bytes, read now, and whether they may be trusted from now on;
        None of whatever else the path may be.
        """
        from awflow.state.smallfiles import small_file

        seen = self._filesystem_time()
        found = small_file(path, most)
        if found is None:
            return None
        digest, signature = found
        self._remember(path, Cached(signature, digest, seen))
        return digest, signature, self._cache[path].lasts

    def learn(self, path: str, content: Content, signature: Signature | None = None) -> None:
        """Take over what another process digested when the file had this signature (by default: has now).

        Not trusted before `confirm`.
        """
        signature = signature or self.signature(path)
        if signature and signature[0] == content.size:
            self._remember(path, Cached(signature, content.digest, 0))

    def catch_up(self) -> None:
        """Once there is a place beside which to read the filesystem's time: what was digested before may be trusted after all.

        Before a state is made there is none. All that was digested since the first look was digested no earlier than it.
        """
        if self._undated is None:
            return
        self._clock = (float('-inf'), 0)
        if now := self._filesystem_time():
            seen = now - int((self.disk.monotonic() - self._undated) * 10**9)
            undated = [path for path, cached in self._cache.items() if not cached.seen]
            for path in undated:
                self._remember(path, Cached(self._cache[path].signature, self._cache[path].digest, seen))
            self._undated = None

    def confirm(self, paths: Iterable[str]) -> None:
        """At the end of a run: trust the digests of files that kept their signature until they were old enough.

        What remains possible is a file written twice within one tick of its clock, of one size, by who does not wait
        for the task that makes it.
        """
        self._clock = (float('-inf'), 0)  # now, not a second ago
        now = self._filesystem_time()
        known = self._cache
        young = [path for path in paths if path in known and not known[path].lasts]
        for path in young:
            if self.signature(path) == known[path].signature:
                known[path].seen = now
                self._changed = True

    @property
    def confirmed(self) -> Mapping[str, Confirmed]:
        """By job, what the files of its tasks looked like when they held what was recorded."""
        if self._confirmed is None:
            self._confirmed = self._from_file(lambda file: confirmed.read(file, jsontext.loads))
        return self._confirmed

    def keep_confirmed(self, job: str, found: Confirmed) -> None:
        """Keep this of a job from now on."""
        self._confirmed = {**self.confirmed, job: found}
        self._changed = True

    @property
    def codes(self) -> dict[str, Any]:
        """What fingerprinting keeps of code, as it gave it."""
        if self._codes is None:
            self._codes = self._from_file(lambda file: dict(jsontext.loads(file['codes'])) if 'codes' in file else {})
        return self._codes

    def keep_codes(self, found: dict[str, Any]) -> None:
        """Keep this of code from now on."""
        self._codes = found
        self._changed = True

    def stamps(self, paths: Sequence[str]) -> bytes:
        """The stamps of files now (see confirmed.py), in one column."""
        if self._looks is None:
            from awflow.state.looks import Looks

            self._looks = Looks(self.disk)
        return confirmed.stamps_of(paths, self._looks)

    def trusted(self, paths: Iterable[str]) -> list[tuple[bytes, str] | None]:
        """Stamp and digest of each file, as far as the digest may be trusted for as long as the stamp stays."""
        stamp_of = confirmed.stamp_of
        return [
            (stamp_of(cached.signature), cached.digest) if cached is not None and cached.lasts else None
            for cached in map(self._cache.get, paths)
        ]

    def trust(self, path: str, stamp: bytes, digest: str) -> None:
        """Take over a digest that was kept elsewhere for a file of this stamp, if it still has it."""
        signature = self.signature(path)
        if signature is not None and path not in self._cache and confirmed.stamp_of(signature) == stamp:
            self._remember(path, Cached(signature, digest, max(signature[1], signature[2]) + RACY))

    def forget(self, paths: Iterable[str]) -> None:
        """Drop the digests of files whose stamps are kept by column."""
        cache = self._cache
        before = len(cache)
        for path in paths:
            cache.pop(path, None)
        self._changed |= len(cache) < before

    def save(self) -> None:
        """Write the cache, if it changed. What cannot be written is not: it only saves time."""
        if not self._changed:
            return
        temporary = f'{self._path}.tmp-{self.disk.token()}'
        lasting = {path: cached for path, cached in self._cache.items() if cached.lasts}
        try:
            self.disk.jot(temporary, packed(lasting, self.confirmed, self.codes))
            self.disk.rename(temporary, self._path)
            self._changed = False
        except OSError:
            self._discard(temporary)

    @property
    def _cache(self) -> dict[str, Cached]:
        if self._cached is None:
            self._cached = self._from_file(unpacked)
        return self._cached

    def _from_file(self, part: Callable[[Snapshot], dict[str, Any]]) -> dict[str, Any]:
        """A part of what is on the disk, {} if it cannot be read."""
        try:
            if self._opened is None:
                self._opened = Snapshot.open(self.disk.read(self._path))
            return part(self._opened)
        except (OSError, Damaged, StateVersionError, KeyError, ValueError):
            return {}

    def _remember(self, path: str, cached: Cached) -> None:
        self._cache[path] = cached
        self._changed = True

    def _content(self, path: str, found: os.stat_result, within: tuple[tuple[int, int], ...]) -> Content:
        if stat.S_ISREG(found.st_mode):
            return self._file(path, _signature(found))
        if stat.S_ISDIR(found.st_mode):
            from awflow.state.directories import digest_of

            digest, size = digest_of(self.disk, self._content, path, found, within)
            return Content(digest, size)
        raise OSError(errno.EINVAL, 'it is neither a file nor a directory', path)

    def _file(self, path: str, signature: Signature) -> Content:
        cached = self._cache.get(path)
        if cached and cached.vouches_for(signature):
            return Content(cached.digest, signature[0])
        for _ in range(_TRIES):
            seen = self._filesystem_time()
            before, digest, after = _read(path)
            if before == after:
                self._remember(path, Cached(before, digest, seen))
                self.changing.discard(path)
                return Content(digest, before[0])
        self.changing.add(path)
        return Content(digest, after[0])

    def _ahead(self, paths: list[str]) -> dict[str, Content | _Reading]:
        """What is known of files, or what reading them found. Nothing of those that are cut into chunks, which are worked on
        side by side anyway, and of whatever else is not plain.
        """
        from awflow.state import hashing
        from awflow.state.ahead import read_all, side_by_side
        from awflow.state.looks import Looks
        from awflow.state.sidebyside import processors

        found: dict[str, Content | _Reading] = {}
        small, big = list[str](), list[str]()
        for path, look in zip(paths, Looks(self.disk).all(paths), strict=True):
            if isinstance(look, OSError) or not stat.S_ISREG(look.st_mode):
                continue
            cached, signature = self._cache.get(path), _signature(look)
            if cached and cached.vouches_for(signature):
                found[path] = Content(cached.digest, signature[0])
            elif look.st_size <= hashing.CHUNK:
                (small if look.st_size < hashing.BUFFER else big).append(path)
        readings = read_all(_tried, small) + side_by_side(_tried, big, processors(hashing.MOST))
        found.update((path, reading) for path, reading in zip(small + big, readings, strict=True) if reading is not None)
        return found

    def _settled(self, path: str, ahead: Content | _Reading, seen: int) -> Content | None:
        if isinstance(ahead, Content):
            return ahead
        before, digest, after = ahead
        if before != after:
            return self.of(path)
        self._remember(path, Cached(before, digest, seen))
        self.changing.discard(path)
        return Content(digest, before[0])

    def _filesystem_time(self) -> int:
        """The filesystem's own time in ns, up to a second ago; 0 if nothing can be written beside the cache."""
        now = self.disk.monotonic()
        if now - self._clock[0] > _CLOCK_AGE:
            probe = f'{self._path}.tmp-{self.disk.token()}'
            try:
                self.disk.jot(probe, b'')
                self._clock = (now, self.disk.stat(probe).st_mtime_ns)
            except OSError:
                self._clock = (now, 0)
                self._undated = now if self._undated is None else self._undated
            self._discard(probe)
        return self._clock[1]

    def _discard(self, path: str) -> None:
        try:
            self.disk.unlink(path)
        except OSError:
            pass


def _signature(found: os.stat_result) -> Signature:
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _regular_signature(found: os.stat_result) -> Signature | None:
    return (found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino) if stat.S_ISREG(found.st_mode) else None


def _read(path: str) -> _Reading:
    """A file's digest, and its signatures before and after it was read."""
    from awflow.state import hashing  # a run that finds all as it was reads nothing

    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        before = _signature(os.fstat(fd))
        digest = hashing.digest(fd, before[0])
        return before, digest, _signature(os.fstat(fd))
    finally:
        os.close(fd)


def _tried(path: str) -> _Reading | None:
    """The same; None if it cannot be read: it is looked at again then, and that explained."""
    try:
        return _read(path)
    except OSError:
        return None


def _unreadable(path: str, error: OSError) -> RunError:
    return RunError(
        '{path} cannot be read, so it cannot be told whether it changed: {reason}',
        'Make it readable, or do not declare it as input or output.',
        path=path,
        reason=error.strerror or str(error),
    )
