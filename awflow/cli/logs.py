"""`awflow logs`: what tasks wrote."""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awflow.cli.attempts import LastAttempt

PIECE = 1 << 20  # bytes copied at a time


@click.command(epilog='Example: awflow logs "fit[3]"')
@click.argument('selectors', metavar='JOB[VALUE]...', nargs=-1)
@click.option('--failed', is_flag=True, help='The logs of tasks that did not succeed, one after the other.')
@state_option
@workflow_option
def logs(selectors: Sequence[str], failed: bool, root: str, workflow: str | None) -> None:
    """Print the log of a task's last attempt.

    Of several tasks, the logs of all with a line above each. With --failed the job may be left out.
    """
    from awflow.cli.attempts import attempts
    from awflow.cli.selection import select_all

    if not selectors and not failed:
        raise click.UsageError('Say of which job, as in: awflow logs "fit[3]"; or --failed.')
    selections = select_all(root, workflow, selectors)
    single = [len(selection.keys) for selection in selections] == [1]
    found = [attempt for selection in selections for attempt in attempts(selection) if attempt.bad or not failed]
    if failed and not found:
        click.echo('awflow: no task failed', err=True)
    for attempt in found:
        _print(attempt, headed=failed or not single)


def _print(attempt: LastAttempt, headed: bool) -> None:
    from awflow.cli.console import visible

    path = attempt.log()
    if headed:
        click.echo(_heading(attempt, path))
    if path:
        _copy(path, attempt.name, headed)
    elif not headed:
        click.echo(f'awflow: {visible(attempt.name)} {_silence(attempt.outcome)}', err=True)


def _heading(attempt: LastAttempt, path: str) -> str:
    from os.path import relpath

    from awflow.cli.console import visible

    said = f': {attempt.error()}' if attempt.error() else ''
    where = f' ({relpath(path)})' if path else ''
    return visible(f'==> {attempt.name} {attempt.outcome}{said}{where} <==')


def _silence(outcome: str) -> str:
    return {'waiting': 'has not started yet', 'running': 'has written nothing so far'}.get(outcome, 'wrote nothing')


def _copy(path: str, name: str, headed: bool) -> None:
    """Copy a log byte by byte; after a heading it ends with its line, so that the next heading begins one."""
    from sys import stdout

    last = b'\n'
    stdout.flush()
    for last in _pieces(path, name):
        stdout.buffer.write(last)
    if headed and not last.endswith(b'\n'):
        stdout.buffer.write(b'\n')
    stdout.buffer.flush()


def _pieces(path: str, name: str) -> Iterator[bytes]:
    from awflow.errors import StateError
    from awflow.state.layout import accessing

    with accessing('read', path):
        try:
            with open(path, 'rb') as file:
                while piece := file.read(PIECE):
                    yield piece
        except FileNotFoundError:
            raise StateError(
                'the log of {_task} is gone', 'Run the task again to have a new one.', path=path, _task=name
            ) from None
