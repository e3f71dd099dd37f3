"""When does a task run? The rules as their user meets them: change something, run the script again, see what ran."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

CHAIN = """
    @job(outputs='a')
    def first():
        with open('a', 'w') as out: out.write(open('text').read().strip())
    @after(first)
    @job(outputs='b')
    def second():
        with open('b', 'w') as out: out.write(open('a').read() + '!')
    schedule(second)
"""


@pytest.fixture
def chain(workspace: Workspace) -> Workspace:
    """Two jobs with declared outputs, done; `first` reads `text`, which nobody declared."""
    workspace.write('text', 'hello')
    workspace.script(CHAIN)
    assert workspace.run().executed == ['first', 'second']
    assert workspace.read('b') == 'hello!'
    return workspace


def again(workspace: Workspace) -> list[str]:
    """What a run that must succeed executes."""
    ran = workspace.run()
    assert ran.returncode == 0, ran
    return ran.executed


# -- attempts that did not succeed -------------------------------------------------------------------------------------


def test_a_failed_task_runs_again_and_what_succeeded_beside_it_does_not(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=3)
        def work(i):
            if i == 1 and not os.path.exists('mended'): raise ValueError('not yet')
        @after(work)
        @job
        def gather(): pass
        schedule(gather)
    """)
    first = workspace.run()
    assert (first.returncode, first.failed) == (1, ['work[1]'])
    assert sorted(first.executed) == ['work[0]', 'work[1]', 'work[2]']
    workspace.write('mended', '')
    assert again(workspace) == ['work[1]', 'gather']
    assert again(workspace) == []


def test_a_task_killed_while_writing_is_run_again_although_its_file_exists(workspace: Workspace) -> None:
    workspace.script("""
        @ensure(lambda: os.path.exists('out'))
        @job
        def write():
            with open('out', 'w') as out:
                out.write('half'); out.flush()
                if not os.path.exists('second'): os.kill(os.getpid(), signal.SIGKILL)
                out.write(' and half')
        schedule(write)
    """)
    first = workspace.run()
    assert (first.failed, first.outcomes, workspace.read('out')) == (['write'], {'write': 'crashed'}, 'half')
    workspace.write('second', '')
    assert again(workspace) == ['write']
    assert workspace.read('out') == 'half and half'


def test_a_task_whose_postcondition_does_not_hold_has_failed_and_runs_again(workspace: Workspace) -> None:
    workspace.script("""
        @ensure(lambda: os.path.exists('out'))
        @job
        def forgetful(): pass
        schedule(forgetful)
    """)
    assert workspace.run().failed == ['forgetful']
    assert workspace.run().failed == ['forgetful']
    workspace.write('out', '')
    assert again(workspace) == ['forgetful']  # the file is there, but the last attempt did not succeed
    assert again(workspace) == []


def test_a_task_that_does_not_make_its_declared_output_has_failed(workspace: Workspace) -> None:
    workspace.script("""
        @job(outputs='out')
        def forgetful(): pass
        schedule(forgetful)
    """)
    ran = workspace.run()
    assert (ran.returncode, ran.failed) == (1, ['forgetful'])
    assert 'out' in ran.stderr


def test_a_new_element_whose_file_is_already_there_is_not_taken_as_done(workspace: Workspace) -> None:
    workspace.script("""
        @ensure(lambda i: os.path.exists(f'out-{i}'))
        @job(array=2)
        def make(i): open(f'out-{i}', 'w').close()
        schedule(make)
    """)
    assert len(again(workspace)) == 2
    workspace.write('out-2', 'of somebody else')
    workspace.edit('array=2', 'array=3')
    assert again(workspace) == ['make[2]']


# -- outputs -----------------------------------------------------------------------------------------------------------


def test_an_edited_output_is_kept_before_its_task_overwrites_it(chain: Workspace) -> None:
    chain.write('a', 'my own work')
    assert again(chain) == ['first']  # it makes the same bytes as before, which stops there
    assert (chain.read('a'), chain.read('b')) == ('hello', 'hello!')
    kept = list((chain.path / '.awflow' / 'flow' / 'kept').iterdir())
    assert [path.read_text() for path in kept] == ['my own work']
    assert again(chain) == []


def test_an_output_touched_without_a_change_runs_nothing(chain: Workspace) -> None:
    os.utime(chain.path / 'a')
    os.utime(chain.path / 'b', (1, 1))
    assert again(chain) == []


def test_an_absent_output_that_nobody_needs_runs_nothing(chain: Workspace) -> None:
    chain.remove('a')
    assert again(chain) == []
    assert not chain.exists('a')


def test_an_absent_output_of_a_scheduled_job_is_made_again(chain: Workspace) -> None:
    chain.remove('b')
    assert again(chain) == ['second']


def test_an_absent_output_below_which_something_runs_is_made_first(chain: Workspace) -> None:
    chain.remove('a')
    chain.remove('b')
    assert again(chain) == ['first', 'second']


def test_an_output_declared_under_another_path_is_made_there(chain: Workspace) -> None:
    chain.edit("@job(outputs='b')", "@job(outputs='c')")
    chain.edit("open('b', 'w')", "open('c', 'w')")
    assert again(chain) == ['second']
    assert chain.read('c') == 'hello!'


def test_equal_bytes_stop_the_wave_where_outputs_are_declared(workspace: Workspace) -> None:
    workspace.script("""
        @job(outputs='sum')
        def add():
            with open('sum', 'w') as out: out.write(str(sum([1, 3])))
        @after(add)
        @job(outputs='double')
        def double():
            with open('double', 'w') as out: out.write(open('sum').read() * 2)
        @after(double)
        @job
        def show(): print('shown')
        schedule(show)
    """)
    assert again(workspace) == ['add', 'double', 'show']
    workspace.edit('[1, 3]', '[2, 2]')
    ran = workspace.run()
    assert (ran.executed, ran.stdout) == (['add'], '')
    assert again(workspace) == []
    workspace.edit('[2, 2]', '[2, 3]')
    assert again(workspace) == ['add', 'double', 'show']


def test_a_rerun_without_declared_outputs_always_reaches_the_jobs_below(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def first(): print('one')
        @after(first)
        @job
        def second(): pass
        schedule(second)
    """)
    assert again(workspace) == ['first', 'second']
    workspace.edit("'one'", "'two'")
    assert again(workspace) == ['first', 'second']


def test_a_job_that_declares_no_output_at_all_is_its_result(workspace: Workspace) -> None:
    workspace.script("""
        @outputs()
        @job
        def number(): return sum([2, 2])
        @after(number)
        @job
        def show(): print('got', number.result())
        schedule(show)
    """)
    assert 'got 4' in workspace.run().stdout
    workspace.edit('[2, 2]', '[1, 3]')
    assert again(workspace) == ['number']
    workspace.edit('[1, 3]', '[1, 4]')
    ran = workspace.run()
    assert (ran.executed, 'got 5' in ran.stdout) == (['number', 'show'], True)


def test_a_directory_as_output_is_compared_by_its_contents(workspace: Workspace) -> None:
    workspace.script("""
        @job(outputs='folder')
        def fill():
            os.makedirs('folder/deep', exist_ok=True)
            for name in ('a', 'deep/b'):
                with open(f'folder/{name}', 'w') as out: out.write(name)
        schedule(fill)
    """)
    assert again(workspace) == ['fill']
    assert again(workspace) == []
    workspace.write('folder/deep/b', 'edited')
    assert again(workspace) == ['fill']
    assert workspace.read('folder/deep/b') == 'deep/b'


# -- inputs ------------------------------------------------------------------------------------------------------------


def test_a_changed_input_runs_its_task_and_a_touched_one_does_not(workspace: Workspace) -> None:
    workspace.write('data.csv', '1')
    workspace.script("""
        @inputs('data.csv')
        @job
        def read(): print('read', open('data.csv').read())
        schedule(read)
    """)
    assert again(workspace) == ['read']
    os.utime(workspace.path / 'data.csv')
    assert again(workspace) == []
    workspace.write('data.csv', '2')
    ran = workspace.run()
    assert (ran.executed, 'read 2' in ran.stdout) == (['read'], True)


def test_an_input_of_the_same_size_and_time_but_other_bytes_is_noticed(workspace: Workspace) -> None:
    path = workspace.write('data.csv', 'aaaa')
    workspace.script("""
        @inputs('data.csv')
        @job
        def read(): pass
        schedule(read)
    """)
    assert again(workspace) == ['read']
    before = path.stat()
    path.write_text('bbbb')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert again(workspace) == ['read']


def test_another_file_that_fits_the_glob_runs_the_task(workspace: Workspace) -> None:
    workspace.write('in/a.txt', 'a')
    workspace.script("""
        @inputs('in/*.txt')
        @job
        def read(): pass
        schedule(read)
    """)
    assert again(workspace) == ['read']
    workspace.write('in/b.md', 'b')
    assert again(workspace) == []
    workspace.write('in/b.txt', 'b')
    assert again(workspace) == ['read']
    workspace.remove('in/b.txt')
    assert again(workspace) == ['read']


def test_a_template_gives_each_element_its_own_input(workspace: Workspace) -> None:
    for i in range(3):
        workspace.write(f'in-{i}', str(i))
    workspace.script("""
        @inputs('in-{i}')
        @outputs('out-{i}')
        @job(array=3)
        def copy(i):
            with open(f'out-{i}', 'w') as out: out.write(open(f'in-{i}').read())
        schedule(copy)
    """)
    assert len(again(workspace)) == 3
    workspace.write('in-1', 'new')
    assert again(workspace) == ['copy[1]']
    assert workspace.read('out-1') == 'new'


def test_an_input_that_an_ancestor_makes_follows_its_record_not_the_disk(workspace: Workspace) -> None:
    workspace.script("""
        @outputs('middle')
        @job
        def make():
            with open('middle', 'w') as out: out.write('x')
        @after(make)
        @inputs('middle')
        @outputs('end')
        @job
        def use():
            with open('end', 'w') as out: out.write(open('middle').read())
        schedule(use)
    """)
    assert again(workspace) == ['make', 'use']
    workspace.remove('middle')
    assert again(workspace) == []
    workspace.edit("write('x')", "write('y')")
    assert again(workspace) == ['make', 'use']
    assert workspace.read('end') == 'y'


# -- arrays ------------------------------------------------------------------------------------------------------------

ARRAY = """
    @job(array={array})
    def each(v): pass
    schedule(each)
"""


@pytest.mark.parametrize(
    ('before', 'after', 'executed'),
    [
        ('3', '5', ['each[3]', 'each[4]']),
        ('5', '3', []),
        ('range(3)', 'range(1, 4)', ['each[3]']),
        ('range(0, 10, 5)', '[5, 0]', []),
        ("['a', 'b']", "['b', 'c', 'a']", ["each['c']"]),
        ('[0.1, 0.2]', '[0.2, 0.30000000000000004, 0.1]', ['each[0.30000000000000004]']),
        ("{'x', 'y', 'z'}", "{'z', 'x', 'y'}", []),
        ("{'x', 'y'}", "{'y', 'w', 'x'}", ["each['w']"]),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}", []),
        ("{'a': 1, 'b': 2}", "{'b': 3, 'a': 1}", ["each['b']"]),
        ("[1, '1', 1.0, True, None]", "[None, True, 1.0, '1', 1]", []),
        ("[(1, 'a'), (2, 'b')]", "[(2, 'b'), (3, 'c'), (1, 'a')]", ["each[(3, 'c')]"]),
        ("[{'lr': 0.1}, {'lr': 0.2}]", "[{'lr': 0.2}, {'lr': 0.1}]", []),
    ],
)
def test_elements_are_known_by_their_value_and_not_by_their_place(
    workspace: Workspace, before: str, after: str, executed: list[str]
) -> None:
    workspace.script(ARRAY.format(array=before))
    assert len(again(workspace)) == len(eval(f'range({before})' if before.isdigit() else before))
    workspace.script(ARRAY.format(array=after))
    assert again(workspace) == executed


@pytest.mark.parametrize('seed', ['1', '2', '3'])
def test_the_order_of_a_set_does_not_count(workspace: Workspace, seed: str) -> None:
    workspace.script(
        """
        @job(array={'alpha', 'beta', 'gamma', 'delta'})
        def each(v): pass
        @after(each)
        @job
        def gather(): pass
        schedule(gather)
        """
    )
    assert len(workspace.run(PYTHONHASHSEED='0').executed) == 5
    assert workspace.run(PYTHONHASHSEED=seed).executed == []


def test_an_empty_array_is_simply_done(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=[])
        def none(v): pass
        @after(none)
        @job
        def gather(): pass
        schedule(gather)
    """)
    assert again(workspace) == ['gather']
    assert again(workspace) == []
    workspace.edit('array=[]', 'array=[1]')
    assert again(workspace) == ['none[1]', 'gather']


@pytest.mark.parametrize('array', ['[1, 2, 3, 4]', '[1, 2]', '[3, 2, 1]'], ids=['grown', 'shrunk', 'reordered'])
def test_another_array_runs_the_job_that_waits_for_all_of_it(workspace: Workspace, array: str) -> None:
    text = """
        @job(array=[1, 2, 3])
        def each(v): return v
        @after(each)
        @job
        def gather(): print('gathered', each.results())
        schedule(gather)
    """
    workspace.script(text)
    assert len(again(workspace)) == 4
    workspace.script(text.replace('[1, 2, 3]', array))
    ran = workspace.run()
    assert ran.executed == (['each[4]', 'gather'] if '4' in array else ['gather'])
    assert f'gathered {array}' in ran.stdout


def test_elements_joined_each_to_each_run_on_their_own(workspace: Workspace) -> None:
    workspace.script("""
        @inputs('in-{i}')
        @job(array=['a', 'b', 'c'])
        def first(i): pass
        @after(first, each=True)
        @job(array=['c', 'b', 'a'])
        def second(i): pass
        schedule(second)
    """)
    for i in 'abc':
        workspace.write(f'in-{i}', i)
    assert len(again(workspace)) == 6
    workspace.write('in-b', 'new')
    assert again(workspace) == ["first['b']", "second['b']"]
    assert again(workspace) == []


def test_an_element_whose_partner_failed_is_skipped_and_the_others_run(workspace: Workspace) -> None:
    workspace.script("""
        @job(array=3)
        def first(i):
            if i == 1 and not os.path.exists('mended'): sys.exit(3)
        @after(first, each=True)
        @job(array=3)
        def second(i): pass
        schedule(second)
    """)
    ran = workspace.run()
    assert sorted(ran.executed) == ['first[0]', 'first[1]', 'first[2]', 'second[0]', 'second[2]']
    workspace.write('mended', '')
    assert again(workspace) == ['first[1]', 'second[1]']


# -- edges -------------------------------------------------------------------------------------------------------------

HANDLERS = """
    @job
    def work():
        if os.path.exists('broken'): raise RuntimeError('broken')
        return len(os.listdir('.')) * 0
    @after(work, status='failure')
    @job
    def alert(): print('alerted')
    @after(work, status='any')
    @job
    def clean(): print('cleaned')
    @after(work)
    @job
    def report(): print('reported')
    schedule(alert, clean, report)
"""


def test_a_failure_handler_runs_when_it_is_needed_and_not_otherwise(workspace: Workspace) -> None:
    workspace.script(HANDLERS)
    workspace.write('broken', '')
    first = workspace.run()
    assert (first.returncode, first.failed) == (1, ['work'])
    assert sorted(first.executed) == ['alert', 'clean', 'work']
    workspace.remove('broken')
    assert sorted(again(workspace)) == ['clean', 'report', 'work']
    assert again(workspace) == []


def test_a_handler_that_was_never_needed_never_runs(workspace: Workspace) -> None:
    workspace.script(HANDLERS)
    assert sorted(again(workspace)) == ['clean', 'report', 'work']
    assert again(workspace) == []


def test_a_task_that_failed_again_alerts_again(workspace: Workspace) -> None:
    workspace.script(HANDLERS)
    workspace.write('broken', '')
    workspace.run()
    second = workspace.run()
    assert sorted(second.executed) == ['alert', 'clean', 'work']


def test_waiting_for_any_starts_at_the_first_yes(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def quick(): pass
        @job
        def slow():
            while not os.path.exists('started'): time.sleep(0.01)
        @waitfor('any')
        @after(quick, slow)
        @job
        def eager(): open('started', 'w').close()
        schedule(eager, workers=4)
    """)
    ran = workspace.run()  # `slow` ends only after `eager` has started
    assert ran.returncode == 0, ran
    assert sorted(ran.executed) == ['eager', 'quick', 'slow']
    assert again(workspace) == []


def test_waiting_for_any_is_skipped_when_all_say_no(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def one(): sys.exit(1)
        @job
        def two(): sys.exit(1)
        @waitfor('any')
        @after(one, two)
        @job
        def eager(): pass
        schedule(eager)
    """)
    ran = workspace.run()
    assert sorted(ran.executed) == ['one', 'two']


def test_a_skipped_job_skips_what_waits_for_it(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def a(): raise ValueError
        @after(a)
        @job
        def b(): pass
        @after(b)
        @job
        def c(): pass
        @after(c, status='failure')
        @job
        def d(): print('handled')
        schedule(c, d)
    """)
    assert workspace.run().executed == ['a', 'd']


def test_a_new_edge_runs_the_job(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def a(): pass
        @job
        def b(): pass
        @after(a)
        @job
        def c(): pass
        schedule(b, c)
    """)
    assert len(again(workspace)) == 3
    workspace.edit('@after(a)', '@after(a, b)')
    assert again(workspace) == ['c']
    workspace.edit('@after(a, b)', '@after(b)')
    assert again(workspace) == ['c']
    assert again(workspace) == []


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
    assert again(workspace) == ['a', 'b']
    workspace.edit('schedule(b)', 'schedule(b, force=[b])')
    assert again(workspace) == ['b']
    workspace.edit('force=[b]', 'force=a')
    assert again(workspace) == ['a', 'b']
    workspace.edit(', force=a', '')
    assert again(workspace) == []


def test_without_pruning_everything_runs_every_time(workspace: Workspace) -> None:
    workspace.script(PAIR)
    workspace.edit('schedule(b)', 'schedule(b, prune=False)')
    assert again(workspace) == ['a', 'b']
    assert again(workspace) == ['a', 'b']
    workspace.edit('schedule(b', 'a.prune(); schedule(b')
    assert again(workspace) == ['b']


def test_another_version_runs_the_job_and_other_code_under_the_same_does_not(workspace: Workspace) -> None:
    workspace.script("""
        @job(version='1')
        def work(): print('one')
        schedule(work)
    """)
    assert again(workspace) == ['work']
    workspace.edit("print('one')", "print('two')")
    assert again(workspace) == []
    workspace.edit("version='1'", "version='2'")
    assert again(workspace) == ['work']


def test_ignored_names_do_not_count(workspace: Workspace) -> None:
    workspace.script("""
        verbose = 1
        @job(ignore=['verbose'])
        def work(): print(verbose)
        schedule(work)
    """)
    assert again(workspace) == ['work']
    workspace.edit('verbose = 1', 'verbose = 2')
    assert again(workspace) == []


def test_a_dry_run_tells_and_changes_nothing_on_disk(workspace: Workspace) -> None:
    workspace.script(PAIR)
    workspace.edit('schedule(b)', "schedule(b, dry_run='dry' in sys.argv)")
    before = workspace.files()
    first = workspace.run('dry')
    assert (first.returncode, workspace.files()) == (0, before), first
    assert 'never ran' in first.stdout
    assert again(workspace) == ['a', 'b']
    workspace.edit('def a(): pass', 'def a(): return 1')
    before = workspace.files()
    second = workspace.run('dry')
    assert (second.executed, workspace.files()) == ([], before)
    assert 'code of a' in second.stdout
    assert 'upstream a' in second.stdout


def test_a_job_that_left_the_script_and_came_back_is_still_done(workspace: Workspace) -> None:
    workspace.script(PAIR)
    again(workspace)
    workspace.edit('schedule(b)', 'schedule(a)')
    assert again(workspace) == []
    workspace.edit('schedule(a)', 'schedule(b)')
    assert again(workspace) == []


def test_jobs_of_a_loop_are_known_by_what_they_capture(workspace: Workspace) -> None:
    workspace.script("""
        jobs = []
        for rate in (0.1, 0.2):
            def fit(rate=rate): print('rate', rate)
            jobs.append(job(fit))
        schedule(*jobs)
    """)
    assert len(again(workspace)) == 2
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
