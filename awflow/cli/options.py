"""The options and arguments that several commands share."""

from __future__ import annotations

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from click.shell_completion import CompletionItem

    F = TypeVar('F', bound=Callable[..., None])


def selectors_argument(required: bool = False) -> Callable[[F], F]:
    """Adds `selectors`: what the user says of tasks (see selection.py). Under that name shells complete it from the state."""
    metavar = 'JOB[VALUE]...' if required else '[JOB[VALUE]]...'
    return click.argument('selectors', metavar=metavar, nargs=-1, required=required)


def json_option(function: F) -> F:
    """Adds `as_json`."""
    return click.option('--json', 'as_json', is_flag=True, help='Print it for programs.')(function)


def state_option(function: F) -> F:
    """Adds `root`: the state directory, as said or found from the current directory upward."""
    return click.option(
        '--state', 'root', envvar='AWFLOW_STATE', metavar='DIR', callback=_root,
        help='The state directory; otherwise the nearest .awflow here or above.', shell_complete=_directories,
    )(function)  # fmt: skip


def workflow_option(function: F) -> F:
    """Adds `workflow`: a name or None."""
    from awflow.cli.candidates import workflows

    return click.option(
        '--workflow', '-w', metavar='NAME', shell_complete=workflows, help='Look at this workflow only.'
    )(function)  # fmt: skip


def outcome_options(function: F) -> F:
    """Adds `failed` and `crashed`, to be given to selection.narrowed."""
    function = click.option(
        '--crashed', is_flag=True, help='Only tasks that crashed: they, or the run around them, were killed.'
    )(function)
    return click.option('--failed', is_flag=True, help='Only tasks that did not succeed, for whatever reason.')(function)


def _root(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    from awflow.cli.workflows import root_of

    return root_of(value)


def _directories(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The shell knows them."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type='dir')]
