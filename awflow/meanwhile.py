"""Saying that planning takes its time, and with what.

Whoever adds a terabyte of inputs waits until all of it has been read once, and conditions may take as long as they like. A
terminal that says nothing all the while looks like one that hangs.
"""

from __future__ import annotations

import sys
from _thread import allocate_lock, start_new_thread
from time import monotonic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import LockType
    from typing import Final

FIRST, LATER = 5.0, 30.0  # seconds until it is said, and said again
MIB: Final = 2**20
GIB: Final = 2**30


class Meanwhile:
    """While it lasts, somebody looks at the clock: in a thread, for reading and digesting let others go on."""

    __slots__ = ('_over',)

    def __init__(self) -> None:
        self._over: LockType = allocate_lock()

    def __enter__(self) -> None:
        self._over.acquire()
        try:
            start_new_thread(_tell, (self._over, _read()))
        except RuntimeError:
            pass  # the system gives no more threads; nothing depends on this one

    def __exit__(self, *_: object) -> None:
        self._over.release()


def _tell(over: LockType, read: int) -> None:
    began, pause = monotonic(), FIRST
    while not over.acquire(timeout=pause):
        digested = _read() - read
        size = f'{digested / GIB:.1f} GiB' if digested >= GIB else f'{digested / MIB:.0f} MiB'
        what = f', {size} of files read' if digested else ''
        print(f'awflow: looking at what is there, for {monotonic() - began:.0f} s so far{what}', file=sys.stderr, flush=True)
        pause = LATER


def _read() -> int:
    """The bytes that were digested by this process."""
    hashing = sys.modules.get('awflow.state.hashing')  # loaded by whoever digests first
    return 0 if hashing is None else int(hashing.done.bytes)
