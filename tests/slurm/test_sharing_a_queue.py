"""Several runs of one workflow, one after the other or at a time, in one process or in several, beside one queue."""

from __future__ import annotations

import pytest

from tests.slurm.flow import Flow

HELD = """
    @job(array=3)
    def part(i):
        while not os.path.exists('go'): time.sleep(0.05)
        open(f'part-{i}', 'a').write('x')
    @after(part)
    @job
    def whole(): open('whole', 'a').write('x')
"""


def test_filters_of_the_user_for_squeue_do_not_make_jobs_look_gone(flow: Flow) -> None:
    flow.script(HELD + "    schedule(whole, backend='slurm')")
    filters = {'SQUEUE_PARTITION': 'short', 'SQUEUE_STATES': 'COMPLETED', 'SBATCH_ARRAY_INX': '0-4', 'SBATCH_WAIT': '1'}
    assert flow.run(**filters).returncode == 0
    ran = flow.run(**filters)
    assert ran.returncode == 0, ran
    assert 'nothing new to submit; 4 tasks' in ran.stderr, ran
    assert all('--all' in words for words in flow.cluster.commands('squeue')), 'partitions may be hidden'
    flow.write('go', '')
    flow.cluster.wait_until_empty()
    assert flow.names() == ['part', 'whole']
    assert [flow.read(name) for name in ('part-0', 'part-1', 'part-2', 'whole')] == ['x'] * 4


def test_a_process_whose_submission_failed_can_submit_again(flow: Flow) -> None:
    """As in a notebook, where the process that failed lives on."""
    flow.script("""
        lines = (i for i in range(3))
        @job
        def first(): open('first', 'a').write('x')
        @after(first)
        @job
        def second(): print(list(lines))
        try:
            schedule(second, backend='slurm')
        except Exception as error:
            print(type(error).__name__)
        @after(first)
        @job(name='second')
        def mended(): open('second', 'a').write('x')
        run = schedule(mended, backend='slurm', wait=True)
        print(run.status())
    """)
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert ran.stdout.splitlines() == ['FingerprintError', "{'succeeded': 2}"], ran
    assert [flow.read('first'), flow.read('second')] == ['x', 'x']


def test_a_process_whose_submission_was_interrupted_submits_the_rest_when_asked_again(flow: Flow) -> None:
    flow.script(HELD + """
    try:
        schedule(whole, backend='slurm')
    except KeyboardInterrupt:
        print('interrupted')
    open('go', 'w').close()
    run = schedule(whole, backend='slurm', wait=True)
    print(run.status())
    """)  # fmt: skip
    flow.intercept('sbatch', 'if [ $n = 1 ]; then kill -INT $PPID; sleep 0.3; fi')
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert ran.stdout.splitlines()[0] == 'interrupted'
    flow.cluster.wait_until_empty()
    assert flow.names() == ['part', 'whole']
    assert [flow.read(name) for name in ('part-0', 'part-1', 'part-2', 'whole')] == ['x'] * 4


CUT_OFF = """
    @outputs('first')
    @job(version='{text}')
    def first():
        while not os.path.exists('go'): time.sleep(0.05)
        open('first', 'w').write('same')
    @after(first)
    @job
    def second(): open('second', 'a').write('x')
"""


@pytest.mark.parametrize('who', ['its own run', 'a run that attached'])
def test_what_proved_unchanged_is_no_failure_for_who_looks_after_its_claim_has_ended(flow: Flow, who: str) -> None:
    flow.write('go', '')
    flow.script(CUT_OFF.replace('{text}', '1') + "    schedule(second, backend='slurm')")
    flow.submit()
    flow.remove('go')
    attaching = "other = schedule(second, backend='slurm')" if who != 'its own run' else ''
    flow.script(CUT_OFF.replace('{text}', '2') + f"""
    run = schedule(second, backend='slurm')
    {attaching}
    open('go', 'w').close()
    subprocess.run(['sh', '-c', 'while squeue -h -t PD,R,CG | grep -q .; do sleep 0.1; done'])
    if {bool(attaching)}:
        run.wait()
        run = other
    else:
        schedule(second, backend='slurm')
    run.wait()
    print(run.status(), run.failures)
    """.replace('subprocess', '__import__("subprocess")'))  # fmt: skip
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert ran.stdout.splitlines()[-1] == "{'succeeded': 1, 'unchanged': 1} []", ran
    assert flow.read('second') == 'x'


def test_a_big_array_of_another_run_is_waited_for_by_its_id(flow: Flow) -> None:
    flow.script("""
        import sys
        size = int(sys.argv[1])
        @job(array=size)
        def part(i):
            while not os.path.exists('go'): time.sleep(0.05)
        @after(part)
        @job(name=f'whole-{size}')
        def whole(): open(f'whole-{size}', 'a').write('x')
        schedule(part if sys.argv[2] == 'part' else whole, backend='slurm')
    """)
    assert flow.run('120', 'part').returncode == 0
    assert flow.run('120', 'whole').returncode == 0
    assert flow.run('100', 'whole').returncode == 0
    assert flow.run('3', 'whole').returncode == 0
    array = next(job.number for job in flow.cluster.active() if job.name == 'part').partition('_')[0]
    assert flow.asked('dependency') == [
        f'afterok:{array}', f'afterany:{array}', f'afterok:{array}_0:{array}_1:{array}_2',
    ]  # fmt: skip
    flow.write('go', '')
    flow.cluster.wait_until_empty()
    assert [flow.read(f'whole-{size}') for size in (120, 100, 3)] == ['x'] * 3


@pytest.mark.parametrize('wait', [True, False])
def test_payloads_and_results_do_not_pile_up_where_only_slurm_is_used(flow: Flow, wait: bool) -> None:
    for n in range(4):
        flow.script(f"""
            @job
            def steady(): return 'steady'
            @job(version='{n}')
            def made(): return {n}
            @after(steady, made)
            @job
            def whole():
                while os.path.exists('wait'): time.sleep(0.05)
                return steady.result() + str(made.result())
            schedule(whole, backend='slurm', wait={wait})
        """)
        assert flow.submit().returncode == 0
    state = flow.path / '.awflow' / 'flow'
    assert len(list((state / 'payload').iterdir())) <= 2 + (not wait), 'of the records, and of what was under way'
    assert len(list((state / 'results' / 'steady').iterdir())) == 1
    assert len(list((state / 'results' / 'made').iterdir())) <= 1 + (not wait)
    flow.write('flow.py', flow.read('flow.py') + '\nprint(steady.result(), made.result(), whole.result())\n')
    ran = flow.run()
    assert (ran.executed, ran.stdout.split()) == ([], ['steady', '3', 'steady3']), ran


def test_what_became_of_a_task_is_told_though_its_claim_ends_with_it(flow: Flow) -> None:
    flow.script("""
        @job(hold=True)
        def held(): open('held', 'a').write('x')
        run = schedule(held, backend='slurm')
        run.cancel()
        run._planner.read(run.id)
        print(run.wait().status(), *run.failures)
    """)
    ran = flow.run()
    assert ran.returncode == 0, ran
    assert ran.stdout.splitlines()[-1] == "{'cancelled': 1} held  cancelled: Slurm says cancelled", ran
