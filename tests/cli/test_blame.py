"""`awflow blame`: who made a file, by whatever way it is named, and whether it still is what was recorded."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from benchmarks import big_state

CHAIN = """
    from pathlib import Path
    from awflow import after, inputs, job, outputs, schedule

    @outputs('raw/a.txt')
    @job
    def fetch():
        Path('raw').mkdir(exist_ok=True)
        Path('raw/a.txt').write_text('a')

    @outputs(lambda i: f'parts/{i}')
    @inputs('raw/a.txt', 'settings.txt')
    @after(fetch)
    @job(array=2)
    def split(i):
        for name in ('x', 'y'):
            Path(f'parts/{i}').mkdir(parents=True, exist_ok=True)
            Path(f'parts/{i}/{name}').write_text(name * i)

    @outputs('all.txt')
    @inputs(*(f'parts/{i}' for i in range(2)))
    @after(split)
    @job
    def merge():
        Path('all.txt').write_text('all')

    @outputs('broken.txt')
    @job
    def broken():
        raise ValueError('no luck')

    schedule(merge, broken, check=False)
"""


@pytest.fixture(scope='module')
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from tests.cli.conftest import Workspace

    workspace = Workspace(tmp_path_factory.mktemp('chain'))
    (workspace.directory / 'settings.txt').write_text('s')
    workspace.script(CHAIN)
    workspace.run()
    return workspace.directory


def told(awflow: Any, *arguments: str, cwd: Path) -> dict[str, Any]:
    (found,) = json.loads(awflow('blame', '--json', *arguments, cwd=cwd).out)
    assert isinstance(found, dict)
    return found


def test_a_file_and_the_task_that_made_it(study: Path, awflow: Any, golden: Any) -> None:
    shown = awflow('blame', 'data/sim-3.npy', cwd=study)
    assert shown.code == 0
    golden('blame_file', shown.out)


def test_a_tree_of_inputs_with_their_makers(chain: Path, awflow: Any) -> None:
    lines = awflow('blame', 'all.txt', '--all', cwd=chain).lines
    tree = lines[lines.index('  inputs, and who made them:') + 1 : -1]
    assert lines[-1].strip() and [line.rstrip() for line in [*tree, lines[-1]]] == [
        '    parts/0  as recorded; split[0], succeeded',
        '      raw/a.txt  as recorded; fetch, succeeded',
        '      settings.txt  as recorded; made by no task on record',
        '    parts/1  as recorded; split[1], succeeded',
        '      raw/a.txt  as recorded; fetch, succeeded',
        '      settings.txt  as recorded; made by no task on record',
    ]


def test_a_maker_that_was_told_is_not_told_again(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        from pathlib import Path
        from awflow import after, inputs, job, outputs, schedule

        def make(name, above):
            @outputs(name)
            @inputs(*(each.name for each in above), *([] if above else ['seed']))
            @after(*above)
            @job(name=name)
            def step():
                Path(name).write_text(name)
            return step

        one = make('one', [])
        two = make('two', [one])
        schedule(make('three', [one, two]))
    """)
    (workspace.directory / 'seed').write_text('s')
    workspace.run()
    shown = awflow('blame', 'three', '--all', cwd=workspace.directory).out
    assert shown.count('seed  as recorded') == 1
    assert 'one  as recorded; one, succeeded, see above' in shown


@pytest.mark.parametrize('form', ['parts/1/x', './parts/../parts/1/x', 'parts/1', 'parts/1/sub/none'])
def test_a_file_in_a_declared_directory_is_found_by_it(chain: Path, awflow: Any, form: str) -> None:
    found = told(awflow, form, cwd=chain)
    assert (found['task'], found['output'], found['state']) == ('split[1]', 'parts/1', 'as recorded')


def test_it_is_found_from_elsewhere_by_relative_absolute_and_linked_names(chain: Path, tmp_path: Path, awflow: Any) -> None:
    assert told(awflow, '../all.txt', cwd=chain / 'raw')['task'] == 'merge'
    assert told(awflow, str(chain / 'all.txt'), cwd=chain / 'parts')['task'] == 'merge'
    os.symlink(chain, tmp_path / 'project')
    os.symlink('project/all.txt', tmp_path / 'newest')
    state = f'--state={chain}/.awflow'
    for name in ('project/all.txt', 'newest', 'project/parts/0/y'):
        assert told(awflow, state, name, cwd=tmp_path)['state'] == 'as recorded'


def test_a_name_as_show_tells_it_is_found_from_a_subdirectory_too(chain: Path, awflow: Any) -> None:
    found = told(awflow, 'all.txt', cwd=chain / 'raw')
    assert (found['task'], found['file'], found['state']) == ('merge', '../all.txt', 'as recorded')
    assert awflow('blame', 'none.txt', cwd=chain / 'raw').err.startswith('awflow: no task on record made none.txt')


def test_an_output_behind_a_link_is_found_by_where_it_really_lies(workspace: Any, tmp_path: Path, awflow: Any) -> None:
    real = tmp_path / 'elsewhere'
    (real / 'results').mkdir(parents=True)
    (workspace.directory / 'out').symlink_to(real / 'results')
    workspace.script("""
        from pathlib import Path
        from awflow import job, outputs, schedule

        @outputs(lambda i: f'out/{i}.txt')
        @job(array=3)
        def write(i):
            Path(f'out/{i}.txt').write_text(str(i))

        schedule(write)
    """)
    workspace.run()
    for _ in range(2):  # from a journal, and from a snapshot
        assert told(awflow, str(real / 'results/2.txt'), cwd=workspace.directory)['task'] == 'write[2]'
        awflow('forget', 'write[0]', '--yes', cwd=workspace.directory)


def test_changed_and_absent_files_are_told_as_such(tmp_path: Path, awflow: Any) -> None:
    big_state.make(tmp_path, 20)
    (tmp_path / 'data/sim-1.npy').write_text('edited')
    (tmp_path / 'data/sim-2.npy').unlink()
    assert told(awflow, 'data/sim-1.npy', cwd=tmp_path)['state'] == 'changed'
    shown = awflow('blame', 'data/sim-1.npy', 'data/sim-2.npy', cwd=tmp_path)
    assert shown.code == 0
    assert '; now 6 bytes, written ' in shown.out
    assert '  now      changed: it was 1.4 kB' in shown.out and '  now      absent: it was 1.4 kB' in shown.out


def test_the_last_of_two_makers_counts_and_the_other_is_named(workspace: Any, awflow: Any) -> None:
    source = """
        from pathlib import Path
        from awflow import job, outputs, schedule

        @outputs('result.txt')
        @job
        def {name}():
            Path('result.txt').write_text('{name}')

        schedule({name})
    """
    for name in ('old', 'new'):
        workspace.script(source.format(name=name))
        (workspace.directory / 'result.txt').unlink(missing_ok=True)
        workspace.run()
    shown = awflow('blame', 'result.txt', cwd=workspace.directory).out
    assert shown.splitlines()[1].strip().startswith('made by  new, succeeded')
    assert 'also on record as made by old' in shown


def test_json_names_code_commit_run_and_inputs(study: Path, awflow: Any) -> None:
    found = told(awflow, 'fits/3/best.npy', '--all', cwd=study)
    assert found['task'] == 'fit[3]' and found['output'] == 'fits/3' and found['bytes'] == 600
    assert set(found['code']) == {'code of fit', 'package numpy'} and found['git'] and found['run'] == 'run3'
    assert [(each['path'], each['made_by']) for each in found['inputs']] == [('data/sim-3.npy', 'simulate[3]')]
    assert [(each['task'], [i['made_by'] for i in each['inputs']]) for each in found['makers']] == [
        ('simulate[3]', ['prepare']), ('prepare', []),
    ]  # fmt: skip


def test_a_file_that_nobody_made_is_a_clear_answer(study: Path, awflow: Any) -> None:
    shown = awflow('blame', 'study.py', cwd=study)
    assert (shown.code, shown.out) == (1, '')
    assert shown.err.splitlines()[0] == 'awflow: no task on record made study.py'
    assert '@outputs' in shown.err


def test_a_file_that_is_not_there_or_lies_outside_says_so(study: Path, awflow: Any) -> None:
    assert 'made nothing.npy, and there is no such file' in awflow('blame', 'nothing.npy', cwd=study).err
    assert 'made /etc/passwd, which lies outside of the project' in awflow('blame', '/etc/passwd', cwd=study).err


def test_a_file_that_tasks_read_and_nobody_made_names_its_readers(chain: Path, awflow: Any) -> None:
    shown = awflow('blame', 'settings.txt', cwd=chain)
    assert shown.code == 1
    assert 'no task on record made settings.txt: it came from outside' in shown.err
    assert 'read by  split[0], split[1]' in shown.err


def test_a_file_whose_maker_failed_names_the_task_and_how_it_ended(chain: Path, study: Path, awflow: Any) -> None:
    shown = awflow('blame', 'broken.txt', cwd=chain)
    assert shown.code == 1
    assert 'nothing is on record of who made broken.txt: broken, which declares it, ended as failed' in shown.err
    assert 'fit[13], which declares it, ended as failed' in awflow('blame', 'fits/13/best.npy', cwd=study).err
    assert 'fit[14], which declares it, ended as crashed' in awflow('blame', 'fits/14', cwd=study).err


def test_one_file_that_nobody_made_does_not_hide_the_others(study: Path, awflow: Any) -> None:
    shown = awflow('blame', 'study.py', 'data/sim-3.npy', cwd=study)
    assert shown.code == 1
    assert shown.lines[0] == 'data/sim-3.npy' and 'no task on record made study.py' in shown.err


def test_a_file_that_is_called_as_a_digest_is_found_too(workspace: Any, awflow: Any) -> None:
    name = '0123456789abcdef' * 2
    workspace.script(f"""
        from pathlib import Path
        from awflow import job, outputs, schedule

        @outputs('{name}')
        @job
        def write():
            Path('{name}').write_text('x')

        schedule(write)
    """)
    workspace.run()
    from awflow.state.store import Store

    Store(str(workspace.directory / '.awflow'), 'flow').compact(force=True)
    assert told(awflow, name, cwd=workspace.directory)['task'] == 'write'


def test_a_chain_of_many_files_is_followed_to_its_start(tmp_path: Path, awflow: Any) -> None:
    from awflow.state.record import Record
    from awflow.state.store import Store

    store = Store(str(tmp_path / '.awflow'), 'flow')
    steps = [str(n) for n in range(1500)]
    grant = store.publish(run='r1', expected=store.read(), tasks={'step': steps})
    assert grant is not None
    digest = '0' * 31 + '1'
    grant.journal.append([
        Record(job='step', task=n, generation=grant.number, final=True, outcome='succeeded', id=digest, end=digest, run='r1',
               ended=1.0 + int(n), outputs={f'state-{n}': [digest, 5]},
               own={f'input state-{int(n) - 1}': digest} if n != '0' else {'input start': digest}).to_dict()
        for n in steps
    ])  # fmt: skip
    store.finish('r1')
    for folded in (False, True):
        if folded:
            store.compact(force=True)
        found = told(awflow, 'state-1499', '--all', cwd=tmp_path)
        assert [each['task'] for each in found['makers']] == [f'step[{n}]' for n in range(1498, -1, -1)]
        assert found['makers'][-1]['inputs'] == [
            {'path': 'start', 'digest': digest, 'state': 'not compared', 'made_by': None}
        ]  # fmt: skip
        assert '... and so on: awflow blame --all state-1479' in awflow('blame', 'state-1499', '--all', cwd=tmp_path).out
