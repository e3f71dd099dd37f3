"""The queue of a cluster as `awflow clean` asks it: not for long, and for jobs that wait for what will never be."""

from __future__ import annotations

import os

from awflow.backends.slurm.client import Slurm
from awflow.backends.slurm.handed import MARK
from awflow.backends.slurm.look import BLOCKED, Look
from awflow.backends.slurm.said import OUTPUT
from awflow.errors import SlurmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from awflow.cli.cleaning import Scene

PATIENCE = 2.0  # seconds for which a controller that does not answer is asked again: somebody waits for this


class Impatient(Slurm):
    """Slurm's commands for somebody who can ask again."""

    def run(self, *command: str, text: str = '', patience: float = PATIENCE) -> str:
        """What a command prints; SlurmError soon if the controller does not answer."""
        return super().run(*command, text=text, patience=min(patience, PATIENCE))


def blocked(scene: Scene, ended: Collection[int]) -> dict[str, str]:
    """Jobs of this workflow in the queue that can never start and that nobody waits for: id -> why.

    They are of claims that have ended or are to be, or are recorded as skipped. Whoever still had a use for them sees the
    same: what they depend on did not end as they need it.
    """
    look = _look(scene)
    if look is None:
        return {}
    found: dict[str, str] = {}
    live = {claim.nonce: number for number, claim in scene.state.claims.items()}
    for job, line in look.lines.items():
        mark, _, rest = line.comment.partition(':')
        nonce = rest.partition(':')[0]
        if mark != MARK or line.state != 'PENDING' or line.reason != BLOCKED:
            continue
        run = nonce.rpartition('.')[0]
        if live.get(nonce) in ended or (nonce not in live and os.path.exists(scene.store.layout.run_file(run))):
            found[job] = f'it waits in Slurm for what did not succeed; run {run} is over'
    for number in live.values():
        finding = scene.finding(number)
        for task, gone in (finding.gone if finding is not None else {}).items():
            spelled = finding.handed.spelled(*task) if finding is not None and finding.handed is not None else ''
            if gone.reason == BLOCKED and gone.state == 'PENDING' and spelled.partition('_')[0] not in found:
                found[spelled] = 'it waits in Slurm for what did not succeed'
    return found


def _look(scene: Scene) -> Look | None:
    """The queue as it was asked for the claims in it; asked now if something was ever submitted for this workflow."""
    if scene.queue is not None:
        return scene.queue.looked
    try:
        submitted = any(os.scandir(os.path.join(scene.store.layout.directory, OUTPUT)))
    except OSError:
        return None
    if not submitted:
        return None
    from awflow.backends.slurm.client import user

    try:
        return Look(Impatient().queue([user()]))
    except SlurmError:
        return None
