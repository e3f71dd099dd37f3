"""A check in a process of its own, which is given up when its time is over.

The problem. What a doctor is called to is what hangs: a server of files that does not answer, a controller that does not.
A system call on a dead mount does not come back, and cannot be interrupted by a signal handler or left by a thread: the
process would not even end.

So a check runs in a forked child, that tells what it found over a pipe. The parent touches no files; when the time is over
it kills the child with all that the child has started, waits for nobody, and says what hung.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from time import monotonic

from awflow.cli.checks.findings import Part
from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PIECE = 1 << 16


def bounded(name: str, check: Callable[[Part], None], seconds: float, hung: str = '') -> Part:
    """The part as the check fills it. `hung` says what it means if that takes longer than so many seconds."""
    sys.stdout.flush()
    sys.stderr.flush()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reader)
        _child(parent, name, check, writer)
    os.close(writer)
    ended = False
    try:
        said, ended = _hear(reader, monotonic() + seconds)
    finally:
        os.close(reader)
        if not ended:
            _kill(pid)
    status = os.waitpid(pid, 0)[1] if ended else 0
    return _part(name, said, ended, status, seconds, hung)


def _hear(reader: int, deadline: float) -> tuple[bytes, bool]:
    """What the child says until it closes the pipe, and whether it did in time."""
    said = b''
    while (left := deadline - monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            break
        piece = os.read(reader, PIECE)
        if not piece:
            return said, True
        said += piece
    return said, False


def _part(name: str, said: bytes, ended: bool, status: int, seconds: float, hung: str) -> Part:
    if not ended:
        part = Part(name)
        part.unfit(f'no answer within {seconds:g} s', hung)
        part.facts['given up'] = True
        return part
    try:
        return Part.from_dict(jsontext.loads(said))
    except ValueError:
        how = f'by signal {os.WTERMSIG(status)}' if os.WIFSIGNALED(status) else 'without a word'
        part = Part(name)
        part.unfit(f'the process that looked ended {how}')
        part.facts['given up'] = True
        return part


def _child(parent: int, name: str, check: Callable[[Part], None], writer: int) -> None:
    from awflow.backends.processes import die_with_parent
    from awflow.errors import AwflowError

    part = Part(name)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        gc.disable()  # it lives for a moment, and may hold a hundred thousand things
        die_with_parent(parent)
        check(part)
    except AwflowError as error:
        first, *others = str(error).splitlines()
        part.unfit(first, '\n'.join(line.strip() for line in others))
    except KeyboardInterrupt:
        os._exit(130)
    except BaseException as error:  # noqa: BLE001  it is told, in the place of what was to be found
        import traceback

        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f'{os.path.basename(where.filename)}:{where.lineno}'
        part.unfit(f'the check itself failed: {type(error).__name__}: {error} ({place})')
    rest = memoryview(jsontext.dumps(part.to_dict()))
    try:
        while rest:
            rest = rest[os.write(writer, rest) :]
    finally:
        os._exit(0)


def _kill(pid: int) -> None:
    """End a child that is given up, with what it started, and wait for none of it."""
    from awflow.backends.processes import descendants, send

    for each in [*descendants(pid), pid]:
        send(each, signal.SIGKILL)
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass
