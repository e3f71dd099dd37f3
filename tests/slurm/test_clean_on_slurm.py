"""`awflow clean` beside a queue: what lives there is left alone, what never can start is cancelled, what died is recorded."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from tests.slurm.flow import Flow

HELD = """
    @job(array=2)
    def part(i):
        with open(f'pids-{i}', 'w') as file: print(os.getpid(), os.getppid(), file=file)
        while not os.path.exists('go'): time.sleep(0.05)
        open(f'ran-{i}', 'a').write('x')
    @after(part)
    @job
    def whole(): open('whole', 'a').write('x')
    schedule(whole, backend='slurm')
"""
BLOCKED = """
    @job
    def first():
        if not os.path.exists('go'): raise ValueError('not yet')
    @after(first)
    @job
    def second(): open('second', 'a').write('x')
    schedule(second, backend='slurm')
"""


def clean(flow: Flow, *options: str) -> Any:
    """What a dry run says of the only workflow."""
    said = flow.awflow('clean', '--dry-run', '--json', *options)
    assert said.returncode == 0, said.stderr
    (workflow,) = json.loads(said.stdout)['workflows']
    return workflow


def held(flow: Flow) -> list[list[int]]:
    """The script whose two tasks run and wait; the processes of each."""
    flow.script(HELD)
    assert flow.run().returncode == 0
    flow.cluster.wait_until(lambda: all(flow.lines(f'pids-{i}') for i in range(2)))
    return [[int(pid) for pid in flow.read(f'pids-{i}').split()] for i in range(2)]


def test_what_waits_or_runs_in_the_queue_is_alive(flow: Flow) -> None:
    held(flow)
    (claim,) = clean(flow)['claims']
    assert (claim['state'], claim['action'], claim['recorded']) == ('alive', 'leave', [])
    assert '3 of its tasks are in the queue of' in claim['why']
    assert flow.awflow('clean', '--yes').stdout.splitlines()[-1] == 'Nothing to do.'
    flow.write('go', '')
    flow.cluster.wait_until_empty()
    assert flow.read('whole') == 'x'


def test_a_queue_that_cannot_be_asked_leaves_a_claim_suspect(flow: Flow) -> None:
    held(flow)
    flow.intercept('squeue', 'echo "slurm_load_jobs error: Unable to contact slurm controller (connect failure)" >&2; exit 1')
    (claim,) = clean(flow)['claims']
    assert (claim['state'], claim['action']) == ('suspect', 'leave')
    assert 'the queue could not be asked: squeue refused: ' in claim['why']
    assert 'Unable to contact slurm controller' in claim['why']
    assert flow.awflow('clean', '--yes').returncode == 0
    flow.restore()
    (claim,) = clean(flow)['claims']
    assert claim['state'] == 'alive'


def test_tasks_whose_processes_were_killed_are_recorded_and_what_waited_for_them_too(flow: Flow) -> None:
    pids = held(flow)
    for task, watching in pids:
        os.kill(watching, signal.SIGKILL)
        os.kill(task, signal.SIGKILL)
    flow.cluster.wait_until_empty()
    (claim,) = clean(flow)['claims']
    assert (claim['state'], claim['action']) == ('dead', 'end')
    told = {each['task']: each['outcome'] for each in claim['recorded']}
    assert told == {'part[0]': 'crashed', 'part[1]': 'crashed', 'whole': 'skipped'}
    done = flow.awflow('clean', '--yes')
    assert (done.returncode, 'ended 1 claim' in done.stdout) == (0, True), (done.stdout, done.stderr)
    assert clean(flow)['claims'] == []
    flow.write('go', '')
    ran = flow.submit()
    assert sorted(ran.executed) == ['part[0]', 'part[1]', 'whole'], ran


def test_a_job_that_can_never_start_is_cancelled_and_its_output_goes_when_it_is_over(flow: Flow) -> None:
    flow.script(BLOCKED)
    flow.intercept('sbatch', 'set -- "${@/--kill-on-invalid-dep=yes/--kill-on-invalid-dep=no}"')
    assert flow.run().returncode == 0
    never = ('PENDING', 'DependencyNeverSatisfied')
    (job,) = flow.cluster.wait_until(lambda: [job for job in flow.cluster.jobs() if (job.state, job.reason) == never])
    found = clean(flow)
    assert [each['job'] for each in found['cancel']] == [job.id], found
    (claim,) = found['claims']
    assert (claim['state'], claim['recorded'][0]['task']) == ('dead', 'second')
    done = flow.awflow('clean', '--yes')
    assert (done.returncode, 'cancelled 1 in Slurm' in done.stdout) == (0, True), (done.stdout, done.stderr)
    flow.cluster.wait_for(job.id, 'CANCELLED')
    assert clean(flow)['cancel'] == []

    flow.restore()
    flow.write('go', '')
    assert sorted(flow.submit().executed) == ['first', 'second']
    flow.awflow('status')
    outputs = Path(flow.path / '.awflow' / 'flow' / 'slurm')
    assert list(outputs.glob('*.out'))
    assert flow.awflow('clean', '--yes').returncode == 0
    assert list(outputs.glob('*.out')) == []
    assert flow.submit().executed == []
