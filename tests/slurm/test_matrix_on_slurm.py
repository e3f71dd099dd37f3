"""Every combination of edge statuses, of `waitfor` and of how the upstreams end: the same on Slurm as on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.conftest import Workspace
from tests.test_matrix import FLOW, PARTNERS, cases, starts

if TYPE_CHECKING:
    from tests.slurm.flow import Flow


def test_the_same_jobs_start_and_end_alike_on_both_backends(flow: Flow) -> None:
    here = Workspace(flow.path.parent / 'here')
    for place in (flow, here):
        place.script(FLOW)
        assert len(place.run().executed) == 5
        place.write('cases.json', json.dumps(cases()))
    process = flow.start('slurm')
    cluster = flow.cluster
    [slow] = cluster.wait_until(lambda: cluster.jobs('-n', 'slow', '-t', 'running'))
    cluster.end_in(slow.id, 1)
    local = here.run()
    before = flow.attempts()
    process.wait(150)
    ran = flow.finish(process, {name: record for name, record in before.items() if record.slurm is None})
    assert ran.returncode == local.returncode == 0, ran.stderr[-3000:]
    started = {name for name in ran.executed if name.startswith('case-')}
    wrong = [case for case in cases() if (case[0] in started) != starts(*case[1:])]
    assert not wrong, [(mode, edges, 'should start' if starts(mode, edges) else 'should not start') for _, mode, edges in wrong]
    assert ran.outcomes == local.outcomes
    flow.cluster.wait_until_empty()
    again, local = flow.run(), here.run()
    differ = set(again.executed) ^ set(local.executed)
    # With 'any' a task's identity has the upstreams that had said yes when it started: that is a matter of moments.
    assert not [case for case in cases() if case[0] in differ and case[1] == 'all']
    assert len(again.executed) > 100, 'what waited for a failure waits for the new one'


def test_pairs_of_elements_start_alike_on_both_backends(flow: Flow) -> None:
    head, _, last = PARTNERS.partition('    @waitfor')
    down = '    @waitfor' + last.partition('    schedule')[0]
    kinds = [(mode, status) for mode in ('all', 'any') for status in ('success', 'failure', 'any')]
    downs = [down.format(mode=mode, status=status).replace('down', f'down_{mode}_{status}') for mode, status in kinds]
    names = ', '.join(f'down_{mode}_{status}' for mode, status in kinds)
    end = f"    schedule({names}, check=False, backend=sys.argv[1], **({{'wait': True}} if len(sys.argv) > 2 else {{}}))"
    flow.script(head + ''.join(downs) + end)
    here = Workspace(flow.path.parent / 'here')
    here.write('flow.py', flow.read('flow.py'))
    ran, local = flow.run('slurm', 'wait'), here.run('local')
    assert ran.returncode == local.returncode == 0, ran
    assert ran.outcomes == local.outcomes
