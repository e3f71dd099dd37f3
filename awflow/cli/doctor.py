"""`awflow doctor`: is this machine fit, and the state whole."""

from __future__ import annotations

import os
import signal

import click

from awflow.cli.options import workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

    from awflow.cli.checks.findings import Part

WIDTH = 79
INDENT = ' ' * 11


@click.command(epilog='Example: awflow doctor --directory /scratch/$USER')
@click.option(
    '--state', 'given', envvar='AWFLOW_STATE', metavar='DIR', help='The state directory; otherwise the nearest .awflow.'
)
@workflow_option
@click.option('--directory', metavar='DIR', help='Try the filesystem here, rather than where the state is.')
@click.option('--two-hosts', is_flag=True, help='Also try, on two nodes through srun, what one sees of the other.')
@click.option('--srun', metavar='OPTIONS', default='', help='For --two-hosts: options of srun, as "-p debug -A project".')
@click.option(
    '--timeout', type=click.FloatRange(min=1.0), default=30.0, show_default=True, metavar='SECONDS',
    help='For each part; --two-hosts has ten times as long.',
)  # fmt: skip
@click.option('--json', 'as_json', is_flag=True, help='Print it for programs.')
def doctor(
    given: str | None, workflow: str | None, directory: str | None, two_hosts: bool, srun: str, timeout: float, as_json: bool
) -> None:
    """Say whether this machine is fit, and the state whole.

    Machine, Slurm, state and filesystem are examined, and what awflow does about what is found is told. Works with and
    without a state, also one that may only be read, and while something runs. Leaves nothing behind.

    Exits with 0 if awflow can be used here, whatever the warnings, and with 1 if something prevents that, the state is
    damaged, or --two-hosts could not be tried.
    """
    parts = _Examination(given, workflow, directory, timeout)
    found = []
    for part in parts.examine(srun if two_hosts else None):
        found.append(part)
        if not as_json:
            _print(part)  # the next may take its time
    fit = all(part.verdict != 'unfit' for part in found)
    if as_json:
        from json import dumps

        click.echo(dumps({'fit': fit, 'parts': [part.to_dict() for part in found]}, indent=1))
    else:
        _say(_summary(found))
    if not fit:
        raise click.exceptions.Exit(1)


class _Examination:
    """The parts in turn, each in a process of its own; this one touches no file that may be out of reach."""

    def __init__(self, given: str | None, workflow: str | None, directory: str | None, timeout: float) -> None:
        self.given = given
        self.workflow = workflow
        self.directory = directory
        self.timeout = timeout
        self.probe = ''

    def examine(self, srun: str | None) -> Iterator[Part]:
        """What every part has found."""
        from awflow.cli.checks import cluster, machine
        from awflow.cli.checks.bounded import bounded

        yield bounded('machine', machine.check, self.timeout)
        slurm = bounded(
            'Slurm', cluster.check, self.timeout, "Slurm's commands hang: local runs work, backend='slurm' does not."
        )
        if slurm.facts.get('given up'):
            slurm.findings[0].verdict = 'warning'  # local runs need none of it
        yield slurm
        place = bounded('place', self._place, self.timeout, 'The filesystem of this directory does not answer.')
        if place.findings:
            place.name = 'state'
            yield place
            return
        root, names, where = place.facts['root'], place.facts['workflows'], place.facts['directory']
        yield from self._state(root, names)
        yield self._filesystem(where, slurm)
        if srun is not None:
            yield self._two_hosts(where, srun)

    def _place(self, part: Part) -> None:
        """Where the state is, what is in it, and where to try things."""
        from awflow.cli.workflows import chosen, names, root_of
        from awflow.errors import StateError
        from awflow.state.layout import find

        root = root_of(self.given) if self.given or find(os.curdir) else ''
        if self.workflow is not None and not root:
            raise StateError('there is no state, so no workflow {_name!r}', 'Leave --workflow out.', _name=self.workflow)
        workflows = [] if not root else names(root) if self.workflow is None else chosen(root, self.workflow)
        where = os.path.abspath(self.directory or root or os.curdir)
        if not os.path.isdir(where):
            raise StateError('there is no directory {_path}', 'Make it first, or name another.', _path=where)
        part.facts.update(root=root, workflows=workflows, directory=where)

    def _state(self, root: str, names: list[str]) -> Iterator[Part]:
        from awflow.cli.checks import access
        from awflow.cli.checks.bounded import bounded
        from awflow.cli.checks.findings import Part
        from awflow.state.fs import Disk

        if not root:
            part = Part('state')
            part.ok('there is none here or in any directory above', 'The first run that has work to do makes .awflow.')
            yield part
            return
        hung = 'The filesystem does not answer, or there is very much to read: --timeout gives it longer.'
        yield bounded('state', lambda part: _whole(part, root, names), self.timeout, hung)
        yield bounded('permissions', lambda part: access.check(part, root, names, Disk()), self.timeout, hung)

    def _filesystem(self, where: str, slurm: Part) -> Part:
        from awflow.cli.checks import filesystem
        from awflow.state.fs import Disk

        hung = 'The filesystem does not answer: tasks would hang, too.'
        part = self._probing(
            'filesystem', where, lambda part: filesystem.check(part, where, self.probe, Disk()), self.timeout, hung
        )
        if part.facts.get('shared') is False and slurm.facts.get('nodes', 0) > 1:
            part.warn(
                f'{part.facts["kind"]} belongs to this machine: other nodes of the cluster do not see it',
                "backend='slurm' needs the project and the state on storage that all nodes share.",
            )
        return part

    def _two_hosts(self, where: str, srun: str) -> Part:
        from awflow.cli.checks import two_hosts

        bound = 10 * self.timeout
        return self._probing(
            'two hosts', where, lambda part: two_hosts.check(part, self.probe, srun, bound - 5), bound,
            'srun gave no nodes, or they hang.', two_hosts.withdraw,
        )  # fmt: skip

    def _probing(
        self, name: str, where: str, check: Callable[[Part], None], seconds: float, hung: str,
        withdraw: Callable[[str], None] | None = None,
    ) -> Part:  # fmt: skip
        """A check that makes a directory, which is removed even if the check is given up or this process is ended.

        `withdraw` takes back what else it may have begun.
        """
        from awflow.cli.checks import filesystem
        from awflow.cli.checks.bounded import bounded

        self.probe = os.path.join(where, filesystem.PREFIX + os.urandom(6).hex())
        before = signal.signal(signal.SIGTERM, _ended)
        done = False
        try:
            part = bounded(name, check, seconds, hung)
            done = not part.facts.get('given up')
        finally:
            signal.signal(signal.SIGTERM, before)
            if not done and withdraw is not None:
                bounded('withdrawal', lambda _: withdraw(self.probe), 10.0)
            if not done:
                bounded('removal', lambda _: filesystem.remove(self.probe), 5.0)
        return part


def _whole(part: Part, root: str, names: list[str]) -> None:
    from awflow.cli.checks import whole
    from awflow.state.fs import Disk

    os.environ['AWFLOW_SHARED'] = '1'  # nothing is unpickled here: who may write to it is a part of its own
    whole.check(part, root, names, Disk())


def _ended(number: int, frame: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _print(part: Part) -> None:
    from rich.text import Text

    from awflow.cli.console import console

    out = console()
    styles = {'ok': 'green', 'warning': 'yellow', 'unfit': 'bold red', 'skipped': 'dim'}
    out.print(part.name, style='bold')
    for finding in part.findings:
        first, *others = _lines(finding.what)
        out.print(Text('  ').append(f'{finding.verdict:<9}', styles[finding.verdict]).append(first), soft_wrap=True)
        for line in others:
            out.print(INDENT + line, soft_wrap=True)
        for said in finding.does.splitlines():
            for line in _lines(said):
                out.print(INDENT + line, style='dim', soft_wrap=True)


def _lines(text: str) -> list[str]:
    """Not longer than the screen is wide, but for what cannot be broken."""
    from textwrap import wrap

    from awflow.cli.console import visible

    return wrap(visible(text), WIDTH - len(INDENT), break_long_words=False, break_on_hyphens=False) or ['']


def _say(text: str) -> None:
    from awflow.cli.console import console

    console().print(text, style='bold', soft_wrap=True)


def _summary(parts: list[Part]) -> str:
    worst = [part.name for part in parts if part.verdict == 'unfit']
    if worst:
        return f'not fit: {", ".join(worst)}'
    warnings = sum(finding.verdict == 'warning' for part in parts for finding in part.findings)
    return 'fit' if not warnings else f'fit, with {warnings} warning{"s" if warnings > 1 else ""}'
