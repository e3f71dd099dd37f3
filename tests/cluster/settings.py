"""What a throw-away cluster is like, where its files are, and the configuration files that follow from both."""

from __future__ import annotations

import dataclasses
import getpass
import json
import random
import socket
from pathlib import Path

DEVICES = ('/dev/null', '/dev/zero', '/dev/full', '/dev/random')  # slurmd wants a device that exists for every gpu


@dataclasses.dataclass(frozen=True)
class Settings:
    """The choices of who starts a cluster."""

    nodes: int = 4
    cpus: int = 8  # of each node, whatever the machine has
    memory: int = 64000  # of each node, MiB, likewise
    gpus: int = 2  # of each node; at most 4
    max_array_size: int = 10001  # the indices of an array end below this
    min_job_age: int = 300  # seconds for which squeue and scontrol know of a job that ended
    node_timeout: int = 8  # seconds after which a silent node begins to count as down
    accounting: bool = False  # slurmdbd and MariaDB, for sacct
    shared: str = ''  # every node a host of its own, with a network filesystem mounted here
    cache: float = 3  # seconds for which such a mount believes what it saw, absence too
    extra: str = ''  # more lines of slurm.conf

    def programs(self) -> list[str]:
        """What has to be installed."""
        needed = ['munged', 'slurmctld', 'slurmd', 'sbatch', 'squeue', 'scancel', 'scontrol', 'sinfo']
        if self.accounting:
            needed += ['slurmdbd', 'sacctmgr', 'mariadbd', 'mariadb-install-db']
        if self.shared:
            needed += ['glusterfsd', 'glusterfs', 'unshare']
        return needed


@dataclasses.dataclass(frozen=True)
class Site:
    """A cluster's directory and its block of ports."""

    directory: Path
    port: int
    settings: Settings

    @classmethod
    def create(cls, directory: Path, settings: Settings) -> Site:
        """Take an empty directory; everything of the cluster is going to be in it."""
        directory = directory.resolve()
        if any(directory.iterdir()):
            raise FileExistsError(f'{directory} is not empty; is a cluster there already? Take it down first.')
        site = cls(directory, _free_ports(settings.nodes + 3), settings)
        if len(str(site.munge)) > 100:
            raise ValueError(f'{directory} is too long a path for a socket in it; set TMPDIR to a shorter one.')
        directory.chmod(0o755)
        for name in ('run', 'log', 'state', 'spool', 'bin', 'key', 'config'):
            (directory / name).mkdir()
        (directory / 'key').chmod(0o700)
        said = {'port': site.port, 'settings': dataclasses.asdict(settings)}
        (directory / 'site.json').write_text(json.dumps(said), encoding='utf-8')
        return site

    @classmethod
    def load(cls, directory: Path) -> Site:
        """The cluster that was started in this directory."""
        said = json.loads((directory / 'site.json').read_text(encoding='utf-8'))
        return cls(directory.resolve(), said['port'], Settings(**said['settings']))

    @property
    def conf(self) -> Path:
        return self.directory / 'slurm.conf'

    @property
    def munge(self) -> Path:
        return self.directory / 'run' / 'munge.socket'

    @property
    def database(self) -> Path:
        return self.directory / 'run' / 'mariadb.socket'

    @property
    def dbd_port(self) -> int:
        return self.port + 1

    @property
    def brick_port(self) -> int:
        return self.port + 2 + self.settings.nodes

    @property
    def nodes(self) -> list[str]:
        return [f'n{number}' for number in range(1, self.settings.nodes + 1)]

    def log(self, name: str) -> Path:
        return self.directory / 'log' / f'{name}.log'

    def write_configuration(self) -> None:
        """Every file that Slurm's daemons look for beside slurm.conf."""
        files = {
            'slurm.conf': slurm_conf(self),
            'gres.conf': gres_conf(self.settings),
            'cgroup.conf': 'CgroupAutomount=no\n',
            'plugstack.conf': '',  # an absent one is looked for in /etc
        }
        for name, text in files.items():
            (self.directory / name).write_text(text, encoding='utf-8')


def _free_ports(count: int) -> int:
    """The first of some neighbouring ports that nobody uses, below those that systems give to clients."""
    for _ in range(500):
        first = random.randrange(12000, 32000)
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(('127.0.0.1', port))
        except OSError:
            continue
        return first
    raise OSError(f'no {count} free ports next to each other')


def slurm_conf(site: Site) -> str:
    """Fast rather than fair: the delays by which a real site spares its controller are all set to their least."""
    settings, directory, user = site.settings, site.directory, getpass.getuser()
    last = site.port + 1 + settings.nodes
    gpus = f' Gres=gpu:fake:{settings.gpus}' if settings.gpus else ''
    nodes = f'n[1-{settings.nodes}]'
    return f"""\
ClusterName=awflow{site.port}
SlurmctldHost=localhost
SlurmctldPort={site.port}
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={directory}/state
SlurmdSpoolDir={directory}/spool/%n
SlurmctldPidFile={directory}/run/slurmctld.pid
SlurmdPidFile={directory}/run/slurmd-%n.pid
SlurmctldLogFile={site.log('slurmctld')}
SlurmdLogFile={directory}/log/slurmd-%n.log

# A munged of our own. A requeued job waits for its old credential to expire: 6 seconds with this, 120 without.
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket={site.munge},cred_expire=5

# No cgroups: processes are followed by their parents, and memory limits hold because somebody looks every second.
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=1
JobAcctGatherParams=OverMemoryKill
JobCompType=jobcomp/filetxt
JobCompLoc={directory}/jobcomp.txt
{accounting_lines(site)}

# Decide at once.
SchedulerType=sched/backfill
SchedulerParameters={_SCHEDULER}
PriorityType=priority/basic

# Nodes claim what they are told to have. Without a default a job that asks for no memory gets a whole node's.
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=100
SlurmdParameters=config_overrides
GresTypes=gpu

MaxArraySize={settings.max_array_size}
MaxJobCount=50000
MinJobAge={settings.min_job_age}
KillWait=1
CompleteWait=0
InactiveLimit=0
OverTimeLimit=0
ReturnToService=2
SlurmctldTimeout=10
SlurmdTimeout={settings.node_timeout}
MessageTimeout=10
UnkillableStepTimeout=10
{settings.extra}

NodeName={nodes} NodeHostname=localhost NodeAddr=127.0.0.1 Port=[{site.port + 2}-{last}] \
CPUs={settings.cpus} RealMemory={settings.memory}{gpus} State=UNKNOWN
PartitionName=main Nodes={nodes} Default=YES MaxTime=INFINITE State=UP
PartitionName=short Nodes={nodes} MaxTime=00:05:00 State=UP
PartitionName=closed Nodes={nodes} State=DOWN
"""


_SCHEDULER = ','.join(
    (
        'sched_interval=1', 'sched_min_interval=0', 'batch_sched_delay=0', 'bf_interval=1', 'bf_max_job_test=1000',
        'default_queue_depth=10000', 'partition_job_depth=0',
    )
)  # fmt: skip


def accounting_lines(site: Site) -> str:
    """Where slurmctld reports to. Without the last line it would use the machine's munge for this, and die."""
    if not site.settings.accounting:
        return 'AccountingStorageType=accounting_storage/none'
    return f"""\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={site.dbd_port}
AccountingStorageUser={getpass.getuser()}
AccountingStoreFlags=job_comment,job_script
AccountingStoragePass={site.munge}"""


def gres_conf(settings: Settings) -> str:
    """A gpu must be a device: with a plain file jobs see no CUDA_VISIBLE_DEVICES, with none the node is drained."""
    if not settings.gpus:
        return ''
    files = ','.join(DEVICES[: settings.gpus])
    return f'AutoDetect=off\nNodeName=n[1-{settings.nodes}] Name=gpu Type=fake File={files}\n'
