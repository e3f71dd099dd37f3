"""Looking through what is only shown of all rows of a job, for members that few of them have, without making records."""

from __future__ import annotations

from awflow.state import jsontext
from awflow.state.blocks import FEW
from awflow.state.table import BLOCK, WIDTH, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from awflow.state.rows import Rows
    from awflow.state.table import Base


def having(rows: Rows, names: Collection[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows of which the records have any of these members, with those members; what is not there is left out.

    The members are those that lie in blocks, not in columns.
    """
    for row in rows.naming(names):
        told = rows.record(row).to_dict()
        if found := {name: told[name] for name in names if name in told}:
            yield row, found
    for number, first in enumerate(range(0, rows.base.count if rows.base else 0, BLOCK)):
        assert rows.base is not None, 'only its blocks are looked through'
        count = min(BLOCK, rows.base.count - first)
        columns = _members(rows.base, number, count, names)
        for row, values in enumerate(zip(*columns.values(), strict=True), first):
            found = {name: value for name, value in zip(columns, values, strict=True) if value is not None}
            if found and row not in rows.over:
                yield row, found


def _members(base: Base, number: int, count: int, names: Collection[str]) -> dict[str, list[Any]]:
    """Of these members those that any row of a block has, each as a list by row, None where a row has none. What most blocks
    do not have costs little: their text is searched, digests aside, before it is parsed; and parsed is what is asked for.
    """
    import zlib

    block = base.packed(number)
    text = zlib.decompress(block[4 + WIDTH * int.from_bytes(block[:4], 'little') :])
    there = [name for name in names if b'"%b":[' % name.encode() in text]  # in a string its quotes would be escaped
    if not there:
        return {}
    found = _columns(text, count, there) if count >= FEW else None
    if found is None:
        columns: dict[str, list[Any]] = jsontext.loads(unpacked(block))
        found = {name: columns[name] for name in there if name in columns}
    return found


def _columns(text: bytes, count: int, names: Collection[str]) -> dict[str, list[Any]] | None:
    """These columns of a block, the others not parsed; None if one is not to be told from a member of a member, or has digests,
    which lie elsewhere.
    """
    found: dict[str, list[Any]] = {}
    whole = str(text, 'ascii')
    for name in names:
        begin = f'"{name}":['
        at = whole.find(begin)
        if whole.find(begin, at + 1) >= 0 or (at > 1 and whole[at - 2 : at] != '],'):
            return None
        column, end = jsontext.part_from(whole, at + len(begin) - 1)
        if len(column) != count or whole.find('"#"', at, end) >= 0:
            return None
        found[name] = column
    return found
