"""Making a big graph small enough to look at: jobs that stand for each other are drawn as one.

A loop over parameters gives hundreds of jobs of one shape, and a chain of thousands of steps is no drawing either. So two
things are done. Jobs are alike if their names differ only in numbers and they wait for jobs that are alike, and alike jobs
wait for them: that is told by one pass down and one up the graph, each giving every job a number for the shape of what is
above and below it. And what then is a line of jobs, each waiting for the one before and for no other, is drawn as its first
and last.
"""

from __future__ import annotations

import re

from awflow.report.picture import Arrow, Node, Picture

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

ENOUGH: Final = 40  # jobs that are drawn one by one
FEW: Final = 4  # alike jobs, or jobs in a line, that are drawn as one


def grouped(picture: Picture, enough: int = ENOUGH) -> Picture:
    """The picture itself if it is small enough, else one with alike jobs, and lines of jobs, drawn as one."""
    if len(picture.nodes) <= enough:
        return picture
    return _merged(_merged(picture, _alike(picture), ', '), None, '')


def _merged(picture: Picture, groups: Sequence[Sequence[str]] | None, between: str) -> Picture:
    """With each group of enough nodes as one node, in the place of its first; lines of nodes if no groups are given."""
    chains = groups is None
    head: dict[str, str] = {}
    merged: dict[str, Node] = {}
    for group in _lines(picture) if groups is None else groups:
        if len(group) >= FEW:
            node = _node([picture.nodes[name] for name in group], chains)
            merged[group[0]] = node
            head.update(dict.fromkeys(group, node.name))
    nodes = [
        merged.get(name, node) for name, node in picture.nodes.items() if name in merged or name not in head
    ]  # fmt: skip
    arrows: dict[tuple[str, str, str, bool], Arrow] = {}
    for arrow in picture.arrows:
        source, target = head.get(arrow.source, arrow.source), head.get(arrow.target, arrow.target)
        if source != target:
            arrows.setdefault((source, target, arrow.status, arrow.each), Arrow(source, target, arrow.status, arrow.each))
    return Picture(nodes, arrows.values())


def _node(nodes: Sequence[Node], chain: bool) -> Node:
    counts: dict[str, int] = {}
    for node in nodes:
        for outcome, count in node.counts.items():
            counts[outcome] = counts.get(outcome, 0) + count
    number = sum(node.number for node in nodes)
    first, last = nodes[0].name, nodes[-1].name
    name = f'{first} -> ... -> {last}' if chain else f'{first} ... {last}'
    return Node(f'{name} ({number} jobs)', counts, nodes[0].mode, number)


def _alike(picture: Picture) -> list[list[str]]:
    """Jobs that stand for each other, in order."""
    ups = _shapes(picture, picture.nodes, {name: [(a.source, a.label) for a in found] for name, found in picture.above.items()})
    downs = _shapes(
        picture, reversed(picture.nodes), {name: [(a.target, a.label) for a in found] for name, found in picture.below.items()}
    )
    groups: dict[tuple[int, int], list[str]] = {}
    for name in picture.nodes:
        groups.setdefault((ups[name], downs[name]), []).append(name)
    return list(groups.values())


def _shapes(picture: Picture, order: Iterable[str], beside: Mapping[str, Sequence[tuple[str, str]]]) -> dict[str, int]:
    """A number for each node, the same for those of one shape on that side."""
    numbers: dict[tuple[object, ...], int] = {}
    found: dict[str, int] = {}
    for name in order:
        around = frozenset((found.get(other, -1), label) for other, label in beside[name])
        shape = (re.sub(r'\d+', '#', name), picture.nodes[name].mode, around)
        found[name] = numbers.setdefault(shape, len(numbers))
    return found


def _lines(picture: Picture) -> list[list[str]]:
    """Longest rows of nodes of which each waits for the one before alone, and for which the next one alone waits."""
    found: dict[str, list[str]] = {}
    of: dict[str, str] = {}
    for name in picture.nodes:
        above = picture.above[name]
        before = above[0].source if len(above) == 1 and not above[0].label else None
        if before in of and len(picture.below[before]) == 1:
            of[name] = of[before]
            found[of[before]].append(name)
        else:
            of[name] = name
            found[name] = [name]
    return list(found.values())
