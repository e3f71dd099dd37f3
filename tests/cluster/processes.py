"""The processes of a cluster: started with a mark in their environment, found by it, and killed.

Nothing that a test cluster knows is worth keeping, so nobody is asked to end: all are killed. The mark is inherited by
whatever a daemon starts. A job has the environment of its submitter instead, and is known by what Slurm adds to that;
what a job starts with a clean environment is known by its parents. The daemon of a step writes its title over its
environment; it is known by the log that it shares with its node's slurmd.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

MARK = 'AWFLOW_TEST_CLUSTER'  # the cluster's directory
NODE = 'AWFLOW_TEST_NODE'  # the node, for what belongs to one
SYSTEM = os.pathsep.join((os.environ.get('PATH', os.defpath), '/usr/sbin', '/sbin'))  # users' paths often lack sbin


class ClusterError(Exception):
    """The cluster does not do what it should; with the last lines of a log."""


def launch(directory: Path, name: str, command: list[str], node: str = '', **environ: str) -> subprocess.Popen[bytes]:
    """A daemon in the foreground of a session of its own; what it prints goes to log/NAME.out."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(('SLURM', 'SBATCH'))}
    marks = {MARK: str(directory), **({NODE: node} if node else {})}
    with (directory / 'log' / f'{name}.out').open('ab') as out:
        return subprocess.Popen(
            command, env={**clean, 'PATH': SYSTEM, **marks, **environ}, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, cwd=directory,
        )  # fmt: skip


def poll(condition: Callable[[], object], bound: float, what: str, details: Callable[[], str] = str) -> object:
    """What `condition` returns once that is true; raises ClusterError with `details` after `bound` seconds."""
    end = time.monotonic() + bound
    while True:
        if found := condition():
            return found
        if time.monotonic() > end:
            raise ClusterError(f'still waiting for this after {bound:g} s: {what}\n{details()}')
        time.sleep(0.02)


def tail(path: Path, lines: int = 15) -> str:
    """The end of a log, if there is one."""
    try:
        text = path.read_text(encoding='utf-8', errors='replace')
    except OSError:
        return ''
    return '\n'.join([f'--- {path.name}', *text.splitlines()[-lines:]])


def members(directory: Path, node: str = '') -> list[psutil.Process]:
    """The living processes of a cluster, or of one of its nodes."""
    found = {}
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and (
                _belongs(process.environ(), directory, node) or _is_step(process, directory, node)
            ):
                found[process.pid] = process
                found.update({child.pid: child for child in process.children(recursive=True)})
        except psutil.Error:
            continue  # ended, or another user's, who cannot have taken part
    return [process for process in found.values() if _alive(process)]


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _belongs(environ: dict[str, str], directory: Path, node: str) -> bool:
    if environ.get(MARK) == str(directory):
        return not node or environ.get(NODE) == node
    if 'SLURM_JOB_ID' not in environ or environ.get('SLURM_CONF') != f'{directory}/slurm.conf':
        return False
    return not node or environ.get('SLURMD_NODENAME') == node


def _is_step(process: psutil.Process, directory: Path, node: str) -> bool:
    if process.name() != 'slurmstepd':
        return False
    logs = directory / 'log', f'slurmd-{node or "*"}.log'
    return any(Path(file.path).parent == logs[0] and Path(file.path).match(logs[1]) for file in process.open_files())


def kill(directory: Path, node: str = '') -> None:
    """Kill until nobody is left, since one may start another meanwhile."""
    for _ in range(200):
        left = members(directory, node)
        if not left:
            return
        for act in (psutil.Process.suspend, psutil.Process.kill):  # a dying node has no time to report that a task ended
            for process in left:
                try:
                    act(process)
                except psutil.NoSuchProcess:
                    pass
        psutil.wait_procs(left, timeout=0.5)
    raise ClusterError(f'these do not die: {left}')
