"""`awflow debug` in a pipe and at a terminal, and a workflow whose tasks end in several ways."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from typing import Any

from tests.cli.conftest import LIMIT, Workspace

SCRIPT = """
    import os, signal
    from awflow import after, ensure, inputs, job, outputs, schedule, scratch

    limit = 2

    @job(array=['a', 'b c'])
    def base(x):
        return f'result of {x}'

    @after(base)
    @inputs('data.csv')
    @outputs('out-{i}.txt')
    @job(array=4)
    def fit(i):
        print('fitting', i, base.result('b c'), os.getcwd())
        with open(f'out-{i}.txt', 'w') as out:
            out.write(str(i))
        if i == 2:
            inner = 17 * i
            raise ValueError(f'no fit for {i}')
        if i == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return {'value': i}

    @ensure(lambda: [][0])
    @job
    def unmet():
        pass

    @job
    def leaves():
        raise SystemExit('enough')

    schedule(fit, unmet, leaves, check=False)
"""


def debug(workspace: Workspace, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return workspace.awflow('debug', *arguments, **options)


class Terminal:
    """A command at a terminal."""

    def __init__(self, workspace: Workspace, *arguments: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, '-m', 'awflow', *arguments], cwd=workspace.directory, stdin=theirs, stdout=theirs, stderr=theirs,
            env={**workspace.environ, 'TERM': 'dumb', 'PYTHON_COLORS': '0'}, start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.shown = ''

    def until(self, text: str) -> str:
        """What is shown until this is."""
        end = time.monotonic() + LIMIT
        while text not in self.shown:
            assert time.monotonic() < end, self.shown
            if select.select([self._ours], [], [], 1.0)[0]:
                try:
                    self.shown += os.read(self._ours, 4096).decode(errors='replace')
                except OSError:  # it has closed its end
                    assert text in self.shown, self.shown
        found, _, self.shown = self.shown.partition(text)
        return found

    def type(self, line: str) -> None:
        os.write(self._ours, f'{line}\n'.encode())

    def close(self) -> int:
        """The exit status, when it has ended."""
        status = self.process.wait(LIMIT)
        os.close(self._ours)
        return status
