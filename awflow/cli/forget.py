"""`awflow forget`: drop what is on record of tasks, so that they run again."""

from __future__ import annotations

import click

from awflow.cli.amend import amending_options
from awflow.cli.options import outcome_options, selectors_argument, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from awflow.cli.groups import TaskGroup
    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection
    from awflow.state.record import Record


@click.command(epilog='Example: awflow forget "fit[0:10]" --note "wrong calibration"')
@selectors_argument()
@outcome_options
@amending_options
@state_option
@workflow_option
def forget(
    selectors: Sequence[str], failed: bool, crashed: bool, yes: bool, dry_run: bool, note: str, root: str, workflow: str | None
) -> None:
    """Drop what is on record of tasks: the next run executes them.

    Files stay. What was accepted is no longer so. A task whose files are there is not adopted again. With --failed or
    --crashed the job may be left out.
    """
    from awflow.cli.amend import agreed, by_workflow, ending, publish, refuse_unwritable, tasks
    from awflow.cli.selection import narrowed, select_all
    from awflow.explain import Account

    if not selectors and not (failed or crashed):
        raise click.UsageError('Say which tasks, as in: awflow forget "fit[3]"; or --failed.')
    meant = narrowed(select_all(root, workflow, selectors, looking=dry_run), failed, crashed)
    if not meant:
        click.echo(f'Nothing to forget: no task {"failed" if failed else "crashed"}.')
    for observed, selections in by_workflow(meant):
        if not dry_run:
            refuse_unwritable(observed.store.layout)
        found = [group for each in selections for group in _found(each)]
        dead = ending(observed, selections)
        number = sum(len(group.keys) for group in found)
        if not found:
            click.echo('Nothing to forget: nothing is on record of them.')
            continue
        _show(found)
        if not agreed(f'Forget {tasks(number)}?', yes, dry_run):
            raise click.exceptions.Exit(0 if dry_run else 1)
        tombstones = [_tombstone(observed, group.job, key, note) for group in found for key in group.keys]
        publish(observed, 'forget', tombstones, dead, Account({}), script=_script(observed))
        click.echo(f'Forgot {tasks(number)}: the next run executes {"it" if number == 1 else "them"}.')


def _found(selection: Selection) -> list[TaskGroup]:
    from awflow.cli.groups import groups

    return [group for group in groups(selection) if group.record is not None and group.outcome != 'forgotten']


def _show(found: Sequence[TaskGroup]) -> None:
    from awflow.cli.console import visible
    from awflow.cli.groups import together
    from awflow.explain import Group

    parts = (((each.job, 'accepted' if each.record and each.record.accepted else each.outcome), each.keys) for each in found)
    for (job, outcome), keys in together(parts).items():
        click.echo(visible(f'{job}{Group(keys, outcome, ()).where()}  {outcome}'))


def _tombstone(workflow: Workflow, job: str, key: str, note: str) -> Record:
    """A record that says that there is none, and what the last one compared: only that is told of it."""
    from secrets import token_hex

    from awflow.cli.amend import signature
    from awflow.state.record import Record

    rows = workflow.state.rows(job)
    row = rows.row(key) if rows is not None else None
    assert rows is not None and row is not None, 'what is forgotten is on record'
    old = rows.record(row)
    fields: dict[str, Any] = {'job': old.job, 'task': old.task, 'shown': old.shown, 'code': old.code}
    identity = token_hex(16)
    return Record(**fields, outcome='forgotten', final=True, id=identity, end=identity, note=note, by=signature())


def _script(workflow: Workflow) -> str:
    return next((entry.script for entry in workflow.state.entries.values() if entry.script), '')
