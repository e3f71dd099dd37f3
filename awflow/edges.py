"""When a task may start, as a function of how its upstreams ended. Pure.

An upstream is decided when all its elements have ended (with `each`, when the partner has); it succeeded if all are
succeeded, unchanged or fresh, which an empty array is.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


def answer(status: str, succeeded: bool | None) -> bool | None:
    """What an edge says once its upstream ended (`succeeded` or not); None while it has not."""
    if succeeded is None:
        return None
    return True if status == 'any' else succeeded == (status == 'success')


def decide(mode: str, answers: Iterable[bool | None]) -> bool | None:
    """Start (True), skip (False) or wait (None). 'all': the first no skips; 'any': the first yes starts."""
    said = list(answers)
    if not said:
        return True
    settles = mode == 'any'  # the answer that decides alone
    if settles in said:
        return settles
    return None if None in said else not settles
