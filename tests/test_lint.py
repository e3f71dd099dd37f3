"""The lint: which files of the project tasks use without declaring it, and what is advised."""

from __future__ import annotations

from typing import Any

import pytest

from awflow.advice import advise, templated


def linted(workspace: Any, **environ: str) -> Any:
    """A run that must succeed, under the lint."""
    ran = workspace.run(AWFLOW_LINT='1', **environ)
    assert ran.returncode == 0, ran
    return ran


def found(workspace: Any, task: str = 'work') -> dict[str, Any] | None:
    """What the record of a task says."""
    lint: dict[str, Any] | None = workspace.attempts()[task].lint
    return lint


def job(workspace: Any, body: str, decorators: str = '') -> None:
    """A script of one job."""
    lines = [
        'import glob, json',
        'from pathlib import Path',
        "there = lambda name: Path(f'out/{name}.txt').exists()",
        *decorators.splitlines(),
        '@job',
        'def work():',
    ]
    workspace.script('\n'.join([*lines, *(f'    {line}' for line in body.splitlines()), '', 'schedule(work)', '']))


# -- reading -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_read_undeclared_is_named_with_the_cure(workspace: Any) -> None:
    workspace.write('params.json', '{}')
    job(workspace, "json.load(open('params.json'))")
    ran = linted(workspace)
    assert found(workspace) == {'read': ['params.json']}
    assert "lint: work reads params.json undeclared: a change there reruns nothing: @inputs('params.json')" in ran.stderr


@pytest.mark.parametrize(
    'inputs',
    ["'data/a.csv'", "'data/*.csv'", "'data'", "'link/a.csv'", 'lambda: Path("data/a.csv")', "os.path.abspath('data/a.csv')"],
)
def test_a_file_that_is_an_input_is_not_named(workspace: Any, inputs: str) -> None:
    workspace.write('data/a.csv', '1')
    (workspace.path / 'link').symlink_to('data')
    job(workspace, "open('data/a.csv').read()\nopen('link/a.csv').read()", f'@inputs({inputs})')
    ran = linted(workspace)
    assert found(workspace) == {}
    assert 'lint: 1 task was watched, and used no file without declaring it' in ran.stderr


def test_reading_an_output_of_a_direct_upstream_is_declared_by_the_edge(workspace: Any) -> None:
    workspace.script("""
        @outputs('a.csv')
        @job
        def first():
            open('a.csv', 'w').close()

        @outputs('b.csv')
        @after(first)
        @job
        def second():
            open('b.csv', 'w').write(open('a.csv').read())

        @after(second)
        @job
        def third():
            open('a.csv').read()
            open('b.csv').read()

        schedule(third)
    """)
    ran = linted(workspace)
    assert found(workspace, 'second') == {}
    assert found(workspace, 'third') == {'read': ['a.csv']}
    assert 'lint: third reads a.csv, an output of first, to which it has no edge: @after(first)' in ran.stderr
    assert '@inputs' not in ran.stderr


def test_along_an_each_edge_only_the_partners_outputs_are_declared(workspace: Any) -> None:
    workspace.script("""
        @outputs('a-{i}.csv')
        @job(array=3)
        def first(i):
            open(f'a-{i}.csv', 'w').close()

        @after(first, each=True)
        @job(array=3)
        def second(i):
            open(f'a-{i}.csv').read()
            open('a-0.csv').read()

        @after(second, first)
        @job
        def third():
            for i in range(3):
                open(f'a-{i}.csv').read()

        schedule(third)
    """)
    linted(workspace)
    assert [found(workspace, f'second[{i}]') for i in range(3)] == [{}, {'read': ['a-0.csv']}, {'read': ['a-0.csv']}]
    assert found(workspace, 'third') == {}


def test_what_is_imported_shown_or_of_awflow_itself_is_not_named(workspace: Any) -> None:
    workspace.write('early.py', 'x = 1\n')
    workspace.write('package/__init__.py', '')
    workspace.write('package/late.py', 'y = 2\n')
    workspace.script("""
        import traceback, early

        @job
        def first():
            return [early.x]

        @after(first)
        @job
        def work():
            from package.late import y
            try:
                assert first.result() == [early.x + y]
            except AssertionError:
                traceback.print_exc()

        schedule(work)
    """)
    linted(workspace)
    assert found(workspace) == {}


def test_source_that_is_read_as_data_is_named(workspace: Any) -> None:
    workspace.write('config.py', 'x = 1\n')
    job(workspace, "exec(open('config.py').read())")
    linted(workspace)
    assert found(workspace) == {'read': ['config.py']}


def test_files_outside_the_project_do_not_count_and_links_out_of_it_do(workspace: Any, tmp_path: Any) -> None:
    (tmp_path / 'far').mkdir()
    (tmp_path / 'far' / 'a.csv').write_text('1')
    (workspace.path / 'data').symlink_to(tmp_path / 'far')
    job(workspace, "open('../far/a.csv').read()\nopen(os.__file__).read()\nopen('/etc/passwd').read()")
    linted(workspace)
    assert found(workspace) == {}
    job(workspace, "open('data/a.csv').read()")
    linted(workspace)
    assert found(workspace) == {'read': ['data/a.csv']}


def test_of_a_virtual_environment_in_the_project_nothing_is_named(workspace: Any) -> None:
    workspace.write('.venv/lib/python3/site-packages/some/table.txt', '1')
    job(workspace, "open('.venv/lib/python3/site-packages/some/table.txt').read()")
    linted(workspace)
    assert found(workspace) == {}


def test_a_file_that_is_not_there_is_not_read(workspace: Any) -> None:
    job(workspace, "try: open('absent')\nexcept FileNotFoundError as error: print(error)\nopen('/dev/null').read()")
    assert "No such file or directory: 'absent'" in linted(workspace).stdout
    assert found(workspace) == {}


def test_paths_are_told_as_they_are_declared_wherever_the_function_goes(workspace: Any) -> None:
    workspace.write('data/a.csv', '1')
    job(workspace, "os.chdir('data')\nopen('a.csv').read()\nopen('b.csv', 'w').close()")
    linted(workspace)
    assert found(workspace) == {'read': ['data/a.csv'], 'wrote': ['data/b.csv']}


@pytest.mark.parametrize(
    'how',
    [
        "Path('a.csv').read_text()", "os.close(os.open('a.csv', os.O_RDONLY))", "open(b'a.csv').read()",
        "import shutil; shutil.copyfile('a.csv', '/dev/null')", "import numpy; numpy.fromfile('a.csv', dtype='u1')",
        "import numpy; numpy.memmap('a.csv', mode='r')", "import csv; list(csv.reader(open(os.path.abspath('a.csv'))))",
        "import linecache; linecache.getline('a.csv', 1)",
        "import sqlite3; sqlite3.connect('file:a.csv?mode=ro', uri=True).close()",
        "import threading; t = threading.Thread(target=lambda: open('a.csv').read()); t.start(); t.join()",
    ],
)  # fmt: skip
def test_ways_to_read_a_file_that_are_seen(workspace: Any, how: str) -> None:
    workspace.write('a.csv', '1')
    job(workspace, how)
    linted(workspace)
    assert found(workspace) == {'read': ['a.csv']}


# -- writing -----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_written_and_nothing_asks_for_is_named_with_the_cure(workspace: Any) -> None:
    job(workspace, "Path('table.txt').write_text('1')\nprint('a', file=open('run.log', 'a'))")
    ran = linted(workspace)
    assert found(workspace) == {'wrote': ['table.txt', 'run.log']}
    assert (
        "work writes table.txt, run.log, which nothing asks for: @outputs('table.txt', 'run.log') or an @ensure" in ran.stderr
    )


@pytest.mark.parametrize('outputs', ["'out/a.txt', 'b.txt'", "'out', 'b.txt'", 'lambda: [Path("out/a.txt"), "b.txt"]'])
def test_outputs_are_not_named_even_where_they_are_read_again(workspace: Any, outputs: str) -> None:
    body = "os.makedirs('out', exist_ok=True)\nPath('out/a.txt').write_text('1')\nPath('b.txt').write_text('1')\nopen('b.txt').read()"
    job(workspace, body, f'@outputs({outputs})')
    linted(workspace)
    assert found(workspace) == {}


@pytest.mark.parametrize(
    'condition',
    [
        "os.path.exists('out/a.txt')", "os.path.isfile('out/a.txt')", "os.path.getsize('out/a.txt') == 1",
        "Path('out/a.txt').exists()", "Path('out/a.txt').is_file()", "Path('out/a.txt').stat().st_size",
        "os.access('out/a.txt', os.R_OK)", "open('out/a.txt').read() == '1'", "Path('out').joinpath('a.txt').read_text()",
        "os.listdir('out') == ['a.txt']", "[e.name for e in os.scandir('out')]", "len(glob.glob('out/*.txt')) == 1",
        "glob.glob('**/*.txt', recursive=True)", "list(Path('out').glob('a.*'))", "list(Path('.').rglob('*.txt'))",
        "os.path.exists(os.path.abspath('out/a.txt'))", "there('a')", "len(list(Path('out').iterdir())) == 1",
    ],
)  # fmt: skip
def test_a_file_that_a_postcondition_asks_for_is_named_by_it(workspace: Any, condition: str) -> None:
    job(workspace, "os.makedirs('out', exist_ok=True)\nPath('out/a.txt').write_text('1')", f'@ensure(lambda: {condition})')
    linted(workspace)
    assert found(workspace) == {}


@pytest.mark.parametrize(
    'condition',
    [
        'True',
        "os.path.isdir('out')",
        "glob.glob('out/*.csv') == []",
        "not os.path.exists('out/b.txt')",
        "os.path.exists('a.txt') or 1",
    ],
)
def test_a_postcondition_that_asks_for_something_else_names_nothing(workspace: Any, condition: str) -> None:
    job(workspace, "os.makedirs('out', exist_ok=True)\nPath('out/a.txt').write_text('1')", f'@ensure(lambda: {condition})')
    workspace.edit('schedule(work)', 'schedule(work, prune=False)')
    linted(workspace)
    assert found(workspace) == {'wrote': ['out/a.txt']}


def test_what_is_gone_at_the_end_was_temporary_and_of_a_renamed_file_the_new_name_counts(workspace: Any) -> None:
    body = """
import tempfile
Path('scratch').write_text('1')
os.remove('scratch')
Path('half').write_text('1')
os.replace('half', 'whole')
with tempfile.TemporaryDirectory(dir='.') as folder:
    Path(folder, 'x').write_text('1')
"""
    job(workspace, body)
    linted(workspace)
    assert found(workspace) == {'wrote': ['whole']}


def test_a_file_that_the_task_removes_without_having_made_it_is_named(workspace: Any) -> None:
    for name in ('old', 'older', 'folder/oldest'):
        workspace.write(name, '1')
    job(workspace, "import shutil\nos.remove('old')\nos.rename('older', 'new')\nshutil.rmtree('folder')")
    ran = linted(workspace)
    lint = found(workspace)
    assert lint is not None
    assert set(lint['removed']) == {'old', 'older', 'folder/oldest'}
    assert lint['wrote'] == ['new']
    assert 'work removes or renames old, older, folder/oldest, which it did not make' in ran.stderr


def test_a_database_is_read_or_written_by_what_became_of_it(workspace: Any) -> None:
    body = """
import sqlite3
with sqlite3.connect('new.db') as new: new.execute('create table t (x)')
with sqlite3.connect('old.db') as old: old.execute('select 1').fetchall()
sqlite3.connect(':memory:')
"""
    workspace.write('old.db', '')
    job(workspace, body)
    linted(workspace)
    assert found(workspace) == {'read': ['old.db'], 'wrote': ['new.db']}


# -- what cannot be followed -------------------------------------------------------------------------------------------


def test_programs_and_connections_are_named_for_what_they_do_is_not_seen(workspace: Any) -> None:
    body = """
import socket, subprocess
subprocess.run(['true', 'x'])
subprocess.run('false | true', shell=True)
os.system('test -d /')
with socket.create_server(('127.0.0.1', 0)) as server:
    socket.create_connection(server.getsockname()).close()
if (pid := os.fork()) == 0:
    os._exit(0)
os.waitpid(pid, 0)
"""
    job(workspace, body)
    ran = linted(workspace)
    lint = found(workspace)
    assert lint is not None
    assert lint['programs'] == ['true', 'false', 'test', 'forked processes']
    assert [name.partition(':')[0] for name in lint['connected']] == ['127.0.0.1']
    assert 'work runs true, false, test, forked processes: which files that uses is not seen' in ran.stderr


def test_the_processes_of_a_schedule_within_a_task_are_no_programs_of_its(workspace: Any) -> None:
    job(workspace, "@job\ndef inner(): open('x', 'w').close()\nschedule(inner)")
    linted(workspace)
    assert found(workspace) == {}
    assert found(workspace, 'work/inner') == {'wrote': ['x']}


# -- the lint itself ---------------------------------------------------------------------------------------------------


def test_it_is_off_unless_it_is_asked_for(workspace: Any) -> None:
    for said, environ, watched in (('', {}, False), ('', {'AWFLOW_LINT': '0'}, False), ('', {'AWFLOW_LINT': '1'}, True),
                                   (', lint=True', {}, True), (', lint=False', {'AWFLOW_LINT': '1'}, False)):  # fmt: skip
        job(workspace, "open('x', 'w').close()")
        workspace.edit('schedule(work)', f'schedule(work, force=[work]{said})')
        ran = workspace.run(**environ)
        assert (found(workspace) is not None) is watched, (said, environ)
        assert ('lint:' in ran.stderr) is watched


@pytest.mark.parametrize(
    'body', ["open('absent')", 'raise SystemExit(3)', 'os.kill(os.getpid(), signal.SIGKILL)', "os.rename('absent', 'x')"]
)
def test_what_fails_without_it_fails_with_it_in_the_same_words(workspace: Any, body: str) -> None:
    job(workspace, body)
    plain, watched = workspace.run(), workspace.run(AWFLOW_LINT='1')
    assert (plain.returncode, watched.returncode) == (1, 1)
    failure = [line for line in plain.stderr.splitlines() if line.startswith('  work')]
    assert failure
    assert failure[0] in watched.stderr
    assert found(workspace) is None


def test_a_false_postcondition_fails_its_task_and_leaves_os_as_it_was(workspace: Any) -> None:
    job(workspace, 'pass', "@ensure(lambda: os.path.exists('never'))")
    ran = workspace.run(AWFLOW_LINT='1')
    assert "postcondition @ensure(lambda: os.path.exists('never')) does not hold" in ran.stderr


def test_a_report_names_fifty_files_of_a_kind_and_counts_the_others(workspace: Any) -> None:
    for number in range(60):
        workspace.write(f'data/{number}.csv', '1')
    job(workspace, "for n in range(60): open(f'data/{n}.csv').read()")
    ran = linted(workspace)
    lint = found(workspace)
    assert lint is not None
    assert (len(lint['read']), lint['more']) == (50, {'read': 10})
    assert 'work reads data/*.csv (50 files) and 10 more undeclared' in ran.stderr
    assert "@inputs('data/*.csv', ...)" in ran.stderr


def test_the_record_keeps_it_through_a_snapshot(workspace: Any) -> None:
    job(workspace, "open('x', 'w').close()")
    linted(workspace)
    from awflow.state.store import Store

    store = Store(str(workspace.path / '.awflow'), 'flow')
    assert store.compact(force=True) or store.read().floor
    assert found(workspace) == {'wrote': ['x']}


# -- advice ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ('path', 'key', 'template'),
    [
        ('a-3.csv', '3', 'a-{i}.csv'), ('data/d3.csv', '3', 'data/d{i}.csv'), ('a-13.csv', '3', ''), ('a-3.csv', '-', ''),
        ('x/0.1/y-0.1', '0.1', 'x/{i}/y-{i}'), ('a-0.15', '0.1', ''), ('low.csv', "'low'", '{i}.csv'), ('slow.csv', "'low'", ''),
        ('#3', '#3', ''), ('a-3-{x}', '3', ''), ('3-33-3', '3', '{i}-33-{i}'),
    ],
)  # fmt: skip
def test_the_value_of_a_task_becomes_a_template_where_it_stands_alone(path: str, key: str, template: str) -> None:
    assert templated(path, key) == template


def test_the_paths_of_an_array_are_put_together() -> None:
    found = {str(n): {'read': [f'data/{n}.csv', 'data/0.csv', 'params'], 'wrote': [f'log-{n % 2}.txt']} for n in range(100)}
    lines = advise('fit', found)
    assert lines[0].startswith('fit reads data/0.csv, params, data/{i}.csv (99 files) undeclared')
    assert lines[0].endswith("@inputs('data/0.csv', 'params', 'data/{i}.csv')")
    assert lines[1].startswith('fit writes log-0.txt, log-1.txt, which nothing asks for')
    assert lines[2] == 'fit: several of its tasks write log-0.txt, log-1.txt, and may do so at the same time'


def test_what_is_one_of_a_kind_is_named_for_itself() -> None:
    assert advise('f', {'-': {'read': ['a1.csv', 'a2.csv', 'b.csv']}})[0].startswith('f reads a1.csv, a2.csv, b.csv undecl')
    many = advise('f', {'-': {'read': ['x/a.csv', 'x/b.csv', 'x/c.csv', 'x/d.csv', 'e']}})[0]
    assert many.startswith('f reads x/*.csv (4 files), e undeclared')
    long = advise('f', {'-': {'wrote': [f'{letter}.{letter}' for letter in 'abcdefghi']}})[0]
    assert 'f.f and 3 more, which' in long
    assert long.count("'f.f', ...)") == 1
