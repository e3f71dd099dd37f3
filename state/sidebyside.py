"""Work on files in several threads: for what waits, for a disk or for memory, while the interpreter could do something else.

Raw threads: `threading` alone would cost a script more to import than most files take to read.
"""

from __future__ import annotations

import _thread
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar('T')


def processors(most: int) -> int:
    """How many processors this process may use, but not more than that."""
    return min(most, len(os.sched_getaffinity(0)))


def each(work: Callable[[T], None], items: Iterable[T], threads: int) -> None:
    """Call `work` for every item, in this thread and others. The first error stops all, and is raised when all have stopped."""
    todo = iter(tuple(items))  # each item goes to one thread: the interpreter does not let go within a step of it
    failures: list[BaseException] = []
    over = False

    def labour() -> None:
        try:
            while not (over or failures):
                try:
                    item = next(todo)
                except StopIteration:
                    return
                work(item)
        except BaseException as error:  # noqa: BLE001 - raised below, in the thread that asked
            failures.append(error)

    def lend(ended: LockType) -> None:
        labour()
        ended.release()

    busy = _started(lend, threads - 1)
    try:
        labour()
    finally:
        over = True  # also when interrupted: whoever asked may close what the others read
        for ended in busy:
            ended.acquire()
    if failures:
        raise failures[0]


def _started(work: Callable[[LockType], None], threads: int) -> list[LockType]:
    """Threads that work, as locks to be had when they end; fewer where the system gives no more."""
    busy = []
    for _ in range(threads):
        ended = _thread.allocate_lock()
        ended.acquire()
        try:
            _thread.start_new_thread(work, (ended,))
        except RuntimeError:
            break
        busy.append(ended)
    return busy
