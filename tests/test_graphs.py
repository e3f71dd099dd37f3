"""Large graphs, and random ones against a model that knows nothing of the implementation.

The model keeps, of every job, what its last attempt was made of and what it left on the disk, and says from that alone
which jobs a run executes and which bytes every file holds afterwards. Random edits, deletions, breakages and mendings are
played to both. STRESS_GRAPHS says how many graphs, STRESS_SEED from which on.
"""

from __future__ import annotations

import json
import os
import random
from typing import TYPE_CHECKING
from zlib import crc32

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

GRAPHS = int(os.environ.get('STRESS_GRAPHS', '6'))
SEED = int(os.environ.get('STRESS_SEED', '0'))
STEPS = 9


# -- large -------------------------------------------------------------------------------------------------------------

CHAIN = """
    jobs = []
    for k in range({length}):
        def step(k=k): pass
        made = job(name=f'step-{{k}}')(step)
        if jobs: made.after(jobs[-1])
        jobs.append(made)
    run = schedule(jobs[-1], dry_run={dry}, workers=2)
    print(run.plan.counts()['missing'], 'missing')
"""


def test_a_chain_of_ten_thousand_jobs_is_planned(workspace: Workspace) -> None:
    workspace.script(CHAIN.format(length=10_000, dry=True))
    ran = workspace.run()
    assert (ran.returncode, '10000 missing' in ran.stdout) == (0, True), ran.stderr


LONG = """
    def link(i, above):
        @outputs(f'out/{{i}}')
        @job(name=f'link-{{i}}')
        def step():
            if i == {bad}: raise ValueError('broken')
            with open(f'out/{{i}}', 'w') as out: out.write(str(i))
        return step if above is None else step.after(above).reads([f'out/{{i - 1}}'])

    above = None
    for i in range({length}):
        above = link(i, above)
    run = schedule(above, dry_run='dry' in sys.argv)
    print(run.status())
"""


def test_a_chain_of_three_thousand_jobs_is_adopted_and_then_found_as_it_was(workspace: Workspace) -> None:
    workspace.script(LONG.format(length=3000, bad=-1))
    for i in range(3000):
        workspace.write(f'out/{i}', str(i))
    for arguments in ([], [], ['dry']):
        ran = workspace.run(*arguments)
        assert (ran.returncode, ran.stdout.endswith("{'fresh': 3000}\n")) == (0, True), ran.stderr


def test_a_chain_of_three_thousand_jobs_whose_first_fails_ends_without_the_others(workspace: Workspace) -> None:
    workspace.script(LONG.format(length=3000, bad=0))
    ran = workspace.run()
    assert ran.failed == ran.executed == ['link-0']
    assert 'WorkflowFailed: 1 of the tasks did not succeed' in ran.stderr


def test_a_job_that_waits_for_hundreds_starts_when_the_last_has_ended_or_is_skipped_at_the_first_failure(
    workspace: Workspace,
) -> None:
    workspace.script("""
        def one(k):
            @job(name=f'one-{k}')
            def step():
                if k == 7: raise ValueError('broken')
            return step

        many = [one(k) for k in range(500)]
        @job
        def other(): pass
        @job
        def handler(): pass
        @job
        def first(): pass
        for k, made in enumerate(many):
            if k != 7: other.after(made)
            handler.after(made, status='any')
        first.after(*many)
        jobs = [other, handler, first]
        run = schedule(*jobs, check=False, workers=2)
        print(run.status())
    """)
    ran = workspace.run()
    assert "{'succeeded': 501, 'failed': 1, 'skipped': 1}" in ran.stdout, ran.stderr


def test_a_graph_of_three_thousand_jobs_is_planned(workspace: Workspace) -> None:
    workspace.script("""
        layers = [[]]
        for depth in range(30):
            layer = []
            for k in range(100):
                def step(depth=depth, k=k): pass
                made = job(name=f'step-{depth}-{k}')(step)
                if layers[-1]: made.after(*(layers[-1][(k * 7 + j) % 100] for j in range(5)))
                layer.append(made)
            layers.append(layer)
        leaves = terminal_nodes(*layers[1])
        run = schedule(*leaves, dry_run=True)
        print(len(leaves), 'leaves', run.plan.counts()['missing'], 'missing')
    """)
    ran = workspace.run()
    assert (ran.returncode, '100 leaves 3000 missing' in ran.stdout) == (0, True), ran.stderr


def test_a_cycle_through_three_thousand_jobs_is_found(workspace: Workspace) -> None:
    workspace.script(CHAIN.format(length=3000, dry=True))
    workspace.edit('run = schedule', 'jobs[0].after(jobs[-1])\nrun = schedule')
    ran = workspace.run()
    assert (ran.returncode, 'CycleError' in ran.stderr) == (1, True), ran.stderr[-2000:]


def test_a_chain_of_three_hundred_jobs_runs_in_order_and_only_once(workspace: Workspace) -> None:
    workspace.script(CHAIN.format(length=300, dry=False))
    ran = workspace.run()
    assert ran.executed == [f'step-{k}' for k in range(300)]
    assert workspace.run().executed == []


def test_a_failure_at_the_top_skips_a_long_chain(workspace: Workspace) -> None:
    workspace.script(CHAIN.format(length=1500, dry=False))
    workspace.edit('pass', 'assert k, "the first one fails"')
    ran = workspace.run()
    assert (ran.returncode, ran.executed) == (1, ['step-0']), ran.stderr[-2000:]


def test_an_array_of_twenty_thousand_elements_is_planned(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=20000)
        def many(i): pass
        @after(many, each=True)
        @job(array=20000)
        def more(i): pass
        print(schedule(more, dry_run=True).plan.counts()['missing'], 'missing')
    """)
    ran = workspace.run()
    assert (ran.returncode, '40000 missing' in ran.stdout) == (0, True), ran.stderr


# -- random ------------------------------------------------------------------------------------------------------------

FLOW = """
    import json, zlib

    def make(name, constant, noise, upstream):
        def body():
            noise
            if name in open('broken').read().split(): raise RuntimeError('broken')
            text = str(constant) + ''.join(open(f'out-{other}').read() for other in upstream)
            with open(f'out-{name}', 'w') as out: out.write(str(zlib.crc32(text.encode())))
        return job(name=name, outputs=f'out-{name}')(body)

    with open('graph.json') as file: graph = json.load(file)
    jobs = {}
    for name, (constant, noise, upstream) in graph['jobs'].items():
        jobs[name] = make(name, constant, noise, tuple(upstream))
        if upstream: jobs[name].after(*(jobs[other] for other in upstream))
    schedule(*(jobs[name] for name in graph['scheduled']), workers=4)
"""


class Attempt:
    """What a job's last attempt was made of, and how it ended."""

    def __init__(self, succeeded: bool, code: tuple[int, int], used: dict[str, str], content: str) -> None:
        self.succeeded = succeeded
        self.code = code
        self.used = used
        self.content = content


class Model:
    """The jobs, their last attempts and the disk."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.names = [f'j{k}' for k in range(chance.randint(4, 11))]
        self.code = {name: (k, 0) for k, name in enumerate(self.names)}  # constant, and what changes code but no bytes
        self.upstream = {
            name: sorted(chance.sample(self.names[:k], chance.randint(0, min(k, 3)))) for k, name in enumerate(self.names)
        }
        self.scheduled = sorted({self.names[-1], *chance.sample(self.names, 2)})
        self.broken: set[str] = set()
        self.last: dict[str, Attempt] = {}
        self.disk: dict[str, str] = {}

    def write(self, workspace: Workspace) -> None:
        jobs = {name: [*self.code[name], self.upstream[name]] for name in self.names}
        workspace.write('graph.json', json.dumps({'jobs': jobs, 'scheduled': self.scheduled}))
        workspace.write('broken', ' '.join(self.broken))
        for name in self.names:
            path = workspace.path / f'out-{name}'
            if name not in self.disk:
                path.unlink(missing_ok=True)
            elif not path.exists() or path.read_text() != self.disk[name]:
                path.write_text(self.disk[name])

    def disturb(self) -> list[str]:
        """Change something, perhaps nothing; what was done."""
        done = []
        for _ in range(self.chance.choice((0, 1, 1, 2, 3))):
            name = self.chance.choice(self.names)
            what = self.chance.choice(('constant', 'noise', 'delete', 'edit', 'break', 'mend', 'edge', 'schedule', 'schedule'))
            constant, noise = self.code[name]
            if what == 'constant':
                self.code[name] = (constant + 100, noise)
            elif what == 'noise':
                self.code[name] = (constant, noise + 1)
            elif what == 'delete':
                self.disk.pop(name, None)
            elif what == 'edit' and name in self.disk:
                self.disk[name] = 'edited by hand'
            elif what == 'break':
                self.broken.add(name)
            elif what == 'mend':
                self.broken.clear()
            elif what == 'edge' and self.upstream[name]:
                self.upstream[name] = self.upstream[name][1:]
            elif what == 'schedule':
                self.scheduled = sorted(self.chance.sample(self.names, self.chance.randint(1, 3)))
            done.append(f'{what} {name}')
        return done

    def run(self) -> tuple[list[str], list[str]]:
        """The jobs that a run executes, and those of them that fail."""
        order = self._ancestors()
        verdict = {name: self._alone(name) for name in order}
        inside = self._demanded(order, verdict)
        executed, failed, bad = [], [], set()
        for name in order:
            if name not in inside:
                continue
            if any(other in bad for other in self.upstream[name]):
                bad.add(name)
                continue
            now = {other: self.last[other].content for other in self.upstream[name]}
            if verdict[name] == 'fresh' and self.last[name].used == now:
                continue
            executed.append(name)
            if name in self.broken:
                bad.add(name)
                failed.append(name)
                self.last[name] = Attempt(False, self.code[name], now, '')
                if self.disk.get(name) == 'edited by hand':
                    del self.disk[name]  # it was moved to safety
            else:
                content = str(crc32((str(self.code[name][0]) + ''.join(now[o] for o in self.upstream[name])).encode()))
                self.last[name] = Attempt(True, self.code[name], now, content)
                self.disk[name] = content
        return executed, failed

    def _ancestors(self) -> list[str]:
        wanted = set(self.scheduled)
        for name in reversed(self.names):
            if name in wanted:
                wanted.update(self.upstream[name])
        return [name for name in self.names if name in wanted]

    def _alone(self, name: str) -> str:
        last = self.last.get(name)
        if last is None:
            return 'missing'
        if not last.succeeded or last.code != self.code[name]:
            return 'outdated'
        if name in self.disk and self.disk[name] != last.content:
            return 'outdated'
        return 'fresh' if name in self.disk else 'missing'

    def _demanded(self, order: list[str], verdict: dict[str, str]) -> set[str]:
        """The least set that holds what must run, what is below it, and what that needs."""
        inside = {
            name for name in order if verdict[name] == 'outdated' or (verdict[name] == 'missing' and name in self.scheduled)
        }
        while True:
            more = {name for name in order if name not in inside and self._joins(name, order, verdict, inside)}
            if not more:
                return inside
            inside |= more

    def _joins(self, name: str, order: list[str], verdict: dict[str, str], inside: set[str]) -> bool:
        if any(other in inside for other in self.upstream[name]):
            return True
        last = self.last.get(name)
        if last is not None:
            if last.used.keys() != set(self.upstream[name]):
                return True
            if any(other in self.last and self.last[other].content != end for other, end in last.used.items()):
                return True
        return verdict[name] == 'missing' and any(name in self.upstream[below] for below in order if below in inside)


@pytest.mark.parametrize('seed', range(SEED, SEED + GRAPHS))
def test_random_graphs_under_random_edits_do_what_the_model_says(workspace: Workspace, seed: int) -> None:
    model = Model(random.Random(seed))
    workspace.script(FLOW)
    story: list[object] = []
    for step in range(STEPS):
        done = model.disturb() if step else ['begin']
        if step == STEPS - 1:
            done = ['nothing']  # a second run executes nothing but what failed
        model.write(workspace)
        executed, failed = model.run()
        ran = workspace.run()
        story.append((done, executed, failed))
        assert (sorted(ran.executed), sorted(ran.failed)) == (sorted(executed), sorted(failed)), (
            seed,
            model.upstream,
            story,
            ran,
        )
        assert ran.returncode == (1 if failed else 0)
        disk = {name: workspace.read(f'out-{name}') for name in model.names if workspace.exists(f'out-{name}')}
        assert disk == model.disk, (seed, story)
