"""What may be asked of `schedule`, what results give, and what happens between and during runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Workspace

# -- what is asked of schedule -----------------------------------------------------------------------------------------

PAIR = """
    @job
    def a(): pass
    @after(a)
    @job
    def b(): pass
    schedule(b)
"""


def test_force_runs_a_job_and_what_waits_for_it_once(workspace: Workspace) -> None:
    workspace.script(PAIR)
    assert workspace.again() == ['a', 'b']
    workspace.edit('schedule(b)', 'schedule(b, force=[b])')
    assert workspace.again() == ['b']
    workspace.edit('force=[b]', 'force=a')
    assert workspace.again() == ['a', 'b']
    workspace.edit(', force=a', '')
    assert workspace.again() == []


def test_without_pruning_everything_runs_every_time(workspace: Workspace) -> None:
    workspace.script(PAIR)
    workspace.edit('schedule(b)', 'schedule(b, prune=False)')
    assert workspace.again() == ['a', 'b']
    assert workspace.again() == ['a', 'b']
    workspace.edit('schedule(b', 'a.prune(); schedule(b')
    assert workspace.again() == ['b']


def test_another_version_runs_the_job_and_other_code_under_the_same_does_not(workspace: Workspace) -> None:
    workspace.script("""
        @job(version='1')
        def work(): print('one')
        schedule(work)
    """)
    assert workspace.again() == ['work']
    workspace.edit("print('one')", "print('two')")
    assert workspace.again() == []
    workspace.edit("version='1'", "version='2'")
    assert workspace.again() == ['work']


def test_ignored_names_do_not_count(workspace: Workspace) -> None:
    workspace.script("""
        verbose = 1
        @job(ignore=['verbose'])
        def work(): print(verbose)
        schedule(work)
    """)
    assert workspace.again() == ['work']
    workspace.edit('verbose = 1', 'verbose = 2')
    assert workspace.again() == []


def test_a_dry_run_tells_and_changes_nothing_on_disk(workspace: Workspace) -> None:
    workspace.script(PAIR)
    workspace.edit('schedule(b)', "schedule(b, dry_run='dry' in sys.argv)")
    before = workspace.files()
    first = workspace.run('dry')
    assert (first.returncode, workspace.files()) == (0, before), first
    assert 'never ran' in first.stdout
    assert workspace.again() == ['a', 'b']
    workspace.edit('def a(): pass', 'def a(): return 1')
    before = workspace.files()
    second = workspace.run('dry')
    assert (second.executed, workspace.files()) == ([], before)
    assert 'code of a' in second.stdout
    assert 'upstream a' in second.stdout


def test_a_job_that_left_the_script_and_came_back_is_still_done(workspace: Workspace) -> None:
    workspace.script(PAIR)
    workspace.again()
    workspace.edit('schedule(b)', 'schedule(a)')
    assert workspace.again() == []
    workspace.edit('schedule(a)', 'schedule(b)')
    assert workspace.again() == []


def test_jobs_of_a_loop_are_known_by_what_they_capture(workspace: Workspace) -> None:
    workspace.script("""
        jobs = []
        for rate in (0.1, 0.2):
            def fit(rate=rate): print('rate', rate)
            jobs.append(job(fit))
        schedule(*jobs)
    """)
    assert len(workspace.again()) == 2
    workspace.edit('(0.1, 0.2)', '(0.3, 0.2, 0.1)')
    ran = workspace.run()
    assert (len(ran.executed), ran.stdout.count('rate'), 'rate 0.3' in ran.stdout) == (1, 1, True)


# -- results -----------------------------------------------------------------------------------------------------------


def test_results_are_there_in_the_second_run_too(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=['a', 'b'])
        def length(text): return {'text': text, 'length': len(text)}
        @after(length)
        @job
        def total(): print('total', length.results(), length.result('b')['text'])
        schedule(total)
    """)
    assert "total [{'text': 'a', 'length': 1}, {'text': 'b', 'length': 1}] b" in workspace.run().stdout
    workspace.edit("print('total'", "print('sum'")
    ran = workspace.run()
    assert ran.executed == ['total']
    assert "sum [{'text': 'a', 'length': 1}, {'text': 'b', 'length': 1}] b" in ran.stdout


def test_the_script_itself_can_read_results_after_the_run(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=3)
        def square(i): return i * i
        @job
        def single(): return 'one'
        run = schedule(square, single)
        print('results', square.results(), square.result(2), single.result(), run.result(square, 1), run.result(single))
    """)
    assert 'results [0, 1, 4] 4 one 1 one' in workspace.run().stdout
    second = workspace.run()
    assert (second.executed, 'results [0, 1, 4] 4 one 1 one' in second.stdout) == ([], True)


def test_a_plain_call_of_a_job_is_a_plain_call(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=3)
        def square(i): return i * i
        @job
        def both(): print('both', square(5))
        print(square(4))
        schedule(both)
    """)
    ran = workspace.run()
    assert (ran.executed, ran.stdout) == (['both'], '16\nboth | both 25\n')


def test_a_result_that_was_lost_is_made_again_where_somebody_reads_it(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def number(): return 3
        @after(number)
        @job
        def show(): print('got', number.result())
        schedule(show)
    """)
    assert workspace.again() == ['number', 'show']
    for path in (workspace.path / '.awflow' / 'flow' / 'results').rglob('*.pickles'):
        path.unlink()
    assert workspace.again() == []
    workspace.edit("'got'", "'now'")
    ran = workspace.run()
    assert (ran.executed, 'now 3' in ran.stdout) == (['number', 'show'], True)


# -- on the way --------------------------------------------------------------------------------------------------------


def test_an_input_that_changes_while_it_is_read_is_read_again_next_time(workspace: Workspace) -> None:
    workspace.write('data', 'old')
    workspace.script("""
        @job(inputs='data')
        def read():
            text = open('data').read()
            if text == 'old':
                with open('data', 'w') as out: out.write('new')
            print('read', text)
        schedule(read)
    """)
    assert 'read old' in workspace.run().stdout
    ran = workspace.run()
    assert (ran.executed, 'read new' in ran.stdout) == (['read'], True)
    assert workspace.again() == []


def test_the_wave_stops_element_by_element(workspace: Workspace) -> None:
    workspace.script("""
        @inputs('in-{i}')
        @outputs('size-{i}')
        @job(array=3)
        def measure(i):
            with open(f'size-{i}', 'w') as out: out.write(str(os.path.getsize(f'in-{i}')))
        @after(measure, each=True)
        @job(array=3)
        def use(i): print('used', open(f'size-{i}').read())
        schedule(use)
    """)
    for i in range(3):
        workspace.write(f'in-{i}', 'abc')
    assert len(workspace.again()) == 6
    workspace.write('in-0', 'xyz')  # as long as before
    workspace.write('in-1', 'longer')
    assert sorted(workspace.again()) == ['measure[0]', 'measure[1]', 'use[1]']
    assert workspace.again() == []


def test_the_state_may_lie_elsewhere(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def work(): print('worked')
        schedule(work, **({'state': 'deep/state'} if 'deep' in sys.argv else {}))
    """)
    assert 'worked' in workspace.run('deep').stdout
    assert workspace.run('deep').stdout == ''
    assert not workspace.exists('.awflow')
    elsewhere = str(workspace.path.parent / 'other')
    assert 'worked' in workspace.run(AWFLOW_STATE=elsewhere).stdout
    assert workspace.run(AWFLOW_STATE=elsewhere).stdout == ''
    assert not workspace.exists('.awflow')


def test_a_script_run_from_another_directory_has_its_world_there(workspace: Workspace) -> None:
    workspace.script(
        """
        @ensure(lambda: os.path.exists('made'))
        @job
        def make(): open('made', 'w').close()
        schedule(make)
    """,
        name='scripts/flow.py',
    )
    ran = workspace.run(name='scripts/flow.py')
    assert (ran.executed, workspace.exists('made'), workspace.exists('.awflow/flow')) == (['make'], True, True)
    (workspace.path / 'there').mkdir()
    other = workspace.run(name='../scripts/flow.py', directory=workspace.path / 'there')
    assert (other.executed, workspace.exists('there/made')) == (['make'], True)
    assert workspace.run(name='scripts/flow.py').executed == []


def test_many_runs_one_after_the_other_forget_nothing(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=200)
        def many(i): return 'x' * 200
        @job
        def often(): return 1
        @after(many, often)
        @job
        def last(): print(len(many.results()))
        for turn in range(25): run = schedule(last, force=[often])
        print(sorted(run.executed))
    """)
    first = workspace.run()
    assert first.returncode == 0, first
    assert first.stdout.splitlines()[-1] == "['last', 'often']"
    second = workspace.run()
    assert not [name for name in second.executed if name.startswith('many')]


def test_one_script_may_schedule_several_times(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=2)
        def part(i): return i
        schedule(part)
        factor = sum(part.results()) + 1
        @after(part)
        @job
        def whole(): return factor * 10
        schedule(whole)
        print(whole.result())
    """)
    first = workspace.run()
    assert (sorted(first.executed), first.stdout) == (['part[0]', 'part[1]', 'whole'], '20\n')
    second = workspace.run()
    assert (second.executed, second.stdout) == ([], '20\n')


def test_a_run_that_failed_without_check_may_be_followed_by_another(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def work():
            if not os.path.exists('mended'): raise ValueError
        first = schedule(work, check=False)
        open('mended', 'w').close()
        second = schedule(work)
        print(len(first.failures), len(second.failures), second.executed)
    """)
    assert workspace.run().stdout.splitlines()[-1] == "1 0 ['work']"
