"""Handing in: all of it or nothing, nothing twice, whoever dies and whatever Slurm's commands answer."""

from __future__ import annotations

import signal

import pytest

from tests.slurm.flow import Flow

GRAPH = """
    @job(array=3)
    def first(i):
        while os.path.exists('wait'): time.sleep(0.05)
        with open('ran', 'a') as file: print(f'first-{i}', file=file)
    @after(first)
    @job
    def second():
        with open('ran', 'a') as file: print('second', file=file)
    @after(second)
    @job(array=2)
    def third(i):
        with open('ran', 'a') as file: print(f'third-{i}', file=file)
    schedule(third, backend='slurm')
"""
ALL = ['first-0', 'first-1', 'first-2', 'second', 'third-0', 'third-1']
NAMES = ['first', 'second', 'third']


def done(flow: Flow) -> None:
    """Everything has run exactly once and is known to have, and no job is in the queue that did not do its part."""
    flow.cluster.wait_until_empty()
    assert sorted(flow.lines('ran')) == ALL
    before = len(flow.submissions())
    assert flow.submit().executed == []
    assert len(flow.submissions()) == before
    assert {job.state for job in flow.cluster.jobs('-n', ','.join(NAMES)) if job.comment in flow.asked('comment')} == {
        'COMPLETED'
    }


def test_a_second_run_attaches_to_what_waits_and_runs_and_submits_only_what_is_new(flow: Flow) -> None:
    flow.script(GRAPH)
    flow.write('wait', '')
    assert flow.run().returncode == 0
    assert flow.names() == NAMES
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert 'nothing new to submit; 6 tasks of other runs are under way' in ran.stderr, ran
    assert flow.names() == NAMES
    flow.edit("schedule(third, backend='slurm')", """
    @after(first, third)
    @job
    def extra():
        with open('extra', 'a') as file: print(len(open('ran').readlines()), file=file)
    schedule(third, extra, backend='slurm', wait=True)
    """.replace('\n    ', '\n'))  # fmt: skip
    process = flow.start()
    flow.cluster.wait_until(lambda: len(flow.submissions()) == 4)
    flow.remove('wait')
    ran = flow.finish(process, {})
    assert ran.returncode == 0, ran
    assert flow.names() == sorted([*NAMES, 'extra'])
    assert flow.read('extra') == '6\n'
    done(flow)


@pytest.mark.parametrize('moment', ['before', 'after'])
@pytest.mark.parametrize('call', [1, 2, 3])
def test_a_submitter_killed_at_any_moment_leaves_nothing_to_be_done_twice(flow: Flow, call: int, moment: str) -> None:
    flow.script(GRAPH)
    flow.write('wait', '')
    # The parent is killed before or after this submission has reached the controller.
    kill = 'kill -9 $PPID'
    body = f'{kill}; exit 1' if moment == 'before' else f'"$real" "$@"; {kill}; exit'
    flow.intercept('sbatch', f'if [ $n = {call} ]; then {body}; fi')
    assert flow.run().returncode == -signal.SIGKILL
    flow.restore()
    taken = call - (moment == 'before')
    assert flow.names() == NAMES[:taken]
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert flow.names() == NAMES, 'what is in the queue is adopted'
    flow.remove('wait')
    done(flow)


def test_ctrl_c_half_way_through_a_submission_costs_no_job(flow: Flow) -> None:
    flow.script(GRAPH)
    flow.write('wait', '')
    flow.intercept('sbatch', 'if [ $n = 2 ]; then kill -INT $PPID; sleep 0.3; fi')
    ran = flow.run()
    assert ran.returncode not in (0, 1), ran
    assert len(flow.names()) == 2
    flow.restore()
    assert flow.run().returncode == 0
    assert flow.names() == NAMES
    flow.remove('wait')
    done(flow)


def test_ctrl_c_while_a_run_is_followed_leaves_its_jobs_in_the_queue(flow: Flow) -> None:
    flow.script(GRAPH.replace("backend='slurm'", "backend='slurm', wait=True"))
    flow.write('wait', '')
    process = flow.start()
    flow.cluster.wait_until(lambda: len(flow.submissions()) == 3)
    flow.cluster.wait_until(lambda: [job for job in flow.cluster.active() if job.state == 'RUNNING'])
    process.send_signal(signal.SIGINT)
    ran = flow.finish(process, {})
    assert ran.returncode in (130, -signal.SIGINT), ran
    assert 'Traceback' not in ran.stderr, ran
    flow.remove('wait')
    done(flow)


def test_a_refused_job_is_shown_in_the_words_of_sbatch_and_nothing_is_submitted(flow: Flow) -> None:
    flow.script("""
        @job(array=3)
        def fine(i): pass
        @after(fine)
        @job(partition='nowhere')
        def refused(): pass
        schedule(refused, backend='slurm')
    """)
    ran = flow.run()
    assert ran.returncode == 1
    assert 'invalid partition specified: nowhere' in ran.stderr, ran
    assert "'refused'" in ran.stderr
    assert 'Traceback' not in ran.stderr
    assert flow.submissions() == []
    assert flow.run('status').returncode == 1, 'and again'


@pytest.mark.parametrize('call', [1, 3])
def test_a_job_refused_half_way_takes_back_all_that_was_submitted(flow: Flow, call: int) -> None:
    flow.script(GRAPH)
    flow.write('wait', '')
    flow.intercept('sbatch', f"if [ $n = {call} ]; then echo 'sbatch: error: Access denied to the moon' >&2; exit 1; fi")
    ran = flow.run()
    assert ran.returncode == 1
    assert 'Access denied to the moon' in ran.stderr, ran
    assert 'nothing is left queued' in ran.stderr
    flow.restore()
    flow.remove('wait')
    flow.cluster.wait_until_empty()
    assert {job.state for job in flow.cluster.jobs() if job.comment in flow.asked('comment')} <= {'CANCELLED'}
    assert flow.lines('ran') == []
    flow.cluster.forget_commands()
    assert flow.run().returncode == 0
    assert flow.names() == NAMES
    done(flow)


def test_a_controller_that_does_not_answer_for_a_while_gets_each_job_once(flow: Flow) -> None:
    flow.script(GRAPH)
    lost = "echo 'sbatch: error: Batch job submission failed: Socket timed out on send/recv operation' >&2; exit 1"
    flow.intercept('sbatch', f'case $n in 1) {lost} ;; 3) "$real" "$@" >/dev/null; {lost} ;; esac')
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert flow.names() == NAMES, 'the one whose answer was lost is not submitted again'
    assert len(flow.cluster.commands('squeue')) == 2
    done(flow)


def test_a_job_that_slurm_took_twice_runs_once(flow: Flow) -> None:
    """As when a busy controller answers too late, and takes what was handed in again too."""
    flow.script("""
        @job(array=2, begin='now+2')
        def part(i): open(f'part-{i}', 'a').write('x')
        @after(part)
        @job
        def whole(): open('whole', 'a').write('x')
        schedule(whole, backend='slurm')
    """)
    flow.intercept('sbatch', """
script=$(cat; echo .); script=${script%.}
id=$(printf '%s' "$script" | "$real" "$@")
printf '%s' "$script" | "$real" "$@" >/dev/null
echo "$id"; exit
""")  # fmt: skip
    assert flow.submit().returncode == 0
    assert len(flow.submissions()) == 4
    assert [flow.read(name) for name in ('part-0', 'part-1', 'whole')] == ['x'] * 3
    assert {record.outcome for record in flow.attempts().values()} == {'succeeded'}
