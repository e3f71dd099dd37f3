"""`awflow why`: why a task ran, or did not; what the next run will make of it; and what is on record of it.

What is told of the last run is what that run had found, by the renderer that draws plans. Of the next one is told what
follows from the record, the disk and the state; with --now the script is started to plan, and tells all of it.
"""

from __future__ import annotations

import click

from awflow.cli.options import json_option, outcome_options, selectors_argument, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.groups import TaskGroup
    from awflow.cli.observed import Workflow
    from awflow.cli.replan import Replanned
    from awflow.state.record import Record

SHOWN = 6  # tasks named of a group


@click.command(epilog='Example: awflow why "fit[3]"')
@selectors_argument()
@outcome_options
@click.option('--now', is_flag=True, help='Start the script to plan, without running anything, and say what it finds.')
@click.option('--script', metavar='FILE', help='With --now: the script, if it is not started as in its last run.')
@json_option
@state_option
@workflow_option
def why(
    selectors: Sequence[str], failed: bool, crashed: bool, now: bool, script: str | None, as_json: bool, root: str,
    workflow: str | None,
) -> None:  # fmt: skip
    """Say why a task ran last, what the next run will make of it, and what is on record of it.

    Of several tasks, those are told together that ended in the same way, and those that ran for the same reasons. With
    --failed or --crashed the job may be left out.

    Exit status: 0 if there was such a task, 1 if there was none.
    """
    from awflow.cli.amend import by_workflow
    from awflow.cli.attempts import LastAttempt
    from awflow.cli.groups import groups
    from awflow.cli.replan import replanned
    from awflow.cli.selection import narrowed, select_all

    if not selectors and not (failed or crashed):
        raise click.UsageError('Say of which task, as in: awflow why "fit[3]"; or --failed.')
    meant = narrowed(select_all(root, workflow, selectors, planned=True, looking=not now), failed, crashed)
    if not meant:
        click.echo(f'awflow: no task {"failed" if failed else "crashed"}', err=True)
        raise click.exceptions.Exit(1)
    told: list[dict[str, object]] = []
    for observed, selections in by_workflow(meant):
        plan = replanned(observed, {each.job: each.keys for each in selections}, script) if now else None
        found = [list(groups(each)) for each in selections]
        single = [len(group.keys) for of_job in found for group in of_job] == [1] and len(selections) == 1
        attempt = LastAttempt(observed, found[0][0].job, found[0][0].keys[0]) if single else None
        if as_json:
            from awflow.cli.explained import many, one

            told += one(attempt, plan) if attempt else many(observed, found, plan)
        elif attempt is not None:
            _explain(attempt, plan)
        else:
            for selection, of_job in zip(selections, found, strict=True):
                _survey(observed, selection.job, of_job, plan, headed=len(selections) > 1)
    if as_json:
        from json import dumps

        click.echo(dumps({'state': root, 'tasks': told}, indent=1))


# -- one task ----------------------------------------------------------------------------------------------------------


def _explain(attempt: LastAttempt, plan: Replanned | None) -> None:
    from awflow.cli.console import STYLES, console, visible

    out = console()
    out.print(f'{visible(attempt.name)}  {attempt.outcome}', style=STYLES.get(attempt.outcome, ''), soft_wrap=True)
    for line in _last(attempt):
        out.print(f'  {visible(line)}', style=_style(line), soft_wrap=True)
    for line in _planned(attempt, plan) if plan is not None else [_verdict(attempt)]:
        out.print(f'  {visible(line)}', style=_style(line), soft_wrap=True)
    facts = list(_facts(attempt))
    width = max((len(name) for name, _ in facts), default=0)
    for name, value in facts:
        out.print(f'  {name:<{width}}  {visible(value)}', soft_wrap=True)


def _last(attempt: LastAttempt) -> Iterator[str]:
    """What happened in the last run, or happens."""
    from awflow.cli.history import last_time
    from awflow.cli.observed import NOT_STARTED, WAITING
    from awflow.cli.unstarted import not_started, skipped, waits

    if attempt.record is not None:
        return last_time(attempt)
    return {NOT_STARTED: not_started, WAITING: waits}.get(attempt.outcome, skipped)(attempt)


def _style(line: str) -> str:
    """Lines of a difference in the usual colours."""
    return {'-': 'red', '+': 'green', '@': 'cyan'}.get(line.strip()[:1], '')


def _planned(attempt: LastAttempt, plan: Replanned) -> Iterator[str]:
    """What the script, as it is now, makes of the task."""
    from awflow.explain import lines_of

    group = plan.account.group(attempt.job, attempt.key)
    if group is not None:
        first, *more = lines_of(plan.account, group.of(attempt.key), set())
        yield f'The next run: {first.strip().partition("] ")[2] or first.strip()}'
        yield from (line[2:] for line in more)
    elif attempt.key in plan.tasks.get(attempt.job, ()):
        yield 'The next run leaves it alone: nothing differs.'
    elif attempt.job in plan.tasks:
        yield 'The next run does not know it: the script has no such task any more.'
    else:
        yield 'The script was not followed to where it schedules this job: it has work to do before.'


def _verdict(attempt: LastAttempt) -> str:
    """What record, disk and state say of the next run."""
    from awflow.cli.expected import RERUN, expected
    from awflow.reasons import Reason
    from awflow.verdict import PAST

    if attempt.outcome in ('not started', 'skipped'):
        return 'The next run executes it if it is still needed.'
    if attempt.outcome == 'waiting':
        return 'A run has claimed it and has not started it yet.'
    if attempt.outcome == 'running':
        return f'It is being executed: {attempt.owner()}.'
    if attempt.outcome == 'forgotten':
        return f'The next run executes it: {Reason("forgotten")}.'
    if attempt.outcome != 'succeeded':
        ended = PAST.get(attempt.outcome, 'did not succeed')
        return f'The next run executes it: {Reason("last attempt", ended)}.{_death(attempt)}'
    found = expected(attempt)
    surely = [reason for reason in found if reason.kind in RERUN]
    if surely:
        return f'The next run executes it: {"; ".join(map(str, surely[:SHOWN]))}.'
    if found:
        return f'The next run executes it if that counts then: {"; ".join(map(str, found[:SHOWN]))}.'
    return 'Nothing on disk says that it must run again. Code and values are not compared here: add --now for that.'


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
    if attempt.value:
        yield 'value', attempt.value
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

    from awflow.cli.units import binary, duration, moment

    if record.note and not (record.by or record.adopted or record.note.startswith('ran because ')):
        yield 'note', record.note
    if record.exit:
        yield 'exit', f'status {record.exit}'
    if record.signal:
        yield 'exit', f'signal {record.signal}'
    if record.run:
        yield 'run', record.run + (f', attempt {record.attempt[1] + 1}' if record.attempt[1] else '')
    if record.started and not record.adopted:
        yield 'started', moment(record.started, time())
    if record.ended:
        took = '' if record.adopted else f', took {duration(max(record.ended - record.started, 0.0))}'
        yield 'ended', moment(record.ended, time()) + took
    if record.host and not record.pid:
        yield 'where', record.host
    elif record.host:
        memory = f', at most {binary(record.rss)} of memory' if record.rss else ''
        yield 'where', f'{record.host}, process {record.pid}{memory}'


def _made(record: Record) -> Iterator[tuple[str, str]]:
    """What vouches for it: conditions, outputs, a stored result."""
    from awflow.cli.tally import vouched
    from awflow.cli.units import size

    for check in record.checks:
        yield 'check', f'{check["name"]} {_held(check)}'
    for path, (digest, count) in sorted(record.outputs.items()):
        yield 'output', f'{path}  {size(count)}, {digest[:12]}'
    if record.result:
        yield 'result', f'{size(record.result.get("bytes", 0))}, {str(record.result.get("digest", ""))[:12]}'
    if record.outcome == 'succeeded' and not vouched(record):
        yield 'unverified', 'it has no postcondition and no output: that it returned is all that is known'


def _held(check: Mapping[str, object]) -> str:
    if 'ok' not in check:
        return 'was not asked'
    if check['ok']:
        return 'held, as it did before' if check.get('before') else 'held'
    return f'raised {check["error"]}' if check.get('error') else 'did not hold'


def _compared(attempt: LastAttempt, record: Record) -> Iterator[tuple[str, str]]:
    """The components of its identity: code, values that the code reaches, own value and inputs, upstreams."""
    yield from _code(attempt.workflow, record, record.code)
    for name, digest in sorted(record.own.items()):
        kind, _, thing = name.partition(' ')
        yield (kind, f'{thing}  {digest[:12]}') if kind in ('input', 'upstream') else ('own', f'{name}  {digest[:12]}')
    for name in record.inputs_changed:
        yield 'note', f'{name} changed while it ran'
    for name, digest in sorted(record.upstream.items()):
        yield 'upstream', f'{name}  {digest[:12]}'


def _code(workflow: Workflow, record: Record, digest: str) -> Iterator[tuple[str, str]]:
    from awflow.cli.runs import packages_since
    from awflow.fingerprint import shown

    components: Mapping[str, str] = workflow.state.codes(digest)
    for name, text in components.items():
        value = shown(text)
        yield 'code', f'{name} = {value}' if value else name
    used = (name.removeprefix('package ') for name, text in components.items() if text == 'installed')
    for name, then, now in packages_since(workflow.store, record, used):
        yield 'note', f'package {name} {then} -> {now}: not counted'


def _log(attempt: LastAttempt) -> str:
    from os.path import relpath

    path = attempt.log()
    return relpath(path) if path else 'none: it wrote nothing'


# -- many tasks --------------------------------------------------------------------------------------------------------


def _survey(workflow: Workflow, job: str, found: Sequence[TaskGroup], plan: Replanned | None, headed: bool) -> None:
    """A line for each way to have ended, with the first tasks of it; then why they ran, and what they depend on."""
    from awflow.cli.console import STYLES, console, visible
    from awflow.cli.groups import together
    from awflow.cli.history import last_times

    out = console()
    if headed:
        out.print(visible(job), soft_wrap=True)
    for (outcome, error), keys in together(((each.outcome, each.error()), each.keys) for each in found).items():
        line = f'{len(keys)} {outcome}{_some(keys)}' + (f'  {visible(error)}' if error else '')
        out.print(line, style=STYLES.get(outcome, ''), soft_wrap=True)
    for line in last_times(workflow, found):
        out.print(f'  {visible(line)}', style=_style(line), soft_wrap=True)
    if plan is not None:
        for line in _next(job, {key for each in found for key in each.keys}, plan):
            out.print(f'  {visible(line)}', style=_style(line), soft_wrap=True)
    else:
        for line in _certain(found):
            out.print(f'  {visible(line)}', soft_wrap=True)
    newest = {each.record.code: each.record for each in found if each.record is not None}
    for digest, record in newest.items():
        for name, value in _code(workflow, record, digest):
            out.print(f'  {name}  {visible(value)}', soft_wrap=True)
    if not found:
        out.print('no such tasks')


def _next(job: str, keys: set[str], plan: Replanned) -> Iterator[str]:
    """What the script, as it is now, makes of these tasks."""
    from awflow.explain import Group, lines_of

    yield 'The next run:'
    seen: set[object] = set()
    left = set(keys)
    for group in plan.account.groups.get(job, ()):
        meant = [key for key in group.keys if key in keys]
        left -= set(meant)
        if meant:
            yield from lines_of(plan.account, Group(meant, group.kind, group.reasons, group.runs), seen)
    fresh = [key for key in plan.tasks.get(job, ()) if key in left]
    if fresh:
        yield f'  {len(fresh)} fresh'
    if len(left) > len(fresh):
        yield f'  {len(left) - len(fresh)} not in the script any more, or behind a schedule() that has work to do'


def _certain(found: Sequence[TaskGroup]) -> Iterator[str]:
    """What the records alone say of the next run of these tasks."""
    from awflow.cli.groups import together
    from awflow.cli.observed import BAD, NOT_STARTED

    ended = [(each.outcome, each.keys) for each in found if each.outcome in (*BAD, 'forgotten')]
    (keys,) = together(('', keys) for _, keys in ended).values() if ended else ([],)
    if keys:
        why = 'forgotten' if {outcome for outcome, _ in ended} == {'forgotten'} else 'the last attempt did not succeed'
        yield f'The next run executes {len(keys)}{_some(keys)}: {why}.'
    unstarted = sum(len(each.keys) for each in found if each.outcome == NOT_STARTED)
    if unstarted:
        yield f'The next run executes {unstarted} that have not started if they are still needed.'
    if any(each.outcome == 'succeeded' for each in found):
        yield f'Whether it executes {"the others" if keys or unstarted else "them"} is told of one task, or with --now.'


def _some(keys: list[str]) -> str:
    from awflow.cli.attempts import DIGITS

    shown = [key[:DIGITS] if key.startswith('#') else key for key in keys[:SHOWN]]
    return f': [{", ".join(shown)}{", ..." if len(keys) > SHOWN else ""}]' if keys != ['-'] else ''
