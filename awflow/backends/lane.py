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

import atexit
import gc
import os
import sys
from posix import (
    P_ALL,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    chdir,
    fork,
    getpid,
    read,
    set_blocking,
    setsid,
    wait4,
    waitid,
    write,
)
from time import time_ns

from awflow.backends.child import ENDING, HEARD, Child, finish, flush, write_all
from awflow.backends.loading import filling
from awflow.backends.processes import adopt_orphans, die_with_parent, kill_children
from awflow.backends.surroundings import PARENT, set_variable, told_to_schedules
from awflow.backends.table import BEGUN, FAILED, PID, SAYING, SILENT
from awflow.backends.wire import LENGTH, pack
from awflow.backends.worker import Terminated
from awflow.current import CURRENT
from awflow.state.smallfiles import is_small_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Mapping
    from typing import Any, Final, NoReturn

    from awflow.backends.child import Alarm
    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition
    from awflow.backends.seat import Seat

    # an order, the descriptor of its journal and what is noted there, what schedules in it are told, what its function is given
    Ready = tuple[dict[str, Any], int, bytes, bytes | None, tuple[object, ...] | None]
else:
    import _signal as signal  # as all that is here

WHOLE: Final = 4096  # bytes that a pipe takes whole or not at all
QUICK: Final = (range, list, tuple)  # whose elements are found without running code of the user's


class _Nothing:
    """What a process used that there never was."""

    ru_utime = ru_stime = ru_maxrss = 0


class Lane:
    """Performs orders in turn, each in a process of its own."""

    def __init__(
        self, seat: Seat, load: Callable[[], Definition], tools: Tools, alarm: Alarm, marker: bytes, careful: bool
    ) -> None:
        self.seat = seat
        self.table, self.at = seat.table, seat.at
        self.child = Child((seat.mouth, -1), seat.output, load, tools, seat=seat, alarm=alarm)
        self.alarm = alarm
        self.marker = marker
        self.careful = careful  # ends after a task that did not succeed
        self.clean = True  # nothing is left behind
        self.me = os.getpid()
        try:
            self.definition: Definition | None = load()
        except Exception:  # noqa: BLE001  each task says so itself
            self.definition = None
        self.context = None if self.definition is None else tools.context(self.definition, {})
        numpy = sys.modules.get('numpy.random')
        self.seed = None if numpy is None else numpy.seed
        self.threads = 'threading' in sys.modules
        self.journals: dict[str, int] = {}

    def live(self, orders: list[dict[str, Any]], common: Mapping[str, Any], parent: int) -> NoReturn:
        """All there is of this process."""
        status = 1
        try:
            self._settle(common, parent)
            self._perform([self._ready(order, common) for order in orders])
            if self.clean:
                self.seat.clean()
            status = 0
        except OSError:  # the driver is gone, or a system call was refused that nothing can be done without
            pass
        finally:
            os._exit(status)

    def _settle(self, common: Mapping[str, Any], parent: int) -> None:
        """Takes its place, and makes that of its children."""
        os.setsid()
        die_with_parent(parent)
        adopt_orphans()
        os.dup2(self.seat.output, 1)
        os.dup2(self.seat.output, 2)
        os.set_blocking(self.seat.output, True)  # as the task before may not have left it
        CURRENT.set(self.context)
        if common.get('cuda') is not None:
            os.environ['CUDA_VISIBLE_DEVICES'] = common['cuda']
        self.filling = filling()
        gc.freeze()
        gc.enable()

    def _ready(self, order: dict[str, Any], common: Mapping[str, Any]) -> Ready:
        """All that can be done for an order before its process is there."""
        order = {**common, **order}
        line = order.pop('line').encode('ascii')
        told = None
        if order.get('telling'):
            told = told_to_schedules(order, order['telling'])
            order['telling'] = ()
        definition, values = self.definition, None
        if definition is not None and told and _is_plain(definition, order):
            values = () if definition.array is None else (definition.array.values[order['position']],)
        return order, self._journal(order['journal']), line, told, values

    def _journal(self, path: str) -> int:
        if path not in self.journals:
            self.journals[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return self.journals[path]

    def _perform(self, ready: list[Ready]) -> None:
        """Fork, wait and tell, until there is no token any more. What is touched here is copied each time: little is."""
        table, begun, pid_at, silent = self.table, self.at + BEGUN, self.at + PID, self.at + SILENT
        output, mouth, tokens, marker, context = self.seat.output, self.seat.mouth, self.seat.tokens, self.marker, self.context
        for n, (order, journal, line, told, values) in enumerate(ready, 1):
            try:
                if not read(tokens, 1):
                    return
            except BlockingIOError:
                return
            if told is not None:
                set_variable(PARENT, told)
            if context is not None:
                context.order = order
            table[silent] = 0
            if write(journal, line) < len(line):
                return
            table[begun] = n
            began = time_ns()
            try:
                pid = fork()
            except OSError as error:  # no more processes, no more memory
                self._refuse(error, began)
                return
            if not pid:
                self._become(order, values)
            table[pid_at] = pid
            _, status, usage = wait4(pid, 0)
            table[pid_at] = 0
            try:
                waitid(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT)
                self.clean = kill_children()
            except ChildProcessError:  # it left none behind
                pass
            if status and table[self.at + SAYING]:
                _die_like(status)
            set_blocking(output, True)  # the task may have done as it liked with it
            write(output, marker)
            write(mouth, _told(pid, status, usage, began, table[silent]))
            if not self.clean or (self.careful and (status or table[self.at + FAILED])):
                return

    def _refuse(self, error: OSError, began: int) -> None:
        write(self.seat.output, f'awflow: the task could not be started: {error}\n'.encode() + self.marker)
        write(self.seat.mouth, _told(0, os.EX_OSERR << 8, _Nothing, began, 0))

    def _become(self, order: dict[str, Any], values: tuple[object, ...] | None) -> NoReturn:
        """All there is of the process of a task. The more is called here, the more pages it copies."""
        status = 1
        try:
            setsid()
            die_with_parent(self.me)
            if self.seed is not None:
                self.seed()
            if values is None:
                self._report(self.child.perform(order))
            elif self._plainly(order, values):
                self.table[self.at + SILENT] = 1
            status = 0
        except (Terminated, KeyboardInterrupt):
            status = 128 + signal.SIGTERM
        finally:
            if len(sys.modules) > self.seat.modules:
                self.seat.needs()
                finish()
            elif self.threads:
                finish()
            else:
                atexit._run_exitfuncs()
                flush()
            os._exit(status)

    def _plainly(self, order: dict[str, Any], values: tuple[object, ...]) -> bool:
        """A task of which nothing but its function is to be performed here; whether there is nothing to be said of it.

        Otherwise it is said as of any task: what has become of the function takes the function's place.
        """
        assert self.definition is not None, 'plain tasks have one'
        me, failed, over = getpid(), None, False
        result = None
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
            result = self.definition.function(*values)
            over = True
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        except BaseException as error:  # noqa: BLE001
            failed = error
        if getpid() != me:  # forked by the function, and came back: it has nothing to report
            sys.stdout.flush()
            os._exit(failed is not None)
        if failed is None and result is None and not self.alarm.rang and _are_there(order):
            return True
        if over and failed is not None:  # it was to end when all was done
            failed, self.alarm.rang = None, False
        self.definition.function = lambda *_: _again(failed, result)
        self._report(self.child.perform(order))
        return False

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


def _is_plain(definition: Definition, order: dict[str, Any]) -> bool:
    """Whether a task's process has nothing to do but to call its function."""
    if definition.before or definition.after or order['inputs'] or order.get('lint') is not None:
        return False
    if not order.get('digested') or order.get('outputs') is None:
        return False
    return definition.array is None or type(definition.array.values) in QUICK


def _are_there(order: dict[str, Any]) -> bool:
    """Whether all outputs are small files, which the driver digests."""
    try:
        chdir(order['cwd'])  # paths are relative to it, wherever the function went
    except OSError:
        return False
    return all(map(is_small_file, order['outputs']))


def _again(failed: BaseException | None, result: object) -> object:
    """What the function did."""
    if failed is not None:
        raise failed
    return result


def _told(pid: int, status: int, usage: Any, began: int, silent: int) -> bytes:
    user, system = int(1e6 * usage.ru_utime), int(1e6 * usage.ru_stime)
    body = b'[%d,%d,%d,%d,%d,%d,%d,%d]' % (pid, status, user, system, usage.ru_maxrss, began, time_ns(), silent)
    return len(body).to_bytes(LENGTH, 'big') + body


def _die_like(status: int) -> NoReturn:
    """Ends this process as another one ended."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status) or 1)
