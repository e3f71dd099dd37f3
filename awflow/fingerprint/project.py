"""What is the user's own code: below the project's root, and neither installed nor part of Python."""

from __future__ import annotations

import os
import sys
from types import CodeType, ModuleType

PACKAGES = ('site-packages', 'dist-packages')


class Project:
    """The code below one root."""

    def __init__(self, root: str) -> None:
        self.root = os.path.realpath(root).rstrip('/') + '/'
        self._known: dict[str, bool] = {}
        self._python = tuple(os.path.realpath(path).rstrip('/') + '/' for path in (os.path.dirname(os.__file__),))
        self._awflow = os.path.realpath(os.path.join(os.path.dirname(__file__), '..')) + '/'

    def has_file(self, path: str | None) -> bool:
        """Whether a source file is the user's own; what has no file (a notebook's cell, exec) is."""
        if not path or path.startswith('<'):
            return path is not None and not path.startswith('<frozen')
        found = self._known.get(path)
        if found is None:
            real = os.path.realpath(path)
            outside = any(f'/{name}/' in real for name in PACKAGES) or real.startswith((*self._python, self._awflow))
            found = self._known[path] = not outside and (real.startswith(self.root) or 'ipykernel' in path)
        return found

    def has_code(self, code: CodeType) -> bool:
        """Whether a function is the user's own."""
        return self.has_file(code.co_filename)

    def has_module(self, module: ModuleType) -> bool:
        """Whether a module is the user's own."""
        path = getattr(module, '__file__', None)
        return module.__name__ == '__main__' or (path is not None and self.has_file(path))

    def has_class(self, kind: type) -> bool:
        """Whether a class is the user's own: by its module, or by a method where the module is not here."""
        module = sys.modules.get(kind.__module__)
        if kind.__module__ in ('builtins', 'typing') or (module is None and _package(kind.__module__) in sys.stdlib_module_names):
            return False
        if module is not None and module.__name__ != '__main__':
            return self.has_module(module)
        codes = [getattr(item, '__code__', None) for item in vars(kind).values()]
        own = [code for code in codes if code is not None and not code.co_filename.startswith('<')]
        return all(map(self.has_code, own))


def _package(module: str) -> str:
    return module.partition('.')[0]


def package_of(value: object) -> str:
    """The installed package that a function, class or module belongs to; '' for Python's own."""
    name = getattr(value, '__module__', None) or getattr(value, '__name__', '') or ''
    if isinstance(value, ModuleType):
        name = value.__name__
    top = _package(str(name))
    return '' if top in sys.stdlib_module_names or top in ('builtins', '__main__', 'awflow', '') else top
