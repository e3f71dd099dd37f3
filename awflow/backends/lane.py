"""A process that forks one process for each of many orders of a job: what they have in common is done once.

A process for each task costs page faults, more of them the more is done in it, and as many again in whoever forks it. So the
zygote forks a lane for a slot where many short tasks wait. The lane settles (streams, orders, environment), and then forks,
waits, reports, one order after the other, touching little in between. What is each process's own stays in the child: its
session, its end with its parent, its random numbers, its signals.

What does not work. To let the child itself go on to the next order: that is a batch, and a crash takes the others along. To let
it adopt its own orphans as other tasks do: that is one step more in each child, and the lane can do it once, for it has one
child at a time. Whatever is a child of the lane when the task's process has ended was left behind by that task, and is
killed before the next one begins.

There is a token for each order, in a semaphore. The lane takes one before it begins an order, and ends when there is none; the
driver takes them back for orders that had better run elsewhere. A token reaches one of the two, so no order is begun twice or
not at all.

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
from atexit import _run_exitfuncs
from posix import (
    P_ALL,
    WEXITED,
    WNOHANG,
    WNOWAIT,
    _exit,
    chdir,
    fork,
    getpid,
    getppid,
    read,
    set_blocking,
    setsid,
    wait4,
    waitid,
    write,
)
from time import time_ns

from awflow.backends.child import HEARD, Child, finish, flush, write_all
from awflow.backends.libc import fflush, quick_prctl
from awflow.backends.loading import filling, load_on_demand
from awflow.backends.processes import SET_PDEATHSIG, adopt_orphans, die_with_parent, kill_children
from awflow.backends.surroundings import PARENT, set_variable, told_to_schedules
from awflow.backends.table import BEGUN, FAILED, NEEDED, PID, SAYING, SILENT
from awflow.backends.wire import LENGTH, Unpacker, pack
from awflow.backends.worker import Terminated, show
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

    Given = tuple[tuple[object, ...], list[str], str]  # what a function is called with; outputs that are to be there; and where
    Ready = tuple[dict[str, Any], int, bytes, bytes | None, Given | None]  # an order, where its start is noted and how, ...
    Fixed = tuple[int, Alarm, Callable[[], None] | None, Any, dict[str, Any], bool]  # what the children have in common
else:
    import _signal as signal  # as all that is here

PIECE: Final = 1 << 16  # bytes of orders read at once
WHOLE: Final = 4096  # bytes that a pipe takes whole or not at all
let_in = signal.pthread_sigmask
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
        self.loaded = 0  # as the table names modules
        self.me = getpid()
        try:
            self.definition: Definition | None = load()
        except Exception:  # noqa: BLE001  each task says so itself
            self.definition = None
        self.context = None if self.definition is None else tools.context(self.definition, {})
        numpy = sys.modules.get('numpy.random')
        self.seed = None if numpy is None else numpy.seed
        self.journals: dict[str, int] = {}
        self.messages = Unpacker()
        self.portions: list[list[dict[str, Any]]] = []  # of orders, that have come and are not performed

    def live(self, orders: list[dict[str, Any]], common: Mapping[str, Any], parent: int) -> NoReturn:
        """All there is of this process."""
        status = 1
        try:
            self._settle(common, parent)
            while orders and self._perform([self._ready(order, common) for order in orders]):
                orders = self._more()
            if self.clean:
                self.seat.clean()
            status = 0
        except OSError:
            pass  # the driver is gone, or finds itself what cannot be done here
        except Exception as error:  # noqa: BLE001  a mistake here
            show(error)
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
        definition, given = self.definition, None
        if definition is not None and told and _is_plain(definition, order):
            values = () if definition.array is None else (definition.array.values[order['position']],)
            given = values, order['outputs'], order['cwd']
        return order, self._journal(order['journal']), line, told, given

    def _journal(self, path: str) -> int:
        if path not in self.journals:
            self.journals[path] = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        return self.journals[path]

    def _more(self) -> list[dict[str, Any]]:
        """The orders that come next; none if those were all."""
        while not self.portions:
            data = read(self.seat.trough, PIECE)
            if not data:
                return []  # the driver is gone
            self.portions += self.messages.feed(data)
        return self.portions.pop(0)

    def _perform(self, ready: list[Ready]) -> bool:
        """Fork, wait and tell; False if that has to be all. What is touched here is copied each time: little is."""
        table, begun, pid_at = self.table, self.at + BEGUN, self.at + PID
        silent, needed = self.at + SILENT, self.at + NEEDED
        function = None if self.definition is None else self.definition.function
        fixed = self.me, self.alarm, self.seed, function, sys.modules, 'threading' in sys.modules
        output, mouth, tokens, marker, context = self.seat.output, self.seat.mouth, self.seat.tokens, self.marker, self.context
        for n, (order, journal, line, told, given) in enumerate(ready, table[begun] + 1):
            try:
                read(tokens, 8)
            except BlockingIOError:  # the driver has taken it back
                return False
            if told is not None:
                set_variable(PARENT, told)
            if context is not None:
                context.order = order
            table[silent] = 0
            if write(journal, line) < len(line):
                return False
            table[begun] = n
            began = time_ns()
            try:
                pid = fork()
            except OSError as error:  # no more processes, no more memory
                self._refuse(error, began)
                return False
            if not pid:
                _become(self, fixed, order, given)
            table[pid_at] = pid
            _, status, usage = wait4(pid, 0)
            table[pid_at] = 0
            try:
                waitid(P_ALL, 0, WEXITED | WNOHANG | WNOWAIT)
                self.clean = kill_children()
            except ChildProcessError:  # it left none behind
                pass
            if table[self.at + SAYING]:
                _die_like(status)
            if table[needed] != self.loaded:
                self._load(table[needed])
            set_blocking(output, True)  # the task may have done as it liked with it
            write(output, marker)
            write(mouth, _told(pid, status, usage, began, table[silent]))
            if not self.clean or (self.careful and (status or table[self.at + FAILED])):
                return False
        return True

    def _load(self, needed: int) -> None:
        """What the last task had to load is here for the next ones."""
        self.loaded = needed
        load_on_demand(needed)
        self.seat.modules = len(sys.modules)

    def _refuse(self, error: OSError, began: int) -> None:
        write(self.seat.output, f'awflow: the task could not be started: {error}\n'.encode() + self.marker)
        write(self.seat.mouth, _told(0, os.EX_OSERR << 8, _Nothing, began, 0))

    def report(self, report: dict[str, Any]) -> None:
        if not report:
            self.table[self.at + SILENT] = 1
            return
        if report.get('outcome', 'succeeded') != 'succeeded':
            self.table[self.at + FAILED] = 1
        message = pack(report)
        self.table[self.at + SAYING] = len(message) > WHOLE
        write_all(self.seat.mouth, message)
        self.table[self.at + SAYING] = 0


def _become(lane: Lane, fixed: Fixed, order: dict[str, Any], given: Given | None) -> NoReturn:
    """All there is of the process of a task. Every function called here and every name looked up is pages copied: few are."""
    me, alarm, seed, function, modules, threads = fixed
    status = 1
    try:
        setsid()
        if quick_prctl(SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) or getppid() != me:
            die_with_parent(me)
        if seed is not None:
            seed()
        if given is None:
            lane.report(lane.child.perform(order))
        else:
            _plainly(lane, alarm, function, order, given)
        status = 0
    except (Terminated, KeyboardInterrupt):
        status = 128 + signal.SIGTERM
    finally:
        try:
            if len(modules) > lane.seat.modules:
                lane.seat.needs()
                finish()
            elif threads:
                finish()
            else:
                _run_exitfuncs()
                sys.stdout.flush()
                sys.stderr.flush()
                fflush(None)
        except (OSError, ValueError, AttributeError):  # streams closed or replaced by the user's code
            flush()
        finally:
            _exit(status)


def _plainly(lane: Lane, alarm: Alarm, function: Callable[..., Any], order: dict[str, Any], given: Given) -> None:
    """A task of which nothing but its function is to be performed here.

    If there is more to say of it than that it succeeded, that is said as of any task: what has become of the function takes
    the function's place.
    """
    values, outputs, directory = given
    own, failed, result, over = getpid(), None, None, False
    try:
        let_in(signal.SIG_UNBLOCK, HEARD)
        result = function(*values)
        over = True
    except BaseException as error:  # noqa: BLE001
        failed = error
    rang, alarm.rang = alarm.rang, True  # nobody hears it from here on
    if getpid() != own:  # forked by the function, and came back: it has nothing to report
        sys.stdout.flush()
        _exit(failed is not None)
    if over and result is None and not rang:
        try:
            chdir(directory)  # paths are relative to it, wherever the function went
            for path in outputs:
                if not is_small_file(path):  # which the driver digests
                    break
            else:
                lane.table[lane.at + SILENT] = 1
                return
        except OSError:
            pass
    alarm.rang = rang
    assert lane.definition is not None, 'plain tasks have one'
    lane.definition.function = lambda *_: _again(failed, result)
    lane.report(lane.child.perform(order))


def _is_plain(definition: Definition, order: dict[str, Any]) -> bool:
    """Whether a task's process has nothing to do but to call its function."""
    if definition.before or definition.after or order['inputs'] or order.get('history') or order.get('lint') is not None:
        return False
    if not order.get('digested') or order.get('outputs') is None:
        return False
    return definition.array is None or type(definition.array.values) in QUICK


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
