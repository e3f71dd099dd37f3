"""A task that failed on a node, run by hand where it was submitted."""

from __future__ import annotations

from typing import Any

SCRIPT = """
from awflow import after, inputs, job, outputs, schedule

@outputs('{i}.txt')
@job(array=[1, 2])
def make(i):
    with open(f'{i}.txt', 'w') as out: out.write(str(i))
    return i * 10

@after(make, each=True)
@inputs('{i}.txt')
@job(array=[1, 2], env=['export GREETING=hello'])
def read(i):
    import os
    print('read', make.result(), open(f'{i}.txt').read(), 'SLURM_ARRAY_TASK_ID' in os.environ)
    raise ValueError('not today')

schedule(read, backend='slurm', wait=True, check=False)
"""


def test_a_task_that_failed_on_a_node_is_debugged_here_and_from_a_bundle(flow: Any) -> None:
    flow.script(SCRIPT)
    ran = flow.submit()
    assert ran.outcomes['read[2]'] == 'failed', ran
    done = flow.awflow('debug', 'read[2]')
    assert done.returncode == 1
    assert done.stdout == 'read 20 2 False\n'
    assert 'ValueError: not today' in done.stderr
    assert 'env= are for jobs of Slurm, and were not run here: export GREETING=hello' in done.stderr
    assert flow.awflow('debug', 'read[2]', '--bundle', 'read.zip').returncode == 0
    done = flow.awflow('debug', '--from', 'read.zip', '--yes')
    assert done.stdout == 'read 20 2 False\n', done.stderr
