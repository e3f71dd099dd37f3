"""Drawings of graphs: small ones as they look, big ones in time and bounded, all of them well formed."""

from __future__ import annotations

from itertools import pairwise
from time import process_time
from xml.etree import ElementTree

import pytest

from awflow.cli.console import Glyphs
from awflow.report.grouping import grouped
from awflow.report.layers import GAP, Layout
from awflow.report.picture import Arrow, Node, Picture, upstream_first
from awflow.report.svg import svg
from awflow.report.texts import dot, mermaid
from awflow.report.tree import tree

SECONDS = 5.0  # of processor time, many times what is needed; a recursion or a square of the jobs would show


def picture(edges: str, **counts: dict[str, int]) -> Picture:
    """From `a>b b>c:failure c>d:any:each`."""
    arrows = []
    for edge in edges.split():
        (source, target), *more = edge.partition(':')[0].split('>'), *edge.split(':')[1:]
        status = next((word for word in more if word != 'each'), 'success')
        arrows.append(Arrow(source, target, status, 'each' in more))
    names = dict.fromkeys(name for arrow in arrows for name in (arrow.source, arrow.target))
    return Picture([Node(name, counts.get(name, {'succeeded': 1})) for name in names], arrows)


def text(drawn: Picture) -> list[str]:
    lines = []
    for line in tree(drawn, Glyphs(plain=True)):
        lines.append(f'{line.lead}{line.node.title}' + (f' ({line.mark})' if line.mark else ''))
        lines += [f'{line.below}   {line.also}'] if line.also else []
    return lines


def chain(length: int) -> Picture:
    return Picture(
        [Node(f's{i}', {'succeeded': 1}) for i in range(length)], [Arrow(f's{i}', f's{i + 1}') for i in range(length)]
    )


def sweep(width: int) -> Picture:
    """One job, `width` pairs below it, and one that waits for all."""
    names = [f'{kind}_{i}' for kind in ('fit', 'plot') for i in range(width)]
    arrows = [Arrow('start', f'fit_{i}') for i in range(width)]
    arrows += [Arrow(f'fit_{i}', f'plot_{i}', 'success', True) for i in range(width)]
    arrows += [Arrow(f'plot_{i}', 'end') for i in range(width)]
    return Picture([Node(name, {'succeeded': 2}) for name in ['start', *names, 'end']], arrows)


# -- text --------------------------------------------------------------------------------------------------------------


def test_a_graph_is_drawn_as_a_tree_with_marks_at_unusual_edges() -> None:
    drawn = picture('a>b:each b>c c>d:failure c>e:any d>e:any a>f')
    assert text(drawn) == [
        'a',
        '|- b (each)',
        '|  `- c',
        '|     `- d (on failure)',
        '|        `- e (any end)',
        '|              also after c (any end)',
        '`- f',
    ]


def test_jobs_come_below_the_last_of_what_they_wait_for_whatever_order_they_are_given_in() -> None:
    arrows = [Arrow('late', 'end'), Arrow('early', 'late'), Arrow('early', 'end')]
    drawn = Picture([Node(name, {}) for name in ('end', 'late', 'early')], arrows)
    assert text(drawn) == ['early', '`- late', '   `- end', '         also after early']


def test_only_some_of_many_upstreams_are_named() -> None:
    drawn = picture(' '.join(f'a{i}>z' for i in range(30)))
    assert text(drawn)[-1].strip() == 'also after a0, a1, a2, ... 29 in all'


def test_a_long_chain_stays_narrow() -> None:
    lines = text(chain(3000))
    assert len(lines) == 3000
    assert max(map(len, lines)) < 50


def test_names_in_a_circle_come_last_and_do_not_hang() -> None:
    assert upstream_first('abc', {'a': ['b'], 'b': ['a']}) == ['c', 'a', 'b']


# -- big graphs --------------------------------------------------------------------------------------------------------


def test_few_jobs_are_all_drawn() -> None:
    drawn = sweep(5)
    assert grouped(drawn) is drawn


def test_alike_jobs_of_a_sweep_are_drawn_as_one_with_the_sum_of_their_counts() -> None:
    drawn = grouped(sweep(1000))
    assert [node.title for node in drawn.nodes.values()] == [
        'start', 'fit_0 ... fit_999 (1000 jobs)', 'plot_0 ... plot_999 (1000 jobs)', 'end',
    ]  # fmt: skip
    assert list(drawn.nodes.values())[1].counts == {'succeeded': 2000}
    assert [arrow.label for arrow in drawn.arrows] == ['', 'each', '']


def test_a_chain_is_drawn_as_its_first_and_last_job() -> None:
    (node,) = grouped(chain(3000)).nodes.values()
    assert node.title == 's0 -> ... -> s2999 (3000 jobs)'
    assert node.counts == {'succeeded': 3000}


def test_jobs_of_other_names_or_places_are_not_alike() -> None:
    drawn = sweep(100)
    names = [Node('other_5', {'failed': 1}), *drawn.nodes.values()]
    found = grouped(Picture(names, [*drawn.arrows, Arrow('start', 'other_5'), Arrow('fit_7', 'other_5')]))
    assert 'other_5' in found.nodes
    assert 'fit_7' in found.nodes, 'something waits for it that waits for no other'


@pytest.mark.parametrize('drawn', [chain(3000), sweep(1000)], ids=['chain of 3000', 'fan of 1000'])
def test_big_graphs_are_drawn_in_time(drawn: Picture) -> None:
    began = process_time()
    for each in (drawn, grouped(drawn)):
        ElementTree.fromstring('\n'.join(svg(each, 'big')))
        assert text(each)
        assert list(dot(each, 'big'))
        assert list(mermaid(each))
    assert process_time() - began < SECONDS


def test_many_long_edges_are_drawn_without_a_point_in_each_layer() -> None:
    names = [f'n{i}' for i in range(600)]
    edges = [*pairwise(names), *(('n0', name) for name in names[2:])]
    layout = Layout(names, edges, dict.fromkeys(names, 50.0))
    assert layout.points == {}
    assert len(layout.layers) == 600


# -- images ------------------------------------------------------------------------------------------------------------

NASTY = ['a<b>&"c"', "it's", 'tab\tnew\nline', '\x1b[31mred', '\udce9', ']]>', '実験', 'x' * 200, '"];--', '\\', '#quot;']


def nasty() -> Picture:
    return Picture([Node(name, {'failed': 1}) for name in NASTY], [Arrow(a, b, 'failure', True) for a, b in pairwise(NASTY)])


def test_names_cannot_break_an_image() -> None:
    root = ElementTree.fromstring('\n'.join(svg(nasty(), NASTY[0])))
    shown = [''.join(found.itertext()) for found in root.iter('{http://www.w3.org/2000/svg}title')]
    assert shown[0] == NASTY[0]
    assert f'{NASTY[1]}: 1 failed' in shown


def test_names_cannot_break_the_languages_of_others() -> None:
    for line in dot(nasty(), NASTY[0]):
        unescaped = line.replace('\\\\', '').replace('\\"', '')
        assert unescaped.count('"') % 2 == 0, line
    for line in list(mermaid(nasty()))[1:]:
        assert line.count('"') in (0, 2), line
        assert '\n' not in line


def test_boxes_of_a_layer_do_not_overlap() -> None:
    drawn = sweep(60)
    width = {name: 40.0 + 7 * len(name) for name in drawn.nodes}
    layout = Layout(list(drawn.nodes), [(arrow.source, arrow.target) for arrow in drawn.arrows], dict(width))
    for layer in layout.layers:
        for left, right in pairwise(name for name in layer if isinstance(name, str)):
            assert layout.x[right] - layout.x[left] >= (width[left] + width[right]) / 2 + GAP - 0.01


def test_edges_that_need_not_cross_do_not() -> None:
    edges = [('a', 'z'), ('b', 'y'), ('c', 'x')]
    layout = Layout(['a', 'b', 'c', 'x', 'y', 'z'], edges, dict.fromkeys('abcxyz', 30.0))
    assert [layout.layers[1].index(target) for _, target in sorted(edges, key=lambda e: layout.layers[0].index(e[0]))] == [
        0,
        1,
        2,
    ]
