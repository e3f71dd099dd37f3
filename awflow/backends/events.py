"""What a pool tells of its tasks, in the order in which it happened to each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Began:
    """The n-th order of the slot's launch is being performed by that process, which leads a session of its own."""

    slot: int
    n: int
    pid: int


@dataclass(frozen=True, slots=True)
class Wrote:
    """Output of the order that began last in the slot; cut anywhere."""

    slot: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Reported:
    """The order is done, and all of its output has been told. Before the next of a batch begins, `go` is awaited."""

    slot: int
    n: int
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Exited:
    """The process and all it started are gone, the slot is free. `status` is as os.wait gives it.

    `user` and `system` are seconds, `rss` is bytes at the peak of the largest process.
    """

    slot: int
    status: int
    user: float
    system: float
    rss: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A zygote died, and its tasks with it: an Exited of each, killed by SIGKILL, precedes this."""

    pid: int
    why: str


Event = Began | Wrote | Reported | Exited | Lost
