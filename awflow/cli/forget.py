"""`awflow forget`: drop what is on record of tasks, so that they run again."""

from __future__ import annotations

import click

from awflow.cli.amend import amending_options
from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection
    from awflow.state.record import Record


@click.command(epilog='Example: awflow forget "fit[0:10]" --note "wrong calibration"')
@click.argument('selectors', metavar='JOB[VALUE]...', nargs=-1, required=True)
@click.option('--failed', is_flag=True, help='Of these, only tasks that did not succeed.')
@amending_options
@state_option
@workflow_option
def forget(
    selectors: Sequence[str], failed: bool, yes: bool, dry_run: bool, note: str, root: str, workflow: str | None
) -> None:
    """Drop what is on record of tasks: the next run executes them.

    Files stay. What was accepted is no longer so. A task whose files are there is not adopted again.
    """
    from awflow.cli.amend import agreed, by_workflow, ending, publish, refuse_unwritable, tasks
    from awflow.cli.selection import select_all
    from awflow.explain import Account

    for observed, selections in by_workflow(select_all(root, workflow, selectors)):
        refuse_unwritable(observed.store.layout)
        found = _found(observed, selections, failed)
        dead = ending(observed, selections)
        if not found:
            click.echo('Nothing to forget: nothing is on record of them.')
            continue
        _show(found)
        number = len(found)
        if not agreed(f'Forget {tasks(number)}?', yes, dry_run):
            raise click.exceptions.Exit(0 if dry_run else 1)
        tombstones = [_tombstone(attempt, note) for attempt in found]
        publish(observed, 'forget', tombstones, dead, Account({}), script=_script(observed))
        click.echo(f'Forgot {tasks(number)}: the next run executes {"it" if number == 1 else "them"}.')


def _found(workflow: Workflow, selections: Sequence[Selection], failed: bool) -> list[LastAttempt]:
    from awflow.cli.attempts import attempts

    found = [attempt for selection in selections for attempt in attempts(selection)]
    return [a for a in found if a.record is not None and a.outcome != 'forgotten' and (a.bad or not failed)]


def _show(found: Sequence[LastAttempt]) -> None:
    from awflow.cli.console import visible
    from awflow.explain import Group

    groups: dict[tuple[str, str], list[str]] = {}
    for attempt in found:
        assert attempt.record is not None, 'what is forgotten is on record'
        outcome = 'accepted' if attempt.record.accepted else attempt.outcome
        groups.setdefault((attempt.record.job, outcome), []).append(attempt.key)
    for (job, outcome), keys in groups.items():
        click.echo(visible(f'{job}{Group(keys, outcome, ()).where()}  {outcome}'))


def _tombstone(attempt: LastAttempt, note: str) -> Record:
    """A record that says that there is none, and what the last one compared: only that is told of it."""
    from secrets import token_hex

    from awflow.cli.amend import signature
    from awflow.state.record import Record

    old = attempt.record
    assert old is not None, 'what is forgotten is on record'
    fields: dict[str, Any] = {'job': old.job, 'task': old.task, 'shown': old.shown, 'code': old.code}
    identity = token_hex(16)
    return Record(**fields, outcome='forgotten', final=True, id=identity, end=identity, note=note, by=signature())


def _script(workflow: Workflow) -> str:
    return next((entry.script for entry in workflow.state.entries.values() if entry.script), '')
