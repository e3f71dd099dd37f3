"""The functions of the C library that Python does not offer.

Every task on a node calls them once, and importing `ctypes` would cost it more than all else between fork and function.
So they are made with the C module below it, as `ctypes.CDLL` does; where a Python has that in another shape, by `ctypes`.
`quick_prctl` is without what ctypes does around a call: it keeps the interpreter's lock, and no errno. Every task calls it
twice, and in a forked process each step is a page more to be copied.
"""

from __future__ import annotations

import _ctypes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., int]


def _functions() -> tuple[Function, Function, Function, Function, Callable[[], int]]:
    class Int(_ctypes._SimpleCData):  # type: ignore[type-arg]
        _type_ = 'i'

    class Returning(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_USE_ERRNO
        _restype_ = Int

    class Quick(_ctypes.CFuncPtr):
        _flags_ = _ctypes.FUNCFLAG_CDECL | _ctypes.FUNCFLAG_PYTHONAPI
        _restype_ = Int

    class Program:
        _handle = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]

    prctl, fflush, signalfd = (Returning((name, Program)) for name in ('prctl', 'fflush', 'signalfd'))  # type: ignore[arg-type]
    return Quick(('prctl', Program)), prctl, fflush, signalfd, _ctypes.get_errno  # type: ignore[arg-type]


def _by_ctypes() -> tuple[Function, Function, Function, Function, Callable[[], int]]:
    import ctypes

    program = ctypes.CDLL(None, use_errno=True)
    return program.prctl, program.prctl, program.fflush, program.signalfd, ctypes.get_errno


try:
    quick_prctl, prctl, fflush, signalfd, errno = _functions()
except (AttributeError, TypeError):
    quick_prctl, prctl, fflush, signalfd, errno = _by_ctypes()
