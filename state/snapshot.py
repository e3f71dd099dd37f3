"""Framing of named binary columns in one file: knows bytes and names, nothing of what they mean.

    magic 8 | version u32 | directory length u32 | directory | columns, each at a multiple of 16 | xxh3_64 of all
    before, 8

All integers are little-endian. The directory holds, per column: length of its name u16, name (UTF-8), offset u64,
bytes u64. The column `meta` is a JSON object. The trailer lies at the end in every version, so damage is told from
novelty.
"""

from __future__ import annotations

import sys
from itertools import groupby

from xxhash import xxh3_64_digest

from awflow.errors import StateVersionError
from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping
    from typing import Any

MAGIC = b'awfcols\n'
VERSION = 2
ALIGN = 16
RUNS = ', runs'  # what is appended to the name of a column of integers that is kept as pairs of a value and how often
_RUN = 16  # bytes of a pair
_WIDTHS = {'B': 1, 'I': 4}  # of the columns that are kept so
_WORTH = 64  # bytes that a column must have for each pair
_HEAD, _PLACE, _TRAILER = 16, 16, 8  # bytes of what surrounds the columns


class Damaged(ValueError):
    """These bytes are not what was written (yet): the caller reads again, or says which file it is."""


def write(columns: Mapping[str, bytes | bytearray | memoryview], meta: Mapping[str, Any]) -> bytes:
    """The bytes of a file that holds these columns."""
    parts = {'meta': jsontext.dumps(meta), **columns}
    names = {name: name.encode() for name in parts}
    length = sum(2 + len(name) + _PLACE for name in names.values())
    out = bytearray(MAGIC + VERSION.to_bytes(4, 'little') + length.to_bytes(4, 'little'))
    offset = _aligned(len(out) + length)
    for name, part in parts.items():
        out += len(names[name]).to_bytes(2, 'little') + names[name]
        out += offset.to_bytes(8, 'little') + len(part).to_bytes(8, 'little')
        offset = _aligned(offset + len(part))
    for part in parts.values():
        out += bytes(_aligned(len(out)) - len(out))
        out += part
    out += xxh3_64_digest(out)
    return bytes(out)


class Snapshot:
    """Columns by name, as views of the bytes they were read from. `version` is that of the format they were written in."""

    __slots__ = ('_data', '_places', 'meta', 'version')

    def __init__(self, data: memoryview, places: Mapping[str, tuple[int, int]], version: int) -> None:
        self._data = data
        self._places = places
        self.version = version
        self.meta: dict[str, Any] = {}

    @classmethod
    def open(cls, data: bytes | memoryview) -> Snapshot:
        """Verify and index; Damaged if the bytes are not whole, StateVersionError if a newer awflow wrote them."""
        view = memoryview(data)
        if len(view) < _HEAD + _TRAILER:
            raise Damaged('too short')
        body = view[:-_TRAILER]
        if xxh3_64_digest(body) != view[-_TRAILER:]:
            raise Damaged('the checksum does not fit')
        version, length = (int.from_bytes(body[at : at + 4], 'little') for at in (8, 12))
        if body[:8] != MAGIC:
            raise Damaged('it holds something else')
        if version > VERSION:
            raise newer(version)
        places = dict(_places(body[_HEAD : _HEAD + length]))
        snapshot = cls(body, places, version)
        snapshot.meta = jsontext.loads(snapshot['meta'])
        return snapshot

    def __getitem__(self, name: str) -> memoryview:
        offset, length = self._places[name]
        return self._data[offset : offset + length]

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def integers(self, name: str, code: str) -> memoryview:
        """A column of little-endian integers of the given `struct` code, indexed by row."""
        runs = name + RUNS
        column = memoryview(_spread(self[runs], _WIDTHS[code])) if runs in self else self[name]
        if sys.byteorder == 'little' or code == 'B':
            return column.cast(code)  # type: ignore[call-overload,no-any-return]
        from array import array

        swapped = array(code, column.tobytes())
        swapped.byteswap()
        return memoryview(swapped)


def little_endian(column: array[int]) -> bytes:
    """The bytes of an array of integers as a column holds them."""
    if sys.byteorder == 'big':
        column = column[:]
        column.byteswap()
    return column.tobytes()


def packed(columns: Mapping[str, array[int]]) -> dict[str, bytes]:
    """Columns of integers by the name under which they are kept: what is the same for most rows takes next to nothing."""
    kept = {}
    for name, column in columns.items():
        size = len(column) * column.itemsize
        runs = [(value, sum(1 for _ in run)) for value, run in groupby(column)] if size > _WORTH else []
        if runs and _WORTH * len(runs) < size:
            kept[name + RUNS] = b''.join(number.to_bytes(_RUN // 2, 'little') for run in runs for number in run)
        else:
            kept[name] = little_endian(column)
    return kept


def _spread(runs: memoryview, width: int) -> bytes:
    half = _RUN // 2
    return b''.join(
        bytes(runs[at : at + width]) * int.from_bytes(runs[at + half : at + _RUN], 'little') for at in range(0, len(runs), _RUN)
    )


def newer(version: object) -> StateVersionError:
    return StateVersionError(
        'this state was written by a newer awflow (format {found}, this one knows {known})',
        'Upgrade awflow, or run in another directory. Nothing was changed.',
        found=version,
        known=VERSION,
    )


def places_of(data: bytes) -> dict[str, tuple[int, int]]:
    """Offset and length of every column, as the directory at the start says; the columns themselves need not be there.

    Damaged if the start is not whole, or if they do not lie one behind the other as `write` puts them.
    """
    length = int.from_bytes(data[12:16], 'little')
    if not data.startswith(MAGIC) or len(data) < _HEAD + length:
        raise Damaged('its start is missing')
    places = dict(_places(memoryview(data)[_HEAD : _HEAD + length]))
    expected = _aligned(_HEAD + length)
    for offset, size in places.values():
        if offset != expected:
            raise Damaged('its directory does not fit')
        expected = _aligned(offset + size)
    return places


def _places(directory: memoryview) -> list[tuple[str, tuple[int, int]]]:
    places = []
    at = 0
    while at < len(directory):
        start = at + 2
        end = start + int.from_bytes(directory[at:start], 'little')
        place = int.from_bytes(directory[end : end + 8], 'little'), int.from_bytes(directory[end + 8 : end + _PLACE], 'little')
        places.append((str(directory[start:end], 'utf-8'), place))
        at = end + _PLACE
    return places


def _aligned(offset: int) -> int:
    return (offset + ALIGN - 1) // ALIGN * ALIGN
