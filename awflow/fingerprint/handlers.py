"""How values of Python's own types become bytes: containers, callables, paths, modules."""

from __future__ import annotations

import types
from functools import _lru_cache_wrapper, partial

from xxhash import xxh3_128_digest

from awflow.fingerprint.classes import ClassContents, contents
from awflow.fingerprint.project import INSTALLED, LOCAL, is_member, module_of, package_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any, Final

    from awflow.fingerprint.values import Handler, Hasher, Node


def _list(hasher: Hasher, value: list[object], node: Node) -> bytes:
    return b'list' + hasher.sequence(value, node)


def _tuple(hasher: Hasher, value: tuple[object, ...], node: Node) -> bytes:
    return b'tuple' + hasher.sequence(value, node)


def _dict(hasher: Hasher, value: Mapping[object, object], node: Node) -> bytes:
    return b'dict' + hasher.mapping(value.items(), node)


def _set(hasher: Hasher, value: set[object], node: Node) -> bytes:
    return b'set' + hasher.unordered(value, node)


def _frozenset(hasher: Hasher, value: frozenset[object], node: Node) -> bytes:
    return b'frozenset' + hasher.unordered(value, node)


def _view(hasher: Hasher, value: Iterable[object], node: Node) -> bytes:
    """What `dict.keys()` and its like show, in any order as the dict itself."""
    return type(value).__name__.encode() + hasher.unordered(value, node)


def _range(hasher: Hasher, value: range, node: Node) -> bytes:
    return b'range' + hasher.sequence([value.start, value.stop, value.step], node)


def _slice(hasher: Hasher, value: slice, node: Node) -> bytes:
    return b'slice' + hasher.sequence([value.start, value.stop, value.step], node)


def _buffer(hasher: Hasher, value: bytearray | memoryview, node: Node) -> bytes:
    node.size += len(bytes(value))
    return type(value).__name__.encode() + xxh3_128_digest(bytes(value))


def _partial(hasher: Hasher, value: Any, node: Node) -> bytes:
    parts = hasher.encode(value.func, node, '.func') + hasher.encode(value.args, node, '.args')
    return b'partial' + parts + hasher.encode(value.keywords, node, '.keywords')


def _cached(hasher: Hasher, value: Any, node: Node) -> bytes:
    """An lru_cache: what it computes, not what it holds."""
    return b'cached' + hasher.encode(value.__wrapped__, node, '.__wrapped__')


def _property(hasher: Hasher, value: property, node: Node) -> bytes:
    return b'property' + hasher.sequence([value.fget, value.fset, value.fdel], node)


def _static(hasher: Hasher, value: staticmethod[Any, Any] | classmethod[Any, Any, Any], node: Node) -> bytes:
    return type(value).__name__.encode() + hasher.encode(value.__func__, node)


def _cell(hasher: Hasher, value: types.CellType, node: Node) -> bytes:
    try:
        return b'cell' + hasher.encode(value.cell_contents, node)
    except ValueError:
        return b'cell'  # not bound yet


def _code(hasher: Hasher, value: types.CodeType, node: Node) -> bytes:
    from awflow.fingerprint.bytecode import code_digest

    return b'code' + code_digest(value).encode()


def _module(hasher: Hasher, value: types.ModuleType, node: Node) -> bytes:
    """A module that is passed around: all of it counts if it is the project's own."""
    origin = hasher.project.of_module(value)
    if origin == LOCAL:
        return b'module' + hasher.encode(value.__name__, node) + node.refer(value)
    if origin == INSTALLED:
        node.marks['package', package_of(value.__name__)] = None
    return b'module' + hasher.encode(value.__name__, node)


def _function(hasher: Hasher, value: types.FunctionType, node: Node) -> bytes:
    """A function's name and what it captured. Its code is handed up, or known by name if it is not the project's."""
    registry = getattr(value, 'registry', None)
    if type(registry) is types.MappingProxyType and hasattr(value, 'dispatch'):
        return b'singledispatch' + hasher.mapping(registry.items(), node)  # its closure is a cache
    origin = hasher.project.of_function(value)
    if origin == LOCAL:
        name = value.__qualname__ if '__wrapped__' not in value.__dict__ else value.__code__.co_name
        return b'function' + hasher.encode(name, node) + node.refer(value) + captured(hasher, value, node)
    label = known_by_name(hasher, value, module_of(value), value.__qualname__, node)
    if is_member(hasher.project, value, module_of(value), value.__qualname__):
        return label
    made_by = str(value.__globals__.get('__name__', ''))  # a decorator's wrapper carries the name of what it wraps
    return known_by_name(hasher, value, made_by, value.__code__.co_name, node) + captured(hasher, value, node)


def captured(hasher: Hasher, value: types.FunctionType, node: Node) -> bytes:
    """Defaults, closure and what `functools.wraps` points to."""
    parts = [hasher.encode(value.__defaults__, node, '.__defaults__')]
    parts.append(hasher.encode(value.__kwdefaults__, node, '.__kwdefaults__'))
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=True):
        parts.append(hasher.encode(cell, node, f'.<closure {name}>'))
    if '__wrapped__' in value.__dict__:
        parts.append(hasher.encode(value.__dict__['__wrapped__'], node, '.__wrapped__'))
    return b''.join(parts)


def _method(hasher: Hasher, value: types.MethodType, node: Node) -> bytes:
    owner = module_of(type(value.__self__))
    if is_member(hasher.project, value, owner, value.__name__):  # random.shuffle: a method of a hidden object of its module
        return known_by_name(hasher, value, owner, value.__name__, node)
    return b'method' + hasher.encode(value.__func__, node, '.__func__') + hasher.encode(value.__self__, node, '.__self__')


def _builtin(hasher: Hasher, value: types.BuiltinMethodType, node: Node) -> bytes:
    owner = value.__self__
    if owner is None or isinstance(owner, types.ModuleType):
        return known_by_name(hasher, value, module_of(value), value.__qualname__, node)
    module = module_of(type(owner))
    if is_member(hasher.project, value, module, value.__name__):
        return known_by_name(hasher, value, module, value.__name__, node)
    return b'bound' + hasher.encode(value.__name__, node) + hasher.encode(owner, node, '.__self__')


def _descriptor(hasher: Hasher, value: Any, node: Node) -> bytes:
    return b'descriptor' + hasher.encode(value.__name__, node) + hasher.encode(value.__objclass__, node)


def _wrapper(hasher: Hasher, value: Any, node: Node) -> bytes:
    return b'bound' + hasher.encode(value.__name__, node) + hasher.encode(value.__self__, node, '.__self__')


def of_class(hasher: Hasher, value: type, node: Node) -> bytes:
    """A class's name. The project's own is handed up; it is opened where it is a component."""
    origin = hasher.project.of_class(value)
    if origin == LOCAL:
        return b'class' + hasher.encode(value.__qualname__, node) + node.refer(value)
    return known_by_name(hasher, value, module_of(value), value.__qualname__, node)


def known_by_name(hasher: Hasher, value: object, module: str, name: str, node: Node) -> bytes:
    """Something that is not followed. Submodules do not count: packages move things around."""
    origin = hasher.project.of_module_name(module)
    top = '' if origin == LOCAL else package_of(module)
    if origin == INSTALLED:
        node.marks['package', top] = None
    return b'named' + hasher.encode(top, node) + hasher.encode(name, node)


def _ndarray(hasher: Hasher, value: Any, node: Node) -> bytes:
    node.marks['package', 'numpy'] = None
    head = b'ndarray' + hasher.encode(repr(value.dtype.descr if value.dtype.names else value.dtype.str), node)
    head += hasher.encode(value.shape, node)
    if value.dtype.hasobject:
        return head + hasher.sequence(value.ravel().tolist(), node)
    node.size += value.nbytes
    flat = value if value.flags.c_contiguous else value.copy(order='C')
    return head + xxh3_128_digest(flat.reshape(-1).view('u1') if value.nbytes else b'')


def array_handler(cls: type) -> Handler | None:
    """The handler of numpy's arrays and scalars, recognised without importing numpy."""
    if module_of(cls) != 'numpy':
        return None
    if cls.__name__ == 'ndarray':
        return _ndarray
    return _numpy_scalar if hasattr(cls, 'dtype') and hasattr(cls, 'tobytes') else None


def _numpy_scalar(hasher: Hasher, value: Any, node: Node) -> bytes:
    node.marks['package', 'numpy'] = None
    return b'npscalar' + hasher.encode(value.dtype.str, node) + hasher.encode(value.tobytes(), node)


HANDLERS: Final[dict[type, Handler]] = {
    list: _list,
    tuple: _tuple,
    dict: _dict,
    types.MappingProxyType: _dict,
    set: _set,
    frozenset: _frozenset,
    type({}.keys()): _view,
    type({}.values()): _view,
    type({}.items()): _view,
    range: _range,
    slice: _slice,
    bytearray: _buffer,
    memoryview: _buffer,
    partial: _partial,
    _lru_cache_wrapper: _cached,
    property: _property,
    staticmethod: _static,
    classmethod: _static,
    types.CellType: _cell,
    types.CodeType: _code,
    types.ModuleType: _module,
    types.FunctionType: _function,
    types.MethodType: _method,
    types.BuiltinFunctionType: _builtin,
    types.MethodDescriptorType: _descriptor,
    types.WrapperDescriptorType: _descriptor,
    types.ClassMethodDescriptorType: _descriptor,
    types.GetSetDescriptorType: _descriptor,
    types.MemberDescriptorType: _descriptor,
    types.MethodWrapperType: _wrapper,
    type: of_class,
    ClassContents: contents,
}
