"""Partial outputs: what crashed tasks have declared and written, as far as no success vouches for it."""

from __future__ import annotations

import os
import stat
from math import inf
from time import time

from awflow.cli.declared import declared
from awflow.cli.litter import Removal
from awflow.cli.observed import CRASHED
from awflow.cli.runs import directory_of, facts_of
from awflow.cli.units import moment
from awflow.explain import Group
from awflow.plan import task_name
from awflow.state import blocks
from awflow.state.table import OUTCOMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from awflow.cli.observed import Workflow
    from awflow.state.record import Record
    from awflow.state.rows import Rows
    from awflow.state.store import Store

COARSE = 0.02  # seconds by which the times of files may lag behind the clock
LATE = 2.0  # seconds by which they may be ahead of it, where the end of an attempt is known


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
    directories = Directories(workflow.store)
    found = []
    vouched: dict[str, str] | None = None  # looked for only where something might go
    for record, paths in _declared(workflow, crashed, directories, notes):
        around = _around(workflow, directories.of(record.run))
        for path in (path for path in paths if os.path.lexists(path)):
            vouched = _all_vouched(workflow) if vouched is None else vouched
            until = _until(workflow, record)
            new, left = written(path, record.started - COARSE, until)
            why = _refusal(path, vouched, around) or ('' if new else _of_another_time(path, record, until))
            if why:
                notes.append(f'{_said(path, record)} stays: {why}')
            else:
                if left:
                    number = '1 file' if len(left) == 1 else f'{len(left)} files'
                    notes.append(f'{_said(path, record)}: what was not written by it stays ({number})')
                parts = new if left else [path]
                found += [Partial(part, _evidence(part, record), record.job, record.task) for part in parts]
    return found


def _until(workflow: Workflow, record: Record) -> float:
    """When an attempt had surely ended: by its record, or because its claim was ended then; now if neither is known."""
    if record.ended:
        return record.ended + LATE
    number = record.generation
    entries = sorted(workflow.state.entries.items())
    return next((entry.time + LATE for _, entry in entries if number in entry.ends and entry.time), inf)


def _said(path: str, record: Record) -> str:
    return f'{os.path.relpath(path)} of {task_name(record.job, record.task)}'


def _around(workflow: Workflow, directory: str) -> list[str]:
    """Where the state and the project lie: what holds one of those, or lies in the state, is no task's to lose."""
    return [os.path.realpath(workflow.store.layout.root), os.path.realpath(directory)]


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
        unknown: dict[str, list[str]] = {}
        for record in records:
            mine = paths.get(record.job, {}).get(record.task)
            if mine is None:
                unknown.setdefault(record.job, []).append(record.task)
            else:
                yield record, [os.path.normpath(os.path.join(directory, path)) for path in mine]
        for job, keys in unknown.items():
            notes.append(f'what {job}{Group(keys, "", ()).where()} declares is not known: {trouble}')


def _all_vouched(workflow: Workflow) -> dict[str, str]:
    """The outputs, as real paths, that a success on record names, of all workflows of this state, and what links lead to from
    them; with the task's name.
    """
    from awflow.cli.workflows import names
    from awflow.state.store import Store

    found: dict[str, str] = {}
    root = workflow.store.layout.root
    for name in names(root):
        store = workflow.store if name == workflow.name else Store(root, name)
        state = workflow.state if name == workflow.name else store.read()
        directories = Directories(store)
        heads: dict[str, str] = {}  # real paths of directories
        for job in state.jobs():
            rows = state.rows(job)
            assert rows is not None, 'a job of the state has rows'
            runs: dict[int, str] = {}  # by generation
            for row, path in _made(rows):
                number = rows.generation(row)
                if number not in runs:
                    runs[number] = rows.record(row).run
                head, tail = os.path.split(os.path.normpath(os.path.join(directories.of(runs[number]), path)))
                if head not in heads:
                    heads[head] = os.path.realpath(head)
                found[os.path.join(heads[head], tail)] = task_name(job, rows.keys[row])
    return {**_linked(found), **found}


def _made(rows: Rows) -> Iterator[tuple[int, str]]:
    """The rows of successes with their outputs."""
    for row, record in rows.over.items():
        yield from ((row, path) for path in record.outputs if rows.outcome(row) == 'succeeded')
    if rows.base is not None:
        well = OUTCOMES.index('succeeded')
        for row, path in blocks.every(rows.base, 'outputs'):
            if rows.base.outcome[row] == well and row not in rows.over:
                yield row, path


def _linked(vouched: dict[str, str]) -> dict[str, str]:
    """What links lead to from those outputs, and from within them: its bytes are theirs."""
    found: dict[str, str] = {}
    for output, task in vouched.items():
        places = [output]
        while places:
            place = places.pop()
            mode = _mode(place)
            if stat.S_ISLNK(mode):
                place = os.path.realpath(place)
                mode = 0 if place in found else _mode(place)
                found[place] = task
            places += _inside(place) if stat.S_ISDIR(mode) else []
    return found


def _mode(path: str) -> int:
    try:
        return os.lstat(path).st_mode
    except OSError:
        return 0


def _inside(directory: str) -> list[str]:
    """The links and directories in a directory, none if it may not be read."""
    try:
        return [entry.path for entry in os.scandir(directory) if entry.is_symlink() or entry.is_dir()]
    except OSError:
        return []


def _real(path: str) -> str:
    """A path without links on the way to it; what it names itself may be one."""
    head, tail = os.path.split(os.path.normpath(path))
    return os.path.join(os.path.realpath(head), tail)


def _refusal(path: str, vouched: dict[str, str], around: list[str]) -> str:
    """Why an output is not to be removed whatever its age, '' if it may be."""
    real = _real(path)
    state = around[0]
    if any(place == real or place.startswith(real.rstrip(os.sep) + os.sep) for place in around):
        return 'the state or the project lies in it'
    if real.startswith(state + os.sep):
        return 'it lies in the state'
    place = real
    while place != os.path.dirname(place):
        if place in vouched:
            return f'{vouched[place]} succeeded and vouches for it'
        place = os.path.dirname(place)
    within = next((other for other in vouched if other.startswith(real + os.sep)), None)
    if within is not None:
        return f'{vouched[within]} succeeded and vouches for {os.path.relpath(within, real)} in it'
    return ''


def _of_another_time(path: str, record: Record, until: float) -> str:
    """Why it is not what the attempt wrote."""
    if newest(path) > until:
        return f'it was written {moment(newest(path), time())}, when the attempt was over'
    return f'it is older than the attempt, which began {moment(record.started, time())}'


def _evidence(path: str, record: Record) -> str:
    began, written = moment(record.started, time()), moment(newest(path), time())
    return f'begun {began}, written {written}'


def written(path: str, since: float, until: float = inf) -> tuple[list[str], list[str]]:
    """The files that are an output, or lie in it: those last written in that time, and those that were not."""
    new: list[str] = []
    left: list[str] = []
    places = [path]
    while places:
        place = places.pop()
        if os.path.isdir(place) and not os.path.islink(place):
            inside = sorted(os.listdir(place))
            places += [os.path.join(place, name) for name in inside]
            if inside:
                continue
        (new if since <= newest(place) <= until else left).append(place)
    return new, left


def newest(path: str) -> float:
    """When a file, or anything in a directory, was last written."""
    try:
        found = os.lstat(path).st_mtime
        if os.path.isdir(path) and not os.path.islink(path):
            found = max([found, *(newest(entry.path) for entry in os.scandir(path))])
    except OSError:
        return 0.0
    return found
