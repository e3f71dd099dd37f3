"""A workspace: a directory with a script, run as its author would run it, and what the state says of each run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from awflow.state.record import Record
from awflow.state.store import Store

LIMIT = 60.0  # seconds after which a script hangs; nothing waits for them to pass
os.environ['PYTHONDONTWRITEBYTECODE'] = '1'  # Python takes an edit of the same second and size for none, and runs what it had
PRELUDE = 'import os, signal, sys, time\nfrom awflow import *\n'


class Ran:
    """One run of a script: what its process said, and the tasks of which the state got to know a new attempt."""

    def __init__(self, process: subprocess.CompletedProcess[str], attempts: dict[str, Record]) -> None:
        self.returncode = process.returncode
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.records = attempts
        self.executed = sorted(attempts, key=lambda name: attempts[name].started)
        self.outcomes = {name: record.outcome if record.final else 'running' for name, record in attempts.items()}
        self.failed = [name for name in self.executed if self.outcomes[name] != 'succeeded']

    def __repr__(self) -> str:
        return f'exit {self.returncode}\nexecuted {self.executed}\nfailed {self.failed}\n{self.stdout}\n{self.stderr}'


class Workspace:
    """A directory of its own for scripts, their files and their state."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.prefix: list[str] = []  # of the command line, such as `nice`

    # -- files ---------------------------------------------------------------------------------------------------------

    def script(self, text: str, name: str = 'flow.py') -> Path:
        """A script that has the usual imports."""
        return self.write(name, PRELUDE + textwrap.dedent(text))

    def write(self, name: str, text: str) -> Path:
        """A file, with the directories above it."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
        return path

    def edit(self, old: str, new: str, name: str = 'flow.py') -> None:
        """Replace a piece of the script, which must be there."""
        text = self.read(name)
        assert old in text, f'{old!r} is not in {name}'
        self.write(name, text.replace(old, new))

    def read(self, name: str) -> str:
        return (self.path / name).read_text(encoding='utf-8')

    def lines(self, name: str) -> list[str]:
        return self.read(name).splitlines() if self.exists(name) else []

    def exists(self, name: str) -> bool:
        return (self.path / name).exists()

    def remove(self, name: str) -> None:
        (self.path / name).unlink()

    def files(self) -> dict[str, tuple[int, int, int]]:
        """Everything below the directory by path: inode, size and time of change."""
        found = {}
        for path in self.path.rglob('*'):
            if '__pycache__' not in path.parts:
                stat = path.lstat()
                found[str(path.relative_to(self.path))] = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return found

    # -- processes -----------------------------------------------------------------------------------------------------

    def start(
        self, *arguments: str, name: str = 'flow.py', directory: Path | None = None, **environ: str
    ) -> subprocess.Popen[str]:
        """The script as a process group of its own, under way."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith('AWFLOW_')}
        return subprocess.Popen(
            [*self.prefix, sys.executable, name, *arguments], cwd=directory or self.path, text=True, start_new_session=True,
            env={**inherited, 'AWFLOW_PROGRESS': '0', **environ}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def run(self, *arguments: str, name: str = 'flow.py', directory: Path | None = None, **environ: str) -> Ran:
        """The script, to its end."""
        before = self.attempts(directory)
        return self.finish(self.start(*arguments, name=name, directory=directory, **environ), before, directory)

    def again(self) -> list[str]:
        """What a run that must succeed executes."""
        ran = self.run()
        assert ran.returncode == 0, ran
        return ran.executed

    def finish(self, process: subprocess.Popen[str], before: dict[str, Record], directory: Path | None = None) -> Ran:
        """Wait for a process that was started; `before` are the attempts known by then."""
        try:
            stdout, stderr = process.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            stdout, stderr = process.communicate()
            pytest.fail(f'the script hangs\n{stdout}\n{stderr}')
        known = {record.id for record in before.values()}
        new = {name: r for name, r in self.attempts(directory).items() if r.id not in known and not r.adopted}
        return Ran(subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr), new)

    # -- state ---------------------------------------------------------------------------------------------------------

    def attempts(self, directory: Path | None = None) -> dict[str, Record]:
        """The last attempt of every task of every workflow, by the task's name."""
        found: dict[str, Record] = {}
        root = (directory or self.path) / '.awflow'
        for folder in sorted(root.iterdir()) if root.is_dir() else ():
            if (folder / 'ledger').is_dir():
                found.update(_records(str(root), folder.name))
        return found


def _records(root: str, workflow: str) -> dict[str, Record]:
    found = {}
    state = Store(root, workflow).read()
    for job in state.jobs():
        rows = state.rows(job)
        assert rows is not None, 'a job that is listed has rows'
        for row in range(len(rows)):
            record = rows.record(row)
            found[job if record.task == '-' else f'{job}[{record.task}]'] = record
    return found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty directory in which scripts are run."""
    directory = tmp_path / 'work'
    directory.mkdir()
    return Workspace(directory)
