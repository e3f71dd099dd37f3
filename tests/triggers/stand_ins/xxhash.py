"""Digests of the standard library under the names of xxhash, which is compiled for one minor version of Python."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any


class _Digest:
    size = 16

    def __init__(self, data: Any = b'') -> None:
        self._state = blake2b(data.encode() if isinstance(data, str) else data, digest_size=self.size)
        self.update, self.digest, self.hexdigest = self._state.update, self._state.digest, self._state.hexdigest


class xxh3_128(_Digest):  # noqa: N801
    pass


class xxh3_64(_Digest):  # noqa: N801
    size = 8


def xxh3_128_digest(data: Any) -> bytes:
    return xxh3_128(data).digest()


def xxh3_128_hexdigest(data: Any) -> str:
    return xxh3_128(data).hexdigest()


def xxh3_64_digest(data: Any) -> bytes:
    return xxh3_64(data).digest()


def xxh3_64_hexdigest(data: Any) -> str:
    return xxh3_64(data).hexdigest()


def xxh3_64_intdigest(data: Any) -> int:
    return int.from_bytes(xxh3_64(data).digest(), 'big')
