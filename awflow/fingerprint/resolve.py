"""From the names in a function's code to the things they stand for in its module."""

from __future__ import annotations

import builtins
import sys
from types import FunctionType, ModuleType

from awflow.fingerprint.project import INSTALLED, LOCAL, STANDARD, is_member, module_of, package_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

    from awflow.fingerprint.chains import Names
    from awflow.fingerprint.values import Hasher

# What the import system writes into a module: paths and names that change with the directory or with how a script is started.
IMPLICIT: Final = frozenset({
    '__annotations__', '__builtins__', '__cached__', '__conditional_annotations__', '__doc__', '__file__', '__loader__',
    '__name__', '__package__', '__path__', '__spec__', '__class__',
})  # fmt: skip
DYNAMIC: Final = frozenset({
    'builtins.eval', 'builtins.exec', 'builtins.__import__', 'builtins.globals', 'importlib.import_module',
    'importlib.__import__', 'importlib.util.module_from_spec', 'runpy.run_module', 'runpy.run_path',
})  # fmt: skip
CAPTURED: Final = ''  # in place of a module's name: the thing is in a closure or a default
READS_OF_JOB: Final = frozenset({'result', 'results', 'name'})  # what it made and what it is called, not what it does


class Use:
    """One thing that a function's code uses.

    `kind` is 'function', 'class', 'value', 'module', 'package', 'job', 'unbound', 'assigned' or 'dynamic'; `module` and `name`
    say where it is, `spelling` how the code says it.
    """

    __slots__ = ('kind', 'module', 'name', 'otherwise', 'spelling', 'target')

    def __init__(self, kind: str, module: str, name: str, spelling: str, target: Any, otherwise: bool = True) -> None:
        self.kind = kind
        self.module = module
        self.name = name
        self.spelling = spelling
        self.target = target
        self.otherwise = otherwise  # of a job: used for more than its results


class Resolver:
    """Follows chains of names, noting the project's modules that they lead through."""

    __slots__ = ('hasher',)

    def __init__(self, hasher: Hasher) -> None:
        self.hasher = hasher

    def of_globals(self, names: Names, scope: Mapping[str, Any]) -> Iterator[Use]:
        """What the global names of a function's code stand for."""
        module = str(scope.get('__name__') or '__main__')
        for chain in names.loaded:
            root, spelling = chain[0], '.'.join(chain)
            if root in IMPLICIT:
                continue
            if root in names.assigned or _is_written(chain, names):
                yield Use('assigned', module, root if root in names.assigned else spelling, spelling, None)
            elif root in scope:
                yield from self.follow(scope[root], module, chain)
            elif hasattr(builtins, root):
                if f'builtins.{root}' in DYNAMIC:
                    yield Use('dynamic', module, root, root, None)
            elif root not in names.optional:
                yield Use('unbound', module, root, spelling, None)
        for root in sorted(names.assigned - {chain[0] for chain in names.loaded}):
            yield Use('assigned', module, root, root, None)

    def follow(self, value: Any, module: str, chain: tuple[str, ...]) -> Iterator[Use]:
        """What is reached from a value by the attributes after the chain's first name, through modules of the project."""
        spelling, name, step = '.'.join(chain), chain[0], 0
        while isinstance(value, ModuleType) and self.hasher.project.of_module(value) == LOCAL and step + 1 < len(chain):
            yield Use('through', value.__name__, '', spelling, value)
            step += 1
            inside, module, name = vars(value), value.__name__, chain[step]
            submodule = sys.modules.get(f'{module}.{name}')
            if name in IMPLICIT:
                return
            if name == '__dict__':  # any of its names
                yield Use('module', module, '', spelling, value)
                return
            if name not in inside and submodule is None:
                if '__getattr__' not in inside:
                    yield Use('unbound', module, name, spelling, value)
                    return
                name = '__getattr__'
            value = inside.get(name, submodule)
        yield from self._classify(value, module, name, chain[step + 1 :], spelling)

    def _classify(self, value: Any, module: str, name: str, attributes: tuple[str, ...], spelling: str) -> Iterator[Use]:
        if self.hasher.is_job(value):
            plain = bool(attributes) and attributes[0] in READS_OF_JOB
            yield Use('job', module, name, spelling.removesuffix('.' + '.'.join(attributes)), value, not plain)
        elif isinstance(value, ModuleType):
            yield from self._module(value, module, name, attributes, spelling)
        elif isinstance(value, type):
            yield from self._named(value, 'class', self.hasher.project.of_class(value), module, name, spelling)
        elif type(value) is FunctionType:
            origin = self.hasher.project.of_function(value)
            yield from self._named(value, 'function', origin, module, name, spelling)
            if attributes and attributes[0] != '__wrapped__' and attributes[0] in value.__dict__:
                yield Use('value', module, f'{name}.{attributes[0]}', spelling, value.__dict__[attributes[0]])
        elif self._is_known(value):
            origin = self.hasher.project.of_module_name(module_of(value))
            yield from self._named(value, 'value', origin, module, name, spelling)
        else:
            yield Use('value', module, name, spelling, value)

    def _is_known(self, value: Any) -> bool:
        """Whether a package or Python itself offers this very object: a compiled function, a ufunc."""
        own_name = getattr(value, '__qualname__', None)
        return isinstance(own_name, str) and is_member(self.hasher.project, value, module_of(value), own_name)

    def _module(self, value: ModuleType, module: str, name: str, attributes: tuple[str, ...], spelling: str) -> Iterator[Use]:
        origin = self.hasher.project.of_module(value)
        full = value.__name__
        if origin == LOCAL:
            yield Use('module', module, name, spelling, value)
            return
        if any('.'.join([full, *attributes[:i]]) in DYNAMIC for i in range(1, len(attributes) + 1)):
            yield Use('dynamic', module, '.'.join([name, *attributes]), spelling, None)
        if origin == INSTALLED:
            yield Use('package', module, package_of(full), spelling, None)
        if full.rpartition('.')[2] != name and (origin == STANDARD or '.' in full):  # `import scipy.special as functions`
            yield Use('value', module, name, spelling, value)

    def _named(self, value: Any, kind: str, origin: str, module: str, name: str, spelling: str) -> Iterator[Use]:
        """A function or class, by its contents if it is the user's own, by name if a package vouches for it."""
        home, own_name = module_of(value), value.__qualname__
        if origin == LOCAL:
            yield Use(kind, module, name, spelling, value)
        elif kind == 'function' and not is_member(self.hasher.project, value, home, own_name):
            # a package's decorator made it
            yield Use('value', module, name, spelling, value)
        else:
            if f'{home}.{own_name}' in DYNAMIC:
                yield Use('dynamic', module, name, spelling, None)
            if origin == INSTALLED:
                yield Use('package', module, package_of(home), spelling, None)
            if own_name.rpartition('.')[2] != name:
                yield Use('value', module, name, spelling, value)


def _is_written(chain: tuple[str, ...], names: Names) -> bool:
    return bool(names.written) and any(chain[:i] in names.written for i in range(2, len(chain) + 1))


def label_of(function: FunctionType) -> tuple[str, str]:
    """Module and name of a function as the user would say it; a decorator's wrapper says whose it is."""
    module = str(function.__globals__.get('__name__') or function.__module__ or '__main__')
    name = short(function.__qualname__)
    if '__wrapped__' in function.__dict__ and function.__code__.co_name != function.__name__:
        name = f'{function.__code__.co_name} of {name}'
    return module, name


def is_nameless(function: FunctionType) -> bool:
    """Whether a function's own name says nothing: a lambda's, or that of a `def _` that a decorator put somewhere."""
    return function.__name__ in ('<lambda>', '_')


def short(qualname: str) -> str:
    """A qualified name without the functions around it."""
    return qualname.rpartition('<locals>.')[2]


def loaded_module(name: object) -> ModuleType | None:
    """The imported module of that name."""
    module = sys.modules.get(name) if isinstance(name, str) else None
    return module if isinstance(module, ModuleType) else None
