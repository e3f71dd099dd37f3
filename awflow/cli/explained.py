"""What `why` says, for programs: of one task all of it, of many in groups of which the same is to be told."""

from __future__ import annotations

from awflow.state.ledger import encode_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.groups import TaskGroup
    from awflow.cli.observed import Workflow
    from awflow.cli.replan import Replanned
    from awflow.explain import Account
    from awflow.reasons import Reason


def one(attempt: LastAttempt, plan: Replanned | None) -> list[dict[str, Any]]:
    """A task: why it ran, whether it would now as far as that is known, and its record with what its code is made of."""
    from awflow.cli.groups import TaskGroup

    group = TaskGroup(attempt.job, attempt.outcome, [attempt.key], attempt.record)
    (told,) = _told(attempt.workflow, [group])
    record = attempt.record
    code = attempt.workflow.state.codes(record.code) if record is not None else {}
    return [{
        **told, 'task': attempt.name, 'error': attempt.error() or None, 'log': attempt.log() or None,
        'next': _next_of(attempt, plan), 'record': record.to_dict() if record is not None else None, 'code': code,
    }]  # fmt: skip


def many(workflow: Workflow, found: Sequence[Sequence[TaskGroup]], plan: Replanned | None) -> list[dict[str, Any]]:
    """Tasks by how they stand and why they ran; with a plan, those that the next run executes besides."""
    told = [each for of_job in found for each in _told(workflow, of_job)]
    if plan is None:
        return told
    wanted = {of_job[0].job: {key for group in of_job for key in group.keys} for of_job in found if of_job}
    for job, keys in wanted.items():
        for group in plan.account.groups.get(job, ()):
            meant = [key for key in group.keys if key in keys]
            if meant:
                told.append({
                    'workflow': workflow.name, 'job': job, 'keys': encode_keys(meant), 'number': len(meant),
                    'next': {'verdict': group.kind, 'runs': group.runs, 'reasons': _reasons(group.reasons)},
                })  # fmt: skip
    return told


def _told(workflow: Workflow, found: Sequence[TaskGroup]) -> Iterator[dict[str, Any]]:
    from awflow.cli.history import account_of, alike

    accounts: dict[int, Account] = {}
    for group in found:
        base = {'workflow': workflow.name, 'job': group.job, 'outcome': group.outcome, 'error': group.error() or None}
        parts: list[tuple[Sequence[Reason], list[str]]] = [((), group.keys)]
        if group.record is not None:
            number = group.record.generation
            if number not in accounts:
                accounts[number] = account_of(workflow.state, number)
            parts = list(alike(accounts[number], group))
        for reasons, keys in parts:
            yield {**base, 'keys': encode_keys(keys), 'number': len(keys), 'ran_because': _reasons(reasons)}


def _reasons(reasons: Sequence[Reason]) -> list[dict[str, Any]]:
    return [{**reason.to_dict(), 'text': str(reason)} for reason in reasons]


def _next_of(attempt: LastAttempt, plan: Replanned | None) -> dict[str, Any]:
    """What the next run makes of a task; `runs` is null where only the script could tell."""
    from awflow.cli.expected import RERUN, expected

    if plan is not None:
        group = plan.account.group(attempt.job, attempt.key)
        known = attempt.key in plan.tasks.get(attempt.job, ())
        if group is None:
            return {'asked': True, 'known': known, 'runs': False if known else None, 'reasons': []}
        return {'asked': True, 'known': True, 'verdict': group.kind, 'runs': group.runs, 'reasons': _reasons(group.reasons)}
    if attempt.outcome != 'succeeded':
        return {
            'asked': False,
            'runs': None if attempt.outcome in ('running', 'waiting', 'not started') else True,
            'reasons': [],
        }
    reasons = expected(attempt)
    return {'asked': False, 'runs': True if any(r.kind in RERUN for r in reasons) else None, 'reasons': _reasons(reasons)}
