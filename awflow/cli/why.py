"""`awflow why`: what is on record of a task, and what follows from it for the next run.

The script is not executed, so what it says now is not known here: the record alone decides whether a task runs for what
happened last time, and lists all that the next run is going to compare.
"""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from awflow.cli.attempts import LastAttempt
    from awflow.state.record import Record

SHOWN = 6  # tasks named of a group


@click.command(epilog='Example: awflow why "fit[3]"')
@click.argument('selector', metavar='JOB[VALUE]')
@state_option
@workflow_option
def why(selector: str, root: str, workflow: str | None) -> None:
    """Say how a task stands, and what is on record of it.

    Of a job with an array, the tasks are grouped by how they ended.
    """
    from awflow.cli.attempts import attempts
    from awflow.cli.selection import select

    found = list(attempts(select(root, workflow, selector)))
    if len(found) == 1:
        _explain(found[0])
    else:
        _survey(found)


# -- one task ----------------------------------------------------------------------------------------------------------


def _explain(attempt: LastAttempt) -> None:
    from awflow.cli.console import STYLES, console, visible

    out = console()
    out.print(f'{visible(attempt.name)}  {attempt.outcome}', style=STYLES.get(attempt.outcome, ''), soft_wrap=True)
    out.print(f'  {_verdict(attempt)}', soft_wrap=True)
    facts = list(_facts(attempt))
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        out.print(f'  {name:<{width}}  {visible(value)}', soft_wrap=True)


def _verdict(attempt: LastAttempt) -> str:
    """What the record alone says of the next run."""
    from awflow.reasons import Reason
    from awflow.verdict import PAST

    if attempt.outcome == 'waiting':
        return 'A run has claimed it and has not started it yet.'
    if attempt.outcome == 'running':
        return f'It is being executed: {attempt.owner()}.'
    if attempt.outcome == 'succeeded':
        return 'It runs again if anything below differs, a condition fails or an upstream runs (see dry_run=True).'
    if attempt.outcome == 'forgotten':
        return f'The next run executes it: {Reason("forgotten")}.'
    ended = PAST.get(attempt.outcome, 'did not succeed')
    return f'The next run executes it: {Reason("last attempt", ended)}.{_death(attempt)}'


def _death(attempt: LastAttempt) -> str:
    """How it is known that an attempt crashed of which no end is on record."""
    if attempt.record is None or attempt.record.final:
        return ''
    return f' Its run died: {attempt.owner() or "it ended without recording how this task did"}.'


def _facts(attempt: LastAttempt) -> Iterator[tuple[str, str]]:
    record = attempt.record
    if record is None:
        yield from _claim(attempt)
        return
    if attempt.error():
        yield 'error', attempt.error()
    yield from _happened(attempt, record)
    yield from _made(record)
    yield from _compared(attempt, record)
    yield 'log', _log(attempt)


def _claim(attempt: LastAttempt) -> Iterator[tuple[str, str]]:
    job = attempt.name if attempt.key == '-' else attempt.name[: -len(attempt.key) - 2]
    for number, claim in attempt.workflow.working().items():
        if claim.covers(job, attempt.key):
            yield 'run', claim.run
            yield 'owner', attempt.workflow.evidence[number].why


def _happened(attempt: LastAttempt, record: Record) -> Iterator[tuple[str, str]]:
    from time import time

    from awflow.cli.units import duration, moment, size

    if record.note:
        yield 'note', record.note
    if record.exit:
        yield 'exit', f'status {record.exit}'
    if record.signal:
        yield 'exit', f'signal {record.signal}'
    yield 'run', record.run + (f', attempt {record.attempt[1] + 1}' if record.attempt[1] else '')
    if record.started and not record.adopted:
        yield 'started', moment(record.started, time())
    if record.ended:
        took = '' if record.adopted else f', took {duration(max(record.ended - record.started, 0.0))}'
        yield 'ended', moment(record.ended, time()) + took
    if record.host:
        memory = f', at most {size(record.rss)} of memory' if record.rss else ''
        yield 'where', f'{record.host}, process {record.pid}{memory}'


def _made(record: Record) -> Iterator[tuple[str, str]]:
    """What vouches for it: conditions, outputs, a stored result."""
    from awflow.cli.tally import vouched
    from awflow.cli.units import size

    for check in record.checks:
        held = 'held' if check.get('ok') else f'raised {check["error"]}' if check.get('error') else 'did not hold'
        yield 'check', f'{check["name"]} {held}'
    for path, (digest, count) in sorted(record.outputs.items()):
        yield 'output', f'{path}  {size(count)}, {digest[:12]}'
    if record.result:
        yield 'result', f'{size(record.result.get("bytes", 0))}, {str(record.result.get("digest", ""))[:12]}'
    if record.outcome == 'succeeded' and not vouched(record):
        yield 'unverified', 'it has no postcondition and no output: that it returned is all that is known'


def _compared(attempt: LastAttempt, record: Record) -> Iterator[tuple[str, str]]:
    """The components of its identity: code, values that the code reaches, own value and inputs, upstreams."""
    yield from _code(attempt.workflow.state.codes(record.code))
    for name, digest in sorted(record.own.items()):
        kind, _, thing = name.partition(' ')
        yield (kind, f'{thing}  {digest[:12]}') if kind in ('input', 'upstream') else ('own', f'{name}  {digest[:12]}')
    for name in record.inputs_changed:
        yield 'note', f'{name} changed while it ran'
    for name, digest in sorted(record.upstream.items()):
        yield 'upstream', f'{name}  {digest[:12]}'


def _code(components: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    from awflow.fingerprint import shown

    for name, text in components.items():
        value = shown(text)
        yield 'code', f'{name} = {value}' if value else name


def _log(attempt: LastAttempt) -> str:
    from os.path import relpath

    path = attempt.log()
    return relpath(path) if path else 'none: it wrote nothing'


# -- many tasks --------------------------------------------------------------------------------------------------------


def _survey(found: list[LastAttempt]) -> None:
    """A line for each way to have ended, with the first tasks of it."""
    from awflow.cli.console import STYLES, console, visible

    out = console()
    groups: dict[tuple[str, str], list[str]] = {}
    for attempt in found:
        groups.setdefault((attempt.outcome, attempt.error()), []).append(attempt.key)
    for (outcome, error), keys in groups.items():
        line = f'{len(keys)} {outcome}: {_some(keys)}' + (f'  {visible(error)}' if error else '')
        out.print(line, style=STYLES.get(outcome, ''), soft_wrap=True)
    for digest in dict.fromkeys(attempt.record.code for attempt in found if attempt.record):
        for _, component in _code(found[0].workflow.state.codes(digest)):
            out.print(f'  code  {visible(component)}', soft_wrap=True)
    if not found:
        out.print('no tasks: its array is empty')


def _some(keys: list[str]) -> str:
    return f'[{", ".join(keys[:SHOWN])}{", ..." if len(keys) > SHOWN else ""}]'
