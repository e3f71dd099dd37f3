"""Looking through what is only shown of all rows of a job, without making a record of each.

The members of 100,000 records take a quarter of a second to parse, and more to become records; to unpack their text
takes a sixth of that. So who wants a few members, or the few rows that hold a certain text, looks at the text first.
"""

from __future__ import annotations

from awflow.state import jsontext
from awflow.state.table import BLOCK, WIDTH, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from awflow.state.table import Base

    Numbers = list[float | None]

NUMERIC = {int, float, type(None)}
FEW = 64  # rows; no member of a record is a list of so many numbers
SEARCHED = 12  # strings that are searched for one by one; of more, parsing is faster


def texts(base: Base) -> Iterator[tuple[int, bytes]]:
    """First row and JSON text of each block; in it "#" stands for each string of 32 hex digits."""
    import zlib

    for number in range(-(-base.count // BLOCK)):
        block = base.packed(number)
        yield number * BLOCK, zlib.decompress(block[4 + WIDTH * int.from_bytes(block[:4], 'little') :])


def numbers(base: Base, names: Sequence[str]) -> list[Numbers]:
    """For each of these members its value in every row, None where a record does not have it. `ended` is counted from
    `started` where a row has both.
    """
    found: list[Numbers] = [[] for _ in names]
    for first, text in texts(base):
        rows = min(BLOCK, base.count - first)
        for column, name in zip(found, names, strict=True):
            column += _numbers(text, name, rows)
    return found


def _numbers(text: bytes, name: str, rows: int) -> Numbers:
    """One column of a block. It is found by its name. What another member holds under that name, such as a file that is
    called so, is not as many numbers as there are rows; a block of few rows is parsed instead.
    """
    if rows >= FEW:
        begin = b'"%b":[' % name.encode()
        at = text.rfind(begin)
        if at < 0:
            return [None] * rows
        while at >= 0:
            end = text.find(b']', at)
            column = _parsed(text[at + len(begin) - 1 : end + 1], rows)
            if column is not None:
                return column
            at = text.rfind(begin, 0, at)
    known: Numbers = jsontext.loads(text).get(name, [None] * rows)
    return known


def _parsed(text: bytes, rows: int) -> Numbers | None:
    try:
        column: Numbers = jsontext.loads(text)
    except ValueError:
        return None
    return column if len(column) == rows and set(map(type, column)) <= NUMERIC else None


def named(base: Base, member: str, names: Collection[str]) -> Iterator[tuple[int, str]]:
    """The rows that hold any of these names in a member that is an object, each with the name."""
    hidden = any(_hidden(name) for name in names)
    spelled = [jsontext.dumps(name) + b':' for name in names] if len(names) <= SEARCHED and not hidden else [b'']
    wanted = set(names)
    for first, text in texts(base):
        if any(name in text for name in spelled):
            whole = unpacked(base.packed(first // BLOCK)) if hidden else text
            for row, held in enumerate(jsontext.loads(whole).get(member, ()), first):
                yield from ((row, name) for name in held or () if name in wanted)


def every(base: Base, member: str) -> Iterator[tuple[int, str]]:
    """Every row and name in a member that is an object."""
    for first, text in texts(base):
        packed_names = b'"#":' in text  # names that look like digests are packed as such
        whole = unpacked(base.packed(first // BLOCK)) if packed_names else text
        for row, held in enumerate(jsontext.loads(whole).get(member, ()), first):
            yield from ((row, name) for name in held or ())


def ending(base: Base, member: str, ends: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The same for names that are, or end in a slash and, one of these."""
    hidden = any(_hidden(end) for end in ends)
    spelled = [b''] if hidden else [jsontext.dumps(end)[1:] + b':' for end in ends]
    endings = tuple(f'/{end}' for end in ends)
    for first, text in texts(base):
        if any(end in text for end in spelled):
            whole = unpacked(base.packed(first // BLOCK)) if hidden else text
            for row, held in enumerate(jsontext.loads(whole).get(member, ()), first):
                yield from ((row, name) for name in held or () if name in ends or name.endswith(endings))


def _hidden(name: str) -> bool:
    """Whether it looks like a digest, and so is packed as one, or like what stands for one."""
    return name == '#' or (len(name) == 2 * WIDTH and set(name) <= set('0123456789abcdef'))


def digested(base: Base, member: str, name: str, digests: Collection[str]) -> Iterator[int]:
    """The rows of which a member, an object, has one of these digests under that name."""
    raw = [bytes.fromhex(digest) for digest in digests]
    for number in range(-(-base.count // BLOCK)):
        block = base.packed(number)
        packed = bytes(block[4 : 4 + WIDTH * int.from_bytes(block[:4], 'little')])
        if any(digest in packed for digest in raw):
            for row, held in enumerate(jsontext.loads(unpacked(block)).get(member, ()), number * BLOCK):
                if (held or {}).get(name) in digests:
                    yield row


def members(base: Base, member: str, mark: str, rows: Iterable[int]) -> Iterator[tuple[int, object]]:
    """Row and value of a member, of these rows, where the string `mark` stands somewhere near."""
    spelled = jsontext.dumps(mark)
    wanted = set(rows)
    for number in sorted({row // BLOCK for row in wanted}):
        text = unpacked(base.packed(number))
        if spelled in text:
            for row, value in enumerate(jsontext.loads(text).get(member, ()), number * BLOCK):
                if row in wanted:
                    yield row, value
