"""The command line as a whole: which commands there are, and how any of them ends.

The help of the program is asked for more often than any command, so it imports none of them: what each does in a line
stands here, and a test compares that with the command's own help.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from importlib import import_module
from io import TextIOWrapper

import click

from awflow._version import __version__
from awflow.errors import AwflowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from click.shell_completion import CompletionItem

GROUPS: Final[Mapping[str, Mapping[str, str]]] = {
    'Look': {
        'status': 'Show how the tasks of every job ended, and what runs.',
        'show': 'Show what is on record of a task.',
        'why': 'Say why a task ran last, what the next run will make of it.',
        'logs': "Print the log of a task's last attempt.",
        'graph': 'Draw which job waits for which, and how each stands.',
        'usage': 'Show time, cpus and memory that the tasks of each job used.',
        'blame': 'Say which task, attempt, code and inputs made a file.',
        'dump': 'Print all that the state holds as JSON lines.',
    },
    'Change what is on record': {
        'accept': 'Take tasks as up to date as they are, without running them.',
        'forget': 'Drop what is on record of tasks: the next run executes them.',
    },
    'Stop and put right': {
        'cancel': 'Cancel tasks that run or wait.',
        'clean': 'End the claims of dead runs, and remove files that nobody needs.',
        'debug': 'Run one task by hand, as in its last attempt.',
        'doctor': 'Say whether this machine is fit, and the state whole.',
    },
    'The program': {
        'completion': 'Print what makes a shell complete commands, options, jobs and tasks.',
    },
}  # fmt: skip
COMMANDS: Final = tuple(name for group in GROUPS.values() for name in group)
DAMAGED: Final = 'awflow.damaged'  # in the context of a command, if the state that it looked at is
OWN_OPTIONS: Final = ('-h', '--help', '--version')  # of the program; all others are those of `status`

TASKS: Final = 'JOB, JOB[3], JOB[0:10], JOB[lr=0.1] or a pattern such as fit*; quoted, as shells read brackets, too'
ENDS: Final[Mapping[str, str]] = {
    '0': 'done; what there is to tell was told',
    '1': 'an error that is explained, a question answered with no, or what was examined or run is not well',
    '2': 'the command was not understood',
    '3': 'status --exit-code: tasks did not succeed',
    '4': 'status --exit-code: none of that, but tasks run or wait',
    '130': 'interrupted by Ctrl-C',
}


class Program(click.Group):
    """Commands that are imported when they are asked for; without a command it is `status`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """In the order in which they are met, not by alphabet."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, from the module of that name."""
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(f'awflow.cli.{cmd_name}'), cmd_name)
        assert isinstance(command, click.Command), 'each module of a command defines it under its own name'
        return _completed(command) if ctx.resilient_parsing else command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`awflow` alone, or with options of `status`, is `awflow status`."""
        if (args[0].startswith('-') and args[0] not in OWN_OPTIONS) if args else not ctx.resilient_parsing:
            args = ['status', *args]
        return super().parse_args(ctx, args)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that is meant; what it may be if there is none of that name."""
        if args[0] not in COMMANDS and not ctx.resilient_parsing:
            ctx.fail(f'There is no command {args[0]!r}. {_meant(args[0])}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """The command; whatever it says of it, an exit with 1 if the state that it looked at is damaged."""
        try:
            found: object = super().invoke(ctx)
        except click.exceptions.Exit as end:
            raise click.exceptions.Exit(1 if ctx.meta.get(DAMAGED) else end.exit_code) from None
        if ctx.meta.get(DAMAGED):
            raise click.exceptions.Exit(1)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Commands by what they are for."""
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), told) for name, told in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """How tasks are named, and how the program ends."""
        with formatter.section('Tasks are named'):
            formatter.write_text(TASKS)
        with formatter.section('Exit codes'):
            formatter.write_dl([(code.rjust(3), meaning) for code, meaning in ENDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names of commands; none of them is imported for that."""
        from click.shell_completion import CompletionItem

        if incomplete.startswith('-'):
            status = self.get_command(ctx, 'status')
            assert status is not None, 'it is one of the commands'
            found = [*super().shell_complete(ctx, incomplete), *status.shell_complete(ctx, incomplete)]
            return list({item.value: item for item in found}.values())
        told = {name: text for group in GROUPS.values() for name, text in group.items()}
        return [CompletionItem(name, help=text) for name, text in told.items() if name.startswith(incomplete)]


def _completed(command: click.Command) -> click.Command:
    """The command with tasks offered wherever it takes some, for a shell that completes a word."""
    from awflow.cli.candidates import offer

    for param in command.params:
        if param.name in ('selector', 'selectors'):
            param.shell_complete = partial(offer, param)  # type: ignore[method-assign]
    return command


def _meant(said: str) -> str:
    """What somebody may have meant by a word that is no command."""
    from difflib import get_close_matches

    if '[' in said:
        return f'Of tasks, say what: awflow status "{said}", awflow why "{said}", awflow logs "{said}".'
    close = get_close_matches(said, COMMANDS, n=1)
    if close:
        return f'Did you mean {close[0]!r}?'
    return f'If it is a job: awflow status {said}, awflow why {said}, awflow logs {said}.'


@click.command(cls=Program, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(__version__, message='awflow %(version)s')
def program() -> None:
    """Show what awflow knows of the workflows of this directory.

    Without a command: awflow status.
    """


def run(arguments: Sequence[str] | None) -> int:
    """Run the program; the exit status. Whatever it meets, the user sees sentences, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors='backslashreplace')  # names may hold what the terminal cannot show
    try:
        status = _run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read this has seen enough
        return _give_up_output()
    except OSError as error:
        print(f'awflow: cannot show it: {error.strerror or error}', file=sys.stderr)
        return _give_up_output()
    return status


def _run(arguments: Sequence[str] | None) -> int:
    try:
        return program.main(arguments, prog_name='awflow', standalone_mode=False) or 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        return 130
    except AwflowError as error:
        sys.stdout.flush()
        print(f'awflow: {error}', file=sys.stderr)
        return 1


def _give_up_output() -> int:
    """Let what is still buffered go nowhere, or Python would complain of it at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
