"""All attempts of a task that the state still knows of, numbered from 1, and what was done to its record in between."""

from __future__ import annotations

from awflow.cli.attempts import error_of, log_of
from awflow.cli.observed import CRASHED
from awflow.state.attempts import DROPPED, KEPT, brief

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.cli.attempts import LastAttempt

ACCEPTED, ADOPTED, RECHECKED, FORGOTTEN = 'accepted', 'adopted', 're-checked', 'forgotten'


class Trial:
    """One attempt, or an event: something that changed the record while nothing ran (then `number` is 0).

    `told` are members of the record, as JSON has them.
    """

    __slots__ = ('attempt', 'number', 'outcome', 'told')

    def __init__(self, attempt: LastAttempt, number: int, outcome: str, told: dict[str, Any]) -> None:
        self.attempt = attempt
        self.number = number
        self.outcome = outcome
        self.told = told

    @property
    def seconds(self) -> float | None:
        """How long it took, None if that is not known."""
        if not (self.number and self.told.get('started') and self.told.get('ended')):
            return None
        return max(float(self.told['ended']) - float(self.told['started']), 0.0)

    def error(self) -> str:
        """The last line of its error, with the exception's type."""
        return error_of(self.told.get('error'))

    def log(self) -> str:
        """The path of its log, '' if it wrote nothing."""
        return log_of(self.attempt, self.told)

    def how(self) -> str:
        """Exit code or signal, where there is one to speak of."""
        if self.told.get('signal'):
            return f'signal {self.told["signal"]}'
        return f'exit {self.told["exit"]}' if self.told.get('exit') else ''

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        told = {name: value for name, value in self.told.items() if name not in (DROPPED, 'outcome', 'log')}
        return {'number': self.number or None, **told, 'outcome': self.outcome, 'log': self.log() or None}


def trials(attempt: LastAttempt) -> list[Trial]:
    """Oldest first; the last is that of the record. Attempts before the oldest that is kept count in the numbers."""
    if attempt.record is None:
        return []
    rows = attempt.workflow.state.rows(attempt.job)
    row = rows.row(attempt.key) if rows is not None else None
    before = rows.earlier(row) if rows is not None and row is not None else []
    found: list[Trial] = []
    number = before[0].get(DROPPED, 0) if before else 0
    seen: set[str] = set()
    for told in [*before, brief(attempt.record.to_dict())]:
        event = _event(told, seen, attempt)
        seen.add(told.get('id', ''))
        number += not event
        outcome = attempt.outcome if len(found) == len(before) else told.get('outcome') or CRASHED
        found.append(Trial(attempt, 0 if event else number, event or outcome, told))
    return found


def _event(told: dict[str, Any], seen: set[str], attempt: LastAttempt) -> str:
    """What happened instead of an attempt, '' if one was made."""
    if told.get('outcome') == FORGOTTEN:
        return FORGOTTEN
    if told.get('accepted') and seen:
        return ACCEPTED
    if told.get('adopted'):
        return ADOPTED
    return RECHECKED if told.get('id') and told['id'] in seen else ''


def kept(found: list[Trial]) -> str:
    """What there is, in words, for who asked for an attempt that is not among them."""
    numbers = [trial.number for trial in found if trial.number]
    if not numbers:
        return 'none: it has not been executed'
    bound = f'; the state keeps the last {KEPT} besides' if numbers[0] > 1 else ''
    return (f'{numbers[0]} to {numbers[-1]}' if len(numbers) > 1 else f'{numbers[0]}') + bound
