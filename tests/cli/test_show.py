"""`awflow show`: a task's record, attempts, files and resources; of many tasks what to look at next."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.units import binary
from benchmarks import big_state


def test_a_task_that_was_tried_twice_on_a_page(study: Path, awflow: Any, golden: Any) -> None:
    shown = awflow('show', 'simulate[7]', cwd=study)
    assert shown.code == 0
    golden('show_task', shown.out)


def test_failed_and_crashed_tasks_on_a_page(study: Path, awflow: Any, golden: Any) -> None:
    golden('show_failed', awflow('show', '--failed', cwd=study).out)


def test_an_array_is_told_in_numbers_with_what_to_ask_next(study: Path, awflow: Any, golden: Any) -> None:
    golden('show_array', awflow('show', 'fit', 'simulate', cwd=study).out)


def test_every_line_of_a_page_holds_at_80_columns(study: Path, awflow: Any, golden: Any) -> None:
    for selector in ('simulate[7]', 'fit[13]', 'fit', 'prepare'):
        assert max(map(len, awflow('show', selector, cwd=study).lines)) <= 80


def test_a_page_has_no_colour_when_it_is_no_terminal(study: Path, awflow: Any) -> None:
    assert '\033' not in awflow('show', '--failed', cwd=study).out


def test_json_has_all_of_it(study: Path, awflow: Any) -> None:
    (told,) = json.loads(awflow('show', 'simulate[7]', '--json', cwd=study).out)
    assert told['task'] == 'simulate[7]' and told['outcome'] == 'succeeded'
    assert [(each['number'], each['outcome']) for each in told['attempts']] == [(1, 'failed'), (2, 'succeeded')]
    assert Path(told['attempts'][0]['log']).read_text().endswith('had asked for 8192 MiB\n')
    (made,) = told['outputs']
    assert (made['path'], made['state'], made['bytes']) == ('data/sim-7.npy', 'as recorded', 1400)
    assert [file['path'] for file in told['inputs']] == ['data/grid.npy']
    assert told['used']['asked'] == {'cpus': 4, 'memory': 8192, 'timelimit': 7200.0}
    assert told['used']['cpu_efficiency'] == pytest.approx(0.2375)
    assert told['run']['git'] and told['run']['python'] == '3.11.2'


def test_json_of_many_tasks_is_a_list_and_looks_at_the_first_files_only(
    study: Path, awflow: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def states(*options: str) -> list[str]:
        told = json.loads(awflow('show', 'simulate', 'fit', 'prepare', '--json', *options, cwd=study).out)
        assert len(told) == 99
        return [file['state'] for each in told for file in each['outputs']]

    assert set(states()) == {'as recorded', 'absent'}
    monkeypatch.setattr('awflow.cli.contents.FILES', 10)
    assert set(states()[:5]) == {'as recorded'} and set(states()[10:20]) == {'not compared'}
    assert set(states('--thorough')) == {'as recorded', 'absent'}


def test_files_are_told_as_they_are_now(tmp_path: Path, awflow: Any) -> None:
    big_state.make(tmp_path / 'study', 20)
    for name, data in {'data/sim-1.npy': b'x' * 1400, 'data/grid.npy': b'other'}.items():
        (tmp_path / 'study' / name).write_bytes(data)
    (tmp_path / 'study/data/sim-2.npy').unlink()
    (tmp_path / 'study/fits/3/more').write_text('more')
    shown = awflow('show', 'simulate[1]', 'simulate[2]', 'fit[3]', cwd=tmp_path / 'study').out
    assert 'data/sim-1.npy  changed; 1.4 kB' in shown
    assert 'data/sim-2.npy  absent; 1.4 kB' in shown
    assert 'fits/3  changed; 600 bytes' in shown
    assert 'data/grid.npy  changed; ' in shown


def test_a_big_file_is_not_read_unless_it_is_asked_for(tmp_path: Path, awflow: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    big_state.make(tmp_path, 20)
    monkeypatch.setattr('awflow.cli.contents.CHEAP', 100)
    assert 'not compared; 1.4 kB' in awflow('show', 'simulate[1]', cwd=tmp_path).out
    assert 'as recorded; 1.4 kB' in awflow('show', 'simulate[1]', '--thorough', cwd=tmp_path).out
    assert 'not compared; 600 bytes' in awflow('show', 'fit[1]', cwd=tmp_path).out
    os.truncate(tmp_path / 'data/sim-1.npy', 1399)
    assert 'changed; 1.4 kB' in awflow('show', 'simulate[1]', cwd=tmp_path).out, 'another size needs no reading'


def test_long_lists_of_files_are_cut_unless_all_is_wanted(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        from pathlib import Path
        from awflow import job, outputs, schedule

        @outputs(*[f'part-{i:02}' for i in range(30)])
        @job
        def split():
            for i in range(30):
                Path(f'part-{i:02}').write_text(str(i))

        schedule(split)
    """)
    workspace.run()
    shown = awflow('show', 'split', cwd=workspace.directory).out
    assert 'part-11' in shown and 'part-12' not in shown and '... 18 more: --all' in shown
    assert 'part-29' in awflow('show', 'split', '--all', cwd=workspace.directory).out


def test_retries_accepting_and_forgetting_stand_between_the_attempts(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        import os
        from awflow import job, schedule

        @job(retries=1)
        def fit():
            if not os.path.exists('ready'):
                raise ValueError('not ready')

        schedule(fit, check=False)
    """)
    workspace.run()
    (workspace.directory / 'ready').touch()
    workspace.run()
    assert awflow('forget', 'fit', '--yes', cwd=workspace.directory).code == 0
    workspace.run()
    (told,) = json.loads(awflow('show', 'fit', '--json', cwd=workspace.directory).out)
    assert [(each['number'], each['outcome']) for each in told['attempts']] == [
        (1, 'failed'), (2, 'failed'), (3, 'succeeded'), (None, 'forgotten'), (4, 'succeeded'),
    ]  # fmt: skip
    assert [each['exit'] for each in told['attempts'] if each.get('exit')] == [1, 1]
    assert 'forgotten' in awflow('show', 'fit', cwd=workspace.directory).out


def test_what_a_run_asked_for_is_noted_with_it(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job(cpus=1, memory='2GB', timelimit='10:00')
        def fit():
            pass

        schedule(fit)
    """)
    workspace.run()
    (told,) = json.loads(awflow('show', 'fit', '--json', cwd=workspace.directory).out)
    assert told['used']['asked'] == {'cpus': 1, 'memory': 2048, 'timelimit': 600}
    assert told['used']['memory_bytes'] > 0 and told['used']['seconds'] >= 0


def test_a_running_task_says_who_claimed_it_and_a_waiting_one_too(held: Any, awflow: Any) -> None:
    running, waiting = json.loads(awflow('show', 'hold[1]', 'hold[2]', '--json', cwd=held.directory).out)
    assert (running['outcome'], waiting['outcome']) == ('running', 'waiting')
    assert running['owner']['state'] == waiting['owner']['state'] == 'alive'
    assert waiting['record'] is None and waiting['attempts'] == []
    shown = awflow('show', 'hold[1]', 'hold[2]', cwd=held.directory).lines
    assert 'hold[1]  running' in shown and 'hold[2]  waiting' in shown
    held.kill()
    shown = awflow('show', 'hold', '--crashed', cwd=held.directory)
    assert 'hold[1]  crashed' in shown.lines
    assert any(line.startswith('  owner     ') and line.endswith('has ended') for line in shown.lines), shown.out


def test_a_job_that_is_not_there_is_an_explained_error(study: Path, awflow: Any) -> None:
    shown = awflow('show', 'fitt', cwd=study)
    assert shown.code == 1
    assert shown.err.startswith("awflow: nothing is on record of a job 'fitt'\n") and 'Did you mean fit?' in shown.err


def test_nothing_crashed_and_nothing_named_are_told_apart(study: Path, awflow: Any) -> None:
    shown = awflow('show', 'simulate', '--crashed', cwd=study)
    assert (shown.code, shown.out, shown.err) == (1, '', 'awflow: no task crashed\n')
    assert awflow('show', cwd=study).code == 2


def test_a_state_that_may_only_be_read_is_enough(study: Path, tmp_path: Path, awflow: Any, golden: Any) -> None:
    copy = tmp_path / 'study'
    shutil.copytree(study, copy)
    paths = [copy, *copy.rglob('*')]
    for path in paths:
        path.chmod(path.stat().st_mode & ~0o222)
    before = sorted(copy.rglob('*'))
    try:
        page = awflow('show', 'simulate[7]', cwd=copy)
        golden('show_task', page.out)
        assert awflow('usage', cwd=copy).code == awflow('blame', 'data/sim-3.npy', cwd=copy).code == 0
        assert os.geteuid() == 0 or sorted(copy.rglob('*')) == before
    finally:
        for path in paths:
            path.chmod(path.stat().st_mode | 0o200)


def test_it_works_in_a_directory_below(study: Path, awflow: Any) -> None:
    shown = awflow('show', 'simulate[7]', cwd=study / 'data').out
    assert 'data/sim-7.npy  as recorded' in shown


def test_memory_is_spelled_as_jobs_ask_for_it() -> None:
    assert [binary(mib * 2**20) for mib in (0.5, 9.6, 512, 1024, 1536, 2972)] == [
        '0.5 MiB', '9.6 MiB', '512 MiB', '1 GiB', '1.5 GiB', '2.9 GiB',
    ]  # fmt: skip


def test_an_attempt_whose_run_was_killed_stays_known_when_the_next_succeeds(workspace: Any, held: Any, awflow: Any) -> None:
    from awflow.state.store import Store

    held.kill()
    held.close_fifo()
    os.unlink(workspace.directory / 'fifo')
    (workspace.directory / 'fifo').touch()  # nothing to wait for any more, whoever still has the old one open
    run = workspace.start()
    assert run.communicate(timeout=60)[1] == ''
    for _ in range(2):  # before and after all is folded into a snapshot
        (told,) = json.loads(awflow('show', 'hold[1]', '--json', cwd=workspace.directory).out)
        assert [(each['number'], each['outcome']) for each in told['attempts']] == [(1, 'crashed'), (2, 'succeeded')]
        (once,) = json.loads(awflow('show', 'hold[0]', '--json', cwd=workspace.directory).out)
        assert [each['number'] for each in once['attempts']] == [1]
        assert awflow('logs', 'hold[1]', '--attempt', '1', cwd=workspace.directory).out == 'holding 1\n'
        Store(str(workspace.directory / '.awflow'), 'flow').compact(force=True)


def test_accepting_is_told_between_attempts_and_keeps_their_numbers(workspace: Any, awflow: Any) -> None:
    source = """
        from awflow import job, schedule

        @job
        def fit():
            return {value}

        schedule(fit)
    """
    workspace.script(source.format(value=1))
    workspace.run()
    workspace.script(source.format(value='int(1)'))
    accepted = workspace.awflow('accept', 'fit', '--yes', '--note', 'the same')
    assert accepted.returncode == 0, accepted.stderr
    workspace.script(source.format(value=2))
    workspace.run()
    (told,) = json.loads(awflow('show', 'fit', '--json', cwd=workspace.directory).out)
    assert [(each['number'], each['outcome']) for each in told['attempts']] == [
        (1, 'succeeded'), (None, 'accepted'), (2, 'succeeded'),
    ]  # fmt: skip


def test_a_run_whose_file_is_gone_is_named_all_the_same(tmp_path: Path, awflow: Any) -> None:
    project = big_state.make(tmp_path, 20)
    Path(project.store.layout.run_file('run1')).unlink()
    shown = awflow('show', 'simulate[1]', cwd=tmp_path)
    assert '  run       run1 (its file is gone)' in shown.lines
    assert 'what was asked for is not on record' in shown.out


@pytest.mark.parametrize(
    ('selector', 'tasks'),
    [('fit[1:3]', ['fit[1]', 'fit[2]']), ('pre*', ['prepare']), ('*[7]', ['fit[7]', 'simulate[7]']), ('fit[3]', ['fit[3]'])],
)
def test_tasks_are_selected_as_everywhere(study: Path, awflow: Any, selector: str, tasks: list[str]) -> None:
    assert sorted(told['task'] for told in json.loads(awflow('show', selector, '--json', cwd=study).out)) == tasks
