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


def console() -> Console:
    """A console that takes text as it is: job names and errors hold brackets, which are no markup."""
    from rich.console import Console

    coloured = sys.stdout.isatty() and not os.environ.get('NO_COLOR')
    return Console(
        file=sys.stdout, color_system='auto' if coloured else None, force_terminal=sys.stdout.isatty(),
        markup=False, highlight=False, emoji=False,
    )  # fmt: skip
