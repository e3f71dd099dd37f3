"""A bench on which tasks are performed by real zygotes, from functions that are written as scripts write them."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from awflow.arrays import array_of
from awflow.backends.payload import Definition, write
from awflow.backends.pool import Began, Event, Exited, Pool, Reported, Wrote
from awflow.job import Condition

LIMIT = 60.0  # seconds after which a test has failed; nothing waits for them to pass


class Bench:
    """A directory, a payload and a pool; `events` is all that has happened."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.state = directory / '.awflow'
        self.environ = dict(os.environ)
        self.events: list[Event] = []
        self.output: dict[tuple[int, int], bytes] = defaultdict(bytes)
        self.reports: dict[tuple[int, int], dict[str, Any]] = {}
        self.exits: dict[int, Exited] = {}
        self.pids: dict[int, int] = {}
        self._current: dict[int, int] = {}
        self._pool: Pool | None = None
        self._payloads = 0

    @property
    def pool(self) -> Pool:
        if self._pool is None:
            self._pool = Pool(8, [1], environ=self.environ, cwd=str(self.directory))
        return self._pool

    def script(self, source: str) -> dict[str, Any]:
        """The names that a script defines: its functions belong to `__main__` and can be found in no module."""
        path = self.directory / 'script.py'
        path.write_text(textwrap.dedent(source))
        names: dict[str, Any] = {'__name__': '__main__', '__file__': str(path)}
        exec(compile(path.read_text(), str(path), 'exec'), names)
        return names

    def define(self, source: str, name: str = 'f', array: object = None, **options: Any) -> Definition:
        function = self.script(source)[name]
        return Definition(name, function, array=None if array is None else array_of(name, array), **options)

    def pack(self, *definitions: Definition, modules: Any = (), sys_path: list[str] | None = None) -> Path:
        self._payloads += 1
        path = self.directory / f'payload-{self._payloads}'
        jobs = {definition.name: definition for definition in definitions}
        write(str(path), jobs, sys_path=sys_path or sys.path, cwd=str(self.directory), script='script.py', modules=modules)
        return path

    def load(self, *definitions: Definition, **options: Any) -> None:
        self.pool.load(str(self.pack(*definitions, **options)))

    def order(self, job: str = 'f', **given: Any) -> dict[str, Any]:
        order = {
            'job': job, 'task': '-', 'position': -1, 'generation': 1, 'attempt': [0, 0], 'id': os.urandom(16).hex(),
            'outputs': [], 'inputs': [], 'produced': {}, 'env': {}, 'cwd': str(self.directory), 'cuda': None,
            'results_file': str(self.state / 'w' / 'results' / job / '1.pickles'), 'parent': None,
            'state': str(self.state), 'workflow': 'w',
        }  # fmt: skip
        return {**order, **given}

    def launch(self, *orders: dict[str, Any], slot: int = 0, threads: int = 1) -> None:
        self._current[slot] = 0
        self.pool.launch(slot, list(orders), threads)

    def until(self, happened: Any) -> Any:
        """Waits for the first event that is one of these kinds, or of which this is true."""
        test = (lambda event: isinstance(event, happened)) if isinstance(happened, (type, tuple)) else happened
        limit = time.monotonic() + LIMIT
        while time.monotonic() < limit:
            events = self.pool.wait(1.0)
            for event in events:
                self._note(event)
            hit = [event for event in events if test(event)]
            if hit:
                return hit[0]
        raise AssertionError(f'it never happened; what did: {self.events}')

    def says(self, text: bytes, slot: int = 0) -> None:
        """Waits until a task has written this."""
        if text not in self.output[slot, self._current[slot]]:
            self.until(lambda event: text in self.output[slot, self._current[slot]])

    def run(self, source: str, **given: Any) -> dict[str, Any]:
        """The report of a script's `f`, performed to its end."""
        self.load(self.define(source))
        self.launch(self.order(**given))
        self.until(Exited)
        return self.reports[0, 0]

    def text(self, slot: int = 0, n: int = 0) -> str:
        return self.output[slot, n].decode()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.close()

    def _note(self, event: Event) -> None:
        self.events.append(event)
        if isinstance(event, Began):
            self._current[event.slot] = event.n
            self.pids[event.slot] = event.pid
        elif isinstance(event, Wrote):
            self.output[event.slot, self._current[event.slot]] += event.data
        elif isinstance(event, Reported):
            self.reports[event.slot, event.n] = event.report
        elif isinstance(event, Exited):
            self.exits[event.slot] = event


@pytest.fixture
def bench(tmp_path: Path) -> Any:
    bench = Bench(tmp_path)
    yield bench
    bench.close()


def condition(function: Any, takes_value: bool = False) -> Condition:
    return Condition(function, takes_value)


@pytest.fixture
def ensure() -> Any:
    return condition
