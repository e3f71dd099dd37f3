"""Records of tasks whose postconditions were changed and hold as they are now: nothing ran, and the record says so."""

from __future__ import annotations

from time import time

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
        records.append(record.replace(code=subject.code, checks=checks, note=note))
    return records


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
