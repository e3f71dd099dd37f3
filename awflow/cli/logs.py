"""`awflow logs`: what tasks wrote."""

from __future__ import annotations

import click

from awflow.cli.options import outcome_options, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.selection import Selection
    from awflow.cli.trials import Trial

PIECE = 1 << 20  # bytes copied at a time


@click.command(epilog='Example: awflow logs "fit[3]" --attempt 1')
@click.argument('selectors', metavar='[JOB[VALUE]]...', nargs=-1)
@outcome_options
@click.option('--attempt', type=int, metavar='N', help='The log of an earlier attempt; 1 is the first, -1 the last.')
@click.option('--follow', '-f', is_flag=True, help='Go on as tasks write, until they have ended.')
@state_option
@workflow_option
def logs(
    selectors: Sequence[str], failed: bool, crashed: bool, attempt: int | None, follow: bool, root: str, workflow: str | None
) -> None:
    """Print the log of a task's last attempt.

    Of several tasks, the logs of all with a line above each. With --failed or --crashed the job may be left out.

    With --follow the tasks that run or wait are followed until they have ended: of one the log as it is, of several each
    line after the name of its task.

    Exit status: 0 if there was such a task, 1 if there was none or its log cannot be read, 130 after Ctrl-C.
    """
    from awflow.cli.selection import narrowed, select_all

    if not selectors and not (failed or crashed):
        raise click.UsageError('Say of which job, as in: awflow logs "fit[3]"; or --failed.')
    if follow and (failed or crashed or attempt is not None):
        raise click.UsageError('--follow shows what is to come: it goes with no --failed, --crashed or --attempt.')
    selections = select_all(root, workflow, selectors, planned=bool(selectors) and not follow, looking=True)
    single = [len(selection.keys) for selection in selections] == [1]
    if follow:
        _follow(selections, single)
        return
    found = narrowed(selections, failed, crashed)
    if not found:
        click.echo(f'awflow: no task {"failed" if failed else "crashed"}', err=True)
        raise click.exceptions.Exit(1)
    headed = failed or crashed or not single
    printed = [done for selection in found for done in _print_all(selection, attempt, headed)]
    if not any(done is not False for done in printed):
        click.echo(f'awflow: none of these tasks has an attempt {attempt}', err=True)
    if None in printed or True not in printed:
        raise click.exceptions.Exit(1)


def _follow(selections: Sequence[Selection], single: bool) -> None:
    from awflow.cli.following import follow

    if not follow(selections, single):
        click.echo('awflow: none of these tasks runs or waits; their logs are shown without --follow', err=True)
        raise click.exceptions.Exit(1)


def _print_all(selection: Selection, number: int | None, headed: bool) -> Iterator[bool | None]:
    """The logs of the tasks selected, or those of their attempts of that number. For each task whether there was such an
    attempt, None if its log could not be read; of a single one that is raised.
    """
    from awflow.cli.attempts import attempts
    from awflow.errors import StateError

    for attempt in attempts(selection):
        try:
            yield _print_one(attempt, number, headed)
        except StateError as error:  # noqa: PERF203  it opens a file anyway
            if not headed:
                raise
            click.echo(f'awflow: {error}', err=True)
            yield None


def _print_one(attempt: LastAttempt, number: int | None, headed: bool) -> bool:
    if number is None:
        _print(attempt.name, attempt.outcome, attempt.error(), attempt.log(), headed)
        return True
    trial = _trial(attempt, number, required=not headed)
    if trial is not None:
        _print(f'{attempt.name} attempt {trial.number}', trial.outcome, trial.error(), trial.log(), headed)
    return trial is not None


def _trial(attempt: LastAttempt, number: int, required: bool) -> Trial | None:
    """The attempt of that number; StateError if it is `required` and not known."""
    from awflow.cli.trials import kept, trials
    from awflow.errors import StateError

    found = trials(attempt)
    executed = [trial for trial in found if trial.number]
    if number < 0 and -number <= len(executed):
        return executed[number]
    wanted = [trial for trial in executed if trial.number == number]
    if required and not wanted:
        raise StateError(
            'nothing is known of attempt {_number} of {_task}', 'Ask for one of those, or look at `awflow show`.',
            attempts=kept(found), _number=number, _task=attempt.name,
        )  # fmt: skip
    return wanted[0] if wanted else None


def _print(name: str, outcome: str, error: str, path: str, headed: bool) -> None:
    from awflow.cli.console import visible

    if headed and outcome == 'not started':
        return
    if headed:
        click.echo(_heading(name, outcome, error, path))
    if path:
        _copy(path, name, headed)
    elif not headed:
        click.echo(f'awflow: {visible(name)} {_silence(outcome)}', err=True)


def _heading(name: str, outcome: str, error: str, path: str) -> str:
    from os.path import relpath

    from awflow.cli.console import visible

    said = f': {error}' if error else ''
    where = f' ({relpath(path)})' if path else ''
    return visible(f'==> {name} {outcome}{said}{where} <==')


def _silence(outcome: str) -> str:
    known = {'waiting': 'has not started yet', 'not started': 'has not started', 'running': 'has written nothing so far'}
    return known.get(outcome, 'wrote nothing')


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
