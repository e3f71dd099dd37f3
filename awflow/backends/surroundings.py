"""The environment in which a task is performed."""

from __future__ import annotations

import os
from posix import putenv

from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

PARENT: Final = b'AWFLOW_PARENT'
_ENVIRON: Final = getattr(os.environ, '_data', None)  # what os.environ keeps: encoded, as the C library gets it


def environment(order: dict[str, Any]) -> dict[str, str]:
    """What the order adds to the environment; no device list means that the machine's own stays."""
    added = dict(order.get('env') or {})
    if order.get('parent'):
        added['AWFLOW_PARENT'] = jsontext.dumps(order['parent']).decode()  # whose task a schedule within it belongs to
    if order.get('cuda') is not None:
        added['CUDA_VISIBLE_DEVICES'] = order['cuda']
    return added


def told_to_schedules(order: dict[str, Any], telling: Sequence[str]) -> bytes:
    """Who this task is, as JSON: a schedule within it finds that in the variable PARENT."""
    head, middle, tail = telling
    return ''.join((head, order['called'], middle, order['id'], tail)).encode('ascii')


def settle_lightly(order: dict[str, Any], telling: Sequence[str]) -> None:
    """As `_settle` in a child of a process that is in the order's directory already and has absolute paths only."""
    set_variable(PARENT, told_to_schedules(order, telling))
    if order['cuda'] is not None:
        os.environ['CUDA_VISIBLE_DEVICES'] = order['cuda']


def set_variable(name: bytes, text: bytes) -> None:
    """One variable of the environment, in fewer steps than `os.environ` takes."""
    if _ENVIRON is None:
        os.environb[name] = text
    else:
        putenv(name, text)
        _ENVIRON[name] = text
