"""Changing what is on record without running anything: who may be touched, who did it, the question, the entry."""

from __future__ import annotations

import os
from time import localtime, strftime, time

import click

from awflow.errors import InFlightError, StateAccessError, StateLockedError
from awflow.plan import task_name
from awflow.state.liveness import DEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, TypeVar

    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection
    from awflow.explain import Account
    from awflow.state.layout import Layout
    from awflow.state.record import Record

    F = TypeVar('F', bound=Callable[..., None])


def amending_options(function: F) -> F:
    """Adds `yes`, `dry_run` and `note`."""
    function = click.option('--note', metavar='TEXT', default='', help='Why you do it; `awflow why` shows it.')(function)
    function = click.option('--dry-run', is_flag=True, help='Show what would be done, and do nothing.')(function)
    return click.option('--yes', '-y', is_flag=True, help='Do not ask.')(function)


def by_workflow(selections: Iterable[Selection]) -> list[tuple[Workflow, list[Selection]]]:
    """The selections of each workflow."""
    found: dict[str, tuple[Workflow, list[Selection]]] = {}
    for selection in selections:
        found.setdefault(selection.workflow.name, (selection.workflow, []))[1].append(selection)
    return list(found.values())


def ending(workflow: Workflow, selections: Iterable[Selection]) -> dict[int, str]:
    """The claims of dead runs on these tasks, with the evidence; InFlightError if a run that may live holds one."""
    dead: dict[int, str] = {}
    for selection in selections if workflow.state.claims else ():
        for key in selection.keys:
            number = workflow.state.owner_of(selection.job, key)
            if number is None:
                continue
            found = workflow.evidence[number]
            if found.state != DEAD:
                raise InFlightError(
                    '{task} is being executed by run {run}', 'Wait until it has ended, or stop that run.',
                    task=task_name(selection.job, key), run=workflow.state.claims[number].run, owner=found.why,
                )  # fmt: skip
            dead[number] = found.why
    return dead


def refuse_unwritable(layout: Layout) -> None:
    """StateAccessError if nothing can be recorded, before anybody is asked anything."""
    ledger = layout.ledger
    if not os.access(ledger, os.W_OK):
        raise StateAccessError(
            'the state of workflow {workflow!r} can be read but not written', 'Ask its owner to do it.',
            workflow=layout.workflow, directory=ledger,
        )  # fmt: skip


def agreed(question: str, yes: bool, dry_run: bool) -> bool:
    """Whether to do it; says so if not."""
    if dry_run or not confirmed(question, yes):
        click.echo('Nothing was changed.')
        return False
    return True


def confirmed(question: str, yes: bool, err: bool = False) -> bool:
    """Whether somebody says so, or has: where nobody can be asked, as in a pipe, nobody does. Ctrl-C aborts the command."""
    if yes:
        return True
    try:
        return click.confirm(question, err=err)
    except click.Abort as abort:
        if not isinstance(abort.__context__, EOFError):
            raise
        click.echo('\nawflow: nobody is there to be asked; --yes does it without', err=True)
        return False


def tasks(number: int) -> str:
    """A number of tasks in words."""
    return '1 task' if number == 1 else f'{number} tasks'


def signature() -> dict[str, Any]:
    """Who does it, where and when, for the records."""
    from awflow.state.liveness import Proc

    proc = Proc()
    return {'user': proc.user(), 'host': proc.host(), 'time': round(time(), 3)}


def publish(
    workflow: Workflow, verb: str, records: Iterable[Record], dead: Mapping[int, str], account: Account, **told: Any
) -> None:
    """One entry of the ledger that is born ended; StateLockedError if the state is not the one that was looked at."""
    store = workflow.store
    run = strftime('%Y%m%d-%H%M%S', localtime()) + f'-{verb}-' + os.urandom(4).hex()
    with store.turn(notify=lambda text: click.echo(f'awflow: {text}', err=True)):
        granted = store.publish(
            run=run, expected=workflow.state, tasks={}, records=records, dead=dead, reasons=account.for_entry(), **told
        )
    if granted is None:
        raise StateLockedError(
            'the state changed meanwhile: another run published something', 'Nothing was changed. Look again.'
        )
    store.compact()
