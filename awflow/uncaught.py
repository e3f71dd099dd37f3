"""How errors of awflow look that nobody catches: what happened and where in the user's script, without a traceback."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


def install() -> None:
    """Let Python show errors of awflow by `show`, and everything else as before. Interactive shells have their own ways."""
    if sys.excepthook is sys.__excepthook__:
        sys.excepthook = show


def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """The excepthook of a script that uses awflow."""
    from awflow.errors import AwflowError, DefinitionError

    if isinstance(error, AwflowError):
        place = _place(trace) if isinstance(error, DefinitionError) and 'site' not in error.facts else ''
        print(f'{place}{kind.__name__}: {error}', file=sys.stderr)
    elif isinstance(error, KeyboardInterrupt) and _from_awflow(trace):
        said = str(error) or 'stopped; what had not ended is recorded as cancelled'
        print(f'awflow: {said}', file=sys.stderr)
        _leave(130)
    else:
        sys.__excepthook__(kind, error, trace)


def _leave(status: int) -> None:
    """Python ends with the signal's own status after Ctrl-C; shells and schedulers understand 130."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


def _ours(path: str) -> bool:
    here, real = (os.path.dirname(found(__file__)) for found in (os.path.abspath, os.path.realpath))
    return path.startswith((here + os.sep, os.path.join(os.path.dirname(real), 'state') + os.sep))


def _place(trace: TracebackType | None) -> str:
    """file:line of the innermost frame that is the user's."""
    place = ''
    while trace is not None:
        path = trace.tb_frame.f_code.co_filename
        if not _ours(path):
            place = f'{path}:{trace.tb_lineno}: '
        trace = trace.tb_next
    return place


def _from_awflow(trace: TracebackType | None) -> bool:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return trace is not None and _ours(trace.tb_frame.f_code.co_filename)
