"""Comparing fingerprints: components by name, each a code text or a value text.

A code text is `a:<digest of the syntax tree, or ->/b:<version of Python>:<digest of the bytecode>`; code is the same if
either part is, so that neither an edit after the import nor another Python reruns the world. A value text is
`v:<digest>`, and for small values the value itself, for humans.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

ORDER = ('code', 'version', 'helper', 'class', 'closure', 'default', 'global', 'module', 'package')


def comparable(text: str) -> str:
    """A component's text without what is only shown."""
    return text.split(' ', 1)[0]


def shown(text: str) -> str:
    """The part for humans: the value, '' for code."""
    return text.partition(' ')[2]


def same_component(old: str, new: str) -> bool:
    """Whether two texts of one component mean the same."""
    old, new = comparable(old), comparable(new)
    if old == new:
        return True
    if not (old.startswith('a:') and new.startswith('a:')) or '+' in old or '+' in new:
        return False
    (old_tree, _, old_bytes), (new_tree, _, new_bytes) = old.partition('/'), new.partition('/')
    return (old_tree == new_tree != 'a:-') or old_bytes == new_bytes


def same(old: Mapping[str, str], new: Mapping[str, str]) -> bool:
    """Whether two sets of components mean the same."""
    return old.keys() == new.keys() and all(same_component(old[name], new[name]) for name in new)


def difference(old: Mapping[str, str], new: Mapping[str, str]) -> list[tuple[str, str | None, str | None]]:
    """The components that differ: (name, old or None, new or None), what is nearest to the job first."""
    found = []
    for name in old.keys() | new.keys():
        before, after = old.get(name), new.get(name)
        if before is None or after is None or not same_component(before, after):
            found.append((name, before, after))
    return sorted(found, key=lambda item: (_rank(item[0]), item[0]))


def _rank(name: str) -> int:
    kind = name.partition(' ')[0]
    return ORDER.index(kind) if kind in ORDER else len(ORDER)
