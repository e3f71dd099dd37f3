"""Partial outputs: what crashed tasks have declared and written, as far as no success vouches for it."""

from __future__ import annotations

import os
from time import time

from awflow.cli.declared import declared
from awflow.cli.litter import Removal
from awflow.cli.observed import CRASHED
from awflow.cli.runs import directory_of, facts_of
from awflow.cli.units import moment
from awflow.plan import task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from awflow.cli.observed import Workflow
    from awflow.state.record import Record
    from awflow.state.store import Store

COARSE = 0.02  # seconds by which the times of files may lag behind the clock


class Partial(Removal):
    """An output of a crashed task."""

    __slots__ = ('job', 'key')

    def __init__(self, path: str, why: str, job: str, key: str) -> None:
        super().__init__('output', path, why, task_name(job, key))
        self.job = job
        self.key = key


class Directories:
    """Where runs scheduled, which is what the paths of their outputs are relative to."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[str, str] = {}

    def of(self, run: str) -> str:
        """That of a run."""
        if run not in self._known:
            self._known[run] = directory_of(self._store, facts_of(self._store, run))
        return self._known[run]


def partial_outputs(workflow: Workflow, notes: list[str]) -> list[Partial]:
    """One by one. `notes` gets which are left alone, and of which tasks it is not known what they declare."""
    crashed = list(_crashed(workflow))
    if not crashed:
        return []
    vouched = _vouched(workflow)
    directories = Directories(workflow.store)
    found = []
    for record, paths in _declared(workflow, crashed, directories, notes):
        for path in paths:
            if os.path.lexists(path):
                why = _refusal(path, record, vouched)
                if why:
                    notes.append(f'{os.path.relpath(path)} of {task_name(record.job, record.task)} stays: {why}')
                else:
                    found.append(Partial(path, _evidence(path, record), record.job, record.task))
    return found


def _crashed(workflow: Workflow) -> Iterator[Record]:
    """The last attempts of tasks that crashed and that nobody has claimed since."""
    for job in workflow.state.jobs():
        rows = workflow.state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        for row in range(len(rows)):
            if workflow.outcome(rows, row) == CRASHED:
                key = rows.keys[row]
                if not any(claim.covers(job, key) for claim in workflow.working().values()):
                    yield rows.record(row)


def _declared(
    workflow: Workflow, crashed: list[Record], directories: Directories, notes: list[str]
) -> Iterator[tuple[Record, list[str]]]:
    """Every attempt with the absolute paths that it declared, asked of the payloads."""
    groups: dict[tuple[int, str], list[Record]] = {}
    for record in crashed:
        groups.setdefault((record.generation, directories.of(record.run)), []).append(record)
    for (generation, directory), records in groups.items():
        payload = workflow.store.layout.payload(generation)
        tasks: dict[str, list[str]] = {}
        for record in records:
            tasks.setdefault(record.job, []).append(record.task)
        paths, trouble = declared(payload, directory, tasks) if os.path.exists(payload) else ({}, 'its payload is gone')
        for record in records:
            mine = paths.get(record.job, {}).get(record.task)
            if mine is None:
                notes.append(f'what {task_name(record.job, record.task)} declares is not known: {trouble}')
            else:
                yield record, [os.path.normpath(os.path.join(directory, path)) for path in mine]


def _vouched(workflow: Workflow) -> dict[str, str]:
    """The outputs, as real paths, that a success on record names, of all workflows of this state; with the task's name."""
    from awflow.cli.workflows import names
    from awflow.state.store import Store

    found: dict[str, str] = {}
    root = workflow.store.layout.root
    for name in names(root):
        store = workflow.store if name == workflow.name else Store(root, name)
        state = workflow.state if name == workflow.name else store.read()
        directories = Directories(store)
        for job in state.jobs():
            rows = state.rows(job)
            assert rows is not None, 'a job of the state has rows'
            for row in range(len(rows)):
                if rows.outcome(row) == 'succeeded' and any(rows.outputs(row)):
                    record = rows.record(row)
                    for path in record.outputs:
                        real = _real(os.path.join(directories.of(record.run), path))
                        found[real] = task_name(job, record.task)
    return found


def _real(path: str) -> str:
    """A path without links on the way to it; what it names itself may be one."""
    head, tail = os.path.split(os.path.normpath(path))
    return os.path.join(os.path.realpath(head), tail)


def _refusal(path: str, record: Record, vouched: dict[str, str]) -> str:
    """Why an output is not to be removed, '' if it may be."""
    real = _real(path)
    around = real
    while around != os.path.dirname(around):
        if around in vouched:
            return f'{vouched[around]} succeeded and vouches for it'
        around = os.path.dirname(around)
    within = next((other for other in vouched if other.startswith(real + os.sep)), None)
    if within is not None:
        return f'{vouched[within]} succeeded and vouches for {os.path.relpath(within, real)} in it'
    if newest(path) < record.started - COARSE:
        return f'it is older than the attempt, which began {moment(record.started, time())}'
    return ''


def _evidence(path: str, record: Record) -> str:
    began, written = moment(record.started, time()), moment(newest(path), time())
    return f'declared; last written {written}, after the attempt that crashed had begun ({began})'


def newest(path: str) -> float:
    """When a file, or anything in a directory, was last written."""
    try:
        found = os.lstat(path).st_mtime
        if os.path.isdir(path) and not os.path.islink(path):
            found = max([found, *(newest(entry.path) for entry in os.scandir(path))])
    except OSError:
        return 0.0
    return found
