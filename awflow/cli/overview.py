"""What `status` draws: of each workflow what to do next, a table of its jobs, and who is at work."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from awflow.cli.console import STYLES, glyphs, visible, word
from awflow.cli.observed import BAD, NOT_STARTED, RUNNING, WAITING
from awflow.cli.units import binary, clock, duration, moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from rich.console import RenderableType

    from awflow.cli.claims import Progress
    from awflow.cli.standing import Standing
    from awflow.cli.tally import Tally
    from awflow.state.record import Record

JOBS: Final = 60  # in the table, unless all are asked for
SHOWN: Final = 8  # tasks in flight, and jobs in a queue, of a claim
WIDTH: Final = 10  # characters of a bar
LONG: Final = 100  # characters of a line that names a task


def drawn(standing: Standing, place: str, many: bool, broad: int) -> Iterator[RenderableType]:
    """The parts, from top to bottom. `many`: other workflows are shown besides, so commands must name this one. `broad` is
    how many columns there are.
    """
    yield Text(f'{visible(standing.name)} in {visible(place)}', style='bold')
    for line, style in todo(standing, many):
        yield Text(visible(line), style=style)
    yield _table(standing, broad)
    for claim in standing.claims:
        yield from _claim(standing, claim)


def todo(standing: Standing, many: bool = False) -> Iterator[tuple[str, str]]:
    """What there is to be done, each with its style."""
    from shlex import quote

    which = f' -w {quote(standing.name)}' if many else ''
    counts = {outcome: sum(tally.outcomes.get(outcome, 0) for tally in standing.tallies) for outcome in BAD}
    bad = ', '.join(f'{number} {outcome}' for outcome, number in counts.items() if number)
    if bad:
        line = f'{bad}: awflow logs --failed{which}; awflow why {word(standing.first_bad())}{which}'
        yield line if len(line) <= LONG else f'{bad}: awflow logs --failed{which}; awflow status --failed{which}', 'bold red'
    for claim in standing.claims:
        left = claim.total - claim.done
        if claim.dead:
            yield (
                f'run {claim.run} died, {left} {_tasks(left)} open: run again, or awflow clean',
                'bold red',
            )
        elif claim.state == 'suspect':
            yield f'run {claim.run} may be dead: awflow clean says what is known', 'bold yellow'
    missed = sum(tally.outcomes.get(NOT_STARTED, 0) for tally in standing.tallies)
    if missed and not bad and not standing.claims:
        yield f'{missed} {_tasks(missed)} did not run: awflow why JOB says why', 'yellow'


def _table(standing: Standing, broad: int) -> Table:
    """A line for each job; what is too long for its column goes on below, nothing is cut off. On a narrow terminal the last
    columns are left out.
    """
    working = any(tally.open for tally in standing.tallies)
    places = [broad >= least for least in (60, 48, 72)]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style='dim')
    table.add_column('job', overflow='fold')
    table.add_column('tasks', justify='right', no_wrap=True)
    table.add_column('outcome', overflow='fold')
    if places[0]:
        table.add_column('elapsed', justify='right', no_wrap=True)
    if places[1]:
        table.add_column('left' if working else 'ended', justify='right' if working else 'left', no_wrap=True)
    if places[2] and any(tally.peak for tally in standing.tallies):
        table.add_column('memory', no_wrap=True)
    known = [tally for tally in standing.tallies if tally.tasks or standing.jobs.of[tally.job].noted]
    shown = known if standing.whole or len(known) <= JOBS else _telling(known)
    for tally in shown:
        elapsed = tally.elapsed(standing.now)
        cells: list[RenderableType] = [
            duration(elapsed) if elapsed else '',
            _left(standing, tally) if working else moment(tally.last_ended, standing.now), _memory(tally),
        ]  # fmt: skip
        done = f'{tally.done}/{tally.tasks}' if tally.done < tally.tasks else str(tally.tasks)
        more = [cell for cell, there in zip(cells, places, strict=True) if there][: len(table.columns) - 3]
        table.add_row(visible(tally.job), done, _outcomes(tally), *more)
    if len(shown) < len(known):
        told = {tally.job for tally in shown}
        table.add_row(*_others([tally for tally in known if tally.job not in told]))
    return table


def _telling(tallies: Sequence[Tally]) -> Sequence[Tally]:
    """Of many jobs those to be shown: first those of which something else is to be told than that all succeeded."""
    plain = [tally.outcomes.keys() == {'succeeded'} and not tally.open for tally in tallies]
    order = sorted(range(len(tallies)), key=plain.__getitem__)[:JOBS]
    return [tallies[place] for place in sorted(order)]


def _others(tallies: Sequence[Tally]) -> Iterator[RenderableType]:
    """The cells of a line for all others together."""
    counts: dict[str, int] = {}
    for tally in tallies:
        for outcome, count in tally.ordered():
            counts[outcome] = counts.get(outcome, 0) + count
    done, total = sum(tally.done for tally in tallies), sum(tally.tasks for tally in tallies)
    yield f'{len(tallies)} more (--all)'
    yield f'{done}/{total}' if done < total else str(total)
    yield Text(', ').join(Text(f'{count} {outcome}', style=STYLES.get(outcome, '')) for outcome, count in counts.items())


def _left(standing: Standing, tally: Tally) -> str:
    if not tally.open:
        return ''
    seconds = standing.left_of(tally.job)
    return clock(seconds) if seconds is not None else '?'


def _outcomes(tally: Tally) -> Text:
    """Counts, what is bad in colour; and of successes whether anything vouches for them."""
    parts = []
    for outcome, count in tally.ordered():
        part = Text(f'{count} {outcome}', style=STYLES.get(outcome, ''))
        parts.append(part.append(f' ({_verified(tally, count)})', style='dim') if outcome == 'succeeded' else part)
    if tally.again:
        parts.append(Text(f'{tally.again} to run again', style='dim'))
    return Text(', ').join(parts)


def _verified(tally: Tally, succeeded: int) -> str:
    if tally.unverified in (0, succeeded):
        return 'unverified' if tally.unverified else 'verified'
    return f'{tally.unverified} unverified'


def _memory(tally: Tally) -> Text:
    """The peak, and what was asked for; red if a task came close."""
    asked = (tally.asks.get('memory') or 0) * 2**20
    if not tally.peak:
        return Text('')
    close = bool(asked) and tally.peak > 0.9 * asked
    return Text(f'{binary(tally.peak)}/{binary(asked)}' if asked else binary(tally.peak), style='red' if close else '')


def _claim(standing: Standing, claim: Progress) -> Iterator[RenderableType]:
    """Who works, how far that is, and what runs where."""
    yield (
        Text(f'run {claim.run}  ')
        .append(claim.state, style=STYLES[claim.state])
        .append(f'  since {moment(claim.since, standing.now)}', style='dim')
    )
    yield Text('  ').append(bar(claim.done, claim.total), style=STYLES[claim.state]).append(f'  {_how_far(standing, claim)}')
    host = '' if claim.host in claim.why else f'on {claim.host}: '
    yield Text(visible(f'  {host}{claim.why}'), style='dim')
    running = claim.running
    for record in running[:SHOWN]:
        yield Text(f'  {visible(where(record, claim.host, standing.now))}')
    if len(running) > SHOWN:
        yield Text(f'  ... {len(running)} run in all', style='dim')
    queued = list(claim.queued())
    for each in queued[:SHOWN]:
        why = f': {each["reason"]}' if each['reason'] else ''
        yield Text(f'  {visible(each["job"])}  {each["waiting"]} {WAITING}  Slurm {each["slurm"]}{why}', style='dim')
    if len(queued) > SHOWN:
        yield Text(f'  ... {len(queued)} jobs of Slurm wait in all', style='dim')


def _how_far(standing: Standing, claim: Progress) -> str:
    found = [f'{claim.done}/{claim.total} ended']
    if claim.dead:
        return f'{found[0]}; the next run takes over the rest'
    found += [f'{number} {what}' for number, what in ((len(claim.running), RUNNING), (claim.waiting, WAITING)) if number]
    left = standing.left[claim.number]
    if left.seconds is not None:
        found.append(f'{"at least" if left.least else "about"} {clock(left.seconds)} left')
    return ', '.join(found)


def where(record: Record, host: str, now: float) -> str:
    """A task that runs: for how long, and where; on the host of its run if its record names none."""
    from awflow.plan import task_name

    slurm = record.slurm or {}
    places = [
        record.host or host, f'process {record.pid}' if record.pid else '',
        f'Slurm {slurm.get("array") or slurm.get("job")}' if slurm else '',
    ]  # fmt: skip
    attempt = f'  attempt {sum(record.attempt) + 1}' if any(record.attempt) else ''
    spent = duration(max(now - record.started, 0.0))
    return f'{task_name(record.job, record.task)}  {spent}  {", ".join(filter(None, places))}{attempt}'


def bar(done: int, total: int) -> str:
    """How much of it is done, as a bar."""
    full, empty = glyphs().bar
    length = WIDTH * done // total if total else WIDTH
    return full * length + empty * (WIDTH - length)


def _tasks(number: int) -> str:
    return 'task' if number == 1 else 'tasks'


def lines(parts: Sequence[RenderableType]) -> Iterator[tuple[RenderableType, bool]]:
    """The parts for a console: texts are not wrapped, so that they can be searched and copied; tables are."""
    for part in parts:
        yield part, isinstance(part, Text)
