"""What `awflow clean` does with a state that cannot be read: saves what can be, or puts it aside. Nothing is deleted."""

from __future__ import annotations

import os

import click

from awflow.errors import StateCorruptError, StateError
from awflow.state.layout import Layout
from awflow.state.salvage import Salvage, owners

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any


class Damage:
    """One workflow whose ledger is damaged."""

    __slots__ = ('error', 'name', 'owners', 'put', 'salvage')

    def __init__(self, root: str, name: str, error: StateCorruptError) -> None:
        self.name = name
        self.error = error
        self.salvage = Salvage(Layout(root, name), error)
        self.owners = owners(self.salvage) if self.salvage.lost else {}
        self.put = ''  # where it was put

    def lines(self) -> list[str]:
        """What is wrong, and what is done about it."""
        found = []
        for step in self.salvage.steps:
            found.append(f'damaged: {os.path.basename(step.path)}: {step.problem}')
            found.append(f'  -> mended: {step.told}; the file as it was stays beside it')
        if self.salvage.lost:
            found.append(f'damaged: {self.salvage.lost}')
            found.append('  -> put aside in .awflow/.damaged: records, logs and stored results are lost to the next run, which')
            found.append('     starts afresh and adopts what postconditions and outputs vouch for; files of yours stay')
        return found

    def refuse_living(self, force: Collection[str]) -> None:
        """StateError if somebody may be at work on a state that would be put aside, unless the claim is to be broken."""
        claims = self.salvage.claims
        number = min((n for n in self.owners if not any(job in claims[n].tasks for job in force)), default=0)
        if number:
            raise StateError(
                'the state of workflow {_name!r} is damaged, and a run may be at work on it',
                'Stop that run, or wait until it has ended; if you know that it is gone, add --force {job}.',
                run=claims[number].run, job=min(claims[number].tasks),
                evidence=self.owners[number], damaged=self.salvage.lost, _name=self.name,
            )  # fmt: skip
        if self.salvage.lost and self.salvage.unknown:
            raise StateError(
                'the state of workflow {_name!r} is damaged, and who owns its tasks cannot be read',
                'Restore the file from a backup; or, if no run is at work, move {directory} away.',
                damaged=self.salvage.unknown[0], directory=self.salvage.layout.directory, _name=self.name,
            )  # fmt: skip

    def mend(self) -> None:
        """Do it."""
        if self.salvage.lost:
            self.put = self.salvage.put_aside()
            click.echo(f'Put aside: {os.path.relpath(self.put)}', err=True)
        else:
            self.salvage.apply()

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        steps = [{'file': step.path, 'problem': step.problem, 'remedy': step.told} for step in self.salvage.steps]
        lost = [{'file': '', 'problem': self.salvage.lost, 'remedy': 'put aside'}] if self.salvage.lost else []
        living = {self.salvage.claims[number].run: why for number, why in self.owners.items()}
        return {'workflow': self.name, 'damaged': [*steps, *lost], 'living': living}
