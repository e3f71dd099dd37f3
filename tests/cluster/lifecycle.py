"""Up and down, and the power of single nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests.cluster import hosts
from tests.cluster.accounting import start_accounting
from tests.cluster.processes import SYSTEM, ClusterError, kill, launch, poll, tail
from tests.cluster.settings import Settings, Site

COUNTED = ('sbatch', 'squeue', 'scancel', 'scontrol', 'sacct', 'sinfo', 'srun')

# One record a call: its words, each ended by a unit separator, and a lone record separator. Written in one go, since
# calls may run side by side.
_WRAPPER = """\
#!/bin/sh
end=$(printf '\\036')
printf '%s\\037' {name} "$@" "$end" >>'{log}'
exec {program} "$@"
"""


def missing(settings: Settings) -> list[str]:
    """The programs that this cluster needs and the machine has not."""
    return [name for name in settings.programs() if not shutil.which(name, path=SYSTEM)]


def up(directory: Path, settings: Settings) -> Site:
    """Start a cluster in an empty directory; returns when every node takes jobs."""
    if lacking := missing(settings):
        raise ClusterError(f'not installed: {", ".join(lacking)}; see tests/cluster/README.md')
    if settings.shared and (reason := hosts.unable()):
        raise ClusterError(reason)
    site = Site.create(directory, settings)
    try:
        _start(site)
    except BaseException:
        down(site.directory)
        raise
    return site


def _start(site: Site) -> None:
    site.write_configuration()
    _write_wrappers(site)
    _start_munge(site)
    if site.settings.accounting:
        start_accounting(site)
    if site.settings.shared:
        hosts.start_storage(site)
    launch(site.directory, 'slurmctld', ['slurmctld', '-D', '-f', str(site.conf)], SLURM_CONF=str(site.conf))
    for node in site.nodes:
        start_node(site, node)
    poll(lambda: available(site) == set(site.nodes), 60, 'all nodes', lambda: logs(site))


def _start_munge(site: Site) -> None:
    key = site.directory / 'key' / 'munge.key'
    key.touch(mode=0o600)
    key.write_bytes(os.urandom(1024))
    # --force: a directory of everybody's, such as /tmp, may be above ours.
    command = [
        'munged', '--foreground', '--force', '--num-threads=4', f'--key-file={key}', f'--socket={site.munge}',
        f'--seed-file={key.parent}/seed', f'--pid-file={site.directory}/run/munged.pid', f'--log-file={site.log("munged")}',
    ]  # fmt: skip
    launch(site.directory, 'munged', command)
    check = ['munge', '--no-input', '--socket', str(site.munge)]
    log = site.directory / 'log' / 'munged.out'
    poll(lambda: subprocess.run(check, capture_output=True).returncode == 0, 10, 'munged', lambda: tail(log))


def _write_wrappers(site: Site) -> None:
    for name in COUNTED:
        if program := shutil.which(name, path=SYSTEM):
            path = site.directory / 'bin' / name
            log = site.directory / 'log' / 'commands'
            path.write_text(_WRAPPER.format(name=name, log=log, program=program), encoding='utf-8')
            path.chmod(0o755)


def start_node(site: Site, node: str) -> None:
    """Power on: does not wait for the controller to notice."""
    (site.directory / 'spool' / node).mkdir(exist_ok=True)
    if site.settings.shared:
        hosts.start_host(site, node)
    else:
        command = ['slurmd', '-D', '-N', node, '-f', str(site.conf)]
        launch(site.directory, f'slurmd-{node}', command, node, SLURM_CONF=str(site.conf))


def available(site: Site) -> set[str]:
    """The nodes that take jobs, as the controller has it; none if it does not answer."""
    environ = {**os.environ, 'PATH': SYSTEM, 'SLURM_CONF': str(site.conf)}
    command = ['sinfo', '-h', '-N', '-p', 'main', '-t', 'idle,mix,alloc', '-o', '%N %t']
    said = subprocess.run(command, env=environ, capture_output=True, text=True).stdout
    # A star stands for a node that has not answered yet.
    return {line.split()[0] for line in said.splitlines() if not line.endswith('*')}


def logs(site: Site) -> str:
    """The last words of every daemon."""
    return '\n'.join(tail(path) for path in sorted((site.directory / 'log').glob('*.log')))


def down(directory: Path) -> None:
    """End a cluster, whatever state it is in, and empty its directory."""
    directory = directory.resolve()
    kill(directory)
    if not (directory / 'site.json').exists():
        return  # not ours to empty
    site = Site.load(directory)
    if site.settings.shared:
        hosts.unmount(site)
    for path in directory.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
