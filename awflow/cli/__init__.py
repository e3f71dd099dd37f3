"""The `awflow` command: looks at what the state knows, one small file for each command."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import NoReturn

__all__ = ['main']


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit: 0 if done, 1 after an explained error, 2 for wrong usage, 130 if interrupted."""
    import gc
    import os
    import sys

    from awflow.cli.program import run

    gc.disable()  # a command ends soon, and a big state is hundreds of thousands of objects that collection walks for nothing
    status = run(arguments)
    performed = 'awflow.cli.foreground' in sys.modules  # code that may have its say at the exit
    if arguments is None and not performed:
        sys.stderr.flush()
        os._exit(status)  # and those would be taken apart for nothing
    raise SystemExit(status)
