"""`awflow completion`: what makes a shell complete the words of the command line."""

from __future__ import annotations

import click

SHELLS = ('bash', 'zsh', 'fish')


@click.command(epilog='Example: eval "$(awflow completion bash)"')
@click.argument('shell', type=click.Choice(SHELLS))
def completion(shell: str) -> None:
    """Print what makes a shell complete commands, options, jobs and tasks.

    In ~/.bashrc, or with zsh in ~/.zshrc after compinit: eval "$(awflow completion bash)". In ~/.config/fish/config.fish:
    awflow completion fish | source.
    """
    from click.shell_completion import get_completion_class

    from awflow.cli.program import program

    found = get_completion_class(shell)
    assert found is not None, 'click knows the shells that are offered'
    click.echo(found(program, {}, 'awflow', '_AWFLOW_COMPLETE').source())
