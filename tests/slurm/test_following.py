"""What a script and its user can do with tasks under way: wait, look, cancel; and how little of Slurm that takes."""

from __future__ import annotations

import os
import signal

import pytest

from awflow.state.store import Store
from tests.slurm.flow import Flow

UNDER_WAY = """
    def held(name):
        open(f'began-{name}', 'w').close()
        while not os.path.exists('go'): time.sleep(0.05)
        return name

    @job(array=['a', 'b', 'c'])
    def part(v): return held(v)
    @after(part)
    @job
    def whole(): return ''.join(part.results())
    @job
    def other(): return held('other')
"""


def begun(flow: Flow, *names: str) -> None:
    flow.cluster.wait_until(lambda: all(flow.exists(f'began-{name}') for name in names))


def test_a_run_can_be_waited_for_a_while_asked_and_waited_for_again(flow: Flow) -> None:
    flow.script(UNDER_WAY + """
    run = schedule(whole, backend='slurm')
    print(run.status())
    while not os.path.exists('began-c'): time.sleep(0.05)
    print(run.wait(0.2) is run, run.status(), run.failures)
    open('go', 'w').close()
    run.wait()
    print(run.status(), whole.result(), run.result(part, 'b'), part.results(), run.failures)
    print(sorted(run.to_dict()['executed']))
    """)  # fmt: skip
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert ran.stdout.splitlines() == [
        "{'open': 4}",
        "True {'open': 4} []",
        "{'succeeded': 4} abc b ['a', 'b', 'c'] []",
        """["part['a']", "part['b']", "part['c']", 'whole']""",
    ], ran


def test_a_run_is_cancelled_by_its_script(flow: Flow) -> None:
    flow.script(UNDER_WAY + """
    run = schedule(whole, other, backend='slurm')
    while not os.path.exists('began-c'): time.sleep(0.05)
    run.cancel()
    run.wait()
    print(sorted(run.status()), len(run.failures))
    """)  # fmt: skip
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert len(flow.cluster.commands('scancel')) == 1
    flow.cluster.wait_until_empty()
    assert {job.state for job in flow.cluster.jobs() if job.comment in flow.asked('comment')} == {'CANCELLED'}
    assert {r.outcome for r in ran.records.values()} == {'cancelled'}, ran
    assert 'cancelled' in ran.stdout
    flow.write('go', '')
    flow.cluster.forget_commands()
    again = flow.submit()
    assert flow.names() == ['other', 'part', 'whole'], again


def test_single_tasks_and_whole_workflows_are_cancelled_from_the_command_line(flow: Flow) -> None:
    flow.script(UNDER_WAY + "    schedule(whole, other, backend='slurm')")
    flow.run()
    begun(flow, 'a', 'b', 'c', 'other')
    said = flow.awflow('cancel', 'part[b]')
    assert (said.returncode, said.stdout.startswith('cancelled in Slurm: 1 task')) == (0, True), (said.stdout, said.stderr)
    ids = {job.name: job.number for job in flow.cluster.jobs()}
    flow.cluster.wait_for(f'{ids["part"]}_1', 'CANCELLED')
    assert flow.cluster.job(f'{ids["part"]}_0').state == 'RUNNING'
    assert flow.cluster.job(ids['other']).state == 'RUNNING'
    assert len(flow.cluster.commands('scancel')) == 1
    flow.cluster.wait_until(lambda: flow.attempts()["part['b']"].final)
    assert flow.attempts()["part['b']"].outcome == 'cancelled'
    status = flow.awflow('status')
    assert 'cancelled' in status.stdout, status
    assert flow.awflow('cancel').returncode == 0
    flow.cluster.wait_until_empty()
    assert {record.outcome for record in flow.attempts().values()} == {'cancelled'}
    assert 'nothing of that runs' in flow.awflow('cancel').stdout
    flow.write('go', '')
    flow.cluster.forget_commands()
    ran = flow.submit()
    assert ran.returncode == 0, ran
    assert set(ran.outcomes.values()) == {'succeeded'}
    assert len(ran.executed) == 5
    assert flow.names() == ['other', 'part', 'whole']


def test_a_task_that_was_cancelled_is_all_that_a_rerun_submits_while_the_rest_runs(flow: Flow) -> None:
    flow.script(UNDER_WAY + "    schedule(part, other, backend='slurm', wait=len(sys.argv) > 1)")
    flow.run()
    begun(flow, 'a', 'b', 'c', 'other')
    flow.awflow('cancel', 'part[b]')
    flow.cluster.wait_until(lambda: flow.attempts()["part['b']"].final)
    flow.cluster.forget_commands()
    process = flow.start('wait')
    flow.cluster.wait_until(flow.submissions)
    flow.write('go', '')
    ran = flow.finish(process, {})
    assert ran.returncode == 0, ran
    assert flow.asked('array') == ['1']
    assert set(ran.outcomes.values()) == {'succeeded'}


def test_following_many_tasks_for_long_asks_slurm_almost_nothing(flow: Flow) -> None:
    # Time runs thirty times faster for whoever follows: a minute without news costs him at most two questions.
    flow.script("""
        import awflow.backends.slurm.follow as follow
        real = time.monotonic
        follow.monotonic = lambda: 30 * real()
        @job(array=40, cpus=1)
        def one(i):
            while not os.path.exists('go'): time.sleep(0.05)
        @after(one)
        @job
        def last(): pass
        run = schedule(last, backend='slurm')
        began = real()
        while real() - began < 6: run.wait(0.5)
        open('go', 'w').close()
        run.wait()
        print(30 * (real() - began), run.status())
    """)
    ran = flow.run()
    assert ran.returncode == 0, ran
    minutes = float(ran.stdout.split()[0]) / 60
    assert "{'succeeded': 41}" in ran.stdout, ran
    asked = [words for words in flow.cluster.commands() if words[0] != 'sbatch']
    assert 1 <= len([words for words in asked if words[0] == 'squeue']) <= 2 * minutes, asked
    assert len(flow.submissions()) == 2


def test_without_a_follower_the_next_command_finds_out_what_died(flow: Flow) -> None:
    flow.script(UNDER_WAY + "    schedule(whole, other, backend='slurm')")
    flow.run()
    begun(flow, 'a', 'b', 'c', 'other')
    ids = {job.name: job.number for job in flow.cluster.jobs()}
    flow.cluster.ask('scancel', '--signal=KILL', '--full', ids['other'])
    flow.cluster.wait_for(ids['other'], 'CANCELLED')
    said = flow.awflow('status')
    assert said.returncode in (0, 1), said
    flow.write('go', '')
    ran = flow.submit()
    assert flow.names() == ['other', 'other', 'part', 'whole'], ran
    assert {record.outcome for record in flow.attempts().values()} == {'succeeded'}


def test_whoever_follows_may_go_and_come_back(flow: Flow) -> None:
    flow.script(UNDER_WAY + "    schedule(whole, backend='slurm', wait=True)")
    process = flow.start()
    begun(flow, 'a', 'b', 'c')
    process.send_signal(signal.SIGINT)
    process.wait(30)
    assert [job.state for job in flow.cluster.active()] == ['RUNNING'] * 3 + ['PENDING']
    flow.write('go', '')
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert flow.names() == ['part', 'whole']


def test_a_job_that_slurm_takes_and_never_starts_is_named_with_the_reason(flow: Flow) -> None:
    flow.script("""
        @job(partition='short', timelimit='1:00:00')
        def fit(): pass
        schedule(fit, backend='slurm', wait=True)
    """)
    process = flow.start()
    assert process.stderr is not None, 'it is a pipe'
    told = next(line for line in process.stderr if 'does not start' in line)
    assert told.startswith('awflow: fit (Slurm job ') and told.rstrip().endswith('Slurm says PartitionTimeLimit'), told
    assert flow.awflow('cancel').returncode == 0
    process.communicate(timeout=60)
    assert process.returncode == 1
    flow.cluster.wait_until_empty()


def test_cancelling_notes_at_once_what_only_waited(flow: Flow) -> None:
    flow.script(UNDER_WAY + """
    schedule(whole, backend='slurm')
    """)  # fmt: skip
    assert flow.run().returncode == 0
    begun(flow, 'a', 'b', 'c')
    assert flow.awflow('cancel').returncode == 0
    flow.write('go', '')
    assert not Store(str(flow.path / '.awflow'), 'flow').read().claims, 'nothing is in flight any more'
    ran = flow.run()
    assert ran.returncode == 0, ran
    flow.cluster.wait_until(lambda: 'whole' in flow.attempts() and flow.attempts()['whole'].final)


@pytest.mark.skipif(os.geteuid() != 0, reason='only root makes pid namespaces here')
def test_what_a_submitter_out_of_sight_left_half_submitted_is_freed_by_cancelling_it(flow: Flow) -> None:
    flow.script(UNDER_WAY + """
    schedule(whole, other, backend='slurm')
    """)  # fmt: skip
    flow.intercept('sbatch', 'case "$*" in *test-only*) ;; *--job-name=whole*) kill -9 $PPID; exit 1 ;; esac')
    first = ['sh', '-c', '"$@"; exit $?', 'sh']  # the first process of a namespace cannot be killed from within
    flow.prefix = ['unshare', '--pid', '--fork', '--mount-proc', '--kill-child', *first]
    assert flow.run().returncode != 0
    flow.restore()
    flow.prefix = []
    begun(flow, 'a', 'b', 'c')
    assert 'in flight' not in flow.run().stdout
    assert flow.names().count('whole') == 0, 'whoever cannot be seen may still be at it'
    assert flow.awflow('cancel').returncode == 0
    flow.write('go', '')
    assert flow.run().returncode == 0
    flow.cluster.wait_until(lambda: 'whole' in flow.attempts() and flow.attempts()['whole'].final)
    assert flow.attempts()['whole'].outcome == 'succeeded'
