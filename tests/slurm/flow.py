"""A workspace whose scripts submit to a cluster: runs that are followed to the end of the queue, commands that go wrong."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.conftest import Ran, Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from awflow.state.record import Record
    from tests.cluster.tested import TestedCluster

# In place of a command, before what a test adds: $n is the number of this call, $real the command itself. Trying a
# request out does not count.
INTERCEPTED = """\
#!/bin/bash
real='{real}'
case " $* " in *" --test-only "*) exec "$real" "$@" ;; esac
n=1
until mkdir '{calls}'/{name}-$n 2>/dev/null; do n=$((n + 1)); done
{body}
exec "$real" "$@"
"""


class Flow(Workspace):
    """A directory of scripts for one cluster."""

    def __init__(self, path: Path, cluster: TestedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(path)
        self.cluster = cluster
        self._monkeypatch = monkeypatch

    # -- runs ----------------------------------------------------------------------------------------------------------

    def submit(self, *arguments: str, name: str = 'flow.py', **environ: str) -> Ran:
        """The script, and then the queue to its end."""
        before = self.attempts()
        ran = self.run(*arguments, name=name, **environ)
        return self.drained(ran, before)

    def drained(self, ran: Ran, before: dict[str, Record]) -> Ran:
        """What a run has become once the queue is empty; `before` are the attempts known before it."""
        self.cluster.wait_until_empty()
        known = {record.id for record in before.values()}
        new = {name: r for name, r in self.attempts().items() if r.id not in known and not r.adopted}
        return Ran(subprocess.CompletedProcess([], ran.returncode, ran.stdout, ran.stderr), new)

    def awflow(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """The command line program."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith('AWFLOW_')}
        return subprocess.run(
            [sys.executable, '-m', 'awflow', *arguments],
            cwd=self.path,
            env=inherited,
            capture_output=True,
            text=True,
            timeout=60,
        )

    # -- what reached Slurm --------------------------------------------------------------------------------------------

    def submissions(self) -> list[list[str]]:
        """The words of every sbatch that was not only a trial."""
        return [words for words in self.cluster.commands('sbatch') if '--test-only' not in words]

    def asked(self, option: str) -> list[str]:
        """What the submissions asked for by an option, of those that did."""
        prefix = f'--{option}='
        return [word.removeprefix(prefix) for words in self.submissions() for word in words if word.startswith(prefix)]

    def names(self) -> list[str]:
        """The jobs that were submitted, sorted."""
        return sorted(self.asked('job-name'))

    def intercept(self, command: str, body: str) -> None:
        """Let lines of shell run before one of Slurm's commands; they know its number as $n, and itself as $real."""
        places = self.path.parent / 'intercepted'
        (places / 'calls').mkdir(parents=True, exist_ok=True)
        path = places / command
        real = f'{self.cluster.directory}/bin/{command}'
        path.write_text(INTERCEPTED.format(real=real, calls=places / 'calls', name=command, body=body), encoding='utf-8')
        path.chmod(0o755)
        self._monkeypatch.setenv('PATH', f'{places}{os.pathsep}{self.cluster.environ["PATH"]}')

    def restore(self) -> None:
        """Let Slurm's commands do again what they do."""
        self._monkeypatch.setenv('PATH', self.cluster.environ['PATH'])
