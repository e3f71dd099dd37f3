"""Looking at a state that is damaged: at what is whole of it, as `awflow clean` would mend it. Nothing is changed for that.

Whoever looks is told, and the command exits with 1 whatever it shows. Of several workflows those that cannot be read at all
are left out.
"""

from __future__ import annotations

import os

import click

from awflow.cli.observed import Workflow
from awflow.cli.program import DAMAGED
from awflow.errors import StateCorruptError
from awflow.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from awflow.state.salvage import Salvage


class Salvaged(Workflow):
    """A workflow of which some files are read as if they were mended."""

    __slots__ = ('salvage',)

    def __init__(self, root: str, name: str, salvage: Salvage) -> None:
        self.salvage = salvage
        super().__init__(root, name, looking=True)

    def look(self) -> None:
        """On the disk as it would be."""
        layout = self.store.layout
        self.store = Store(layout.root, layout.workflow, self.salvage.disk, witness=self._in_queue, looking=True)
        super().look()


def observed(root: str, names: Sequence[str]) -> list[Workflow]:
    """These workflows for looking only; StateCorruptError if none of them can be read."""
    found: list[Workflow] = []
    lost: StateCorruptError | None = None
    for name in names:
        try:
            found.append(Workflow(root, name, looking=True))
        except StateCorruptError as error:  # noqa: PERF203  a few workflows at most
            saved = _saved(root, name, error)
            found += [saved] if saved is not None else []
            lost = lost or error if saved is None else lost
            _tell(name, saved, error, len(names) > 1)
    if lost is not None and not found:
        raise lost
    return found


def damage_of(workflow: Workflow) -> list[dict[str, Any]]:
    """For JSON: the files that are damaged, and how they are mended."""
    if not isinstance(workflow, Salvaged):
        return []
    return [{'file': step.path, 'problem': step.problem, 'remedy': step.told} for step in workflow.salvage.steps]


def _saved(root: str, name: str, error: StateCorruptError) -> Salvaged | None:
    from awflow.state.layout import Layout
    from awflow.state.salvage import Salvage

    salvage = Salvage(Layout(root, name), error)
    return None if salvage.lost else Salvaged(root, name, salvage)


def _tell(name: str, saved: Salvaged | None, error: StateCorruptError, several: bool) -> None:
    """Say so, and let the command exit with 1. One that cannot be read is told by the error, if it is the only one."""
    from awflow.cli.console import visible

    context = click.get_current_context(silent=True)
    if context is not None:
        context.meta[DAMAGED] = True
    for step in saved.salvage.steps if saved is not None else ():
        text = f'damaged: {os.path.basename(step.path)}: {step.problem}; {step.told}: awflow clean mends it'
        click.echo(visible(f'awflow: {name}: {text}'), err=True)
    if saved is None and several:
        text = f'damaged: {os.path.basename(str(error.facts["file"]))}: {error.facts["problem"]}; see awflow clean --dry-run'
        click.echo(visible(f'awflow: {name} cannot be read: {text}'), err=True)
