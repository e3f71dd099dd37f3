"""`awflow accept`: take tasks as up to date although something differs."""

from __future__ import annotations

import os

import click

from awflow.cli.amend import amending_options
from awflow.cli.options import selectors_argument, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from awflow.acceptance import Acceptance
    from awflow.cli.observed import Workflow
    from awflow.cli.replan import Replanned
    from awflow.cli.selection import Selection
    from awflow.explain import Account
    from awflow.reasons import Reason
    from awflow.state.record import Record


@click.command(epilog='Example: awflow accept fit --component code --note "only renamed a variable"')
@selectors_argument(required=True)
@click.option(
    '--component', 'parts', multiple=True, metavar='PART',
    help='Only this: code, inputs, outputs, upstreams, paths, value, or a component as `awflow why` names it. May be repeated.',
)  # fmt: skip
@click.option('--script', metavar='FILE', help='The script, if it is not started as in its last run.')
@amending_options
@state_option
@workflow_option
def accept(
    selectors: Sequence[str], parts: Sequence[str], script: str | None, yes: bool, dry_run: bool, note: str, root: str,
    workflow: str | None,
) -> None:  # fmt: skip
    """Take tasks as up to date as they are, without running them.

    For changes of which you know that they do not matter. Shows what would be accepted and asks. To find that out the script is
    started once more, plans, and is ended before anything runs. Undone by `awflow forget`.
    """
    from awflow.cli.amend import by_workflow, ending, refuse_unwritable
    from awflow.cli.replan import replanned
    from awflow.cli.selection import select_all

    done = True
    for observed, selections in by_workflow(select_all(root, workflow, selectors)):
        if not dry_run:
            refuse_unwritable(observed.store.layout)
        ending(observed, selections)
        plan = replanned(observed, {selection.job: selection.keys for selection in selections}, script)
        done &= _accept(observed, selections, plan, parts, (yes, dry_run, note))
    if not done:
        raise click.exceptions.Exit(1)


def _accept(
    observed: Workflow, selections: Sequence[Selection], plan: Replanned, parts: Sequence[str], how: tuple[bool, bool, str]
) -> bool:
    from awflow.cli.amend import agreed, publish, tasks
    from awflow.sources import without

    yes, dry_run, note = how
    found, refused = _sorted(observed, selections, plan, parts)
    account = _account(found, plan)
    _show(account, found, refused)
    if not found:
        return not refused
    number = len(found)
    if not agreed(f'Accept {tasks(number)} as up to date?', yes, dry_run):
        return dry_run
    _refuse_moved(observed, plan)
    records = [_record(observed, acceptance, note) for acceptance in found]
    publish(
        observed, 'accept', records, {}, account, script=plan.script, sources=without(plan.sources, observed.state.all_sources),
        codes={a.record.code: a.components for a in found},
    )  # fmt: skip
    click.echo(f'Accepted {tasks(number)}; `awflow forget` undoes it.')
    return True


def _sorted(
    observed: Workflow, selections: Sequence[Selection], plan: Replanned, parts: Sequence[str]
) -> tuple[list[Acceptance], dict[tuple[str, str], list[str]]]:
    """What can be accepted, and the tasks of which nothing can, by job and why."""
    from awflow.acceptance import Acceptance, Codes
    from awflow.cli.attempts import attempts

    codes = Codes(observed.state.all_codes, plan.codes)
    found: list[Acceptance] = []
    refused: dict[tuple[str, str], list[str]] = {}
    for selection in selections:
        for attempt in attempts(selection):
            now = plan.tasks.get(selection.job, {}).get(attempt.key)
            if attempt.record is None or attempt.outcome != 'succeeded' or now is None:
                why = _impossible(attempt.outcome, selection.job in plan.tasks)
            else:
                acceptance = Acceptance(attempt.record, now, parts, selection.job in plan.declares, codes)
                if acceptance.accepted:
                    found.append(acceptance)
                    continue
                why = _nothing(plan.account, selection.job, attempt.key)
            refused.setdefault((selection.job, why), []).append(attempt.key)
    return found, {key: keys for key, keys in refused.items() if key[1]}


def _impossible(outcome: str, scheduled: bool) -> str:
    from awflow.verdict import PAST

    if not scheduled:
        return 'the script did not schedule it, or has work to do before it does'
    if outcome == 'succeeded':
        return 'the script has no such task any more'
    return f'only a success can be accepted; the last attempt {PAST.get(outcome, f"is {outcome}")}'


def _nothing(account: Account, job: str, key: str) -> str:
    """Why there is nothing to accept of a task; '' if it is up to date."""
    from awflow.explain import UPSTREAM

    group = account.group(job, key)
    if group is None:
        return ''
    if all(reason.kind in UPSTREAM for reason in group.reasons):
        return f'nothing of its own differs: {group.why()}; accept that instead'
    return f'nothing of that can be accepted: {group.why()}'


def _account(found: Sequence[Acceptance], plan: Replanned) -> Account:
    from awflow.explain import Account, Group

    groups: dict[str, dict[tuple[Reason, ...], list[str]]] = {}
    for acceptance in found:
        record = acceptance.record
        groups.setdefault(record.job, {}).setdefault(tuple(acceptance.accepted), []).append(record.task)
    told = {job: [Group(keys, 'accepted', reasons) for reasons, keys in of_job.items()] for job, of_job in groups.items()}
    return Account(told, plan.source)


def _show(account: Account, found: Sequence[Acceptance], refused: dict[tuple[str, str], list[str]]) -> None:
    from awflow.cli.console import visible
    from awflow.explain import Group, lines_of

    seen: set[object] = set()
    for job, groups in account.groups.items():
        click.echo(visible(job))
        for group in groups:
            for line in lines_of(account, group, seen):
                click.echo(visible(line))
    left: dict[tuple[str, tuple[Reason, ...]], list[str]] = {}
    for acceptance in found:
        if acceptance.left:
            left.setdefault((acceptance.record.job, tuple(acceptance.left)), []).append(acceptance.record.task)
    for (job, reasons), keys in left.items():
        group = Group(keys, '', reasons)
        click.echo(visible(f'{job}{group.where()} runs all the same: {group.why()}'))
    for (job, why), keys in refused.items():
        click.echo(visible(f'{job}{Group(keys, "", ()).where()}: {why}'))
    if not found and not refused:
        click.echo('Nothing to accept: they are up to date.')


def _refuse_moved(observed: Workflow, plan: Replanned) -> None:
    from awflow.errors import StateLockedError

    if plan.last != observed.state.last:
        raise StateLockedError(
            'the state changed meanwhile: another run published something', 'Nothing was changed. Look again.'
        )


def _record(observed: Workflow, acceptance: Acceptance, note: str) -> Record:
    from awflow.cli.amend import signature

    record = acceptance.record
    return record.replace(note=note, by=signature(), result=_result(observed, record))


def _result(observed: Workflow, record: Record) -> dict[str, Any] | None:
    """The stored result under the number of the entry to come: files of results go with the generation they are named after."""
    if record.result is None:
        return None
    layout = observed.store.layout
    target = os.path.join(layout.results_dir(record.job), f'{observed.state.last + 1}.pickles')
    try:
        with open(os.path.join(layout.directory, record.result['file']), 'rb') as source:
            source.seek(record.result['at'])
            data = source.read(record.result['bytes'])
    except FileNotFoundError:
        return record.result  # it is absent, and will be found so
    with open(target, 'ab') as file:
        at = file.seek(0, os.SEEK_END)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return {**record.result, 'file': os.path.relpath(target, layout.directory), 'at': at}
