"""One of the two nodes of `awflow doctor --two-hosts`: does what it is told, a JSON line each, and says what it saw.

The words come over srun's standard input, which both nodes hear, and go back over its standard output. So nothing but
Slurm itself is needed for the two to act at the same time, least of all the filesystem that is on trial.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

INTERVAL: Final = 0.01  # seconds between looks
LINE: Final = 96  # bytes of a line that is appended


class Host:
    """What a node can be told. Every deed takes the words of the message and returns those of the answer."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.lock = -1

    def hello(self, bound: float, **_: Any) -> dict[str, Any]:
        """Who this is, and through which mount it sees the directory (0: not at all), which has just been made elsewhere."""
        from awflow.backends.visibility import visible
        from awflow.state.liveness import Proc

        end = time.monotonic() + bound
        while not visible(self.directory) and time.monotonic() < end:
            time.sleep(INTERVAL)
        proc = Proc()
        device = os.stat(self.directory).st_dev if visible(self.directory) else 0
        return {'host': proc.host(), 'boot': proc.boot(), 'device': device}

    def clock(self, **_: Any) -> dict[str, Any]:
        return {'time': time.time()}

    def seek(self, name: str, how: str, bound: float, size: int = 0, **_: Any) -> dict[str, Any]:
        """Look until a file is there (and has so many bytes), in one way only. Says so before the first look that counts."""
        first = self._seen(how, name, size)
        self.say({'seeking': name})
        end = time.monotonic() + bound
        while not self._seen(how, name, size):
            if time.monotonic() > end:
                return {'seen': False, 'first': first}
            time.sleep(INTERVAL)
        return {'seen': True, 'first': first}

    def _seen(self, how: str, name: str, size: int = 0) -> bool:
        path = os.path.join(self.directory, name)
        folder = os.path.dirname(path)
        try:
            if how == 'stat':
                return os.stat(path).st_size >= size
            if how == 'list':
                return os.path.basename(path) in os.listdir(folder)
            if how == 'open':
                return len(_read(path)) >= size
            from awflow.backends.visibility import freshen

            freshen(folder)
            return os.path.basename(path) in os.listdir(folder) and len(_read(path)) >= size
        except OSError:
            return False

    def make(self, name: str, text: str = '', **_: Any) -> dict[str, Any]:
        """A new file, on the disk when this returns."""
        _write(os.path.join(self.directory, name), os.O_EXCL, text.encode())
        return {}

    def grow(self, name: str, text: str, **_: Any) -> dict[str, Any]:
        _write(os.path.join(self.directory, name), os.O_APPEND, text.encode())
        return {}

    def folder(self, name: str, **_: Any) -> dict[str, Any]:
        os.mkdir(os.path.join(self.directory, name))
        return {}

    def race(self, name: str, how: str, nonce: str, **_: Any) -> dict[str, Any]:
        """Try to get a name that the other one tries to get; whether the system says that it was granted."""
        path = os.path.join(self.directory, name)
        nonce += str(self.rank)
        try:
            if how == 'create':
                _write(path, os.O_EXCL, nonce.encode())
            else:
                _write(f'{path}-{nonce}', os.O_EXCL, nonce.encode())
                os.link(f'{path}-{nonce}', path)
        except FileExistsError:
            return {'granted': False}
        return {'granted': True}

    def read(self, name: str, bound: float = 10.0, **_: Any) -> dict[str, Any]:
        """What a file says, once it says something."""
        path = os.path.join(self.directory, name)
        end = time.monotonic() + bound
        while not self._seen('protocol', name, 1) and time.monotonic() < end:
            time.sleep(INTERVAL)
        try:
            return {'text': _read(path).decode('ascii', 'replace')}
        except OSError as error:
            return {'text': '', 'error': error.strerror}

    def append(self, name: str, count: int, mark: str, **_: Any) -> dict[str, Any]:
        """So many lines, a write each, through O_APPEND."""
        fd = os.open(os.path.join(self.directory, name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            for number in range(count):
                os.write(fd, line_of(f'{mark}{self.rank}', number))
            os.fsync(fd)
        finally:
            os.close(fd)
        return {}

    def hold(self, name: str, **_: Any) -> dict[str, Any]:
        """Try to lock a file, and keep the lock until the end if it is granted."""
        import fcntl

        self.lock = os.open(os.path.join(self.directory, name), os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return {'granted': False}
        except OSError as error:
            return {'granted': False, 'error': error.strerror}
        return {'granted': True}

    def say(self, fields: dict[str, Any]) -> None:
        """A line of its own, in one write: lines of both nodes are mixed."""
        os.write(1, json.dumps({'rank': self.rank, **fields}).encode() + b'\n')

    @property
    def rank(self) -> int:
        return int(os.environ.get('SLURM_PROCID', 0))


def line_of(mark: str, number: int) -> bytes:
    """A line that is known again if it is whole."""
    return f'{mark} {number} '.encode().ljust(LINE - 1, b'.') + b'\n'


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 22)
    finally:
        os.close(fd)


def _write(path: str, flags: int, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | flags, 0o644)
    try:
        os.write(fd, data)
        os.fsync(fd)
    finally:
        os.close(fd)


def main(directory: str, seconds: int) -> None:
    """Obey until there is nothing more to hear, or for so many seconds nothing was."""
    signal.alarm(seconds)  # its default is to end the process
    host = Host(directory)
    for line in sys.stdin:
        signal.alarm(seconds)
        message = json.loads(line)
        if message.get('to') not in (None, host.rank):
            continue
        try:
            answer = getattr(host, message['do'])(**message)
        except OSError as error:
            answer = {'error': error.strerror or str(error)}
        host.say({'n': message['n'], **answer})


if __name__ == '__main__':
    main(sys.argv[1], int(sys.argv[2]))
