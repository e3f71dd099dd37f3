"""`awflow usage`: what jobs used of what they asked for, and what to ask for next time."""

from __future__ import annotations

import click

from awflow.cli.options import outcome_options, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rich.console import Console

    from awflow.cli.consumption import Consumption, Quantity


@click.command(epilog='Example: awflow usage fit')
@click.argument('selectors', metavar='[JOB[VALUE]]...', nargs=-1)
@outcome_options
@click.option('--json', 'as_json', is_flag=True, help='Print it for programs, in seconds and bytes.')
@state_option
@workflow_option
def usage(selectors: Sequence[str], failed: bool, crashed: bool, as_json: bool, root: str, workflow: str | None) -> None:
    """Show time, cpus and memory that the tasks of each job used, beside what it asked for, and what to ask for next time.

    All attempts that ended count, and for cpus the last of each task. To be asked for are 1.2 times the greatest memory,
    1.5 times the longest time, both rounded up, and the cpus that 95 % of the tasks kept busy; at least twice what was asked
    for where an attempt failed because that was too little, unless its task has succeeded since with more.

    Exit status: 0 if something is on record, 1 if not.
    """
    from awflow.cli.console import console
    from awflow.cli.consumption import Consumption
    from awflow.cli.selection import narrowed, select_all

    selections = narrowed(select_all(root, workflow, selectors, looking=True), failed, crashed)
    found = [each for selection in selections if (each := Consumption(selection)).tasks]
    if as_json:
        from json import dumps

        click.echo(dumps([each.to_dict() for each in found], indent=1))
    elif found:
        _print_all(console(), found)
    if not found:
        click.echo('awflow: none of these tasks has ended, so nothing is known of what they use', err=True)
        raise click.exceptions.Exit(1)


def _print_all(out: Console, found: Sequence[Consumption]) -> None:
    for place, each in enumerate(found):
        if place:
            out.print()
        _print_job(out, each, len({other.workflow for other in found}) > 1)


def _print_job(out: Console, used: Consumption, named: bool) -> None:
    from rich.table import Table

    from awflow.cli.console import visible
    from awflow.cli.units import duration

    tasks = '1 task' if used.tasks == 1 else f'{used.tasks} tasks'
    tasks += f', {used.attempts} attempts' if used.attempts > used.tasks else ''
    where = f' of {visible(used.workflow)}' if named else ''
    share = f', {100 * used.cpu_seconds / used.reserved:.0f} % of that reserved' if used.reserved else ''
    computed = f', {duration(used.cpu_seconds)} of computing{share}' if used.cpu_seconds else ''
    out.print(f'{visible(used.job)}{where}  {tasks}{computed}', style='bold', soft_wrap=True)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    table.add_column('  ', no_wrap=True)
    for title in ('p50', 'p95', 'max', 'asked for'):
        table.add_column(title, justify='right', no_wrap=True)
    for row in _rows(used):
        table.add_row(*row)
    out.print(table)
    for line in _warnings(used):
        out.print(f'  {line}', style='yellow', soft_wrap=True)
    out.print(f'  next time  {used.decorator()}', soft_wrap=True)


def _rows(used: Consumption) -> Iterator[tuple[str, ...]]:
    from awflow.cli.units import binary, duration

    asked = used.asked
    limit = '?' if asked is None else duration(asked['timelimit']) if asked.get('timelimit') else 'no limit'
    memory = '?' if asked is None else binary(asked['memory'] * 2**20) if asked.get('memory') else 'no limit'
    yield '  time', *_spelled(used.seconds, duration), limit
    yield '  cpus', *_spelled(used.cpus, '{:.2f}'.format), '?' if asked is None else str(asked.get('cpus', 1))
    yield '  memory', *_spelled(used.memory, binary), memory


def _spelled(quantity: Quantity, spell: object) -> tuple[str, str, str]:
    assert callable(spell), 'a number is spelled by a function'
    p50, p95, most = ('-' if value is None else str(spell(value)) for value in (quantity.p50, quantity.p95, quantity.max))
    return p50, p95, most


def _warnings(used: Consumption) -> Iterator[str]:
    if used.short_of_memory:
        yield f'{_counted(used.short_of_memory)} failed for want of memory{_doubled(used.more_memory)}'
    if used.timeouts:
        yield f'{_counted(used.timeouts)} reached the time limit{_doubled(used.more_time)}'
    if used.asked is None:
        yield 'what was asked for is not on record: its run was made by an earlier awflow, or its file is gone'


def _counted(attempts: int) -> str:
    return '1 attempt' if attempts == 1 else f'{attempts} attempts'


def _doubled(more: bool) -> str:
    return ': twice what was asked for' if more else '; with more it succeeded since'
