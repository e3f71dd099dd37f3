"""Crashes staged for real: a run held at a known place, what is done to it, and what the commands say afterwards."""

from __future__ import annotations

import json
import os
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from awflow.state.layout import Layout
from awflow.state.ledger import Entry, claim_name
from awflow.state.store import Store
from tests.conftest import Workspace

LIMIT = 60.0  # seconds after which a test has failed; nothing waits for them to pass

# The first task succeeds, the second has written half of its output and waits for the test, the others never begin.
SCRIPT = """
    @outputs('out-{i}')
    @job(array=4)
    def hold(i):
        with open(f'ran-{i}', 'a') as ran: ran.write('x')
        with open(f'out-{i}', 'w') as out:
            out.write('half')
            out.flush()
            if i == 1 and not os.path.exists('go'):
                with open('pid', 'w') as file: file.write(str(os.getpid()))
                open('fifo').read()
            out.write(' and whole')
    @after(hold)
    @job
    def last():
        with open('ran-last', 'a') as ran: ran.write('x')
    schedule(last, workers=1)
"""
DONE, REST = ['hold[0]'], ['hold[1]', 'hold[2]', 'hold[3]', 'last']


class Said:
    """What a command printed, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def workflow(self) -> Any:
        (only,) = self.json['workflows']
        return only

    def __repr__(self) -> str:
        return f'exit {self.code}\n{self.out}\n{self.err}'


Command = Callable[..., Said]


class Held:
    """A run of SCRIPT whose second task is under way, and will be until it is released or killed."""

    def __init__(self, workspace: Workspace, script: str = SCRIPT) -> None:
        self.workspace = workspace
        self.path = workspace.path
        os.mkfifo(self.path / 'fifo')
        workspace.script(script)
        self.process = workspace.start()
        self._fifo = os.open(self.path / 'fifo', os.O_WRONLY)  # returns when the task has opened it too

    def claim(self) -> Entry:
        (claim,) = store(self.path).read().claims.values()
        return claim

    @property
    def pids(self) -> list[int]:
        """All that act for the run, its own process first."""
        owner = self.claim().owner
        assert owner is not None
        return [owner['pid'], *(pid for pid, _ in owner['others'])]

    def kill(self, *victims: int, group: bool = False) -> None:
        """SIGKILL these processes (the run's own if none are named, or its whole group); returns when all are gone."""
        with gone([*self.pids, self.task]):
            if group:
                os.killpg(self.process.pid, signal.SIGKILL)
            for pid in victims or (self.process.pid,):
                os.kill(pid, signal.SIGKILL)
            self.process.wait(LIMIT)

    @property
    def task(self) -> int:
        """The process of the task that is held."""
        return int((self.path / 'pid').read_text())

    def release(self) -> None:
        """Let the task go on."""
        if self._fifo >= 0:
            os.close(self._fifo)
            self._fifo = -1

    def close(self) -> None:
        self.release()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGCONT)
        self.process.communicate(timeout=LIMIT)


@contextmanager
def gone(pids: list[int]) -> Iterator[None]:
    """Wait for the end of these processes after the block."""
    handles = [os.pidfd_open(pid) for pid in pids]
    yield
    for handle in handles:
        assert select.select([handle], [], [], LIMIT)[0], 'a process outlived SIGKILL'
        os.close(handle)


def store(directory: Path) -> Store:
    return Store(str(directory / '.awflow'), 'flow')


def rewrite_owner(directory: Path, **changes: Any) -> None:
    """Make the live claim one of another owner, as it would stand there had it been written elsewhere or earlier."""
    layout = Layout(str(directory / '.awflow'), 'flow')
    ((number, claim),) = store(directory).read().claims.items()
    claim.owner = {**(claim.owner or {}), **changes}
    path = Path(layout.ledger) / claim_name(number)
    path.write_bytes(claim.to_bytes())


def journal(directory: Path) -> Path:
    """The journal of the live claim."""
    (names,) = store(directory).read().journals.values()
    (name,) = names
    return Path(store(directory).layout.ledger) / name


def ran(workspace: Workspace) -> dict[str, int]:
    """How often each task was begun, by its own count."""
    found = {}
    for path in workspace.path.glob('ran-*'):
        name = path.name.removeprefix('ran-')
        found['last' if name == 'last' else f'hold[{name}]'] = len(path.read_text())
    return found


def outcomes(said: Said) -> dict[str, dict[str, int]]:
    """What `status --json` counts, without what never began."""
    counts = {job['job']: dict(job['outcomes']) for job in said.workflow['jobs']}
    for of_job in counts.values():
        of_job.pop('not started', None)
    return {job: of_job for job, of_job in counts.items() if of_job}


def tree(directory: Path) -> dict[str, tuple[int, int]]:
    """Every file of the state by path: its size and the time of its last change."""
    found = {}
    for path in (directory / '.awflow').rglob('*'):
        seen = path.lstat()
        found[str(path)] = (seen.st_size, seen.st_mtime_ns)
    return found


def ledger(directory: Path) -> dict[str, bytes]:
    """All that counts of what is on record: entries, journals and snapshots by name."""
    files = Path(store(directory).layout.ledger).iterdir()
    return {path.name: path.read_bytes() for path in files if path.suffix in ('.claim', '.jsonl', '.snapshot')}
