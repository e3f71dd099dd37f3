"""Nodes that are hosts: a host name, process ids and a mount of a network filesystem for each.

The machine itself is the login node and mounts the filesystem at the same path. Every mount believes for some seconds
what it has seen of names, sizes and absence, as NFS clients do. Killing the first process of a node kills all that run
there, and its mount: a power cut.
"""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from pathlib import Path

from tests.cluster.processes import ClusterError, launch, poll, tail
from tests.cluster.settings import Site

_BRICK = """\
volume posix
  type storage/posix
  option directory {brick}
end-volume
volume locks
  type features/locks
  subvolumes posix
end-volume
volume brick
  type performance/io-threads
  subvolumes locks
end-volume
volume server
  type protocol/server
  option transport-type tcp
  option transport.socket.bind-address 127.0.0.1
  option transport.socket.listen-port {port}
  option auth.addr.brick.allow 127.0.0.1
  subvolumes brick
end-volume
"""

_CLIENT = """\
volume client
  type protocol/client
  option transport-type tcp
  option remote-host 127.0.0.1
  option remote-port {port}
  option remote-subvolume brick
end-volume
"""


def unable() -> str:
    """Why this machine cannot play several hosts, or nothing."""
    if os.geteuid() != 0:
        return 'nodes that are hosts need root'
    if not Path('/dev/fuse').exists():
        return 'nodes that are hosts need /dev/fuse'
    tried = subprocess.run(['unshare', '--mount', '--uts', '--pid', '--fork', 'true'], capture_output=True, text=True)
    return f'nodes that are hosts need namespaces: {tried.stderr.strip()}' if tried.returncode else ''


def start_storage(site: Site) -> None:
    """The server of the filesystem, and the login node's mount."""
    brick, mount = site.directory / 'brick', Path(site.settings.shared)
    brick.mkdir()
    mount.mkdir(parents=True, exist_ok=True)
    (site.directory / 'brick.vol').write_text(_BRICK.format(brick=brick, port=site.brick_port), encoding='utf-8')
    (site.directory / 'client.vol').write_text(_CLIENT.format(port=site.brick_port), encoding='utf-8')
    options = [f'--volfile={site.directory}/brick.vol', f'--log-file={site.log("brick")}', '--log-level=WARNING']
    launch(site.directory, 'brick', ['glusterfsd', '--no-daemon', *options])
    poll(lambda: listens(site.brick_port), 10, 'the filesystem to be served', lambda: tail(site.log('brick')))
    launch(site.directory, 'login', _mount_command(site, 'login'))
    poll(mount.is_mount, 10, f'a mount at {mount}', lambda: tail(site.log('mount-login')))


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def _mount_command(site: Site, name: str) -> list[str]:
    times = [f'--{what}-timeout={site.settings.cache:g}' for what in ('attribute', 'entry', 'negative')]
    log = [f'--log-file={site.log(f"mount-{name}")}', '--log-level=WARNING']
    return ['glusterfs', '--no-daemon', f'--volfile={site.directory}/client.vol', *log, *times, site.settings.shared]


def start_host(site: Site, node: str) -> None:
    """A node: its first process mounts the filesystem and becomes the node's slurmd."""
    shared = shlex.quote(site.settings.shared)
    script = f"""
        hostname {node}
        umount -l {shared}
        {shlex.join(_mount_command(site, node))} &
        for try in $(seq 500); do mountpoint -q {shared} && break; sleep 0.02; done
        mountpoint -q {shared} || exit 1
        slurmd -D -N {node} -f {shlex.quote(str(site.conf))} &
        wait
    """
    apart = ['unshare', '--mount', '--uts', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private']
    launch(site.directory, f'host-{node}', [*apart, 'bash', '-c', script], node, SLURM_CONF=str(site.conf))


def unmount(site: Site) -> None:
    """Take the login node's mount away, also when its server is dead."""
    mount = site.settings.shared
    done = subprocess.run(['umount', '-l', mount], capture_output=True, text=True)
    if done.returncode and 'not mounted' not in done.stderr and 'no mount point' not in done.stderr:
        raise ClusterError(f'could not unmount {mount}: {done.stderr}')
