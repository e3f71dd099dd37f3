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
    assert workspace.again() == ['work[1]', 'gather']
    assert workspace.again() == []


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
    assert workspace.again() == ['write']
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
    assert workspace.again() == ['forgetful']  # the file is there, but the last attempt did not succeed
    assert workspace.again() == []


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
    assert len(workspace.again()) == 2
    workspace.write('out-2', 'of somebody else')
    workspace.edit('array=2', 'array=3')
    assert workspace.again() == ['make[2]']


# -- outputs -----------------------------------------------------------------------------------------------------------


def test_an_edited_output_is_kept_before_its_task_overwrites_it(chain: Workspace) -> None:
    chain.write('a', 'my own work')
    assert chain.again() == ['first']  # it makes the same bytes as before, which stops there
    assert (chain.read('a'), chain.read('b')) == ('hello', 'hello!')
    kept = list((chain.path / '.awflow' / 'flow' / 'kept').iterdir())
    assert [path.read_text() for path in kept] == ['my own work']
    assert chain.again() == []


def test_an_output_touched_without_a_change_runs_nothing(chain: Workspace) -> None:
    os.utime(chain.path / 'a')
    os.utime(chain.path / 'b', (1, 1))
    assert chain.again() == []


def test_an_absent_output_that_nobody_needs_runs_nothing(chain: Workspace) -> None:
    chain.remove('a')
    assert chain.again() == []
    assert not chain.exists('a')


def test_an_absent_output_of_a_scheduled_job_is_made_again(chain: Workspace) -> None:
    chain.remove('b')
    assert chain.again() == ['second']


def test_an_absent_output_below_which_something_runs_is_made_first(chain: Workspace) -> None:
    chain.remove('a')
    chain.remove('b')
    assert chain.again() == ['first', 'second']


def test_an_output_declared_under_another_path_is_made_there(chain: Workspace) -> None:
    chain.edit("@job(outputs='b')", "@job(outputs='c')")
    chain.edit("open('b', 'w')", "open('c', 'w')")
    assert chain.again() == ['second']
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
    assert workspace.again() == ['add', 'double', 'show']
    workspace.edit('[1, 3]', '[2, 2]')
    ran = workspace.run()
    assert (ran.executed, ran.stdout) == (['add'], '')
    assert workspace.again() == []
    workspace.edit('[2, 2]', '[2, 3]')
    assert workspace.again() == ['add', 'double', 'show']


def test_a_rerun_without_declared_outputs_always_reaches_the_jobs_below(workspace: Workspace) -> None:
    workspace.script("""
        @job
        def first(): print('one')
        @after(first)
        @job
        def second(): pass
        schedule(second)
    """)
    assert workspace.again() == ['first', 'second']
    workspace.edit("'one'", "'two'")
    assert workspace.again() == ['first', 'second']


def test_a_job_runs_when_its_upstream_ran_without_it(chain: Workspace) -> None:
    chain.edit("open('text').read().strip()", "open('text').read().upper()")
    chain.edit('schedule(second)', 'schedule(first)')
    assert chain.again() == ['first']
    chain.edit('schedule(first)', 'schedule(second)')
    assert chain.again() == ['second']
    assert chain.read('b') == 'HELLO!'


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
    assert workspace.again() == ['number']
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
    assert workspace.again() == ['fill']
    assert workspace.again() == []
    workspace.write('folder/deep/b', 'edited')
    assert workspace.again() == ['fill']
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
    assert workspace.again() == ['read']
    os.utime(workspace.path / 'data.csv')
    assert workspace.again() == []
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
    assert workspace.again() == ['read']
    before = path.stat()
    path.write_text('bbbb')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert workspace.again() == ['read']


def test_another_file_that_fits_the_glob_runs_the_task(workspace: Workspace) -> None:
    workspace.write('in/a.txt', 'a')
    workspace.script("""
        @inputs('in/*.txt')
        @job
        def read(): pass
        schedule(read)
    """)
    assert workspace.again() == ['read']
    workspace.write('in/b.md', 'b')
    assert workspace.again() == []
    workspace.write('in/b.txt', 'b')
    assert workspace.again() == ['read']
    workspace.remove('in/b.txt')
    assert workspace.again() == ['read']


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
    assert len(workspace.again()) == 3
    workspace.write('in-1', 'new')
    assert workspace.again() == ['copy[1]']
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
    assert workspace.again() == ['make', 'use']
    workspace.remove('middle')
    assert workspace.again() == []
    workspace.edit("write('x')", "write('y')")
    assert workspace.again() == ['make', 'use']
    assert workspace.read('end') == 'y'
