"""`awflow show`: all that is on record of a task, with the attempts before; of many tasks, what to look at next."""

from __future__ import annotations

import click

from awflow.cli.options import outcome_options, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awflow.cli.dossier import Dossier
    from awflow.cli.selection import Selection

WHOLE = 4  # tasks of which all is shown


@click.command(epilog='Example: awflow show "fit[3]"')
@click.argument('selectors', metavar='[JOB[VALUE]]...', nargs=-1)
@outcome_options
@click.option('--all', '-a', 'everything', is_flag=True, help='All files and components, however many.')
@click.option('--thorough', is_flag=True, help='Compare all files, however big and many: they are read.')
@click.option('--json', 'as_json', is_flag=True, help='Print it for programs: always all of it.')
@state_option
@workflow_option
def show(
    selectors: Sequence[str], failed: bool, crashed: bool, everything: bool, thorough: bool, as_json: bool, root: str,
    workflow: str | None,
) -> None:  # fmt: skip
    """Show what is on record of a task: attempts, resources, files and whether they still are as recorded, identity.

    Of more than a few tasks, how many ended how, and what to ask next. With --failed or --crashed the job may be left out.

    Exit status: 0 if there was such a task, 1 if there was none.
    """
    from awflow.cli.selection import narrowed, select_all

    if not selectors and not (failed or crashed):
        raise click.UsageError('Say of which task, as in: awflow show "fit[3]"; or --failed.')
    found = narrowed(select_all(root, workflow, selectors, planned=True, looking=True), failed, crashed)
    tasks = sum(len(selection.keys) for selection in found)
    if not tasks:
        click.echo(f'awflow: no task {"failed" if failed else "crashed"}', err=True)
        raise click.exceptions.Exit(1)
    if as_json:
        _print_json(found, thorough)
    elif tasks <= WHOLE:
        _print_whole(found, everything, thorough)
    else:
        _print_summaries(found, failed, crashed)


def _dossiers(selection: Selection, thorough: bool) -> Iterator[Dossier]:
    from awflow.cli.attempts import attempts
    from awflow.cli.contents import Contents
    from awflow.cli.dossier import Dossier
    from awflow.cli.runs import Runs

    contents, runs = Contents(selection.workflow, thorough), Runs(selection.workflow.store)
    return (Dossier(attempt, runs, contents) for attempt in attempts(selection))


def _print_json(found: Sequence[Selection], thorough: bool) -> None:
    from json import dumps

    before = '[\n'
    for dossier in (each for selection in found for each in _dossiers(selection, thorough)):  # of which there may be many
        click.echo(before + dumps(dossier.to_dict(), indent=1), nl=False)
        before = ',\n'
    click.echo('\n]')


def _print_whole(found: Sequence[Selection], everything: bool, thorough: bool) -> None:
    from awflow.cli.console import console
    from awflow.cli.page import print_page

    out = console()
    place = 0
    for selection in found:
        for dossier in _dossiers(selection, thorough):
            if place:
                out.print()
            print_page(out, dossier, everything)
            place += 1


def _print_summaries(found: Sequence[Selection], failed: bool, crashed: bool) -> None:
    from awflow.cli.console import console
    from awflow.cli.summary import print_summary

    out = console()
    for place, selection in enumerate(found):
        if place:
            out.print()
        print_summary(out, selection, '--failed' if failed else '--crashed' if crashed else '')
