"""Where the boxes of a graph go: the layered drawing of Sugiyama, Tagawa and Toda (1981), with simple means for each step.

Every node gets a layer, below all that it waits for. An edge across several layers gets a point in each between, so that it
bends around boxes instead of crossing them. Within layers the order is improved by putting each node at the mean place of
its neighbours, downward and upward in turn, and the order with the fewest crossings is kept. Then each layer is moved so
that its nodes stand over the middle of their neighbours, as far as the order and the gaps allow.
"""

from __future__ import annotations

from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Final

    Item = str | tuple[int, int]  # a node, or the point of an edge (its number) in a layer

SWEEPS: Final = 8
POINTS: Final = 20_000  # of long edges; of a graph that needs more they are drawn straight
GAP: Final = 26.0


class Layout:
    """Places of nodes, as the middle of their boxes, and of the points of edges, by number of the edge."""

    __slots__ = ('layers', 'points', 'x')

    def __init__(self, names: Sequence[str], edges: Sequence[tuple[str, str]], width: Mapping[Item, float]) -> None:
        """`names` are in an order in which edges lead onward."""
        layer = _layers(names, edges)
        long = sum(max(layer[target] - layer[source] - 1, 0) for source, target in edges)
        bends = long <= POINTS
        self.points: dict[int, list[tuple[int, int]]] = {}
        pieces = list(self._pieces(layer, edges, bends))
        self.layers: list[list[Item]] = [[] for _ in range(max(layer.values(), default=-1) + 1)]
        for name in names:
            self.layers[layer[name]].append(name)
        for points in self.points.values():
            for point in points:
                self.layers[point[1]].append(point)
        above, below = _neighbours(pieces)
        _untangle(self.layers, above, below)
        self.x = _placed(self.layers, above, below, lambda item: width[item] if isinstance(item, str) else 6.0)

    def _pieces(self, layer: Mapping[str, int], edges: Sequence[tuple[str, str]], bends: bool) -> Iterator[tuple[Item, Item]]:
        """Edges in pieces that lead from one layer to the next."""
        for number, (source, target) in enumerate(edges):
            through = range(layer[source] + 1, layer[target]) if bends else range(0)
            points = [(number, each) for each in through]
            if points:
                self.points[number] = points
            ends: list[Item] = [source, *points, target]
            yield from pairwise(ends)


def _layers(names: Sequence[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The length of the longest way to each node; sources are brought down to just above what comes of them."""
    below: dict[str, list[str]] = {}
    sources = dict.fromkeys(names)
    for source, target in edges:
        below.setdefault(source, []).append(target)
        sources.pop(target, None)
    layer = dict.fromkeys(names, 0)
    for name in names:
        for target in below.get(name, ()):
            layer[target] = max(layer[target], layer[name] + 1)
    for name in sources:
        layer[name] = max(min((layer[target] for target in below.get(name, ())), default=1) - 1, 0)
    return layer


def _neighbours(pieces: Sequence[tuple[Item, Item]]) -> tuple[dict[Item, list[Item]], dict[Item, list[Item]]]:
    above: dict[Item, list[Item]] = {}
    below: dict[Item, list[Item]] = {}
    for source, target in pieces:
        below.setdefault(source, []).append(target)
        above.setdefault(target, []).append(source)
    return above, below


def _untangle(layers: list[list[Item]], above: Mapping[Item, Sequence[Item]], below: Mapping[Item, Sequence[Item]]) -> None:
    """Order the layers so that few edges cross."""
    best = [list(layer) for layer in layers]
    fewest = _crossings(layers, below)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        for layer in layers[1:] if down else layers[-2::-1]:
            _sort(layer, _places(layers), above if down else below)
        crossings = _crossings(layers, below)
        if crossings < fewest:
            fewest, best = crossings, [list(layer) for layer in layers]
    for layer, order in zip(layers, best, strict=True):
        layer[:] = order


def _places(layers: Sequence[Sequence[Item]]) -> dict[Item, int]:
    return {item: place for layer in layers for place, item in enumerate(layer)}


def _sort(layer: list[Item], place: Mapping[Item, float], beside: Mapping[Item, Sequence[Item]]) -> None:
    means = {
        item: sum(place[other] for other in beside[item]) / len(beside[item]) if beside.get(item) else place[item]
        for item in layer
    }
    layer.sort(key=means.__getitem__)


def _crossings(layers: Sequence[Sequence[Item]], below: Mapping[Item, Sequence[Item]]) -> int:
    """How many edges cross: inversions among the ends of edges that are sorted by their starts."""
    from bisect import bisect_right, insort

    total = 0
    for upper, lower in pairwise(layers):
        place = {item: at for at, item in enumerate(lower)}
        seen: list[int] = []
        for item in upper:
            ends = sorted(place[other] for other in below.get(item, ()) if other in place)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def _placed(
    layers: Sequence[Sequence[Item]], above: Mapping[Item, Sequence[Item]], below: Mapping[Item, Sequence[Item]],
    width: Callable[[Item], float],
) -> dict[Item, float]:  # fmt: skip
    """The middle of every item."""
    x: dict[Item, float] = {}
    for layer in layers:
        _pack(layer, dict.fromkeys(layer, 0.0), x, width)
    for sweep in range(SWEEPS):
        down = sweep % 2 == 0
        for layer in layers if down else reversed(layers):
            beside = above if down else below
            wanted = {item: _middle([x[other] for other in beside.get(item, ())], x[item]) for item in layer}
            _pack(layer, wanted, x, width)
    left = min((x[item] - width(item) / 2 for item in x), default=0.0)
    return {item: place - left for item, place in x.items()}


def _middle(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _pack(layer: Sequence[Item], wanted: Mapping[Item, float], x: dict[Item, float], width: Callable[[Item], float]) -> None:
    """Place a layer's items near where they are wanted, in their order and without overlap.

    Items that would overlap are put side by side and move as one block to where they are wanted on average; a block that then
    meets its neighbour joins it.
    """
    blocks: list[tuple[float, float, int]] = []  # sum of the wished left ends, total width, items
    for item in layer:
        size = width(item) + GAP
        wish, length, count = wanted[item] - width(item) / 2, size, 1
        while blocks and blocks[-1][0] / blocks[-1][2] + blocks[-1][1] > wish / count:
            before = blocks.pop()
            wish, length, count = before[0] + wish - before[1] * count, before[1] + length, before[2] + count
        blocks.append((wish, length, count))
    items = iter(layer)
    for wish, _, count in blocks:
        at = wish / count
        for _ in range(count):
            item = next(items)
            x[item] = at + width(item) / 2
            at += width(item) + GAP
