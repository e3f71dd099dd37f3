"""A task that does next to nothing, run through in a zygote before the first fork.

Whatever is done once in a process (names of the C library found, caches of types filled, bytecode adapted to what it meets)
would be done in every child anew, each time at the price of the pages that it is written to. So the zygote goes through all
that a child goes through, but for what would make it one: its session, its streams, its end.
"""

from __future__ import annotations

import os

from awflow.backends.child import HEARD, Alarm, Child, flush
from awflow.backends.context import Tools
from awflow.backends.payload import Definition
from awflow.backends.processes import adopt_orphans, childless

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from typing import Any, Final

    from awflow.backends.seat import Seat
else:
    import _signal as signal  # as all that is here

TIMES: Final = 24  # after that the interpreter has adapted to the code that it ran


class _NoPayload:
    """Nothing is asked of it."""

    names = ()


def rehearse(seat: Seat) -> None:
    """Perform it so often as if the seat, whose pipes lead nowhere, were a child's."""
    payload: Any = _NoPayload()
    tools = Tools(payload)
    definition = Definition('', _usual)
    for _ in range(TIMES):
        child = Child((seat.mouth, -1), seat.output, lambda: definition, tools, seat=seat, alarm=Alarm())
        child.work([_order()])
        adopt_orphans()
        flush()
        childless()
        signal.pthread_sigmask(signal.SIG_BLOCK, HEARD)


def _usual() -> None:
    """What most tasks do, to files that are there."""
    with open(__file__, encoding='utf-8') as file:
        lines = file.read().upper().splitlines()
    with open(os.devnull, 'w', encoding='utf-8') as file:
        file.write(f'{len(lines)} lines')
    os.path.exists(__file__)


def _order() -> dict[str, Any]:
    here = os.getcwd()
    return {
        'job': '', 'task': '-', 'position': -1, 'generation': 0, 'attempt': [0, 0], 'id': '0' * 32, 'outputs': [__file__],
        'inputs': [__file__], 'stat': [], 'produced': {}, 'known': {}, 'env': {'AWFLOW_REHEARSAL': '1'}, 'cuda': None,
        'cwd': here, 'parent': None, 'results_file': f'{here}/none', 'state': here, 'workflow': 'none', 'limit': None,
        'history': None, 'lint': None,
    }  # fmt: skip
