"""How instances become bytes: by what pickle would take out of them."""

from __future__ import annotations

import copyreg
import os
import types

from awflow.fingerprint.handlers import array_handler, known_by_name, of_class
from awflow.fingerprint.project import LOCAL, module_of, package_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from awflow.fingerprint.values import Handler, Hasher, Node

# Things of the running process. They say nothing about what is computed, so their type is all that counts.
OPAQUE: Final = frozenset({
    '_io._IOBase', 'tempfile._TemporaryFileWrapper', 'tempfile.TemporaryDirectory', 'mmap.mmap', 'os.DirEntry',
    'logging.Logger', 'logging.LoggerAdapter', 'logging.Handler',
    '_thread.lock', '_thread.RLock', '_thread._local', 'threading._RLock', 'threading.Thread', 'threading.Event',
    'threading.Condition', 'threading.Semaphore', 'threading.Barrier', 'multiprocessing.SemLock', 'multiprocessing.Pool',
    'multiprocessing.BaseProcess', 'concurrent.Executor', 'concurrent.Future', '_asyncio.Future', 'subprocess.Popen',
    'socket.socket', '_socket.socket', 'ssl.SSLContext', 'select.epoll', 'sqlite3.Connection',
    'builtins.generator', 'builtins.coroutine', 'builtins.async_generator', 'builtins.frame', 'builtins.traceback',
    'builtins.weakref', 'weakref.ReferenceType', '_weakref.ReferenceType', 'weakref.WeakKeyDictionary',
    'weakref.WeakValueDictionary', 'weakref.WeakSet', '_weakrefset.WeakSet',
    'os._Environ',  # the environment does not count where it is spelled `os.environ` either
    'random.SystemRandom', 'builtins.ContextVar', '_contextvars.ContextVar', 'builtins.Context', '_contextvars.Context',
})  # fmt: skip

GENERATORS: Final = frozenset(
    {'random.Random', 'numpy.Generator', 'numpy.RandomState', 'numpy.BitGenerator', 'numpy.SeedSequence'}
)


def handler_of(hasher: Hasher, value: Any) -> Handler:
    """The handler of a value whose type is not one of Python's own."""
    cls = type(value)
    if hasher.is_job(value):
        return _job
    if isinstance(value, type):
        return of_class
    if hasattr(cls, '__awflow_fingerprint__'):
        return _hooked
    if hasattr(cls, '_member_map_'):
        return _enum_member
    array = array_handler(cls)
    if array is not None:
        return array
    names = {_global_name(kind) for kind in cls.__mro__}
    if isinstance(value, types.ModuleType):
        return hasher.handlers[types.ModuleType]
    if not names.isdisjoint(OPAQUE) and cls.__name__ not in ('StringIO', 'BytesIO'):
        return _opaque
    if not names.isdisjoint(GENERATORS):
        return _random
    return _named_handler(cls, value)


def _named_handler(cls: type, value: Any) -> Handler:
    name = _global_name(cls)
    if name == 'functools.cached_property':
        return _cached_property
    if module_of(cls).startswith('pathlib') and isinstance(value, os.PathLike):
        return _path
    if name == 'collections.OrderedDict':
        return _ordered
    return _wrapper if callable(value) and _wrapped(value) is not None else reduced


def _global_name(cls: type) -> str:
    return f'{package_of(module_of(cls))}.{cls.__qualname__.rpartition(".")[2]}'


def _type(hasher: Hasher, cls: type, node: Node) -> bytes:
    return hasher.encode(cls, node, '.__class__')


def _job(hasher: Hasher, value: Any, node: Node) -> bytes:
    return b'job' + hasher.encode(str(value.name), node) + node.refer(value)


def _hooked(hasher: Hasher, value: Any, node: Node) -> bytes:
    said = value.__awflow_fingerprint__()
    return b'hook' + _type(hasher, type(value), node) + hasher.encode(said, node, '.__awflow_fingerprint__()')


def _enum_member(hasher: Hasher, value: Any, node: Node) -> bytes:
    return b'enum' + _type(hasher, type(value), node) + hasher.encode(value._value_, node, '._value_')


def _opaque(hasher: Hasher, value: object, node: Node) -> bytes:
    cls = type(value)
    node.marks['opaque', f'{module_of(cls)}.{cls.__qualname__}'] = None
    return b'opaque' + known_by_name(hasher, cls, module_of(cls), cls.__qualname__, node)


def _random(hasher: Hasher, value: Any, node: Node) -> bytes:
    """A random generator counts with its state."""
    from awflow.fingerprint.seeds import is_seeded

    if not is_seeded(value, hasher.project):
        node.marks['rng', type(value).__qualname__] = None
    return reduced(hasher, value, node)


def _path(hasher: Hasher, value: os.PathLike[str], node: Node) -> bytes:
    return b'path' + hasher.encode(os.fspath(value), node)


def _cached_property(hasher: Hasher, value: Any, node: Node) -> bytes:
    return b'cached_property' + hasher.encode(value.func, node)


def _ordered(hasher: Hasher, value: Any, node: Node) -> bytes:
    return b'ordered' + hasher.sequence([list(pair) for pair in value.items()], node)


def _wrapped(value: object) -> object:
    """What a compiled function was compiled from (numba, jax) or a decorator's object wraps."""
    state = getattr(value, '__dict__', {})
    return state.get('__wrapped__') or state.get('py_func') or (
        getattr(value, '__wrapped__', None) if not hasattr(type(value), '__getattr__') else None
    )  # fmt: skip


def _wrapper(hasher: Hasher, value: object, node: Node) -> bytes:
    wrapped = b'wrapper' + hasher.encode(_wrapped(value), node, '.__wrapped__')
    if hasher.project.of_class(type(value)) == LOCAL:
        return wrapped + reduced(hasher, value, node)
    return wrapped + _type(hasher, type(value), node)


def reduced(hasher: Hasher, value: object, node: Node) -> bytes:
    """What pickle would take out of the value."""
    try:
        reducer = copyreg.dispatch_table.get(type(value))
        taken: Any = reducer(value) if reducer is not None else value.__reduce_ex__(4)
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001 (a user's __reduce__ may raise anything)
        raise hasher.refused(value, str(error) or repr(error)) from None
    if isinstance(taken, str):
        home = module_of(type(value))
        named = known_by_name(hasher, value, home, taken, node)
        return named if home == 'typing' else b'global' + named  # typing.Any became a class in Python 3.11
    function, arguments, state, elements, items = (*taken, None, None, None)[:5]
    parts = [b'object', _type(hasher, type(value), node), hasher.encode(function, node)]
    parts.append(hasher.encode(arguments, node))
    parts.append(_state(hasher, type(value), state, node))
    parts.append(hasher.sequence(elements, node) if elements is not None else b'-')
    parts.append(hasher.mapping(items, node) if items is not None else b'-')
    return b''.join(parts)


def _state(hasher: Hasher, cls: type, state: Any, node: Node) -> bytes:
    """Attributes without those that only remember what a cached_property computed."""
    if isinstance(state, tuple) and len(state) == 2 and all(isinstance(half, (dict, type(None))) for half in state):
        return b'slots' + b''.join(_state(hasher, cls, half, node) for half in state)
    if type(state) is not dict:
        return hasher.encode(state, node)
    kept: Iterable[str] = sorted(state, key=str)
    parts = [b'state']
    for name in kept:
        if not _is_cached_property(cls, name):
            parts += [hasher.encode(name, node), hasher.encode(state[name], node, f'.{name}')]
    return b''.join(parts)


def _is_cached_property(cls: type, name: str) -> bool:
    for kind in cls.__mro__:
        if name in kind.__dict__:
            return type(kind.__dict__[name]).__name__ == 'cached_property'
    return False
