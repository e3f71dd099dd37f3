"""Edits of options, arrays, files and upstreams, after which exactly certain tasks must run again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

from tests.conftest import Workspace
from tests.triggers.table import Projects, Row, must_rerun, project, table


def written(name: str, text: str) -> Callable[[Workspace], None]:
    return lambda workspace: void(workspace.write(name, text))


def removed(name: str) -> Callable[[Workspace], None]:
    return lambda workspace: workspace.remove(name)


def void(_: object) -> None: ...


def relinked(workspace: Workspace) -> None:
    (workspace.path / 'link').unlink()
    os.symlink('second.txt', workspace.path / 'link')


def swapped(workspace: Workspace) -> None:
    """The same size, and the same time of change as far as `utime` can forge it."""
    path = workspace.path / 'single.txt'
    before = path.stat()
    path.write_text('elgnis')
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


FILES = project('''
    import functools, os
    if not os.path.lexists('link'): os.symlink('first.txt', 'link')
    values = [1, 2, 3]
    sizes = {'small': 1, 'large': 100}
    def checked(path): return os.path.exists(path)
    def minimum(): return 1

    @job(array=values)
    def element(i): print(i)
    @job(array=sizes)
    def keyed(size): print(size)
    @job(array=2)
    def counted(i): print(i)
    @job(version='1')
    def versioned(): print('versioned')
    @inputs('single.txt')
    @job
    def reads(): print(open('single.txt').read())
    @inputs('folder')
    @job
    def reads_folder(): print(os.listdir('folder'))
    @inputs('glob/*.txt')
    @job
    def reads_glob(): print(os.listdir('glob'))
    @inputs('link')
    @job
    def reads_link(): print(open('link').read())
    @inputs('parts/{i}.txt')
    @job(array=2)
    def reads_part(i): print(i)
    @inputs(lambda i: f'parts/{1 - i}.txt')
    @job(array=2)
    def reads_other_part(i): print(i)
    @outputs('made.txt')
    @job
    def makes():
        with open('made.txt', 'w') as f: f.write('made')
    @inputs('made.txt')
    @outputs('copied.txt')
    @after(makes)
    @job
    def copies():
        with open('copied.txt', 'w') as f: f.write(open('made.txt').read() + '!')
    @after(copies)
    @job
    def below(): print('below')
    @job
    def plain(): print('plain')
    @after(plain)
    @job
    def after_plain(): print('after plain')
    @job
    def returns(): return 5
    @after(returns)
    @outputs()
    @job
    def adds(): return returns.result() + 1
    @after(adds)
    @job
    def shows(): print(adds.result())
    @outputs('parts_made')
    @job
    def splits():
        os.makedirs('parts_made', exist_ok=True)
        for i in (0, 1):
            with open(f'parts_made/{i}.txt', 'w') as f: f.write(f'part {i}')
    @inputs('parts_made/{i}.txt')
    @outputs('taken{i}.txt')
    @after(splits)
    @job(array=2)
    def takes(i):
        with open(f'taken{i}.txt', 'w') as f: f.write(open(f'parts_made/{i}.txt').read())
    @after(takes)
    @job
    def joins(): print('joined')
    @ensure(lambda: len(open('log.txt').read()) >= minimum())
    @job
    def grows():
        with open('log.txt', 'a') as f: f.write('x')
    @outputs('sized.txt')
    @job
    def sized():
        with open('sized.txt', 'w') as f: f.write('four')
    for name in ('one', 'two'):
        @job(name=f'loop_{name}')
        def loop(name=name): print(name)
        globals()[f'loop_{name}'] = loop
    del loop
''', {
    'single.txt': 'single', 'first.txt': 'first', 'second.txt': 'second', 'folder/a.txt': 'a', 'folder/sub/b.txt': 'b',
    'glob/a.txt': 'a', 'glob/b.dat': 'b', 'parts/0.txt': '0', 'parts/1.txt': '1',
})  # fmt: skip


@table(
    (FILES, [
        Row('another element of an array', 'values = [1, 2, 3]', 'values = [1, 2, 3, 4]', runs='element[4]'),
        Row('an element of an array that becomes another', 'values = [1, 2, 3]', 'values = [1, 5, 3]', runs='element[5]'),
        Row('the value behind a key', "'large': 100", "'large': 101", runs="keyed['large']", names='value'),
        Row('another key', "'large': 100", "'large': 100, 'huge': 1000", runs="keyed['huge']"),
        Row('a longer array', 'array=2)\ndef counted', 'array=4)\ndef counted', runs='counted[2] counted[3]'),
        Row('a version', "version='1'", "version='2'", runs='versioned', names='version'),
        Row('a version that goes', "@job(version='1')", '@job', runs='versioned', names='version'),
        Row("an input's bytes", written('single.txt', 'other'), runs='reads', names='input single.txt'),
        Row("an input's bytes, with size and time as before", swapped, runs='reads', names='input single.txt'),
        Row('a file in a folder inside an input directory', written('folder/sub/b.txt', 'c'), runs='reads_folder', names='input folder'),
        Row('a new file in an input directory', written('folder/c.txt', ''), runs='reads_folder', names='input folder'),
        Row('a file renamed in an input directory', lambda w: void((w.path / 'folder/a.txt').rename(w.path / 'folder/z.txt')),
            runs='reads_folder', names='input folder'),
        Row('a new file that fits a pattern', written('glob/c.txt', 'c'), runs='reads_glob', names='input glob/c.txt'),
        Row('what a symlink leads to', written('first.txt', 'other'), runs='reads_link', names='input link'),
        Row('where a symlink leads', relinked, runs='reads_link', names='input link'),
        Row("one element's input", written('parts/1.txt', 'other'), runs='reads_part[1] reads_other_part[0]', names='input parts/1.txt'),
        Row('another input', "@inputs('single.txt')", "@inputs('single.txt', 'second.txt')", runs='reads', names='input second.txt'),
        Row('an input no longer declared', "@inputs('single.txt')\n", '', runs='reads', names='input single.txt'),
        Row("an upstream's outputs", "f.write('made')", "f.write('other')", runs='makes copies below'),
        Row('an upstream that makes the same bytes in another way', "f.write('made')", "f.writelines(['made'])", runs='makes', names='code of makes'),
        Row('an upstream that returns the same in another way', 'return 5', 'return int("5")', runs='returns adds', names=''),
        Row('an output that was edited', written('copied.txt', 'edited'), runs='copies', names='copied.txt'),
        Row('an output that is gone', removed('copied.txt'), runs='copies', names='copied.txt'),
        Row('another output', "@outputs('sized.txt')", "@outputs('sized.txt', 'first.txt')", runs='sized', names='output paths'),
        Row('one of the files that an upstream makes in a directory', "f.write(f'part {i}')", "f.write(f'part {i or None}')",
            runs='splits takes[0] takes[1] joins'),
        Row('another file in the directory that an upstream makes', 'for i in (0, 1):', 'for i in (0, 1, 2):',
            runs='splits takes[0] takes[1]'),
        Row('a file in the directory that an upstream makes, edited', written('parts_made/1.txt', 'edited'), runs='splits'),
        Row('an upstream that declares nothing', "'plain'", "'plainer'", runs='plain after_plain', names='plain'),
        Row("an upstream's return value", 'return 5', 'return 6', runs='returns adds shows'),
        Row('a new upstream', '@after(returns)\n', '@after(returns, plain)\n', runs='adds', names='plain'),
        Row('a helper of a postcondition, which then asks for more', 'return 1', 'return 2', runs='grows', names="log.txt').read()) >= minimum()"),
        Row('a postcondition itself, which then asks for more', '>= minimum()', '== 2', runs='grows', names="log.txt').read()) == 2"),
        Row('one variant of a loop', "('one', 'two')", "('one', 'three')", runs='loop_three'),
        Row("a job's name", 'def plain()', 'def plainly()', '@after(plain)', '@after(plainly)',
            runs='plainly after_plain'),
    ]),
)  # fmt: skip
def test_exactly_these_tasks_run_again_and_say_why(row: Row, projects: Projects) -> None:
    after = projects.after(row)
    must_rerun(after, row)
    assert after.workspace.run().executed == [], 'a run with nothing to do ran something'


def test_a_file_in_a_directory_that_another_job_makes_is_read_only_behind_it(workspace: Workspace) -> None:
    workspace.script("""
        @outputs('made')
        @job
        def makes(): os.makedirs('made'); open('made/a.txt', 'w').close()
        @inputs('made/a.txt')
        @job
        def reads(): pass
        schedule(makes, reads)
    """)
    ran = workspace.run()
    assert ran.returncode == 1
    assert "task reads reads made/a.txt, which 'makes' makes, but does not wait for it" in ran.stderr
    assert 'Add @after(makes).' in ran.stderr


def test_what_was_made_of_a_directory_stays_fresh_when_the_directory_is_deleted(workspace: Workspace) -> None:
    workspace.script("""
        @outputs('made')
        @job
        def makes():
            os.makedirs('made', exist_ok=True)
            with open('made/a.txt', 'w') as f: f.write('a')
        @inputs('made/a.txt')
        @outputs('b.txt')
        @after(makes)
        @job
        def reads():
            with open('made/a.txt') as f, open('b.txt', 'w') as g: g.write(f.read() + 'b')
        schedule(reads)
    """)
    assert workspace.again() == ['makes', 'reads']
    shutil.rmtree(workspace.path / 'made')
    assert workspace.again() == []
    workspace.edit("+ 'b'", "+ 'c'")
    assert workspace.again() == ['makes', 'reads']
    assert workspace.read('b.txt') == 'ac'
