"""Records of tasks whose postconditions were changed and hold as they are now: nothing ran, and the record says so."""

from __future__ import annotations

from time import time

from awflow.state.ledger import decode_keys
from awflow.subject import CONDITION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.plan import Plan
    from awflow.state.record import Record
    from awflow.subject import Subject
    from awflow.survey import Survey

NOTE = 're-checked with changed postconditions'


def rechecks(survey: Survey, plan: Plan) -> list[Record]:
    """The records on which the next planning can build. The attempt, and all that is said of it, stays."""
    records = []
    ran = Ran(survey)
    for number, row in survey.rechecked:
        if plan.jobs[number].mark[row]:
            continue  # something above it runs: its own turn comes
        subject = survey.subjects[number]
        assert subject.rows is not None, 'what is re-checked has a record'
        known = subject.rows.row(subject.keys[row])
        assert known is not None, 'what is re-checked has a record'
        record = subject.rows.record(known)
        checks = [check for check in record.checks if check.get('when') != 'after']
        checks += _checks(subject, record, survey.state.codes(record.code))
        note = record.note if record.note.startswith(NOTE) else f'{NOTE}; {record.note}'.rstrip('; ')
        records.append(record.replace(code=subject.code, checks=checks, note=note, why=record.why or ran.because(record)))
    return records


class Ran:
    """Why tasks ran, as the entries say under which they did: the new record belongs to another."""

    def __init__(self, survey: Survey) -> None:
        self._told = survey.state.all_reasons
        self._by_key: dict[tuple[int, str], dict[str, list[dict[str, Any]]]] = {}

    def because(self, record: Record) -> list[dict[str, Any]]:
        """The reasons, without the texts of code that go with them."""
        place = record.generation, record.job
        if place not in self._by_key:
            groups = self._told.get(record.generation, {}).get(record.job, ())
            self._by_key[place] = {
                key: [{name: reason[name] for name in ('kind', 'name', 'old', 'new') if name in reason} for reason in reasons]
                for keys, _, reasons in groups
                for key in decode_keys(keys)
            }
        return self._by_key[place].get(record.task, [])


def _checks(subject: Subject, record: Record, old: dict[str, str]) -> list[dict[str, Any]]:
    """What is known of each postcondition: of one that is as it was, what the record says; all hold now."""
    then = [check for check in record.checks if check.get('when') == 'after']
    by_code = {old.get(f'{CONDITION}{number}'): check for number, check in enumerate(then, 1)}
    checks = []
    for number, condition in enumerate(subject.job.postconditions, 1):
        same = by_code.get(subject.components[f'{CONDITION}{number}'])
        fresh = {'when': 'after', 'ok': True, 'rechecked': round(time(), 3)}
        checks.append({**(same or fresh), 'name': condition.name})
    return checks
