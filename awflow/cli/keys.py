"""Keys as claims hold them, counted and looked for without spelling them out: a claim may have a million."""

from __future__ import annotations

from awflow.state.ledger import decode_keys
from awflow.state.table import natural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awflow.state.ledger import Entry
    from awflow.state.rows import Rows


FEW = 16  # spans that are looked through for one key


def holds(claim: Entry, job: str, key: str) -> bool:
    """Whether a claim covers a task, without spelling out its keys where they are few spans."""
    encoded = claim.tasks.get(job)
    if not isinstance(encoded, str) or encoded == '-' or encoded.count(',') >= FEW:
        return claim.covers(job, key)
    number = natural(key)
    return number is not None and any(first <= number <= last for first, last in _spans(encoded))


def number_of(encoded: str | list[str]) -> int:
    """How many keys are encoded so (see ledger.encode_keys)."""
    if not isinstance(encoded, str):
        return len(encoded)
    return 1 if encoded == '-' else sum(last - first + 1 for first, last in _spans(encoded))


def number_on_record(encoded: str | list[str], rows: Rows, number: int) -> int:
    """Of how many of these keys, claimed by the entry of that number, something is on record."""
    if not isinstance(encoded, str) or encoded == '-' or (rows.base is not None and not rows.base.counted):
        return sum(rows.row(key) is not None for key in decode_keys(encoded))
    known = list(_spans(encoded))
    count = rows.base.count if rows.base is not None else 0
    found = sum(max(min(last, count - 1) - first + 1, 0) for first, last in known)
    added = [(row, generation) for row, generation, _ in rows.briefs().ends() if row >= count]
    return found + sum(generation == number or _within(natural(rows.keys[row]), known) for row, generation in added)


def _spans(encoded: str) -> Iterator[tuple[int, int]]:
    """First and last number of every span."""
    for span in encoded.split(','):
        first, _, last = span.partition('-')
        yield int(first), int(last or first)


def _within(number: int | None, known: Sequence[tuple[int, int]]) -> bool:
    """Whether the spans, which are in order, hold a number."""
    from bisect import bisect_right

    if number is None:
        return False
    place = bisect_right(known, (number, float('inf')))
    return place > 0 and number <= known[place - 1][1]
