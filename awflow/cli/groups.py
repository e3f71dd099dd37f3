"""Tasks of a job taken together of which the same is to be told: they ended alike, under one claim, for the same reasons.

An answer about 100,000 tasks is a few lines, so it must not cost 100,000 records. Nearly all tasks of an array are alike in
the columns, and what else could tell them apart few have: an error, reasons of their own, a signature.
"""

from __future__ import annotations

from awflow.cli.attempts import error_of
from awflow.state.members import having
from awflow.state.table import OUTCOMES, natural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
    from typing import Any, Final, TypeVar

    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection
    from awflow.state.record import Record
    from awflow.state.rows import Rows

    K = TypeVar('K', bound=Hashable)

APART: Final = ('error', 'why', 'adopted', 'accepted', 'by', 'note')  # members that tell tasks apart
MANY: Final = 200  # tasks from which on all of the job are searched at once


class TaskGroup:
    """Tasks by key, how they stand, and the record of the first for what all have in common; None if nothing is on record."""

    __slots__ = ('job', 'keys', 'outcome', 'record')

    def __init__(self, job: str, outcome: str, keys: list[str], record: Record | None) -> None:
        self.job = job
        self.outcome = outcome
        self.keys = keys
        self.record = record

    def error(self) -> str:
        """What the error says, with the exception's type; '' if there is none on record."""
        return error_of(self.record.error if self.record else None)


def groups(selection: Selection, wanted: Collection[str] | None = None) -> Iterator[TaskGroup]:
    """The tasks of a selection in groups; only those whose outcome is `wanted`, if that is given."""
    rows = selection.workflow.state.rows(selection.job)
    places = _places(rows, selection.keys)
    apart = _apart(rows, [row for row in places if row is not None]) if rows is not None else {}
    found: dict[Any, tuple[str, int | None, list[str]]] = {}
    for key, row, (outcome, *same) in zip(
        selection.keys, places, _likenesses(selection.workflow, selection.job, rows, selection.keys, places), strict=True
    ):
        if wanted is None or outcome in wanted:
            alike = (outcome, *same, apart.get(row) if row is not None else None)
            if alike in found:
                found[alike][2].append(key)
            else:
                found[alike] = (outcome, row, [key])
    for outcome, row, keys in found.values():
        yield TaskGroup(selection.job, outcome, keys, rows.record(row) if rows is not None and row is not None else None)


def together(parts: Iterable[tuple[K, Sequence[str]]]) -> dict[K, list[str]]:
    """Keys by what they have in common, those from several groups in the order of numbers if they are numbers."""
    found: dict[K, list[Sequence[str]]] = {}
    for same, keys in parts:
        found.setdefault(same, []).append(keys)
    return {same: list(lists[0]) if len(lists) == 1 else _in_order(lists) for same, lists in found.items()}


def _in_order(lists: Iterable[Sequence[str]]) -> list[str]:
    keys = [key for each in lists for key in each]
    numbers = {key: natural(key) for key in keys}
    return keys if None in numbers.values() else sorted(keys, key=lambda key: numbers[key] or 0)


def _places(rows: Rows | None, keys: Sequence[str]) -> Sequence[int | None]:
    """The row of each key. That all of a job are asked for, in their order, is usual and told at once."""
    if rows is None:
        return [None] * len(keys)
    known = rows.keys
    if keys is known or (len(keys) >= len(known) and list(keys[: len(known)]) == known):
        return [*range(len(known)), *[None] * (len(keys) - len(known))]
    return [rows.row(key) for key in keys]


def _likenesses(
    workflow: Workflow, job: str, rows: Rows | None, keys: Sequence[str], places: Sequence[int | None]
) -> Iterator[tuple[Any, ...]]:
    """Of each task its outcome, and what of the columns is shown of it."""
    from awflow.cli.listing import outcomes_of

    base = rows.base if rows is not None else None
    count, over = (base.count if base is not None else 0), (rows.over if rows is not None else {})
    for key, row in zip(keys, places, strict=True):
        if rows is None or row is None:
            yield (outcomes_of(workflow, job, [key])[0],)
        elif base is not None and row < count and row not in over and 0 < base.outcome[row] < len(OUTCOMES):
            yield OUTCOMES[base.outcome[row]], base.generation[row], base.context[row]
        else:
            yield workflow.outcome(rows, row), rows.generation(row), rows.code(row)


def _apart(rows: Rows, meant: Collection[int]) -> dict[int, str]:
    """What tells tasks apart besides the columns, spelled out, by row."""
    if len(meant) > MANY:
        return {row: _spelled(members) for row, members in having(rows, APART)}
    told = ((row, rows.record(row).to_dict()) for row in meant)
    return {row: _spelled({name: fields[name] for name in APART if name in fields}) for row, fields in told}


def _spelled(members: Mapping[str, Any]) -> str:
    return repr(sorted(members.items())) if members else ''
