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
a leftover. A task that ends in good order looks after that itself and says so in a shared byte, which saves the look
at /proc.

    from the driver   {load: path}   {launch: slot, orders: [...]} + 2 descriptors   {signal: slot, number: n}
    to the driver     {exited: slot, status, user, system, rss}

A launch brings the slot's output pipe and its channel. The channel belongs to the child: {began: n, pid} and
{reported: n, report} to the driver, one byte `go` back between the orders of a batch.
"""

from __future__ import annotations

import gc
import mmap
import os
import select
import signal
import socket
import sys
import time
from collections import OrderedDict, deque
from contextlib import suppress

from awflow.backends.child import ENDING, Child
from awflow.backends.processes import adopt_orphans, childless, descendants, kill_children, send, send_group
from awflow.backends.wire import Unpacker, pack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition, Payload

KEPT: Final = 32  # rebuilt jobs; an array's tasks come in turn, and all jobs together may be large
SWEEP: Final = 256  # loads between two collections of what was dropped
SLOTS: Final = 1 << 16
DESCRIPTORS: Final = 250  # in one message of a Unix socket: SCM_MAX_FD is 253
WARM: Final = (  # what tasks import; once here is cheaper than in each of them
    'awflow.backends.payload',
    'awflow.backends.context',
    'awflow.backends.stored',
    'awflow.fingerprint',
    'awflow.job',
    'awflow.specs',
    'awflow.state.digests',
    'awflow.state.store',
    'linecache',
    'traceback',
)


class Task:
    """A forked process and the slot it fills."""

    __slots__ = ('pid', 'slot')

    def __init__(self, slot: int, pid: int) -> None:
        self.slot, self.pid = slot, pid


class Zygote:
    """Forks tasks, tells of their end, and lets none of them survive."""

    def __init__(self, control: socket.socket, driver: int) -> None:
        self.control = control
        self.driver = driver
        self.messages = Unpacker()
        self.descriptors: deque[int] = deque()
        self.tasks: dict[int, Task] = {}  # by pid
        self.slots: dict[int, Task] = {}
        self.jobs: OrderedDict[str, Callable[[], Definition]] = OrderedDict()
        self.loads = 0
        self.clean = mmap.mmap(-1, SLOTS)  # shared with the children
        self.payload: Payload | None = None
        self.tools: Tools | None = None
        self.trouble: Exception | None = None  # why there is no payload

    def serve(self) -> NoReturn:
        """Until the driver is gone and every task with it."""
        wakeup = self._wake_on_sigchld()
        poll = select.poll()
        for descriptor in (self.control.fileno(), wakeup, self._watch_driver()):
            if descriptor >= 0:
                poll.register(descriptor, select.POLLIN)
        alive = True
        while alive:
            ready = {descriptor for descriptor, _ in poll.poll(5000)}
            if wakeup in ready:
                os.read(wakeup, 4096)
            alive = os.getppid() == self.driver
            if alive and self.control.fileno() in ready:
                alive = self._receive()
            self._reap()
        self._end()

    def _wake_on_sigchld(self) -> int:
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return reader

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
            data, descriptors, _, _ = socket.recv_fds(self.control, 1 << 16, DESCRIPTORS)
        except ConnectionResetError:
            return False
        self.descriptors.extend(descriptors)
        for message in self.messages.feed(data):
            self._obey(message)
        return bool(data)

    def _obey(self, message: dict[str, Any]) -> None:
        if 'launch' in message:
            self._launch(message['launch'], message['orders'])
        elif 'signal' in message:
            self._signal(message['signal'], message['number'])
        else:
            self._load(message['load'])

    def _load(self, path: str) -> None:
        """Opens a payload. What is wrong with it is said by every task that needs it."""
        from awflow.backends.context import Tools
        from awflow.backends.payload import Payload

        self.jobs.clear()
        try:
            self.payload = Payload(path)
            sys.path[:] = self.payload.sys_path
            sys.argv[:] = [self.payload.script]
            os.environ['AWFLOW_SCRIPT'] = self.payload.script  # of a schedule within a task
            os.chdir(self.payload.cwd)
            self.tools = Tools(self.payload)
        except Exception as error:  # noqa: BLE001
            self.trouble = error

    def _launch(self, slot: int, orders: list[dict[str, Any]]) -> None:
        output, channel = self.descriptors.popleft(), self.descriptors.popleft()
        os.set_blocking(channel, True)
        load = self._job(orders[0], output)
        self.clean[slot] = 0
        me = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:  # no more processes, no more memory
            os.write(output, f'awflow: the task could not be started: {error}\n'.encode())
            self._tell_exited(slot, os.EX_OSERR << 8, 0.0, 0.0, 0)
            pid = -1
        if pid == 0:
            assert self.tools is not None or self.trouble is not None, 'launched before the payload was named'
            child = Child((channel, channel), output, load, self.tools)  # type: ignore[arg-type]  # not used if load raises
            child.live(orders, me, lambda: self.clean.__setitem__(slot, 1))
        if pid > 0:
            self.tasks[pid] = self.slots[slot] = Task(slot, pid)
        os.close(channel)
        os.close(output)

    def _job(self, order: dict[str, Any], output: int) -> Callable[[], Definition]:
        """The job's definition behind a call, which raises if it could not be rebuilt."""
        name = order['job']
        if name not in self.jobs:
            while len(self.jobs) >= KEPT:
                self.jobs.popitem(last=False)
            with _Speaking(output):
                self.jobs[name] = self._rebuilt(order)
            self.loads += 1
            _tidy(collect=self.loads % SWEEP == 0)
        self.jobs.move_to_end(name)
        return self.jobs[name]

    def _rebuilt(self, order: dict[str, Any]) -> Callable[[], Definition]:
        try:
            if self.payload is None or self.tools is None:
                raise self.trouble or RuntimeError('no payload')
            definition = self.payload.definition(order['job'])
            if definition.inputs or definition.outputs or order['outputs'] or order['inputs']:
                self.tools.open(order)
        except (Exception, SystemExit) as error:  # noqa: BLE001  imports of the user's modules raise anything
            return _raiser(error)
        return lambda: definition

    def _signal(self, slot: int, number: int) -> None:
        task = self.slots.get(slot)
        if task is None:  # it ended while the message was on its way
            return
        escaped = descendants(task.pid) if number == signal.SIGKILL else []
        send_group(task.pid, number)
        for pid in escaped:
            send(pid, number)

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
            if task is not None and not self.clean[task.slot]:
                send_group(task.pid, signal.SIGKILL)
                kill_children(spared=self.tasks)
            _, status, usage = os.wait4(ended.si_pid, 0)
            if task is not None:
                del self.tasks[task.pid], self.slots[task.slot]
                self._tell_exited(task.slot, status, usage.ru_utime, usage.ru_stime, usage.ru_maxrss * 1024)

    def _tell_exited(self, slot: int, status: int, user: float, system: float, rss: int) -> None:
        try:
            self.control.sendall(pack({'exited': slot, 'status': status, 'user': user, 'system': system, 'rss': rss}))
        except OSError:
            pass  # the driver is gone, as the next look will show

    def _end(self) -> NoReturn:
        for pid in self.tasks:
            send_group(pid, signal.SIGKILL)
        while not childless():
            kill_children()
            time.sleep(0.001)
        os._exit(0)


class _Speaking:
    """While it lasts, what is printed goes to a task's output: what imports say belongs to the first task."""

    def __init__(self, output: int) -> None:
        self.output = output

    def __enter__(self) -> None:
        self.kept = os.dup(1), os.dup(2)
        os.dup2(self.output, 1)
        os.dup2(self.output, 2)

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        for kept, descriptor in zip(self.kept, (1, 2), strict=True):
            os.dup2(kept, descriptor)
            os.close(kept)


def _raiser(error: BaseException) -> Callable[[], Definition]:
    def refuse() -> Definition:
        raise error if isinstance(error, Exception) else RuntimeError(f'loading the job ended in {error!r}')

    return refuse


def _tidy(collect: bool) -> None:
    """Keeps the collector from writing to pages that the children share. Jobs that were dropped are cycles, though."""
    if collect:
        gc.unfreeze()
        gc.collect()
    gc.freeze()


def _warm() -> None:
    from importlib import import_module

    for name in WARM:
        with suppress(ImportError):  # the task that needs it will say so
            import_module(name)


def main(control: int, driver: int) -> NoReturn:
    """The whole life of a zygote whose control socket is the given descriptor."""
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # its driver decides; children let them in again
    adopt_orphans()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding='utf-8', errors='backslashreplace', line_buffering=True)  # type: ignore[union-attr]
    gc.disable()
    _warm()
    _tidy(collect=True)
    Zygote(socket.socket(fileno=control), driver).serve()
