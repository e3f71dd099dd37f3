"""Sites that are unlike the usual one: nodes with a lagging filesystem, accounts, a controller that soon forgets."""

from __future__ import annotations

import getpass
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.tested import TestedCluster
from tests.slurm.flow import Flow

PI = Path(__file__).parents[2] / 'examples' / 'pi.py'
MakeCluster = Callable[..., TestedCluster]

FAR = """
    def seen(): return os.path.exists('made'), os.path.exists('later')

    @job(nodelist='n2', array=4)
    def doubt(i):  # the client there believes for some seconds that there is no such file
        seen()
        return os.uname().nodename
    @outputs('made')
    @after(doubt)
    @job(nodelist='n1')
    def make():
        with open('made', 'w') as file: file.write('far')
        return os.uname().nodename
    @inputs('made')
    @after(make)
    @job(nodelist='n2')
    def read():
        with open('made') as file: return file.read(), make.result(), os.uname().nodename
    @job(array=6, cpus=4)
    def spread(i): return os.uname().nodename
    @after(spread, each=True)
    @job(array=6, cpus=4)
    def other(i): return spread.result(), os.uname().nodename
    @after(other, read)
    @job
    def last(): return other.results(), read.result()
    @job(nodelist='n3', no_requeue=True)
    def doomed():
        open('doomed', 'w').close()
        while not os.path.exists('mended'): time.sleep(0.1)
    @after(doomed, status='failure')
    @job
    def mourns(): pass
    run = schedule(last, mourns, backend='slurm', wait=True, check=False)
    for failure in run.failures: print(failure)
    print(last.result())
"""


def test_nodes_that_see_each_others_files_late_run_whole_workflows(
    make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make_cluster(nodes=3, shared=str(tmp_path / 'shared'))
    flow = Flow(tmp_path / 'shared' / 'work', cluster, monkeypatch)
    flow.write('pi.py', PI.read_text(encoding='utf-8'))
    ran = flow.submit('--backend', 'slurm', name='pi.py')
    assert ran.returncode == 0, ran
    cluster.wait_until(lambda: flow.attempts().get('merge') and flow.attempts()['merge'].final)
    records = flow.attempts()
    assert {record.outcome for record in records.values()} == {'succeeded'}
    assert len(records) == 11
    assert len({record.host for record in records.values()}) > 1
    assert 'pi.npy' in os.listdir(flow.path)
    assert flow.submit('--backend', 'slurm', name='pi.py').executed == []

    flow.script(FAR)
    process = flow.start()
    cluster.wait_until(lambda: 'doomed' in os.listdir(flow.path))
    cluster.kill_node('n3')
    ran = flow.finish(process, {})
    assert ran.returncode == 0, ran
    others, read = eval(ran.stdout.splitlines()[-1])
    assert read == ('far', 'n1', 'n2')
    assert len({host for pair in others for host in pair}) > 1
    assert 'its node n3 failed' in ran.stdout, ran
    assert ran.outcomes['mourns'] == 'succeeded'
    cluster.boot_node('n3')
    flow.write('mended', '')
    assert flow.run().executed == ['doomed']


ACCOUNTED = """
    import awflow.backends.slurm.reconcile as reconcile
    reconcile.PAUSE = 1.0  # seconds between two looks at a queue that misses an id
    @job(account='some')
    def fine(): pass
    @job
    def fails(): raise ValueError
    @after(fails)
    @job
    def below(): pass
    @job
    def killed():
        with open('began', 'a') as file: print(os.getpid(), os.getppid(), file=file)
        while not os.path.exists('go'): time.sleep(0.05)
    @after(killed)
    @job
    def last(): pass
    schedule(fine, below, last, backend='slurm', wait=len(sys.argv) > 1, check=False)
"""


def test_a_site_with_accounts_whose_controller_forgets_soon_loses_nothing(
    make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make_cluster(nodes=1, accounting=True, min_job_age=2)
    cluster.ask('sacctmgr', '-i', 'add', 'account', 'some')
    cluster.ask('sacctmgr', '-i', 'add', 'user', getpass.getuser(), 'account=some')
    flow = Flow(tmp_path / 'work', cluster, monkeypatch)
    flow.script(ACCOUNTED)
    assert flow.run().returncode == 0
    cluster.wait_until(lambda: flow.exists('began'))
    pids = cluster.wait_until(lambda: [int(word) for word in flow.read('began').split()])
    for pid in reversed(pids):  # first the one that would say what became of the other
        os.kill(pid, signal.SIGKILL)
    cluster.wait_until_empty()

    def accounts() -> set[str]:
        return set(cluster.ask('sacct', '-nPXo', 'jobname,state').splitlines())

    cluster.wait_until(lambda: accounts() == {'fine|COMPLETED', 'fails|FAILED', 'killed|FAILED'})
    assert cluster.ask('sacct', '-nPXo', 'account', '--name=fine') == 'some\n'
    assert not flow.attempts()['killed'].final, 'it left no word'
    cluster.wait_until(lambda: not cluster.jobs(), what='a controller that remembers nothing')

    cluster.forget_commands()
    flow.write('go', '')
    ran = flow.run('wait')
    assert ran.returncode == 0, ran
    assert flow.names() == ['below', 'fails', 'killed', 'last']
    assert ran.outcomes == {'fails': 'failed', 'killed': 'succeeded', 'last': 'succeeded'}, ran
    assert len(flow.lines('began')) == 2


PREEMPTED = """
    @job(requeue=True, memory='50MB')
    def humble():
        with open('tries', 'a') as file: print('x', file=file)
        while not os.path.exists('preempted'): time.sleep(0.05)
    @after(humble)
    @job
    def last(): pass
    schedule(last, backend='slurm', wait=True)
"""


def test_a_task_that_makes_room_for_another_job_runs_again_and_its_dependents_wait(
    make_cluster: MakeCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urgent = 'PreemptType=preempt/partition_prio\nPreemptMode=REQUEUE\nPartitionName=urgent Nodes=n1 PriorityTier=9 State=UP'
    cluster = make_cluster(nodes=1, cpus=1, extra=urgent)
    flow = Flow(tmp_path / 'work', cluster, monkeypatch)
    flow.script(PREEMPTED)
    process = flow.start()
    cluster.wait_until(lambda: flow.lines('tries'))
    cluster.wait_for(cluster.sbatch(f'touch {flow.path}/preempted', '--partition=urgent'), 'COMPLETED')
    ran = flow.finish(process, {})
    assert ran.returncode == 0, ran
    assert len(flow.lines('tries')) == 2
    assert (ran.records['humble'].attempt, ran.records['humble'].outcome) == ((1, 0), 'succeeded')
    assert len(flow.submissions()) == 2
