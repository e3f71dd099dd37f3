"""The cluster that the other tests here rely on."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.cluster.processes import ClusterError, members
from tests.cluster.tested import TestedCluster
from tests.conftest import Workspace

MakeCluster = Callable[..., TestedCluster]


def test_a_job_runs_and_its_end_is_seen(cluster: TestedCluster, tmp_path: Path) -> None:
    good = cluster.sbatch(f'echo $SLURMD_NODENAME > {tmp_path}/said')
    bad = cluster.sbatch('exit 3')
    cluster.wait_for(good, 'COMPLETED')
    assert cluster.wait_for(bad, 'FAILED').reason == 'NonZeroExitCode'
    assert (tmp_path / 'said').read_text().strip() in cluster.site.nodes


def test_an_array_is_one_line_a_task(cluster: TestedCluster, tmp_path: Path) -> None:
    number = cluster.sbatch(f'touch {tmp_path}/$SLURM_ARRAY_TASK_ID', '--array=1,3-4')
    cluster.wait_until_empty()
    assert [(job.id, job.task, job.state) for job in cluster.jobs('-j', number)] == [
        (f'{number}_{task}', task, 'COMPLETED') for task in ('1', '3', '4')
    ]
    assert sorted(os.listdir(tmp_path)) == ['1', '3', '4']


def test_a_dependent_waits_and_one_that_cannot_start_is_cancelled(cluster: TestedCluster, tmp_path: Path) -> None:
    first = cluster.sbatch(f'until [ -e {tmp_path}/go ]; do sleep 0.05; done; exit 1')
    cluster.wait_for(first, 'RUNNING')
    anyhow = cluster.sbatch('true', f'--dependency=afterany:{first}')
    never = cluster.sbatch('true', f'--dependency=afterok:{first}', '--kill-on-invalid-dep=yes')
    cluster.wait_until(lambda: cluster.job(anyhow).reason == 'Dependency')
    assert cluster.job(anyhow).dependency == f'afterany:{first}(unfulfilled)'
    (tmp_path / 'go').touch()
    cluster.wait_for(anyhow, 'COMPLETED')
    cluster.wait_for(never, 'CANCELLED')


def test_a_killed_node_takes_its_jobs_with_it_and_comes_back(cluster: TestedCluster, tmp_path: Path) -> None:
    job = cluster.sbatch(f'sleep 1000 & echo $! > {tmp_path}/pid; wait', '--nodelist=n2', '--no-requeue')
    other = cluster.sbatch('sleep 1000', '--nodelist=n1')
    pid = int(cluster.wait_until(lambda: (path := tmp_path / 'pid').exists() and path.read_text().strip()))
    cluster.wait_for(other, 'RUNNING')
    cluster.kill_node('n2')
    cluster.wait_for(job, 'NODE_FAIL')
    cluster.wait_until(lambda: not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    assert cluster.job(other).state == 'RUNNING'
    assert not members(cluster.directory, 'n2')
    cluster.boot_node('n2')
    cluster.wait_for(cluster.sbatch('true', '--nodelist=n2'), 'COMPLETED')


def test_commands_of_scripts_and_of_their_jobs_are_counted(cluster: TestedCluster, workspace: Workspace) -> None:
    workspace.write(
        'flow.py', "import subprocess as s; s.run(['sbatch', '--wrap', 'squeue -h\\n', '--job-name=a b', '--comment='])"
    )
    assert workspace.start().wait(30) == 0
    cluster.wait_until(lambda: len(cluster.commands()) == 2)
    cluster.jobs()
    cluster.sbatch('true')
    assert cluster.commands() == [['sbatch', '--wrap', 'squeue -h\n', '--job-name=a b', '--comment='], ['squeue', '-h']]
    assert cluster.commands('scancel') == []
    cluster.forget_commands()
    assert cluster.commands() == []


def test_what_does_not_happen_fails_with_the_queue_and_the_logs(cluster: TestedCluster) -> None:
    cluster.sbatch('true', '--hold', '--job-name=on-hold')
    with pytest.raises(ClusterError, match=r'(?s)after 0.1 s: wonders.*JOBID.*slurmctld.log'):
        cluster.wait_until(lambda: False, bound=0.1, what='wonders')


def test_restoring_removes_jobs_and_revives_nodes(cluster: TestedCluster) -> None:
    cluster.wait_for(cluster.sbatch('sleep 1000'), 'RUNNING')
    cluster.sbatch('true', '--hold')
    cluster.kill_node('n3')
    cluster.restore()
    assert cluster.active() == []
    cluster.wait_for(cluster.sbatch('true', '--nodelist=n3'), 'COMPLETED')


def test_a_site_may_have_small_arrays_and_refuse_what_can_never_run(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(nodes=1, max_array_size=5, extra='EnforcePartLimits=ALL')
    cluster.sbatch('true', '--array=0-4')
    with pytest.raises(ClusterError, match='Invalid job array specification'):
        cluster.sbatch('true', '--array=0-5')
    with pytest.raises(ClusterError, match=r'CPU count|processors'):
        cluster.sbatch('true', '--cpus-per-task=99')


def test_a_site_may_keep_accounts(make_cluster: MakeCluster) -> None:
    cluster = make_cluster(nodes=1, accounting=True)
    job = cluster.sbatch('exit 3')
    cluster.wait_for(job, 'FAILED')
    cluster.wait_until(lambda: f'{job}|FAILED|3:0' in cluster.ask('sacct', '-nPXo', 'jobid,state,exitcode'))


def test_nodes_may_be_hosts_that_share_a_filesystem(make_cluster: MakeCluster, tmp_path: Path) -> None:
    shared = tmp_path / 'shared'
    cluster = make_cluster(nodes=2, shared=str(shared))
    job = cluster.sbatch(f'echo $(hostname) $$ > {shared}/said; sleep 1000', '--nodelist=n2', '--no-requeue')
    said = cluster.wait_until(lambda: 'said' in os.listdir(shared) and (shared / 'said').read_text().split())
    assert said[0] == 'n2'
    assert int(said[1]) < 1000, 'counted anew on every host'
    cluster.kill_node('n2')
    cluster.wait_for(job, 'NODE_FAIL')
    cluster.boot_node('n2')
    again = cluster.sbatch(f'cp {shared}/said {shared}/again', '--nodelist=n2')
    cluster.wait_for(again, 'COMPLETED')
    cluster.wait_until(lambda: 'again' in os.listdir(shared))


def test_a_cluster_does_not_outlive_the_tests_that_were_killed(make_cluster: MakeCluster, tmp_path: Path) -> None:
    make_cluster(nodes=1)  # skips where there is no Slurm
    program = (
        'import signal; from tests.cluster.tested import *\n'
        'cluster = TestedCluster(Settings(nodes=1)); cluster.wait_for(cluster.sbatch("sleep 1000"), "RUNNING")\n'
        'print(cluster.directory, flush=True); signal.pause()'
    )
    top = Path(__file__).parents[2]
    tests = subprocess.Popen([sys.executable, '-c', program], cwd=top, stdout=subprocess.PIPE, text=True)
    assert tests.stdout is not None
    directory = Path(tests.stdout.readline().strip())
    holder = psutil.Process(tests.pid).children()[0]
    assert members(directory)
    tests.kill()
    tests.communicate()
    psutil.wait_procs([holder], timeout=30)
    assert not members(directory)
    assert os.listdir(directory) == []
    directory.rmdir()
