"""A forked task's process, from the fork to its exit.

The zygote's memory is shared, so everything here is about what must *not* be: its streams and descriptors, its signal
dispositions, its random numbers (NumPy would give each task the same ones), its place in the process tree. The process is
adopted parent of its own orphans (a child subreaper): a daemon that the user's code starts stays below it, which is how
whatever a task leaves behind is found and killed with it.
"""

from __future__ import annotations

import os
import signal
import socket
import sys

from awflow.backends.processes import die_with_parent, kill_descendants, reap_orphans
from awflow.backends.wire import pack
from awflow.backends.worker import Failure, Terminated, kind_of, last_line, perform

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types
    from collections.abc import Callable
    from typing import Any, NoReturn

    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition


class Alarm:
    """Turns SIGTERM into one exception: the second must not interrupt the cleanup that the first set off."""

    def __init__(self) -> None:
        self.rang = False

    def __call__(self, number: int, frame: types.FrameType | None) -> None:
        if not self.rang:
            self.rang = True
            raise Terminated('SIGTERM')

    def silence(self) -> None:
        """From now on the task's fate is decided, and its report must go out whole."""
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)


class Child:
    """One process that performs orders in turn and reports each over its channel to the driver."""

    def __init__(self, channel: socket.socket, output: int, parent: int) -> None:
        self.channel = channel
        self.output = output
        self.parent = parent
        self.alarm = Alarm()

    def live(self, load: Callable[[], Definition], orders: list[dict[str, Any]], tools: Tools, clean: Callable[[], None]) -> NoReturn:
        """Never returns, whatever happens. `clean` tells the zygote that nothing is left to kill."""
        me = os.getpid()
        status = 1
        try:
            self._settle()
            self._work(load, orders, tools)
            status = 0
        except Terminated:
            status = 128 + signal.SIGTERM
        finally:
            if os.getpid() != me:  # the user's code forked, and its child came back here
                os._exit(status)
            self._leave(clean)
            os._exit(status)

    def _settle(self) -> None:
        """Makes a session of its own with the slot's streams. Signals are blocked until their handlers are in place."""
        os.setsid()
        die_with_parent(self.parent)
        reap_orphans()
        null = os.open(os.devnull, os.O_RDONLY)
        for source, target in ((null, 0), (self.output, 1), (self.output, 2)):
            os.dup2(source, target)
        os.close(null)
        os.close(self.output)
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, self.alarm)
        _refresh_randomness()
        _fresh_main()

    def _work(self, load: Callable[[], Definition], orders: list[dict[str, Any]], tools: Tools) -> None:
        for n, order in enumerate(orders):
            self.channel.sendall(pack({'began': n, 'pid': os.getpid()}))
            report = self._perform(load, order, tools)
            self.alarm.silence()
            _flush()
            self.channel.sendall(pack({'n': n, 'report': report}))
            if n + 1 < len(orders):
                self._await_go()

    def _perform(self, load: Callable[[], Definition], order: dict[str, Any], tools: Tools) -> dict[str, Any]:
        ...

    def _await_go(self) -> None: ...

    def _leave(self, clean: Callable[[], None]) -> None: ...


def _refresh_randomness() -> None: ...


def _fresh_main() -> None: ...


def _flush() -> None: ...
