"""What belongs to the project: whose code counts, and whose counts by name only."""

from __future__ import annotations

import os
import stat
import sys
from types import FunctionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType
    from typing import Final

LOCAL: Final = 'local'  # the user's own: followed
INSTALLED: Final = 'installed'  # somebody else's: its package counts by name
STANDARD: Final = 'standard'  # Python itself: not recorded


class Project:
    """Tells the user's code under `root` from installed packages and from Python's own library."""

    __slots__ = ('_files', '_modules', '_places', '_real', 'root')

    def __init__(self, root: str) -> None:
        self._real: dict[str, str] = {}
        self.root = self._folder(root)
        self._files: dict[str, str] = {}
        self._modules: dict[str, str] = {}
        self._places: tuple[str, tuple[str, ...]] | None = None

    def trust(self, function: FunctionType) -> None:
        """Count the file of a job's function as the user's own, even outside the root, if it is not installed."""
        filename = function.__code__.co_filename
        if self._owner(self._followed(filename)) is None:
            self._files[filename] = LOCAL

    def of_function(self, function: FunctionType) -> str:
        """Origin of a function, by the file of its code; by its module where the code has no file."""
        module = str(function.__globals__.get('__name__') or function.__module__ or '__main__')
        filename = function.__code__.co_filename
        if filename.startswith('<frozen'):
            return STANDARD
        if module == '__main__' or package_of(module) == 'awflow' or filename.startswith('<'):
            return self.of_module_name(module)
        return self.of_file(filename)

    def of_class(self, cls: type) -> str:
        """Origin of a class: of its module, or of its methods where that is not imported here."""
        name = module_of(cls)
        if name not in sys.modules:
            for member in vars(cls).values():
                if type(member) is FunctionType:
                    return self.of_function(member)
        return self.of_module_name(name)

    def of_module(self, module: ModuleType) -> str:
        """Origin of a module object, which need not be the one in sys.modules."""
        path = file_of(module)
        name = str(module.__dict__.get('__name__', ''))
        return self.of_file(path) if path and package_of(name) != 'awflow' else self.of_module_name(name)

    def of_module_name(self, name: str) -> str:
        """Origin of the module of that name, imported or not."""
        origin = self._modules.get(name)
        if origin is None:
            origin = self._modules[name] = self._named(name)
        return origin

    def _named(self, name: str) -> str:
        if name in ('__main__', '__mp_main__', ''):
            return LOCAL
        if package_of(name) == 'awflow':
            return INSTALLED  # also from a checkout inside the project
        module = sys.modules.get(name)
        path = file_of(module) if module is not None else None
        if path:
            return self.of_file(path)
        return STANDARD if package_of(name) in sys.stdlib_module_names else LOCAL

    def of_file(self, filename: str) -> str:
        """Origin of a source or extension file."""
        origin = self._files.get(filename)
        if origin is None:
            origin = self._files[filename] = self._located(self._followed(filename))
        return origin

    def _located(self, path: str) -> str:
        return self._owner(path) or (LOCAL if path.startswith(self.root) else INSTALLED)

    def _owner(self, path: str) -> str | None:
        """Whether a file belongs to Python or to an installed package; None if to neither, wherever the root is."""
        if '/site-packages/' in path or '/dist-packages/' in path:
            return INSTALLED
        if self._places is None:
            self._places = self._installations()
        standard, installed = self._places
        if path.startswith(standard):
            return STANDARD
        return INSTALLED if path.startswith(installed) else None

    def _installations(self) -> tuple[str, tuple[str, ...]]:
        """Folder of the standard library, and those below which nothing is the user's own."""
        prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
        installed = [self._folder(f'{prefix}/{part}') for prefix in prefixes for part in ('lib', 'lib64')]
        return self._folder(os.path.dirname(os.__file__)), tuple(installed)

    def _folder(self, path: str) -> str:
        return os.path.join(self._followed(path), '')

    def _followed(self, path: str) -> str:
        """A path without symbolic links, as `realpath` has it; the folders that paths share are looked at once."""
        known = self._real.get(path)
        if known is not None:
            return known
        above, _, name = path.rpartition('/')
        if above[:1] != '/' or name in ('', '.', '..'):
            real = os.path.realpath(path)
        else:
            real = os.path.join(self._followed(above), name)
            try:
                if stat.S_ISLNK(os.lstat(real).st_mode):
                    real = os.path.realpath(real)
            except (OSError, ValueError):  # not there
                pass
        self._real[path] = real
        return real


def file_of(module: ModuleType) -> str | None:
    """File of a module; of a package without `__init__.py`, its folder."""
    path = module.__dict__.get('__file__')
    if isinstance(path, str):
        return path
    for folder in module.__dict__.get('__path__') or ():
        return str(folder)
    return None


def module_of(value: object) -> str:
    """Name of the module where a class or function was defined; some extension types have no such string."""
    name = getattr(value, '__module__', None)
    return name if isinstance(name, str) else 'builtins'


def package_of(name: str) -> str:
    """Name by which an installed module counts."""
    return name.partition('.')[0]


def is_member(project: Project, value: object, module: str, name: str) -> bool:
    """Whether an imported module that is not the user's own holds this very object by that name."""
    found: object = sys.modules.get(module)
    if found is None or project.of_module_name(module) == LOCAL:
        return False
    for part in name.split('.'):
        found = getattr(found, '__dict__', {}).get(part)
    return found is value or (found is not None and type(found) is type(value) and found == value)
