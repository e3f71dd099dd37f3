"""Why tasks ran when they ran last: what the run found, as its entry and their records say."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from awflow.cli.attempts import LastAttempt
    from awflow.explain import Account
    from awflow.reasons import Reason
    from awflow.state.record import Record
    from awflow.state.view import State


def last_time(attempt: LastAttempt) -> Iterator[str]:
    """Lines for one task."""
    if attempt.record is not None:
        account = _account(attempt.workflow.state, attempt.record.generation)
        yield from _told(account, _reasons(account, attempt.record), attempt.record, '')


def last_times(found: Iterable[LastAttempt]) -> Iterator[str]:
    """Lines for many, those together that ran for the same reasons."""
    from awflow.explain import Group

    accounts: dict[int, Account] = {}
    groups: dict[tuple[object, ...], tuple[Account, Sequence[Reason], Record, list[str]]] = {}
    for attempt in found:
        record = attempt.record
        if record is None:
            continue
        number = record.generation
        if number not in accounts:
            accounts[number] = _account(attempt.workflow.state, number)
        reasons = _reasons(accounts[number], record)
        same = (number, _verb(record, reasons), *reasons)
        groups.setdefault(same, (accounts[number], reasons, record, []))[3].append(attempt.key)
    for account, reasons, record, keys in groups.values():
        where = Group(keys, '', ()).where()
        yield from _told(account, reasons, record, f'{where} ' if where else '')


def _account(state: State, number: int) -> Account:
    from awflow.explain import Account

    return Account.of_entry(
        state.all_reasons.get(number, {}), lambda component, text: state.all_sources.get(component, {}).get(text, '')
    )


def _reasons(account: Account, record: Record) -> Sequence[Reason]:
    from awflow.reasons import Reason

    if record.why:
        return [Reason.from_dict(reason) for reason in record.why]
    return account.of(record.job, record.task)


def _told(account: Account, reasons: Sequence[Reason], record: Record, where: str) -> Iterator[str]:
    from awflow.explain import Group

    why = Group([], '', reasons).why(past=True)
    yield f'{where}{_verb(record, reasons)}{f": {why}" if why else ""}{_signed(record)}'
    yield from account.told(reasons, '  ')


def _verb(record: Record, reasons: Sequence[Reason]) -> str:
    if record.accepted:
        return 'Accepted as it was'
    if record.outcome == 'forgotten':
        return 'Forgotten'
    if record.adopted:
        return 'Adopted: there was no record, but what it should make was there'
    return 'Ran' if reasons else 'Ran; why is not on record: it was written by an earlier awflow'


def _signed(record: Record) -> str:
    """Who accepted or forgot it, when, and what they said."""
    from time import time

    from awflow.cli.units import moment

    note = f' ({record.note})' if record.note and not record.adopted else ''
    if not record.by:
        return note
    when = moment(float(record.by.get('time', 0.0)), time())
    return f', by {record.by.get("user", "somebody")} on {record.by.get("host", "?")}, {when}{note}'
