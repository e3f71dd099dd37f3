"""What one slot after another tells: batches that run on by themselves, slots that serve many tasks, jobs loaded meanwhile."""

from __future__ import annotations

import os
import signal

from awflow.backends.pool import Exited, Reported
from awflow.backends.seat import Seat
from awflow.backends.slot import _but_a_piece
from awflow.backends.table import BEGUN, PID, WORDS

LINE = '{"a":1}'


def on_its_own(bench, number: int, **given) -> None:
    """Launch a batch whose orders follow each other by themselves."""
    journal = bench.directory / 'journal'
    journal.touch()
    orders = [bench.order(task=str(n), position=n, journal=str(journal), line=f'{n}\n', **given) for n in range(number)]
    bench._current[0] = 0
    bench.pool.launch(0, orders, 1, paced=False)


def test_a_batch_that_runs_on_by_itself_tells_each_output_with_its_order(bench):
    bench.load(bench.define('import os\ndef f(i): print(os.getpid(), "x" * 100_000, i)', array=5))
    on_its_own(bench, 5)
    bench.until(Exited)
    assert [bench.text(0, n).split()[2] for n in range(5)] == [str(n) for n in range(5)]
    assert len({bench.text(0, n).split()[0] for n in range(5)}) == 1
    assert [event.n for event in bench.events if isinstance(event, Reported)] == [0, 1, 2, 3, 4]
    assert (bench.directory / 'journal').read_text() == '0\n1\n2\n3\n4\n'


def test_output_without_an_end_of_line_is_not_mixed_with_the_next_ones(bench):
    bench.load(bench.define('def f(i): print(i, end="")', array=3))
    on_its_own(bench, 3)
    bench.until(Exited)
    assert [bench.text(0, n) for n in range(3)] == ['0', '1', '2']


def test_a_crash_in_a_batch_that_runs_on_leaves_the_reports_before_it_and_tells_how_far_it_was(bench):
    bench.load(bench.define('import os\ndef f(i):\n    print(i, flush=True)\n    if i == 2: os.kill(os.getpid(), 9)', array=5))
    on_its_own(bench, 5)
    exited = bench.until(Exited)
    assert os.WTERMSIG(exited.status) == signal.SIGKILL
    assert exited.begun == 3
    assert sorted(n for _, n in bench.reports) == [0, 1]
    assert bench.text(0, 2) == '2\n'


def test_an_order_whose_start_cannot_be_noted_does_not_begin(bench):
    bench.load(bench.define('def f(i): print("ran", i)', array=2))
    bench.pool.launch(
        0, [bench.order(task=str(n), position=n, journal='/nowhere/j', line=LINE) for n in range(2)], 1, paced=False
    )
    exited = bench.until(Exited)
    assert (exited.begun, exited.status, bench.reports) == (0, 0, {})
    assert not bench.output


def test_who_begins_says_who_it_is_for_it_may_end_before_who_forked_it_goes_on():
    table = memoryview(bytearray(4 * WORDS)).cast('I')
    assert Seat(0, table, -1, -1).begin(0, {})
    assert (table[PID], table[BEGUN]) == (os.getpid(), 1)


def test_a_slot_serves_hundreds_of_tasks_with_the_same_pipes(bench):
    bench.load(bench.define('def f(i): print(i)', array=300))
    before = None
    for n in range(300):
        bench.launch(bench.order(task=str(n), position=n))
        bench.until(Exited)
        assert bench.text(0, 0).split()[-1] == str(n)
        if n == 20:
            before = len(os.listdir('/proc/self/fd'))
    assert len(os.listdir('/proc/self/fd')) <= before


def test_tasks_that_end_while_a_job_is_loaded_are_told_of(bench):
    slow = bench.define('import time\ntime.sleep(0)\ndef g(): pass', 'g')
    bench.load(bench.define('def f(i): pass', array=50), slow, *(bench.define(f'def h{n}(): pass', f'h{n}') for n in range(40)))
    for n in range(40):
        bench.launch(bench.order(task=str(n), position=n), slot=0)
        bench.launch(bench.order(f'h{n}'), slot=1)
        bench.until(lambda event: {0, 1} <= bench.exits.keys())
        bench.exits.clear()


def test_tasks_hear_of_their_children(bench):
    report = bench.run('import signal\ndef f(): assert signal.SIGCHLD not in signal.pthread_sigmask(signal.SIG_BLOCK, ())')
    assert report['outcome'] == 'succeeded', bench.text()


def test_a_task_finds_its_output_as_a_new_one_whatever_the_one_before_did_to_it(bench):
    bench.load(bench.define("""
        import os
        def f(i):
            assert os.get_blocking(1)
            os.set_blocking(1, False)
            print(i)
    """, array=2))  # fmt: skip
    for n in range(2):
        bench.launch(bench.order(task=str(n), position=n))
        bench.until(Exited)
    assert [event.report['outcome'] for event in bench.events if isinstance(event, Reported)] == ['succeeded', 'succeeded']


def test_what_may_be_the_beginning_of_a_marker_is_held_back():
    marker = b'\0abc\n'
    assert _but_a_piece(b'text\0ab', marker) == (b'text', b'\0ab')
    assert _but_a_piece(b'text\0xb', marker) == (b'text\0xb', b'')
    assert _but_a_piece(b'text', marker) == (b'text', b'')
    assert _but_a_piece(b'', marker) == (b'', b'')
