"""What the machine has, and what running tasks leave of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from awflow.resources import Options


class Share:
    """What one process of tasks was given."""

    __slots__ = ('cpus', 'gpus', 'memory')

    def __init__(self, cpus: int, memory: int, gpus: list[str]) -> None:
        self.cpus = cpus
        self.memory = memory
        self.gpus = gpus


class Budget:
    """Cpus, memory (MiB) and gpus that are free. A job that asks for more than there is at all gets all of it, alone."""

    def __init__(self, cpus: int, memory: int, gpus: Sequence[str]) -> None:
        self.cpus = self.all_cpus = cpus
        self.memory = self.all_memory = memory
        self.gpus = list(gpus)
        self.all_gpus = len(gpus)

    def take(self, options: Options) -> Share | None:
        """A share for one process of this job, or None while too little is free."""
        cpus = min(options.cpus, self.all_cpus)
        memory = min(options.memory or 0, self.all_memory)
        gpus = min(options.gpus, self.all_gpus)
        if cpus > self.cpus or memory > self.memory or gpus > len(self.gpus):
            return None
        self.cpus -= cpus
        self.memory -= memory
        share = Share(cpus, memory, self.gpus[:gpus])
        del self.gpus[:gpus]
        return share

    def give_back(self, share: Share) -> None:
        """The process has ended."""
        self.cpus += share.cpus
        self.memory += share.memory
        self.gpus += share.gpus
