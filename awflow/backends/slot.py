"""A place for one process after the other that performs orders, as the driver sees it: pool.py says how it is used."""

from __future__ import annotations

import os
import sys
from collections import deque

from awflow.backends.events import Began, Event, Reported, Wrote
from awflow.backends.table import BEGUN, PID, SILENT, WORDS
from awflow.backends.wire import Unpacker
from awflow.backends.worker import USUAL, full

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from awflow.backends.pool import Zygote

PIECE: Final = 1 << 18  # bytes of output per look: tasks that write a lot take turns


class Slot:
    """A place for one process after the other that performs orders, as seen from here."""

    def __init__(self, number: int, table: memoryview[int], home: Zygote) -> None:
        self.number = number
        self.home = home
        self.table = table
        self.at = number * WORDS
        self.output, output = os.pipe2(os.O_CLOEXEC)
        self.channel, mouth = os.pipe2(os.O_CLOEXEC)
        self.go = -1  # the end of a pipe by which batches are let go on, once one is to wait
        os.set_blocking(self.output, False)
        os.set_blocking(self.channel, False)
        home.post({'seat': number}, [output, mouth])

    def begin(self, orders: int, marker: bytes, paced: bool) -> None:
        """A launch of so many orders."""
        self.orders = orders
        self.marker = marker
        self.paced = paced
        self.messages = Unpacker()
        self.reports: deque[dict[str, Any]] = deque()  # that are not told yet
        self.n = 0  # of the order that is told of now
        self.announced = False
        self.parts = [b'']  # what that order wrote, and those after it: not told yet
        self.busy = False  # whether the last look found output
        self.saying = False  # whether a part of a report has come
        if paced and self.go < 0:
            ear, self.go = os.pipe2(os.O_CLOEXEC)
            self.home.post({'ear': self.number}, [ear])

    def announce(self) -> Iterator[Event]:
        """That its order has begun, if it has."""
        if not self.announced and self.table[self.at + BEGUN] > self.n:
            self.announced = True
            yield Began(self.number, self.n, self.table[self.at + PID])

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
            self.reports.extend(self.messages.feed(data))
        self.busy = False
        while limit > 0 and (data := _read(self.output, min(limit, PIECE))):
            limit -= len(data)
            self.parts[-1:] = (self.parts[-1] + data).split(self.marker)
            self.busy = self.busy or len(data) > len(self.marker) * (data.count(self.marker) + 1)
        yield from self._told()

    def _told(self) -> Iterator[Event]:
        while len(self.parts) > 1 and self.reports:
            yield from self._written(self.parts.pop(0))
            yield Reported(self.number, self.n, full(self.reports.popleft()))
            self.n, self.announced = self.n + 1, False
        if len(self.parts) == 1:
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
        for report in self.reports:  # of the last one: no marker follows it
            yield from self.announce()
            yield Reported(self.number, self.n, full(report))

    def close(self) -> None:
        for descriptor in (self.output, self.channel, self.go):
            if descriptor >= 0:
                os.close(descriptor)


def _read(descriptor: int, size: int) -> bytes:
    """What is there, b'' if nothing is."""
    try:
        return os.read(descriptor, size)
    except BlockingIOError:
        return b''


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
