"""Modules that count whole: passed around as values, or imported inside a function.

What such a module does may depend on all of its text and on the modules it imports, and it need not be imported yet: a
function often imports what is heavy or what only the compute nodes have. So nothing is executed: the file is found as the
import system would find it, its tree is digested, and the project's own modules among its imports count whole too.
"""

from __future__ import annotations

import sys

from xxhash import xxh3_128_hexdigest

from awflow.fingerprint.project import INSTALLED, LOCAL, STANDARD, file_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from awflow.fingerprint.project import Project
    from awflow.fingerprint.source import Sources

    Import = tuple[str, int, tuple[str, ...]]  # name, level, names taken from it


class Found:
    """A module that could be imported: where it is and whose."""

    __slots__ = ('folders', 'name', 'origin', 'path')

    def __init__(self, name: str, path: str | None, folders: list[str], origin: str) -> None:
        self.name = name
        self.path = path
        self.folders = folders  # where its submodules are
        self.origin = origin


class Modules:
    """Finds modules by name without importing them, and digests them whole."""

    __slots__ = ('_found', '_texts', 'project', 'sources')

    def __init__(self, project: Project, sources: Sources) -> None:
        self.project = project
        self.sources = sources
        self._found: dict[str, Found | None] = {}
        self._texts: dict[str, str] = {}

    def find(self, name: str) -> Found | None:
        """The module of that name, None if there is none."""
        if name not in self._found:
            self._found[name] = self._loaded(name) or self._importable(name)
        return self._found[name]

    def _loaded(self, name: str) -> Found | None:
        module = sys.modules.get(name)
        if module is None:
            return None
        folders = [str(folder) for folder in module.__dict__.get('__path__') or ()]
        return Found(name, file_of(module), folders, self.project.of_module(module))

    def _importable(self, name: str) -> Found | None:
        from importlib.machinery import PathFinder

        parent, _, _ = name.rpartition('.')
        above = self.find(parent) if parent else None
        if name in sys.builtin_module_names or (parent and above is None):
            return None
        try:
            spec = PathFinder.find_spec(name, above.folders if above is not None else None)
        except (ImportError, ValueError, OSError):
            return None
        if spec is None:
            return None
        folders = list(spec.submodule_search_locations or ())
        path = spec.origin if spec.has_location else next(iter(folders), None)
        return Found(name, path, folders, self.project.of_file(path) if path else STANDARD)

    def text(self, name: str) -> str:
        """The component of a whole module; '' if there is nothing to digest, as in a folder without `__init__.py`."""
        if name not in self._texts:
            found = self.find(name)
            self._texts[name] = self._digested(found.path) if found is not None and found.path else ''
        return self._texts[name]

    def _digested(self, path: str) -> str:
        file = self.sources.file(path) if path.endswith('.py') else None
        if file is not None:
            from awflow.fingerprint.canonical import digest_of

            return f'a:{digest_of(file.tree)}/b:-'
        try:
            with open(path, 'rb') as compiled:
                return f'v:{xxh3_128_hexdigest(compiled.read())}'
        except OSError:
            return ''

    def imported_by(self, name: str) -> list[Found]:
        """Modules that a whole module of the project imports, anywhere in its text."""
        found = self.find(name)
        file = self.sources.file(found.path) if found is not None and found.path and found.path.endswith('.py') else None
        if found is None or file is None:
            return []
        package = name if found.folders else name.rpartition('.')[0]
        return self.resolve(_imports(file.tree), package)

    def resolve(self, imports: Iterable[Import], package: str) -> list[Found]:
        """The user's and installed modules that import statements of that package lead to, with the packages they are in."""
        names: dict[str, None] = {}
        for name, level, taken in imports:
            base = _absolute(name, level, package)
            parts = base.split('.')
            names.update(dict.fromkeys('.'.join(parts[: i + 1]) for i in range(len(parts))))
            names.update(dict.fromkeys(f'{base}.{attribute}' for attribute in taken if self._is_local(base)))
        candidates = [self.find(name) for name in names if name]
        return [found for found in candidates if found is not None and found.origin in (LOCAL, INSTALLED)]

    def _is_local(self, name: str) -> bool:
        found = self.find(name) if name else None
        return found is not None and found.origin == LOCAL


def _absolute(name: str, level: int, package: str) -> str:
    if not level:
        return name
    parts = package.split('.')
    return '.'.join([*parts[: len(parts) - level + 1], *([name] if name else [])])


def _imports(tree: Any) -> Iterator[Import]:
    todo = list(tree.body)
    while todo:
        node = todo.pop()
        kind = type(node).__name__
        if kind == 'Import':
            for alias in node.names:
                yield alias.name, 0, ()
        elif kind == 'ImportFrom':
            yield node.module or '', node.level or 0, tuple(alias.name for alias in node.names)
        else:  # statements and what holds them; expressions import nothing
            for field in ('body', 'orelse', 'finalbody', 'handlers', 'cases'):
                inner = getattr(node, field, None)
                todo.extend(inner if isinstance(inner, list) else ())
