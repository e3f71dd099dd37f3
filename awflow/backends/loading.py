"""What a zygote loads beside its tasks' jobs, and how that is kept from costing them."""

from __future__ import annotations

import gc
import os
import sys

from awflow.backends.seat import ON_DEMAND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from awflow.backends.payload import Definition


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
