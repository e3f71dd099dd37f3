"""Arrays as they reach Slurm: their values, throttle, batch, limits, and elements that wait for elements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.tested import TestedCluster
from tests.slurm.flow import Flow

MANY = """
    @job(array=range(3, 9, 2), throttle=2)
    def ranged(v): return v
    @job(array=[10.5, 'b', (1, 2)])
    def listed(v): return v
    @job(array=['é', 'a/b', 'c d', "it's 100%"])
    def named(v): return v
    @job(array={'low': 1, 'high': 2})
    def mapped(v): return v
    @job(array=[])
    def empty(v): return v
    @job(array=7, batch=3, retries=1)
    def batched(i):
        path = f'tries-{i}'
        open(path, 'a').write('x')
        if i == 1: raise ValueError('never')
        if i == 4 and os.stat(path).st_size == 1: raise ValueError('at first')
        if i == 5: os.kill(os.getpid(), signal.SIGKILL)
        return i
    @after(ranged, listed, named, mapped, empty)
    @job
    def collect(): return [ranged.results(), listed.results(), named.results(), mapped.results(), empty.results()]
    run = schedule(collect, batched, backend='slurm', wait=True, check=False)
    print(collect.result(), run.status())
"""


def test_every_kind_of_array_runs_each_of_its_values_once(flow: Flow) -> None:
    flow.script(MANY)
    ran = flow.run()
    assert ran.returncode == 0, ran
    expected = [[3, 5, 7], [10.5, 'b', (1, 2)], ['é', 'a/b', 'c d', "it's 100%"], [1, 2], []]
    assert repr(expected) in ran.stdout, ran
    good = {f'batched[{i}]' for i in (0, 2, 3, 4, 6)}
    assert {n for n, o in ran.outcomes.items() if o == 'succeeded' and n.startswith('batched')} == good, ran
    assert (ran.outcomes['batched[1]'], ran.outcomes['batched[5]']) == ('failed', 'crashed')
    assert [flow.read(f'tries-{i}') for i in range(7)] == ['x', 'xx', 'x', 'x', 'xx', 'xx', 'x']
    options = [dict(word.partition('=')[::2] for word in words) for words in flow.submissions()]
    arrays = {given['--job-name']: given.get('--array') for given in options}
    assert arrays == {'ranged': '0-2%2', 'listed': '0-2', 'named': '0-3', 'mapped': '0-1', 'batched': '0-2', 'collect': None}
    flow.cluster.wait_until_empty()
    flow.cluster.forget_commands()

    flow.edit("if i == 1: raise ValueError('never')", '')
    flow.edit('if i == 5: os.kill(os.getpid(), signal.SIGKILL)', '')
    ran = flow.run()
    assert len(ran.executed) == 7, 'its code has changed'
    assert flow.names() == ['batched']


def test_of_a_batch_only_what_did_not_succeed_is_submitted_again(flow: Flow) -> None:
    flow.script("""
        @job(array=6, batch=4)
        def batched(i):
            assert i not in (2, 5) or os.path.exists('mended')
        schedule(batched, backend='slurm', wait=True)
    """)
    ran = flow.run()
    assert (ran.returncode, len(ran.executed), sorted(ran.failed)) == (1, 6, ['batched[2]', 'batched[5]']), ran
    assert flow.asked('array') == ['0-1']
    flow.write('mended', '')
    flow.cluster.forget_commands()
    ran = flow.run()
    assert (ran.returncode, sorted(ran.executed)) == (0, ['batched[2]', 'batched[5]']), ran
    assert flow.asked('array') == ['0']


def test_a_throttled_array_never_runs_more_at_once(flow: Flow) -> None:
    flow.script("""
        @job(array=6, throttle=2)
        def few(i):
            os.mkdir(f'at-{i}')
            assert len([n for n in os.listdir('.') if n.startswith('at-')]) <= 2
            time.sleep(0.2)
            os.rmdir(f'at-{i}')
        schedule(few, backend='slurm', wait=True)
    """)
    assert flow.run().returncode == 0
    assert flow.asked('array') == ['0-5%2']


EACH = """
    @job(array=['a', 'b', 'c'])
    def up(v):
        if v == 'b' and not os.path.exists('mended'): raise ValueError
        while v == 'c' and not os.path.exists('down-a'): time.sleep(0.05)  # pairs are on their own
    @after(up, each=True)
    @job(array=['c', 'a', 'b'])
    def down(v): open(f'down-{v}', 'a').write('x')
    @after(down, each=True)
    @job(array=['b', 'c', 'a'], batch=2)
    def batched(v): open(f'batched-{v}', 'a').write('x')
    @after(up, each=True, status='failure')
    @job(array=['b', 'a', 'c'])
    def mends(v): open(f'mends-{v}', 'a').write('x')
    @after(up, each=True, status='any')
    @job(array=['b', 'a', 'c'])
    def ended(v): open(f'ended-{v}', 'a').write('x')
    @waitfor('any')
    @after(up, mends, each=True)
    @job(array=['b', 'a', 'c'])
    def either(v): open(f'either-{v}', 'a').write('x')
    run = schedule(batched, mends, ended, either, backend='slurm', wait=True, check=False)
"""


def test_elements_wait_for_their_own_partner_alone_on_slurm(flow: Flow) -> None:
    flow.script(EACH)
    ran = flow.run()
    assert ran.returncode == 0, ran

    def started(name: str) -> str:
        return ''.join(v for v in 'abc' if f"{name}['{v}']" in ran.executed)

    found = {name: started(name) for name in ('up', 'down', 'batched', 'mends', 'ended', 'either')}
    assert found == {'up': 'abc', 'down': 'ac', 'batched': 'ac', 'mends': 'b', 'ended': 'abc', 'either': 'abc'}, ran
    assert any(words.startswith('aftercorr:') for words in flow.asked('dependency'))
    flow.cluster.wait_until_empty()
    flow.cluster.forget_commands()

    flow.write('mended', '')
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert {started(name) for name in ('up', 'down', 'batched')} == {'b'}, ran
    flow.cluster.wait_until_empty()
    flow.cluster.forget_commands()
    assert flow.run().executed == []
    assert flow.submissions() == []


def test_an_array_above_the_limit_of_the_cluster_is_split(
    make_cluster: Callable[..., TestedCluster], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = make_cluster(nodes=2, max_array_size=5, extra='EnforcePartLimits=ALL')
    flow = Flow(tmp_path / 'work', cluster, monkeypatch)
    flow.script("""
        @job(array=12)
        def up(i):
            assert i != 7 or os.path.exists('mended')
            return i
        @after(up, each=True)
        @job(array=12)
        def down(i): return up.result(i)
        @after(down)
        @job
        def total(): return sum(down.results())
        run = schedule(total, backend='slurm', wait=True)
        print(total.result())
    """)
    ran = flow.run()
    assert ran.returncode == 1, ran
    assert sorted(set(map(str, range(12))) - {n[5:-1] for n in ran.executed if n.startswith('down')}) == ['7'], ran
    assert sorted(flow.asked('array')) == ['0-1', '0-1', '0-4', '0-4', '0-4', '0-4']
    assert len(flow.cluster.commands('scontrol')) == 1
    flow.cluster.wait_until_empty()
    flow.cluster.forget_commands()
    flow.write('mended', '')
    ran = flow.run()
    assert (ran.returncode, ran.stdout) == (0, '66\n'), ran
    assert sorted(ran.executed) == ['down[7]', 'total', 'up[7]']
    assert flow.asked('array') == ['2', '2']
    assert flow.cluster.commands('scontrol') == [], 'the limits are remembered'
    cluster.wait_until_empty()

    flow.script("""
        @job(cpus=99)
        def big(): pass
        schedule(big, backend='slurm', wait=True)
    """, 'big.py')  # fmt: skip
    ran = flow.run(name='big.py')
    assert ran.returncode == 1
    assert 'processors' in ran.stderr or 'CPU count' in ran.stderr, ran
    assert cluster.active() == []


def test_every_task_of_a_batch_that_ran_again_lets_what_waits_for_it_run_again(flow: Flow) -> None:
    flow.script("""
        @outputs('root')
        @job(version='1')
        def root(): open('root', 'w').write('1')
        @after(root)
        @job(array=3, batch=3)
        def up(i): open(f'up-{i}', 'a').write('x')
        @after(up, each=True)
        @job(array=3)
        def down(i): open(f'down-{i}', 'a').write('x')
        schedule(down, backend='slurm')
    """)
    names = [f'{job}-{i}' for job in ('up', 'down') for i in range(3)]
    flow.submit()
    assert [flow.read(name) for name in names] == ['x'] * 6
    records = flow.attempts()
    assert all(record.end == record.id for name, record in records.items() if name != 'root'), records
    flow.edit("version='1'", "version='2'")
    flow.edit("write('1')", "write('2')")
    flow.submit()
    assert [flow.read(name) for name in names] == ['xx'] * 6
