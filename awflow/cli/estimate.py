"""How long it may take until what is claimed has ended.

A task is taken to need the median of what the successes of its job took, and a run to go on with as many tasks side
by side as run now (a job with as many of its own, or its `throttle`). So a job is done when its open tasks have had
their turn, less what those that run have had of theirs, and not before the jobs that it waits for: along an edge with
`each` a task later, otherwise after all of it. A run is done when its last job is, and not before all the work has
been shared among the tasks side by side. Of a job without any success nothing is known, so then it is at least that
long. Waiting in a queue is not foreseen.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from awflow.cli.claims import Progress, Share
    from awflow.cli.jobs import Jobs
    from awflow.cli.tally import Tally


class Remaining:
    """Seconds until jobs have ended, and all of a claim; None where nothing can be said. `least`: it may take longer."""

    __slots__ = ('least', 'of', 'seconds')

    def __init__(self, claim: Progress, tallies: Mapping[str, Tally], jobs: Jobs, now: float) -> None:
        self.of: dict[str, float] = {}
        self.seconds: float | None = None
        self.least = False
        side_by_side = len(claim.running)
        shares = {share.job: share for share in claim.shares if share.open}
        if claim.dead or not side_by_side:
            return
        work = 0.0
        for declared in jobs:
            share = shares.get(declared.job)
            if share is None:
                continue
            tally = tallies[declared.job]
            if not tally.median:
                self.least = True
                continue
            mine = _work(share, tally.median, now)
            work += mine
            takes = mine / _lanes(share, side_by_side, tally.asks.get('throttle'))
            begins = max((self.of.get(edge.upstream, 0.0) for edge in declared.edges if not edge.each), default=0.0)
            partner = max((self.of.get(edge.upstream, 0.0) for edge in declared.edges if edge.each), default=0.0)
            self.of[declared.job] = max(begins + takes, partner + tally.median if partner else 0.0)
        if self.of:
            self.seconds = max(work / side_by_side, *self.of.values())


def _work(share: Share, median: float, now: float) -> float:
    """Seconds that the open tasks of a job still need, one after the other."""
    had = sum(min(max(now - record.started, 0.0), median) for record in share.running)
    return max(share.open * median - had, 0.0)


def _lanes(share: Share, side_by_side: int, throttle: int | None) -> int:
    own = len(share.running) or side_by_side
    return max(min(own, share.open, throttle or own), 1)
