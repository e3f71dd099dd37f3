"""A graph of jobs as an SVG image: boxes with counts and a bar of outcomes, in layers from what comes first downward."""

from __future__ import annotations

from itertools import pairwise

from awflow.report.layers import GAP, Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from awflow.report.layers import Item
    from awflow.report.picture import Arrow, Node, Picture

HEIGHT: Final = 50.0  # of a box, in pixels, as all lengths here
STEP: Final = 96.0  # from one layer to the next
MARGIN: Final = 24.0
LETTER: Final = 8.1  # the mean width of a letter of a name
SMALL: Final = 6.1  # and of a count
BEHIND: Final = (6.0, 3.0)  # how far boxes of further jobs stick out
NARROW, BROAD = 96.0, 340.0  # least and greatest width of a box
COLOURS: Final = {
    'succeeded': '#2e9e55', 'failed': '#d43d3d', 'timeout': '#d43d3d', 'crashed': '#a3195b', 'cancelled': '#e08a1e',
    'running': '#1f8fd6', 'waiting': '#b6bdc6', 'skipped': '#d3d8de', 'forgotten': '#d3d8de', 'not started': '#d3d8de',
}  # fmt: skip
STYLE: Final = """
  svg { font-family: system-ui, 'Segoe UI', 'DejaVu Sans', sans-serif; background: #fff; }
  .box { fill: #fbfcfd; stroke: #8a94a0; } .bad .box { stroke: #d43d3d; stroke-width: 2; fill: #fdf1f1; }
  .running .box { stroke: #1f8fd6; stroke-width: 2; } .succeeded .box { stroke: #2e9e55; }
  .open .box { stroke-dasharray: 4 3; }
  .name { font-size: 13px; font-weight: 600; fill: #1b1f24; } .told, .label { font-size: 10.5px; fill: #57606a; }
  .label { paint-order: stroke; stroke: #fff; stroke-width: 3px; text-anchor: middle; }
  .edge { fill: none; stroke: #7a8490; stroke-width: 1.3; } .edge.failure { stroke: #d43d3d; stroke-dasharray: 6 4; }
  .edge.any { stroke-dasharray: 2 3; }
"""


def svg(picture: Picture, title: str) -> Iterator[str]:
    """The lines of the image."""
    names = list(picture.nodes)
    width: dict[Item, float] = {name: _width(node) for name, node in picture.nodes.items()}
    layout = Layout(names, [(arrow.source, arrow.target) for arrow in picture.arrows], width)
    tops = [MARGIN + 30 + STEP * row for row in range(len(layout.layers))]
    places = {name: (layout.x[name] + MARGIN, top) for top, layer in zip(tops, layout.layers, strict=True) for name in layer}
    broad = MARGIN + max([layout.x[item] + width.get(item, 0.0) / 2 for item in layout.x] + [260.0]) + MARGIN
    high = max(tops, default=0.0) + HEIGHT + MARGIN
    yield (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{broad:.0f}" height="{high:.0f}" '
        f'viewBox="0 0 {broad:.0f} {high:.0f}" role="img">'
    )
    yield f'<title>{_escaped(title)}</title><style>{STYLE}</style>'
    yield (
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0.6 L8 4 L0 7.4 z" fill="#7a8490"/></marker></defs>'
    )
    yield f'<text class="name" x="{MARGIN:.0f}" y="{MARGIN + 4:.0f}">{_escaped(title)}</text>'
    for number, arrow in enumerate(picture.arrows):
        points = [places[point] for point in layout.points.get(number, ())]
        _, top = places[arrow.target]
        lift = BEHIND[0] if picture.nodes[arrow.target].number > 1 else 0.0
        yield from _edge(arrow, places[arrow.source], points, (places[arrow.target][0], top - lift))
    for name, node in picture.nodes.items():
        yield from _box(node, *places[name], width[name])
    yield '</svg>'


def _width(node: Node) -> float:
    return min(max(_length(node.title) * LETTER, len(node.told()) * SMALL, NARROW - GAP) + GAP, BROAD)


def _length(text: str) -> float:
    """In letters of usual width: those of East Asia are broader."""
    return sum(1.8 if ord(letter) > 0x2E80 else 1.0 for letter in text)


def _box(node: Node, x: float, y: float, width: float) -> Iterator[str]:
    left = x - width / 2
    yield f'<g class="{node.look}"><title>{_escaped(node.title)}: {_escaped(node.told())}</title>'
    for behind in BEHIND if node.number > 1 else ():
        yield f'<rect class="box" x="{left + behind:.1f}" y="{y - behind:.1f}" width="{width:.1f}" height="{HEIGHT}" rx="7"/>'
    yield f'<rect class="box" x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="{HEIGHT}" rx="7"/>'
    yield f'<text class="name" x="{left + 12:.1f}" y="{y + 18:.1f}">{_escaped(_cut(node.title, (width - 20) / LETTER))}</text>'
    yield f'<text class="told" x="{left + 12:.1f}" y="{y + 33:.1f}">{_escaped(_cut(node.told(), (width - 18) / SMALL))}</text>'
    yield from _bar(node, left + 12, y + HEIGHT - 10, width - 24)
    yield '</g>'


def _bar(node: Node, x: float, y: float, width: float) -> Iterator[str]:
    """A stripe in the colours of the outcomes; what is there at all is to be seen."""
    for outcome, count in node.counts.items():
        share = width * count / node.tasks
        colour = COLOURS.get(outcome, COLOURS['waiting'])
        yield f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(share, 1.5):.1f}" height="4" fill="{colour}"/>'
        x += share


def _edge(
    arrow: Arrow, start: tuple[float, float], points: Sequence[tuple[float, float]], end: tuple[float, float]
) -> Iterator[str]:
    """From the lower edge of one box to the upper edge of the other, upright at both, and straight past boxes between."""
    ends = [(start[0], start[1] + HEIGHT), *((x, y) for x, top in points for y in (top, top + HEIGHT)), (end[0], end[1] - 1)]
    path = f'M{ends[0][0]:.1f} {ends[0][1]:.1f}'
    for place, ((x1, y1), (x2, y2)) in enumerate(pairwise(ends)):
        bend = (y2 - y1) / 2
        curve = f' C{x1:.1f} {y1 + bend:.1f} {x2:.1f} {y2 - bend:.1f} {x2:.1f} {y2:.1f}'
        path += f' V{y2:.1f}' if place % 2 else curve
    yield f'<path class="edge {arrow.status}" d="{path}" marker-end="url(#tip)"/>'
    if arrow.label:
        x, y = _along(ends[-2], ends[-1], 0.36 if arrow.each else 0.62)  # labels of neighbours differ in height
        yield f'<text class="label" x="{x:.1f}" y="{y + 3:.1f}">{_escaped(arrow.label)}</text>'


def _along(start: tuple[float, float], end: tuple[float, float], t: float) -> tuple[float, float]:
    """A point of the curve between two points that is upright at both."""
    (x1, y1), (x2, y2) = start, end
    s = 1 - t
    x = x1 * (s**3 + 3 * s * s * t) + x2 * (3 * s * t * t + t**3)
    return x, y1 * s**3 + (y1 + y2) / 2 * (3 * s * s * t + 3 * s * t * t) + y2 * t**3


def _cut(text: str, letters: float) -> str:
    return text if _length(text) <= letters else text[: max(int(letters) - 1, 1)] + '\N{HORIZONTAL ELLIPSIS}'


def _escaped(text: str) -> str:
    """For XML, which cannot hold control characters or halves of surrogates at all."""
    plain = ''.join(letter if letter.isprintable() else letter.encode('unicode_escape').decode() for letter in text)
    return plain.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;').replace('"', '&quot;')
