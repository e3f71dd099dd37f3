"""JSON as the state writes it: one line of ASCII, no spaces.

Reading happens in every run, also in one that finds nothing to do, and importing `json` drags in `re` and `enum`, more
milliseconds than the whole read takes. Its scanner and its encoder are C types that need neither, so they are asked
directly; where a Python has them in another shape, `json` is taken as it is. Lone surrogates, from file names that are
not UTF-8, survive as escapes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class _Plain:
    """What the scanner asks its context for: JSON as it is, nothing converted."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float


def _scanner() -> Callable[[str, int], tuple[Any, int]]:
    try:
        from _json import make_scanner

        scan: Callable[[str, int], tuple[Any, int]] = make_scanner(_Plain)  # type: ignore[arg-type]
    except (ImportError, AttributeError, TypeError):
        from json import JSONDecoder

        scan = JSONDecoder().raw_decode
    return scan


def _encoder() -> Callable[[object], str]:
    try:
        from _json import encode_basestring_ascii, make_encoder

        encode = make_encoder(None, _refuse, encode_basestring_ascii, None, ':', ',', False, False, True)
    except (ImportError, TypeError):
        from json import JSONEncoder

        return JSONEncoder(separators=(',', ':')).encode
    return lambda value: ''.join(encode(value, 0))


def _refuse(value: object) -> object:
    raise TypeError(f'{type(value).__name__} is not JSON')


_scan = _scanner()
_encode = _encoder()


def loads(data: bytes | bytearray | memoryview) -> Any:
    """The value that these bytes spell; ValueError if they spell none."""
    text = str(data, 'ascii')
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise ValueError('no JSON value') from None
    if end != len(text):
        raise ValueError(f'{len(text) - end} bytes follow the JSON value')
    return value


def loads_from(text: str, at: int) -> Any:
    """The value that begins there, whatever follows it; ValueError if none does."""
    return part_from(text, at)[0]


def part_from(text: str, at: int) -> tuple[Any, int]:
    """The same, and where it ends."""
    try:
        return _scan(text, at)
    except StopIteration:
        raise ValueError('no JSON value') from None


def dumps(value: object) -> bytes:
    return _encode(value).encode('ascii')


def quoted(text: str) -> str:
    """A string as `dumps` spells it; nearly all are spelled as they are, and to see that takes a quarter of the time."""
    plain = text.isascii() and text.isprintable() and '"' not in text and '\\' not in text
    return f'"{text}"' if plain else dumps(text).decode('ascii')
