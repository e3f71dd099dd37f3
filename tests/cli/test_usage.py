"""`awflow usage`: what was used of what was asked for, and what to ask for next time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.consumption import Quantity, _clock, _memory, _memory_step, _time_step
from awflow.resources import memory_mib, seconds
from awflow.state.record import Record
from awflow.state.store import Store
from benchmarks import big_state

GIB = 2**30


def test_all_jobs_in_a_table_each(study: Path, awflow: Any, golden: Any) -> None:
    shown = awflow('usage', cwd=study)
    assert shown.code == 0
    assert max(map(len, shown.lines)) <= 80
    golden('usage', shown.out)


def test_json_tells_seconds_and_bytes(study: Path, awflow: Any) -> None:
    (told,) = json.loads(awflow('usage', 'simulate', '--json', cwd=study).out)
    assert told['tasks'] == 60
    assert told['asked'] == {'cpus': 4, 'memory': 8192, 'timelimit': 7200.0}
    assert told['cpus'] == {'p50': 0.95, 'p95': 0.95, 'max': 0.95}
    assert told['attempts'] == 61
    assert 2.6 * GIB < told['memory_bytes']['p50'] <= told['memory_bytes']['p95'] < 3.3 * GIB
    assert told['memory_bytes']['max'] == 8 * GIB  # of an attempt that failed for want of it, before its task succeeded
    assert told['cpu_seconds_reserved'] == pytest.approx(told['cpu_seconds'] * 4 / 0.95)
    assert told['next'] == {'cpus': 1, 'memory': 16384, 'timelimit': 1800}


def test_what_it_says_to_write_is_what_job_takes(study: Path, awflow: Any) -> None:
    for told in json.loads(awflow('usage', '--json', cwd=study).out):
        asked: dict[str, Any] = {}
        exec(told['decorator'].replace('@job', 'asked.update'), {'asked': asked})
        assert {'cpus': asked['cpus'], 'memory': memory_mib(asked['memory']), 'timelimit': seconds(asked['timelimit'])} == told[
            'next'
        ]


def test_figures_of_columns_and_of_records_are_the_same(tmp_path: Path, awflow: Any) -> None:
    project = big_state.make(tmp_path, 100)
    folded = json.loads(awflow('usage', 'fit', '--json', cwd=tmp_path).out)
    rows = project.store.read().rows('fit')
    assert rows is not None
    again = Store(str(tmp_path / '.awflow'), 'again')
    grant = again.publish(run='run3', expected=again.read(), tasks={'fit': rows.keys})
    assert grant is not None
    grant.journal.append([rows.record(row).replace(generation=grant.number).to_dict() for row in range(len(rows))])
    grant.sync()
    loose = json.loads(awflow('usage', 'fit', '-w', 'again', '--json', cwd=tmp_path).out)
    told = ('tasks', 'seconds', 'cpus', 'memory_bytes', 'cpu_seconds')
    assert [[each[name] for name in told] for each in loose] == [[each[name] for name in told] for each in folded]


def test_selected_tasks_alone_count(study: Path, awflow: Any) -> None:
    (told,) = json.loads(awflow('usage', 'simulate[0:10]', '--json', cwd=study).out)
    assert told['tasks'] == 10
    (told,) = json.loads(awflow('usage', '--failed', '--json', cwd=study).out)
    assert (told['job'], told['tasks']) == ('fit', 1)  # of the one that crashed nothing is known


def recorded(directory: Path, asked: dict[str, float] | None, *records: dict[str, Any]) -> None:
    """A run of one job with these records and what it asked for."""
    store = Store(str(directory / '.awflow'), 'flow')
    keys = [str(number) for number in range(len(records))]
    grant = store.publish(run='r1', expected=store.read(), tasks={'fit': keys})
    assert grant is not None
    usual: dict[str, Any] = {'job': 'fit', 'generation': grant.number, 'final': True, 'outcome': 'succeeded', 'run': 'r1',
                             'host': 'n1', 'pid': 7, 'started': 1000.0}  # fmt: skip
    grant.journal.append(
        [Record(**usual | {'task': key} | fields).to_dict() for key, fields in zip(keys, records, strict=True)]
    )
    path = Path(store.layout.run_file('r1'))
    path.write_text(json.dumps({'run': 'r1', **({'asked': [[asked, ['fit']]]} if asked is not None else {})}))
    store.finish('r1')


def test_who_ran_out_of_memory_or_time_is_to_ask_for_twice_as_much(tmp_path: Path, awflow: Any) -> None:
    recorded(
        tmp_path, {'cpus': 2, 'memory': 4096, 'timelimit': 600.0},
        {'ended': 1300.0, 'user': 500.0, 'rss': 3 * GIB},
        {'ended': 1010.0, 'user': 5.0, 'rss': 4 * GIB, 'outcome': 'failed', 'error': {'type': 'MemoryLimit', 'line': 'much'}},
        {'ended': 1600.0, 'user': 1100.0, 'rss': GIB, 'outcome': 'timeout'},
    )  # fmt: skip
    shown = awflow('usage', cwd=tmp_path).out
    assert "next time  @job(cpus=2, memory='8GB', timelimit='0:20:00')" in shown
    assert '1 attempt failed for want of memory: twice what was asked for' in shown
    assert '1 attempt reached the time limit: twice what was asked for' in shown


def attempted(directory: Path, *runs: tuple[dict[str, float], list[dict[str, Any]]]) -> Store:
    """Runs of the one task of a job, each with what it asked for and its attempts."""
    store = Store(str(directory / '.awflow'), 'flow')
    for number, (asked, attempts) in enumerate(runs):
        run = f'r{number}'
        grant = store.publish(run=run, expected=store.read(), tasks={'fit': ['-']})
        assert grant is not None
        usual: dict[str, Any] = {'job': 'fit', 'task': '-', 'generation': grant.number, 'run': run, 'host': 'n1', 'pid': 7}
        for retry, fields in enumerate(attempts):
            attempt = {
                'id': f'{number}{retry}' * 16,
                'attempt': (0, retry),
                'started': 1000.0,
                'outcome': 'succeeded',
                **fields,
            }
            grant.journal.append([Record(**usual | {'final': retry == len(attempts) - 1} | attempt).to_dict()])
        Path(store.layout.run_file(run)).write_text(json.dumps({'run': run, 'asked': [[asked, ['fit']]]}))
        store.finish(run)
    return store


WANTING = {'outcome': 'failed', 'error': {'type': 'MemoryLimit', 'line': 'much'}}


@pytest.mark.parametrize('folded', [False, True])
def test_attempts_before_the_last_count_too(tmp_path: Path, awflow: Any, folded: bool) -> None:
    store = attempted(
        tmp_path,
        ({'cpus': 1, 'memory': 1024, 'timelimit': 600.0}, [
            {'ended': 1500.0, 'rss': 900 * 2**20, 'outcome': 'failed'}, {'ended': 1300.0, 'rss': 600 * 2**20, 'outcome': 'failed'},
        ]),
        ({'cpus': 1, 'memory': 1024, 'timelimit': 600.0}, [{'ended': 1010.0, 'user': 9.0, 'rss': 200 * 2**20}]),
    )  # fmt: skip
    if folded:
        store.compact(force=True)
    (told,) = json.loads(awflow('usage', '--json', cwd=tmp_path).out)
    assert (told['tasks'], told['attempts']) == (1, 3)
    assert told['seconds'] == {'p50': 300.0, 'p95': 500.0, 'max': 500.0}
    assert told['memory_bytes'] == {'p50': 600 * 2**20, 'p95': 900 * 2**20, 'max': 900 * 2**20}
    assert told['cpu_seconds'] == 9.0
    assert told['next'] == {'cpus': 1, 'memory': 1536, 'timelimit': 900}
    assert '1 task, 3 attempts' in awflow('usage', cwd=tmp_path).lines[0]


@pytest.mark.parametrize('folded', [False, True])
@pytest.mark.parametrize(
    ('later', 'advised', 'said'),
    [
        ({'memory': 1024}, 2048, 'twice what was asked for'),
        ({'memory': 4096}, 2048, 'with more it succeeded since'),  # 1.2 times the peak of that
        ({}, 2048, 'with more it succeeded since'),  # no limit at all
    ],
)
def test_an_attempt_short_of_memory_is_covered_until_its_task_succeeds_with_more(
    tmp_path: Path, awflow: Any, folded: bool, later: dict[str, float], advised: int, said: str
) -> None:
    peak = 1600 * 2**20 if later != {'memory': 1024} else 800 * 2**20
    store = attempted(
        tmp_path,
        ({'cpus': 1, 'memory': 1024}, [{'ended': 1010.0, 'rss': 1024 * 2**20, **WANTING}]),
        ({'cpus': 1, **later}, [{'ended': 1010.0, 'rss': peak}]),
    )
    if folded:
        store.compact(force=True)
    (told,) = json.loads(awflow('usage', '--json', cwd=tmp_path).out)
    assert (told['short_of_memory'], told['next']['memory']) == (1, advised)
    assert f'1 attempt failed for want of memory: {said}' in awflow('usage', cwd=tmp_path).out.replace('memory;', 'memory:')


def test_of_a_task_that_runs_again_what_it_used_before_counts(tmp_path: Path, awflow: Any) -> None:
    store = attempted(tmp_path, ({'cpus': 1, 'timelimit': 60.0}, [{'ended': 1060.0, 'outcome': 'timeout'}]))
    grant = store.publish(run='now', expected=store.read(), tasks={'fit': ['-']})
    assert grant is not None
    grant.journal.append([Record(job='fit', task='-', generation=grant.number, started=2000.0, pid=8, run='now').to_dict()])
    grant.sync()
    (told,) = json.loads(awflow('usage', '--json', cwd=tmp_path).out)
    assert (told['tasks'], told['attempts'], told['timeouts'], told['next']['timelimit']) == (1, 1, 1, 120)


def test_a_success_that_was_accepted_counts_once(tmp_path: Path, awflow: Any) -> None:
    store = attempted(tmp_path, ({'cpus': 1}, [{'ended': 1010.0}]))
    rows = store.read().rows('fit')
    assert rows is not None
    record = rows.record(0)
    store.publish(run='accept', expected=store.read(), tasks={}, records=[record.replace(generation=0, accepted=True)])
    (told,) = json.loads(awflow('usage', '--json', cwd=tmp_path).out)
    assert (told['tasks'], told['attempts']) == (1, 1)


def test_a_run_that_did_not_note_what_it_asked_for_says_so(tmp_path: Path, awflow: Any) -> None:
    recorded(tmp_path, None, {'ended': 1001.0, 'user': 0.9, 'rss': 100 * 2**20})
    shown = awflow('usage', cwd=tmp_path).out
    assert 'what was asked for is not on record' in shown
    assert "next time  @job(cpus=1, memory='128MB', timelimit='0:01:00')" in shown


def test_adopted_tasks_do_not_count_and_without_any_it_says_so(tmp_path: Path, awflow: Any) -> None:
    recorded(tmp_path, None, {'ended': 1000.0, 'adopted': True, 'pid': 0, 'host': ''})
    shown = awflow('usage', cwd=tmp_path)
    assert (shown.code, shown.out) == (1, '')
    assert shown.err == 'awflow: none of these tasks has ended, so nothing is known of what they use\n'


def test_quantities_are_of_nearest_rank() -> None:
    assert Quantity([]).to_dict() == {'p50': None, 'p95': None, 'max': None}
    assert Quantity([3.0, 1.0, 2.0, 4.0]).to_dict() == {'p50': 2.0, 'p95': 4.0, 'max': 4.0}
    assert Quantity(range(1, 101)).to_dict() == {'p50': 50, 'p95': 95, 'max': 100}


def test_what_to_ask_for_is_rounded_up_and_spelled_as_options_are() -> None:
    assert [_memory_step(mib) for mib in (1, 64, 65, 1000, 1025, 1537, 2100, 3100, 70000)] == [
        64, 64, 128, 1024, 1536, 2048, 3072, 4096, 98304,
    ]  # fmt: skip
    assert [_memory(mib) for mib in (64, 1024, 1536, 4096)] == ["'64MB'", "'1GB'", "'1.5GB'", "'4GB'"]
    assert [_time_step(each) for each in (0, 61, 599, 601, 3599, 3601, 90000)] == [60, 120, 600, 900, 3600, 5400, 90000]
    assert [_clock(each) for each in (60, 5400, 90000)] == ["'0:01:00'", "'1:30:00'", "'1-01:00:00'"]
    assert [seconds(_clock(each).strip("'")) for each in (60, 5400, 90000)] == [60, 5400, 90000]
