"""Disks and hosts on which trouble is staged: crashes at any call, calls held back, a filesystem that lies."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from awflow.state.fs import Disk
from awflow.state.liveness import Proc
from awflow.state.record import Record
from awflow.state.store import Store

CALLS = (
    'listdir',
    'read',
    'create',
    'open_append',
    'write',
    'fsync',
    'flush',
    'fsync_dir',
    'link',
    'unlink',
    'rename',
    'mkdir',
    'stat',
)


def digest(number: int) -> str:
    return f'{number + 1:032x}'  # none is all zeros: that says that there is no digest


def done(task: str, number: int, generation: int, **fields: Any) -> Record:
    """A record of a task that succeeded, told apart by a number."""
    return Record(
        **{
            'job': 'estimate',
            'task': task,
            'generation': generation,
            'final': True,
            'outcome': 'succeeded',
            'id': digest(number),
            'end': digest(number),
            'code': digest(1000),
            **fields,
        }
    )


class StillDisk(Disk):
    """A disk whose clock stands until somebody sleeps, and that other hosts may write to."""

    def __init__(self) -> None:
        self.time = 1000.0

    def alone(self, path: str) -> bool:
        return False

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Crash(BaseException):
    """The process is gone: nothing after this has any effect."""


class InterruptedDisk(StillDisk):
    """Calls `before` with name and arguments of each call that the protocol makes."""

    def before(self, name: str, *args: Any) -> None:
        pass


def _interrupted(name: str) -> Callable[..., Any]:
    plain = getattr(Disk, name)

    def call(self: InterruptedDisk, *args: Any) -> Any:
        self.before(name, *args)
        return plain(self, *args)

    return call


for _name in CALLS:
    setattr(InterruptedDisk, _name, _interrupted(_name))


class CrashingDisk(InterruptedDisk):
    """Crashes before its k-th call; a write is torn in half if `torn`. k = -1 never crashes and counts."""

    def __init__(self, k: int, torn: bool = False) -> None:
        super().__init__()
        self.k = k
        self.torn = torn
        self.calls = 0
        self.crashed = False

    def before(self, name: str, *args: Any) -> None:
        if self.crashed:
            raise Crash
        if self.calls == self.k:
            self.crashed = True
            if self.torn and name == 'write':
                os.write(args[0], args[1][: len(args[1]) // 2])
            raise Crash
        self.calls += 1


class HeldDisk(InterruptedDisk):
    """Stops before its k-th call until released, in the thread that makes it."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k
        self.calls = 0
        self.reached = threading.Event()
        self.released = threading.Event()

    def before(self, name: str, *args: Any) -> None:
        if self.calls == self.k:
            self.reached.set()
            assert self.released.wait(60)
        self.calls += 1


class LyingDisk(InterruptedDisk):
    """A client of a network filesystem: `lies` is a list of what it does wrong next, each once.

    'stale listing': what it listed before, unless it changed the directory itself; 'absent', 'stale handle': of a read;
    'half': a read brings half the bytes; 'lost reply': link works, and is reported to have found the name taken.
    """

    def __init__(self, lies: list[str] | None = None) -> None:
        super().__init__()
        self.lies = lies or []
        self._listed: dict[str, list[str]] = {}

    def _lie(self, kind: str) -> bool:
        if kind in self.lies:
            self.lies.remove(kind)
            return True
        return False

    def before(self, name: str, *args: Any) -> None:
        if name in ('create', 'open_append', 'link', 'unlink', 'rename'):
            self._listed.pop(os.path.dirname(args[-1] if name in ('link', 'rename') else args[0]), None)

    def listdir(self, path: str) -> list[str]:
        if path in self._listed and self._lie('stale listing'):
            return self._listed[path]
        self._listed[path] = super().listdir(path)
        return self._listed[path]

    def read(self, path: str, offset: int = 0, limit: int = -1) -> bytes:
        if self._lie('absent'):
            raise FileNotFoundError(errno.ENOENT, 'No such file', path)
        if self._lie('stale handle'):
            raise OSError(errno.ESTALE, 'Stale file handle', path)
        data = super().read(path, offset, limit)
        return data[: len(data) // 2] if self._lie('half') else data

    def link(self, source: str, target: str) -> None:
        super().link(source, target)
        if self._lie('lost reply'):
            raise FileExistsError(errno.EEXIST, 'File exists', target)


class Host(Proc):
    """A host of which everything is said by the test; `processes` maps pid to (state, ticks)."""

    def __init__(self, name: str = 'node1', boot: str = 'boot-1', pidns: str = 'pid:[1]', pid: int = 100) -> None:
        self.name = name
        self.boot_id = boot
        self.namespace = pidns
        self.own = pid
        self.processes: dict[int, tuple[str, int]] = {pid: ('S', 7)}

    def host(self) -> str:
        return self.name

    def boot(self) -> str:
        return self.boot_id

    def pidns(self) -> str:
        return self.namespace

    def pid(self) -> int:
        return self.own

    def stat(self, pid: int) -> tuple[str, int] | None:
        return self.processes.get(pid)


@contextmanager
def claimed(store: Store, run: str, *keys: str) -> Iterator[Any]:
    """A claim on tasks of `estimate`, ended when the block is left without an exception."""
    grant = store.publish(run=run, expected=store.read(), tasks={'estimate': keys})
    assert grant is not None
    yield grant
    store.finish(run)


def succeeded(store: Store, run: str, *keys: str, first: int = 1) -> int:
    """A whole run in which these tasks succeed, numbered from `first`; its generation."""
    with claimed(store, run, *keys) as grant:
        grant.journal.append([done(key, first + at, grant.number).to_dict() for at, key in enumerate(keys)])
        return int(grant.number)


def ids(store: Store, job: str = 'estimate') -> dict[str, str]:
    """Key -> attempt id of all that the state knows of a job."""
    rows = store.read().rows(job)
    return {rows.keys[row]: rows.id(row) for row in range(len(rows))} if rows else {}
