"""`awflow graph`: which job waits for which, and how each stands."""

from __future__ import annotations

import click

from awflow.cli.options import json_option, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Final

    from rich.text import Text

    from awflow.cli.observed import Workflow
    from awflow.report.picture import Picture
    from awflow.report.tree import Line

LINES: Final = 200  # of text, unless all jobs are asked for
COLUMN: Final = 48  # the most that names take before counts begin


@click.command(epilog='Example: awflow graph --svg flow.svg')
@click.option('--svg', is_flag=False, flag_value='-', metavar='[FILE]', help='Draw an SVG image.')
@click.option('--dot', is_flag=True, help='Print it for Graphviz.')
@click.option('--mermaid', is_flag=True, help='Print it for Mermaid, as in Markdown.')
@click.option('--all', 'whole', is_flag=True, help='Draw every job, also of big graphs.')
@json_option
@state_option
@workflow_option
def graph(svg: str | None, dot: bool, mermaid: bool, whole: bool, as_json: bool, root: str, workflow: str | None) -> None:
    """Draw which job waits for which, and how each stands.

    Of more than 40 jobs, those that are alike, and long rows of them, are drawn as one unless --all is given.
    """
    from awflow.cli.workflows import chosen

    if sum([svg is not None, dot, mermaid, as_json]) > 1:
        raise click.UsageError('Say one of --svg, --dot, --mermaid and --json.')
    names = chosen(root, workflow)
    if len(names) > 1 and (svg is not None or dot or mermaid):
        raise click.UsageError(f'Say of which workflow with --workflow: {", ".join(names)}.')
    from awflow.cli.salvaged import observed

    pictures = [(each.name, _picture(each)) for each in observed(root, names)]
    if as_json:
        _print_json(root, pictures)
    elif svg is None and not dot and not mermaid:
        _print(pictures, whole)
    else:
        _write(*pictures[0], svg, dot, whole)


def _picture(workflow: Workflow) -> Picture:
    from time import time

    from awflow.cli.standing import Standing
    from awflow.report.picture import Arrow, Node, Picture

    standing = Standing(workflow, time())
    modes = {declared.job: declared.mode for declared in standing.jobs}
    nodes = [Node(tally.job, dict(tally.ordered()), modes[tally.job]) for tally in standing.tallies]
    arrows = [Arrow(e.upstream, each.job, e.status, e.each) for each in standing.jobs for e in each.edges]
    return Picture(nodes, arrows)


def _print_json(root: str, pictures: Iterable[tuple[str, Picture]]) -> None:
    from json import dumps

    found = [{'workflow': name, 'jobs': picture.to_dict()} for name, picture in pictures]
    click.echo(dumps({'state': root, 'workflows': found}, indent=1))


def _write(name: str, picture: Picture, svg: str | None, dot: bool, whole: bool) -> None:
    from awflow.cli.console import visible
    from awflow.report import texts
    from awflow.report.grouping import grouped

    drawn = picture if whole else grouped(picture)
    if svg is None:
        click.echo('\n'.join(texts.dot(drawn, name) if dot else texts.mermaid(drawn)))
        return
    from awflow.report.svg import svg as image

    text = '\n'.join(image(drawn, name)) + '\n'
    if svg == '-':
        click.echo(text, nl=False)
        return
    try:
        with open(svg, 'w', encoding='utf-8') as file:
            file.write(text)
    except OSError as error:
        from awflow.errors import AwflowError

        raise AwflowError(
            'the drawing cannot be written to {_path}: {_why}', '', _path=svg, _why=error.strerror or error
        ) from error
    click.echo(f'{len(picture.nodes)} jobs drawn in {visible(svg)}')


# -- as text -----------------------------------------------------------------------------------------------------------


def _print(pictures: list[tuple[str, Picture]], whole: bool) -> None:
    from awflow.cli.console import console, glyphs, visible
    from awflow.report.grouping import grouped
    from awflow.report.tree import tree

    out = console()
    signs = glyphs()
    for place, (name, picture) in enumerate(pictures):
        if place:
            out.print()
        out.print(visible(name), style='bold', soft_wrap=True)
        lines = list(tree(picture if whole else grouped(picture), signs))
        shown = lines if whole else lines[:LINES]
        for text in _texts(shown, out.width):
            out.print(text, soft_wrap=True)
        if len(shown) < len(lines):
            out.print(f'... {len(picture.nodes)} jobs in all; --all draws them', style='dim')


def _texts(lines: list[Line], broad: int) -> Iterator[Text]:
    """Each job with its counts in a column, which go on below where they get too long."""
    from rich.text import Text

    from awflow.cli.console import STYLES, visible

    names = [visible(line.node.title) + (f' ({line.mark})' if line.mark else '') for line in lines]
    width = min(max((len(line.lead) + len(name) for name, line in zip(names, lines, strict=True)), default=0), COLUMN)
    for name, line in zip(names, lines, strict=True):
        text = Text(line.lead).append(name, style=STYLES['failed'] if line.node.look == 'bad' else '')
        text.pad_right(max(width - len(text), 0) + 2)
        for place, (outcome, count) in enumerate(line.node.counts.items()):
            text.append(', ' if place else '')
            if place and len(text) + len(f'{count} {outcome},') > broad:
                yield text
                text = Text(f'{line.below:<{width}}  ')
            text.append(f'{count} {outcome}', style=STYLES.get(outcome, ''))
        yield text
        if line.also:
            yield Text(f'{line.below}   {visible(line.also)}', style='dim')
