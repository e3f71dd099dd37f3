"""What the machine has and what tasks use, from /proc and control groups."""

from __future__ import annotations

import os

import pytest

from awflow.backends.meter import exact_memory_of, machine, memory_of
from awflow.backends.wire import Unpacker, pack

MEMORY = """
    import os, subprocess, sys
    def f():
        code = 'block = bytearray({size}); print("ready", flush=True); import signal; signal.pause()'
        subprocess.Popen([sys.executable, '-c', code.format(size=60_000_000)])
        subprocess.Popen([sys.executable, '-c', code.format(size=30_000_000)], start_new_session=True)
        os.wait()
"""


def test_memory_counts_all_that_descends_from_a_task(bench):
    bench.load(bench.define(MEMORY))
    bench.launch(bench.order())
    bench.until(lambda event: bench.text().count('ready') == 2)
    pid = bench.pids[0]
    assert 90_000_000 < memory_of([pid])[pid] < 250_000_000
    assert 90_000_000 < exact_memory_of(pid) <= memory_of([pid])[pid]


def test_a_session_that_is_gone_uses_nothing():
    assert memory_of([2**22 + 1]) == {2**22 + 1: 0}
    assert memory_of([]) == {}


def staged(root, **files):
    for path, text in files.items():
        target = root.joinpath(*path.split('__'))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return str(root)


def test_the_limits_of_unified_control_groups_hold_at_every_level(tmp_path):
    os.makedirs(tmp_path / 'sys/fs/cgroup/a/b')
    root = staged(tmp_path, proc__meminfo='MemTotal: 64000000 kB\n', proc__self__cgroup='0::/a/b\n')
    (tmp_path / 'sys/fs/cgroup/a/memory.max').write_text('1000000\n')
    (tmp_path / 'sys/fs/cgroup/a/b/memory.max').write_text('max\n')
    (tmp_path / 'sys/fs/cgroup/a/b/cpu.max').write_text('100000 100000\n')
    assert machine(root)[:2] == (1, 1_000_000)


def test_the_limits_of_the_first_version_hold_too(tmp_path):
    os.makedirs(tmp_path / 'sys/fs/cgroup/memory/job')
    root = staged(tmp_path, proc__meminfo='MemTotal: 64000000 kB\n', proc__self__cgroup='4:memory:/job\n0::/\n')
    (tmp_path / 'sys/fs/cgroup/memory/job/memory.limit_in_bytes').write_text('2000000\n')
    assert machine(root)[1] == 2_000_000


@pytest.mark.parametrize(
    ('visible', 'found'), [('0,2', ['0', '2']), ('', []), ('-1', []), ('GPU-1, GPU-2', ['GPU-1', 'GPU-2'])]
)
def test_devices_are_those_that_are_visible(monkeypatch, visible, found):
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    assert machine()[2] == found


def test_messages_survive_any_cut():
    messages = [{'a': 'π\udcff'}, [], 'x' * 1000]
    data = b''.join(map(pack, messages))
    for size in (1, 3, 7, len(data)):
        unpacker = Unpacker()
        pieces = [data[at : at + size] for at in range(0, len(data), size)]
        assert [message for piece in pieces for message in unpacker.feed(piece)] == messages
