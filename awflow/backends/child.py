"""A forked task's process, from the fork to its exit.

The zygote's memory is shared, so everything here is about what must *not* be: its streams and descriptors, its signal
dispositions, its random numbers (NumPy would give every task the same ones), its place in the process tree. The
process adopts its own orphans, so a daemon that the user's code starts stays below it: what a task leaves behind is
found when it ends, and cannot be mistaken for another task's.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
import types

from awflow.backends.processes import adopt_orphans, childless, die_with_parent, flush_c_streams, kill_children
from awflow.backends.wire import pack
from awflow.backends.worker import Terminated, perform, performed, refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable
    from typing import Any, Final, NoReturn

    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition
else:
    import _signal as signal  # without the enums around it, which take longer to load than all that is here

ENDING: Final = (signal.SIGTERM, signal.SIGINT)
HEARD: Final = (*ENDING, signal.SIGCHLD)  # by the user's code, as in any process


class Alarm:
    """Turns SIGTERM and SIGINT into one exception: a second must not interrupt the cleanup that the first set off.

    A `deaf` one misses the first SIGTERM: Slurm sends that to all processes of a job, but a task that may go on later is to
    be told by its driver.
    """

    def __init__(self, deaf: bool = False) -> None:
        self.deaf = deaf
        self.rang = False

    def __call__(self, number: int, frame: types.FrameType | None) -> None:
        if self.deaf and number == signal.SIGTERM:
            self.deaf = False
        elif not self.rang:
            self.rang = True
            raise Terminated('SIGTERM') if number == signal.SIGTERM else KeyboardInterrupt


class Seat:
    """How a child's surroundings are told that an order begins and ends. This one says so over the channel."""

    def __init__(self, mouth: int) -> None:
        self.mouth = mouth

    def begin(self, n: int, order: dict[str, Any]) -> bool:
        """The n-th order begins now; False if that cannot be written down, and then it does not."""
        say(self.mouth, {'began': n, 'pid': os.getpid()})
        return True

    def report(self, n: int, report: dict[str, Any], last: int) -> None:
        """The n-th order is done."""
        say(self.mouth, {'reported': n, 'report': report})

    def clean(self) -> None:
        """Nothing is left behind."""


class Child:
    """Performs orders in turn. Of the two descriptors of `channel` it reports over the first, and hears by the second.

    Between two orders it waits until it is let go on, by which time its output has been read. With a `marker` it does not
    wait: it writes that into its output, to tell the one's from the next one's.
    """

    def __init__(
        self,
        channel: tuple[int, int],
        output: int,
        load: Callable[[], Definition],
        tools: Tools,
        deaf: bool = False,
        *,
        seat: Seat | None = None,
        alarm: Alarm | None = None,
        marker: bytes = b'',
    ) -> None:
        self.mouth, self.ear = channel
        self.output = output
        self.load = load
        self.tools = tools
        self.seated = seat is not None  # in a place that the zygote has prepared
        self.seat = seat or Seat(self.mouth)
        self.alarm = alarm or Alarm(deaf)
        self.marker = marker

    def live(self, orders: list[dict[str, Any]], parent: int) -> NoReturn:
        """All there is of this process."""
        status = 1
        try:
            self._settle(parent)
            self.work(orders)
            status = 0
        except (Terminated, KeyboardInterrupt):
            status = 128 + signal.SIGTERM
        finally:
            if _left_nothing():
                self.seat.clean()
            os._exit(status)

    def _settle(self, parent: int) -> None:
        """Takes its place. The ending signals stay blocked: there is nothing yet that could report them."""
        os.setsid()
        die_with_parent(parent)
        adopt_orphans()
        os.dup2(self.output, 1)
        os.dup2(self.output, 2)
        if self.seated:
            os.set_blocking(self.output, True)  # the pipe was another task's before, which may have done as it liked
        else:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
            os.close(null)
            for number in ENDING:
                signal.signal(number, self.alarm)
        draw_new_random_state()
        gc.enable()

    def work(self, orders: list[dict[str, Any]]) -> None:
        """Perform them, and report."""
        last = len(orders) - 1
        for n, order in enumerate(orders):
            if not self.seat.begin(n, order):
                return
            report = self.perform(order)
            if n < last or not self.seated:  # otherwise all of it is read when this process has ended
                flush()
            if n < last and self.marker:
                os.write(self.output, self.marker)
            self.seat.report(n, report, last)
            if n == last or self.alarm.rang:
                return
            if not self.marker:
                self._await_go()
            elif signal.sigpending():
                raise Terminated

    def perform(self, order: dict[str, Any]) -> dict[str, Any]:
        """One order, with the ending signals let in only while there is somebody to catch them."""
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, HEARD)
            report = self._attempt(order)
        except (Terminated, KeyboardInterrupt) as error:
            report = refused(order, 'cancelled', error)
        try:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
        except (Terminated, KeyboardInterrupt):
            pass  # it came when all was done
        return report

    def _attempt(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            definition = self.load()
        except Exception as error:  # noqa: BLE001  imports of the user's modules raise anything
            return refused(order, 'failed', error)
        if not self.seated:
            appear_as_main(definition.function)
        report = performed(definition, order, self.tools) if self.seated else perform(definition, order, self.tools)
        if self.alarm.rang and report.get('outcome', 'succeeded') == 'succeeded':  # `except BaseException` in the function
            return {**report, 'outcome': 'cancelled', 'error': {'type': 'Terminated', 'line': 'caught by the function'}}
        return report

    def _await_go(self) -> None:
        """Until the driver has read this task's output, so that none of it is taken for the next one's."""
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        if not os.read(self.ear, 1):
            raise Terminated('the driver is gone')
        signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def say(mouth: int, message: dict[str, Any]) -> None:
    """Write all of a message."""
    write_all(mouth, pack(message))


def write_all(descriptor: int, rest: bytes) -> None:
    """Write what may be too much for one call."""
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def draw_new_random_state() -> None:
    """Python's own generator is renewed by fork already, NumPy's is not: all tasks would draw the same numbers."""
    numpy = sys.modules.get('numpy.random')
    if numpy is not None:
        numpy.seed()


def appear_as_main(function: Any) -> types.ModuleType | None:
    """Makes the script's names importable from `__main__`, as pickle in the user's code expects; None if it has none.

    Without a file, so that multiprocessing never runs the script again.
    """
    names = getattr(function, '__globals__', {})
    if names.get('__name__') != '__main__':
        return None
    main = types.ModuleType('__main__')
    vars(main).update(item for item in names.items() if item[0] != '__file__')
    sys.modules['__main__'] = main
    return main


def flush() -> None:
    """Let what was printed arrive, whichever language printed it."""
    _flush_stream(sys.stdout)
    _flush_stream(sys.stderr)
    flush_c_streams()


def _flush_stream(stream: Any) -> None:
    try:
        stream.flush()
    except (OSError, ValueError, AttributeError):  # closed or replaced by the user's code
        return


def _left_nothing() -> bool:
    """Ends, and whether no process is left behind."""
    finish()
    return childless() or kill_children()


def finish() -> None:
    """What the end of an interpreter does for the user's code, less tearing down a heap that is shared anyway."""
    try:
        if 'threading' in sys.modules:
            sys.modules['threading']._shutdown()  # joins those that are not daemons
        atexit._run_exitfuncs()
    except BaseException as error:  # noqa: BLE001  as at any interpreter's end
        print(f'awflow: while the process ended: {error!r}', file=sys.stderr)
    _stop_resource_tracker()
    flush()


def _stop_resource_tracker() -> None:
    """Lets multiprocessing's helper remove shared memory, which it could not once it is killed as a leftover."""
    tracker = getattr(sys.modules.get('multiprocessing.resource_tracker'), '_resource_tracker', None)
    try:
        tracker and tracker._stop()
    except Exception:  # noqa: BLE001  private to multiprocessing, and only a courtesy
        return
