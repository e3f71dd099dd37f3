"""The driver's end of the tasks: slots to launch into, and events that come back.

The driver may be a notebook with threads of its own, so it forks nothing: zygotes do (see zygote.py), one per number
of threads that tasks use. Each launch makes a pipe for the task's output and a socket for its reports, new ones so
that nothing which outlives a task could write into the next one's. Order across descriptors comes from what the child
does: it announces an order before the first output of it and reports after the last, so output that is read before
the announcement waits for it, and a report waits until the pipe holds nothing older.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
import sys
from collections import deque
from functools import partial

from awflow.backends.events import Began, Event, Exited, Lost, Reported, Wrote
from awflow.backends.processes import send_group, start_ticks
from awflow.backends.wire import Unpacker, pack
from awflow.errors import BackendError
from awflow.resources import THREAD_VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Any, Final

__all__ = ['Began', 'Event', 'Exited', 'Lost', 'Pool', 'Reported', 'Wrote']
# The path is set before anything is imported: `-c` would look for modules in the directory of the tasks first.
BOOT: Final = (
    'import sys; control, driver, sys.path[:] = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]; '
    'from awflow.backends.zygote import main; main(control, driver)'
)
PIECE: Final = 1 << 18  # bytes of output per look: tasks that write a lot take turns
TAIL: Final = 4000  # bytes of a zygote's last words that are kept
PATIENCE: Final = 5.0  # seconds for a zygote to kill its tasks and go


class Slot:
    """One launch: the process that performs it, as seen from here."""

    def __init__(self, number: int, orders: int, output: int, channel: socket.socket) -> None:
        self.number = number
        self.orders = orders
        self.output = output
        self.channel = channel
        self.messages = Unpacker()
        self.early = b''  # output of an order that has not been announced yet
        self.n = 0
        self.pid = 0
        self.announced = False
        self.ended: set[int] = set()  # descriptors that have nothing more to say, and would say so for ever

    def drain(self, limit: int) -> Iterator[Event]:
        """What is in the pipe now, at most `limit` bytes."""
        while limit > 0:
            try:
                data = os.read(self.output, min(limit, PIECE))
            except BlockingIOError:
                return
            if not data:
                self.ended.add(self.output)
                return
            limit -= len(data)
            if self.announced:
                yield Wrote(self.number, data)
            else:
                self.early += data

    def pump(self) -> Iterator[Event]:
        """The messages of the child, and before each report the output that preceded it."""
        try:
            data = self.channel.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b''
        if not data:
            self.ended.add(self.channel.fileno())
        for message in self.messages.feed(data):
            if 'began' in message:
                self.n, self.pid, self.announced = message['began'], message['pid'], True
                yield Began(self.number, self.n, self.pid)
                yield from self.late()
            else:
                yield from self.drain(_waiting(self.output))
                yield Reported(self.number, message['reported'], message['report'])

    def late(self) -> Iterator[Event]:
        """Output that came before its order was known."""
        if self.early:
            yield Wrote(self.number, self.early)
            self.early = b''

    def finish(self) -> Iterator[Event]:
        """All that is left when the process is gone."""
        yield from self.drain(sys.maxsize)
        yield from self.pump()
        yield from self.late()
        os.close(self.output)
        self.channel.close()


def _waiting(descriptor: int) -> int:
    """How many bytes a pipe holds. A background process may go on writing: what comes later does not delay a report."""
    from fcntl import ioctl
    from termios import FIONREAD

    return int.from_bytes(ioctl(descriptor, FIONREAD, bytes(4)), sys.byteorder)


class Zygote:
    """A zygote as its driver sees it: what is still to be sent to it, and its last words."""

    def __init__(self, environ: Mapping[str, str], cwd: str) -> None:
        self.control, theirs = socket.socketpair()
        self.words, words = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with theirs:
            command = [sys.executable, '-c', BOOT, str(theirs.fileno()), str(os.getpid()), *_path()]
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words, env=environ, cwd=cwd, start_new_session=True,
            )  # fmt: skip
        os.close(words)
        self.control.setblocking(False)
        self.ticks = start_ticks(self.process.pid)
        self.messages = Unpacker()
        self.outbox: deque[tuple[bytes, list[int]]] = deque()
        self.tail = b''
        self.slots: dict[int, Slot] = {}

    def post(self, message: object, descriptors: Iterable[int] = ()) -> None:
        """Sends without waiting: a zygote that loads a job does not read, and may wait for its output to be read."""
        self.outbox.append((pack(message), list(descriptors)))
        self.flush()

    def flush(self) -> None:
        while self.outbox:
            data, descriptors = self.outbox.popleft()
            try:
                sent = socket.send_fds(self.control, [data], descriptors)
            except BlockingIOError:
                self.outbox.appendleft((data, descriptors))
                return
            except (BrokenPipeError, ConnectionResetError):  # its end is told by the read side
                sent = len(data)
            for descriptor in descriptors:
                os.close(descriptor)
            if sent < len(data):
                self.outbox.appendleft((data[sent:], []))

    def listen(self) -> bytes:
        try:
            return self.control.recv(1 << 16)
        except ConnectionResetError:
            return b''

    def hear(self) -> bool:
        """Keeps its last words; False when there will be no more."""
        try:
            data = os.read(self.words, 1 << 16)
        except BlockingIOError:
            return True
        self.tail = (self.tail + data)[-TAIL:]
        return bool(data)

    def bury(self, patience: float) -> str:
        """Waits for its end, and says how it came."""
        self.control.close()
        try:
            code = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        while self.hear() and self._speaks():
            continue
        os.close(self.words)
        for _, descriptors in self.outbox:
            for descriptor in descriptors:
                os.close(descriptor)
        how = f'was killed by {signal.Signals(-code).name}' if code < 0 else f'exited with code {code}'
        return f'{how}\n{self.tail.decode(errors="replace")}'.strip()

    def _speaks(self) -> bool:
        return _waiting(self.words) > 0


def _path() -> list[str]:
    """The import path of a zygote until it gets the payload's. An empty entry would mean another directory there."""
    return [os.path.abspath(entry) for entry in sys.path if isinstance(entry, str)]


class Pool:
    """Processes for `slots` launches at a time. Used by one thread of the driver."""

    def __init__(
        self, slots: int, threads: Iterable[int] = (), *, environ: Mapping[str, str] | None = None, cwd: str = '.'
    ) -> None:
        if not sys.executable:
            raise BackendError('this Python does not know its own executable', 'Run a script with the python command.')
        self.size = slots
        self._environ = dict(os.environ if environ is None else environ)
        self._cwd = os.path.abspath(cwd)
        self._selector = selectors.DefaultSelector()
        self._zygotes: dict[int, Zygote] = {}  # by number of threads
        self._homes: dict[int, Zygote] = {}  # of the busy slots
        self._events: list[Event] = []
        self._payload = ''
        self._closed = False
        for count in dict.fromkeys(threads):
            self._zygote(count)

    @property
    def pids(self) -> list[tuple[int, int]]:
        """(pid, start in clock ticks since boot) of the zygotes: while one lives, so may tasks of this run."""
        return [(zygote.process.pid, zygote.ticks) for zygote in self._zygotes.values()]

    @property
    def busy(self) -> list[int]:
        """The slots that are launched into and have not exited."""
        return list(self._homes)

    def load(self, path: str) -> None:
        """Names the payload from which everything launched from now on takes its job."""
        self._payload = os.path.abspath(path)
        for zygote in self._zygotes.values():
            self._post(zygote, {'load': self._payload})

    def launch(self, slot: int, orders: list[dict[str, Any]], threads: int = 1) -> None:
        """Performs orders of one job in turn in a new process."""
        assert 0 <= slot < self.size, f'slot {slot} of {self.size}'
        assert slot not in self._homes, f'slot {slot} is busy'
        zygote = self._zygote(threads)
        output, theirs = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(output, False)
        channel, child = socket.socketpair()
        channel.setblocking(False)
        seat = Slot(slot, len(orders), output, channel)
        self._homes[slot] = zygote
        zygote.slots[slot] = seat
        self._selector.register(output, selectors.EVENT_READ, partial(self._read, seat, partial(seat.drain, PIECE)))
        self._selector.register(channel.fileno(), selectors.EVENT_READ, partial(self._read, seat, seat.pump))
        self._post(zygote, {'launch': slot, 'orders': orders}, [theirs, child.detach()])

    def go(self, slot: int) -> None:
        """Lets the slot begin its next order. Nothing happens if it has none, or has died since it reported."""
        zygote = self._homes.get(slot)
        if zygote is None or (seat := zygote.slots[slot]).n + 1 >= seat.orders:
            return
        seat.announced = False
        try:
            seat.channel.send(b'g')
        except OSError:
            pass  # it died while it waited, and will be told of

    def signal(self, slot: int, number: int) -> None:
        """Signals the task's whole process group; SIGKILL reaches also what has left the group."""
        zygote = self._homes.get(slot)
        if zygote is not None:
            self._post(zygote, {'signal': slot, 'number': int(number)})

    def wait(self, timeout: float | None = None) -> list[Event]:
        """What has happened, after at most `timeout` seconds; may be nothing."""
        for key, mask in self._selector.select(0 if self._events else timeout):
            if self._selector.get_map().get(key.fd) is key:  # not closed by what came before it in this list
                key.data(mask)
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """Kills what still runs and waits until it is gone. Tells nothing."""
        if self._closed:
            return
        self._closed = True
        zygotes = list(self._zygotes.values())
        for zygote in zygotes:
            zygote.control.shutdown(socket.SHUT_RDWR)
        for zygote in zygotes:
            zygote.bury(PATIENCE)
            for seat in zygote.slots.values():
                list(seat.finish())
        self._zygotes.clear()
        self._homes.clear()
        self._selector.close()

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _zygote(self, threads: int) -> Zygote:
        """The zygote for so many threads: libraries read their number when they are loaded, so each has its own."""
        if threads not in self._zygotes:
            environ = {**self._environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
            self._zygotes[threads] = zygote = Zygote(environ, self._cwd)
            self._selector.register(zygote.control, selectors.EVENT_READ, partial(self._control, threads, zygote))
            self._selector.register(zygote.words, selectors.EVENT_READ, partial(self._words, zygote))
            if self._payload:
                self._post(zygote, {'load': self._payload})
        return self._zygotes[threads]

    def _post(self, zygote: Zygote, message: object, descriptors: Iterable[int] = ()) -> None:
        zygote.post(message, descriptors)
        self._watch(zygote)

    def _watch(self, zygote: Zygote) -> None:
        """Asks to be woken when there is room for what could not be sent at once."""
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if zygote.outbox else 0)
        key = self._selector.get_key(zygote.control)
        if key.events != wanted:
            self._selector.modify(zygote.control, wanted, key.data)

    def _read(self, seat: Slot, source: Callable[[], Iterator[Event]], mask: int) -> None:
        self._events += source()
        self._forget(seat.ended)

    def _forget(self, descriptors: Iterable[int]) -> None:
        for descriptor in descriptors:
            if descriptor in self._selector.get_map():
                self._selector.unregister(descriptor)

    def _words(self, zygote: Zygote, mask: int) -> None:
        if not zygote.hear():
            self._selector.unregister(zygote.words)

    def _control(self, threads: int, zygote: Zygote, mask: int) -> None:
        if mask & selectors.EVENT_WRITE:
            zygote.flush()
            self._watch(zygote)
        if mask & selectors.EVENT_READ:
            data = zygote.listen()
            for message in zygote.messages.feed(data):
                told = message['status'], message['user'], message['system'], message['rss']
                self._leave(zygote, Exited(message['exited'], *told))
            if not data:
                self._lose(threads, zygote)

    def _leave(self, zygote: Zygote, exited: Exited) -> None:
        seat = zygote.slots.pop(exited.slot)
        del self._homes[exited.slot]
        self._forget((seat.output, seat.channel.fileno()))
        self._events += seat.finish()
        self._events.append(exited)

    def _lose(self, threads: int, zygote: Zygote) -> None:
        """The kernel has killed the tasks with their zygote; what they started is killed here as far as it is known."""
        self._forget((zygote.control.fileno(), zygote.words))
        for seat in list(zygote.slots.values()):
            if seat.pid:
                send_group(seat.pid, signal.SIGKILL)
            self._leave(zygote, Exited(seat.number, signal.SIGKILL, 0.0, 0.0, 0))
        del self._zygotes[threads]
        self._events.append(Lost(zygote.process.pid, zygote.bury(PATIENCE)))
