"""`awflow status --watch`: the same picture again and again, from the state alone.

A look costs a listing of one directory and the bytes that are new; only if there are any is something counted anew. What
counting costs grows with the tasks, so after it there is a pause in proportion: watching takes a tenth of a processor at
most.
"""

from __future__ import annotations

import gc
import sys
from time import monotonic, sleep, time

from awflow.cli.observed import Workflow
from awflow.cli.standing import Standing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Final

    from rich.console import RenderableType

SHARE: Final = 9.0  # seconds of rest for each second of counting


class Watched:
    """Workflows as last looked at."""

    def __init__(self, root: str, names: Sequence[str]) -> None:
        self.root = root
        self.found = [Standing(Workflow(root, name, looking=True), time()) for name in names]

    def look(self) -> bool:
        """Look again; whether anything has changed."""
        changed = False
        for place, standing in enumerate(self.found):
            if standing.workflow.refresh():
                self.found[place] = Standing(standing.workflow, time())
                changed = True
            else:
                standing.at(time())
        return changed

    @property
    def working(self) -> bool:
        return any(each.working for each in self.found)

    def parts(self, broad: int) -> list[RenderableType]:
        """What is drawn, so many columns broad."""
        from os.path import relpath

        from awflow.cli.overview import drawn

        place, many = relpath(self.root), len(self.found) > 1
        return [part for standing in self.found for part in drawn(standing, place, many, broad)]


def follow(root: str, names: Sequence[str], pause: float) -> None:
    """Show how workflows stand until nothing is in flight. On a terminal in place, elsewhere anew after each change."""
    watched = Watched(root, names)
    gc.freeze()
    gc.enable()  # this one goes on
    if sys.stdout.isatty():
        _in_place(watched, pause)
    else:
        _one_after_the_other(watched, pause)


def _in_place(watched: Watched, pause: float) -> None:
    from rich.console import Group
    from rich.live import Live

    from awflow.cli.console import console

    out = console()
    with Live(console=out, auto_refresh=False) as live:
        _loop(watched, pause, lambda changed: live.update(Group(*watched.parts(out.width)), refresh=True))


def _one_after_the_other(watched: Watched, pause: float) -> None:
    from time import localtime, strftime

    from awflow.cli.console import console
    from awflow.cli.overview import lines

    out = console()

    def show(changed: bool) -> None:
        if changed:
            out.print(strftime('%Y-%m-%d %H:%M:%S', localtime()))
            for part, whole in lines(watched.parts(out.width)):
                out.print(part, soft_wrap=whole)
            out.print()
            out.file.flush()

    _loop(watched, pause, show)


def _loop(watched: Watched, pause: float, show: Callable[[bool], None]) -> None:
    show(True)
    while watched.working:
        sleep(pause)
        began = monotonic()
        changed = watched.look()
        show(changed)
        if changed:
            sleep(SHARE * (monotonic() - began) if monotonic() - began > pause / SHARE else 0.0)
