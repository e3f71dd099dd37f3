"""The log of one attempt: made when something is written, and shown line by line as it comes."""

from __future__ import annotations

import os

from awflow.state.layout import accessing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class TaskLog:
    """Where the output of an attempt goes: its file, and whole lines to whoever shows them."""

    __slots__ = ('_fd', '_line', '_path', '_show')

    def __init__(self, path: str, show: Callable[[str], None]) -> None:
        self._path = path
        self._show = show
        self._fd = -1
        self._line: list[bytes] = []  # pieces of a line that has not ended

    @property
    def written(self) -> bool:
        """Whether there is a file."""
        return self._fd >= 0

    def write(self, data: bytes) -> None:
        """Output as it came, in pieces of any size."""
        with accessing('write to', self._path):
            if self._fd < 0:
                os.makedirs(os.path.dirname(self._path), exist_ok=True)
                self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
            rest = memoryview(data)
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        first, *others = data.split(b'\n')
        self._line.append(first)
        for piece in others:
            self._show(b''.join(self._line).decode('utf-8', 'replace').rstrip('\r'))
            self._line = [piece]

    def close(self) -> None:
        """Show an unfinished line and close the file; `written` stays as it was."""
        if rest := b''.join(self._line):
            self._show(rest.decode('utf-8', 'replace'))
        self._line = []
        if self._fd >= 0:
            os.close(self._fd)
