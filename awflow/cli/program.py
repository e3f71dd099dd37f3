"""The command line as a whole: which commands there are, and how any of them ends."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from io import TextIOWrapper

import click

from awflow._version import __version__
from awflow.errors import AwflowError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = (
    'status', 'show', 'why', 'logs', 'blame', 'usage', 'accept', 'forget', 'cancel', 'clean', 'doctor', 'debug', 'dump',
)  # fmt: skip
OWN_OPTIONS = ('-h', '--help', '--version')  # of the program; all others are those of `status`


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
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """`awflow` alone, or with options of `status`, is `awflow status`."""
        if not args or (args[0].startswith('-') and args[0] not in OWN_OPTIONS):
            args = ['status', *args]
        return super().parse_args(ctx, args)


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
    except click.Abort:
        return 130
    except AwflowError as error:
        sys.stdout.flush()
        print(f'awflow: {error}', file=sys.stderr)
        return 1


def _give_up_output() -> int:
    """Let what is still buffered go nowhere, or Python would complain of it at its exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1
