"""The functions of the C library that Python does not offer.

Every task on a node calls them once, and importing `ctypes` would cost it more than all else between fork and function.
So they are made with the C module below it, as `ctypes.CDLL` does; where a Python has that in another shape, by `ctypes`.
"""

from __future__ import annotations

import _ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., int]


def _functions() -> tuple[Function, Function, Function, Callable[[], int]]:
    class Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = 'i'

    class Returning(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = Int

    class Program:
        _handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]

    prctl, fflush, signalfd = (Returning((name, Program)) for name in ('prctl', 'fflush', 'signalfd'))  # type: ignore[arg-type]
    return prctl, fflush, signalfd, _ctypes.get_errno


def _by_ctypes() -> tuple[Function, Function, Function, Callable[[], int]]:
    import ctypes

    program = ctypes.CDLL(None, use_errno=True)
    return program.prctl, program.fflush, program.signalfd, ctypes.get_errno


try:
    prctl, fflush, signalfd, errno = _functions()
except (AttributeError, TypeError):
    prctl, fflush, signalfd, errno = _by_ctypes()
