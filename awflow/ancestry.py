"""Who waits for whom, directly or through others.

A job's ancestors as a set would take gigabytes in a chain of 10,000 jobs. Mostly it is the direct upstream that is asked
for, which its edges tell. Otherwise the ancestors of a job are the bits of one integer, made for the jobs up to it when
first asked for.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

FEW: Final = 8  # direct upstreams that are looked through


class Ancestry:
    """The upstreams of each job by number, upstream first: an upstream has a lower number."""

    __slots__ = ('_above', '_direct')

    def __init__(self, direct: Sequence[Sequence[int]]) -> None:
        self._direct = direct
        self._above: list[int] = []

    def is_above(self, upstream: int, number: int) -> bool:
        """Whether the job `number` waits for `upstream`."""
        direct = self._direct[number]
        if len(direct) <= FEW and upstream in direct:
            return True
        return upstream < number and bool(self._bits(number) >> upstream & 1)

    def _bits(self, number: int) -> int:
        above = self._above
        for upstreams in self._direct[len(above) : number + 1]:
            bits = 0
            for upstream in upstreams:
                bits |= above[upstream] | 1 << upstream
            above.append(bits)
        return above[number]
