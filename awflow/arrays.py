"""The values of an array job, by position. A range stays a range: 100,000 tasks are no objects."""

from __future__ import annotations

from awflow.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

ACCEPTED = 'a number of tasks, or a range, list, tuple, set, mapping or one-dimensional array of values'


class Array:
    """The values of an array; for a mapping also the keys, which name its tasks. Immutable."""

    __slots__ = ('labels', 'unordered', 'values')

    def __init__(self, values: Sequence[object], labels: Sequence[object] | None = None, unordered: bool = False) -> None:
        self.values = values
        self.labels = labels
        self.unordered = unordered

    def __len__(self) -> int:
        return len(self.values)

    def value(self, position: int) -> object:
        """What the task at this position is called with."""
        return self.values[position]

    def name(self, position: int) -> object:
        """What the task at this position is called: a mapping's key, otherwise the value."""
        return self.values[position] if self.labels is None else self.labels[position]


def array_of(job: str, given: object) -> Array:
    """The array that `array=given` means; raises OptionError."""
    if isinstance(given, str) and given.strip().isdecimal():
        given = int(given)
    if isinstance(given, range):
        return Array(given)
    if hasattr(given, '__index__') and not isinstance(given, bool) and getattr(given, 'ndim', 0) == 0:
        number = given.__index__()
        if number < 0:
            raise _refused(job, given)
        return Array(range(number))
    if isinstance(given, (list, tuple)):
        return Array(list(given))
    if isinstance(given, (set, frozenset)):
        return Array(list(given), unordered=True)
    if isinstance(given, (str, bytes, bytearray, bool)):
        raise _refused(job, given)
    if hasattr(given, 'keys') and hasattr(given, '__getitem__'):
        labels = list(given.keys())
        return Array([given[label] for label in labels], labels, unordered=True)
    if hasattr(given, '__len__') and hasattr(given, '__getitem__') and getattr(given, 'ndim', 1) == 1:
        return Array(list(given))  # type: ignore[call-overload]
    raise _refused(job, given)


def _refused(job: str, given: object) -> OptionError:
    todo = 'Make it a list first: array=list(...).' if hasattr(given, '__next__') else ''
    return OptionError(
        'job {job!r} cannot have array={value}', todo, job=job, option='array', value=repr(given), accepted=ACCEPTED
    )
