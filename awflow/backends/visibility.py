"""What another host has written may not be visible here for seconds, on NFS for a minute: it is waited for, within a bound.

A client may remember that a name was not there, and how long a file was. Listing the directory makes it ask again, and so
does a change of its own in it (state/ledger.py).
"""

from __future__ import annotations

import os
from time import monotonic, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

PATIENCE: Final = 90.0  # seconds
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 2.0


def visible(path: str) -> bool:
    """Whether a file is there; asks by listing, for a client may remember that it was not."""
    if os.path.lexists(path):
        return True
    try:
        return os.path.basename(path) in os.listdir(os.path.dirname(path) or '.') and os.path.lexists(path)
    except OSError:
        return False


def freshen(directory: str) -> None:
    """Make this client forget what it knows of a directory, if it may write there."""
    path = f'{directory}/.tmp-{os.getpid()}-{os.urandom(4).hex()}'
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
        os.unlink(path)
    except OSError:
        return


def awaited(condition: Callable[[], bool]) -> bool:
    """Ask until something is so, or the patience ends; whether it is."""
    began, pause = monotonic(), FIRST_PAUSE
    while not condition():
        if monotonic() - began > PATIENCE:
            return False
        sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
    return True
