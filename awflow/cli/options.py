"""The options and arguments that several commands share."""

from __future__ import annotations

import click

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    F = TypeVar('F', bound=Callable[..., None])


def state_option(function: F) -> F:
    """Adds `root`: the state directory, as said or found from the current directory upward."""
    return click.option(
        '--state', 'root', envvar='AWFLOW_STATE', metavar='DIR', callback=_root,
        help='The state directory; otherwise the nearest .awflow here or above.',
    )(function)  # fmt: skip


def workflow_option(function: F) -> F:
    """Adds `workflow`: a name or None."""
    return click.option('--workflow', '-w', metavar='NAME', help='Look at this workflow only.')(function)


def outcome_options(function: F) -> F:
    """Adds `failed` and `crashed`, to be given to selection.narrowed."""
    function = click.option(
        '--crashed', is_flag=True, help='Only tasks that crashed: they, or the run around them, were killed.'
    )(function)
    return click.option('--failed', is_flag=True, help='Only tasks that did not succeed, for whatever reason.')(function)


def _root(ctx: click.Context, param: click.Parameter, value: str | None) -> str:
    from awflow.cli.workflows import root_of

    return root_of(value)
