"""What a zygote loads beside its tasks' jobs, and how that is kept from costing them."""

from __future__ import annotations

import gc
import os
import sys

from awflow.backends.seat import ON_DEMAND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Final

    from awflow.backends.payload import Definition

POOL: Final = 1 << 14  # bytes in which the allocator keeps objects of one size, behind a header
HEADER: Final = 48
EMPTY: Final = sys.getsizeof(b'')
LARGE: Final = (
    60_000,
    30_000,
    15_000,
    8_000,
    4_096,
    2_048,
    1_500,
    1_024,
    900,
    800,
    700,
    600,
    528,
)  # bytes; left to the C library
MOST: Final = 3000  # objects of a size


class Speaking:
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


def raiser(error: BaseException) -> Callable[[], Definition]:
    def refuse() -> Definition:
        raise error if isinstance(error, Exception) else RuntimeError(f'loading the job ended in {error!r}')

    return refuse


def tidy(collect: bool) -> None:
    """Keeps the collector from writing to pages that the children share. Jobs that were dropped are cycles, though."""
    if collect:
        gc.unfreeze()
        gc.collect()
    gc.freeze()


def load_on_demand(needed: int) -> None:
    names = [name for n, name in enumerate(ON_DEMAND) if needed >> n & 1 and name not in sys.modules]
    if names:
        load_modules(names)
        tidy(collect=True)


def load_modules(names: Iterable[str]) -> None:
    for name in names:
        try:
            __import__(name)
        except ImportError:  # the task that needs it will say so  # noqa: PERF203
            continue


def filling() -> list[object]:
    """Objects that fill the holes of the heap: whatever is made while they are kept lies side by side.

    The allocator puts an object into the first hole that fits. In a process that has loaded much, what a task makes would lie
    on as many pages as there are sizes, and on another for the book-keeping of each. Where the allocator works otherwise than
    CPython's did until now, this ends after some thousand objects and is of no use.
    """
    kept: list[object] = []
    for size in range(512, 32, -16):
        for _ in range(MOST):
            kept.append(bytes(size - EMPTY))
            if id(kept[-1]) % POOL == HEADER:  # the first of a new pool
                break
    for number in range(1 << 40, (1 << 40) + MOST):
        kept.append(number)
        if id(number) % POOL == HEADER:
            break
    highest = 0
    for size in LARGE:
        for _ in range(MOST):
            kept.append(bytes(size))
            if id(kept[-1]) > highest:  # from where nothing was freed
                highest = id(kept[-1])
                break
    return kept
