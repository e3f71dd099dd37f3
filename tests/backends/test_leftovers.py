"""Nothing that a task started outlives it, however it, its zygote or its driver ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import textwrap

import pytest

from awflow.backends.pool import Exited, Lost

SLEEPER = """
    import os, signal, subprocess, sys, time
    def sleeper(own_session):
        # tells its pid only when it has left the session
        code = 'import os, signal; print(os.getpid(), flush=True); signal.pause()'
        return subprocess.Popen(
            [sys.executable, '-c', code], start_new_session=own_session, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    def start(own_session):
        process = sleeper(own_session)
        print('pid', int(process.stdout.readline()), flush=True)
    def orphan():
        # a daemon as the books make it: forks twice, leaves the session
        reader, writer = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.write(writer, b'%d' % os.getpid())
                os.closerange(0, 3)
                signal.pause()
            os._exit(0)
        os.wait()
        print('pid', os.read(reader, 20).decode(), flush=True)
"""


def pids_of(text: str) -> list[int]:
    return [int(word) for line in text.splitlines() if line.startswith('pid') for word in line.split()[1:]]


def alive(pid: int) -> bool:
    try:
        with open(f'/proc/{pid}/stat', 'rb') as file:
            return file.read().rpartition(b')')[2].split()[0] not in (b'Z', b'X')
    except FileNotFoundError:
        return False


def gone(pid: int, seconds: float = 30) -> bool:
    """Waits for the end of a process that is not a child of this one."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def source(body: str) -> str:
    return textwrap.dedent(SLEEPER) + textwrap.dedent(body)


@pytest.mark.parametrize('start', ['start(False)', 'start(True)', 'orphan()'])
@pytest.mark.parametrize('end', ['return', 'raise ValueError', 'os._exit(3)', 'os.kill(os.getpid(), 9)'])
def test_what_a_task_leaves_behind_is_killed_when_it_ends(bench, start, end):
    bench.load(
        bench.define(
            source(f"""
        def f():
            {start}
            {end}
    """)
        )
    )
    bench.launch(bench.order())
    bench.until(Exited)
    (pid,) = pids_of(bench.text())
    assert not alive(pid)


def test_what_another_task_started_is_left_alone(bench):
    bench.load(
        bench.define(
            source("""
        def f():
            orphan()
            signal.pause()
    """)
        ),
        bench.define('import os\ndef g(): os._exit(1)', 'g'),
    )
    bench.launch(bench.order(), slot=0)
    bench.until(lambda event: pids_of(bench.text(0)))
    bench.launch(bench.order('g'), slot=1)
    bench.until(lambda event: 1 in bench.exits)
    (pid,) = pids_of(bench.text(0))
    assert alive(pid)
    bench.pool.signal(0, signal.SIGKILL)
    bench.until(lambda event: 0 in bench.exits)
    assert not alive(pid)


def test_a_signal_reaches_the_whole_group(bench):
    bench.load(
        bench.define(
            source("""
        def f():
            script = 'trap "echo told >&2; exit 0" TERM; echo; while :; do sleep 0.05; done'
            process = subprocess.Popen(['sh', '-c', script], stdout=subprocess.PIPE)
            process.stdout.readline()
            try:
                print('ready', flush=True)
                process.wait()
            finally:
                print('shell', process.wait())
    """)
        )
    )
    bench.launch(bench.order())
    bench.says(b'ready\n')
    bench.pool.signal(0, signal.SIGTERM)
    bench.until(Exited)
    assert bench.reports[0, 0]['outcome'] == 'cancelled'
    assert bench.text().splitlines()[-2:] == ['told', 'shell 0']


def test_closing_the_pool_kills_what_runs(bench):
    bench.load(
        bench.define(
            source("""
        def f():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            start(False), start(True), orphan()
            signal.pause()
    """)
        )
    )
    bench.launch(bench.order())
    bench.until(lambda event: len(pids_of(bench.text())) == 3)
    pids = [*pids_of(bench.text()), bench.pids[0], *(pid for pid, _ in bench.pool.pids)]
    bench.close()
    assert not any(alive(pid) for pid in pids)
    bench.close()  # once more does nothing


def test_a_zygote_that_dies_is_told_and_its_tasks_die_with_it(bench):
    bench.load(bench.define('import signal\ndef f():\n    print("ready", flush=True)\n    signal.pause()'))
    bench.launch(bench.order())
    bench.says(b'ready\n')
    ((zygote, _),) = bench.pool.pids
    os.kill(zygote, signal.SIGKILL)
    lost = bench.until(Lost)
    assert lost.pid == zygote and 'SIGKILL' in lost.why
    assert os.WTERMSIG(bench.exits[0].status) == signal.SIGKILL
    assert gone(bench.pids[0])
    bench.launch(bench.order())  # starts another zygote
    bench.says(b'ready\n')


DRIVER = """
    import os, sys, time
    sys.path.insert(0, {root!r})
    from awflow.backends.payload import Definition, write
    from awflow.backends.pool import Pool
    {body}
    pool = Pool(1, [1], cwd='.')
    write('payload', {{'f': Definition('f', f)}}, sys_path=sys.path, cwd=os.getcwd(), script=sys.argv[0])
    pool.load('payload')
    pool.launch(0, [dict(
        job='f', task='-', position=-1, generation=1, attempt=[0, 0], id='0' * 32, outputs=[], inputs=[], produced={{}},
        env={{}}, cwd=os.getcwd(), results_file='', cuda=None, parent=None, state='.awflow', workflow='w',
    )])
    print('pid', pool.pids[0][0], flush=True)
    text = b''
    while b'end' not in text:
        text += b''.join(getattr(event, 'data', b'') for event in pool.wait(1))
    print(text.decode(), flush=True)
    {after}
"""


def driver(directory, body: str, after: str, name: str = 'script.py') -> subprocess.Popen[str]:
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    text = textwrap.dedent(DRIVER).format(root=root, body=source(body), after=textwrap.dedent(after))
    (directory / name).write_text(text)
    command = [sys.executable, str(directory / name)]
    return subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, text=True, start_new_session=True)


STUBBORN = """
    def f():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        start(False), start(True), orphan()
        print('pid', os.getpid(), 'end', flush=True)
        signal.pause()
"""


@pytest.mark.parametrize('whom', [os.kill, os.killpg])
@pytest.mark.parametrize('after', ['time.sleep(600)', 'os.fork(); time.sleep(600)'], ids=['alone', 'forked'])
def test_when_the_driver_is_killed_its_tasks_are_and_then_the_zygote_goes(tmp_path, whom, after):
    process = driver(tmp_path, STUBBORN, after)
    lines = iter(process.stdout.readline, '')
    text = ''
    for line in lines:
        text += line.replace(' end', '')
        if 'end' in line:
            break
    pids = pids_of(text)
    assert len(pids) == 5
    assert all(alive(pid) for pid in pids)
    whom(process.pid, signal.SIGKILL)
    process.wait()
    assert gone(pids[0])  # the zygote is the last to go, so that it is evidence of the others
    assert not any(alive(pid) for pid in pids)
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.stdout.close()


def test_an_interrupt_of_the_drivers_group_does_not_reach_the_tasks(tmp_path):
    process = driver(
        tmp_path,
        'def f():\n    print("end", flush=True)\n    while True: time.sleep(0.05)',
        """
        import signal
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.killpg(0, signal.SIGINT)
        pool.signal(0, signal.SIGTERM)
        reports = []
        while not reports:
            reports = [event.report for event in pool.wait(1) if hasattr(event, 'report')]
        print(reports[0]['error']['line'])
        pool.close()
        """,
        name='a script.py',
    )
    output, _ = process.communicate(timeout=60)
    assert output.splitlines()[-1] == 'SIGTERM'
