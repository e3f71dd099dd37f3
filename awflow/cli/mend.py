"""Applying what `awflow clean` has shown: no more than that, and of that only what is still so.

The order. Files of the state go first: on a full disk that makes the room that the rest needs. Then claims end, as a
takeover ends them: evidence is gathered anew, the state is read after it, and the entry is published only if the ledger has
not moved. What had begun under them has no end on record and thereby counts as crashed, with its own number and payload.
Outputs go last, under a claim on their tasks: who plans meanwhile finds them in flight and waits, instead of running a task
whose file is about to be removed.
"""

from __future__ import annotations

import os
import shutil

import click

from awflow.cli.amend import confirmed, publish
from awflow.cli.cleaning import LEAVE, Cleaning, Options, Scene
from awflow.errors import AwflowError, StateLockedError
from awflow.explain import Account
from awflow.state.liveness import DEAD, Proc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from awflow.cli.cleaning import Verdict
    from awflow.cli.litter import Removal

TRIED = 5  # times that a claim is tried to be ended while others publish


class Done:
    """What was done, and what could not be: a text for each, which may have several lines."""

    def __init__(self) -> None:
        self.recorded = 0  # tasks that left the queue of a cluster
        self.removed: list[Removal] = []
        self.ended: list[int] = []
        self.cancelled: list[str] = []
        self.failures: list[str] = []


def apply(shown: Cleaning, options: Options) -> Done:
    """Do it, and go on where something cannot be done."""
    done = Done()
    root, name = shown.scene.store.layout.root, shown.scene.name
    paths = {removal.path for removal in shown.removals if removal.kind != 'output'}
    again = Options(False, options.orphans, options.older, options.force)
    again.asked = options.asked
    fresh = Cleaning(Scene(root, name), again)
    _remove((removal for removal in fresh.removals if removal.path in paths), done)
    outputs = {removal.path for removal in shown.removals if removal.kind == 'output'}
    try:
        if any(verdict.action != LEAVE for verdict in shown.verdicts):
            _end_all(shown, fresh, done)
        _cancel(shown, done)
        if outputs:
            _remove_outputs(root, name, outputs, done)
    except AwflowError as error:
        done.failures.append(str(error))
    return done


def _end_all(shown: Cleaning, fresh: Cleaning, done: Done) -> None:
    """End the claims that were to be ended, record what is known of tasks that left the queue."""
    numbers = {verdict.number for verdict in shown.verdicts if verdict.ends}
    if _settle(fresh.scene):
        done.recorded = sum(len(verdict.told) for verdict in fresh.verdicts)
    _end(fresh, numbers)
    live = fresh.scene.store.read().claims
    done.ended = sorted(number for number in numbers if number not in live)


def _remove(removals: Iterable[Removal], done: Done) -> None:
    for removal in removals:
        try:
            if os.path.isdir(removal.path) and not os.path.islink(removal.path):
                shutil.rmtree(removal.path)
            else:
                os.unlink(removal.path)
        except FileNotFoundError:  # noqa: PERF203  somebody else removed it
            continue
        except OSError as error:
            done.failures.append(f'{os.path.relpath(removal.path)} could not be removed: {error.strerror or error}')
        else:
            done.removed.append(removal)


def _settle(scene: Scene) -> bool:
    """Publish what became of tasks that left the queue of a cluster; whether there was something to publish."""
    if scene.queue is None or not scene.queue.settle(_run('clean'), scene.state, patient=False):
        return False
    scene.state = scene.store.read()
    return True


def _run(verb: str) -> str:
    from time import localtime, strftime

    return strftime('%Y%m%d-%H%M%S', localtime()) + f'-{verb}-' + os.urandom(4).hex()


def _end(now: Cleaning, numbers: set[int]) -> None:
    """End those of the claims whose owners are dead, or that are to be broken, by evidence from before the state was read."""
    scene = now.scene
    for attempt in range(TRIED):
        why = {
            verdict.number: _reason(verdict) for verdict in now.verdicts
            if verdict.ends and verdict.number in numbers and verdict.number in scene.state.claims
        }  # fmt: skip
        if not why:
            return
        try:
            publish(scene, 'clean', (), why, Account({}))
        except StateLockedError:
            if attempt == TRIED - 1:
                raise _outpaced() from None
            scene.state = scene.store.read()
            continue
        if scene.state.damage:
            scene.store.compact(force=True)  # what is no record is not carried along
        return


def _outpaced() -> StateLockedError:
    return StateLockedError('claims could not be ended: other runs kept publishing', 'Look again: awflow clean')


def _reason(verdict: Verdict) -> str:
    """What the ledger is told."""
    if verdict.state == DEAD:
        return verdict.why
    proc = Proc()
    return f'broken by {proc.user()} on {proc.host()} (awflow clean --force) although not proven dead: {verdict.why}'


def _cancel(shown: Cleaning, done: Done) -> None:
    if not shown.blocked:
        return
    from awflow.cli.queue import Impatient

    try:
        Impatient().cancel(list(shown.blocked))
    except AwflowError as error:
        done.failures.append(str(error))
    else:
        done.cancelled = list(shown.blocked)


def _remove_outputs(root: str, name: str, paths: set[str], done: Done) -> None:
    from awflow.cli.partial import partial_outputs

    for _ in range(TRIED):
        scene = Scene(root, name)
        found = [partial for partial in partial_outputs(scene, []) if partial.path in paths]
        tasks: dict[str, list[str]] = {}
        for partial in found:
            tasks.setdefault(partial.job, []).append(partial.key)
        if not found:
            return
        run = _run('clean')
        if scene.store.publish(run=run, expected=scene.state, tasks=tasks) is None:
            continue
        try:
            _remove(found, done)
        finally:
            scene.store.finish(run)
        return
    done.failures.append('outputs were not removed: other runs kept publishing')


def confirm(question: str, yes: bool) -> bool:
    """Whether to go on; asked where the answer does not mix with what is shown."""
    if confirmed(question, yes, err=True):
        return True
    click.echo('Nothing was changed.')
    return False
