"""The named components of a fingerprint as text, and how two of them compare.

code of f      a:<syntax tree or ->/b:<Python version>:<bytecode>     equal if either is
global n       v:<value> 10000                                       what follows the digest is for display
package numpy  installed, or v:<version> 2.0.1 where the version was asked for
"""

from __future__ import annotations

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

KINDS: Final = (
    'code of',
    'helper',
    'class',
    'closure',
    'default',
    'global',
    'module',
    'package',
)  # most specific first
WITH_SOURCE: Final = ('code of ', 'helper ', 'class ', 'module ')  # components that are code: what they look like can be shown
SHOWN: Final = 60  # characters
BRIEF: Final = 1 << 63  # integers below it are shown whole


class Note:
    """Something the user should know of a fingerprint: a kind, the component it is about, and what to do.

    Kinds: 'assigned', 'opaque', 'rng', 'dynamic', 'big'.
    """

    __slots__ = ('cure', 'kind', 'name')

    def __init__(self, kind: str, name: str, cure: str) -> None:
        self.kind = kind
        self.name = name
        self.cure = cure

    def __str__(self) -> str:
        return f'{self.name}: {self.cure}'

    def __repr__(self) -> str:
        return f'Note({self.kind!r}, {self.name!r}, {self.cure!r})'


def comparable(text: str) -> str:
    """The part of a component's text by which it is the same or not, code by its tree if there is one."""
    if text.startswith('a:'):
        tree, _, bytecode = text.partition('/')
        return bytecode if tree == 'a:-' else tree
    return text.partition(' ')[0]


def version_of(name: str) -> str:
    """The version of an installed package, by the name that is imported or that it is installed by; '' where unknown."""
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        for distribution in metadata.packages_distributions().get(name, ()):
            return metadata.version(distribution)
    return ''


def same_component(old: str, new: str) -> bool:
    """Whether two texts of one component mean the same code or value."""
    if not (old.startswith('a:') and new.startswith('a:')):
        return comparable(old) == comparable(new)
    old_tree, _, old_bytecode = old.partition('/b:')
    new_tree, _, new_bytecode = new.partition('/b:')
    return (old_tree == new_tree != 'a:-') or (old_bytecode == new_bytecode != '-')


def same(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether two sets of components have the same names and mean the same."""
    return old.keys() == new.keys() and all(same_component(text, new[name]) for name, text in old.items())


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    """Components that differ as (name, old text, new text), None where there is none; the most specific first."""
    changed = [
        (name, old.get(name), new.get(name)) for name in old.keys() | new.keys()
        if name not in old or name not in new or not same_component(old[name], new[name])
    ]  # fmt: skip
    return sorted(changed, key=lambda change: (_rank(change[0]), change[0]))


def _rank(name: str) -> int:
    return next((i for i, kind in enumerate(KINDS) if name.startswith(kind + ' ')), len(KINDS))


def shown(text: str) -> str:
    """What to show a user of a component's text: the value if it is small, else ''."""
    return text.partition(' ')[2] if text.startswith('v:') else ''


def scalar_text(value: object, encoded: bytes) -> str:
    """The text of a value that holds no others, given its bytes."""
    digest, display = xxh3_128_hexdigest(encoded), display_of(value)
    return f'v:{digest} {display}' if display else f'v:{digest}'


def display_of(value: object) -> str:
    """A small value as its repr of at most 60 characters, '' for what has no short and stable one."""
    if type(value) in (bool, float) or (type(value) is int and -BRIEF < value < BRIEF):
        return repr(value)
    if not _small(value, 20):
        return ''
    if isinstance(value, (set, frozenset)):
        text = f'{{{", ".join(sorted(map(repr, value)))}}}' if value else repr(value)
    elif isinstance(value, int) and value.bit_length() > 1000:
        return ''
    else:
        text = repr(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + '...'


def with_display(text: str, value: object) -> str:
    """The text of a value with what is shown of it."""
    display = display_of(value)
    return f'{text} {display}' if display else text


def _small(value: object, most: int) -> bool:
    if isinstance(value, (str, bytes)):
        return len(value) <= 1000
    if value is None or type(value) in (int, float, bool, complex):
        return True
    if type(value) in (list, tuple, set, frozenset):
        return len(value) <= most and all(_small(element, most // 4) for element in value)  # type: ignore[arg-type, attr-defined]
    if type(value) is dict:
        return len(value) <= most and all(_small(part, most // 4) for pair in value.items() for part in pair)
    return type(value).__name__ == 'PosixPath'
