from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.watch import Watched
from awflow.state.fs import Disk

LIMIT = 30.0


def watch(workspace: Any, **options: Any) -> subprocess.Popen[bytes]:
    environ = {**workspace.environ, 'TERM': 'xterm', 'COLUMNS': '80', 'LC_ALL': 'C.UTF-8'}
    return subprocess.Popen(
        [sys.executable, '-m', 'awflow', 'status', '--watch', '0.1'], cwd=workspace.directory, env=environ, **options
    )


def read_until(descriptor: int, wanted: bytes) -> bytes:
    """What comes until it holds the text."""
    found = b''
    end = time.monotonic() + LIMIT
    while wanted not in found:
        assert select.select([descriptor], [], [], end - time.monotonic())[0], found
        piece = os.read(descriptor, 1 << 16)
        assert piece, found
        found += piece
    return found


def test_on_a_terminal_it_is_drawn_in_place_until_the_run_has_ended(workspace: Any, held: Any) -> None:
    ours, theirs = pty.openpty()
    process = watch(workspace, stdout=theirs)
    os.close(theirs)
    shown = read_until(ours, b'1 running')
    os.close(held._fifo)
    held._fifo = os.open(os.devnull, os.O_WRONLY)  # which the fixture closes
    shown += read_until(ours, b'3 succeeded')
    assert process.wait(LIMIT) == 0
    os.close(ours)
    assert b'\x1b[' in shown, 'the cursor goes back up'


def test_ctrl_c_ends_it_with_130(workspace: Any, held: Any) -> None:
    ours, theirs = pty.openpty()
    process = watch(workspace, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    read_until(ours, b'1 running')
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT)
    os.close(ours)
    assert process.returncode == 130
    assert b'Traceback' not in err


def test_elsewhere_it_is_told_anew_after_each_change(workspace: Any, held: Any) -> None:
    process = watch(workspace, stdout=subprocess.PIPE)
    assert process.stdout is not None
    shown = read_until(process.stdout.fileno(), b'1 running')
    held.kill()
    shown += read_until(process.stdout.fileno(), b'died')
    assert process.wait(LIMIT) == 0
    process.stdout.close()
    assert shown.count(b'flow in .awflow') == 2
    assert b'\x1b' not in shown


def test_what_is_over_is_shown_once(made: Any) -> None:
    done = made.awflow('status', '--watch', '3600')
    assert done.returncode == 0
    assert done.stdout.count('flow in .awflow') == 1


def test_a_look_at_what_has_not_changed_counts_nothing(workspace: Any, held: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(str(workspace.directory / '.awflow'), ['flow'])
    (before,) = watched.found
    read: list[str] = []
    original = Disk.read

    def spy(self: Disk, path: str, offset: int = 0, limit: int = -1) -> bytes:
        data = original(self, path, offset, limit)
        read.extend([Path(path).name] if data else [])
        return data

    monkeypatch.setattr(Disk, 'read', spy)
    assert not watched.look()
    assert watched.found == [before]
    assert read == ['1.claim'], 'only that the ledger is the same one is looked up'


@pytest.mark.parametrize('line', [['--watch', '0'], ['--watch', 'fit'], ['--watch', '--json'], ['--watch', '1', 'fit']])
def test_what_cannot_be_watched_is_refused(awflow: Any, line: list[str]) -> None:
    done = awflow('status', *line)
    assert done.code == 2
    assert '--watch' in done.err
