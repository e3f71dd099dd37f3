"""How many tasks of a job one process is given at once: as many as are over soon, and never more than an even share."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from awflow.resources import Options

WORK: Final = 0.1  # seconds of work for a lane
LEAST: Final = 4  # tasks for which a lane is worth its start
MOST: Final = 64  # tasks of a lane
SLOWER: Final = 0.3  # the weight of the latest task in what is typical, if it took longer
FASTER: Final = 0.5  # if it did not: the first of all has waited for imports


class Pacing:
    """What is known of how long a job's tasks take, and what follows from it."""

    __slots__ = ('typical',)

    def __init__(self) -> None:
        self.typical: dict[int, float] = {}  # seconds, by the number of the job

    def learn(self, number: int, seconds: float) -> None:
        """A task took so long."""
        known = self.typical.get(number, seconds)
        self.typical[number] = known + (SLOWER if seconds > known else FASTER) * (seconds - known)

    def lane(self, number: int, options: Options, waiting: int, slots: int) -> int:
        """How many of the waiting tasks a lane gets; 1 means that it is not worth one, or that each has to be watched.

        The first tasks of a job show how long they take.
        """
        typical = self.typical.get(number)
        if typical is None or options.batch > 1 or options.throttle is not None:
            return 1
        if options.timelimit is not None or options.memory is not None:
            return 1
        size = min(MOST, int(WORK / max(typical, 1e-6)), waiting // slots)
        return size if size >= LEAST else 1
