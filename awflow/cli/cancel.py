"""`awflow cancel`: stop what runs and what waits in a queue."""

from __future__ import annotations

import click

from awflow.cli.options import selectors_argument, state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from awflow.backends.slurm.client import Slurm
    from awflow.cli.observed import Workflow
    from awflow.state.ledger import Entry

    Task = tuple[str, str]

NEVER: Final = 'cancelled before it was submitted'
PAUSES: Final = (0.3, 0.7, 1.5)  # seconds; Slurm needs a moment, and so do tasks that run


@click.command(epilog='Example: awflow cancel estimate')
@selectors_argument()
@state_option
@workflow_option
def cancel(selectors: tuple[str, ...], root: str, workflow: str | None) -> None:
    """Cancel tasks that run or wait: of these jobs or tasks, or all of them.

    Tasks on Slurm are cancelled there. A run on this machine is asked to stop as by Ctrl-C; it can only be stopped as a whole.
    """
    from awflow.cli.amend import by_workflow
    from awflow.cli.observed import Workflow
    from awflow.cli.selection import select_all
    from awflow.cli.workflows import chosen

    if not selectors:
        stopped = sum([_cancel(Workflow(root, name), None) for name in chosen(root, workflow)])
    else:
        stopped = 0
        for observed, selections in by_workflow(select_all(root, workflow, selectors)):
            stopped += _cancel(observed, {(each.job, key) for each in selections for key in each.keys})
    if not stopped:
        click.echo('awflow: nothing of that runs or waits')


def _cancel(workflow: Workflow, wanted: set[Task] | None) -> int:
    """Cancel what is wanted of every live claim; how many tasks that were."""
    total = 0
    for number, claim in sorted(workflow.working().items()):
        tasks = [task for task in _open(workflow, number, claim) if wanted is None or task in wanted]
        if not tasks:
            continue
        queued = bool((claim.owner or {}).get('queue'))
        total += _in_queue(workflow, number, tasks, wanted is None) if queued else _here(workflow, number, claim, tasks, wanted)
    return total


def _open(workflow: Workflow, number: int, claim: Entry) -> Iterator[Task]:
    for job in claim.tasks:
        for key in sorted(claim.keys(job)):
            if not workflow.state.finished(number, job, key):
                yield job, key


def _in_queue(workflow: Workflow, number: int, tasks: list[Task], everything: bool) -> int:
    from awflow.backends.slurm.client import Slurm, user
    from awflow.backends.slurm.handed import Handed
    from awflow.backends.slurm.look import Look
    from awflow.backends.slurm.reconcile import adopt

    slurm = Slurm()
    state = workflow.state
    handed = Handed(state.claims[number], state.facts(number))
    if not handed.complete:
        adopt(handed, Look(slurm.queue([user()])))  # its submitter may have died before it noted all
    ids = handed.ids if everything else {spelled: None for task in tasks if (spelled := handed.spelled(*task))}
    slurm.cancel(list(ids))
    click.echo(f'cancelled in Slurm: {counted(len(tasks))} of run {state.claims[number].run}')
    _note_the_rest(workflow, slurm, number, tasks)
    return len(tasks)


def _note_the_rest(workflow: Workflow, slurm: Slurm, number: int, tasks: list[Task]) -> None:
    """What runs says itself how it ended; of what only waited it is noted here that it will not run.

    So it is of what was never handed in. Should its submitter still be at it, on another machine, its jobs find that the
    claim has ended, and do nothing.
    """
    from awflow.backends.slurm.handed import Handed
    from awflow.backends.slurm.reconcile import Reconciliation

    queue, store, run = Reconciliation(workflow.store, slurm), workflow.store, workflow.state.claims[number].run
    for pause in PAUSES:
        store.disk.sleep(pause)
        state = store.read()
        if number not in state.claims or all(state.finished(number, *task) for task in tasks):
            return
        queue.witness(state, {number: workflow.evidence[number]})
        if queue.settle(run, state, patient=False):
            continue
        handed = Handed(state.claims[number], state.facts(number))
        never = [task for task in tasks if not handed.spelled(*task) and not state.finished(number, *task)]
        facts = [{'claim': number, 'settled': 'cancelled', 'job': job, 'key': key, 'why': NEVER} for job, key in never]
        if facts:
            store.publish(run=run, expected=state, tasks={}, facts=facts)


def _here(workflow: Workflow, number: int, claim: Entry, tasks: list[Task], wanted: set[Task] | None) -> int:
    """Ask the process of a run on this machine to stop."""
    import os
    import signal

    from awflow.errors import StateError
    from awflow.state.liveness import ALIVE

    found = workflow.evidence[number]
    if found.state != ALIVE:
        raise StateError(
            'run {run} cannot be stopped from here: {_why}', 'Run the command on its host.', run=claim.run, _why=found.why
        )
    if wanted is not None:
        raise StateError('run {run} is on this machine and can only be stopped as a whole', 'Say: awflow cancel', run=claim.run)
    os.kill(int((claim.owner or {})['pid']), signal.SIGTERM)
    click.echo(f'asked run {claim.run} (process {(claim.owner or {})["pid"]}) to stop: {counted(len(tasks))}')
    return len(tasks)


def counted(number: int) -> str:
    """So many tasks, in words."""
    return '1 task' if number == 1 else f'{number} tasks'
