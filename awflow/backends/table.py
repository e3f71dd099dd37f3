"""The memory that driver, zygotes and children share: some words for each slot, so that nobody need be woken to be told.

PID      of the process that performs the slot's orders; of the one that performs the latest, 0 between two, if it is a lane
BEGUN    how many of them have begun
CLEAN    1 when the process has seen to it that it leaves none behind
NEEDED   which modules it had to load, see zygote.py
SILENT   1 when there is no more to say of its only order, or of the latest of a lane, than that it succeeded
SAYING   1 while a task of a lane writes a long report
FAILED   1 when a task of a lane did not succeed
"""

from __future__ import annotations

import mmap
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

WORDS: Final = 8  # of a slot, 32 bits each
PID, BEGUN, CLEAN, NEEDED, SILENT, SAYING, FAILED = range(7)
FREE: Final = memoryview(bytes(4 * WORDS)).cast('I')


def create(slots: int) -> int:
    """A descriptor of a new table, to be handed on."""
    descriptor = os.memfd_create('awflow')
    os.ftruncate(descriptor, 4 * WORDS * slots)
    return descriptor


def opened(descriptor: int) -> memoryview[int]:
    """The table as words."""
    return memoryview(mmap.mmap(descriptor, 0)).cast('I')
