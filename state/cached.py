"""What the cache of digests keeps of a file, how long that may be trusted, and the form in which it lies on the disk."""

from __future__ import annotations

from awflow.state import confirmed, jsontext, snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from awflow.state.confirmed import Confirmed
    from awflow.state.snapshot import Snapshot

RACY = 2_000_000_000  # nanoseconds
RACY_FINE = 100_000_000  # where times have fractions of a millisecond

Signature = tuple[int, int, int, int]  # size, mtime and ctime in ns, inode


class Cached:
    """A file's digest, the signature it had then, and the filesystem's time then (0: not known, so never trusted)."""

    __slots__ = ('digest', 'seen', 'signature')

    def __init__(self, signature: Signature, digest: str, seen: int) -> None:
        self.signature = signature
        self.digest = digest
        self.seen = seen

    @property
    def lasts(self) -> bool:
        """Whether it may be trusted for as long as the file has this signature."""
        _, mtime, ctime, _ = self.signature
        return max(mtime, ctime) + (RACY_FINE if ctime % 1_000_000 else RACY) <= self.seen

    def vouches_for(self, signature: Signature) -> bool:
        return signature == self.signature and self.lasts


_NUMBERS = {'size': 'Q', 'mtime': 'q', 'ctime': 'q', 'inode': 'Q'}  # of a signature; times before 1970 exist


def packed(cache: dict[str, Cached], jobs: Mapping[str, Confirmed], codes: Mapping[str, Any]) -> bytes:
    from array import array

    columns: dict[str, bytes | bytearray] = {
        name: snapshot.little_endian(array(code, [cached.signature[at] for cached in cache.values()]))
        for at, (name, code) in enumerate(_NUMBERS.items())
    }
    columns['seen'] = snapshot.little_endian(array('Q', [cached.seen for cached in cache.values()]))
    columns['digest'] = b''.join(bytes.fromhex(cached.digest) for cached in cache.values())
    columns['paths'] = jsontext.dumps(list(cache))
    columns.update(confirmed.written(jobs, jsontext.dumps))
    if codes:
        columns['codes'] = jsontext.dumps(codes)
    return snapshot.write(columns, {'kind': 'digests'})


def unpacked(columns: Snapshot) -> dict[str, Cached]:
    signatures = zip(*(columns.integers(name, code) for name, code in _NUMBERS.items()), strict=True)
    digests = columns['digest'].hex()
    seen = columns.integers('seen', 'Q')
    return {
        path: Cached(signature, digests[32 * at : 32 * at + 32], seen[at])
        for at, (path, signature) in enumerate(zip(jsontext.loads(columns['paths']), signatures, strict=True))
    }
