"""Why tasks ran when they ran last: what the run found, as its entry and their records say."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.groups import TaskGroup
    from awflow.cli.observed import Workflow
    from awflow.explain import Account
    from awflow.reasons import Reason
    from awflow.state.record import Record
    from awflow.state.view import State


def last_time(attempt: LastAttempt) -> Iterator[str]:
    """Lines for one task."""
    if attempt.record is not None:
        account = account_of(attempt.workflow.state, attempt.record.generation)
        yield from _told(account, _reasons(account, attempt.record), attempt.record, '', set())


def last_times(workflow: Workflow, found: Iterable[TaskGroup]) -> Iterator[str]:
    """Lines for many, those together that ran for the same reasons."""
    from awflow.cli.groups import together
    from awflow.explain import GROUPS, Group

    accounts: dict[int, Account] = {}
    alikes: dict[tuple[object, ...], tuple[Account, Sequence[Reason], Record]] = {}
    parts: list[tuple[tuple[object, ...], Sequence[str]]] = []
    for each in found:
        if each.record is None:
            continue
        number = each.record.generation
        if number not in accounts:
            accounts[number] = account_of(workflow.state, number)
        for reasons, keys in alike(accounts[number], each):
            same = (number, _verb(each.record, reasons), *reasons)
            alikes.setdefault(same, (accounts[number], reasons, each.record))
            parts.append((same, keys))
    groups = list(together(parts).items())
    seen: set[object] = set()
    for same, keys in groups[:GROUPS]:
        where = Group(keys, '', ()).where()
        yield from _told(*alikes[same], f'{where} ' if where else '', seen)
    if len(groups) > GROUPS:
        yield f'... and {sum(len(keys) for _, keys in groups[GROUPS:])} more tasks for other reasons'


def alike(account: Account, group: TaskGroup) -> Iterator[tuple[Sequence[Reason], list[str]]]:
    """The tasks of a group by the reasons for which they ran."""
    from awflow.reasons import Reason

    assert group.record is not None, 'only what is on record has reasons'
    own = [Reason.from_dict(reason) for reason in group.record.why]
    if own and own[0].kind != 'retry':
        yield own, group.keys
        return
    entries = account.groups.get(group.job, [])
    if len(entries) == 1 and all(account.group(group.job, key) is not None for key in group.keys):
        yield [*own, *entries[0].reasons], group.keys
        return
    found: dict[Any, tuple[Sequence[Reason], list[str]]] = {}
    for key in group.keys:
        entry = account.group(group.job, key)
        found.setdefault(id(entry), ([*own, *(entry.reasons if entry else ())], []))[1].append(key)
    yield from found.values()


def account_of(state: State, number: int) -> Account:
    """What the run of an entry had found."""
    from awflow.explain import Account

    return Account.of_entry(
        state.all_reasons.get(number, {}), lambda component, text: state.all_sources.get(component, {}).get(text, '')
    )


def _reasons(account: Account, record: Record) -> Sequence[Reason]:
    from awflow.reasons import Reason

    found = [Reason.from_dict(reason) for reason in record.why]
    if not found or found[0].kind == 'retry':
        found += account.of(record.job, record.task)
    return found


def _told(account: Account, reasons: Sequence[Reason], record: Record, where: str, seen: set[object]) -> Iterator[str]:
    from awflow.explain import Group

    why = Group([], '', reasons).why(past=True)
    yield f'{where}{_verb(record, reasons)}{f" {why}" if why else ""}{_signed(record)}'
    yield from account.told(reasons, '  ', seen)


def _verb(record: Record, reasons: Sequence[Reason]) -> str:
    if record.accepted:
        return 'Accepted although'
    if record.outcome == 'forgotten':
        return 'Forgotten'
    if record.adopted:
        return 'Adopted: nothing was on record, but what it should make was there'
    return 'Ran because' if reasons else 'Ran; why is not on record: it was written by an earlier awflow'


def _signed(record: Record) -> str:
    """Who accepted or forgot it, when, and what they said."""
    from time import time

    from awflow.cli.units import moment

    if not record.by:
        return ''
    note = f' ({record.note})' if record.note else ''
    when = moment(float(record.by.get('time', 0.0)), time())
    return f', by {record.by.get("user", "somebody")} on {record.by.get("host", "?")}, {when}{note}'
