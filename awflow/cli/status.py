"""`awflow status`: every workflow and job in counts, and who is at work."""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from awflow.cli.conditions import Shown
    from awflow.cli.observed import Workflow
    from awflow.cli.tally import Progress, Tally
    from awflow.state.record import Record


@click.command(epilog='Example: awflow status -v')
@state_option
@workflow_option
@click.option('--json', 'as_json', is_flag=True, help='Print it for programs.')
@click.option(
    '--verbose', '-v', is_flag=True, help='Add what the postconditions of each job have shown, and advice of the lint.'
)
def status(root: str, workflow: str | None, as_json: bool, verbose: bool) -> None:
    """Show how the tasks of every job ended, and what runs."""
    from awflow.cli.observed import Workflow
    from awflow.cli.workflows import chosen

    observed = [Workflow(root, name) for name in chosen(root, workflow)]
    if as_json:
        _print_json(root, observed, verbose)
    else:
        _print_tables(root, observed, verbose)


def _print_json(root: str, workflows: list[Workflow], verbose: bool) -> None:
    from json import dumps

    from awflow.cli.tally import progress, tallies

    found = [
        {
            'workflow': workflow.name,
            'jobs': [{**tally.to_dict(), **(_details(workflow, tally.job) if verbose else {})} for tally in tallies(workflow)],
            'claims': [claim.to_dict() for claim in progress(workflow)],
            'damage': workflow.state.damage,
        }
        for workflow in workflows
    ]
    click.echo(dumps({'state': root, 'workflows': found}, indent=1))


def _details(workflow: Workflow, job: str) -> dict[str, object]:
    from awflow.cli.conditions import shown

    records = _records(workflow, job)
    return {
        'postconditions': [condition.to_dict() for condition in shown(records)],
        'lint': {record.task: record.lint for record in records if record.lint is not None},
    }


def _records(workflow: Workflow, job: str) -> list[Record]:
    rows = workflow.state.rows(job)
    return [rows.record(row) for row in range(len(rows))] if rows is not None else []


def _print_tables(root: str, workflows: list[Workflow], verbose: bool) -> None:
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
        if verbose:
            _print_details(out, workflow)


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


def _print_details(out: Console, workflow: Workflow) -> None:
    """Of each job its postconditions, and what its tasks used without declaring it."""
    from awflow.advice import advise, linted
    from awflow.cli.conditions import shown
    from awflow.cli.console import visible

    known = {job: _records(workflow, job) for job in workflow.jobs()}
    makers = {path: job for job, records in known.items() for record in records for path in record.outputs}
    for job, records in known.items():
        conditions, advice = shown(records), advise(job, linted(records), makers)
        if conditions or advice:
            out.print(f'\n{visible(job)}', style='bold', soft_wrap=True)
        for condition in conditions:
            _print_condition(out, condition)
        for line in advice:
            out.print(f'  lint: {visible(line)}', soft_wrap=True)


def _print_condition(out: Console, condition: Shown) -> None:
    from awflow.cli.console import visible
    from awflow.cli.units import brief

    times = f'{brief(condition.seconds)} in all, {brief(condition.longest)} at most'
    rest = condition.asked - condition.held
    counts = f'held for {condition.held}' + (f', not for {rest}' if rest else '')
    if condition.idle:
        out.print(
            f'  postcondition {visible(condition.name)} never was false: it proves nothing', style='yellow', soft_wrap=True
        )
    else:
        out.print(f'  postcondition {visible(condition.name)}', soft_wrap=True)
    known = f'was false before for {condition.proved}' if condition.proved else 'held at every start on record'
    known = known if condition.proved or condition.unproved else 'whether it ever was false is not known'
    out.print(f'    {counts}; {known}; took {times}', style='dim', soft_wrap=True)
