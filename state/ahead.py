"""Reading many files: one by one where that is quick, side by side where they are big or have to be waited for.

A small file on a local disk is read in a few microseconds, and threads would only add to that. Two threads digest big files in
half the time of one. And where every file is a question to a server, as on a network filesystem, many may be on their way at
a time, however small they are. Which of these it is nobody can tell from a path, so the first files are timed.
"""

from __future__ import annotations

from time import monotonic, thread_time

from awflow.state.looks import THREADS
from awflow.state.sidebyside import each, processors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    T = TypeVar('T')

TRIAL = 15  # files that are timed
SLOW = 100e-6  # seconds of waiting for a file: a local disk whose files are in memory takes a tenth of that
LONG = 200e-6  # seconds of work on a file: a thread is worth starting
MOST = 4  # threads that work; more only contend for memory


def read_all(read: Callable[[str], T], paths: Sequence[str]) -> list[T]:
    """What `read` finds of each path. Several threads may call it at a time; the first error stops all."""
    found: list[T] = []
    took, waited = [], []
    for path in paths[:TRIAL]:
        begun, worked = monotonic(), thread_time()
        found.append(read(path))
        took.append(monotonic() - begun)
        waited.append(took[-1] - (thread_time() - worked))
    rest = paths[TRIAL:]
    if not rest:
        return found
    threads = THREADS if _median(waited) > SLOW else processors(MOST) if _median(took) > LONG else 1
    return found + side_by_side(read, rest, threads)


def side_by_side(read: Callable[[str], T], paths: Sequence[str], threads: int) -> list[T]:
    """The same with so many threads."""
    threads = min(threads, len(paths))
    if threads < 2:
        return [read(path) for path in paths]
    found: dict[int, T] = {}

    def one(at: int) -> None:
        found[at] = read(paths[at])

    each(one, range(len(paths)), threads)
    return [found[at] for at in range(len(paths))]


def _median(seconds: list[float]) -> float:
    return sorted(seconds)[len(seconds) // 2]
