"""Every combination of edge statuses, of `waitfor`, and of how the upstreams end, in one run of real tasks."""

from __future__ import annotations

import json
from itertools import product
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

STATUSES = ('success', 'failure', 'any')
SUCCEEDED = {  # how an upstream ends -> whether it counts as succeeded
    'fine': True,
    'empty': True,  # an array of no elements
    'whole': True,  # an array of which all elements succeed
    'fails': False,
    'dies': False,
    'slow': False,  # its time limit ends it
    'skipped': False,
    'partly': False,  # an array of which one element fails
    'fresh': True,  # it succeeded in the run before, and does not run
    'met': True,  # it never runs, as its postcondition holds
    'half': True,  # an array of which one element is fresh and the other succeeds now
    'spoilt': False,  # an array of which one element is fresh and the other fails again
}
PAIRED = ('fine', 'fails', 'skipped', 'partly', 'fresh')

FLOW = """
    import json

    @job
    def fresh(): pass
    @ensure(lambda: os.path.exists('cases.json'))
    @job
    def met(): raise ValueError
    @job(array=2)
    def half(i): assert i == 0 or os.path.exists('cases.json')
    @job(array=2)
    def spoilt(i): assert i == 0

    if not os.path.exists('cases.json'):
        schedule(fresh, half, spoilt, check=False)
        sys.exit()

    @job
    def fine(): pass
    @job(array=[])
    def empty(i): pass
    @job(array=2)
    def whole(i): pass
    @job
    def fails(): raise ValueError
    @job
    def dies(): os.kill(os.getpid(), signal.SIGKILL)
    @job(timelimit=0.2)
    def slow(): time.sleep(600)
    @after(fails)
    @job
    def skipped(): pass
    @job(array=3)
    def partly(i): assert i != 1

    upstreams = {made.name: made for made in (fine, empty, whole, fails, dies, slow, skipped, partly, fresh, met, half, spoilt)}

    def below(name, mode, edges):
        def ran(): pass
        made = waitfor(mode)(job(name=name)(ran))
        for status, upstream in edges: made.after(upstreams[upstream], status=status)
        return made

    with open('cases.json') as file: cases = json.load(file)
    on = {'backend': 'slurm', 'wait': True} if sys.argv[1:] == ['slurm'] else {'workers': 4}
    schedule(*(below(*case) for case in cases), check=False, **on)
"""


def says(status: str, upstream: str) -> bool:
    """The answer of an edge."""
    return status == 'any' or SUCCEEDED[upstream] == (status == 'success')


def starts(mode: str, edges: list[tuple[str, str]]) -> bool:
    """Whether a job with these edges is to start."""
    return (all if mode == 'all' else any)(says(*edge) for edge in edges)


def cases() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Names, modes and edges: every single edge, and every pair of edges to two of the upstreams that differ most."""
    singles = [[edge] for edge in product(STATUSES, SUCCEEDED)]
    pairs = [
        [(one, a), (two, b)] for one, two in product(STATUSES, repeat=2) for a, b in product(PAIRED, repeat=2) if a < b
    ]  # fmt: skip
    return [(f'case-{n}', mode, edges) for n, (mode, edges) in enumerate(product(('all', 'any'), singles + pairs))]


def test_a_job_starts_exactly_where_its_edges_say_so(workspace: Workspace) -> None:
    workspace.script(FLOW)
    assert len(workspace.run().executed) == 5
    workspace.write('cases.json', json.dumps(cases()))
    ran = workspace.run()
    assert ran.returncode == 0, ran.stderr[-2000:]
    started = {name for name in ran.executed if name.startswith('case-')}
    wrong = [case for case in cases() if (case[0] in started) != starts(*case[1:])]
    assert not wrong, [(mode, edges, 'should start' if starts(mode, edges) else 'should not start') for _, mode, edges in wrong]


PARTNERS = """
    @job(array=['good', 'bad', 'skipped'])
    def first(v): assert v != 'skipped'
    @after(first, each=True)
    @job(array=['good', 'bad', 'skipped'])
    def up(v): assert v != 'bad'
    @waitfor({mode!r})
    @after(up, each=True, status={status!r})
    @job(array=['skipped', 'bad', 'good'])
    def down(v): pass
    schedule(down, check=False)
"""


@pytest.mark.parametrize('mode', ['all', 'any'])
@pytest.mark.parametrize(
    ('status', 'expected'), [('success', {'good'}), ('failure', {'bad', 'skipped'}), ('any', {'good', 'bad', 'skipped'})]
)
def test_elements_start_by_how_their_own_partner_ended(
    workspace: Workspace, mode: str, status: str, expected: set[str]
) -> None:
    workspace.script(PARTNERS.format(mode=mode, status=status))
    ran = workspace.run()
    assert {name for name in ran.executed if name.startswith('down')} == {f"down['{v}']" for v in expected}, ran
