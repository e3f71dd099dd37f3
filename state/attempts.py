"""Earlier attempts of a task, in short form: what is still known of them when a newer one has taken their place.

Of a task the state keeps the record of highest rank. Those it outranked are told in a few members each, so that a task
that failed twice on a full disk before it succeeded can still say so. Like the choice of the record itself this must
not depend on the order in which records are met, nor on how often: attempts are told apart by generation, attempt and
id, the fullest word on each counts, and the last of them in this order are kept. What falls out at the lower end stays
out, whatever comes later, because all that pushed it out is still there; only its number is kept, with the oldest.
"""

from __future__ import annotations

from itertools import pairwise

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from awflow.state.record import Record

KEPT = 10  # of a task, besides its record
# In the order in which they are written; what equals the default of a record is left out.
MEMBERS = (
    'generation', 'attempt', 'final', 'outcome', 'id', 'exit', 'signal', 'error', 'host', 'slurm', 'started', 'ended', 'rss',
    'log', 'run', 'adopted', 'accepted', 'by',
)  # fmt: skip
DROPPED = 'dropped'  # how many attempts were before the oldest that is kept


def brief(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The short form of a record, given as Record.to_dict gives it."""
    return {name: fields[name] for name in MEMBERS if name in fields}


def earlier(last: Mapping[str, Any], others: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Of short forms those that are earlier attempts than the last, oldest first; at most `KEPT`."""
    known: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    dropped = 0
    for told in others:
        dropped += told.get(DROPPED, 0)
        key = _key(told)
        if key not in known or _word(known[key]) < _word(told):
            known[key] = told
    known.pop(_key(last), None)
    order = sorted(known)
    dropped += max(len(order) - KEPT, 0)
    kept = [{name: value for name, value in known[key].items() if name != DROPPED} for key in order[-KEPT:]]
    if dropped:
        kept[0][DROPPED] = dropped
    return kept


def in_order(told: list[dict[str, Any]], generation: int) -> bool:
    """Whether short forms are what `earlier` would make of them before a record of that generation: the usual case."""
    before = [each.get('generation', 0) for each in told[-2:]]
    return len(told) <= KEPT and all(one < other for one, other in pairwise([*before, generation]))


def adds(lower: Record, higher: Record) -> bool:
    """Whether the lower of two records of a task tells what the higher does not: of another attempt, or how this one ended
    before a retry, which ranks no higher than its start.
    """
    if lower.id != higher.id or lower.attempt != higher.attempt or lower.generation != higher.generation:
        return True
    return bool(lower.outcome) and not higher.outcome


def _key(told: Mapping[str, Any]) -> tuple[Any, ...]:
    return told.get('generation', 0), *told.get('attempt', (0, 0)), told.get('id', '')


def _word(told: Mapping[str, Any]) -> tuple[bool, str, float]:
    """Of two words on one attempt the greater counts: an end says more than a start."""
    return bool(told.get('final')), str(told.get('outcome', '')), float(told.get('ended', 0.0))
