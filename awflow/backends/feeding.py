"""Lanes under way: they get more while there is more, and idle slots get what they have not begun."""

from __future__ import annotations

from heapq import heapify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from awflow.backends.launched import Child
    from awflow.backends.local import LocalBackend

LIFE: Final = 1000  # orders of a lane: its driver remembers them all


class Feeding:
    """The lanes of a driver."""

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend

    def top_up(self) -> None:
        """Give lanes their next orders while they perform the last ones, so that none of them waits."""
        for child in self.backend.children.values():
            if child.open and len(child.attempts) - self.backend.pool.begun(child.slot) <= child.portion // 2:
                self._more(child)

    def _more(self, child: Child) -> None:
        backend, number = self.backend, child.number
        queue = backend.queues.get(number)
        if not queue or backend.turns[0] != number or len(child.attempts) >= LIFE:
            self.close(child)
            return
        if not backend.pool.hungry(child.slot):
            return
        size = backend.lane(number, queue)
        attempts = backend.prepared(queue, size) if size > 1 else []
        if not queue:
            del backend.queues[number]
            backend.turns.remove(number)
            heapify(backend.turns)
        if not attempts or not backend.pool.more(child.slot, backend.orders(child, attempts)):
            backend.put_back(attempts)
            self.close(child)
            return
        if child.index == len(child.attempts):
            backend.display.started(attempts[0].name)
        child.attempts += attempts
        child.portion = len(attempts)

    def close(self, child: Child) -> None:
        """Let a lane end when it has performed what it has."""
        if child.open:
            child.open = False
            self.backend.pool.enough(child.slot)

    def close_all(self) -> None:
        """Let no lane begin another order."""
        for child in self.backend.children.values():
            if child.lane:
                self._take_back(child, len(child.attempts))

    def unburden(self) -> bool:
        """Let an idle slot have what a lane has not begun: nothing waits behind a slow task. Whether there was such."""
        backend = self.backend
        lanes = [child for child in backend.children.values() if child.lane]
        left = [len(child.attempts) - max(1, backend.pool.begun(child.slot)) for child in lanes]
        if max(left, default=0) < 1:
            return False
        child = lanes[left.index(max(left))]
        share = backend.budget.take(backend.session.survey.subjects[child.number].job.options)
        if share is None:
            return False
        backend.budget.give_back(share)
        return self._take_back(child, (max(left) + 1) // 2)

    def _take_back(self, child: Child, number: int) -> bool:
        """Have a lane leave at most so many of its last orders to others; whether it had not begun any of them."""
        taken = self.backend.pool.take_back(child.slot, number)
        kept = len(child.attempts) - taken
        self.backend.put_back(child.attempts[kept:])
        del child.attempts[kept:]
        self.close(child)
        return taken > 0
