"""What `status -v` adds for each job: its postconditions, and what its tasks used without declaring it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from rich.console import Console

    from awflow.cli.conditions import Shown
    from awflow.cli.observed import Workflow


def details(workflow: Workflow, job: str) -> dict[str, object]:
    """For JSON."""
    from awflow.cli.conditions import shown

    records = _records(workflow, job)
    return {
        'postconditions': [condition.to_dict() for condition in shown(records)],
        'lint': {record.task: record.lint for record in records if record.lint is not None},
    }


class _Told:
    """Of a record what is told here: making whole ones of 100,000 tasks takes three times as long."""

    __slots__ = ('checks', 'lint', 'outputs', 'task')

    def __init__(self, task: str, members: Mapping[str, Any]) -> None:
        self.task = task
        self.checks: Sequence[dict[str, Any]] = members.get('checks', ())
        self.lint: dict[str, Any] | None = members.get('lint')
        self.outputs: Mapping[str, Any] = members.get('outputs', {})


def _records(workflow: Workflow, job: str) -> list[_Told]:
    from awflow.state.members import having

    rows = workflow.state.rows(job)
    if rows is None:
        return []
    keys = rows.keys
    linted = any(True for _ in having(rows, ('lint',)))
    names = ('checks', 'lint', 'outputs') if linted else ('checks',)  # who made what counts only for advice
    return [_Told(keys[row], members) for row, members in having(rows, names)]


def print_details(out: Console, workflow: Workflow, jobs: Sequence[str]) -> None:
    """Of each job its postconditions, and what its tasks used without declaring it."""
    from awflow.advice import advise, linted
    from awflow.cli.conditions import shown
    from awflow.cli.console import visible

    known = {job: _records(workflow, job) for job in jobs}
    makers = {path: job for job, records in known.items() for record in records for path in record.outputs}
    for job, records in known.items():
        conditions, advice = shown(records), advise(job, linted(records), makers)
        if conditions or advice:
            out.print(f'\n{visible(job)}', style='bold', soft_wrap=True)
        for condition in conditions:
            _print_condition(out, condition)
        for line in advice:
            out.print(f'  lint: {visible(line)}', soft_wrap=True)


def _print_condition(out: Console, condition: Shown) -> None:
    from awflow.cli.console import visible
    from awflow.cli.units import brief

    times = f'{brief(condition.seconds)} in all, {brief(condition.longest)} at most'
    rest = condition.asked - condition.held
    counts = f'held for {condition.held}' + (f', not for {rest}' if rest else '')
    if condition.idle:
        out.print(
            f'  postcondition {visible(condition.name)} never was false: it proves nothing', style='yellow', soft_wrap=True
        )
    else:
        out.print(f'  postcondition {visible(condition.name)}', soft_wrap=True)
    known = f'was false before for {condition.proved}' if condition.proved else 'held at every start on record'
    known = known if condition.proved or condition.unproved else 'whether it ever was false is not known'
    out.print(f'    {counts}; {known}; took {times}', style='dim', soft_wrap=True)
