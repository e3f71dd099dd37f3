"""`awflow status`: every workflow and job in counts, who is at work, and tasks one by one where they are asked for."""

from __future__ import annotations

import click

from awflow.cli.options import json_option, outcome_options, selectors_argument, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from awflow.cli.standing import Standing

NOT_WELL, UNDER_WAY = 3, 4  # exit codes


@click.command(epilog='Example: awflow status "fit[0:10]"')
@selectors_argument()
@outcome_options
@click.option(
    '--verbose', '-v', is_flag=True,
    help='List tasks; add what the postconditions of each job have shown, and advice of the lint.',
)  # fmt: skip
@click.option(
    '--watch', is_flag=False, flag_value='1', metavar='[SECONDS]', help='Look again and again, until nothing is in flight.'
)
@click.option('--all', 'whole', is_flag=True, help='Show every job, also of more than 60.')
@click.option('--exit-code', is_flag=True, help='Exit with 3 if tasks did not succeed, else with 4 if some run or wait.')
@json_option
@state_option
@workflow_option
def status(
    selectors: Sequence[str], failed: bool, crashed: bool, verbose: bool, watch: str | None, whole: bool, exit_code: bool,
    as_json: bool, root: str, workflow: str | None,
) -> None:  # fmt: skip
    """Show how the tasks of every job ended, and what runs.

    With jobs or tasks named, those are listed one by one. What is in flight is told from the state alone, and how long it may
    take from what tasks of the same job took: see the manual.
    """
    from time import time

    from awflow.cli.salvaged import observed
    from awflow.cli.standing import Standing
    from awflow.cli.workflows import chosen

    if watch is not None:
        selectors, pause = _pause(selectors, watch)
        if as_json or selectors or failed or crashed or verbose:
            raise click.UsageError('--watch shows jobs and what is in flight: it takes no tasks, and neither --json nor -v.')
        from awflow.cli.watch import follow

        follow(root, chosen(root, workflow), pause)
        return
    if selectors or failed or crashed:
        from awflow.cli.listing import listed

        listed(root, workflow, selectors, failed, crashed, as_json)
        return
    found = [Standing(each, time(), whole) for each in observed(root, chosen(root, workflow))]
    if as_json:
        _print_json(root, found, verbose)
    else:
        _print(root, found, verbose)
    if exit_code:
        raise click.exceptions.Exit(_code(found))


def _pause(selectors: Sequence[str], watch: str) -> tuple[Sequence[str], float]:
    """The seconds between two looks."""
    try:
        pause = float(watch)
    except ValueError:
        raise click.UsageError(f'--watch takes seconds, not {watch!r}.') from None
    if not 0.1 <= pause <= 3600:
        raise click.UsageError('--watch takes 0.1 to 3600 seconds.')
    return selectors, pause


def _code(found: Sequence[Standing]) -> int:
    if any(each.bad for each in found):
        return NOT_WELL
    return UNDER_WAY if any(each.working for each in found) else 0


def _print_json(root: str, found: Sequence[Standing], verbose: bool) -> None:
    from json import dumps

    told = [each.to_dict() for each in found]
    if verbose:
        from awflow.cli.details import details
        from awflow.cli.listing import described

        for standing, workflow in zip(found, told, strict=True):
            for job in workflow['jobs']:
                job.update(details(standing.workflow, job['job']))
                job['tasks_listed'] = list(described(standing.workflow, job['job']))
    click.echo(dumps({'state': root, 'workflows': told}, indent=1))


def _print(root: str, found: Sequence[Standing], verbose: bool) -> None:
    from os.path import relpath

    from awflow.cli.console import console
    from awflow.cli.overview import drawn, lines

    out = console()
    for place, standing in enumerate(found):
        if place:
            out.print()
        for part, whole in lines(list(drawn(standing, relpath(root), len(found) > 1, out.width))):
            out.print(part, soft_wrap=whole)
        if verbose:
            _print_more(standing)


def _print_more(standing: Standing) -> None:
    from awflow.cli.console import console
    from awflow.cli.details import print_details
    from awflow.cli.listing import print_tasks

    out = console()
    jobs = [tally.job for tally in standing.tallies]
    print_tasks(out, standing.workflow, jobs)
    print_details(out, standing.workflow, jobs)
