"""The digest of an open file: xxh3_128 over fixed chunks, read into buffers that are used again.

A digest is that of the only chunk, or of the digests of all chunks one after the other; so it is the same however many
threads took part. Reading and digesting both let other threads run, so a progress display goes on meanwhile, and the
chunks of a big file are worked on side by side: on warm files memory is what limits one thread.

Files are read, not mapped. A mapping would be faster still, but somebody else who cuts the file short would kill this
process with SIGBUS.
"""

from __future__ import annotations

import os

from xxhash import xxh3_128, xxh3_128_hexdigest

from awflow.state.sidebyside import each, processors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK = 64 << 20  # bytes digested apart; part of the definition of a digest
BUFFER = 256 << 10  # bytes read at once: it stays in the cache of a core, and is enough for xxhash to let go of the interpreter
MOST = 4  # threads; more only contend for memory


class Done:
    """How much was digested in this process so far; nearly: threads add to it side by side. For whoever waits."""

    __slots__ = ('bytes',)

    def __init__(self) -> None:
        self.bytes = 0


done = Done()


def digest(fd: int, size: int) -> str:
    """The digest (32 hex digits) of a file of about this size, to where it ends."""
    if size < BUFFER:
        data = os.read(fd, size + 1)
        if len(data) <= size and not os.read(fd, 1):
            done.bytes += len(data)
            return xxh3_128_hexdigest(data)
    threads = min(processors(MOST), -(-size // CHUNK))
    digests = _side_by_side(fd, -(-size // CHUNK), threads) if threads > 1 else []
    return _joined(digests + _rest(fd, len(digests)))


def _joined(digests: Sequence[bytes]) -> str:
    return digests[0].hex() if len(digests) == 1 else xxh3_128_hexdigest(b''.join(digests))


def _rest(fd: int, before: int) -> list[bytes]:
    """The digests of the chunks after so many, until one is not full. An empty file has one empty chunk."""
    buffer = bytearray(BUFFER)
    found: list[bytes] = []
    while True:
        chunk, filled = _chunk(fd, (before + len(found)) * CHUNK, buffer)
        if filled or not (before or found):
            found.append(chunk)
        if filled < CHUNK:
            return found


def _chunk(fd: int, start: int, buffer: bytearray) -> tuple[bytes, int]:
    """The digest of the chunk that begins there, and how many bytes it has."""
    whole = xxh3_128()
    view = memoryview(buffer)
    filled = 0
    while filled < CHUNK and (count := os.preadv(fd, [view[: CHUNK - filled]], start + filled)):
        whole.update(view[:count])
        filled += count
        done.bytes += count
    return whole.digest(), filled


def _side_by_side(fd: int, chunks: int, threads: int) -> list[bytes]:
    """The digests of the chunks up to the first that is not full; what follows is left to who reads to the end."""
    found: list[bytes | None] = [None] * chunks

    def digested(number: int) -> None:
        chunk, filled = _chunk(fd, number * CHUNK, bytearray(BUFFER))
        found[number] = chunk if filled == CHUNK else None

    each(digested, range(chunks), threads)
    full = found.index(None) if None in found else chunks
    return [chunk for chunk in found[:full] if chunk is not None]
