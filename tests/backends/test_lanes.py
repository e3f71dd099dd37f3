"""Lanes: each order has a process of its own, whose end is its own and takes nothing with it; what is not begun can be had back."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from awflow.backends.pool import Began, Ended, Exited, Lost, Reported
from awflow.backends.table import BEGUN, PID, SAYING
from tests.backends.conftest import LIMIT
from tests.backends.test_leftovers import alive, gone, pids_of, source

TELLING = ['{"run":"r","task":', ',"attempt":"', '"}']


@pytest.fixture(params=[True, False], ids=['plain', 'with all that a task may need'])
def launch(bench, request):
    """Launch a lane of so many orders; plain ones have nothing to do but to call their function."""

    def launched(number: int, *, careful: bool = False, **given) -> None:
        journal = bench.directory / 'journal'
        journal.touch()
        orders = [
            bench.order(
                task=str(n), called=json.dumps(f'f[{n}]'), position=n, journal=str(journal), line=f'{n}\n', telling=TELLING,
                digested=request.param, **given,
            )
            for n in range(number)
        ]  # fmt: skip
        bench._current[0] = 0
        bench.pool.launch(0, orders, 1, lane=True, careful=careful)
        bench.pool.enough(0)

    return launched


def ends(bench) -> list[Ended]:
    return [event for event in bench.events if isinstance(event, Ended)]


def outcomes(bench) -> list[str | None]:
    return [bench.reports[0, n]['outcome'] if (0, n) in bench.reports else None for n in range(len(ends(bench)))]


def over(bench) -> Exited:
    """The end of the lane, which may have come with what was awaited last."""
    if 0 not in bench.exits:
        bench.until(Exited)
    return bench.exits.pop(0)


def awaited(condition) -> None:
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.001)


def begun(bench, number: int) -> int:
    """The pid of the n-th order's process, once that has begun."""
    table = bench.pool._table
    awaited(lambda: table[BEGUN] == number and table[PID])
    return table[PID]


def test_each_order_of_a_lane_has_a_process_and_an_end_of_its_own(bench, launch):
    bench.load(bench.define('import os\ndef f(i): print(os.getpid(), os.getsid(0), i)', array=20))
    launch(20)
    exited = over(bench)
    said = [bench.text(0, n).split() for n in range(20)]
    assert [int(words[2]) for words in said] == list(range(20))
    assert len({words[0] for words in said}) == 20
    assert [int(words[0]) for words in said] == [event.pid for event in ends(bench)]
    assert all(words[0] == words[1] for words in said), 'it leads a session'
    assert {event.pid for event in bench.events if isinstance(event, Began)} <= {event.pid for event in ends(bench)}
    assert (exited.status, exited.begun, outcomes(bench)) == (0, 20, ['succeeded'] * 20)
    assert (bench.directory / 'journal').read_text() == ''.join(f'{n}\n' for n in range(20))
    for event in ends(bench):
        assert event.rss > 1 << 20
        assert 0 <= event.ended - event.started < LIMIT
        assert bench.reports[0, event.n]['started'] == event.started


def test_however_a_task_of_a_lane_ends_the_next_one_is_performed(bench, launch):
    bench.load(bench.define("""
        import ctypes, os, signal, sys
        def f(i):
            print('line of', i, end='', flush=True)
            if i == 1: os.kill(os.getpid(), signal.SIGKILL)
            if i == 2: os._exit(3)
            if i == 3: raise ValueError('wrong')
            if i == 4: ctypes.string_at(0)
            if i == 5: sys.exit(7)
            if i == 6: return 42
            if i == 7: os.close(1); os.close(2); os.closerange(3, 500)
            if i == 8: sys.stdout = None
            if i == 9: os.chdir('/'); os.environ['MARK'] = 'x'
            if i == 10: assert 'MARK' not in os.environ and os.getcwd() != '/'
    """, array=12))  # fmt: skip
    launch(12)
    assert over(bench).status == 0
    expected = ['succeeded'] * 12
    expected[1:6] = [None, None, 'failed', None, 'failed']
    assert outcomes(bench) == expected
    assert [event.status for event in ends(bench)][:6] == [0, signal.SIGKILL, 3 << 8, 0, signal.SIGSEGV, 0]
    assert bench.reports[0, 3]['error'] == {'type': 'ValueError', 'line': 'wrong'}
    assert bench.reports[0, 5]['exit'] == 7
    assert bench.reports[0, 6]['result']['bytes'] > 0
    assert [bench.text(0, n)[:9].split()[-1] for n in range(12)] == [str(n) for n in [*range(10), 1, 1]]
    trace = bench.text(0, 3)
    assert 'ValueError: wrong' in trace
    assert 'awflow' not in trace, 'the frames that called the function are not shown'


@pytest.mark.parametrize('start', ['start(False)', 'start(True)', 'orphan()'])
@pytest.mark.parametrize('end', ['return', 'raise ValueError', 'os.kill(os.getpid(), 9)'])
def test_what_a_task_of_a_lane_leaves_behind_is_killed_before_the_next_one_begins(bench, launch, start, end):
    bench.load(
        bench.define(
            source(f"""
        def f(i):
            if i == 0:
                {start}
                {end}
    """),
            array=3,
        )
    )
    launch(3)
    bench.until(lambda event: isinstance(event, Ended) and event.n == 0)
    (left,) = pids_of(bench.text(0, 0))
    assert not alive(left)
    over(bench)
    assert outcomes(bench)[1:] == ['succeeded', 'succeeded']
    assert bench.text(0, 1) == bench.text(0, 2) == ''


def test_the_next_task_does_not_begin_while_something_of_the_last_one_lives(bench, launch):
    bench.load(
        bench.define(
            source("""
        def f(i):
            if i == 0:
                process = sleeper(True)
                with open('left', 'wb') as file: file.write(process.stdout.readline())
                os._exit(1)
            with open('left') as file: left = int(file.read())
            assert not os.path.exists(f'/proc/{left}')
    """),
            array=2,
        )
    )
    launch(2)
    over(bench)
    assert outcomes(bench) == [None, 'succeeded'], bench.text(0, 1)


def test_orders_that_a_lane_has_not_begun_can_be_taken_back(bench, launch):
    os.mkfifo(bench.directory / 'gate')
    bench.load(bench.define("def f(i):\n    if i == 1: open('gate').close()", array=10))
    launch(10)
    begun(bench, 2)
    assert bench.pool.take_back(0, 3) == 3
    assert bench.pool.take_back(0, 100) == 5
    assert bench.pool.take_back(0, 1) == 0
    open(bench.directory / 'gate', 'w').close()
    exited = over(bench)
    assert (exited.begun, outcomes(bench)) == (2, ['succeeded'] * 2)
    assert (bench.directory / 'journal').read_text() == '0\n1\n'


def test_tokens_of_a_lane_that_died_are_not_those_of_the_next(bench, launch):
    bench.load(bench.define('import os, signal\ndef f(i): i or os.kill(os.getppid(), signal.SIGKILL)', array=9))
    launch(9)
    assert over(bench).status == signal.SIGKILL
    bench.reports.clear()
    bench.events.clear()
    bench.load(bench.define('def f(i): pass', array=9))
    launch(4)
    assert over(bench).begun == 4
    assert outcomes(bench) == ['succeeded'] * 4


def test_a_signal_reaches_the_task_that_a_lane_performs(bench, launch):
    os.mkfifo(bench.directory / 'gate')
    bench.load(bench.define("def f(i):\n    if i == 1: open('gate').close()", array=10))
    launch(10)
    begun(bench, 2)
    assert bench.pool.take_back(0, 10) == 8
    bench.pool.signal(0, signal.SIGTERM)
    exited = over(bench)
    assert (exited.status, exited.begun, outcomes(bench)) == (0, 2, ['succeeded', 'cancelled'])


def test_what_escaped_its_session_is_killed_with_the_task_of_a_lane(bench, launch):
    bench.load(bench.define(source('def f(i):\n    start(True)\n    signal.pause()'), array=2))
    launch(2)
    pid = begun(bench, 1)
    bench.says(b'\n')
    assert bench.pool.take_back(0, 10) == 1
    bench.pool.signal(0, signal.SIGKILL)
    exited = over(bench)
    assert (exited.status, ends(bench)[0].status, ends(bench)[0].pid) == (0, signal.SIGKILL, pid)
    assert all(gone(left) for left in pids_of(bench.text()))


def test_a_lane_that_is_killed_takes_its_task_along_and_nothing_else(bench, launch):
    bench.load(
        bench.define(source("def f(i):\n    if i == 1:\n        print('pid', os.getpid(), os.getppid(), flush=True)\n        start(True)\n        signal.pause()"), array=5)
    )  # fmt: skip
    launch(5)
    begun(bench, 2)
    bench.until(lambda event: bench.text(0, 1).count('\n') == 2)
    task, lane, left = pids_of(bench.text(0, 1))
    os.kill(lane, signal.SIGKILL)
    exited = over(bench)
    assert (exited.status, exited.begun, len(ends(bench))) == (signal.SIGKILL, 2, 1)
    assert gone(task)
    assert gone(left)
    launch(5)
    bench.until(lambda event: isinstance(event, Ended) and event.n == 0)


def test_the_tasks_of_lanes_die_with_their_zygote(bench, launch):
    bench.load(
        bench.define(
            "import os, signal\ndef f(i):\n    print('pid', os.getpid(), os.getppid(), flush=True)\n    signal.pause()", array=2
        )
    )
    launch(2)
    bench.says(b'\n')
    ((zygote, _),) = bench.pool.pids
    os.kill(zygote, signal.SIGKILL)
    bench.until(Lost)
    assert all(gone(pid) for pid in pids_of(bench.text()))


def test_a_task_killed_in_the_middle_of_a_long_report_ends_its_lane_as_it_ended(bench, launch):
    bench.load(bench.define('def f(i): raise ValueError', array=1))
    launch(1, history=[{'name': 'x' * 100_000, 'when': 'after', 'was_false': True}])  # more than a pipe holds
    awaited(lambda: bench.pool._table[SAYING])
    os.kill(begun(bench, 1), signal.SIGKILL)
    exited = over(bench)
    assert (exited.status, exited.begun, ends(bench), bench.reports) == (signal.SIGKILL, 1, [], {})


def test_long_reports_arrive_whole_and_with_their_order(bench, launch):
    bench.load(bench.define('def f(i): print("x" * 100_000, i)', array=4))
    launch(4, history=[{'name': 'x' * 100_000, 'when': 'after', 'was_false': True}])
    over(bench)
    assert [len(bench.reports[0, n]['checks'][0]['name']) for n in range(4)] == [100_000] * 4
    assert [bench.text(0, n)[100_000:] for n in range(4)] == [f' {n}\n' for n in range(4)]


def test_a_careful_lane_ends_with_the_first_task_that_does_not_succeed(bench, launch):
    for end in ('raise ValueError', 'os._exit(3)', 'os.kill(os.getpid(), 9)'):
        bench.load(bench.define(f'import os\ndef f(i):\n    if i == 2: {end}', array=6))
        launch(6, careful=True)
        assert over(bench).begun == 3, end


def test_an_order_of_a_lane_whose_start_cannot_be_noted_does_not_begin(bench):
    bench.load(bench.define('def f(i): print("ran", i)', array=2))
    orders = [bench.order(task=str(n), position=n, journal='/nowhere/j', line='{}') for n in range(2)]
    bench.pool.launch(0, orders, 1, lane=True)
    bench.pool.enough(0)
    exited = over(bench)
    assert (exited.begun, bench.reports) == (0, {})
    assert not bench.output


def test_a_payload_that_cannot_be_read_fails_each_task_of_a_lane(bench, launch):
    bench.pool.load(str(bench.directory / 'none'))
    launch(3)
    over(bench)
    assert outcomes(bench) == ['failed'] * 3
    assert 'none' in bench.text(0, 1)


def test_each_task_of_a_lane_finds_itself_in_its_environment_and_so_do_its_programs(bench, launch):
    bench.load(bench.define("""
        import os, subprocess
        def f(i):
            told = os.environ['AWFLOW_PARENT']
            assert subprocess.run(['env'], capture_output=True, text=True).stdout.count(told) == 1
            print(told)
    """, array=4))  # fmt: skip
    launch(4)
    over(bench)
    assert [json.loads(bench.text(0, n))['task'] for n in range(4)] == [f'f[{n}]' for n in range(4)]


def test_tasks_of_a_lane_draw_different_random_numbers(bench, launch):
    bench.load(
        bench.define('import random\nimport numpy.random\ndef f(i): print(random.random(), numpy.random.random())', array=9)
    )
    launch(9)
    over(bench)
    assert len({word for n in range(9) for word in bench.text(0, n).split()}) == 18


def test_a_process_that_a_task_of_a_lane_forks_and_that_comes_back_reports_nothing(bench, launch):
    bench.load(bench.define("""
        import os
        def f(i):
            if os.fork(): os.wait()
            else: print('child', i)
    """, array=3))  # fmt: skip
    launch(3)
    over(bench)
    assert [event.n for event in bench.events if isinstance(event, Reported)] == [0, 1, 2]
    assert [bench.text(0, n) for n in range(3)] == [f'child {n}\n' for n in range(3)]


def test_tasks_of_a_lane_hear_signals_and_wait_for_their_threads(bench, launch):
    bench.load(bench.define("""
        import atexit, signal, threading, time
        def late(): print('thread')
        def f(i):
            assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
            atexit.register(print, 'exit')
            threading.Thread(target=late).start()
    """, array=2))  # fmt: skip
    launch(2)
    over(bench)
    assert outcomes(bench) == ['succeeded'] * 2, bench.text()
    assert [bench.text(0, n) for n in range(2)] == ['thread\nexit\n'] * 2


def test_an_output_that_is_missing_or_large_is_left_to_nobody_else(bench, launch):
    bench.load(
        bench.define(
            "def f(i):\n    if i: open(f'out-{i}', 'w').write('x' * 200_000)",
            array=2,
            outputs=['out-{}'],
            declares_outputs=True,
        )
    )
    launch(1, outputs=['out-0'])
    over(bench)
    assert bench.reports[0, 0]['error']['line'] == 'the function returned, but the output out-0 does not exist'
    (bench.directory / 'out-0').write_text('x' * 200_000)
    launch(1, outputs=['out-0'])
    over(bench)
    assert bench.reports[0, 0]['outputs']['out-0'][1] == 200_000


def test_lanes_leave_no_descriptors_behind(bench, launch):
    bench.load(bench.define('def f(i): pass', array=2))
    held = []
    for _ in range(5):
        launch(2)
        over(bench)
        ((zygote, _),) = bench.pool.pids
        held.append((len(os.listdir('/proc/self/fd')), len(os.listdir(f'/proc/{zygote}/fd'))))
    assert held[-1] == held[0], held


def test_a_lane_goes_on_with_what_it_is_given_while_it_works(bench):
    journal = bench.directory / 'journal'
    journal.touch()
    os.mkfifo(bench.directory / 'gate')
    bench.load(bench.define("import os\ndef f(i):\n    print(os.getppid())\n    if i == 1: open('gate').close()", array=9))
    orders = [bench.order(task=str(n), position=n, journal=str(journal), line=f'{n}\n') for n in range(9)]
    bench._current[0] = 0
    bench.pool.launch(0, orders[:2], 1, lane=True)
    begun(bench, 2)
    assert bench.pool.hungry(0)
    assert bench.pool.more(0, orders[2:7])
    assert not bench.pool.hungry(0)
    assert bench.pool.take_back(0, 3) == 3
    assert not bench.pool.more(0, [{**orders[8], 'task': 'x' * 2_000_000}]), 'more than a pipe holds'
    bench.pool.enough(0)
    open(bench.directory / 'gate', 'w').close()
    assert over(bench).begun == 4
    assert len({bench.text(0, n) for n in range(4)}) == 1, 'one lane'
    assert journal.read_text() == '0\n1\n2\n3\n'
