"""States made record by record, at times that are fixed, so that what is drawn of them is the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_hexdigest

from awflow.state.fs import Disk
from awflow.state.layout import prepare
from awflow.state.ledger import encode_keys
from awflow.state.liveness import Owner, myself
from awflow.state.record import Record
from awflow.state.store import Store

NOON = 1_790_000_000.0  # 2026-09-21 14:13:20 UTC
RUN = '20260921-141320-0badcafe'
JOBS = {
    'prepare': {'tasks': 1, 'memory': 2048},
    'simulate': {'tasks': 120, 'after': [['prepare', 'success', False]], 'memory': 4096, 'timelimit': 600.0},
    'fit': {'tasks': 120, 'after': [['simulate', 'success', True]], 'memory': 1024, 'throttle': 4},
    'report': {'tasks': 1, 'after': [['fit', 'success', False]]},
    'alarm': {'tasks': 1, 'after': [['fit', 'failure', False]]},
}


class Clock(Disk):
    """A disk whose clock stands."""

    def now(self) -> float:
        return NOON


def record(job: str, task: object, start: float, took: float | None = None, outcome: str = 'succeeded', **more: Any) -> Record:
    """An attempt that began `start` seconds after noon; under way if it `took` nothing."""
    identity = xxh3_128_hexdigest(f'{job}[{task}]'.encode())
    ended = {} if took is None else {'final': True, 'outcome': outcome, 'ended': NOON + start + took, 'end': identity}
    fields = {'id': identity, 'code': 'c0' * 16, 'started': NOON + start, 'run': RUN, 'host': 'n2', **ended, **more}
    return Record(job=job, task=str(task), generation=1, **fields)


def proved() -> list[dict[str, Any]]:
    return [{'name': '@ensure(done)', 'ok': True, 'when': 'after', 'was_false': True, 'seconds': 0.001}]


def records(simulated: int, running: int) -> list[Record]:
    """Most of `simulate`, of which two failed and one was out of time, and some of `fit`."""
    found = [record('prepare', '-', 0, 60, rss=900 * 2**20, checks=proved())]
    ends = {7: 'failed', 31: 'failed', 55: 'timeout'}
    for i in range(simulated):
        outcome = ends.get(i, 'succeeded')
        error = (
            {} if outcome == 'succeeded' else {'error': {'type': 'ValueError', 'line': f'no convergence for {i}'}, 'exit': 1}
        )
        found.append(
            record('simulate', i, 60 + 20 * (i // 8), 100 + i % 7, outcome, rss=(3000 + i) * 2**20, checks=proved(), **error)
        )
    slurm = [{'job': str(500 + i), 'array': f'471_{i}'} for i in range(running)]
    found += [record('simulate', simulated + i, 400 + i, slurm=ids) for i, ids in enumerate(slurm)]
    found += [record('fit', i, 300, 8 + i % 3, rss=200 * 2**20) for i in range(5)]
    return found


SUBMITTER = Owner('login1', 'another boot', 'another namespace', 4711, 99)
QUEUE = {
    'cluster': 'c1',
    'pieces': {
        job: [{'keys': f'0-{told["tasks"] - 1}' if told['tasks'] > 1 else '-', 'at': '-'}] for job, told in JOBS.items()
    },
}


def stage(
    directory: Path, found: list[Record], *, over: bool = False, owner: Owner | None = None, queue: dict[str, Any] | None = None
) -> Store:
    """The state of a workflow `flow` with these records, whose run is over or still has its claim."""
    store = Store(str(directory / '.awflow'), 'flow', Clock())
    prepare(store.layout, store.disk)
    tasks = {job: [str(i) for i in range(told['tasks'])] if told['tasks'] > 1 else ['-'] for job, told in JOBS.items()}
    grant = store.publish(
        run=RUN, expected=store.read(), tasks=tasks, script='flow.py', codes={'c0' * 16: {'simulate': 'x'}},
        owner=owner or myself(proc=store.proc), queue=queue,
        reasons={job: [[encode_keys(keys), 'missing', [{'kind': 'never ran'}]]] for job, keys in tasks.items()},
    )  # fmt: skip
    assert grant is not None
    grant.journal.append([each.to_dict() for each in found])
    if queue is not None:
        submitted = [{'submitted': str(470 + n), 'job': job, 'piece': 0} for n, job in enumerate(tasks)]
        grant.journal.append([*submitted, {'complete': True}])
    grant.sync()
    Path(store.layout.run_file(RUN)).write_text(json.dumps({'run': RUN, 'time': NOON, 'parent': None, 'declared': JOBS}))
    if over:
        store.finish(RUN)
    return store
