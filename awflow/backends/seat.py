"""A slot as its zygote and its child see it, and what the orders that come to it hold alike."""

from __future__ import annotations

import os
import sys
import time

from awflow.backends.child import Seat as Place
from awflow.backends.child import say
from awflow.backends.table import BEGUN, CLEAN, NEEDED, PID, SILENT, WORDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

ON_DEMAND: Final = (  # what some tasks import; loaded here once the first of them has
    'linecache',
    'traceback',
    'awflow.backends.stored',
    'awflow.fingerprint',
    'awflow.state.store',
    'awflow.job',
)


class Seat(Place):
    """A slot as its child sees it."""

    __slots__ = ('at', 'began', 'ear', 'journal', 'modules', 'mouth', 'output', 'path', 'table', 'tokens', 'trough')

    def __init__(self, slot: int, table: memoryview[int], output: int, mouth: int) -> None:
        self.at = slot * WORDS
        self.table = table
        self.output, self.mouth = output, mouth
        self.ear = -1  # of those that wait to go on
        self.tokens = self.trough = -1  # of orders that a lane may begin, and further ones
        self.journal, self.path = -1, ''
        self.began = 0.0
        self.modules = 0  # how many were loaded before the fork

    def close(self) -> None:
        for descriptor in (self.output, self.mouth, self.ear, self.tokens, self.trough):
            if descriptor >= 0:
                os.close(descriptor)

    def end_lane(self) -> None:
        """The lane is gone, and so are its tokens."""
        os.close(self.tokens)
        os.close(self.trough)
        self.tokens = self.trough = -1

    def begin(self, n: int, order: dict[str, Any]) -> bool:
        """The n-th order begins. Its start is on record already, or is now, in one write; False if it cannot be."""
        line = order.pop('line', None)
        if line is not None:
            try:
                if self.path != order['journal']:
                    self._open(order['journal'])
                data = line.encode('ascii')
                if os.write(self.journal, data) < len(data):
                    return False
            except OSError:
                return False
        self.table[self.at + PID] = os.getpid()  # before it is told that it begins: who forked it may not have got to it
        self.table[self.at + BEGUN] = n + 1
        self.began = time.time()
        return True

    def _open(self, path: str) -> None:
        if self.journal >= 0:
            os.close(self.journal)
        self.path = ''
        self.journal = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        self.path = path

    def report(self, n: int, report: dict[str, Any], last: int) -> None:
        """The n-th order is done. If there is one only, and nothing to be said of it, a word in the table will do."""
        if report or last:
            say(self.mouth, {'started': self.began, 'ended': time.time(), **report})
        else:
            self.table[self.at + SILENT] = 1

    def clean(self) -> None:
        """Nothing is left behind; and what had to be loaded."""
        self.needs()
        self.table[self.at + CLEAN] = 1

    def needs(self) -> None:
        """Tell which modules had to be loaded."""
        if len(sys.modules) > self.modules:
            self.table[self.at + NEEDED] = sum(1 << n for n, name in enumerate(ON_DEMAND) if name in sys.modules)


class Common:
    """What the orders of a job hold alike. Each child has a copy, so one mapping does for all: few pages are written to."""

    __slots__ = ('fields', 'latest', 'names')

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields
        self.latest = dict(fields)
        self.names: list[str] = []  # what the latest order said itself

    def completed(self, orders: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if len(orders) > 1:
            return [{**self.fields, **order} for order in orders]
        names = list(orders[0])
        if names != self.names:
            self.latest, self.names = dict(self.fields), names
        self.latest.update(orders[0])
        return [self.latest]
