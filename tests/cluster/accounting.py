"""What sacct needs: MariaDB and slurmdbd, both with their files in the cluster's directory."""

from __future__ import annotations

import getpass
import os
import subprocess

from tests.cluster.hosts import listens
from tests.cluster.processes import MARK, SYSTEM, ClusterError, launch, poll, tail
from tests.cluster.settings import Site


def start_accounting(site: Site) -> None:
    _start_database(site)
    _start_slurmdbd(site)
    name = f'awflow{site.port}'
    environ = {**os.environ, 'PATH': SYSTEM, 'SLURM_CONF': str(site.conf)}
    added = subprocess.run(['sacctmgr', '-i', 'add', 'cluster', name], env=environ, capture_output=True, text=True)
    if added.returncode:
        raise ClusterError(f'sacctmgr add cluster: {added.stdout}{added.stderr}')


def _start_database(site: Site) -> None:
    user, data = getpass.getuser(), site.directory / 'db'
    data.mkdir()
    made = subprocess.run(
        ['mariadb-install-db', '--no-defaults', f'--datadir={data}', '--skip-test-db', f'--user={user}',
         '--auth-root-authentication-method=socket'],
        env={**os.environ, 'PATH': SYSTEM, MARK: str(site.directory)}, capture_output=True, text=True,
    )  # fmt: skip
    if made.returncode:
        raise ClusterError(f'mariadb-install-db: {made.stdout}{made.stderr}')
    # Small and careless: its data live as long as one test.
    command = [
        'mariadbd', '--no-defaults', f'--user={user}', f'--datadir={data}', f'--socket={site.database}',
        '--skip-networking', '--innodb-buffer-pool-size=64M', '--innodb-log-file-size=16M', '--innodb-doublewrite=0',
        '--innodb-lock-wait-timeout=900', '--innodb-flush-log-at-trx-commit=0', f'--pid-file={site.directory}/run/mariadb.pid',
    ]  # fmt: skip
    launch(site.directory, 'mariadb', command)
    create = ['mariadb', '--no-defaults', '-S', str(site.database), '-u', user, '-e', 'create database slurm']
    log = site.directory / 'log' / 'mariadb.out'
    poll(lambda: subprocess.run(create, capture_output=True).returncode == 0, 30, 'MariaDB', lambda: tail(log))


def _start_slurmdbd(site: Site) -> None:
    user, conf = getpass.getuser(), site.directory / 'slurmdbd.conf'
    conf.touch(mode=0o600)  # or slurmdbd refuses it
    conf.write_text(
        f"""\
AuthType=auth/munge
AuthInfo=socket={site.munge}
DbdHost=localhost
DbdPort={site.dbd_port}
SlurmUser={user}
PidFile={site.directory}/run/slurmdbd.pid
LogFile={site.log('slurmdbd')}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser={user}
StorageLoc=slurm
""",
        encoding='utf-8',
    )
    # MySQL's client library has no option for this: the variable is the only way to name the socket.
    launch(site.directory, 'slurmdbd', ['slurmdbd', '-D'], MYSQL_UNIX_PORT=str(site.database), SLURM_CONF=str(conf))
    poll(lambda: listens(site.dbd_port), 30, 'slurmdbd', lambda: tail(site.log('slurmdbd')))
