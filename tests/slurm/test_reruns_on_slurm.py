"""What is up to date stays so: on the cluster, on this machine, and from one to the other."""

from __future__ import annotations

from pathlib import Path

from tests.slurm.flow import Flow

PI = Path(__file__).parents[2] / 'examples' / 'pi.py'
ESTIMATES = [f'estimate[{i}]' for i in range(10)]


def test_pi_runs_on_slurm_and_only_what_is_missing_is_submitted_again(flow: Flow) -> None:
    flow.write('pi.py', PI.read_text(encoding='utf-8'))
    slurm = 'pi.py', '--backend', 'slurm'
    ran = flow.submit(*slurm[1:], name='pi.py')
    assert ran.returncode == 0, ran
    assert sorted(ran.executed) == [*ESTIMATES, 'merge'], ran
    assert set(ran.outcomes.values()) == {'succeeded'}, ran
    assert flow.names() == ['estimate', 'merge']
    assert flow.asked('array') == ['0-9']
    assert flow.asked('mem') == ['4096M']
    assert sorted(flow.asked('cpus-per-task')) == ['4', '4']
    assert len(flow.cluster.commands('sbatch')) == 4, 'every distinct request is tried first'
    assert 'submitted 11 tasks in 2 Slurm jobs' in ran.stderr + ran.stdout, ran
    flow.cluster.forget_commands()

    assert flow.submit(*slurm[1:], name='pi.py').executed == []
    assert flow.cluster.commands() == [], 'a run with nothing to do asks Slurm nothing'

    flow.remove('pi.npy')
    flow.remove('pi-3.npy')
    ran = flow.submit(*slurm[1:], name='pi.py')
    assert sorted(ran.executed) == ['estimate[3]', 'merge'], ran
    assert flow.asked('array') == ['3']
    flow.cluster.forget_commands()

    ran = flow.run(name='pi.py')
    assert (ran.returncode, ran.executed, ran.stdout) == (0, [], ''), ran
    assert flow.cluster.commands() == []


CHAIN = """
    backend = sys.argv[1]
    @job(array=4)
    def part(i): return i * {factor}
    @after(part)
    @job
    def total():
        with open('total', 'w') as file: print(sum(part.results()), file=file)
    schedule(total, backend=backend, **({{'wait': True}} if backend == 'slurm' else {{}}))
"""


def test_what_ran_here_does_not_run_on_slurm_and_the_other_way_round(flow: Flow) -> None:
    flow.script(CHAIN.format(factor=1))
    assert len(flow.run('local').executed) == 5
    assert flow.run('slurm').executed == []
    assert flow.cluster.commands() == []
    flow.edit('i * 1', 'i * 10')
    ran = flow.run('slurm')
    assert (ran.returncode, len(ran.executed)) == (0, 5), ran
    assert flow.read('total') == '60\n'
    assert flow.run('local').executed == []
    flow.edit('i * 10', 'i * 1')
    ran = flow.run('local')
    assert (ran.returncode, len(ran.executed)) == (0, 5), ran


EARLY = """
    @inputs('data')
    @outputs('kept')
    @job
    def first():
        with open('data') as source, open('kept', 'w') as file: file.write(source.read().split()[0])
    @inputs('kept')
    @after(first)
    @job
    def second(): open('second', 'a').write('x')
    @after(second)
    @job(array=3)
    def third(i): open(f'third-{i}', 'a').write('x')
    schedule(third, backend='slurm', wait=True)
"""


def test_what_proves_unchanged_on_its_node_does_not_run(flow: Flow) -> None:
    flow.script(EARLY)
    flow.write('data', 'a b')
    assert len(flow.run().executed) == 5
    flow.cluster.forget_commands()
    flow.write('data', 'a other')
    ran = flow.run()
    assert (ran.returncode, ran.executed) == (0, ['first']), ran
    assert flow.read('second') == flow.read('third-1') == 'x'
    assert len(flow.submissions()) == 3, 'whether they change is not known before'
    flow.cluster.wait_until_empty()
    flow.cluster.forget_commands()
    assert flow.run().executed == []
    assert flow.submissions() == [], 'what proved unchanged counts as fresh'
    flow.write('data', 'new')
    assert len(flow.run().executed) == 5
    assert flow.read('second') == flow.read('third-1') == 'xx'


def test_what_succeeded_under_an_older_submission_ends_at_once_when_requeued(flow: Flow) -> None:
    flow.script("""
        @job(requeue=True)
        def once():
            open('once', 'a').write('x')
        schedule(once, backend='slurm', wait=True)
    """)
    assert flow.run().returncode == 0
    flow.cluster.wait_until_empty()
    [job] = flow.cluster.jobs('-n', 'once', '-t', 'completed')[-1:]
    flow.cluster.ask('scontrol', 'requeue', job.id)
    flow.cluster.wait_until_empty()
    assert flow.cluster.job(job.id).state == 'COMPLETED'
    assert flow.read('once') == 'x'
    assert flow.run().executed == []
