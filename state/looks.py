"""Stats of many files: one by one where that is quick, with the help of listings and side by side where it is slow.

On a local disk nothing beats a plain loop: threads or listings only add to its 2 us a file. On a network filesystem a stat is
a question to a server, 0.3 ms or more. There, listing a directory brings the attributes of all that is in it in a few
answers (NFS calls it READDIRPLUS), and what is not told so can be asked for many at a time. Which of the two it is, nobody
can tell from the type of a filesystem: caches, servers and networks differ. So the first stats of every block are timed.

A listing only makes the client's cache warm; what counts is always a stat of its own, which says no more and no less than it
would have said without.
"""

from __future__ import annotations

import os

from awflow.state.sidebyside import each

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from awflow.state.fs import Disk

BLOCK = 2048  # files; between blocks it is asked again whether it is slow
TRIAL = 15  # stats that are timed
SLOW = 15e-6  # seconds a stat: well above any local disk, below what FUSE takes even for what its server need not be asked
THREADS = 16  # questions on their way at a time; a server is asked no faster by more
MANY = 32  # files of one directory that are worth listing it
FEW = 32  # files that a thread takes at a time

Look = os.stat_result | OSError


class Looks:
    """Looks at files; `slow` tells whether the last ones had to be waited for."""

    __slots__ = ('_listed', 'disk', 'slow')

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.slow = False
        self._listed: set[str] = set()  # a big directory is not listed for every block

    def all(self, paths: Sequence[str]) -> list[Look]:
        """What stat says of each path, or the error that it raises."""
        found: list[Look] = []
        for start in range(0, len(paths), BLOCK):
            found += self._block(paths[start : start + BLOCK])
        return found

    def _block(self, paths: Sequence[str]) -> list[Look]:
        return self.trial(paths) + self.after_trial(paths)

    def trial(self, paths: Sequence[str]) -> list[Look]:
        """The same of the first ones, timed. The median counts: one stat may have waited for anything."""
        found = []
        times = []
        for path in paths[:TRIAL]:
            begun = self.disk.monotonic()
            found.append(self._look(path))
            times.append(self.disk.monotonic() - begun)
        if len(paths) >= TRIAL:  # fewer tell nothing, and nothing depends on it
            self.slow = sorted(times)[TRIAL // 2] > SLOW
        return found

    def after_trial(self, paths: Sequence[str]) -> list[Look]:
        """The same of the others, in the way that the trial suggests."""
        rest = paths[TRIAL:]
        found: list[Look] = []
        if self.slow and self._list(rest):
            found = self.trial(rest)
            rest = rest[TRIAL:]
        return found + (self._side_by_side(rest) if self.slow else self._one_by_one(rest))

    def _one_by_one(self, paths: Sequence[str]) -> list[Look]:
        return [self._look(path) for path in paths]

    def _side_by_side(self, paths: Sequence[str]) -> list[Look]:
        found: list[list[Look]] = [[] for _ in range(0, len(paths), FEW)]

        def some(number: int) -> None:
            found[number] = self._one_by_one(paths[number * FEW : number * FEW + FEW])

        each(some, range(len(found)), min(THREADS, len(found)))
        return [look for part in found for look in part]

    def _look(self, path: str) -> Look:
        try:
            return self.disk.stat(path)
        except OSError as error:
            return error

    def _list(self, paths: Sequence[str]) -> bool:
        """List the directories that many of these files lie in; whether there were any."""
        counts: dict[str, int] = {}
        for path in paths:
            directory = os.path.dirname(path)
            counts[directory] = counts.get(directory, 0) + 1
        wanted = [directory for directory, count in counts.items() if count >= MANY and directory not in self._listed]
        for directory in wanted:
            self._listed.add(directory)
            try:
                self.disk.listdir(directory or os.curdir)
            except OSError:
                continue  # the stats will tell what is wrong
        return bool(wanted)
