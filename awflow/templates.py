"""Paths of all elements of an array at once: templates, and what can be told of them without making a path.

A template is a path with `{i}` in it. What stands for `{i}` has no `/`, so a cleaned template cleans every path that it
makes, and two templates are compared component by component: `in/{i}` can never name what `out/{i}` names, whatever the
elements are. What cannot be told so (a callable, a pattern) has no template; it is expanded one by one.
"""

from __future__ import annotations

from _string import formatter_parser  # type: ignore[import-not-found]  # without `string`, which imports `re`

from awflow.specs import MAGIC, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from awflow.arrays import Array

_PLACE = '{i}'
_DIGITS = frozenset('-0123456789')


class Template:
    """The literal pieces around each `{i}`, all of one format; a single piece is a path that all elements share."""

    __slots__ = ('format', 'numeric', 'parts')

    def __init__(self, parts: Sequence[str], format: str = '', numeric: bool = False) -> None:
        self.parts = parts
        self.format = format  # '03' of '{i:03}'
        self.numeric = numeric and not format  # whether only whole numbers, as they are spelled, stand for {i}

    @property
    def fixed(self) -> bool:
        """Whether it is one path for all."""
        return len(self.parts) == 1

    def alike(self, other: Template) -> bool:
        """Whether it makes the same paths of the same elements."""
        return self.parts == other.parts and self.format == other.format

    def path(self, text: object) -> str:
        """The path of one element."""
        if len(self.parts) == 2:
            return f'{self.parts[0]}{text}{self.parts[1]}'
        return str(text).join(self.parts)

    def paths(self, texts: Iterable[object]) -> list[str]:
        """The path of each of the elements."""
        if len(self.parts) == 2:
            before, after = self.parts
            return [f'{before}{text}{after}' for text in texts]
        return [str(text).join(self.parts) for text in texts]

    def text(self, path: str) -> str | None:
        """What stands for `{i}` in a path, None if it is not one of this template's."""
        places = len(self.parts) - 1
        length, rest = divmod(len(path) - sum(map(len, self.parts)), places) if places else (0, 0)
        first = len(self.parts[0])
        if rest or length < 0:
            return None
        text = path[first : first + length]
        return text if text.join(self.parts) == path else None

    def may_hold(self, other: Template) -> bool:
        """Whether a path of the other may be one of this, or lie in a directory of this name."""
        mine, theirs = ('{'.join(template.parts).split('/') for template in (self, other))  # no part has a brace
        if len(mine) > len(theirs):
            return False
        return all(_alike(one, self.numeric, two, other.numeric) for one, two in zip(mine, theirs, strict=False))


def template(what: object, numeric: bool) -> Template | None:
    """The template of a declared path, None if it has none."""
    if not isinstance(what, str):
        return None
    found = _pieces(clean(what)) if '{i' in what else ([clean(what)], '')
    if found is None or any(letter in part for part in found[0] for letter in f'{MAGIC}{{}}'):
        return None
    return Template(*found, numeric=numeric)


def _pieces(path: str) -> tuple[list[str], str] | None:
    """The literal pieces around each `{i}` and the format of all of these; None if there is anything else in braces."""
    parts, formats = [''], set()
    try:
        for literal, field, form, conversion in formatter_parser(path):
            parts[-1] += literal
            if field is not None:
                if field != 'i' or conversion or not form.isascii() or any(letter in form for letter in '/{}'):
                    return None
                formats.add(form)
                parts.append('')
    except ValueError:
        return None
    return (parts, formats.pop()) if len(formats) == 1 else None


def texts_of(array: Array, form: str) -> Sequence[object] | None:
    """What stands for `{i}`, element by element; None if that is not so plain that it may be put into any template."""
    names = array.values if array.labels is None else array.labels
    if isinstance(names, range) and not form:
        return names
    if not {type(name) for name in names} <= {int, float, str}:
        return None
    try:
        texts = [format(name, form) for name in names]
    except ValueError:
        return None
    forbidden = f'/\0{MAGIC}'
    plain = all(text not in ('', '.', '..') and not any(letter in text for letter in forbidden) for text in texts)
    return texts if plain and len(set(texts)) == len(texts) else None


def _alike(one: str, one_numeric: bool, other: str, other_numeric: bool) -> bool:
    """Whether two components of paths, in which '{' is a place, may be the same name."""
    if '{' not in one and '{' not in other:
        return one == other
    ends = [(text.split('{')[0], text.split('{')[-1], '{' in text) for text in (one, other)]
    (head, tail, placed), (other_head, other_tail, other_placed) = ends
    if not _fits(head, placed, one_numeric, other_head, other_placed, other_numeric):
        return False
    return _fits(tail[::-1], placed, one_numeric, other_tail[::-1], other_placed, other_numeric)


def _fits(head: str, placed: bool, numeric: bool, other: str, other_placed: bool, other_numeric: bool) -> bool:
    """Whether what begins with one may begin with the other; what the longer one has more must fit into the other's place."""
    if len(head) > len(other):
        head, placed, numeric, other, other_placed = other, other_placed, other_numeric, head, placed
    if not other.startswith(head):
        return False
    rest = other[len(head) :]
    if not placed:
        return not rest
    return not (numeric and other_placed) or _DIGITS.issuperset(rest)
