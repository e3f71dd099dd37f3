"""Paths of all elements of an array at once: templates, and what can be told of them without making a path.

A template is a path with `{i}` in it. What stands for `{i}` has no `/`, so a cleaned template cleans every path that it
makes, and two templates are compared component by component: `in/{i}` can never name what `out/{i}` names, whatever the
elements are. What cannot be told so (a callable, a pattern, a `{i:03}`) has no template; it is expanded one by one.
"""

from __future__ import annotations

from awflow.specs import MAGIC, clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from awflow.arrays import Array

_PLACE = '{i}'
_DIGITS = frozenset('-0123456789')


class Template:
    """The literal pieces around each `{i}`; a single piece is a path that all elements share."""

    __slots__ = ('numeric', 'parts')

    def __init__(self, parts: Sequence[str], numeric: bool) -> None:
        self.parts = parts
        self.numeric = numeric  # whether only whole numbers stand for {i}

    @property
    def fixed(self) -> bool:
        """Whether it is one path for all."""
        return len(self.parts) == 1

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
    parts = clean(what).split(_PLACE)
    if any(letter in part for part in parts for letter in f'{MAGIC}{{}}'):
        return None
    return Template(parts, numeric)


def texts_of(array: Array) -> Sequence[object] | None:
    """What stands for `{i}`, element by element; None if that is not so plain that it may be put into any template."""
    names = array.values if array.labels is None else array.labels
    if isinstance(names, range):
        return names
    if not {type(name) for name in names} <= {int, float, str}:
        return None
    texts = [str(name) for name in names]
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
