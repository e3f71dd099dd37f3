"""One task on a page: what `awflow show` prints of it, most wanted first, within 80 columns where names allow."""

from __future__ import annotations

from awflow.cli.console import STYLES, visible, word
from awflow.cli.observed import CRASHED
from awflow.cli.units import binary, brief, duration, moment, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from rich.console import Console

    from awflow.cli.dossier import Dossier, File, Used
    from awflow.cli.trials import Trial

    Line = tuple[str, str]  # name and value

SHOWN = 12  # files, components
NARROW = 10  # columns of the names


def print_page(out: Console, dossier: Dossier, everything: bool) -> None:
    """All of it; of long lists the first lines unless `everything` is wanted."""
    attempt = dossier.attempt
    out.print(f'{visible(attempt.name)}  {attempt.outcome}', style=STYLES.get(attempt.outcome, ''), soft_wrap=True)
    most = None if everything else SHOWN
    for name, value in _happened(dossier):
        _print_fact(out, name, value)
    if dossier.used is not None:
        _print_part(out, 'resources', list(_used(dossier.used)))
    if len(dossier.trials) > 1:
        _print_trials(out, dossier.trials)
    _print_part(out, 'outputs', [_told(file) for file in dossier.outputs], most)
    _print_part(out, 'inputs', [_told(file) for file in dossier.inputs], most)
    _print_part(out, 'checks', list(_checks(dossier)), most)
    _print_part(out, 'identity', list(_identity(dossier)), most)


def _print_fact(out: Console, name: str, value: str) -> None:
    out.print(f'  {name:<{NARROW}}{visible(value)}', soft_wrap=True)


def _print_part(out: Console, title: str, lines: Sequence[Line], most: int | None = None) -> None:
    if not lines:
        return
    out.print(f'  {title}', style='bold')
    shown = lines[:most]
    width = max(len(name) for name, _ in shown)
    for name, value in shown:
        style = 'yellow' if value.startswith(('changed', 'absent')) else ''
        out.print(f'    {visible(name):<{width}}  {visible(value)}'.rstrip(), style=style, soft_wrap=True)
    if len(shown) < len(lines):
        out.print(f'    ... {len(lines) - len(shown)} more: --all', soft_wrap=True)


# -- what happened -----------------------------------------------------------------------------------------------------


def _happened(dossier: Dossier) -> Iterator[Line]:
    from os.path import relpath
    from time import time

    attempt, record = dossier.attempt, dossier.record
    if attempt.value:
        yield 'value', attempt.value
    if attempt.error():
        yield 'error', attempt.error()
    elif attempt.outcome == CRASHED:
        yield 'error', 'it left no word: its process, its run or its machine died'
    if record is None:
        yield from _not_yet(dossier)
        return
    if record.exit or record.signal:
        yield 'exit', f'signal {record.signal}' if record.signal else f'status {record.exit}'
    if record.started and not record.adopted:
        until = f' to {moment(record.ended, time())}' if record.ended else ''
        took = dossier.used.seconds if dossier.used is not None else None
        yield 'when', f'{moment(record.started, time())}{until}' + (f', {duration(took)}' if took is not None else '')
    elif record.ended:
        yield 'when', moment(record.ended, time())
    if record.host:
        yield 'where', record.host + (f', process {record.pid}' if record.pid else '') + _slurm(record.slurm)
    elif attempt.place():
        yield 'where', attempt.place()
    if record.run:
        yield 'run', _run(dossier)
    path = attempt.log()
    yield 'log', relpath(path) if path else 'none: it wrote nothing'
    if record.by:
        yield (
            'by',
            f'{record.by.get("user", "?")} on {record.by.get("host", "?")}, {moment(record.by.get("time", 0.0), time())}',
        )
    if record.note and not record.note.startswith('ran because '):
        yield 'note', record.note
    if attempt.owner() and not record.final:
        yield 'owner', attempt.owner()
    elif owner := dossier.owner():
        yield 'claimed', f'by run {owner["run"]} ({owner["state"]}: {owner["why"]})'
    if record.inputs_changed:
        yield 'warning', f'changed while it ran: {", ".join(record.inputs_changed)}'


def _not_yet(dossier: Dossier) -> Iterator[Line]:
    owner = dossier.owner()
    if owner:
        yield 'claimed', f'by run {owner["run"]} ({owner["state"]}: {owner["why"]})'
    else:
        yield 'record', f'none: see awflow why {word(dossier.attempt.name)}'


def _slurm(ids: Mapping[str, Any] | None) -> str:
    return f', Slurm job {ids.get("array") or ids.get("job")}' if ids else ''


def _run(dossier: Dossier) -> str:
    assert dossier.record is not None, 'a run made the record'
    facts = dossier.run
    if not facts:
        return f'{dossier.record.run} (its file is gone)'
    commit = f', commit {str(facts["git"])[:12]}' if facts.get('git') else ''
    return f'{dossier.record.run}: {" ".join(map(str, facts.get("argv", ())))}, Python {facts.get("python", "?")}{commit}'


# -- resources ---------------------------------------------------------------------------------------------------------


def _used(used: Used) -> Iterator[Line]:
    asked = used.asked or {}
    unknown = ', what was asked for is not on record' if used.asked is None else ', no limit asked for'
    if used.seconds is not None:
        limit = asked.get('timelimit')
        yield 'time', duration(used.seconds) + (_share(used.seconds, limit, duration(limit)) if limit else unknown)
    if used.cpu_seconds is not None:
        cpus = int(asked.get('cpus', 1))
        busy = f', {100 * used.efficiency:.0f} % of {cpus} {"cpu" if cpus == 1 else "cpus"}' if used.efficiency else ''
        yield 'cpu', f'{duration(used.cpu_seconds)} of computing{busy}'
    if used.memory is not None:
        limit = asked.get('memory')
        share = _share(used.memory, limit * 2**20, binary(limit * 2**20)) if limit else unknown
        yield 'memory', f'{binary(used.memory)} at most{share}'


def _share(used: float, limit: float, spelled: str) -> str:
    return f', {100 * used / limit:.0f} % of {spelled}'


# -- attempts ----------------------------------------------------------------------------------------------------------


def _print_trials(out: Console, found: Sequence[Trial]) -> None:
    """A line each, the newest last; what was done to the record in between has no number."""
    from time import time

    from rich.table import Table

    out.print('  attempts', style='bold')
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(justify='right', no_wrap=True)
    for _ in range(4):
        table.add_column(no_wrap=True)
    table.add_column(overflow='fold')
    first = next((trial.number for trial in found if trial.number), 1)
    if first > 1:
        table.add_row('  ...', f'{first - 1} before', '', '', '', '')
    for trial in found:
        took = duration(trial.seconds) if trial.seconds is not None else ''
        when = moment(float(trial.told.get('started') or trial.told.get('ended') or 0.0), time())
        said = trial.error() or trial.how()
        number = f'    {trial.number}' if trial.number else '    -'
        table.add_row(
            number, trial.outcome, when, took, visible(str(trial.told.get('host', ''))), visible(said),
            style=STYLES.get(trial.outcome, ''),
        )  # fmt: skip
    out.print(table)


# -- files, checks, identity -------------------------------------------------------------------------------------------


def _told(file: File) -> Line:
    held = f'{size(file.size)}, ' if file.size is not None else ''
    return file.path, f'{file.state}; {held}{file.digest[:12]}'


def _checks(dossier: Dossier) -> Iterator[Line]:
    record = dossier.record
    for check in record.checks if record is not None else ():
        seconds = f', {brief(check["seconds"])}' if check.get('seconds') else ''
        kind = 'pre' if check.get('when') == 'before' else 'post'
        yield str(check.get('name', '')), f'{kind}condition, {_held(check)}{seconds}'
    if record is not None and record.outcome == 'succeeded' and not (record.checks or record.outputs or record.adopted):
        yield 'none', 'it is unverified: that it returned is all that is known'


def _held(check: Mapping[str, Any]) -> str:
    if 'ok' not in check:
        return 'not asked'
    if check['ok']:
        if check.get('when') == 'before' or check.get('before') is None:
            return 'held'
        return 'held before and after the task' if check['before'] else 'held after the task, not before'
    return f'raised {check["error"]}' if check.get('error') else 'did not hold'


def _identity(dossier: Dossier) -> Iterator[Line]:
    from awflow.fingerprint import shown

    for name, text in dossier.code.items():
        value = shown(text)
        yield name, f'= {value}' if value else text.partition(' ')[0].partition(':')[2][:12] or text
    for name, digest in dossier.own.items():
        yield name, digest[:12]
    for name, digest in dossier.upstream.items():
        yield f'outcome of {name}', digest[:12]
    if dossier.record is not None and dossier.record.result:
        result = dossier.record.result
        yield 'result stored', f'{size(result.get("bytes", 0))}, {str(result.get("digest", ""))[:12]}'
