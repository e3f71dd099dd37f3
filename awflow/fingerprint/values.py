"""Digests of values that are the same in every process, and differ where the values do.

The problem. A global, a closure or a default is part of what a task depends on, so equal values must have equal digests
whatever the hash seed, the directory, the Python version and the order in which a dict was filled; and 1, 1.0 and True must
not be taken for one another.

What does not work. Pickle bytes: sets come in the order of the hash seed, interned strings are shared or not, functions carry
line numbers and directories. `repr`: addresses, elided arrays. `hash`: seeded.

What this does. Every value becomes tagged, length-prefixed bytes; a container becomes the digest of those of its elements,
sorted where order means nothing. Anything unknown is taken apart by its own `__reduce_ex__(4)`, which is what pickle would do,
and what comes out is digested in the same way. Three things need care:

* *Code inside values.* A list of functions must notice edits of the functions, but code is compared in two ways at once (by
  syntax tree and by bytecode), which one digest cannot. So a value's digest holds the function's name and what it captured,
  and the function itself is handed up in `refs`, for the caller to follow as a component of its own. Which ref stands where
  is digested as a number: the position of its first appearance.
* *Cycles.* A value that is met again while it is open becomes "so many levels up". Such an inner digest means something only
  below that ancestor, and that of the ancestor means something else when the ring is entered elsewhere. So what is on a ring
  is not remembered; otherwise digests would depend on which job was fingerprinted first.
* *Ties in sets.* Two lambdas of one set have equal bytes so far, and the set's order is arbitrary: their bytecode decides.
"""

from __future__ import annotations

import struct
import sys
from types import FunctionType

from xxhash import xxh3_128_digest, xxh3_128_hexdigest

from awflow.errors import FingerprintError
from awflow.fingerprint.project import module_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final

    from awflow.fingerprint.project import Project

    Handler = Callable[['Hasher', Any, 'Node'], bytes]
    Element = tuple[tuple[bytes, bytes], 'Node | bytes', tuple[object, object] | None]  # sort key, digested, dict item

DEEPEST: Final = 1000  # levels of nesting, each of six Python frames
ROOMY: Final = 50  # levels for which Python's usual limit of frames is enough
FRAMES: Final = 10_000
NEVER: Final = 1 << 30
INLINE: Final = 1024  # bytes; longer strings count by digest
LONG: Final = b'SBI'  # tags of what counts by digest
BIG: Final = 10_000_000  # bytes from which on a value is noted
SLOW: Final = 0.05  # seconds of digesting from which on it is
PACKED: Final = 16  # elements; longer sequences of one scalar type are packed


def scalar(value: object) -> bytes | None:
    """The bytes of a value that holds no others, None for all other values."""
    encoder = SCALARS.get(type(value))
    return None if encoder is None else encoder(value)


def is_big(value: Any) -> bool:
    """Whether it is a text that is noted for its size."""
    return type(value) in (str, bytes) and len(value) > BIG


def _text(value: str) -> bytes:
    return _sized(b's', value.encode('utf-8', 'surrogatepass'))


def _sized(tag: bytes, data: bytes) -> bytes:
    if len(data) > INLINE:
        return tag.upper() + xxh3_128_digest(data)
    return tag + len(data).to_bytes(2, 'little') + data


def _integer(value: int) -> bytes:
    return _sized(b'i', value.to_bytes(value.bit_length() // 8 + 1, 'little', signed=True))


def _float(value: float) -> bytes:
    return b'fnan-----' if value != value else b'f' + struct.pack('<d', value)  # NaN alone differs from itself


SCALARS: Final[dict[type, Callable[[Any], bytes]]] = {
    type(None): lambda value: b'N',
    bool: lambda value: b'T' if value else b'F',
    int: _integer,
    float: _float,
    complex: lambda value: b'c' + _float(value.real) + _float(value.imag),
    str: _text,
    bytes: lambda value: _sized(b'b', value),
    type(...): lambda value: b'E',
    type(NotImplemented): lambda value: b'n',
}


class Node:
    """Digest of one value that is not scalar, with the code and the oddities found inside."""

    __slots__ = ('code', 'leaf', 'low', 'marks', 'refs', 'size')

    def __init__(self) -> None:
        self.code = b''
        self.refs: dict[object, tuple[int, object]] = {}  # key -> number, and the function, class, module or job
        self.marks: dict[tuple[str, str], None] = {}  # ('opaque' | 'rng' | 'package', name)
        self.size = 0  # bytes that were digested
        self.low = NEVER  # depth of the outermost open value that this one leads back to
        self.leaf = True

    @property
    def hex(self) -> str:
        """The digest as 32 hexadecimal digits, blind to the code of refs."""
        return xxh3_128_hexdigest(self.code)

    def refer(self, ref: object) -> bytes:
        """Hand up a piece of code; what stands for it here is its number."""
        return self._number(ref_key(ref), ref)

    def adopt(self, child: Node) -> bytes:
        """Bytes that stand for a child, whose refs and marks become this node's too."""
        self.leaf = False
        self.low = min(self.low, child.low)
        self.size += child.size
        if child.marks:
            self.marks.update(child.marks)
        if not child.refs:
            return child.code
        return b'r' + child.code + b''.join([self._number(key, ref) for key, (_, ref) in child.refs.items()]) + b';'

    def _number(self, key: object, ref: object) -> bytes:
        return b'%d,' % self.refs.setdefault(key, (len(self.refs), ref))[0]


def ref_key(ref: object) -> object:
    """What makes two refs one: functions of one definition share their code and are told apart by what they captured."""
    return (id(ref.__code__), id(ref.__globals__)) if type(ref) is FunctionType else id(ref)


class Hasher:
    """Digests values, remembering them for as long as it lives: they must not change meanwhile."""

    __slots__ = ('_handlers', '_memo', '_open', '_path', 'is_job', 'project')

    def __init__(self, project: Project, is_job: Callable[[object], bool]) -> None:
        self.project = project
        self.is_job = is_job
        self._memo: dict[int, tuple[object, Node]] = {}  # with the value, lest its id be given to another
        self._open: dict[int, int] = {}
        self._path: list[object] = []  # attribute names, or indices and keys as 1-tuples
        self._handlers: dict[type, Handler] | None = None

    @property
    def handlers(self) -> dict[type, Handler]:
        """How values of Python's own types become bytes; loaded for the first that holds others."""
        if self._handlers is None:
            from awflow.fingerprint.handlers import HANDLERS

            self._handlers = HANDLERS
        return self._handlers

    def node(self, value: object) -> Node:
        """The digest of any value; raises FingerprintError where there is none."""
        plain = scalar(value)
        if plain is not None:
            node = Node()
            node.code = plain
            node.size = sys.getsizeof(value)
            return node
        known = self._memo.get(id(value))
        if known is not None:
            return known[1]
        return self._back(value) if id(value) in self._open else self._enter(value)

    def _back(self, value: object) -> Node:
        node = Node()
        node.low = self._open[id(value)]
        node.code = b'^%d.' % (len(self._open) - node.low)
        return node

    def _enter(self, value: object) -> Node:
        depth = len(self._open)
        if depth >= DEEPEST:
            raise self.refused(value, f'nested more than {DEEPEST} levels deep')
        node = Node()
        self._open[id(value)] = depth
        try:
            data = self._taken_apart(value, node) if depth != ROOMY else self._with_room(value, node)
        finally:
            del self._open[id(value)]
        node.code = b'd' + xxh3_128_digest(data)
        node.size += len(data)
        if node.low == NEVER and (not node.leaf or node.refs or node.size > INLINE):
            self._memo[id(value)] = (value, node)
        if node.low >= depth:
            node.low = NEVER
        return node

    def _taken_apart(self, value: object, node: Node) -> bytes:
        return self._handler(value)(self, value, node)

    def _with_room(self, value: object, node: Node) -> bytes:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, FRAMES))
        try:
            return self._taken_apart(value, node)
        finally:
            sys.setrecursionlimit(limit)

    def _handler(self, value: object) -> Handler:
        handler = self.handlers.get(type(value))
        if handler is None:
            from awflow.fingerprint.objects import handler_of

            return handler_of(self, value)
        return handler

    def encode(self, value: object, node: Node, where: object = '') -> bytes:
        """Bytes that stand for `value` inside `node`; `where` is how its owner would spell it, for errors."""
        encoder = SCALARS.get(type(value))
        if encoder is not None:
            data = encoder(value)
            if data[0] in LONG:
                node.size += sys.getsizeof(value)
            return data
        self._path.append(where)
        child = self.node(value)
        self._path.pop()
        return node.adopt(child)

    def sequence(self, values: Iterable[object], node: Node) -> bytes:
        """Elements in their order."""
        elements = values if isinstance(values, (list, tuple)) else list(values)
        kinds = set(map(type, elements)) if len(elements) > PACKED else ()
        data = _packed(elements, next(iter(kinds))) if len(kinds) == 1 else None
        if data is None:
            data = b''.join([self.encode(element, node, (i,)) for i, element in enumerate(elements)])
        return b'%d:' % len(elements) + data

    def unordered(self, values: Iterable[object], node: Node) -> bytes:
        """Elements in the order of their own bytes."""
        return self._sorted([(*self._apart(value), None) for value in values], node)

    def mapping(self, items: Iterable[tuple[object, object]], node: Node) -> bytes:
        """Pairs in the order of their keys' bytes."""
        return self._sorted([(*self._apart(key), (key, value)) for key, value in items], node)

    def _apart(self, value: object) -> tuple[tuple[bytes, bytes], Node | bytes]:
        """What to sort an element by, and the element digested by itself."""
        plain = scalar(value)
        if plain is not None:
            return (plain, b''), plain
        child = self.node(value)
        return (child.code, b''.join([_content(ref) for _, ref in child.refs.values()])), child

    def _sorted(self, elements: list[Element], node: Node) -> bytes:
        elements.sort(key=_sort_key)
        parts = [b'%d:' % len(elements)]
        for _, child, item in elements:
            parts.append(child if isinstance(child, bytes) else node.adopt(child))
            if item is not None:
                parts.append(self.encode(item[1], node, (item[0],)))
        return b''.join(parts)

    def refused(self, value: object, why: str) -> FingerprintError:
        """The error for a value that has no digest, saying where it is."""
        cls = type(value)
        place = ''.join([f'[{step[0]!r:.40}]' if isinstance(step, tuple) else str(step) for step in self._path])
        self._path.clear()
        return FingerprintError(
            'a value of type {type} cannot be fingerprinted: {why}',
            "Drop it with @job(ignore=['{_name}']), create it inside the function, or give {type} a method "
            '__awflow_fingerprint__ that returns what identifies it.',
            type=f'{module_of(cls)}.{cls.__qualname__}', why=why, place=place or 'the value itself',
            _name=place.split('[')[0].split('.')[0] or 'name',
        )  # fmt: skip

    def named(self, name: str) -> Hasher:
        """Start a path for errors at `name`."""
        self._path[:] = [name]
        self._open.clear()
        return self


def _sort_key(element: Element) -> tuple[bytes, bytes]:
    return element[0]


def _content(ref: object) -> bytes:
    if type(ref) is not FunctionType:
        return b''
    from awflow.fingerprint.bytecode import code_digest

    return code_digest(ref.__code__).encode()


def _packed(elements: list[Any] | tuple[Any, ...], kind: type) -> bytes | None:
    if kind is float:
        return b'F' + struct.pack(f'<{len(elements)}d', *elements)
    if kind is int:
        try:
            return b'I' + struct.pack(f'<{len(elements)}q', *elements)
        except struct.error:
            return None
    if kind is str:
        lengths = struct.pack(f'<{len(elements)}q', *map(len, elements))
        return b'S' + lengths + ''.join(elements).encode('utf-8', 'surrogatepass')
    return None
