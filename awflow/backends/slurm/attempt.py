"""Attempts on a node: a child that performs the orders of one element in turn, watched by the process that Slurm started.

What Slurm starts must outlive the task to say how it ended, so the function runs in a child of it, in a process group of
its own: an exit, a kill or a lack of memory ends the child alone. Output comes over a pipe, so that a log is only made
when something is written; reports come over a channel (child.py says how).
"""

from __future__ import annotations

import os
from time import monotonic

from awflow.backends.child import Child
from awflow.backends.processes import send_group
from awflow.backends.wire import Unpacker

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, Final

    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition
    from awflow.backends.tasklog import TaskLog
else:
    import _signal as signal  # without the enums around it

PIECE: Final = 1 << 16
TELL: Final = 10.0  # seconds after which a task that was to go on by itself is told to end
GRACE: Final = 20.0  # seconds after SIGTERM at which a task that has not ended is killed, and its end recorded


class Watched:
    """A child under way. The callbacks are told of each order's beginning and report, and of the passing of time."""

    def __init__(self, load: Callable[[], Definition], tools: Tools, orders: list[dict[str, Any]], resume: bool) -> None:
        self.orders = orders
        self.resume = resume
        self.load = load
        self.tools = tools
        self.log: TaskLog | None = None
        self.pid = 0
        self.n = 0  # of the order under way; the first is noted before the fork
        self.status: int | None = None
        self.usage = (0.0, 0.0, 0)
        self.told: float | None = None  # when the end was asked for
        self._messages = Unpacker()
        self._output = self._reports = self._go = -1

    def start(self) -> None:
        """Fork."""
        self._output, output = os.pipe2(os.O_CLOEXEC)
        self._reports, mouth = os.pipe2(os.O_CLOEXEC)
        ear, self._go = os.pipe2(os.O_CLOEXEC)
        me = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            for descriptor in (self._output, self._reports, self._go):
                os.close(descriptor)
            signal.set_wakeup_fd(-1)
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM, signal.SIGINT))
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)  # it is this process that is told, and the task asks it
            child = Child((mouth, ear), output, self.load, self.tools, deaf=self.resume)
            child.live(self.orders, me)
        for descriptor in (output, mouth, ear):
            os.close(descriptor)
        for descriptor in (self._output, self._reports):
            os.set_blocking(descriptor, False)

    def end(self, gently: bool) -> None:
        """Ask the child to end, or (gently) only note that it will have to."""
        if self.told is None:
            self.told = monotonic()
            if not gently:
                send_group(self.pid, signal.SIGTERM)

    def serve(
        self,
        wakeup: int,
        began: Callable[[int], None],
        reported: Callable[[int, dict[str, Any]], None],
        tick: Callable[[], None],
    ) -> None:
        """Until the child has ended, and all that it wrote is in its log."""
        import select  # when the child is under way

        poll = select.poll()
        for descriptor in (self._output, self._reports, wakeup):
            poll.register(descriptor, select.POLLIN)
        while self.status is None:
            ready = {descriptor for descriptor, _ in poll.poll(200 if self.told else 1000)}
            if wakeup in ready:
                os.read(wakeup, 4096)
            if self._output in ready and not self._drain(PIECE):
                poll.unregister(self._output)
            if self._reports in ready and not self._hear(began, reported):
                poll.unregister(self._reports)
            self._press()
            tick()
            self._reap()
        while self._drain(1 << 30):
            continue
        self._hear(began, reported)
        for descriptor in (self._output, self._reports, self._go):
            os.close(descriptor)

    def _press(self) -> None:
        if self.told is not None and monotonic() - self.told > GRACE:
            send_group(self.pid, signal.SIGKILL)
        elif self.told is not None and monotonic() - self.told > TELL:
            send_group(self.pid, signal.SIGTERM)

    def _reap(self) -> None:
        if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return  # wait4 would load a module to say so
        _, status, used = os.wait4(self.pid, 0)
        send_group(self.pid, signal.SIGKILL)
        self.status = status
        self.usage = (used.ru_utime, used.ru_stime, used.ru_maxrss * 1024)

    def _drain(self, limit: int) -> bool:
        """What is in the pipe now; False when no more will come, or (at the end) nothing more is there."""
        while limit > 0:
            try:
                data = os.read(self._output, PIECE)
            except BlockingIOError:
                return self.status is None
            if not data:
                return False
            limit -= len(data)
            if self.log is not None:
                self.log.write(data)
        return True

    def _hear(self, began: Callable[[int], None], reported: Callable[[int, dict[str, Any]], None]) -> bool:
        try:
            data = os.read(self._reports, 1 << 18)
        except BlockingIOError:
            return True
        for message in self._messages.feed(data):
            if 'began' in message:
                self.n = message['began']
                began(self.n)
                continue
            self._drain(PIECE * 16)
            reported(message['reported'], message['report'])
            if message['reported'] + 1 < len(self.orders) and self.told is None:
                self._let_go_on()
        return bool(data)

    def _let_go_on(self) -> None:
        try:
            os.write(self._go, b'g')
        except BrokenPipeError:  # it has ended since
            pass

    def peak(self) -> int:
        """Bytes of memory that the child was seen to use at most."""
        try:
            with open(f'/proc/{self.pid}/status', 'rb') as file:
                for line in file:
                    if line.startswith(b'VmHWM:'):
                        return int(line.split()[1]) * 1024
        except (OSError, ValueError):
            pass
        return 0


def terminated(report: dict[str, Any] | None, status: int) -> bool:
    """Whether an attempt was ended by SIGTERM, as it says itself or as its process ended."""
    if report is not None:
        return bool(report['outcome'] == 'cancelled')
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status) == signal.SIGTERM
    return os.WEXITSTATUS(status) == 128 + signal.SIGTERM


def outcome_of(
    watched: Watched, report: dict[str, Any] | None, status: int, output: str, peak: int
) -> tuple[str, dict[str, Any]]:  # fmt: skip
    """How an attempt ended: from its own report, from what Slurm did to it, and from the status of its process.

    `output` is Slurm's own file of what happened, `peak` the bytes of memory that were seen. Two words are no outcomes:
    'requeue', the task asks to go on later, and 'put back', Slurm will start it again by itself.
    """
    if report is not None and (report['outcome'] in ('succeeded', 'requeue') or watched.told is None):
        return report['outcome'], report
    if watched.told is not None:
        from awflow.backends.slurm.said import why_ended

        outcome, kind, line, later = why_ended(output, os.environ)
        told = {**(report or {}), 'outputs': {}, 'error': {'type': kind, 'line': line}}
        return ('put back' if later else outcome), told
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = _called(number)
        hint = f', perhaps out of memory ({peak / 2**20:.0f} MiB seen)' if number == signal.SIGKILL else ''
        return 'crashed', {'error': {'type': name, 'line': f'its process was killed by {name}{hint}'}}
    code = os.WEXITSTATUS(status)
    line = f'its process ended with status {code} before the function returned'
    return 'failed', {'exit': code, 'error': {'type': 'Exit', 'line': line}}


def _called(number: int) -> str:
    from signal import Signals

    return Signals(number).name if number in set(Signals) else str(number)
