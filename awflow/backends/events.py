"""What a pool tells of its tasks, in the order in which it happened to each of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class _Told:
    __slots__ = ('slot',)

    slot: int

    def __repr__(self) -> str:
        names = [name for cls in reversed(type(self).__mro__) for name in getattr(cls, '__slots__', ())]
        return f'{type(self).__name__}({", ".join(f"{name}={getattr(self, name)!r}" for name in names)})'


class Began(_Told):
    """The n-th order of the slot's launch is being performed by that process, which leads a session of its own."""

    __slots__ = ('n', 'pid')

    def __init__(self, slot: int, n: int, pid: int) -> None:
        self.slot, self.n, self.pid = slot, n, pid


class Wrote(_Told):
    """Output of the order that began last in the slot; cut anywhere."""

    __slots__ = ('data',)

    def __init__(self, slot: int, data: bytes) -> None:
        self.slot, self.data = slot, data


class Reported(_Told):
    """The order is done, and all of its output has been told. Before the next of a paced batch begins, `go` is awaited."""

    __slots__ = ('n', 'report')

    def __init__(self, slot: int, n: int, report: Mapping[str, Any]) -> None:
        self.slot, self.n, self.report = slot, n, report


class Ended(_Told):
    """The n-th order of a lane is over: its process, and all it started, are gone. All of its output has been told.

    `status` is as os.wait gives it, `user` and `system` are seconds, `rss` is bytes. Before it comes what the process reported.
    """

    __slots__ = ('ended', 'n', 'pid', 'rss', 'started', 'status', 'system', 'user')

    def __init__(
        self, slot: int, n: int, pid: int, status: int, user: float, system: float, rss: int, started: float, ended: float
    ) -> None:
        self.slot, self.n, self.pid, self.status = slot, n, pid, status
        self.user, self.system, self.rss = user, system, rss
        self.started, self.ended = started, ended


class Exited(_Told):
    """The process and all it started are gone, the slot is free. `status` is as os.wait gives it.

    `user` and `system` are seconds, `rss` is bytes at the peak of the largest process. `begun` is how many orders have begun.
    """

    __slots__ = ('begun', 'rss', 'status', 'system', 'user')

    def __init__(self, slot: int, status: int, user: float, system: float, rss: int, begun: int) -> None:
        self.slot, self.status, self.user, self.system, self.rss = slot, status, user, system, rss
        self.begun = begun


class Lost:
    """A zygote died, and its tasks with it: an Exited of each, killed by SIGKILL, precedes this."""

    __slots__ = ('pid', 'why')

    def __init__(self, pid: int, why: str) -> None:
        self.pid, self.why = pid, why


Event = Began | Wrote | Reported | Ended | Exited | Lost
