"""Whether a postcondition proves anything: one that never was false says nothing about the function that it follows.

A task that runs again usually finds its postcondition true, from the last time; so it is not the last attempt that
counts but whether it was ever found false. A record keeps the last attempt only, so its checks carry that on from record
to record as `was_false`: true, it has been false at the start or the end of an attempt; false, it has held at every
start since the task's first; left out, nobody knows (adopted, or the condition came later than the task's first attempt).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any


def history_of(checks: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What the checks of a record mean for those of the next attempt."""
    return [
        {'name': check['name'], 'when': 'after', 'was_false': check['was_false']}
        for check in checks
        if check.get('when') == 'after' and check.get('was_false') is not None
    ]


def remembered(names: Iterable[str], history: Sequence[Mapping[str, Any]] | None) -> list[bool | None]:
    """For each postcondition whether it has been false so far, None if that is not known. Without any record (None) it
    never was. Two of one name are told apart by their order.
    """
    if history is None:
        return [False for _ in names]
    rest = list(history)
    found: list[bool | None] = []
    for name in names:
        at = next((at for at, check in enumerate(rest) if check['name'] == name), None)
        found.append(None if at is None else rest.pop(at)['was_false'])
    return found
