"""What commands say of tasks in a queue and of those that ran there: ids, resources, logs that are followed."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from tests.slurm.flow import Flow
from tests.slurm.test_following import begun

HELD = """
    @job(array=2, cpus=1, memory='200MB', timelimit='5:00')
    def part(i):
        print('part', i, 'begins', flush=True)
        open(f'began-{i}', 'w').close()
        while not os.path.exists('go'): time.sleep(0.05)
        print('part', i, 'ends')

    @after(part)
    @outputs('whole.txt')
    @job
    def whole():
        print('whole')
        open('whole.txt', 'w').write('w')

    schedule(whole, backend='slurm')
"""


def test_tasks_that_run_and_wait_are_followed_then_shown_with_what_they_used(flow: Flow) -> None:
    flow.script(HELD)
    assert flow.run().returncode == 0
    begun(flow, '0', '1')
    waiting, running = json.loads(flow.awflow('show', 'whole', 'part[0]', '--json').stdout)
    assert (waiting['outcome'], running['outcome']) == ('waiting', 'running')
    assert running['record']['slurm']['array'].endswith('_0') and running['owner']['state'] == 'alive'
    follower = subprocess.Popen(
        [sys.executable, '-m', 'awflow', 'logs', '-f', 'part', 'whole'], cwd=flow.path, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={key: value for key, value in os.environ.items() if not key.startswith('AWFLOW_')},
    )  # fmt: skip
    assert follower.stdout is not None
    first = {follower.stdout.readline() for _ in range(2)}
    assert first == {'part[0] | part 0 begins\n', 'part[1] | part 1 begins\n'}
    flow.write('go', '')
    out, err = follower.communicate(timeout=60)
    assert sorted(out.splitlines()) == ['part[0] | part 0 ends', 'part[1] | part 1 ends', 'whole | whole'], err
    assert sorted(err.splitlines()) == [f'awflow: {name} succeeded' for name in ('part[0]', 'part[1]', 'whole')]
    assert follower.returncode == 0
    flow.cluster.wait_until_empty()
    (told,) = json.loads(flow.awflow('usage', 'part', '--json').stdout)
    assert told['tasks'] == 2 and told['asked'] == {'cpus': 1, 'memory': 200, 'timelimit': 300}
    assert told['memory_bytes']['max'] > 0 and told['seconds']['max'] > 0
    (origin,) = json.loads(flow.awflow('blame', 'whole.txt', '--json').stdout)
    assert (origin['task'], origin['state']) == ('whole', 'as recorded') and origin['slurm']['job']


def test_defaults_of_the_schedule_count_as_asked_for(flow: Flow) -> None:
    flow.script("""
    @job
    def work(): pass
    @job(memory='64MB')
    def small(): pass
    schedule(work, small, backend='slurm', memory='100MB', timelimit='3:00')
    """)
    flow.submit()
    asked = {told['job']: told['asked'] for told in json.loads(flow.awflow('usage', '--json').stdout)}
    assert asked == {
        'work': {'cpus': 1, 'memory': 100, 'timelimit': 180}, 'small': {'cpus': 1, 'memory': 64, 'timelimit': 180},
    }  # fmt: skip
