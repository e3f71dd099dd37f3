"""Whether files hold what a record says: told from the cache of digests where it can be, by reading where that is cheap."""

from __future__ import annotations

import os
from itertools import islice
from math import inf

from awflow.errors import RunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from awflow.cli.observed import Workflow

SAME, CHANGED, ABSENT, UNREAD = 'as recorded', 'changed', 'absent', 'not compared'
CHEAP: Final = 64 << 20  # bytes that a command reads without being asked to
FILES: Final = 1000  # and files that it looks at


class Contents:
    """The files of a workflow as they are now, by paths as records name them: relative to where their run scheduled.

    `thorough`: whatever it costs. Otherwise only the first of very many are looked at, and what the cache does not know is
    read as long as it is not much in all; the rest is not compared.
    """

    def __init__(self, workflow: Workflow, thorough: bool = False) -> None:
        self._digests = workflow.store.digests()
        self._bytes: float = inf if thorough else CHEAP  # still to be spent
        self._files: float = inf if thorough else FILES

    def compared(self, directory: str, path: str, digest: str, size: int | None = None) -> str:
        """One of the words above. `digest` may also be that of size and time, of an input with hash='stat'."""
        if self._files <= 0:
            return UNREAD
        self._files -= 1
        here = os.getcwd()
        try:
            os.chdir(directory)  # the cache of digests is relative to it
        except OSError:
            return ABSENT
        try:
            return self._compared(path, digest, size)
        except (RunError, OSError):
            return UNREAD  # it may not be read, or comes and goes
        finally:
            os.chdir(here)

    def _compared(self, path: str, digest: str, size: int | None) -> str:
        signature = self._digests.signature(path)
        if signature is None:
            return ABSENT
        known = self._digests.known(path)
        if known is not None and known.digest == digest:
            return SAME
        stands_for = self._digests.stat_only(path)
        if stands_for is not None and stands_for.digest == digest:
            return SAME
        folder = os.path.isdir(path)
        if known is not None or (size is not None and not folder and signature[0] != size):
            return CHANGED
        if not self._affords(path, signature[0], folder):
            return UNREAD
        content = self._digests.of(path)
        return ABSENT if content is None else SAME if content.digest == digest else CHANGED

    def _affords(self, path: str, size: int, folder: bool) -> bool:
        """Whether it may be read; then it is paid for."""
        if folder and self._files < inf:
            sizes = list(islice(_sizes(path), int(self._files) + 1))
            size = sum(sizes)
            if len(sizes) > self._files or size > self._bytes:
                return False
            self._files -= len(sizes)
        if size > self._bytes:
            return False
        self._bytes -= size
        return True


def _sizes(path: str) -> Iterator[int]:
    for entry in os.scandir(path):
        if entry.is_dir(follow_symlinks=False):
            yield from _sizes(entry.path)
        else:
            yield entry.stat().st_size if entry.is_file() else 0
