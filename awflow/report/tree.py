"""A graph of jobs as lines of text: each job once, below the last of what it waits for; its other upstreams are named.

A tree shows at a glance what a drawing of a wide graph in characters does not: what comes of what. Jobs far down in a row
stay in one column, so that a chain of thousands is as narrow as its start.
"""

from __future__ import annotations

from typing import Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from awflow.report.picture import Arrow, Node, Picture

DEEP: Final = 8  # levels below which an only child is not indented
NAMED: Final = 3  # further upstreams that are named


class Line:
    """One job: what stands before its name, the job, what marks the edge above it, and what else it waits for."""

    __slots__ = ('also', 'below', 'lead', 'mark', 'node')

    def __init__(self, lead: str, below: str, node: Node, mark: str, also: str) -> None:
        self.lead = lead
        self.below = below  # what stands before lines that go on below it
        self.node = node
        self.mark = mark
        self.also = also


class Signs(Protocol):
    """What trees are drawn with."""

    branch: str
    last: str
    through: str
    down: str


def tree(picture: Picture, signs: Signs) -> Iterator[Line]:
    """The lines, in order. No recursion: graphs may be deep."""
    place = {name: number for number, name in enumerate(picture.nodes)}
    parent = {
        name: max(above, key=lambda arrow: place[arrow.source]) if above else None for name, above in picture.above.items()
    }  # below the last of its upstreams, which is furthest down
    children: dict[str, list[str]] = {}
    for name, arrow in parent.items():
        if arrow is not None:
            children.setdefault(arrow.source, []).append(name)
    stack = [(name, '', '', 0) for name in reversed(picture.nodes) if parent[name] is None]
    while stack:
        name, lead, indent, depth = stack.pop()
        below = children.get(name, [])
        arrow = parent[name]
        yield Line(lead, indent, picture.nodes[name], _mark(picture, name, arrow), _also(picture.above[name], arrow))
        stack += reversed(list(_placed(below, indent, depth, signs)))


def _placed(below: Sequence[str], indent: str, depth: int, signs: Signs) -> Iterator[tuple[str, str, str, int]]:
    """Children with what stands before them, and before what is below them."""
    if len(below) == 1 and depth >= DEEP:
        yield below[0], indent + signs.down, indent, depth
        return
    for name in below:
        last = name == below[-1]
        yield (
            name, indent + (signs.last if last else signs.branch),
            indent + (' ' * len(signs.through) if last else signs.through), depth + 1,
        )  # fmt: skip


def _mark(picture: Picture, name: str, arrow: Arrow | None) -> str:
    mode = 'one is enough' if picture.nodes[name].mode == 'any' and len(picture.above[name]) > 1 else ''
    return ', '.join(filter(None, [arrow.label if arrow is not None else '', mode]))


def _also(above: Sequence[Arrow], arrow: Arrow | None) -> str:
    """What else a job waits for."""
    others = [other.source + (f' ({other.label})' if other.label else '') for other in above if other is not arrow]
    if not others:
        return ''
    more = f', ... {len(others)} in all' if len(others) > NAMED else ''
    return f'also after {", ".join(others[:NAMED])}{more}'
