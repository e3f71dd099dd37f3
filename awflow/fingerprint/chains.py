"""The names that code uses, as chains: `util.g(util.n)` uses `util.g` and `util.n`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Any


class Names:
    """What one code object uses, with all that is defined inside it."""

    __slots__ = ('assigned', 'free', 'imports', 'loaded', 'optional', 'written')

    def __init__(self) -> None:
        self.loaded: dict[tuple[str, ...], None] = {}  # chains that start at a global
        self.free: dict[str, dict[tuple[str, ...], None]] = {}  # attributes read from a variable of an enclosing function
        self.optional: set[str] = set()  # read in a class body, where it may be an attribute of the class
        self.assigned: set[str] = set()  # `global n; n = ...`
        self.written: set[tuple[str, ...]] = set()  # `util.n = ...`
        self.imports: dict[tuple[str, int, tuple[str, ...]], None] = {}  # name, level, names taken from it

    def include(self, inner: Names, code: CodeType) -> None:
        """Add what a function defined inside `code` uses; its free variables may be `code`'s own."""
        self.loaded.update(inner.loaded)
        self.optional |= inner.optional
        self.assigned |= inner.assigned
        self.written |= inner.written
        self.imports.update(inner.imports)
        for name, attributes in inner.free.items():
            if name in code.co_freevars:
                self.free.setdefault(name, {}).update(attributes)

    def to_lists(self) -> list[Any]:
        """For JSON."""
        free = {name: list(chains) for name, chains in self.free.items()}
        return [
            list(self.loaded), free, sorted(self.optional), sorted(self.assigned), sorted(self.written), list(self.imports),
        ]  # fmt: skip

    @classmethod
    def from_lists(cls, loaded: Any, free: Any, optional: Any, assigned: Any, written: Any, imports: Any) -> Names:
        """From JSON."""
        names = cls()
        names.loaded = dict.fromkeys(map(tuple, loaded))
        names.free = {name: dict.fromkeys(map(tuple, chains)) for name, chains in free.items()}
        names.optional = set(optional)
        names.assigned = set(assigned)
        names.written = set(map(tuple, written))
        names.imports = {(name, level, tuple(taken)): None for name, level, taken in imports}
        return names
