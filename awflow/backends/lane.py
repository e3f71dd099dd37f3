"""A process that forks one process for each of many orders of a job: what they have in common is done once.

A process for each task costs page faults, more of them the more is done in it, and as many again in whoever forks it. So the
zygote forks a lane for a slot where many short tasks wait. The lane settles (streams, orders, environment), and then forks,
waits, reports, one order after the other, touching little in between. What is each process's own stays in the child: its
session, its end with its parent, its random numbers, its signals.

What does not work. To let the child itself go on to the next order: that is a batch, and a crash takes the others along. To let
it adopt its own orphans as other tasks do: that is one step more in each child, and the lane can do it once, for it has one
child at a time. Whatever is a child of the lane when the task's process has ended was left behind by that task, and is
killed before the next one begins.

A token for each order lies in a pipe. The lane takes one before it begins an order, and ends when there is none; the driver
takes them back for orders that had better run elsewhere. A token reaches one of the two, so no order is begun twice or not at
all.

    to the driver, by the child    its report, if there is more to say than that it succeeded
    to the driver, by the lane     [pid, status, user, system, rss, started, ended, whether it succeeded without a report]

The child's report is written at once if it fits, which the system does whole or not at all. While it writes a longer one, a
word in the table says so: should it die meanwhile, the lane ends as it did, for nobody could tell where the next message
begins.
"""

from __future__ import annotations

import gc
import os
import sys
from time import time

from awflow.backends.child import Child, draw_new_random_state, finish, write_all
from awflow.backends.processes import adopt_orphans, childless, die_with_parent, kill_children
from awflow.backends.seat import Common, Seat
from awflow.backends.surroundings import settle_lightly
from awflow.backends.table import FAILED, PID, SAYING, SILENT
from awflow.backends.wire import LENGTH, pack
from awflow.backends.worker import Terminated

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

    from awflow.backends.child import Alarm
    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition
else:
    import _signal as signal  # as all that is here

WHOLE: Final = 4096  # bytes that a pipe takes whole or not at all


class Lane:
    """Performs orders in turn, each in a process of its own."""

    __slots__ = ('at', 'careful', 'child', 'clean', 'common', 'marker', 'me', 'seat', 'table', 'telling')

    def __init__(
        self,
        seat: Seat,
        load: Callable[[], Definition],
        common: Common,
        tools: Tools,
        alarm: Alarm,
        marker: bytes,
        careful: bool,
    ) -> None:
        self.seat = seat
        self.table, self.at = seat.table, seat.at
        self.child = Child((seat.mouth, -1), seat.output, load, tools, seat=seat, alarm=alarm)
        self.telling = common.fields.get('telling')
        self.common = Common(common.fields if self.telling is None else {**common.fields, 'telling': ()})
        self.marker = marker
        self.careful = careful  # ends after a task that did not succeed
        self.clean = True  # nothing is left behind
        self.me = os.getpid()

    def live(self, orders: list[dict[str, Any]], parent: int) -> NoReturn:
        """All there is of this process."""
        status = 1
        try:
            self._settle(parent)
            orders.reverse()
            n = 0
            while orders and self._token() and self._performed(n, orders.pop()):
                n += 1
            if self.clean:
                self.seat.clean()
            status = 0
        except OSError:  # the driver is gone, or a system call was refused that nothing can be done without
            pass
        finally:
            os._exit(status)

    def _settle(self, parent: int) -> None:
        """Takes its place, and makes the place of its children."""
        os.setsid()
        die_with_parent(parent)
        adopt_orphans()
        os.dup2(self.seat.output, 1)
        os.dup2(self.seat.output, 2)
        os.set_blocking(self.seat.output, True)  # as the task before may not have left it
        gc.freeze()
        gc.enable()

    def _token(self) -> bool:
        try:
            return os.read(self.seat.tokens, 1) != b''
        except BlockingIOError:
            return False

    def _performed(self, n: int, order: dict[str, Any]) -> bool:
        """The n-th order, in a process of its own, from its start to its end on record; False if it has to be the last."""
        seat, table, at = self.seat, self.table, self.at
        order = self.common.completed_one(order)
        if self.telling is not None:
            settle_lightly(order, self.telling)
        table[at + SILENT] = 0
        if not seat.begin(n, order):
            return False
        try:
            pid = os.fork()
        except OSError as error:  # no more processes, no more memory
            os.write(seat.output, f'awflow: the task could not be started: {error}\n'.encode())
            self._tell(0, os.EX_OSERR << 8, 0.0, 0.0, 0)
            return False
        if pid == 0:
            self._become(order)
        table[at + PID] = pid
        _, status, usage = os.wait4(pid, 0)
        table[at + PID] = 0
        self.clean = childless() or kill_children()
        if table[at + SAYING]:
            _die_like(status)
        os.set_blocking(seat.output, True)  # the task may have done as it liked with it
        self._tell(pid, status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss)
        return self.clean and not (self.careful and (status or table[at + FAILED]))

    def _tell(self, pid: int, status: int, user: float, system: float, rss: int) -> None:
        """The order has ended: what it wrote does so with a marker, and how it went is told."""
        seat = self.seat
        os.write(seat.output, self.marker)
        body = b'[%d,%d,%d,%d,%d,%.6f,%.6f,%d]' % (
            pid, status, 1e6 * user, 1e6 * system, rss, seat.began, time(), self.table[self.at + SILENT],
        )  # fmt: skip
        os.write(seat.mouth, len(body).to_bytes(LENGTH, 'big') + body)

    def _become(self, order: dict[str, Any]) -> NoReturn:
        """All there is of the process of a task."""
        status = 1
        try:
            os.setsid()
            die_with_parent(self.me)
            draw_new_random_state()
            self._report(self.child.perform(order))
            status = 0
        except (Terminated, KeyboardInterrupt):
            status = 128 + signal.SIGTERM
        finally:
            finish()
            if len(sys.modules) > self.seat.modules:
                self.seat.needs()
            os._exit(status)

    def _report(self, report: dict[str, Any]) -> None:
        if not report:
            self.table[self.at + SILENT] = 1
            return
        if report.get('outcome', 'succeeded') != 'succeeded':
            self.table[self.at + FAILED] = 1
        message = pack(report)
        self.table[self.at + SAYING] = len(message) > WHOLE
        write_all(self.seat.mouth, message)
        self.table[self.at + SAYING] = 0


def _die_like(status: int) -> NoReturn:
    """Ends this process as another one ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) or 1)
