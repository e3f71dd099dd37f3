"""Messages between driver, zygote and tasks: JSON behind its length, over streams that may cut anywhere."""

from __future__ import annotations

import json
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

LENGTH: Final = struct.Struct('>I')


def pack(message: object) -> bytes:
    """The message as it travels; non-ASCII is escaped, so file names that are no Unicode survive."""
    body = json.dumps(message, separators=(',', ':')).encode('ascii')
    return LENGTH.pack(len(body)) + body


class Unpacker:
    """Puts the messages of one stream together again."""

    __slots__ = ('_data',)

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are complete now. What comes after the last whole one is kept for the next call."""
        self._data += data
        while len(self._data) >= LENGTH.size:
            end = LENGTH.size + LENGTH.unpack_from(self._data)[0]
            if len(self._data) < end:
                return
            body = bytes(self._data[LENGTH.size : end])
            del self._data[:end]
            yield json.loads(body)
