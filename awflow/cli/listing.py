"""Tasks one by one, as `status` lists them: how each stands, since when, where, and what it said."""

from __future__ import annotations

from awflow.state.table import OTHER_OUTCOME, OUTCOMES, natural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any, Final

    from rich.console import Console
    from rich.table import Table

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection
    from awflow.state.rows import Rows

SHOWN: Final = 20  # tasks of a job with -v
MOST: Final = 200  # tasks of a job that was asked for
FIRST: Final = ('crashed', 'failed', 'timeout', 'cancelled', 'running', 'waiting')  # of those that cannot all be shown


def listed(root: str, workflow: str | None, selectors: Sequence[str], failed: bool, crashed: bool, as_json: bool) -> None:
    """Print the tasks that are meant; with `failed` or `crashed` only those that ended so."""
    from awflow.cli.console import console
    from awflow.cli.selection import narrowed, select_all

    chosen = narrowed(select_all(root, workflow, selectors, planned=True, looking=True), failed, crashed)
    if as_json:
        _print_json(root, chosen)
        return
    out = console()
    for place, each in enumerate(chosen):
        _print_job(out, each.workflow, each.job, each.keys, MOST, first=not place)
    if not chosen:
        out.print('no task ended so' if failed or crashed else 'no tasks')


def _print_json(root: str, chosen: Sequence[Selection]) -> None:
    from json import dumps

    import click

    found = [{'workflow': s.workflow.name, **told} for s in chosen for told in described(s.workflow, s.job, s.keys)]
    click.echo(dumps({'state': root, 'tasks': found}, indent=1))


def described(workflow: Workflow, job: str, keys: Sequence[str] | None = None) -> Iterator[dict[str, Any]]:
    """Tasks for JSON, all of a job unless told which."""
    from awflow.cli.attempts import LastAttempt

    for key in workflow.keys(job) if keys is None else keys:
        attempt = LastAttempt(workflow, job, key)
        record = attempt.record
        yield {
            'task': attempt.name, 'job': job, 'key': key, 'outcome': attempt.outcome, 'error': attempt.error() or None,
            'log': attempt.log() or None,
            **({} if record is None else {
                'run': record.run, 'attempt': list(record.attempt), 'host': record.host or None, 'pid': record.pid or None,
                'slurm': record.slurm, 'started': record.started or None, 'ended': record.ended or None,
                'peak_bytes': record.rss or None, 'exit': record.exit, 'signal': record.signal,
            }),
        }  # fmt: skip


def print_tasks(out: Console, workflow: Workflow, jobs: Sequence[str]) -> None:
    """Some tasks of each job, those first that did not end well or have not ended."""
    for job in jobs:
        _print_job(out, workflow, job, workflow.keys(job), SHOWN)


def _print_job(out: Console, workflow: Workflow, job: str, keys: Sequence[str], most: int, first: bool = False) -> None:
    """A table of the tasks of a job, if there are any; with an empty line above unless it is the first."""
    from awflow.cli.attempts import LastAttempt
    from awflow.cli.console import visible

    if not keys:
        return
    numbers = [natural(key) for key in keys]
    if None not in numbers:
        keys = [key for _, key in sorted(zip(numbers, keys, strict=True))]
    chosen = keys
    if len(keys) > most:
        ranks = map(_rank, outcomes_of(workflow, job, keys))
        chosen = [key for _, _, key in sorted(zip(ranks, range(len(keys)), keys, strict=True))[:most]]
    out.print('' if first else '\n', visible(job), sep='', style='bold', soft_wrap=True)
    out.print(_table([LastAttempt(workflow, job, key) for key in chosen]))
    if len(keys) > most:
        out.print(f'... {len(keys)} in all; name fewer, or --json for all', style='dim')


def outcomes_of(workflow: Workflow, job: str, keys: Sequence[str]) -> list[str]:
    """How each task stands."""
    from awflow.cli.keys import holds
    from awflow.cli.observed import NOT_STARTED, WAITING

    rows = workflow.state.rows(job)
    if rows is not None and list(keys) == rows.keys:
        return _of_all(workflow, rows)
    claims = [claim for claim in workflow.working().values() if job in claim.tasks]
    found = []
    for key in keys:
        row = rows.row(key) if rows is not None else None
        if rows is not None and row is not None:
            found.append(workflow.outcome(rows, row))
        else:
            claimed = any(holds(claim, job, key) for claim in claims)
            found.append(workflow.gone.get((job, key), WAITING if claimed else NOT_STARTED))
    return found


def _of_all(workflow: Workflow, rows: Rows) -> list[str]:
    """The same of all tasks on record: nearly all are told from a column."""
    column = rows.base.outcome.tolist() if rows.base is not None else []
    found = [OUTCOMES[code] if code != OTHER_OUTCOME else '' for code in column] + [''] * (len(rows) - len(column))
    since = rows.briefs()
    for row, outcome in zip(since.names, since.outcome, strict=True):
        found[row] = outcome
    return [outcome or workflow.outcome(rows, row) for row, outcome in enumerate(found)]


def _rank(outcome: str) -> int:
    return FIRST.index(outcome) if outcome in FIRST else len(FIRST)


def _table(found: Sequence[LastAttempt]) -> Table:
    from time import time

    from rich.table import Table
    from rich.text import Text

    from awflow.cli.console import STYLES, visible

    now = time()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    table.add_column('task', overflow='fold', ratio=None)
    table.add_column('outcome', no_wrap=True)
    table.add_column('when', no_wrap=True)
    table.add_column('took', justify='right', no_wrap=True)
    table.add_column('where', overflow='fold')
    table.add_column('said', overflow='fold')
    for attempt in found:
        when, took, place = _happened(attempt, now)
        table.add_row(
            visible(attempt.label), Text(attempt.outcome, style=STYLES.get(attempt.outcome, '')), when, took, visible(place),
            visible(_said(attempt)),
        )  # fmt: skip
    return table


def _said(attempt: LastAttempt) -> str:
    """Its error; of one that left no word, how it is known that its run died."""
    if attempt.error() or attempt.outcome != 'crashed' or attempt.record is None or attempt.record.final:
        return attempt.error()
    return attempt.owner()


def _happened(attempt: LastAttempt, now: float) -> tuple[str, str, str]:
    """When it started or ended, how long it took so far, and where it is or was."""
    from awflow.cli.units import duration, moment

    record = attempt.record
    if record is None:
        return '', '', ''
    slurm = record.slurm or {}
    places = [record.host or attempt.place(), f'Slurm {slurm.get("array") or slurm.get("job")}' if slurm else '']
    if not slurm and record.pid and not record.final:
        places.append(f'process {record.pid}')
    if record.adopted:
        return moment(record.ended, now), '', ''
    ended = record.ended or (now if attempt.outcome == 'running' else 0.0)
    took = duration(max(ended - record.started, 0.0)) if record.started and ended else ''
    return moment(record.ended or record.started, now), took, ', '.join(filter(None, places))
