"""Many tasks of one job: how many ended how, the first that did not succeed, and what to ask next."""

from __future__ import annotations

from awflow.cli.attempts import LastAttempt
from awflow.cli.console import STYLES, visible
from awflow.cli.observed import BAD
from awflow.cli.tally import ORDER
from awflow.plan import task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console

    from awflow.cli.selection import Selection

SHOWN = 8  # tasks with their errors


def print_summary(out: Console, selection: Selection, option: str) -> None:
    """Counts, errors, advice. `option` is how the tasks were narrowed down, to be repeated in the advice."""
    groups = outcomes(selection)
    number = len(selection.keys)
    out.print(f'{visible(selection.job)}  {number} {"task" if number == 1 else "tasks"}', style='bold', soft_wrap=True)
    rank = {outcome: place for place, outcome in enumerate(ORDER)}
    for outcome, keys in sorted(groups.items(), key=lambda item: rank.get(item[0], len(rank))):
        out.print(f'  {len(keys)} {outcome}', style=STYLES.get(outcome, ''))
    bad = [key for outcome in BAD for key in groups.get(outcome, ())]
    for key in bad[:SHOWN]:
        attempt = LastAttempt(selection.workflow, selection.job, key)
        said = attempt.error() or attempt.outcome
        out.print(f'    {visible(attempt.label)}  {visible(said)}', soft_wrap=True)
    if len(bad) > SHOWN:
        out.print(f'    ... {len(bad) - SHOWN} more')
    _advise(out, selection, (bad or list(selection.keys))[0], bool(bad), option)


def outcomes(selection: Selection) -> dict[str, list[str]]:
    """The tasks selected by how they stand."""
    workflow, rows = selection.workflow, selection.workflow.state.rows(selection.job)
    groups: dict[str, list[str]] = {}
    for key in selection.keys:
        row = rows.row(key) if rows is not None else None
        if rows is not None and row is not None:
            outcome = workflow.outcome(rows, row)
        else:
            outcome = LastAttempt(workflow, selection.job, key).outcome
        groups.setdefault(outcome, []).append(key)
    return groups


def _advise(out: Console, selection: Selection, key: str, bad: bool, option: str) -> None:
    from shlex import quote

    job = quote(visible(selection.job))
    lines = [(f'awflow show {quote(visible(task_name(selection.job, key)))}', 'all of one task')]
    if bad:
        lines.append((f'awflow logs {job} {option or "--failed"}', 'what they wrote'))
        lines.append((f'awflow why {job} --failed', 'why they ran, and will run'))
    lines.append((f'awflow usage {job}', 'what they used of what was asked for'))
    width = max(len(command) for command, _ in lines)
    for command, meaning in lines:
        out.print(f'  {command:<{width}}  {meaning}', style='dim', soft_wrap=True)
