"""Where text for people goes: in colour on a terminal, plain elsewhere and where NO_COLOR asks for it."""

from __future__ import annotations

import os
import sys

from awflow.explain import visible as visible

TYPE_CHECKING = False
if TYPE_CHECKING:
    from rich.console import Console

STYLES = {
    'succeeded': 'green', 'failed': 'red', 'timeout': 'red', 'crashed': 'red', 'cancelled': 'yellow', 'running': 'cyan',
    'waiting': 'dim', 'forgotten': 'dim', 'alive': 'cyan', 'suspect': 'yellow', 'dead': 'red',
}  # fmt: skip


class Glyphs:
    """The signs that drawings are made of."""

    __slots__ = ('bar', 'branch', 'down', 'last', 'through')

    def __init__(self, plain: bool) -> None:
        self.bar = ('#', '.') if plain else ('\u2588', '\u2591')
        self.branch = '|- ' if plain else '\u251c\u2500 '
        self.last = '`- ' if plain else '\u2514\u2500 '
        self.through = '|  ' if plain else '\u2502  '
        self.down = 'v ' if plain else '\u2193 '


def word(task: str) -> str:
    """A task as one writes it for a shell: in double quotes, or in others if it holds what a shell looks for within those."""
    from shlex import quote

    return quote(task) if any(letter in task for letter in '"\\$`!') else f'"{task}"'


def glyphs() -> Glyphs:
    """Those that the output can show."""
    return Glyphs(plain=not _beyond_ascii())


def _beyond_ascii() -> bool:
    """Whether encoding and locale have more than ASCII. Python itself turns the locale C into one with UTF-8, so what was
    asked for is looked up.
    """
    said = os.environ.get('LC_ALL') or os.environ.get('LC_CTYPE', '').replace('C.UTF-8', '') or os.environ.get('LANG', '')
    encoding = (getattr(sys.stdout, 'encoding', '') or 'ascii').lower().replace('-', '')
    return said not in ('C', 'POSIX') and encoding.startswith('utf')


def console() -> Console:
    """A console that takes text as it is: job names and errors hold brackets, which are no markup."""
    from rich.console import Console

    coloured = sys.stdout.isatty() and not os.environ.get('NO_COLOR')
    return Console(
        file=sys.stdout, color_system='auto' if coloured else None, force_terminal=sys.stdout.isatty(),
        markup=False, highlight=False, emoji=False,
    )  # fmt: skip
