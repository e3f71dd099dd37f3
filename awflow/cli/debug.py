"""`awflow debug`: run one task here, in the foreground, or pack it for somebody else to do so."""

from __future__ import annotations

import os
import sys

import click

from awflow.cli.options import workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from awflow.backends.payload import Definition
    from awflow.cli.case import Case
    from awflow.cli.foreground import Played

PREFIX = 'AWFLOW_DEBUG_PREFIX'  # from this program to itself: it has gone on with another interpreter already


@click.command(epilog='Example: awflow debug "fit[3]" --pdb')
@click.argument('selector', metavar='[JOB[VALUE]]', required=False)
@click.option('--pdb', 'post_mortem', is_flag=True, help='Open the debugger where an exception was raised.')
@click.option('--yes', '-y', is_flag=True, help='Go on where that would be refused, and do not ask.')
@click.option('--bundle', metavar='FILE.zip', help='Do not run it: pack all that somebody else needs to do so.')
@click.option('--from', 'source', metavar='FILE.zip', help='Run a task that was packed, in the current directory.')
@click.option(
    '--state', 'given', envvar='AWFLOW_STATE', metavar='DIR', help='The state directory; otherwise the nearest .awflow.'
)
@workflow_option
def debug(
    selector: str | None, post_mortem: bool, yes: bool, bundle: str | None, source: str | None, given: str | None,
    workflow: str | None,
) -> None:  # fmt: skip
    """Run one task by hand, as in its last attempt.

    It runs with the code and values of that attempt, in the directory of the run and in this process: it has the terminal,
    breakpoint() works, nothing is tried again and no limit is kept. What is on record stays as it is, but files that the
    function writes are real. So a task that is being executed, or on record as succeeded, is refused without --yes.

    A packed task holds pickles, which run code of whoever packed it: without --yes it asks before it opens one.

    Exits with 0 if the task succeeded (or was packed), 1 if it failed or was refused, 130 if it was interrupted.
    """
    if (selector is None) == (source is None):
        raise click.UsageError('Say which task, as in: awflow debug "fit[3]"; or --from FILE.zip.')
    if source is not None and bundle is not None:
        raise click.UsageError('It is packed already: leave out --from or --bundle.')
    from awflow.cli.foreground import Anew, begin

    try:
        if source is not None:
            _from_bundle(source, post_mortem, yes)
        else:
            _from_state(given, workflow, selector or '', post_mortem, yes, bundle)
    except Anew as anew:
        begin(anew)


def _from_state(
    given: str | None, workflow: str | None, selector: str, post_mortem: bool, yes: bool, bundle: str | None
) -> None:  # fmt: skip
    from awflow.cli.case import case_of, refuse_harm
    from awflow.cli.workflows import root_of

    root = root_of(given)
    case = case_of(root, workflow, selector)
    if bundle is not None:
        from awflow.cli.bundle import pack

        click.echo(pack(case, bundle))
        return
    if not yes:
        refuse_harm(root, workflow, case)
    _use_its_interpreter(case)
    _run(case, post_mortem)


def _use_its_interpreter(case: Case) -> None:
    """A task is run by the Python that its run used, where that is still there: packages are looked for from it."""
    from awflow.cli.foreground import Anew

    prefix, command = case.facts.get('prefix'), case.facts.get('command') or ['']
    if not prefix or os.path.realpath(prefix) == os.path.realpath(sys.prefix) or os.environ.get(PREFIX):
        return
    if os.access(command[0], os.X_OK):
        _say(f'going on with {command[0]}, which the run used')
        raise Anew(command[0], **{PREFIX: prefix})
    _say(f'the run used {command[0] or prefix}, which is not here: packages may be others')


def _from_bundle(source: str, post_mortem: bool, yes: bool) -> None:
    from tempfile import TemporaryDirectory

    from awflow.cli.bundle import about, unpack
    from awflow.errors import StateAccessError

    told = about(source)
    for line in told.lines():
        _say(line)
    if not yes:
        if not sys.stdin.isatty():
            raise StateAccessError(
                'whoever packed {file} can run code as you, if it is run', 'Say --yes if you trust where it comes from.',
                file=source,
            )  # fmt: skip
        if not click.confirm('Running it runs code of whoever packed it. Do you trust where it comes from?', err=True):
            raise click.exceptions.Exit(1)
    with TemporaryDirectory(prefix='awflow-debug-') as folder:
        _run(unpack(source, told, folder), post_mortem)


def _run(case: Case, post_mortem: bool) -> None:
    import faulthandler
    from shutil import rmtree
    from tempfile import gettempdir

    from awflow.cli import foreground
    from awflow.cli.case import opened

    for note in case.notes:
        _say(note)
    _remember_sources(case)
    payload = opened(case)
    faulthandler.enable()  # should it crash as it did, this tells where
    definition, position = foreground.prepared(case, payload)
    for note in _notes(case, definition):
        _say(note)
    folder = os.path.join(gettempdir(), f'awflow-debug-{os.urandom(8).hex()}')  # made when something is put there:
    try:  # a task that crashes takes this process along
        played = foreground.play(case, payload, definition, position, folder)
        sys.stdout.flush()
        _tell(case, played)
        if post_mortem:
            _look_into(played)
    finally:
        rmtree(folder, ignore_errors=True)
    outcome = played.report['outcome']
    if outcome != 'succeeded':
        raise click.exceptions.Exit(130 if outcome == 'cancelled' else 1)


def _look_into(played: Played) -> None:
    from awflow.cli import foreground

    if played.raised is not None:
        if not foreground.look_into(played.raised):
            _say('it was not raised in code of yours: there is nothing to look into')
    elif played.report['outcome'] != 'succeeded':
        _say('nothing was raised: there is nothing to look into; breakpoint() in the function stops there')


def _remember_sources(case: Case) -> None:
    """Let tracebacks and the debugger show sources that lie elsewhere, or not here at all."""
    import linecache

    for path, text in case.sources.items():
        if not os.path.exists(path):
            linecache.cache[path] = len(text), None, text.splitlines(keepends=True), path


def _notes(case: Case, definition: Definition) -> Iterator[str]:
    """What is to be known before it runs."""
    what = f'a look at {case.name}: nothing is recorded, but files that it writes in {case.directory} are real'
    yield f'{what}; it failed before' if case.record is not None and case.record.outcome == 'failed' else what
    code = getattr(definition.function, '__code__', None)
    path = case.here(code.co_filename) if code is not None else ''
    try:
        edited = case.record is not None and os.stat(path).st_mtime > case.record.started
    except OSError:
        edited = False
    if edited:
        yield f'{os.path.relpath(path)} was edited since: the code runs as it was then, lines that are shown are those of now'
    if definition.options.env:
        yield f'lines of env= are for jobs of Slurm, and were not run here: {"; ".join(definition.options.env)}'


def _tell(case: Case, played: Played) -> None:
    from awflow.cli.foreground import shown_result
    from awflow.cli.units import duration, size

    report = played.report
    for check in report['checks']:
        if 'ok' in check:
            kind = 'precondition' if check['when'] == 'before' else 'postcondition'
            _say(f'{kind} {check["name"]} {"holds" if check["ok"] else "does not hold"}')
    for path, (_, count) in report['outputs'].items():
        _say(f'output {path}: {size(count)}')
    if report['result'] is not None:
        _say(f'returned {shown_result(played.result)}')
    error = report['error'] or {}
    said = f': {error["type"]}: {error["line"]}' if error.get('type', '')[:1].isupper() else f': {error.get("line", "")}'
    ended = {'requeue': 'asked to go on later'}.get(report['outcome'], report['outcome'])
    _say(f'{case.name} {ended}{said if error else ""} (after {duration(played.seconds)}; on record as before)')


def _say(text: str) -> None:
    from awflow.cli.console import visible

    click.echo(f'awflow: {visible(text)}', err=True)
