"""Messages between driver, zygote and tasks: JSON behind its length, over streams that may cut anywhere."""

from __future__ import annotations

from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

LENGTH: Final = 4  # bytes, big-endian


def pack(message: object) -> bytes:
    """The message as it travels; non-ASCII is escaped, so file names that are no Unicode survive."""
    body = jsontext.dumps(message)
    return len(body).to_bytes(LENGTH, 'big') + body


class Unpacker:
    """Puts the messages of one stream together again."""

    __slots__ = ('_data',)

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Any]:
        """The messages that are complete now. What comes after the last whole one is kept for the next call."""
        self._data += data
        while len(self._data) >= LENGTH:
            end = LENGTH + int.from_bytes(self._data[:LENGTH], 'big')
            if len(self._data) < end:
                return
            body = bytes(self._data[LENGTH:end])
            del self._data[:end]
            yield jsontext.loads(body)
