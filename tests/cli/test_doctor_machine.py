"""`awflow doctor` on filesystems, clusters and kernels that are faked at their seams, and on what hangs."""

from __future__ import annotations

import configparser
import errno
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.checks import bounded, cluster, filesystem, machine, mounts
from awflow.cli.checks.findings import Part
from awflow.state.fs import Disk
from awflow.state.liveness import Proc
from tests.cli.conftest import LIMIT
from tests.cli.examination import parts, said, text_of


def test_the_text_for_people(examined: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def check(part: Part, *_: Any) -> None:
        part.ok('this is so')
        part.warn(f'this is {"very " * 14}long', 'awflow does something about it.\nAnd says so.')
        part.unfit('this is not so')

    for module in (machine, cluster, filesystem):
        monkeypatch.setattr(module, 'check', check)
    done = examined()
    block = """\
machine
  ok       this is so
  warning  this is very very very very very very very very very very very very
           very very long
           awflow does something about it.
           And says so.
  unfit    this is not so
"""
    assert done.out == (
        block + block.replace('machine', 'Slurm') + 'state\n'
        '  ok       there is none here or in any directory above\n'
        '           The first run that has work to do makes .awflow.\n'
        + block.replace('machine', 'filesystem')
        + 'not fit: machine, Slurm, filesystem\n'
    )  # fmt: skip
    assert done.code == 1


# -- filesystems -------------------------------------------------------------------------------------------------------


def tried(tmp_path: Path, disk: Disk) -> Part:
    """The filesystem as this disk shows it; whatever it is, nothing is left on it."""
    part = Part('filesystem')
    filesystem.check(part, str(tmp_path), f'{tmp_path}/{filesystem.PREFIX}x', disk)
    assert os.listdir(tmp_path) == []
    return part


def test_a_filesystem_without_links_is_refused_and_the_cure_named(tmp_path: Path) -> None:
    class NoLinks(Disk):
        def link(self, source: str, target: str) -> None:
            raise PermissionError(errno.EPERM, 'Operation not permitted', target)

    part = tried(tmp_path, NoLinks())
    assert part.verdict == 'unfit'
    assert 'hard links are not supported' in said(part, 'unfit')
    assert 'schedule(state=...)' in said(part, 'unfit')


def test_links_and_creates_that_do_not_exclude_are_unfit(tmp_path: Path) -> None:
    class Lax(Disk):
        def link(self, source: str, target: str) -> None:
            if os.path.exists(target):
                return
            super().link(source, target)

        def create(self, path: str, data: bytes) -> None:
            Path(path).write_bytes(data)

    part = tried(tmp_path, Lax())
    assert 'could be created exclusively once more' in said(part, 'unfit')
    assert 'was granted to a second link' in said(part, 'unfit')


@pytest.mark.parametrize(('step', 'shown'), [(10**9, '1 s'), (10**6, '1 ms'), (100, '100 ns')])
def test_coarse_timestamps_are_told(tmp_path: Path, step: int, shown: str) -> None:
    class Coarse(Disk):
        def stat(self, path: str) -> os.stat_result:
            found = super().stat(path)
            return _Stat(found, found.st_mtime_ns // step * step)  # type: ignore[return-value]

    part = tried(tmp_path, Coarse())
    assert part.facts['timestamps_ns'] == step
    assert f'kept to {shown}' in said(part, 'ok')
    assert part.verdict != 'unfit'


class _Stat:
    """What stat says, with another time."""

    def __init__(self, found: os.stat_result, mtime: int) -> None:
        self._found = found
        self.st_mtime_ns = mtime

    def __getattr__(self, name: str) -> Any:
        return getattr(self._found, name)


@pytest.mark.parametrize(('skew', 'how'), [(100.0, 'behind'), (-100.0, 'ahead of')])
def test_a_clock_that_differs_from_the_filesystems_is_a_warning(tmp_path: Path, skew: float, how: str) -> None:
    class Early(Disk):
        def now(self) -> float:
            return super().now() + skew

    part = tried(tmp_path, Early())
    assert f'the clock of the filesystem is 100.0 s {how} that of this machine' in said(part, 'warning')


@pytest.mark.parametrize('number', [errno.EROFS, errno.EACCES])
def test_where_nothing_can_be_written_nothing_is_tried(tmp_path: Path, number: int) -> None:
    class Closed(Disk):
        def mkdir(self, path: str) -> None:
            raise OSError(number, os.strerror(number), path)

    part = tried(tmp_path, Closed())
    assert os.strerror(number) in said(part, 'skipped')
    assert part.verdict != 'unfit'


def test_a_full_disk_is_unfit(tmp_path: Path) -> None:
    class Full(Disk):
        def mkdir(self, path: str) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)

    assert 'No space left on device' in said(tried(tmp_path, Full()), 'unfit')


def test_a_failing_call_is_told_and_the_rest_still_tried(tmp_path: Path) -> None:
    class Broken(Disk):
        def rename(self, source: str, target: str) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO), target)

    part = tried(tmp_path, Broken())
    assert 'rename failed: Input/output error' in said(part, 'unfit')
    assert 'milliseconds' in said(part, 'ok')


def test_names_that_are_changed_or_not_told_apart_are_warnings(tmp_path: Path) -> None:
    class Folding(Disk):
        """As on a disk of another system: no upper case, no letters beyond ASCII."""

        def create(self, path: str, data: bytes) -> None:
            folder, name = os.path.split(path)
            super().create(f'{folder}/{name.lower().encode("ascii", "replace").decode()}', data)

    part = tried(tmp_path, Folding())
    assert 'upper and lower case are not told apart' in said(part, 'warning')
    assert 'names that are not ASCII are refused or changed' in said(part, 'warning')


MOUNTS = """\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 22 0:44 / /home rw,nosuid - nfs4 server:/export/home rw,vers=4.2,local_lock=none,addr=10.0.0.1
31 22 0:45 / /old rw - nfs server:/old rw,vers=3,local_lock=all
32 22 0:46 / /lustre rw - lustre 10.0.0.2@o2ib:/fs rw,localflock
33 22 0:47 / /lustre/strict rw - lustre 10.0.0.2@o2ib:/fs2 rw,flock
34 22 0:48 / /gpfs rw - gpfs fs1 rw
35 22 0:49 / /with\\040space rw - fuse.glusterfs host:/volume rw
36 22 0:50 / /tmp rw shared:5 master:1 - tmpfs tmpfs rw
37 22 0:51 / /new rw - newfs x rw
38 36 0:52 / /tmp/beegfs rw - beegfs beegfs_nodev rw
39 22 0:53 / /home rw - lustre over:/it rw,noflock
"""


@pytest.mark.parametrize(('path', 'kind', 'shared', 'locks'), [
    ('/etc', 'ext4', False, 'node'), ('/homes', 'ext4', False, 'node'), ('/old/x', 'nfs', True, 'node'),
    ('/lustre', 'lustre', True, 'node'), ('/lustre/strict/x', 'lustre', True, 'server'), ('/gpfs/x', 'gpfs', True, 'node'),
    ('/with space/x', 'fuse.glusterfs', True, 'server'), ('/tmp/x', 'tmpfs', False, 'node'), ('/new', 'newfs', None, 'unknown'),
    ('/tmp/beegfs/x', 'beegfs', True, 'node'), ('/home/x', 'lustre', True, 'nobody'),
])  # fmt: skip
def test_mounts_tell_their_kind_and_who_decides_on_locks(path: str, kind: str, shared: bool | None, locks: str) -> None:
    mount = mounts.mount_of(path, MOUNTS)
    assert mount is not None
    assert (mount.kind, mount.shared, mount.locks()[0]) == (kind, shared, locks)


def test_a_filesystem_of_this_machine_does_not_do_for_a_cluster(
    examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, 'mount_here', lambda path: mounts.mount_of('/etc', MOUNTS))
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol=CONFIG, sinfo='echo "main*|up|infinite|4"'))
    done = examined()
    assert done.code == 0
    assert 'other nodes of the cluster do not see it' in text_of(done, 'filesystem')


# -- the machine and Slurm ---------------------------------------------------------------------------------------------

CONFIG = """cat <<'END'
Configuration data as of 2026-03-14T09:26:53
ClusterName             = lab
MaxArraySize            = 1001
MinJobAge               = 300 sec
SchedulerParameters     = bf_continue,max_array_tasks=500
SLURM_VERSION           = 23.11.4
END"""


def commands(tmp_path: Path, **bodies: str) -> str:
    """A directory of commands, to be the PATH; those that are not told do nothing. Not where something is examined."""
    folder = tmp_path.parent / f'{tmp_path.name}-commands'
    folder.mkdir(exist_ok=True)
    for name in ('sbatch', 'squeue', 'scancel', 'scontrol', 'sinfo'):
        path = folder / name
        path.write_text(f'#!/bin/sh\nPATH=/usr/bin:/bin\n{bodies.get(name, "")}\n')
        path.chmod(0o755)
    return str(folder)


def test_without_slurm_it_is_local_only(examined: Any) -> None:
    assert text_of(examined(), 'Slurm').startswith('ok no Slurm on this machine: local only')


def test_the_limits_of_a_cluster_are_told(examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = 'echo "main|up|2-00:00:00|3"; echo "main|up|2-00:00:00|2"; echo "old|down|infinite|1"'
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol=CONFIG, sinfo=lines))
    done = examined('--json')
    assert done.code == 0
    assert parts(done)['Slurm']['facts'] == {
        'cluster': 'lab', 'version': '23.11.4', 'numbers': 1001, 'elements': 500, 'partitions': ['main', 'old'], 'nodes': 5,
    }  # fmt: skip
    assert 'main (2-00:00:00), old (down)' in done.out
    assert 'an array may have 500 elements, numbered below 1001' in done.out


def test_a_controller_that_refuses_is_a_warning(examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol='echo "scontrol: error: no such host" >&2; exit 1'))
    done = examined()
    assert done.code == 0
    assert 'does not answer: scontrol refused: no such host' in text_of(done, 'Slurm')


def test_a_controller_that_hangs_is_given_up_with_the_command_that_asked_it(
    examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pid = tmp_path.parent / f'{tmp_path.name}-pid'
    monkeypatch.setenv('PATH', commands(tmp_path, scontrol=f'echo $$ > {pid}; exec sleep 1000'))
    done = examined('--timeout', '2')
    assert done.code == 0
    assert text_of(done, 'Slurm').startswith('warning no answer within 2 s')
    assert 'fit, with 1 warning' in done.lines[-1]
    assert_gone(int(pid.read_text()))


def assert_gone(pid: int) -> None:
    """Until a killed process is gone; it has been sent its signal."""
    end = time.monotonic() + LIMIT
    while time.monotonic() < end:
        found = Proc().stat(pid)
        if found is None or found[0] in 'ZX':
            return
    pytest.fail(f'process {pid} is still there')


def test_commands_of_slurm_that_are_missing_are_named(examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = commands(tmp_path)
    os.unlink(f'{folder}/squeue')
    monkeypatch.setenv('PATH', folder)
    assert 'of the commands of Slurm these are missing: squeue' in text_of(examined(), 'Slurm')


def test_packages_that_are_missing_or_too_old_are_unfit_with_the_command_that_helps() -> None:
    part = Part('machine')
    versions = {**machine.NEEDED, 'rich': '12.9', 'psutil': '', 'filelock': '3.9.1'}
    machine.packages(part, versions.__getitem__)
    assert [finding.what for finding in part.findings if finding.verdict == 'unfit'] == [
        'filelock 3.9.1 is too old', 'psutil is not installed', 'rich 12.9 is too old',
    ]  # fmt: skip
    assert part.findings[1].does == 'pip install "psutil>=5.9"'


def test_the_packages_looked_for_are_those_that_the_metadata_asks_for() -> None:
    config = configparser.ConfigParser()
    config.read(Path(__file__).parents[2] / 'setup.cfg')
    wanted = dict(re.findall(r'^(\w+)>=([\d.]+)$', config['options']['install_requires'], re.MULTILINE))
    assert wanted == dict(machine.NEEDED)
    assert config['options']['python_requires'] == '>=' + '.'.join(map(str, machine.PYTHON))


def test_a_kernel_that_hides_processes_is_a_warning() -> None:
    class Hidden(Proc):
        def boot(self) -> str:
            return ''

    part = Part('machine')
    machine.processes(part, Hidden())
    assert said(part, 'warning').startswith('/proc does not tell this: boot id')


# -- time bounds -------------------------------------------------------------------------------------------------------


def test_a_check_that_hangs_is_given_up_with_all_that_it_started(tmp_path: Path) -> None:
    pid = tmp_path / 'pid'

    def hang(part: Part) -> None:
        sleeper = subprocess.Popen(['sleep', '1000'], start_new_session=True)
        pid.write_text(str(sleeper.pid))
        signal.pause()

    part = bounded.bounded('x', hang, 1.0, 'It means this.')
    assert repr(part.findings) == '[Finding(unfit: no answer within 1 s)]'
    assert part.findings[0].does == 'It means this.'
    assert_gone(int(pid.read_text()))


def test_a_check_that_dies_or_fails_is_told() -> None:
    def die(part: Part) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def fail(part: Part) -> None:
        part.ok('so far')
        raise RuntimeError('a mistake')

    assert bounded.bounded('x', die, LIMIT).findings[0].what == f'the process that looked ended by signal {signal.SIGKILL:d}'
    found = bounded.bounded('x', fail, LIMIT)
    assert [finding.verdict for finding in found.findings] == ['ok', 'unfit']
    assert found.findings[1].what.startswith('the check itself failed: RuntimeError: a mistake (test_doctor_machine.py:')


def test_what_was_made_for_trying_is_removed_when_a_trial_hangs(
    examined: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(part: Part, directory: str, probe: str, disk: Disk) -> None:
        os.mkdir(probe)
        Path(probe, 'file').touch()
        (tmp_path / 'seen').touch()
        signal.pause()

    monkeypatch.setattr(filesystem, 'check', hang)
    done = examined('--timeout', '2')
    assert done.code == 1
    assert text_of(done, 'filesystem') == 'unfit no answer within 2 s The filesystem does not answer: tasks would hang, too.'
    assert os.listdir(tmp_path) == ['seen']


def test_two_hosts_need_a_cluster(examined: Any, tmp_path: Path) -> None:
    done = examined('--two-hosts')
    assert done.code == 1
    assert 'this machine has no command srun' in text_of(done, 'two hosts')
    assert os.listdir(tmp_path) == []
