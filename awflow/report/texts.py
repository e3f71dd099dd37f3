"""A graph of jobs in the languages of Graphviz and Mermaid."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from awflow.report.picture import Arrow, Node, Picture

COLOURS: Final = {  # fill and border
    'bad': ('#fdecea', '#c62828'), 'running': ('#e1f3fb', '#0277bd'), 'waiting': ('#f3f3f3', '#9e9e9e'),
    'succeeded': ('#e8f5e9', '#2e7d32'), 'open': ('#ffffff', '#9e9e9e'),
}  # fmt: skip


def dot(picture: Picture, name: str) -> Iterator[str]:
    """For `dot -Tpdf`."""
    yield f'digraph {_quoted(name)} {{'
    yield '  node [shape=box, style="rounded,filled", fontname="sans-serif"];'
    yield '  edge [fontname="sans-serif", fontsize=10];'
    for node in picture.nodes.values():
        fill, border = COLOURS[node.look]
        label = _quoted(node.title, node.told())
        yield f'  {_quoted(node.name)} [label={label}, fillcolor="{fill}", color="{border}"];'
    for arrow in picture.arrows:
        yield f'  {_quoted(arrow.source)} -> {_quoted(arrow.target)}{_attributes(arrow)};'
    yield '}'


def _attributes(arrow: Arrow) -> str:
    style = {'failure': 'dashed', 'any': 'dotted'}.get(arrow.status)
    found = [f'label={_quoted(arrow.label)}'] if arrow.label else []
    found += [f'style={style}'] if style else []
    return f' [{", ".join(found)}]' if found else ''


def _quoted(*lines: str) -> str:
    """A string of Graphviz, in which only quotes, and backslashes, are special."""
    escaped = [line.replace('\\', '\\\\').replace('"', '\\"').replace('\n', '\\n') for line in lines if line]
    return '"' + '\\n'.join(escaped) + '"'


def mermaid(picture: Picture) -> Iterator[str]:
    """For Markdown on GitHub or GitLab, in a block that is marked `mermaid`."""
    yield 'flowchart TD'
    numbers = {name: f'n{number}' for number, name in enumerate(picture.nodes)}
    for name, node in picture.nodes.items():
        yield f'  {numbers[name]}["{_label(node)}"]:::{node.look}'
    for arrow in picture.arrows:
        yield f'  {numbers[arrow.source]} {_line(arrow)} {numbers[arrow.target]}'
    for look, (fill, border) in COLOURS.items():
        yield f'  classDef {look} fill:{fill},stroke:{border},color:#222'


def _label(node: Node) -> str:
    return '<br/>'.join(_entities(text) for text in (node.title, node.told()) if text)


def _line(arrow: Arrow) -> str:
    label = f'|"{_entities(arrow.label)}"|' if arrow.label else ''
    return f'{"-->" if arrow.status == "success" else "-.->"}{label}'


def _entities(text: str) -> str:
    """Mermaid reads quotes, markup and brackets anywhere; numbers of characters are safe."""
    return ''.join(letter if letter.isalnum() or letter in ' _-,.' else f'#{ord(letter)};' for letter in text)
