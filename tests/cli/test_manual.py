from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from awflow.cli.manual import manual
from awflow.cli.program import COMMANDS, ENDS, GROUPS, program

TOP = Path(__file__).parents[2]


def command(name: str) -> click.Command:
    found = program.get_command(click.Context(program), name)
    assert found is not None
    return found


def test_the_manual_is_what_the_commands_say() -> None:
    assert (TOP / 'docs/cli.md').read_text(encoding='utf-8') == '\n'.join(manual()), (
        'a command has changed: python -m awflow.cli.manual > docs/cli.md'
    )


def test_the_manual_is_linked_from_where_readers_start() -> None:
    assert 'docs/cli.md' in (TOP / 'README.md').read_text(encoding='utf-8')
    assert 'awflow.cli.manual' in (TOP / 'CONTRIBUTING.md').read_text(encoding='utf-8')


@pytest.mark.parametrize('name', COMMANDS)
def test_every_command_says_what_it_does_with_an_example(name: str) -> None:
    found = command(name)
    assert re.search(rf'Examples?: .*\bawflow {name}\b', found.epilog or ''), found.epilog
    told = {option.name: option.help for option in found.params if isinstance(option, click.Option)}
    assert all(told.values()), told


@pytest.mark.parametrize('name', COMMANDS)
def test_the_short_help_is_how_the_commands_own_begins(name: str) -> None:
    (short,) = (group[name] for group in GROUPS.values() if name in group)
    own = ' '.join((command(name).help or '').split('\n\n', 1)[0].split())
    assert own.startswith(short.removesuffix('.'))


def test_every_exit_code_is_in_the_help_and_in_the_manual() -> None:
    with click.Context(program, info_name='awflow') as context:
        shown = program.get_help(context)
    for code, meaning in ENDS.items():
        assert re.search(rf'\n *{code}  {meaning[:20]}', shown)
        assert f'| {code} | {meaning} |' in '\n'.join(manual())
