"""What a running task may ask and do about its end: is it near, where does what survives an attempt belong, go on later."""

from __future__ import annotations

import os
from time import monotonic

from awflow.current import CURRENT
from awflow.errors import ResultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

SOON = 120.0  # seconds before a time limit that count as near it, unless that is more than a tenth of it


class Requeue(BaseException):
    """Raised by a task of `@job(resume=True)` that has saved where it is: it is run again later, and goes on from there.

    Not an Exception, so that `except Exception` around the task's work lets it through.
    """


def should_stop() -> bool:
    """Whether the task's end is near: its time limit, or that the scheduler wants the node back. False outside of tasks."""
    task = CURRENT.get()
    return task is not None and task.near()


def scratch() -> str:
    """A directory of the running task that survives its attempts and is removed when it has succeeded."""
    task = CURRENT.get()
    if task is None:
        raise ResultError('scratch() belongs to a running task', 'Call it inside of a function that is a job.')
    path = task.scratch()
    os.makedirs(path, exist_ok=True)
    return path


def never() -> bool:
    """Tells of an end that is not near."""
    return False


def before(limit: float | None) -> Callable[[], bool]:
    """Tells whether a time limit in seconds, that runs from now, is near."""
    if limit is None:
        return never
    near = monotonic() + limit - min(SOON, limit / 10)
    return lambda: monotonic() >= near


def discarded(path: str) -> None:
    """The task has succeeded: what it kept between attempts is not needed any more."""
    from shutil import rmtree

    if os.path.isdir(path):
        rmtree(path, ignore_errors=True)


def place(directory: str, order: dict[str, Any]) -> str:
    """Where an order's task keeps what survives attempts, below its workflow's directory."""
    from awflow.state.layout import safe

    return os.path.join(directory, 'scratch', safe(order['job']), safe(order['task']))
