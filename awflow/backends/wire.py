"""Messages between driver, zygote and tasks: JSON behind its length, over streams that may cut anywhere."""

from __future__ import annotations

from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
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

    @property
    def partial(self) -> bool:
        """Whether there is a message of which the rest is to come."""
        return bool(self._data)

    def feed(self, data: bytes) -> list[Any]:
        """The messages that are complete now. What comes after the last whole one is kept for the next call."""
        if not self._data and len(data) >= LENGTH and LENGTH + int.from_bytes(data[:LENGTH], 'big') == len(data):
            return [jsontext.loads(data[LENGTH:])]  # as nearly always: one, and whole
        self._data += data
        found = []
        while len(self._data) >= LENGTH:
            end = LENGTH + int.from_bytes(self._data[:LENGTH], 'big')
            if len(self._data) < end:
                break
            found.append(jsontext.loads(self._data[LENGTH:end]))
            del self._data[:end]
        return found
