"""`awflow blame`: which task, code and inputs made a file, and whether it still holds what was recorded."""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from awflow.cli.origin import Origin

SHOWN = 12  # inputs of a task
DEEP = 20  # levels of a tree
STYLES = {'changed': 'yellow', 'absent': 'yellow', 'as recorded': 'green'}


@click.command(epilog='Example: awflow blame results/fit.npy --all')
@click.argument('files', metavar='FILE...', nargs=-1, required=True)
@click.option('--all', '-a', 'whole', is_flag=True, help='Also who made its inputs, and theirs, as a tree.')
@click.option('--thorough', is_flag=True, help='Compare all files, however big and many: they are read.')
@click.option('--json', 'as_json', is_flag=True, help='Print it for programs.')
@state_option
@workflow_option
def blame(files: Sequence[str], whole: bool, thorough: bool, as_json: bool, root: str, workflow: str | None) -> None:
    """Say which task, attempt, code and inputs made a file, and whether it still holds the bytes that were recorded.

    The file may be gone, named in whatever way, and lie in a directory that a task declares as its output. Files that no
    task declares as an output are not on record.

    Exit status: 0 if every file was made by a task on record, 1 if not.
    """
    from awflow.cli.origin import origins
    from awflow.cli.salvaged import observed
    from awflow.cli.workflows import chosen
    from awflow.errors import StateError

    workflows = observed(root, chosen(root, workflow))
    found, missed = [], []
    for file in files:
        try:
            found.append(origins(workflows, file, whole, thorough))
        except StateError as error:  # noqa: PERF203  one file must not hide the others
            missed.append(error)
    if as_json:
        _print_json(found)
    else:
        _print_text(found)
    for miss in missed:
        click.echo(f'awflow: {miss}', err=True)
    if missed:
        raise click.exceptions.Exit(1)


def _print_json(found: Sequence[Sequence[Origin]]) -> None:
    from json import dumps

    click.echo(dumps([origin.to_dict() for of_file in found for origin in of_file], indent=1))


def _print_text(found: Sequence[Sequence[Origin]]) -> None:
    from awflow.cli.console import console, visible

    out = console()
    for place, of_file in enumerate(found):
        if place:
            out.print()
        last, *others = of_file
        out.print(visible(last.file), style='bold', soft_wrap=True)
        facts = list(_facts(last))
        width = max(len(name) for name, _ in facts)
        for name, value in facts:
            style = STYLES.get(value.partition(':')[0], '') if name == 'now' else ''
            out.print(f'  {name:<{width}}  {visible(value)}', style=style, soft_wrap=True)
        if others:
            out.print(f'  also on record as made by {visible(", ".join(other.task for other in others))}', soft_wrap=True)
        if last.expanded:
            out.print('  inputs, and who made them:', soft_wrap=True)
            _print_tree(out, last, 1)


def _facts(origin: Origin) -> Iterator[tuple[str, str]]:
    from os.path import relpath

    yield 'made by', origin.made_by()
    if origin.output_is_around:
        yield 'as part of', f'{origin.output}/, a declared output'
    elif origin.output_is_elsewhere:
        yield 'as', origin.output
    yield 'now', origin.now()
    yield from origin.code()
    yield 'run', origin.run_in_words()
    yield from origin.inputs_in_words(0 if origin.expanded else SHOWN)
    log = origin.attempt.log()
    yield 'log', relpath(log) if log else 'none: it wrote nothing'


def _print_tree(out: Console, origin: Origin, depth: int) -> None:
    """Inputs with their makers below each other; a task that was met is not told twice."""
    from awflow.cli.console import visible

    rest, indent = list(origin.inputs), '  ' * (depth + 1)
    for each in rest[:SHOWN]:
        maker = each.maker
        by = 'made by no task on record' if maker is None else f'{maker.task}, {maker.attempt.outcome}'
        again = '' if maker is None or maker.expanded or not maker.has_inputs else ', see above'
        out.print(f'{indent}{visible(each.name)}  {each.state}; {visible(by)}{again}', style=_style(each.state), soft_wrap=True)
        if maker is not None and maker.expanded and maker.inputs:
            if depth < DEEP:
                _print_tree(out, maker, depth + 1)
            else:
                out.print(f'{indent}  ... and so on: awflow blame --all {visible(each.name)}', soft_wrap=True)
    if len(rest) > SHOWN:
        out.print(f'{indent}... {len(rest) - SHOWN} more; --json has all', soft_wrap=True)


def _style(state: str) -> str:
    return 'yellow' if state in ('changed', 'absent') else ''
