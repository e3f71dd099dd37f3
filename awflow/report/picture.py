"""What is drawn of a graph of jobs: nodes with counts, arrows with what they wait for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

BAD: Final = ('failed', 'timeout', 'crashed', 'cancelled')
LOOKS: Final = ('bad', 'running', 'waiting', 'succeeded', 'open')


class Arrow:
    """From an upstream to who waits for it: until it has succeeded, failed or ended (`any`); `each`: task by task."""

    __slots__ = ('each', 'source', 'status', 'target')

    def __init__(self, source: str, target: str, status: str = 'success', each: bool = False) -> None:
        self.source = source
        self.target = target
        self.status = status
        self.each = each

    @property
    def label(self) -> str:
        """What is not usual about it."""
        told = [{'failure': 'on failure', 'any': 'any end'}.get(self.status, '')] + (['each'] if self.each else [])
        return ', '.join(filter(None, told))


class Node:
    """A job, or `number` jobs that stand for each other; `counts` of tasks by outcome in the order to be shown."""

    __slots__ = ('counts', 'mode', 'name', 'number', 'title')

    def __init__(self, name: str, counts: Mapping[str, int], mode: str = 'all', number: int = 1, title: str = '') -> None:
        self.name = name
        self.title = title or name
        self.counts = counts
        self.mode = mode
        self.number = number

    @property
    def tasks(self) -> int:
        return sum(self.counts.values())

    @property
    def look(self) -> str:
        """The worst of what its tasks are, as one of LOOKS."""
        if any(self.counts.get(outcome) for outcome in BAD):
            return 'bad'
        for look in ('running', 'waiting'):
            if self.counts.get(look):
                return look
        return 'succeeded' if self.tasks and self.counts.get('succeeded', 0) == self.tasks else 'open'

    def told(self) -> str:
        """Its counts in words."""
        return ', '.join(f'{count} {outcome}' for outcome, count in self.counts.items())


class Picture:
    """Nodes by name, upstream first, and arrows between them."""

    __slots__ = ('above', 'arrows', 'below', 'nodes')

    def __init__(self, nodes: Iterable[Node], arrows: Iterable[Arrow]) -> None:
        by_name = {node.name: node for node in nodes}
        self.arrows = [arrow for arrow in arrows if arrow.source in by_name and arrow.target in by_name]
        sources: dict[str, list[str]] = {}
        for arrow in self.arrows:
            sources.setdefault(arrow.target, []).append(arrow.source)
        self.nodes = {name: by_name[name] for name in upstream_first(by_name, sources)}
        self.above: dict[str, list[Arrow]] = {name: [] for name in self.nodes}
        self.below: dict[str, list[Arrow]] = {name: [] for name in self.nodes}
        for arrow in self.arrows:
            self.above[arrow.target].append(arrow)
            self.below[arrow.source].append(arrow)

    def to_dict(self) -> list[dict[str, Any]]:
        """For JSON."""
        return [
            {
                'job': node.name, 'tasks': node.tasks, 'outcomes': dict(node.counts), 'waitfor': node.mode,
                'after': [{'job': a.source, 'status': a.status, 'each': a.each} for a in self.above[node.name]],
            }
            for node in self.nodes.values()
        ]  # fmt: skip


def upstream_first(names: Iterable[str], above: Mapping[str, Iterable[str]]) -> list[str]:
    """Names in an order in which what a name waits for comes before it, otherwise as they come; those in a circle last."""
    from heapq import heapify, heappop, heappush

    order = list(names)
    place = {name: number for number, name in enumerate(order)}
    below: dict[str, list[str]] = {}
    missing = dict.fromkeys(order, 0)
    for name in order:
        for upstream in {upstream for upstream in above.get(name, ()) if upstream in place}:
            missing[name] += 1
            below.setdefault(upstream, []).append(name)
    ready = [place[name] for name in order if not missing[name]]
    heapify(ready)
    found: dict[str, None] = {}
    while ready:
        name = order[heappop(ready)]
        found[name] = None
        for other in below.get(name, ()):
            missing[other] -= 1
            if not missing[other]:
                heappush(ready, place[other])
    return [*found, *(name for name in order if name not in found)]
