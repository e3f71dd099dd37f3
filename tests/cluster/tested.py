"""A cluster as tests see it: what is in its queue, how to wait for it, what to break, which commands were given."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar

from tests.cluster.lifecycle import available, logs, start_node
from tests.cluster.processes import SYSTEM, ClusterError, kill, poll
from tests.cluster.settings import Settings, Site

BOUND = 60.0  # seconds; reached only by what does not work
_ANYTHING = TypeVar('_ANYTHING')


class QueuedJob(NamedTuple):
    """A line of squeue: one task, ended ones too for as long as Slurm knows them."""

    id: str  # of this task: 7, or 7_3 in an array
    number: str  # of the submission: 7
    task: str  # its index in an array, or ''
    state: str  # PENDING, RUNNING, COMPLETED, FAILED, ...
    reason: str
    name: str
    comment: str
    dependency: str


class TestedCluster:
    """Started and, in the end, taken down by a process that lives no longer than this one."""

    __test__ = False  # no tests in here, pytest

    def __init__(self, settings: Settings) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix='awflow-slurm-')).resolve()
        options = []
        for field in dataclasses.fields(Settings):
            value, option = getattr(settings, field.name), '--' + field.name.replace('_', '-')
            if value != field.default:
                options.append(option if value is True else f'{option}={value}')
        # Without marks of a cluster that may be around it, in a session that Ctrl-C does not reach.
        self._holder = subprocess.Popen(
            [sys.executable, '-m', 'tests.cluster', 'hold', str(self.directory), *options],
            cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, start_new_session=True,
        )  # fmt: skip
        assert self._holder.stdout is not None
        if not self._holder.stdout.readline():
            raise ClusterError(f'the cluster does not start: {self.close()}')
        self.site = Site.load(self.directory)
        self._plain = {**os.environ, 'PATH': SYSTEM, 'SLURM_CONF': str(self.site.conf)}

    def close(self) -> str:
        """Take it down; returns what went wrong with it, if anything did."""
        _, complaints = self._holder.communicate()
        if not self._holder.returncode:
            shutil.rmtree(self.directory)
        return complaints

    # -- commands ------------------------------------------------------------------------------------------------------

    @property
    def environ(self) -> dict[str, str]:
        """What a script needs to find this cluster, for its commands to be counted, and to leave the home directory alone."""
        return {
            'SLURM_CONF': str(self.site.conf), 'PATH': f'{self.directory}/bin{os.pathsep}{SYSTEM}',
            'XDG_CACHE_HOME': f'{self.directory}/cache', 'XDG_CONFIG_HOME': f'{self.directory}/config',
        }  # fmt: skip

    def ask(self, *command: str, check: bool = True) -> str:
        """Output of one of Slurm's commands, given by the test itself and thus not counted."""
        done = subprocess.run(command, env=self._plain, cwd=self.directory, capture_output=True, text=True)
        if check and done.returncode:
            raise ClusterError(f'{command}: exit {done.returncode}\n{done.stdout}{done.stderr}')
        return done.stdout

    def sbatch(self, script: str, *options: str) -> str:
        """Submit a line of shell as a job of the test's own; returns its number."""
        return self.ask('sbatch', '--parsable', '--output=/dev/null', *options, f'--wrap={script}').strip()

    def commands(self, name: str = '') -> list[list[str]]:
        """The words of every command that scripts have given, jobs' on their nodes too, in order."""
        log = self.site.log('commands').with_suffix('')
        records = log.read_text(encoding='utf-8').split('\x1e\x1f') if log.exists() else []
        calls = [record.split('\x1f')[:-1] for record in records if record]
        return [call for call in calls if not name or call[0] == name]

    def forget_commands(self) -> None:
        self.site.log('commands').with_suffix('').unlink(missing_ok=True)

    # -- the queue -----------------------------------------------------------------------------------------------------

    def jobs(self, *options: str) -> list[QueuedJob]:
        """All tasks that Slurm knows, by submission and index; `options` of squeue may narrow it."""
        form = '%i\x1f%F\x1f%K\x1f%T\x1f%r\x1f%j\x1f%k\x1f%E'
        said = self.ask('squeue', '-h', '-r', '-t', 'all', '-S', 'i', *options, '-o', form)
        found = []
        for line in said.splitlines():
            fields = line.split('\x1f')
            fields[2] = '' if fields[2] == 'N/A' else fields[2]
            found.append(QueuedJob(*fields))
        return found

    def job(self, id: str) -> QueuedJob:
        """One task."""
        found = [job for job in self.jobs() if job.id == id]
        if not found:
            raise ClusterError(f'Slurm knows no {id}, but {self.jobs()}')
        return found[0]

    def active(self) -> list[QueuedJob]:
        """What waits, runs or is about to have ended."""
        return self.jobs('-t', 'pending,running,suspended,completing,configuring,requeued')

    def wait_until(self, condition: Callable[[], _ANYTHING], bound: float = BOUND, what: str = 'a condition') -> _ANYTHING:
        """What `condition` returns once that is true; fails with queue and logs after `bound` seconds."""
        return poll(condition, bound, what, self.__str__)

    def wait_for(self, id: str, state: str, bound: float = BOUND) -> QueuedJob:
        """Until one task is in a state."""
        return self.wait_until(lambda: (job := self.job(id)).state == state and job, bound, f'{id} to be {state}')

    def wait_until_empty(self, bound: float = BOUND) -> None:
        """Until nothing waits or runs."""
        self.wait_until(lambda: not self.active(), bound, 'an empty queue')

    def scancel(self, *ids: str, **options: str) -> None:
        self.ask('scancel', *(f'--{name}={value}' for name, value in options.items()), *ids)

    def end_in(self, id: str, seconds: int) -> None:
        """Move the time limit of a running job; Slurm may take half a minute to act on it."""
        self.ask('scontrol', 'update', f'jobid={id}', f'EndTime=now+{seconds}seconds')

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def kill_node(self, node: str, noticed: bool = True) -> None:
        """Cut the power: no process of the node is left. Slurm is told, unless it shall find out (half a minute)."""
        kill(self.directory, node)
        if noticed:
            self.ask('scontrol', 'update', f'nodename={node}', 'state=down', 'reason=killed')

    def boot_node(self, node: str) -> None:
        """Start a killed node again, until it takes jobs."""
        start_node(self.site, node)
        self.ask('scontrol', 'update', f'nodename={node}', 'state=resume', check=False)  # refused if it is not down
        self.wait_until(lambda: node in available(self.site), what=f'{node} to take jobs')

    def restore(self) -> None:
        """Leave nothing of one test to the next: no jobs, no dead nodes, no counted commands."""
        self.scancel(user=str(os.getuid()))
        for node in sorted(set(self.site.nodes) - available(self.site)):
            kill(self.directory, node)
            self.boot_node(node)
        self.wait_until_empty()
        self.forget_commands()

    def __str__(self) -> str:
        return f'{self.ask("squeue", "-a", "-t", "all", check=False)}\n{logs(self.site)}'
