"""`awflow status`: every workflow and job in counts, and who is at work."""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from awflow.cli.observed import Workflow
    from awflow.cli.tally import Progress, Tally


@click.command(epilog='Example: awflow status --json')
@state_option
@workflow_option
@click.option('--json', 'as_json', is_flag=True, help='Print it for programs.')
def status(root: str, workflow: str | None, as_json: bool) -> None:
    """Show how the tasks of every job ended, and what runs."""
    from awflow.cli.observed import Workflow
    from awflow.cli.workflows import chosen

    observed = [Workflow(root, name) for name in chosen(root, workflow)]
    if as_json:
        _print_json(root, observed)
    else:
        _print_tables(root, observed)


def _print_json(root: str, workflows: list[Workflow]) -> None:
    from json import dumps

    from awflow.cli.tally import progress, tallies

    found = [
        {
            'workflow': workflow.name,
            'jobs': [tally.to_dict() for tally in tallies(workflow)],
            'claims': [claim.to_dict() for claim in progress(workflow)],
            'damage': workflow.state.damage,
        }
        for workflow in workflows
    ]
    click.echo(dumps({'state': root, 'workflows': found}, indent=1))


def _print_tables(root: str, workflows: list[Workflow]) -> None:
    from os.path import relpath
    from time import time

    from awflow.cli.console import console, visible
    from awflow.cli.tally import progress, tallies

    out = console()
    for place, workflow in enumerate(workflows):
        if place:
            out.print()
        out.print(f'{visible(workflow.name)} in {visible(relpath(root))}', style='bold', soft_wrap=True)
        out.print(_table(tallies(workflow), time()))
        for claim in progress(workflow):
            _print_claim(out, claim, time())


def _table(found: list[Tally], now: float) -> Table:
    """A line for each job; what is too long for its column goes on below, nothing is cut off."""
    from rich.table import Table

    from awflow.cli.console import visible
    from awflow.cli.units import duration, moment

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    table.add_column('job', overflow='fold')
    table.add_column('tasks', justify='right', no_wrap=True)
    table.add_column('outcome', overflow='fold')
    table.add_column('verified', overflow='fold')
    table.add_column('last ended', no_wrap=True)
    table.add_column('took', justify='right', no_wrap=True)
    for tally in found:
        took = duration(tally.seconds) if tally.ended else ''
        table.add_row(visible(tally.job), str(tally.tasks), _outcomes(tally), _verified(tally), moment(tally.ended, now), took)
    return table


def _outcomes(tally: Tally) -> Text:
    from rich.text import Text

    from awflow.cli.console import STYLES

    parts = [Text(f'{count} {outcome}', style=STYLES.get(outcome, '')) for outcome, count in tally.ordered()]
    return Text(', ').join(parts)


def _verified(tally: Tally) -> str:
    succeeded = tally.outcomes.get('succeeded', 0)
    if not succeeded:
        return ''
    if tally.unverified in (0, succeeded):
        return 'unverified' if tally.unverified else 'verified'
    return f'{tally.unverified} unverified'


def _print_claim(out: Console, claim: Progress, now: float) -> None:
    from rich.text import Text

    from awflow.cli.console import STYLES, visible
    from awflow.cli.units import moment
    from awflow.state.liveness import DEAD

    ended = f'{claim.done} of {claim.total} tasks ended'
    rest = 'its next run takes the rest over' if claim.state == DEAD else f'{claim.running} running'
    out.print(Text(f'run {claim.run}  ').append(claim.state, style=STYLES[claim.state]).append(f'  {ended}, {rest}'))
    out.print(f'  since {moment(claim.since, now)} on {visible(claim.host)}: {visible(claim.why)}', style='dim')
