"""Waiting for one's turn: a courtesy, so that planners queue up instead of planning in vain.

Nothing depends on it: locks may be local to a host, or broken, and claims are right without them. So whatever goes
wrong with the lock, and after half a minute of waiting, the caller is told and goes on. Not to be held over a fork or
while code of the user runs.
"""

from __future__ import annotations

import os

from awflow.state.layout import Layout, prepare

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from filelock import BaseFileLock

    from awflow.state.fs import Disk
    from awflow.state.liveness import Proc


class Turn:
    """A context manager that waits until no other planner of this workflow is at work, as far as that can be told."""

    __slots__ = ('_disk', '_layout', '_lock', '_notify', '_proc', '_timeout')

    def __init__(self, layout: Layout, disk: Disk, proc: Proc, timeout: float, notify: Callable[[str], None] | None) -> None:
        self._layout = layout
        self._disk = disk
        self._proc = proc
        self._timeout = timeout
        self._notify = notify or (lambda _: None)
        self._lock: BaseFileLock | _Held | None = None

    def __enter__(self) -> None:
        try:
            self._disk.stat(self._layout.ledger)
        except OSError:
            prepare(self._layout, self._disk)
        try:
            self._wait()
        except Exception as error:  # noqa: BLE001  of the many ways in which locks fail on shared storage none may stop a run
            self._lock = None
            self._notify(f'going on without the lock of {self._layout.workflow}: {_reason(error)}')

    def _wait(self) -> None:
        self._lock = _if_free(self._layout.lock)
        if self._lock is None:
            self._queue()
        self._sign()

    def _queue(self) -> None:
        import filelock

        lock = _file_lock(self._layout.lock)
        try:
            lock.acquire(timeout=0)
        except filelock.Timeout:
            self._notify(f'waiting for {self._holder()}, who is planning {self._layout.workflow}')
            lock.acquire(timeout=self._timeout)
        self._lock = lock

    def _holder(self) -> str:
        try:
            return self._disk.read(self._layout.holder).decode('utf-8', 'replace').strip() or 'somebody'
        except OSError:
            return 'somebody'

    def _sign(self) -> None:
        """Say who holds the lock; only ever shown, so it may be torn or stale."""
        text = f'{self._proc.user()} on {self._proc.host()} (process {self._proc.pid()})\n'
        try:
            self._unsign()
            fd = self._disk.open_append(self._layout.holder)
            try:
                self._disk.write(fd, text.encode())
            finally:
                self._disk.close(fd)
        except OSError:
            pass

    def _unsign(self) -> None:
        try:
            self._disk.unlink(self._layout.holder)
        except OSError:  # it is not there, or the next to hold the lock writes over it: it is only ever shown
            pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._lock is not None:
            try:
                self._unsign()
                self._lock.release()
            except Exception as failure:  # noqa: BLE001  as above: what the lock guards is done
                self._notify(f'the lock of {self._layout.workflow} could not be given back: {_reason(failure)}')
            self._lock = None


class _Held:
    """A lock that was free: what filelock would hold, without the 40 ms that it takes to import."""

    __slots__ = ('_fd',)

    def __init__(self, fd: int) -> None:
        self._fd = fd

    def release(self) -> None:
        os.close(self._fd)


def _if_free(path: str) -> _Held | None:
    """The lock, if nobody has it; None if somebody has, or if it is not to be told here."""
    try:
        from fcntl import LOCK_EX, LOCK_NB, flock
    except ImportError:
        return None
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        flock(fd, LOCK_EX | LOCK_NB)
    except OSError:
        os.close(fd)
        return None
    return _Held(fd)


def _file_lock(path: str) -> BaseFileLock:
    """A lock that neither turns into a mere file where `flock` is missing, nor deletes its file, in any filelock we
    accept.
    """
    import filelock

    for options in ({'fallback_to_soft': False, 'preserve_lock_file': True}, {'fallback_to_soft': False}, {}):
        try:
            return filelock.FileLock(path, mode=0o644, **options)  # type: ignore[arg-type]
        except TypeError:  # noqa: PERF203  an option that this filelock does not have
            continue
    raise AssertionError('the last set of options is empty')


def _reason(error: Exception) -> str:
    import filelock

    return 'it was not free in time' if isinstance(error, filelock.Timeout) else f'{type(error).__name__}: {error}'
