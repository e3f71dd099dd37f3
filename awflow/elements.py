"""The keys of an array's elements: what its tasks are called, on disk and on the command line."""

from __future__ import annotations

from awflow.errors import DefinitionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from awflow.arrays import Array

    Keys = Sequence[str]
else:
    Keys = object  # importing the real one takes longer than reading the keys of a big array

SINGLE = '-'  # the key of the one task of a job without array
LONGEST = 60  # characters of a key that is spelled out; longer ones are named by digest


class Numbers(Keys):
    """The keys of a range, each spelled when it is asked for: a million of them are no objects."""

    __slots__ = ('range',)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, numbers: range) -> None:
        self.range = numbers

    def __len__(self) -> int:
        return len(self.range)

    def __iter__(self) -> Iterator[str]:
        return map(str, self.range)

    def __getitem__(self, at: Any) -> Any:
        return list(map(str, self.range[at])) if isinstance(at, slice) else str(self.range[at])

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.row(key) is not None

    def __eq__(self, other: object) -> bool:
        return self.range == other.range if isinstance(other, Numbers) else list(self) == other

    def row(self, key: str) -> int | None:
        """The position of a key, None if it is not one of them."""
        digits = key.removeprefix('-')
        if not (digits.isdecimal() and digits.isascii()) or len(digits) > LONGEST:
            return None
        number = int(key)
        return self.range.index(number) if str(number) == key and number in self.range else None


def key_of(value: object) -> str:
    """The key of a value: itself where it is short and exact (3, 'abc', 0.1, (1, 'x')), otherwise '#' and its typed digest."""
    value = _plain(value)
    if _exact(value):
        text = repr(value)
        if len(text) <= LONGEST and text.isprintable():
            return text
    from awflow.fingerprint import digest

    return '#' + digest(value)


def keys_of(job: str, array: Array | None) -> Sequence[str]:
    """The keys of all elements in order of position; raises DefinitionError for two of the same key, naming positions."""
    if array is None:
        return [SINGLE]
    names = array.values if array.labels is None else array.labels
    if isinstance(names, range):
        return Numbers(names)
    keys = [key_of(name) for name in names]
    if array.unordered:
        _sort(array, keys)
    if len(set(keys)) < len(keys):
        first: dict[str, int] = {}
        for position, key in enumerate(keys):
            if key in first:
                raise DefinitionError(
                    'two elements of the array of job {job!r} are the same, so their records cannot be told apart',
                    'Drop one, or use a mapping, whose keys name the tasks.', job=job, element=key,
                    positions=f'{first[key]} and {position}',
                )  # fmt: skip
            first[key] = position
    return keys


def template_text(name: object) -> str | None:
    """What '{i}' in a path template stands for: an int, float or str without '/'; None for anything else."""
    name = _plain(name)
    if isinstance(name, bool) or not isinstance(name, (int, float, str)):
        return None
    text = str(name)
    return None if '/' in text or '\0' in text or text in ('', '.', '..') else text


def _sort(array: Array, keys: list[str]) -> None:
    """Sets and mappings in order of key: the order they happen to have must not count."""
    order = sorted(range(len(keys)), key=lambda position: (len(keys[position]), keys[position]))
    array.values = [array.values[position] for position in order]
    if array.labels is not None:
        array.labels = [array.labels[position] for position in order]
    keys[:] = [keys[position] for position in order]


def _plain(value: object) -> object:
    """A numpy scalar as the number it is."""
    if type(value).__module__ == 'numpy' and hasattr(value, 'item') and getattr(value, 'ndim', 1) == 0:
        plain: object = value.item()
        return plain
    return value


def _exact(value: object) -> bool:
    if type(value) in (int, float, str, bool, type(None)):
        return True
    return type(value) is tuple and all(_exact(item) for item in value)
