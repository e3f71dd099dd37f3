"""How functions arrive in the processes that run them: the reading side of pickling.py, without cloudpickle.

A task needs of cloudpickle the handful of functions by which it puts functions together again, and would wait longer
for its import (`logging`, `typing`, `dataclasses`, `inspect`) than for the start of Python. So those are here, in our own
words, the same for versions 3.0 and 3.1; what another version wrote is left to that. Whatever else a pickle asks for
(classes of the script, say, of which cloudpickle keeps a register) is taken from cloudpickle itself.

Functions that shared their globals share them again: the pickle holds that dictionary once, and what is filled in later
goes into the same one.
"""

from __future__ import annotations

import builtins
import io
import sys
import types

try:
    from _pickle import Unpickler  # `pickle` itself would load twice as much
except ImportError:
    from pickle import Unpickler

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final


COMPARED: Final = ('3.0.', '3.1.')  # versions of cloudpickle whose functions those below have been compared with


def reader_of(version: str) -> Callable[[bytes], Any]:
    """What reads the pickles of a version of cloudpickle."""
    if version.startswith(COMPARED):
        return loads
    from pickle import loads as plain

    return plain


def loads(data: bytes) -> Any:
    """The value of a pickle that `pickling.dumps` or cloudpickle made. Raises whatever its parts raise."""
    return Arrival(io.BytesIO(data)).load()


class Arrival(Unpickler):
    """The unpickler of what travelled."""

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle calls by that name."""
        if module == 'cloudpickle.cloudpickle' and name in REBUILDERS:
            return REBUILDERS[name]
        return super().find_class(module, name)


# -- of cloudpickle ----------------------------------------------------------------------------------------------------


def _function(
    code: types.CodeType, names: dict[str, Any], name: str | None, defaults: Any, closure: Any
) -> types.FunctionType:  # fmt: skip
    names['__builtins__'] = vars(builtins)
    return types.FunctionType(code, names, name, defaults, closure)


def _fill_function(function: types.FunctionType, state: tuple[dict[str, Any], dict[str, Any]]) -> None:
    """A function is made empty and filled later, for what it refers to may refer to it."""
    attributes, slots = state
    vars(function).update(attributes)
    named, cells = slots.pop('__globals__'), slots.pop('__closure__')
    slots.pop('_cloudpickle_submodules')  # they were only to be imported
    function.__globals__.update(named)
    function.__globals__['__builtins__'] = vars(builtins)
    for own, cell in zip(function.__closure__ or (), cells or ()):  # noqa: B905  as long as each other where both are
        if cell != types.CellType():  # equal to an empty one: not bound yet
            own.cell_contents = cell.cell_contents
    for slot, value in slots.items():
        setattr(function, slot, value)


def _module(name: str) -> types.ModuleType:
    __import__(name)
    return sys.modules[name]


def _named_type(name: str) -> Any:
    return getattr(types, name)


REBUILDERS: Final[dict[str, Callable[..., Any]]] = {
    '_builtin_type': _named_type,
    '_function_setstate': _fill_function,
    '_make_cell': types.CellType,
    '_make_empty_cell': types.CellType,
    '_make_function': _function,
    'subimport': _module,
}


# -- of our own --------------------------------------------------------------------------------------------------------


def travelled_module(name: str) -> types.ModuleType:
    """The module of that name at the reader's end: it travelled, or it is imported there."""
    return sys.modules[name] if name in sys.modules else _module(name)


def namespace(name: str) -> dict[str, Any]:
    """The globals of a module at the reader's end."""
    return vars(travelled_module(name))


def cached_again(function: Callable[..., Any], parameters: dict[str, Any]) -> object:
    """An empty `lru_cache` around a function."""
    from functools import lru_cache

    return lru_cache(**parameters)(function)


def empty_generic(*_: Any) -> Any:
    """A `singledispatch` function to be filled."""
    from functools import singledispatch

    return singledispatch(empty_generic)


def fill_generic(generic: Any, state: tuple[dict[str, Any], dict[type, Any]]) -> None:
    """Give a `singledispatch` function its attributes and implementations."""
    attributes, implementations = state
    for name, value in attributes.items():
        setattr(generic, name, value)
    for cls, function in implementations.items():
        generic.register(cls, function)
