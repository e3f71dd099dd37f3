"""What a task may do, and what is told of it."""

from __future__ import annotations

import os
import signal

import pytest

from awflow.backends.pool import Exited


def test_a_function_that_returns_has_succeeded_and_its_output_is_told_before(bench):
    report = bench.run('def f(): print("hello π")')
    assert report['outcome'] == 'succeeded'
    assert report['error'] is None
    assert bench.text() == 'hello π\n'
    kinds = dict.fromkeys(type(event).__name__ for event in bench.events)
    assert list(kinds) == ['Began', 'Wrote', 'Reported', 'Exited']
    assert bench.exits[0].status == 0


def test_an_exception_is_a_failure_with_the_traceback_of_the_script_alone(bench):
    report = bench.run("""
        def g(): raise ValueError('first line\\nit is 3')
        def f(): g()
    """)
    assert report['outcome'] == 'failed'
    assert report['error'] == {'type': 'ValueError', 'line': 'it is 3'}
    assert 'in g' in bench.text() and "raise ValueError('first" in bench.text()
    assert 'awflow' not in bench.text()


@pytest.mark.parametrize('how', ['raise SystemExit(4)', 'import sys; sys.exit(4)', 'exit(4)'])
def test_a_function_that_exits_has_failed(bench, how):
    report = bench.run(f'def f(): {how}')
    assert (report['outcome'], report['exit']) == ('failed', 4)
    assert 'exited with code 4 instead of returning' in report['error']['line']


def test_a_process_that_ends_without_a_word_is_told_by_its_status(bench):
    bench.load(bench.define('import os\ndef f(): print("last words", flush=True); os._exit(3)'))
    bench.launch(bench.order())
    assert os.waitstatus_to_exitcode(bench.until(Exited).status) == 3
    assert not bench.reports
    assert bench.text() == 'last words\n'


@pytest.mark.parametrize(
    ('how', 'number'),
    [
        ('os.kill(os.getpid(), 9)', signal.SIGKILL),
        ('ctypes.string_at(0)', signal.SIGSEGV),
        ('os.abort()', signal.SIGABRT),
    ],
)
def test_a_crash_ends_one_task_and_the_next_one_runs(bench, how, number):
    bench.load(bench.define(f'import os, ctypes\ndef f(): {how}'), bench.define('def g(): pass', 'g'))
    bench.launch(bench.order())
    assert os.waitstatus_to_exitcode(bench.until(Exited).status) == -number
    bench.launch(bench.order('g'))
    bench.until(Exited)
    assert bench.reports[0, 0]['outcome'] == 'succeeded'


def test_sigterm_lets_the_function_clean_up_and_is_reported_as_cancelled(bench):
    bench.load(
        bench.define("""
        import time
        def f():
            try:
                print('ready', flush=True)
                while True: time.sleep(0.05)  # a signal just before pause() would be slept through
            except Exception:
                print('swallowed')
            finally:
                print('cleaned')
    """)
    )
    bench.launch(bench.order())
    bench.says(b'ready\n')
    bench.pool.signal(0, signal.SIGTERM)
    bench.until(Exited)
    assert bench.reports[0, 0]['outcome'] == 'cancelled'
    assert bench.reports[0, 0]['error']['type'].endswith('Terminated')
    assert bench.text() == 'ready\ncleaned\n'


def test_sigterm_that_the_function_swallows_is_still_no_success(bench):
    bench.load(
        bench.define("""
        import time
        def f():
            try:
                print('ready', flush=True)
                while True: time.sleep(0.05)
            except BaseException:
                return
    """)
    )
    bench.launch(bench.order())
    bench.says(b'ready\n')
    bench.pool.signal(0, signal.SIGTERM)
    bench.until(Exited)
    assert bench.reports[0, 0]['outcome'] == 'cancelled'


def test_a_second_sigterm_does_not_interrupt_the_cleanup(bench):
    bench.load(
        bench.define("""
        import os, signal, time
        def f():
            try:
                print('ready', flush=True)
                while True: time.sleep(0.05)
            finally:
                os.kill(os.getpid(), signal.SIGTERM)
                print('cleaned')
    """)
    )
    bench.launch(bench.order())
    bench.says(b'ready\n')
    bench.pool.signal(0, signal.SIGTERM)
    bench.until(Exited)
    assert bench.text() == 'ready\ncleaned\n'


def test_a_signal_that_follows_the_launch_at_once_is_not_lost(bench):
    bench.load(bench.define('import time\ndef f():\n    while True: time.sleep(0.05)'))
    bench.launch(bench.order())
    bench.pool.signal(0, signal.SIGTERM)
    bench.until(Exited)
    assert bench.reports[0, 0]['outcome'] == 'cancelled'


def test_ten_megabytes_of_output_arrive_in_order(bench):
    report = bench.run("""
        import sys
        def f():
            for n in range(10):
                sys.stdout.write(str(n) * 1_000_000)
    """)
    assert report['outcome'] == 'succeeded'
    assert bench.text() == ''.join(str(n) * 1_000_000 for n in range(10))


def test_the_output_of_a_c_library_and_of_a_child_process_is_the_tasks_output(bench):
    bench.run("""
        import ctypes, subprocess
        def f():
            subprocess.run(['echo', 'from a child'])
            ctypes.CDLL(None).puts(b'from C')
    """)
    assert bench.text() == 'from a child\nfrom C\n'


def test_a_batch_runs_in_one_process_and_each_output_belongs_to_its_order(bench):
    bench.load(bench.define('import os\ndef f(i): print(os.getpid(), "x" * 100_000, i)', array=5))
    bench.launch(*(bench.order(task=str(n), position=n) for n in range(5)))
    for n in range(4):
        bench.until(lambda event, n=n: (0, n) in bench.reports)
        assert bench.text(0, n).endswith(f' {n}\n')
        assert (0, n + 1) not in bench.output
        bench.pool.go(0)
    bench.until(Exited)  # which may be told together with the last report
    assert bench.text(0, 4).endswith(' 4\n')
    assert len({bench.text(0, n).split()[0] for n in range(5)}) == 1
    assert [len(bench.text(0, n).split()) for n in range(5)] == [3] * 5


def test_an_exception_in_a_batch_leaves_the_next_order_alone(bench):
    bench.load(bench.define('def f(i): assert i', array=2))
    bench.launch(bench.order(task='0', position=0), bench.order(task='1', position=1))
    bench.until(lambda event: (0, 0) in bench.reports)
    bench.pool.go(0)
    bench.until(Exited)
    assert [bench.reports[0, n]['outcome'] for n in range(2)] == ['failed', 'succeeded']


def test_a_batch_that_is_told_to_end_between_two_orders_ends(bench):
    bench.load(bench.define('def f(i): pass', array=2))
    bench.launch(bench.order(task='0', position=0), bench.order(task='1', position=1))
    bench.until(lambda event: (0, 0) in bench.reports)
    bench.pool.signal(0, signal.SIGTERM)
    bench.until(Exited)
    assert list(bench.reports) == [(0, 0)]


def test_the_last_go_of_a_batch_and_one_that_comes_too_late_do_nothing(bench):
    bench.load(bench.define('def f(): print("once")'))
    bench.launch(bench.order())
    bench.until(Exited)
    bench.pool.go(0)
    assert bench.text() == 'once\n'


def test_threads_and_exit_handlers_are_waited_for(bench):
    bench.run("""
        import atexit, threading
        def f():
            event = threading.Event()
            def late(): event.wait(); print('thread')
            threading.Thread(target=late).start()
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            atexit.register(print, 'exit handler')
            threading.Timer(0, event.set).start()
    """)
    assert bench.text().split('\n')[:2] == ['thread', 'exit handler']
    assert bench.exits[0].status == 0


def test_a_fork_that_returns_from_the_function_reports_nothing(bench):
    report = bench.run("""
        import os
        def f():
            pid = os.fork()
            print('child' if pid == 0 else 'parent', flush=True)
            if pid: os.waitpid(pid, 0)
    """)
    assert report['outcome'] == 'succeeded'
    assert [type(event).__name__ for event in bench.events].count('Reported') == 1


def test_used_time_and_memory_are_plausible(bench):
    bench.run("""
        import time
        def f():
            block = bytearray(50_000_000)
            while time.process_time() < 0.2: pass
    """)
    exited = bench.exits[0]
    assert 0.15 < exited.user + exited.system < 5
    assert 50_000_000 < exited.rss < 500_000_000


def test_the_environment_the_devices_and_the_directory_are_those_of_the_order(bench):
    (bench.directory / 'sub').mkdir()
    bench.environ['INHERITED'] = 'yes'
    bench.run(
        """
        import os
        def f():
            names = 'INHERITED', 'MINE', 'CUDA_VISIBLE_DEVICES', 'OMP_NUM_THREADS'
            print(*(os.environ[name] for name in names), os.path.basename(os.getcwd()))
        """,
        env={'MINE': 'ü'}, cuda='1,3', cwd=str(bench.directory / 'sub'),
    )  # fmt: skip
    assert bench.text() == 'yes ü 1,3 1 sub\n'


def test_each_number_of_threads_has_a_zygote_that_was_started_with_it(bench):
    bench.load(bench.define('import os\ndef f(): print(os.environ["OMP_NUM_THREADS"], os.getppid())'))
    bench.launch(bench.order(), slot=0, threads=1)
    bench.launch(bench.order(), slot=1, threads=3)
    bench.until(lambda event: len(bench.exits) == 2)
    (one, first), (three, second) = bench.text(0).split(), bench.text(1).split()
    assert (one, three) == ('1', '3')
    assert [int(first), int(second)] == [pid for pid, _ in bench.pool.pids]


def test_tasks_do_not_draw_the_same_random_numbers(bench):
    numpy = pytest.importorskip('numpy')
    assert numpy
    bench.load(
        bench.define("""
        import random
        import numpy as np
        np.random.random()
        def f(): print(random.random(), np.random.random())
    """)
    )
    for slot in range(2):
        bench.launch(bench.order(), slot=slot)
    bench.until(lambda event: len(bench.exits) == 2)
    first, second = (bench.text(slot).split() for slot in range(2))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_standard_input_is_empty(bench):
    assert bench.run('import sys\ndef f(): assert sys.stdin.read() == ""')['outcome'] == 'succeeded'


def test_pickle_and_multiprocessing_find_what_the_script_defined(bench):
    report = bench.run("""
        import multiprocessing, pickle
        class Model: pass
        def square(x): return x * x
        def f():
            assert type(pickle.loads(pickle.dumps(Model()))) is Model
            with multiprocessing.get_context('fork').Pool(2) as pool:
                assert pool.map(square, range(4)) == [0, 1, 4, 9]
    """)
    assert report['outcome'] == 'succeeded', bench.text()
