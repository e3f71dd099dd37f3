"""A place for one process after the other that performs orders, as the driver sees it: pool.py says how it is used."""

from __future__ import annotations

import os
import sys
from collections import deque

from awflow.backends.events import Began, Ended, Event, Reported, Wrote
from awflow.backends.table import BEGUN, PID, SILENT, WORDS
from awflow.backends.wire import Unpacker, pack
from awflow.backends.worker import USUAL, full

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from awflow.backends.pool import Zygote

GETPIPE_SZ: Final = 1032  # F_GETPIPE_SZ, which not every Python names
PAGE: Final = 4096  # bytes, of which a pipe is made
PIECE: Final = 1 << 18  # bytes of output per look: tasks that write a lot take turns


class Slot:
    """A place for one process after the other that performs orders, as seen from here."""

    room: int  # bytes of orders that a lane may be given at once

    def __init__(self, number: int, table: memoryview[int], home: Zygote) -> None:
        self.number = number
        self.home = home
        self.table = table
        self.at = number * WORDS
        self.output, output = os.pipe2(os.O_CLOEXEC)
        self.channel, mouth = os.pipe2(os.O_CLOEXEC)
        self.go = -1  # the end of a pipe by which batches are let go on, once one is to wait
        self.tokens = self.feed = -1  # of a lane: one token for each order that it has not begun, further orders
        os.set_blocking(self.output, False)
        os.set_blocking(self.channel, False)
        home.post({'seat': number}, [output, mouth])

    def begin(self, orders: int, marker: bytes, paced: bool, lane: bool) -> None:
        """A launch of so many orders."""
        self.orders = orders
        self.lane = lane
        self.said: dict[str, Any] | None = None  # by the process of a lane's order that is not over yet
        self.marker = marker
        self.paced = paced
        self.messages = Unpacker()
        self.reports: deque[Any] = deque()  # that are not told yet
        self.n = 0  # of the order that is told of now
        self.announced = False
        self.parts = [b'']  # what that order wrote, and those after it: not told yet
        self.busy = False  # whether the last look found output
        self.saying = False  # whether a part of a report has come
        if paced and self.go < 0:
            ear, self.go = os.pipe2(os.O_CLOEXEC)
            self.home.post({'ear': self.number}, [ear])
        if lane:
            self._equip(orders)

    def _equip(self, orders: int) -> None:
        """What the driver shares with a lane: a semaphore that it holds too, and the end of a pipe."""
        self.tokens = os.eventfd(orders, os.EFD_CLOEXEC | os.EFD_NONBLOCK | os.EFD_SEMAPHORE)
        trough, self.feed = os.pipe2(os.O_CLOEXEC)
        self.room = _capacity(self.feed) - PAGE  # the last is for what ends a lane
        self.home.post({'tokens': self.number}, [os.dup(self.tokens), trough])

    def end_lane(self) -> None:
        """The lane is gone."""
        for descriptor in (self.tokens, self.feed):
            os.close(descriptor)
        self.tokens = self.feed = -1

    def hungry(self) -> bool:
        """Whether a lane has taken all orders that it was given."""
        return not waiting(self.feed)

    def more(self, orders: list[dict[str, Any]]) -> bool:
        """Further orders for a lane that is hungry, or none to let it end; False if they are more than fits."""
        data = pack(orders)
        if orders and len(data) > self.room:
            return False
        self.orders += len(orders)
        os.eventfd_write(self.tokens, len(orders))  # before it may look for them
        os.write(self.feed, data)
        return True

    def take_back(self, number: int) -> int:
        """Take at most so many orders from a lane, the last ones; how many those are. It will not begin them."""
        taken = 0
        try:
            while taken < number:
                os.eventfd_read(self.tokens)
                taken += 1
        except BlockingIOError:
            pass
        self.orders -= taken
        return taken

    def announce(self) -> Iterator[Event]:
        """That its order has begun, if it has."""
        if not self.announced and self.table[self.at + BEGUN] > self.n:
            pid = self.table[self.at + PID]
            if self.lane and (not pid or self.table[self.at + BEGUN] > self.n + 1):
                return  # that is another order's
            self.announced = True
            yield Began(self.number, self.n, pid)

    def drain(self, limit: int) -> Iterator[Event]:
        """What is in the pipe now, at most `limit` bytes."""
        while limit > 0:
            data = _read(self.output, min(limit, PIECE))
            if not data:
                return
            limit -= len(data)
            yield from self.announce()
            yield Wrote(self.number, data)

    def pump(self) -> Iterator[Event]:
        """The child's reports, and before each the output that preceded it."""
        while data := _read(self.channel, PIECE):
            for report in self.messages.feed(data):
                yield from self.announce()
                yield from self.drain(waiting(self.output))
                yield Reported(self.number, self.n, full(report))
                self.n, self.announced = self.n + 1, False
        self.saying = self.messages.partial

    @property
    def alone(self) -> bool:
        """Whether it performs one order: nobody is woken by its report, for its end follows."""
        return not (self.marker or self.paced)

    def look(self, limit: int = PIECE) -> Iterator[Event]:
        """How orders that follow each other by themselves are getting on: each one's output, then its report."""
        while data := _read(self.channel, PIECE):
            self._hear(self.messages.feed(data))
        self.busy = False
        while limit > 0 and (data := _read(self.output, min(limit, PIECE))):
            limit -= len(data)
            self.parts[-1:] = (self.parts[-1] + data).split(self.marker)
            self.busy = self.busy or len(data) > len(self.marker) * (data.count(self.marker) + 1)
        yield from self._told()

    def _hear(self, messages: list[Any]) -> None:
        """Reports: of a lane's order that of its process, if it made one, and then the lane's."""
        if not self.lane:
            self.reports.extend(messages)
            return
        for message in messages:
            if isinstance(message, dict):
                self.said = message
                continue
            pid, status, user, system, rss, started, ended, silent = message
            n = self.n + len(self.reports)
            started, ended = started / 1e9, ended / 1e9
            over = Ended(self.number, n, pid, status, user / 1e6, system / 1e6, rss * 1024, started, ended)
            said, self.said = self.said, None
            report = full({'started': started, 'ended': ended, **(said or {})}) if said or silent else None
            self.reports.append((report and Reported(self.number, n, report), over))

    def _told(self) -> Iterator[Event]:
        while len(self.parts) > 1 and self.reports:
            told = self.reports.popleft()
            if self.lane and not self.announced:
                self.announced = True
                yield Began(self.number, self.n, told[1].pid)
            yield from self._written(self.parts.pop(0))
            if self.lane:
                yield from told[not told[0] :]
            else:
                yield Reported(self.number, self.n, full(told))
            self.n, self.announced = self.n + 1, False
        if len(self.parts) == 1:
            yield from self.announce()
            if self.lane and not self.announced:
                return  # it is told with its order
            text, self.parts[0] = _but_a_piece(self.parts[0], self.marker)
            yield from self._written(text)
        else:
            yield from self.announce()

    def _written(self, text: bytes) -> Iterator[Event]:
        yield from self.announce()
        if text:
            yield Wrote(self.number, text)

    def finish(self) -> Iterator[Event]:
        """All that is left when the process is gone."""
        if not self.marker:
            yield from self.announce()
            yield from self.drain(sys.maxsize)
            if self.table[self.at + SILENT]:
                yield Reported(self.number, self.n, USUAL)
            else:
                yield from self.pump()
            return
        yield from self.look(sys.maxsize)
        for text in self.parts:
            yield from self._written(text)
        if self.lane:
            return
        for report in self.reports:  # of the last one: no marker follows it
            yield from self.announce()
            yield Reported(self.number, self.n, full(report))

    def close(self) -> None:
        for descriptor in (self.output, self.channel, self.go, self.tokens, self.feed):
            if descriptor >= 0:
                os.close(descriptor)


def _read(descriptor: int, size: int) -> bytes:
    """What is there, b'' if nothing is."""
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return b''


def _capacity(descriptor: int) -> int:
    """How many bytes a pipe may hold: few for a user who has many of them."""
    from fcntl import fcntl

    return fcntl(descriptor, GETPIPE_SZ)


def _but_a_piece(text: bytes, marker: bytes) -> tuple[bytes, bytes]:
    """The text without, and with nothing but, what at its end may be the beginning of a marker."""
    at = text.rfind(marker[:1], max(0, len(text) - len(marker) + 1))
    if at >= 0 and marker.startswith(text[at:]):
        return text[:at], text[at:]
    return text, b''


def waiting(descriptor: int) -> int:
    """How many bytes a pipe holds. A background process may go on writing: what comes later does not delay a report."""
    from fcntl import ioctl
    from termios import FIONREAD

    return int.from_bytes(ioctl(descriptor, FIONREAD, bytes(4)), sys.byteorder)
