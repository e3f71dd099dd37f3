"""Looking through what is only shown of all rows of a job, for members that few of them have, without making records."""

from __future__ import annotations

from awflow.state import jsontext
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
    for row, record in rows.over.items():
        told = record.to_dict()
        if found := {name: told[name] for name in names if name in told}:
            yield row, found
    for number, first in enumerate(range(0, rows.base.count if rows.base else 0, BLOCK)):
        assert rows.base is not None, 'only its blocks are looked through'
        columns = _members(rows.base, number, names)
        for place in range(min(BLOCK, rows.base.count - first)) if columns else ():
            found = {name: column[place] for name, column in columns.items() if column[place] is not None}
            if found and first + place not in rows.over:
                yield first + place, found


def _members(base: Base, number: int, names: Collection[str]) -> dict[str, list[Any]]:
    """Of these members those that any row of a block has, each as a list by row, None where a row has none. What most blocks
    do not have costs little: their text is searched, digests aside, before it is parsed.
    """
    import zlib

    block = base.packed(number)
    text = zlib.decompress(block[4 + WIDTH * int.from_bytes(block[:4], 'little') :])
    if not any(b'"%b":[' % name.encode() in text for name in names):  # in a string its quotes would be escaped
        return {}
    columns: dict[str, list[Any]] = jsontext.loads(unpacked(block))
    return {name: columns[name] for name in names if name in columns}
