"""States made by running small scripts, and the command line run on them."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.program import run
from awflow.state.store import Store
from benchmarks import big_state

LIMIT = 60.0  # seconds after which a test has failed; nothing waits for them to pass

SCRIPT = """
    import os, signal
    from pathlib import Path
    from awflow import after, ensure, job, outputs, schedule

    factor = 2

    @job(array=['a', 'b c', '3'])
    def fit(x):
        print('fitting', x)
        if x == 'b c':
            raise ValueError('no fit for b c')
        if x == '3':
            os.kill(os.getpid(), signal.SIGKILL)

    @ensure(lambda i: os.path.exists(f'{i}.txt'))
    @job(array=12)
    def count(i):
        Path(f'{i}.txt').write_text(str(i * factor))
        print('line of', i, end='')

    @outputs('rate.txt')
    @job(array=[0.1, 0.25])
    def rate(x):
        Path('rate.txt').write_text('r')

    @job
    def silent():
        pass

    @after(count)
    @job(name='sum/all')
    def total():
        print('all counted')

    @after(fit)
    @job
    def never():
        pass

    schedule(fit, count, silent, total, never, check=False)
"""


class Result:
    """What a command printed and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code = code
        self.out = out
        self.err = err

    @property
    def lines(self) -> list[str]:
        return self.out.splitlines()

    def facts(self, name: str) -> list[str]:
        """The values of a fact of `why`."""
        found = [line.split(None, 1) for line in self.lines if line.startswith('  ')]
        return [parts[1] for parts in found if len(parts) == 2 and parts[0] == name]


class Workspace:
    """A directory with scripts and the state that they leave."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ = {**os.environ, 'AWFLOW_PROGRESS': '0'}
        self.environ.pop('AWFLOW_STATE', None)

    def script(self, source: str, name: str = 'flow') -> None:
        (self.directory / f'{name}.py').write_text(textwrap.dedent(source))

    def start(self, name: str = 'flow') -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, f'{name}.py'], cwd=self.directory, env=self.environ, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, name: str = 'flow') -> None:
        process = self.start(name)
        _, err = process.communicate(timeout=LIMIT)
        assert process.returncode == 0, err

    def awflow(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """The command in a process of its own."""
        command = [sys.executable, '-m', 'awflow', *arguments]
        usual = {'env': self.environ, 'cwd': self.directory, 'capture_output': True, 'text': True, 'timeout': LIMIT}
        return subprocess.run(command, **(usual | options))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture(scope='session')
def made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """The state that SCRIPT leaves; for looking only."""
    workspace = Workspace(tmp_path_factory.mktemp('made'))
    workspace.script(SCRIPT)
    workspace.run()
    return workspace


@pytest.fixture
def awflow(made: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """The command line within this process, in the directory of `made` unless told otherwise."""

    def call(*arguments: str, cwd: Path | None = None) -> Result:
        monkeypatch.chdir(cwd or made.directory)
        monkeypatch.delenv('AWFLOW_STATE', raising=False)
        code = run(arguments)
        out, err = capsys.readouterr()
        return Result(code, out, err)

    return call


class Held:
    """A run of which one task waits for the test, and others wait for that one."""

    SOURCE = """
        from awflow import job, schedule

        @job(array=3, throttle=1)
        def hold(i):
            print('holding', i, flush=True)
            if i == 1:
                open('fifo').read()

        schedule(hold)
    """

    def __init__(self, workspace: Workspace) -> None:
        self.directory = workspace.directory
        os.mkfifo(self.directory / 'fifo')
        workspace.script(self.SOURCE)
        self.process = workspace.start()
        self._fifo = os.open(self.directory / 'fifo', os.O_WRONLY)  # returns when the task has opened it too
        assert self.process.stdout is not None
        while self.process.stdout.readline() != 'hold[1] | holding 1\n':  # shown once it is in the log
            assert self.process.poll() is None, 'the run ended before its second task began'

    def kill(self) -> None:
        """Kill all that acts for the run, and return when it is gone."""
        (claim,) = Store(str(self.directory / '.awflow'), 'flow').read().claims.values()
        assert claim.owner is not None
        pids = [claim.owner['pid'], *(pid for pid, _ in claim.owner['others'])]
        handles = [os.pidfd_open(pid) for pid in pids]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        for handle in handles:
            assert select.select([handle], [], [], LIMIT)[0], 'a process outlived SIGKILL'
            os.close(handle)
        self.process.wait(LIMIT)

    def close_fifo(self) -> None:
        """Let the task that waits go on, and the run end."""
        if self._fifo >= 0:
            os.close(self._fifo)
        self._fifo = -1

    def close(self) -> None:
        self.close_fifo()
        self.process.communicate(timeout=LIMIT)


@pytest.fixture
def held(workspace: Workspace) -> Any:
    held = Held(workspace)
    yield held
    held.close()


@pytest.fixture
def examined(awflow: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`awflow doctor` in the test's directory, without any Slurm."""
    from awflow.cli.checks import ledger

    monkeypatch.setenv('PATH', str(tmp_path / 'no commands'))
    monkeypatch.setattr(ledger, 'PAUSE', 0.0)

    def call(*arguments: str) -> Result:
        done: Result = awflow('doctor', *arguments, cwd=tmp_path)
        return done

    return call


@pytest.fixture(scope='session')
def attempted(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A directory in which a workflow has run whose tasks ended in several ways; for looking only."""
    from tests.cli.by_hand import SCRIPT as SEVERAL_WAYS

    workspace = Workspace(tmp_path_factory.mktemp('attempted'))
    (workspace.directory / 'data.csv').write_text('1,2\n')
    workspace.script(SEVERAL_WAYS)
    workspace.run()
    return workspace


@pytest.fixture(scope='session')
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of 100 tasks of which everything is known, times included; for looking only."""
    directory = tmp_path_factory.mktemp('study')
    big_state.make(directory, 100, began=1773480000.0)
    return directory


@pytest.fixture
def golden(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Compares text with what a file holds, of 80 columns in UTC; AWFLOW_GOLDEN=write writes the file instead."""
    monkeypatch.setenv('TZ', 'UTC')
    monkeypatch.setenv('COLUMNS', '80')
    time.tzset()

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / 'golden' / f'{name}.txt'
        shown = ''.join(f'{line.rstrip()}\n' for line in text.splitlines())
        if os.environ.get('AWFLOW_GOLDEN') == 'write':
            path.parent.mkdir(exist_ok=True)
            path.write_text(shown, encoding='utf-8')
        assert shown == path.read_text(encoding='utf-8')

    yield compare
    monkeypatch.undo()
    time.tzset()
