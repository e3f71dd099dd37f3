"""The process from which tasks are forked.

The problem. Each task needs a process of its own: a crash must not take others along, memory must be given back, a
time limit must be enforceable. Starting Python and importing NumPy costs 0.1 to 3 s, forking a process that has done
so 1 ms.

What does not work. Forking the driver: it may have threads (every notebook does), and locks that they hold stay
locked in the child for ever. multiprocessing's fork server and spawn: they run the user's script again, which without
an `if __name__ == '__main__'` guard schedules the workflow again. Leaving it to the tasks to notice that their driver
died: they are busy. Killing process groups: what calls `setsid` is in none.

What this does. One process with one thread per number of threads that tasks use (OpenMP and its like read theirs when
they are loaded), started before anything of the user's. It rebuilds a job's function when the first of its tasks is
launched, and forks. It lives in a session of its own, so that a signal to the driver's group leaves it time to clean
up, and watches its driver by the control socket and a pidfd: when the driver is gone, however it went, it kills all
tasks. It ends only when no task is left, so that its pid is evidence that a run still lives. Should it die itself,
the kernel kills the tasks.

Nothing that a task started outlives it. A task's process adopts its orphans (see child.py), so all it left behind
become children of the zygote at the moment it dies; and any child of the zygote that is not a task's process is such
a leftover. A task that ends in good order looks after that itself and says so in the table, which saves the look at /proc.

    from the driver   {load: path}   {seat: slot} + 2 descriptors   {ear: slot} + 1   {common: n, fields}
                      {tokens: slot} + 2   {launch: slot, orders: [...], common: n, marker, lane, careful}
                      {signal: slot, number: n}
    to the driver     [slot, status, user, system, rss, whether its pipes may be used again]

A slot has a pipe for output, one for reports and, if a batch is to wait there, one for the byte that lets it go on; they last
as long as nothing can have been left behind that still writes to them. What all orders of a job have in common is sent once.

Who performs what, and how far it is, stands in a table that all share (table.py), so that nobody need be woken to learn it.

What a task costs beside its function is page faults: every page that it touches is copied for it. So the zygote holds little,
runs through a task once by itself (what is only done once in a process is then done), and loads what tasks need beyond that
when the first of them has needed it. For many short tasks of a job it forks a lane (lane.py), which forks them in its turn.
"""

from __future__ import annotations

import gc
import os
import select
import sys
import time
from collections import OrderedDict, deque

from awflow.backends.child import ENDING, Alarm, Child, appear_as_main
from awflow.backends.lane import Lane
from awflow.backends.loading import Speaking, load_modules, load_on_demand, raiser, tidy
from awflow.backends.processes import (
    adopt_orphans,
    childless,
    descendants,
    has_ended,
    kill_children,
    parent_of,
    send,
    send_group,
    signal_descriptor,
)
from awflow.backends.seat import Common, Seat
from awflow.backends.table import CLEAN, NEEDED, PID, WORDS, opened
from awflow.backends.wire import Unpacker, pack
from awflow.namesake import uncover

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    import socket
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition, Payload
else:
    import _signal as signal  # without the enums around them, which fill pages that every child has to copy tables of
    import _socket as socket

BIND: Final = 'LD_BIND_NOW', 'awflow'  # set for the zygote alone, see pool.py
KEPT: Final = 32  # rebuilt jobs; an array's tasks come in turn, and all jobs together may be large
PATIENCE: Final = 2.0  # seconds for a lane to fork
SWEEP: Final = 256  # loads between two collections of what was dropped
CHILD: Final = (signal.SIGCHLD,)
PIECE: Final = 8192  # bytes of messages read at once
ANCILLARY: Final = socket.CMSG_LEN(4 * 4)  # room for descriptors; a seat has fewer
WARM: Final = ('awflow.backends.payload', 'awflow.backends.context', 'awflow.specs', 'awflow.state.digests')


class Task:
    """A forked process and the slot it fills."""

    __slots__ = ('lane', 'pid', 'slot')

    def __init__(self, slot: int, pid: int, lane: bool) -> None:
        self.slot, self.pid = slot, pid
        self.lane = lane  # whether tasks are its children


class Zygote:
    """Forks tasks, tells of their end, and lets none of them survive."""

    def __init__(self, control: socket.socket, driver: int, table: memoryview[int], alarm: Alarm) -> None:
        self.control = control
        self.driver = driver
        self.table = table
        self.alarm = alarm
        self.me = os.getpid()
        self.messages = Unpacker()
        self.descriptors: deque[int] = deque()
        self.tasks: dict[int, Task] = {}  # by pid
        self.slots: dict[int, Task] = {}
        self.seats: dict[int, Seat] = {}
        self.commons: dict[int, Common] = {}
        self.jobs: OrderedDict[str, Callable[[], Definition]] = OrderedDict()
        self.main = sys.modules['__main__']
        self.mains: dict[str, Any] = {}  # what a job's tasks find as __main__, where that is not this one
        self.loads = 0
        self.payload: Payload | None = None
        self.tools: Tools | None = None
        self.trouble: Exception | None = None  # why there is no payload

    def serve(self) -> NoReturn:
        """Until the driver is gone and every task with it."""
        wakeup, control = signal_descriptor(signal.SIGCHLD), self.control.fileno()
        poll = select.poll()
        for descriptor in (control, wakeup, self._watch_driver()):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        alive = True
        while alive:
            ready = poll.poll(5000)
            for descriptor, _ in ready:
                if descriptor == wakeup:
                    self._heard(wakeup)
                elif descriptor == control:
                    alive = alive and self._receive()
            if not ready:
                self._reap()
            alive = alive and os.getppid() == self.driver
        self._end()

    def _heard(self, wakeup: int) -> None:
        """A child has ended, though the signal may have been let through since, while a job was loaded."""
        try:
            os.read(wakeup, 4096)
        except BlockingIOError:
            pass
        self._reap()

    def _watch_driver(self) -> int:
        """A descriptor that becomes readable when the driver ends, -1 on kernels before 5.3.

        The socket alone would not tell: a process that the driver's other threads forked may hold its other end.
        """
        try:
            return os.pidfd_open(self.driver)
        except OSError:
            return -1

    def _receive(self) -> bool:
        try:
            data, ancillary, _, _ = self.control.recvmsg(PIECE, ANCILLARY)
        except ConnectionResetError:
            return False
        for _, _, passed in ancillary:
            self.descriptors.extend(memoryview(passed).cast('i'))
        for message in self.messages.feed(data):
            self._obey(message)
        return bool(data)

    def _obey(self, message: dict[str, Any]) -> None:
        if 'launch' in message:
            self._launch(message)
        elif 'signal' in message:
            self._signal(message['signal'], message['number'])
        elif 'common' in message:
            self.commons[message['common']] = Common(message['fields'])
        elif 'seat' in message:
            self._seat(message['seat'])
        elif 'ear' in message:
            self.seats[message['ear']].ear = self._descriptor()
        elif 'tokens' in message:
            seat = self.seats[message['tokens']]
            seat.tokens, seat.trough = self._descriptor(), self._descriptor()
        else:
            self._load(message['load'])

    def _seat(self, slot: int) -> None:
        """Pipes for a slot, in place of those it had."""
        if slot in self.seats:
            self.seats[slot].close()
        self.seats[slot] = Seat(slot, self.table, self._descriptor(), self._descriptor())

    def _descriptor(self) -> int:
        descriptor = self.descriptors.popleft()
        os.set_inheritable(descriptor, False)
        return descriptor

    def _load(self, path: str) -> None:
        """Opens a payload. What is wrong with it is said by every task that needs it."""
        from awflow.backends.context import Tools
        from awflow.backends.payload import Payload

        self.jobs.clear()
        try:
            self.payload = Payload(path)
            sys.path[:] = self.payload.sys_path
            uncover(self.payload.script)
            sys.argv[:] = [self.payload.script]
            os.environ['AWFLOW_SCRIPT'] = self.payload.script  # of a schedule within a task
            os.chdir(self.payload.cwd)
            self.tools = Tools(self.payload)
        except Exception as error:  # noqa: BLE001
            self.trouble = error

    def _launch(self, message: dict[str, Any]) -> None:
        slot = message['launch']
        seat = self.seats[slot]
        common = self.commons[message['common']]
        orders = message['orders'] if message['lane'] else common.completed(message['orders'])
        name = common.fields.get('job') or orders[0]['job']
        load = self.jobs.get(name) or self._job(name, seat.output)
        sys.modules['__main__'] = self.mains.get(name, self.main)
        seat.modules = len(sys.modules)
        gc.freeze()  # also starts its count anew: a first collection in the child would go through all that is young
        try:
            pid = os.fork()
        except OSError as error:  # no more processes, no more memory
            os.write(seat.output, f'awflow: the task could not be started: {error}\n'.encode())
            if message['lane']:
                seat.end_lane()
            self._tell_exited(slot, os.EX_OSERR << 8, 0, 0, 0, True)
            return
        if pid == 0:
            self._become(seat, load, orders, message)
        if not message['lane']:
            self.table[seat.at + PID] = pid
        self.tasks[pid] = self.slots[slot] = Task(slot, pid, message['lane'])

    def _become(
        self, seat: Seat, load: Callable[[], Definition], orders: list[dict[str, Any]], message: dict[str, Any]
    ) -> NoReturn:
        assert self.tools is not None or self.trouble is not None, 'launched before the payload was named'
        tools: Any = self.tools  # not used if load raises
        marker = message['marker'].encode()
        if message['lane']:
            lane = Lane(seat, load, tools, self.alarm, marker, message['careful'])
            lane.live(orders, self.commons[message['common']].fields, self.me)
        child = Child((seat.mouth, seat.ear), seat.output, load, tools, seat=seat, alarm=self.alarm, marker=marker)
        child.live(orders, self.me)

    def _job(self, name: str, output: int) -> Callable[[], Definition]:
        """The job's definition behind a call, which raises if it could not be rebuilt."""
        while len(self.jobs) >= KEPT:
            old, _ = self.jobs.popitem(last=False)
            self.mains.pop(old, None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, CHILD)  # programs that imports start must not inherit that
        with Speaking(output):
            self.jobs[name] = self._rebuilt(name)
        signal.pthread_sigmask(signal.SIG_BLOCK, CHILD)
        self._reap()  # nobody was told of
        self.loads += 1
        tidy(collect=self.loads % SWEEP == 0)
        return self.jobs[name]

    def _rebuilt(self, name: str) -> Callable[[], Definition]:
        try:
            if self.payload is None:
                raise self.trouble or RuntimeError('no payload')
            definition = self.payload.definition(name)
        except (Exception, SystemExit) as error:  # noqa: BLE001  imports of the user's modules raise anything
            return raiser(error)
        main = appear_as_main(definition.function)
        if main is not None:
            self.mains[name] = main
        return lambda: definition

    def _signal(self, slot: int, number: int) -> None:
        task = self.slots.get(slot)
        pid = task and (self._in_lane(task) if task.lane else task.pid)
        if not pid:  # it ended while the message was on its way
            return
        escaped = descendants(pid) if number == signal.SIGKILL else []
        send_group(pid, number)
        for pid in escaped:
            send(pid, number)

    def _in_lane(self, lane: Task) -> int:
        """The process that performs the latest order of a lane, 0 if there is none any more.

        The lane takes no other: its driver has taken the tokens. It may be about to fork the one that it took before.
        """
        limit = time.monotonic() + PATIENCE
        while time.monotonic() < limit and not has_ended(lane.pid):
            pid = self.table[lane.slot * WORDS + PID]
            if pid and parent_of(pid) == lane.pid:
                return pid
            time.sleep(0.0002)
        return 0

    def _reap(self) -> None:
        """Tells of tasks that ended. A pid is not given back before whatever bears it as group is dead."""
        while True:
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if ended is None:
                return
            task = self.tasks.get(ended.si_pid)
            clean = True
            if task is not None and not self.table[task.slot * WORDS + CLEAN]:
                send_group(task.pid, signal.SIGKILL)
                clean = kill_children(spared=self.tasks)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if task is not None:
                del self.tasks[task.pid], self.slots[task.slot]
                if task.lane:
                    self.seats[task.slot].end_lane()
                self._tell_exited(
                    task.slot, status, int(1e6 * usage.ru_utime), int(1e6 * usage.ru_stime), usage.ru_maxrss, clean
                )
                if self.table[task.slot * WORDS + NEEDED]:
                    load_on_demand(self.table[task.slot * WORDS + NEEDED])
            if not self.tasks:
                return  # mostly so; another orphan would wake this process again

    def _tell_exited(self, slot: int, status: int, user: int, system: int, rss: int, clean: bool) -> None:
        """Microseconds and KiB: whole numbers are told in fewer steps."""
        try:
            self.control.sendall(pack((slot, status, user, system, rss, clean)))
        except OSError:
            pass  # the driver is gone, as the next look will show

    def _end(self) -> NoReturn:
        for pid in self.tasks:
            send_group(pid, signal.SIGKILL)
        while not childless():
            kill_children()
            time.sleep(0.001)
        os._exit(0)


def _rehearse() -> None:
    from awflow.backends.rehearsal import rehearse

    nowhere = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    seat = Seat(0, memoryview(bytearray(4 * WORDS)).cast('I'), nowhere, nowhere)
    rehearse(seat)
    os.environ.pop('AWFLOW_REHEARSAL', None)
    os.close(nowhere)


def main(control: int, driver: int, table: int) -> NoReturn:
    """The whole life of a zygote whose control socket and table are the given descriptors."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING + CHILD)  # its driver decides; children let them in again
    alarm = Alarm()
    for number in ENDING:
        signal.signal(number, alarm)
    if os.environ.get(BIND[0]) == BIND[1]:
        del os.environ[BIND[0]]
    adopt_orphans()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)  # type: ignore[union-attr]
    gc.disable()
    for descriptor in (control, table):
        os.set_inheritable(descriptor, False)
    shared = opened(table)
    load_modules(WARM)
    _rehearse()
    tidy(collect=True)
    Zygote(socket.socket(fileno=control), driver, shared, alarm).serve()
