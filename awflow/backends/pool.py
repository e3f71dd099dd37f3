"""The driver's end of the tasks: slots to launch into, and events that come back.

The driver may be a notebook with threads of its own, so it forks nothing: zygotes do (see zygote.py), one per number
of threads that tasks use. Each slot has a pipe for output and one for reports, which are renewed when something may be left
that writes to them. Order across descriptors comes from what the child does: it notes in the table that an order begins
before the first output of it and reports after the last, so a report waits until the pipe holds nothing older. Where orders
follow each other by themselves (in batches and lanes) a marker in the output tells where one's ends, and the pipes are looked
at from time to time. A lane, which forks a process for each order, is given more while it works, and what it has not begun can
be taken back (see lane.py).
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from functools import partial
from time import monotonic

from awflow.backends.events import Began, Ended, Event, Exited, Lost, Reported, Wrote
from awflow.backends.processes import send_group, start_ticks
from awflow.backends.slot import PIECE, Slot, waiting
from awflow.backends.table import BEGUN, FREE, PID, WORDS, create, opened
from awflow.backends.wire import Unpacker, pack
from awflow.errors import BackendError
from awflow.resources import THREAD_VARIABLES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Final

__all__ = ['Began', 'Ended', 'Event', 'Exited', 'Lost', 'Pool', 'Reported', 'Wrote']
# The path is set before anything is imported: `-c` would look for modules in the directory of the tasks first.
BOOT: Final = (
    'import sys; numbers, sys.path[:] = map(int, sys.argv[1:4]), sys.argv[4:]; '
    'from awflow.backends.zygote import main; main(*numbers)'
)
BIND: Final = 'LD_BIND_NOW'  # has all names of libraries found as a program starts; tasks' own programs start as ever
BOUND: Final = 'awflow'
TAIL: Final = 4000  # bytes of a zygote's last words that are kept
PACE: Final = 0.02  # seconds between looks at batches; of those that write much
BUSY: Final = 0.002
LONG: Final = 0.1  # seconds after which it is looked whether a task waits for its report to be read, for it fits into no pipe
NOTHING: Final[Mapping[str, Any]] = {}
PATIENCE: Final = 5.0  # seconds for a zygote to kill its tasks and go


class Zygote:
    """A zygote as its driver sees it: what is still to be sent to it, and its last words."""

    def __init__(self, environ: Mapping[str, str], cwd: str, table: int) -> None:
        self.control, theirs = socket.socketpair()
        self.words, words = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with theirs:
            numbers = theirs.fileno(), os.getpid(), table
            command = [sys.executable, '-c', BOOT, *map(str, numbers), *_path()]
            self.process = subprocess.Popen(
                command, pass_fds=[theirs.fileno(), table],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words, env={BIND: BOUND, **environ},
                cwd=cwd, start_new_session=True,
            )  # fmt: skip
        os.close(words)
        self.control.setblocking(False)
        self.ticks = start_ticks(self.process.pid)
        self.messages = Unpacker()
        self.outbox: deque[tuple[bytes, list[int]]] = deque()
        self.blocked = False  # whether the outbox waits for room
        self.tail = b''
        self.slots: dict[int, Slot] = {}
        self.told: dict[int, tuple[int, object]] = {}  # what orders have in common, by identity -> its number, and itself

    def common(self, fields: Mapping[str, Any]) -> int:
        """The number under which it knows what orders have in common."""
        known = self.told.get(id(fields))
        if known is None:
            known = self.told[id(fields)] = (len(self.told), fields)
            self.post({'common': known[0], 'fields': fields})
        return known[0]

    def post(self, message: object, descriptors: Iterable[int] = ()) -> None:
        """Sends without waiting: a zygote that loads a job does not read, and may wait for its output to be read."""
        self.outbox.append((pack(message), list(descriptors)))
        self.flush()

    def flush(self) -> None:
        while self.outbox:
            data, descriptors = self.outbox.popleft()
            try:
                sent = socket.send_fds(self.control, [data], descriptors) if descriptors else self.control.send(data)
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
        return waiting(self.words) > 0


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
        self._memory = create(slots)
        self._table = opened(self._memory)
        self._marker = f'\0{os.urandom(12).hex()}\n'
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[int], None]] = {}
        self._zygotes: dict[int, Zygote] = {}  # by number of threads
        self._seats: dict[int, Slot] = {}  # that are launched into
        self._batches: dict[int, Slot] = {}  # those of them that must be looked at
        self._events: list[Event] = []
        self._heard = monotonic()
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
        return list(self._seats)

    def load(self, path: str) -> None:
        """Names the payload from which everything launched from now on takes its job."""
        self._payload = os.path.abspath(path)
        for zygote in self._zygotes.values():
            self._post(zygote, {'load': self._payload})

    def launch(
        self,
        slot: int,
        orders: list[dict[str, Any]],
        threads: int = 1,
        *,
        common: Mapping[str, Any] = NOTHING,
        paced: bool = True,
        lane: bool = False,
        careful: bool = False,
    ) -> None:
        """Performs orders of one job in turn in a new process. `common`, never changed, is what all orders of the job hold.

        The orders of a `paced` batch each wait for `go`. Those of a `lane` each get a process of their own, which that process
        forks; a `careful` one performs none after one that did not succeed.
        """
        assert 0 <= slot < self.size, f'slot {slot} of {self.size}'
        assert slot not in self._seats, f'slot {slot} is busy'
        zygote = self._zygote(threads)
        number = zygote.common(common)
        seat = zygote.slots.get(slot)
        if seat is None:
            seat = zygote.slots[slot] = Slot(slot, self._table, zygote)
            self._register(seat.output, partial(self._read, seat))
        waits = paced and len(orders) > 1 and not lane
        marker = self._marker if lane or (len(orders) > 1 and not waits) else ''
        self._table[seat.at : seat.at + WORDS] = FREE
        seat.begin(len(orders), marker.encode(), waits, lane)
        self._seats[slot] = seat
        if waits:
            self._register(seat.channel, partial(self._pump, seat))
        elif marker:
            self._batches[slot] = seat
            self._unregister(seat.output)
        message = {'launch': slot, 'orders': orders, 'common': number, 'marker': marker, 'lane': lane, 'careful': careful}
        self._post(zygote, message)

    def go(self, slot: int) -> None:
        """Lets the slot begin its next order. Nothing happens if it has none, or has died since it reported."""
        seat = self._seats.get(slot)
        if seat is not None and seat.paced and seat.n < seat.orders:
            os.write(seat.go, b'g')

    def begun(self, slot: int) -> int:
        """How many of the slot's orders have begun."""
        return self._table[WORDS * slot + BEGUN]

    def hungry(self, slot: int) -> bool:
        """Whether a lane has taken all orders that it was given."""
        return self._seats[slot].hungry()

    def more(self, slot: int, orders: list[dict[str, Any]]) -> bool:
        """Gives further orders to a lane that is hungry; False if they are too many at once."""
        return self._seats[slot].more(orders)

    def enough(self, slot: int) -> None:
        """Lets a lane end when it has performed its orders: it waits for more until it is told."""
        if slot in self._seats:
            self._seats[slot].more([])

    def take_back(self, slot: int, number: int) -> int:
        """Takes at most so many orders from the end of a lane, and says how many: those that it has not begun."""
        seat = self._seats.get(slot)
        return 0 if seat is None else seat.take_back(number)

    def signal(self, slot: int, number: int) -> None:
        """Signals the task's whole process group; SIGKILL reaches also what has left the group. A lane's task is the one that
        it has begun: nothing may be left for it to begin.
        """
        seat = self._seats.get(slot)
        if seat is not None:
            self._post(seat.home, {'signal': slot, 'number': int(number)})

    def wait(self, timeout: float | None = None) -> list[Event]:
        """What has happened, after at most `timeout` seconds; may be nothing."""
        if self._events:
            timeout = 0
        elif self._batches:
            pace = BUSY if any(seat.busy for seat in self._batches.values()) else PACE
            timeout = pace if timeout is None else min(timeout, pace)
        elif any(seat.saying for seat in self._seats.values()):
            timeout = BUSY if timeout is None else min(timeout, BUSY)
        for descriptor, mask in self._epoll.poll(timeout):
            handler = self._handlers.get(descriptor)
            if handler is not None:  # not closed by what came before it in this list
                handler(mask)
        for seat in self._batches.values():
            self._events += seat.look()
        hear = monotonic() - self._heard > LONG
        for seat in self._seats.values():
            if not seat.announced:
                self._events += seat.announce()
            if seat.saying or (hear and seat.alone):
                self._events += seat.pump()
        if hear:
            self._heard = monotonic()
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
                seat.close()
        self._zygotes.clear()
        self._seats.clear()
        self._batches.clear()
        self._handlers.clear()
        self._epoll.close()
        os.close(self._memory)

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _zygote(self, threads: int) -> Zygote:
        """The zygote for so many threads: libraries read their number when they are loaded, so each has its own."""
        if threads not in self._zygotes:
            environ = {**self._environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
            self._zygotes[threads] = zygote = Zygote(environ, self._cwd, self._memory)
            self._register(zygote.control.fileno(), partial(self._control, threads, zygote))
            self._register(zygote.words, partial(self._words, zygote))
            if self._payload:
                self._post(zygote, {'load': self._payload})
        return self._zygotes[threads]

    def _register(self, descriptor: int, handler: Callable[[int], None]) -> None:
        self._handlers[descriptor] = handler
        self._epoll.register(descriptor, select.EPOLLIN)

    def _unregister(self, *descriptors: int) -> None:
        for descriptor in descriptors:
            if self._handlers.pop(descriptor, None) is not None:
                self._epoll.unregister(descriptor)

    def _post(self, zygote: Zygote, message: object) -> None:
        zygote.post(message)
        if zygote.outbox or zygote.blocked:
            self._watch(zygote)

    def _watch(self, zygote: Zygote) -> None:
        """Asks to be woken when there is room for what could not be sent at once."""
        zygote.blocked = bool(zygote.outbox)
        self._epoll.modify(zygote.control, select.EPOLLIN | (select.EPOLLOUT if zygote.blocked else 0))

    def _read(self, seat: Slot, mask: int) -> None:
        self._events += seat.drain(PIECE)

    def _pump(self, seat: Slot, mask: int) -> None:
        self._events += seat.pump()

    def _words(self, zygote: Zygote, mask: int) -> None:
        if not zygote.hear():
            self._unregister(zygote.words)

    def _control(self, threads: int, zygote: Zygote, mask: int) -> None:
        if mask & select.EPOLLOUT:
            zygote.flush()
            self._watch(zygote)
        if mask & ~select.EPOLLOUT:
            data = zygote.listen()
            for slot, status, user, system, rss, clean in zygote.messages.feed(data):
                begun = self._table[WORDS * slot + BEGUN]
                self._leave(zygote, Exited(slot, status, user / 1e6, system / 1e6, rss * 1024, begun), clean)
            if not data:
                self._lose(threads, zygote)

    def _leave(self, zygote: Zygote, exited: Exited, clean: bool) -> None:
        seat = self._seats.pop(exited.slot)
        self._events += seat.finish()
        self._events.append(exited)
        if seat.paced:
            self._unregister(seat.channel)
        if seat.lane:
            seat.end_lane()
        if self._batches.pop(exited.slot, None) is not None and clean:
            self._register(seat.output, partial(self._read, seat))
        if not clean or seat.paced:  # somebody may still write, or a `go` that came too late be there
            del zygote.slots[exited.slot]
            self._unregister(seat.output)
            seat.close()

    def _lose(self, threads: int, zygote: Zygote) -> None:
        """The kernel has killed the tasks with their zygote; what they started is killed here as far as it is known."""
        self._unregister(zygote.control.fileno(), zygote.words)
        for seat in [seat for seat in self._seats.values() if seat.home is zygote]:
            pid = self._table[seat.at + PID]
            if pid:
                send_group(pid, signal.SIGKILL)
            begun = self._table[seat.at + BEGUN]
            self._leave(zygote, Exited(seat.number, signal.SIGKILL, 0.0, 0.0, 0, begun), clean=False)
        for seat in zygote.slots.values():
            self._unregister(seat.output)
            seat.close()
        del self._zygotes[threads]
        self._events.append(Lost(zygote.process.pid, zygote.bury(PATIENCE)))
