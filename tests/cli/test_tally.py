"""Counting by columns against counting records, and how long what is left may take."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.claims import progress
from awflow.cli.estimate import Remaining
from awflow.cli.groups import groups
from awflow.cli.jobs import Jobs
from awflow.cli.keys import holds, number_of, number_on_record
from awflow.cli.listing import outcomes_of
from awflow.cli.observed import Workflow
from awflow.cli.selection import Selection
from awflow.cli.standing import BAD, Standing
from awflow.cli.tally import Tally
from awflow.state.ledger import Entry, decode_keys, encode_keys
from awflow.state.overlay import Told
from awflow.state.record import Record
from awflow.state.rows import Rows
from awflow.state.store import Store
from awflow.state.sums import of_rows, summed, vouched
from awflow.state.table import Base
from tests.cli.staged import JOBS, NOON, QUEUE, SUBMITTER, record, records, stage


def random_record(job: str, key: str, random: random.Random, generation: int) -> Record:
    outcome = random.choice(['succeeded'] * 5 + ['failed', 'timeout', 'cancelled', 'forgotten', '', 'of a later version'])
    more: dict[str, Any] = {'outputs': {'f': ['ab' * 16, 3]}} if random.random() < 0.3 else {}
    more.update({'adopted': True} if random.random() < 0.1 else {})
    started = NOON + random.randrange(1000)
    return Record(
        job=job, task=key, generation=generation, outcome=outcome, final=bool(outcome), id=f'{random.getrandbits(128):032x}',
        end=f'{random.getrandbits(128):032x}', code='c0' * 16, started=started, rss=random.randrange(10**9),
        ended=started + random.randrange(100) if outcome else 0.0, **more,
    )  # fmt: skip


def runs(store: Store, keys: list[str], seed: int) -> None:
    """Some runs over parts of a job, one after the other, with a snapshot now and then; the last one is not over."""
    rng = random.Random(seed)
    for turn in range(4):
        chosen = rng.sample(keys, rng.randrange(1, len(keys)))
        grant = store.publish(run=f'run-{turn}', expected=store.read(), tasks={'f': chosen, 'other': ['-']})
        assert grant is not None
        begun = chosen[: rng.randrange(1, len(chosen) + 1)]
        grant.journal.append([random_record('f', key, rng, grant.number).to_dict() for key in begun])
        grant.sync()
        if turn < 3:
            store.finish(f'run-{turn}')
            store.compact(force=rng.random() < 0.6)


@pytest.mark.parametrize('seed', range(8))
def test_columns_count_what_records_say(tmp_path: Path, seed: int) -> None:
    store = Store(str(tmp_path / '.awflow'), 'flow')
    spelled = random.Random(seed).choice([str, lambda i: f"'k{i}'", lambda i: str(7 * i)])
    runs(store, [spelled(i) for i in range(random.Random(seed).choice([5, 40, 2500]))], seed)
    workflow = Workflow(str(tmp_path / '.awflow'), 'flow')
    rows = workflow.state.rows('f')
    assert rows is not None
    tally = Tally(workflow, 'f')
    slow = Counter(workflow.outcome(rows, row) for row in range(len(rows)))
    slow['waiting'] += len(workflow.waiting('f'))
    assert tally.outcomes == {outcome: count for outcome, count in slow.items() if count}
    all_records = [rows.record(row) for row in range(len(rows))]
    assert tally.unverified == sum(r.outcome == 'succeeded' and not vouched(r) for r in all_records)
    assert tally.peak == max(r.rss for r in all_records)
    assert tally.last_ended == max(r.ended for r in all_records)
    whole = summed(all_records)
    parts: Counter[int] = Counter()
    for number, each in of_rows(rows):
        parts[number] += each.ended
    assert parts == {number: each.ended for number, each in whole.items()}
    (claim,) = progress(workflow)
    (number,) = workflow.state.claims
    keys = [(job, key) for job in claim.claim.tasks for key in claim.claim.keys(job)]
    assert claim.total == len(keys)
    assert claim.done == sum(workflow.state.finished(number, *task) for task in keys)
    assert len(claim.running) == len(workflow.state.started(number))


@pytest.mark.parametrize('seed', [1, 5])
def test_a_snapshot_that_does_not_say_what_its_blocks_come_to_is_added_up(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(str(tmp_path / '.awflow'), 'flow')
    runs(store, [str(i) for i in range(2500)], seed)
    told = [Tally(Workflow(str(tmp_path / '.awflow'), 'flow'), 'f').to_dict(NOON)]
    monkeypatch.setattr(Base, 'sums', lambda self, number: None)
    told.append(Tally(Workflow(str(tmp_path / '.awflow'), 'flow'), 'f').to_dict(NOON))
    assert told[0] == told[1]


@pytest.mark.parametrize('seed', range(4))
def test_groups_hold_every_task_once_with_its_outcome(tmp_path: Path, seed: int) -> None:
    store = Store(str(tmp_path / '.awflow'), 'flow')
    runs(store, [str(i) for i in range(600)], seed)
    workflow = Workflow(str(tmp_path / '.awflow'), 'flow')
    keys = workflow.keys('f')
    outcome_of = dict(zip(keys, outcomes_of(workflow, 'f', keys), strict=True))
    for asked in (keys, keys[5:60], keys[::-1]):
        found = list(groups(Selection(workflow, 'f', asked)))
        assert sorted(key for group in found for key in group.keys) == sorted(asked)
        assert all(outcome_of[key] == group.outcome for group in found for key in group.keys)
    bad = [key for group in groups(Selection(workflow, 'f', keys), ['failed', 'timeout']) for key in group.keys]
    assert sorted(bad) == sorted(key for key in keys if outcome_of[key] in ('failed', 'timeout'))


@pytest.mark.parametrize('keys', [['-'], ['0', '1', '2', '7'], ["'a'", '3'], [str(i) for i in range(0, 90, 2)]])
def test_keys_of_a_claim_are_counted_and_found_as_if_spelled_out(keys: list[str]) -> None:
    encoded = encode_keys(keys)
    claim = Entry(nonce='x', run='x', tasks={'f': encoded})
    assert number_of(encoded) == len(keys)
    for key in [*keys, '-', '5', '88', '89', "'b'", '', '01']:
        assert holds(claim, 'f', key) == (key in decode_keys(encoded))
        assert not holds(claim, 'g', key)
    newer = Told.of(Record(job='f', task=key) for key in [keys[0], '1000', "'z'"])
    assert number_on_record(encoded, Rows('f', None, [newer], ()), 7) == 1


def test_tasks_that_are_to_run_again_are_not_done(tmp_path: Path) -> None:
    store = Store(str(tmp_path / '.awflow'), 'flow')
    keys = [str(i) for i in range(50)]
    for turn, number in enumerate([50, 12]):
        grant = store.publish(run=f'run-{turn}', expected=store.read(), tasks={'f': keys})
        assert grant is not None
        for i in range(number):
            done = {} if turn and i >= 10 else {'final': True, 'outcome': 'succeeded', 'ended': NOON + 9, 'end': 'ab' * 16}
            fields = {'job': 'f', 'task': str(i), 'generation': grant.number, 'started': NOON, 'id': 'ab' * 16}
            grant.journal.append([Record(**fields, **done).to_dict()])
        grant.sync()
        if not turn:
            store.finish('run-0')
            store.compact(force=True)
    (tally,) = Standing(Workflow(str(tmp_path / '.awflow'), 'flow'), NOON + 20).tallies
    assert (tally.tasks, tally.done, tally.open, tally.again) == (50, 10, 40, 38)
    assert tally.outcomes == {'succeeded': 48, 'running': 2}


@pytest.mark.parametrize('seed', range(6))
def test_the_first_task_that_did_not_end_well_is_named(tmp_path: Path, seed: int) -> None:
    store = Store(str(tmp_path / '.awflow'), 'flow')
    runs(store, [str(i) for i in range(60)], seed)
    standing = Standing(Workflow(str(tmp_path / '.awflow'), 'flow'), NOON)
    rows = standing.workflow.state.rows('f')
    assert rows is not None
    bad = [key for row, key in enumerate(rows.keys) if standing.workflow.outcome(rows, row) in BAD]
    assert standing.first_bad() == f'f[{bad[0]}]'


# -- how long it may take ----------------------------------------------------------------------------------------------


def remaining(tmp_path: Path, simulated: int, running: int, now: float, **more: Any) -> Remaining:
    stage(tmp_path, records(simulated, running), owner=SUBMITTER, queue=QUEUE, **more)
    standing = Standing(Workflow(str(tmp_path / '.awflow'), 'flow'), now)
    (claim,) = standing.claims
    return standing.left[claim.number]


def test_a_job_takes_the_median_of_its_successes_for_each_turn_of_what_runs_side_by_side(tmp_path: Path) -> None:
    left = remaining(tmp_path, 72, 12, NOON + 412)  # 12 run since 1 to 12 s, 36 wait, each takes about 103 s
    assert left.of['simulate'] == pytest.approx((48 * 103 - sum(range(1, 13))) / 12, rel=0.02)


def test_a_task_that_waits_for_its_partner_follows_it_and_a_throttle_holds(tmp_path: Path) -> None:
    left = remaining(tmp_path, 72, 12, NOON + 412)
    assert left.of['fit'] == pytest.approx(left.of['simulate'] + 9, abs=1.5)
    (tmp_path / 'late').mkdir()
    late = remaining(tmp_path / 'late', 118, 2, NOON + 500)  # then 115 of fit in turns of 2
    assert late.of['fit'] == pytest.approx(115 * 9 / 2, rel=0.05)


def test_of_a_job_without_a_success_nothing_is_known_and_it_is_said(tmp_path: Path) -> None:
    left = remaining(tmp_path, 72, 12, NOON + 412)
    assert left.least
    assert 'report' not in left.of
    assert left.seconds is not None


def test_nothing_is_foretold_while_nothing_runs(tmp_path: Path) -> None:
    left = remaining(tmp_path, 72, 0, NOON + 412)
    assert left.seconds is None


def test_a_task_that_runs_longer_than_usual_does_not_make_time_negative(tmp_path: Path) -> None:
    left = remaining(tmp_path, 119, 1, NOON + 100_000)
    assert left.of['simulate'] == 0
    assert left.seconds is not None and left.seconds >= 0


def test_jobs_are_known_from_the_run_that_noted_them_last(tmp_path: Path) -> None:
    store = stage(tmp_path, [record('prepare', '-', 0, 1), record('gone', '-', 0, 1)], over=True)
    jobs = Jobs(store, store.read(), store.read().jobs())
    assert list(jobs.of) == [*JOBS, 'gone']
    assert jobs.of['fit'].edges[0].each
    assert jobs.of['gone'].tasks is None
