"""Many short tasks, which are forked from lanes: each is recorded by itself, and none waits behind another that is slow."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable

import pytest

from tests.backends.test_leftovers import gone
from tests.conftest import LIMIT, Workspace

NOTE = """
    def note(i):
        with open('ran', 'a') as out: out.write(f'{i} {os.getpid()} {os.getppid()}\\n')
"""


def notes(workspace: Workspace) -> list[tuple[int, int, int]]:
    """(task, process, its parent) in the order in which they began."""
    found = [tuple(map(int, line.split())) for line in workspace.lines('ran')]
    return [line for line in found if len(line) == 3]  # type: ignore[misc]


def awaited(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < limit
        time.sleep(0.002)


def test_short_tasks_have_processes_of_their_own_that_few_others_forked(workspace: Workspace) -> None:
    workspace.script(
        NOTE
        + """
    @outputs('out/{i}')
    @job(array=400)
    def work(i):
        note(i)
        open(f'out/{i}', 'w').write(str(i))
    os.makedirs('out', exist_ok=True)
    schedule(work, workers=2)
    """
    )
    ran = workspace.run()
    assert ran.returncode == 0, ran
    assert sorted(i for i, _, _ in notes(workspace)) == list(range(400))
    assert len({pid for _, pid, _ in notes(workspace)}) == 400
    parents = Counter(parent for _, _, parent in notes(workspace))
    assert len(parents) < 60, 'lanes, which get more while they work'
    assert max(parents.values()) > 64
    pids = {i: pid for i, pid, _ in notes(workspace)}
    assert all(ran.records[f'work[{i}]'].pid == pids[i] for i in range(400))
    assert all(ran.records[f'work[{i}]'].rss > 1 << 20 for i in range(400))
    assert workspace.again() == []


def test_no_task_waits_behind_a_slow_one_while_another_worker_idles(workspace: Workspace) -> None:
    for i in (90, 150):
        os.mkfifo(workspace.path / f'gate-{i}')
    workspace.script(
        NOTE
        + """
    @job(array=200)
    def work(i):
        note(i)
        if i in (90, 150): open(f'gate-{i}').close()
    schedule(work, workers=3)
    """
    )
    process = workspace.start()
    awaited(process, lambda: len(notes(workspace)) == 200)  # though two of them go on for as long as it takes
    for i in (90, 150):
        open(workspace.path / f'gate-{i}', 'w').close()
    assert process.wait(LIMIT) == 0, process.communicate()
    process.communicate()
    assert max(Counter(parent for _, _, parent in notes(workspace)).values()) > 2, 'lanes'


def test_what_ends_badly_in_a_lane_is_its_own_affair_and_is_tried_again(workspace: Workspace) -> None:
    workspace.script(
        NOTE
        + """
    @job(array=120, retries=1)
    def work(i):
        note(i)
        if i % 10: print('line of', i)
        tries = sum(line.startswith(f'{i} ') for line in open('ran'))
        if tries == 1 and i == 40: os.kill(os.getpid(), signal.SIGKILL)
        if tries == 1 and i == 60: os._exit(3)
        if i == 80: raise ValueError('always')
        if i == 100: return i
    schedule(work, workers=2, check=False)
    """
    )
    ran = workspace.run()
    assert ran.failed == ['work[80]']
    assert Counter(i for i, _, _ in notes(workspace)) == Counter({i: 1 + (i in (40, 60, 80)) for i in range(120)})
    for i in range(120):
        log = workspace.attempts()[f'work[{i}]'].log
        assert bool(log) == bool(i % 10 or i == 80), i
        if log and i != 80:
            assert workspace.read(f'.awflow/flow/{log}') == f'line of {i}\n'
    workspace.edit("raise ValueError('always')", 'pass')
    assert len(workspace.again()) == 120  # other code


def test_after_the_first_failure_nothing_new_starts_if_that_is_asked_for(workspace: Workspace) -> None:
    workspace.script(
        NOTE
        + """
    @job(array=200)
    def work(i):
        note(i)
        if i == 70: sys.exit(1)
    schedule(work, workers=1, fail_fast=True, check=False)
    """
    )
    ran = workspace.run()
    assert [i for i, _, _ in notes(workspace)] == list(range(71))
    assert ran.failed == ['work[70]']
    assert len(ran.executed) == 71


def test_ctrl_c_ends_the_task_that_a_lane_performs_and_begins_no_other(workspace: Workspace) -> None:
    os.mkfifo(workspace.path / 'gate')
    workspace.script(
        NOTE
        + """
    @job(array=200)
    def work(i):
        note(i)
        if i == 90 and os.path.exists('gate'): open('gate').close()
    schedule(work, workers=1)
    """
    )
    process = workspace.start()
    awaited(process, lambda: len(notes(workspace)) == 91)
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=LIMIT)
    assert workspace.attempts()['work[90]'].outcome == 'cancelled'
    assert {name for name, record in workspace.attempts().items() if record.outcome == 'succeeded'} == {
        f'work[{i}]' for i in range(90)
    }
    assert [i for i, _, _ in notes(workspace)] == list(range(91))
    workspace.remove('gate')
    assert sorted(workspace.again()) == sorted(f'work[{i}]' for i in range(90, 200))


def test_a_task_of_a_lane_that_does_not_listen_is_killed_when_asked_twice(workspace: Workspace) -> None:
    workspace.script(
        NOTE
        + """
    @job(array=200)
    def work(i):
        if i == 90: signal.signal(signal.SIGTERM, signal.SIG_IGN)
        note(i)
        while i == 90: signal.pause()
    schedule(work, workers=1)
    """
    )
    process = workspace.start()
    awaited(process, lambda: len(notes(workspace)) == 91)
    os.kill(process.pid, signal.SIGINT)
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=LIMIT)
    assert workspace.attempts()['work[90]'].outcome == 'cancelled'
    assert all(gone(pid) for pid in notes(workspace)[-1][1:])
    assert len(notes(workspace)) == 91


def test_when_the_driver_of_lanes_is_killed_their_tasks_die_and_nothing_on_record_is_done_again(workspace: Workspace) -> None:
    os.mkfifo(workspace.path / 'gate')
    workspace.script(
        NOTE
        + """
    @job(array=200)
    def work(i):
        note(i)
        if i == 90 and os.path.exists('gate'): open('gate').close()
    schedule(work, workers=1)
    """
    )
    process = workspace.start()
    awaited(process, lambda: len(notes(workspace)) == 91)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    (task, lane), before = notes(workspace)[-1][1:], len(notes(workspace))
    assert gone(task)
    assert gone(lane)
    done = {name for name, record in workspace.attempts().items() if record.final}
    assert len(done) > 30
    workspace.remove('gate')
    ran = workspace.run()
    assert ran.returncode == 0, ran
    again = {f'work[{i}]' for i, _, _ in notes(workspace)[before:]}
    assert not again & done
    assert again | done == {f'work[{i}]' for i in range(200)}
    assert workspace.again() == []


def test_a_lane_that_is_killed_costs_the_task_that_it_performed(workspace: Workspace) -> None:
    workspace.script(
        NOTE
        + """
    @job(array=200)
    def work(i):
        note(i)
        if i == 90:
            os.kill(os.getppid(), signal.SIGKILL)
            signal.pause()
    schedule(work, workers=2, check=False)
    """
    )
    ran = workspace.run()
    assert ran.failed == ['work[90]']
    assert workspace.attempts()['work[90]'].outcome == 'crashed'
    assert sorted(i for i, _, _ in notes(workspace)) == list(range(200))


def test_orders_too_long_for_a_lane_under_way_reach_another(workspace: Workspace) -> None:
    workspace.script(
        NOTE
        + """
    @outputs(*(f'out/{n:0200}-{{i}}' for n in range(20)))
    @job(array=100)
    def work(i):
        note(i)
        for n in range(20): open(f'out/{n:0200}-{i}', 'w').close()
    os.makedirs('out', exist_ok=True)
    schedule(work, workers=1)
    """
    )
    ran = workspace.run()
    assert ran.returncode == 0, ran
    assert [i for i, _, _ in notes(workspace)] == list(range(100))
    parents = Counter(parent for _, _, parent in notes(workspace))
    assert max(parents.values()) > 2, 'lanes'
    assert workspace.again() == []


def test_what_tasks_of_lanes_read_and_write_is_on_record_as_that_of_any_task(workspace: Workspace) -> None:
    for i in range(150):
        workspace.write(f'in/{i}', f'text {i}')
    workspace.script(
        NOTE
        + """
    @ensure(lambda i: i != 120)
    @inputs('in/{i}')
    @outputs('out/{i}')
    @job(array=range(75, 150))
    def checked(i): made(i)
    @inputs('in/{i}')
    @outputs('out/{i}')
    @job(array=75)
    def plain(i): made(i)
    def made(i):
        note(i)
        if i in (50, 100): return
        text = open(f'in/{i}').read()
        if i in (60, 110): open(f'in/{i}', 'a').write('more')
        open(f'out/{i}', 'w').write(text.upper())
    os.makedirs('out', exist_ok=True)
    schedule(plain, checked, workers=1, check=False)
    """
    )
    ran = workspace.run()
    assert max(Counter(parent for _, _, parent in notes(workspace)).values()) > 10, 'lanes'
    names = {i: f'{"plain" if i < 75 else "checked"}[{i}]' for i in range(150)}
    assert sorted(ran.failed) == sorted(names[i] for i in (50, 100, 120))
    for i, name in names.items():
        record = workspace.attempts()[name]
        assert f'input in/{i}' in record.own, name
        assert bool(record.outputs) == (i not in (50, 100, 120)), name
        assert bool(record.inputs_changed) == (i in (60, 110)), name
    digests = {record.outputs[f'out/{i}'][0] for i, name in names.items() if (record := workspace.attempts()[name]).outputs}
    assert len(digests) == 147
    workspace.write('in/30', 'other')
    workspace.remove('out/80')
    assert sorted(workspace.run().executed) == sorted(names[i] for i in (30, 50, 60, 80, 100, 110, 120))


@pytest.mark.parametrize('option', ['memory="1G"', 'timelimit=60', 'throttle=1'])
def test_tasks_that_must_be_watched_are_forked_one_by_one(workspace: Workspace, option: str) -> None:
    workspace.script(
        NOTE
        + f"""
    @job(array=60, {option})
    def work(i): note(i)
    schedule(work, workers=2)
    """
    )
    assert workspace.run().returncode == 0
    assert len({parent for _, _, parent in notes(workspace)}) == 1
