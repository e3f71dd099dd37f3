"""What a task finds on its node: variables, modules, directory, resources; and what sbatch is asked for."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.slurm.flow import Flow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cluster.tested import TestedCluster

FOUND = """
    import sibling

    def found(*names):
        return {name: os.environ.get(name) for name in names} | {'cwd': os.getcwd()}

    @job(cpus=3, env=['export FROM_JOB="$FROM_SITE and more"', 'cd /'], nice=7, comment_free=None)
    def prepared():
        return found('FROM_SITE', 'FROM_JOB', 'FROM_CALL', 'OMP_NUM_THREADS', 'MKL_NUM_THREADS', 'VIA')
    @job(gpus=1, partition='main', time_min='1')
    def visible():
        return found('CUDA_VISIBLE_DEVICES', 'SLURM_JOB_PARTITION')
    @job(gpus=2, memory='300MB')
    def both():
        return found('CUDA_VISIBLE_DEVICES', 'SLURM_MEM_PER_NODE')
    @job(exclusive=True, array=['x'])
    def imports(v):
        print('said', v)
        return [sibling.word(v), sys.argv, os.environ['SLURM_JOB_PARTITION']]
    schedule(prepared, visible, both, imports, backend='slurm', wait=True, partition='short', env='export FROM_CALL=3',
             account='chosen', interpreter=os.path.abspath('my python'))
    for one in (prepared, visible, both): print(one.result())
    print(imports.results())
"""
CONFIG = """
[slurm]
account = "usual"
qos = "normal"
memory = "150MB"
timelimit = "4:00"
env = ["export FROM_SITE='of the site'"]
"""


@pytest.fixture
def odd(cluster: TestedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """A directory whose name has all that names should not have."""
    directory = tmp_path / "é 100%j it's"
    directory.mkdir()
    return Flow(directory, cluster, monkeypatch)


def test_tasks_find_what_the_site_the_call_and_the_job_prepared(odd: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    odd.write('config.toml', CONFIG)
    monkeypatch.setenv('SBATCH_NICE', '1')
    odd.write('lib/sibling.py', "def word(v): return v + '!'\n")
    odd.write('my python', f'#!/bin/sh\nVIA=mine exec {sys.executable} "$@"\n').chmod(0o755)
    odd.script(FOUND.replace('comment_free=None', 'nodes=1'), 'lib/flow.py')
    ran = odd.run(name='lib/flow.py', AWFLOW_CONFIG=str(odd.path / 'config.toml'))
    assert ran.returncode == 0, ran
    cwd = str(odd.path)
    prepared, visible, both, imports = map(eval, ran.stdout.splitlines())
    assert prepared == {
        'FROM_SITE': 'of the site', 'FROM_JOB': 'of the site and more', 'FROM_CALL': '3', 'OMP_NUM_THREADS': '3',
        'MKL_NUM_THREADS': '3', 'VIA': 'mine', 'cwd': cwd,
    }  # fmt: skip
    assert visible == {'CUDA_VISIBLE_DEVICES': '0', 'SLURM_JOB_PARTITION': 'main', 'cwd': cwd}
    assert both == {'CUDA_VISIBLE_DEVICES': '0,1', 'SLURM_MEM_PER_NODE': '300', 'cwd': cwd}
    assert imports == [['x!', [f'{cwd}/lib/flow.py'], 'short']]
    words = {dict(word.partition('=')[::2] for word in call)['--job-name']: call for call in odd.submissions()}
    assert {'--nice=7', '--nodes=1', '--cpus-per-task=3', '--partition=short', '--mem=150M', '--time=0-00:04:00'} <= set(
        words['prepared']
    )
    assert {'--partition=main', '--gpus=1', '--time-min=1', '--account=chosen', '--qos=normal'} <= set(words['visible'])
    assert '--exclusive' in words['imports']
    outputs = list((odd.path / '.awflow').rglob('*.out'))
    assert len(outputs) == 4
    assert odd.awflow('logs', 'imports[x]').stdout == 'said x\n'
    assert not list(odd.path.parent.glob('**/slurm-*.out')), 'nothing is left where sbatch would leave it'


def test_a_directory_that_slurm_cannot_write_an_output_to_is_no_obstacle(
    cluster: TestedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = Flow(tmp_path / 'back\\slash', cluster, monkeypatch)
    flow.script("""
        @job(array=2)
        def one(i): print('said', i)
        schedule(one, backend='slurm', wait=True)
    """)
    ran = flow.run()
    assert (ran.returncode, len(ran.executed)) == (0, 2), ran
    assert flow.awflow('logs', 'one[1]').stdout == 'said 1\n'


REFUSED = {
    "@job(dependency='afterok:1')": ('dependency', '@after'),
    "@job(output='x')": ('output', 'awflow logs'),
    '@job(mem=4)': ("'mem'", "'memory'"),
    '@job\n    def one(): pass\n    schedule(one, backend="slurm", cpus=3)\n    @job': ('cpus=3', '@job'),
    '@job\n    def one(): pass\n    schedule(one, backend="slurm", array="1-3")\n    @job': ("array='1-3'", '@job(array'),
    '@job\n    def one(): pass\n    schedule(one, backend="slurm", memory="much")\n    @job': ("memory='much'", 'MiB'),
    '@job\n    def one(): pass\n    schedule(one, backend="slurm", fail_fast=True)\n    @job': ('fail_fast', 'Slurm'),
    '@job\n    def one(): pass\n    schedule(one, backend="slurm", env=3)\n    @job': ('env=3', 'shell lines'),
}


def test_options_that_cannot_be_are_refused_before_slurm_is_asked(flow: Flow) -> None:
    for number, (text, words) in enumerate(REFUSED.items()):
        flow.script(f"    {text}\n    def last(): pass\n    schedule(last, backend='slurm')\n", f'flow{number}.py')
        ran = flow.run(name=f'flow{number}.py')
        assert ran.returncode == 1, (text, ran)
        assert all(word in ran.stderr for word in words), (text, ran)
        assert 'Traceback' not in ran.stderr, ran
    flow.script("    @job\n    def last(): pass\n    schedule(last, backend='slurm')\n")
    for text, word in {
        '[slurm]\ncpus = 3': 'cpus=3',
        'slurm = 3': 'table',
        '[slurm': 'TOML',
        '[slurm]\noutput="x"': 'output',
    }.items():
        flow.write('config.toml', text)
        ran = flow.run(AWFLOW_CONFIG=str(flow.path / 'config.toml'))
        assert (ran.returncode, word in ran.stderr) == (1, True), (text, ran)
        assert 'config.toml' in ran.stderr
    assert flow.cluster.commands() == []


NESTED = """
    @job(array=2)
    def outer(i):
        @job(array=3)
        def local(n): return n * 10 + i
        schedule(local, workflow=f'local-{i}')
        @job(array=2)
        def inner(n): return n * 10 + i
        @after(inner)
        @job
        def total(): return sum(inner.results())
        schedule(total, backend='slurm', wait=True, workflow=f'slurm-{i}')
        return local.results(), total.result()
    @after(outer)
    @job
    def last(): return outer.results()
    schedule(last, backend='slurm', wait=True)
    print(last.result())
"""


def test_a_task_on_slurm_may_schedule_there_and_on_its_node(flow: Flow) -> None:
    flow.script(NESTED)
    ran = flow.run()
    assert (ran.returncode, ran.stdout) == (0, '[([0, 10, 20], 10), ([1, 11, 21], 12)]\n'), ran
    inner = [f'outer[{i}]/{name}' for i in range(2) for name in ('inner', 'total')]
    assert flow.names() == sorted([*inner, 'last', 'outer'])
    flow.cluster.wait_until_empty()
    flow.cluster.forget_commands()
    assert flow.run().executed == []
    assert flow.cluster.commands() == []


RESUMED = """
    @job(resume=True, array=2, timelimit=sys.argv[2])
    def long(i):
        kept = os.path.join(scratch(), 'kept')
        with open(f'attempts-{i}', 'a') as file: print(os.getpid(), flush=True, file=file)
        if os.path.exists(kept): return open(kept).read()
        while not should_stop(): time.sleep(0.05)
        with open(kept, 'w') as file: file.write(f'kept {i}')
        raise Requeue
    schedule(long, backend=sys.argv[1], **({'wait': True} if sys.argv[1] == 'slurm' else {}))
    print(long.results(), [f for _, _, files in os.walk('.awflow') for f in files if f == 'kept'])
"""


@pytest.mark.parametrize('backend', ['local', 'slurm'])
def test_a_task_that_is_told_in_time_goes_on_where_it_stopped(flow: Flow, backend: str) -> None:
    flow.script(RESUMED)
    process = flow.start(backend, '00:02' if backend == 'local' else '10:00')
    if backend == 'slurm':
        cluster = flow.cluster
        cluster.wait_until(lambda: all(flow.lines(f'attempts-{i}') for i in range(2)))
        [number] = {job.number for job in cluster.jobs('-n', 'long', '-t', 'running')}
        cluster.ask('scancel', '--signal=USR1', '--batch', f'{number}_0')  # as before a time limit
        cluster.ask('scontrol', 'requeue', f'{number}_1')  # as for a job of a higher priority
    ran = flow.finish(process, {})
    assert (ran.returncode, ran.stdout) == (0, "['kept 0', 'kept 1'] []\n"), ran
    assert [len(flow.lines(f'attempts-{i}')) for i in range(2)] == [2, 2]
    assert set(ran.outcomes.values()) == {'succeeded'}
