"""How functions travel to the processes that run them.

The problem. A task must run the code that was planned, in a process that never executes the user's script. So
functions and classes of the script travel by value, and so do the project's own modules, which may be edited while a
task waits in a queue.

What does not work. cloudpickle's own by-value modules: each function gets a private copy of the globals that it
names, so `util.init()` sets a flag that `util.flag` never shows; `pickle.dumps(util.Model())` in a task finds no such
class in `util`; and a result's class is another one in every run. Sending the sources: what the script set in its
modules would be lost.

What this does. A module travels once per payload, as a module: its whole namespace, with functions whose globals
*are* that namespace. The reader puts it into `sys.modules` before it rebuilds any job, and everything else refers to
it as to any imported module. One that cannot travel so (it holds an open file, say) is imported at the other end,
where an import hook compares its source with the planned one.

Some values that pickle refuses are harmless: a lock travels as a new lock, an `lru_cache` as an empty one, a
`singledispatch` function as its implementations.
"""

from __future__ import annotations

import _thread
import functools
import io
import pickle
import sys
import threading
import types

import cloudpickle

from awflow.backends.unpickling import cached_again, empty_generic, fill_generic, namespace, travelled_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

    Modules = Mapping[str, types.ModuleType]

VERSION: Final = cloudpickle.__version__  # decides who may read it
LOCK: Final = type(_thread.allocate_lock())
RLOCK: Final = type(threading.RLock())
CACHED: Final = type(functools.lru_cache(lambda: None))
OF_GENERIC: Final = frozenset({'register', 'dispatch', 'registry', '_clear_cache'})
REMADE: Final = frozenset({'__builtins__', '__cached__', '__loader__', '__spec__'})  # by the machinery at the other end


class Namespace:
    """Stands for a module's globals in a pickle."""

    __slots__ = ('name',)

    def __init__(self, name: str) -> None:
        self.name = name

    def __reduce__(self) -> tuple[object, ...]:
        return namespace, (self.name,)


def _reduce_generic(generic: Any) -> tuple[object, ...]:
    """A `singledispatch` function is made empty and filled later, for its implementations may call it."""
    named = {name: getattr(generic, name) for name in ('__module__', '__name__', '__qualname__', '__doc__')}
    attributes = {name: value for name, value in vars(generic).items() if name not in OF_GENERIC}
    return empty_generic, (), ({**named, **attributes}, dict(generic.registry)), None, None, fill_generic


def _reduce_stream(stream: io.TextIOWrapper) -> tuple[object, ...]:
    """The standard streams are the task's own; of any other file cloudpickle would send a copy of all that it holds."""
    for name in ('stdout', 'stderr'):
        if stream in (getattr(sys, name), getattr(sys, f'__{name}__')):
            return getattr, (sys, name)
    raise pickle.PicklingError('an open file')


def _loaded(module: types.ModuleType) -> bool:
    """Whether a module is the one that is imported by its name."""
    return sys.modules.get(module.__name__) is module


def _importable(wrapper: Any) -> bool:
    """Whether the reader finds the very object by its name; not so in the script, or in a module on its way."""
    place: Any = sys.modules.get(wrapper.__module__)
    travels = cloudpickle.list_registry_pickle_by_value()
    if wrapper.__module__ == '__main__' or wrapper.__module__ in travels:
        return False
    for name in wrapper.__qualname__.split('.'):
        place = getattr(place, name, None)
    return place is wrapper


def _reduce_code(code: types.CodeType) -> tuple[object, ...]:
    """With the file's name, which tracebacks show and fingerprints look into; some versions of cloudpickle blank it."""
    make, arguments = cloudpickle.Pickler.dispatch_table[types.CodeType](code)
    return make, tuple(code.co_filename if argument == '<dynamic-code>' else argument for argument in arguments)


class Transport(cloudpickle.Pickler):  # type: ignore[misc]
    """cloudpickle, for which the given modules are rebuilt at the other end."""

    dispatch_table = cloudpickle.Pickler.dispatch_table.new_child(
        {
            LOCK: lambda lock: (_thread.allocate_lock, ()),
            RLOCK: lambda lock: (threading.RLock, ()),
            io.TextIOWrapper: _reduce_stream,
            types.CodeType: _reduce_code,
        }
    )

    def __init__(self, file: io.BytesIO, modules: Modules) -> None:
        super().__init__(file, protocol=5)
        self._modules = modules
        self._namespaces = {id(vars(module)): name for name, module in modules.items()}

    def reducer_override(self, value: Any) -> Any:
        """A module as its name; a function of one with the module's own globals instead of a copy."""
        if isinstance(value, types.ModuleType) and self._modules.get(value.__name__) is value:
            return travelled_module, (value.__name__,)
        if isinstance(value, types.ModuleType) and type(value) is not types.ModuleType and _loaded(value):
            return cloudpickle.cloudpickle.subimport, (value.__name__,)  # of a subclass, as packages make that load late
        if type(value) is CACHED and not _importable(value):
            return cached_again, (value.__wrapped__, value.cache_parameters())
        if type(value) is types.FunctionType and vars(value).keys() >= OF_GENERIC and not _importable(value):
            return _reduce_generic(value)
        reduced = super().reducer_override(value)
        if isinstance(value, types.FunctionType) and isinstance(reduced, tuple):
            name = self._namespaces.get(id(value.__globals__))
            return reduced if name is None else _in_namespace(reduced, name)
        return reduced


def _in_namespace(reduced: tuple[Any, ...], name: str) -> tuple[Any, ...]:
    """The recipe of cloudpickle for a function, less its copy of the globals."""
    make, (code, _, *rest), (state, slots), *setters = reduced
    return make, (code, Namespace(name), *rest), (state, {**slots, '__globals__': {}}), *setters


def dumps(value: object, modules: Modules) -> bytes:
    """The pickle of anything that refers to the modules. Raises whatever the value's own reducers raise."""
    file = io.BytesIO()
    Transport(file, modules).dump(value)
    return file.getvalue()


class ByValue:
    """While it lasts, functions and classes of the modules are pickled by value, as those of the script are."""

    def __init__(self, modules: Modules) -> None:
        kept = cloudpickle.list_registry_pickle_by_value()
        self._mine = [module for name, module in modules.items() if name not in kept]

    def __enter__(self) -> None:
        for module in self._mine:
            cloudpickle.register_pickle_by_value(module)

    def __exit__(self, *_: object) -> None:
        for module in self._mine:
            cloudpickle.unregister_pickle_by_value(module)


def dump_modules(modules: Modules) -> tuple[bytes, Modules]:
    """One pickle of the namespaces of all modules that can travel, and which those are."""
    modules = {name: module for name, module in modules.items() if sys.modules.get(name) is module}
    while (carried := _attempt(modules)) is None:
        bad = {name for name, module in modules.items() if _attempt({name: module}) is None}
        modules = {name: module for name, module in modules.items() if bad and not _concerned(name, bad)}
    return carried, modules


def _attempt(modules: Modules) -> bytes | None:
    try:
        return _dump_all(modules)
    except Exception:  # noqa: BLE001  a reducer of the user's may raise anything
        return None


def _dump_all(modules: Modules) -> bytes:
    with ByValue(modules):
        states = {n: {k: v for k, v in vars(m).items() if k not in REMADE} for n, m in modules.items()}
        return dumps(states, modules) if states else b''


def _concerned(name: str, bad: set[str]) -> bool:
    """A package registered by value takes its modules along, so one that cannot travel keeps its parents too."""
    return any(other == name or other.startswith(name + '.') for other in bad)


def culprit(function: Any, modules: Modules, seen: set[int] | None = None) -> tuple[str, object] | None:
    """The variable that keeps a function from travelling, as it is written, with its value; None if it is not found."""
    seen = set() if seen is None else seen
    function = getattr(function, '__wrapped__', function)
    if not isinstance(function, types.FunctionType) or id(function) in seen:
        return None
    seen.add(id(function))
    for name, value in _reached(function):
        if _refused(value, modules):
            inner = culprit(value, modules, seen)
            return (f'{name}.{inner[0]}' if inner[0].isidentifier() else inner[0], inner[1]) if inner else (name, value)
    return None


def _refused(value: object, modules: Modules) -> bool:
    try:
        dumps(value, modules)
    except Exception:  # noqa: BLE001
        return True
    return False


def _reached(function: types.FunctionType) -> Iterator[tuple[str, object]]:
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        if cell != types.CellType():  # equal to an empty one: not bound yet
            yield name, cell.cell_contents
    for name in _names(function.__code__):
        if name in function.__globals__:
            yield name, function.__globals__[name]
    defaults = function.__defaults__ or ()
    positional = function.__code__.co_varnames[: function.__code__.co_argcount]
    yield from zip(positional[len(positional) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)
