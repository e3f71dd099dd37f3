"""What a code object says without its source: a digest of its instructions, and the names it loads."""

from __future__ import annotations

import sys
from types import CodeType

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

TAG = f'{sys.version_info[0]}{sys.version_info[1]}'


def digest(code: CodeType) -> str:
    """The digest of the instructions, valid for one minor version of Python; names of files and line numbers do not count."""
    return str(xxh3_128_hexdigest(_plain(code)))


def _plain(code: CodeType) -> bytes:
    head = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags, code.co_names, code.co_varnames,
            code.co_freevars, code.co_cellvars)  # fmt: skip
    parts = [repr(head).encode(), code.co_code, getattr(code, 'co_exceptiontable', b'')]
    parts += [_constant(constant) for constant in code.co_consts]
    return b''.join(b'%d:' % len(part) + part for part in parts)


def _constant(constant: object) -> bytes:
    if isinstance(constant, CodeType):
        return _plain(constant)
    if isinstance(constant, frozenset):
        return repr(sorted(map(repr, constant))).encode('utf-8', 'surrogatepass')
    return f'{type(constant).__name__}:{constant!r}'.encode('utf-8', 'surrogatepass')


class Names:
    """What code loads by name. Chains are tuples: `util.g.h` is loaded[util] = {('g', 'h')}; a bare use is the empty one."""

    __slots__ = ('assigned', 'free', 'imported', 'loaded')

    def __init__(self) -> None:
        self.loaded: dict[str, set[tuple[str, ...]]] = {}
        self.free: dict[str, set[tuple[str, ...]]] = {}
        self.assigned: set[str] = set()
        self.imported: dict[str, set[str]] = {}  # module -> names taken from it; none: the module itself


def names(code: CodeType) -> Names:
    """The names that a code object and those nested in it load."""
    found = Names()
    stack = [code]
    while stack:
        current = stack.pop()
        _scan(current, found)
        stack += [constant for constant in current.co_consts if isinstance(constant, CodeType)]
    return found


def _scan(code: CodeType, found: Names) -> None:
    chain: list[str] = []
    target: set[tuple[str, ...]] | None = None
    module = ''
    for name, argument in _instructions(code):
        if name == 'CACHE':
            continue
        if name in ('LOAD_ATTR', 'LOAD_METHOD') and target is not None:
            chain.append(code.co_names[argument >> 1 if name == 'LOAD_ATTR' and sys.version_info >= (3, 12) else argument])
            continue
        if target is not None:
            target.add(tuple(chain))
        target, chain = None, []
        if name == 'LOAD_GLOBAL':
            target = found.loaded.setdefault(code.co_names[argument >> 1 if sys.version_info >= (3, 11) else argument], set())
        elif name in ('LOAD_NAME', 'LOAD_FROM_DICT_OR_GLOBALS'):
            target = found.loaded.setdefault(code.co_names[argument], set())
        elif name in ('LOAD_DEREF', 'LOAD_CLASSDEREF', 'LOAD_FROM_DICT_OR_DEREF'):
            target = found.free.setdefault(_variable(code, argument), set())
        elif name in ('STORE_GLOBAL', 'DELETE_GLOBAL'):
            found.assigned.add(code.co_names[argument])
        elif name == 'IMPORT_NAME':
            module = code.co_names[argument]
            found.imported.setdefault(module, set())
        elif name == 'IMPORT_FROM':
            found.imported[module].add(code.co_names[argument])
    if target is not None:
        target.add(tuple(chain))


def _variable(code: CodeType, argument: int) -> str:
    if sys.version_info >= (3, 11):
        return str(code._varname_from_oparg(argument))  # type: ignore[attr-defined]
    return (code.co_cellvars + code.co_freevars)[argument]


def _instructions(code: CodeType) -> Iterator[tuple[str, int]]:
    from opcode import opname

    extended = 0
    data = code.co_code
    for at in range(0, len(data), 2):
        name = opname[data[at]]
        argument = data[at + 1] | extended
        if name == 'EXTENDED_ARG':
            extended = argument << 8
            continue
        extended = 0
        yield name, argument
