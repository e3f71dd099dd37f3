"""What a code object does, read from its instructions: a digest, and the names that it loads.

Instructions are two bytes, an opcode and an argument. Arguments index tables of the code object (constants, names, variables)
whose layout changes with a docstring or an unused constant, so the digest spells out what an argument stands for. File, line
numbers, the function's own name and docstring are not looked at. `co_code` is as compiled: CPython undoes its specialisations
in it and blanks the inline caches. Opcodes differ between minor versions, so a digest is comparable within one only.
"""

from __future__ import annotations

import marshal
import opcode
import struct
import sys
from types import CodeType

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

TAG: Final = f'{sys.version_info[0]}{sys.version_info[1]}'
EXTENDED: Final = opcode.opmap['EXTENDED_ARG']
SKIPPED: Final = frozenset({0, opcode.opmap['NOP']})  # inline caches; what the compiler leaves to have a line to stop at
MEANINGFUL_FLAGS: Final = 0x03AF  # how it is called and whether it yields; not nesting, docstring or __future__
HAS_CONST: Final = frozenset(opcode.hasconst)
HAS_NAME: Final = frozenset(opcode.hasname)
SPELLED: Final = HAS_CONST | HAS_NAME
PLAIN: Final = b'%d %d'.__mod__  # called from C, which is faster than an expression
ANNOTATORS: Final = frozenset({'__annotate__', '__annotate_func__'})  # evaluate annotations, from 3.14 on

# How far an argument that indexes co_names is shifted to make room for flags.
SHIFTS: Final = {
    opcode.opmap[name]: shift
    for name, since, shift in (
        ('LOAD_GLOBAL', (3, 11), 1),
        ('LOAD_ATTR', (3, 12), 1),
        ('LOAD_SUPER_ATTR', (3, 12), 2),
    )
    if sys.version_info >= since and name in opcode.opmap
}


def instructions(code: CodeType) -> list[tuple[int, int]]:
    """Opcodes with their whole arguments."""
    data = code.co_code
    pairs = zip(data[::2], data[1::2], strict=True)
    if EXTENDED not in data:
        return [pair for pair in pairs if pair[0] not in SKIPPED]
    found, extension = [], 0
    for operation, argument in pairs:
        if operation == EXTENDED:
            extension = (argument | extension) << 8
        elif operation not in SKIPPED:
            found.append((operation, argument | extension))
            extension = 0
    return found


def code_digest(code: CodeType) -> str:
    """Digest of what the code does, comparable within one minor version of Python."""
    return xxh3_128_hexdigest(_spelled(code))


def _spelled(code: CodeType) -> bytes:
    head = (
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & MEANINGFUL_FLAGS,
        code.co_varnames, code.co_cellvars, code.co_freevars, getattr(code, 'co_exceptiontable', b''),
    )  # fmt: skip
    constants, names = code.co_consts, code.co_names
    constants, names = code.co_consts, code.co_names
    pairs = instructions(code)
    parts = list(map(PLAIN, pairs))
    for i, (operation, argument) in enumerate(pairs):
        if operation in SPELLED:
            if operation in HAS_CONST:
                parts[i] = b'%d=' % operation + _constant(constants[argument])
            else:
                shift = SHIFTS.get(operation, 0)
                name = names[argument >> shift].encode('utf-8', 'surrogatepass')
                parts[i] = b'%d.%d ' % (operation, argument & ((1 << shift) - 1)) + name
    return b'\n'.join([repr(head).encode(), *parts])


def alike(one: CodeType, other: CodeType) -> bool:
    """Whether two code objects surely do the same: cheaper than two digests, and False for some that are equal."""
    return _essence(one) == _essence(other) and all(
        a.co_name == b.co_name and alike(a, b) for a, b in zip(_inner(one), _inner(other), strict=True)
    )


def _essence(code: CodeType) -> tuple[object, ...]:
    inner = [i for i, const in enumerate(code.co_consts) if type(const) is CodeType]
    constants = [None if i in inner else const for i, const in enumerate(code.co_consts)] if inner else code.co_consts
    return (
        code.co_code, code.co_names, code.co_varnames, code.co_cellvars, code.co_freevars, code.co_argcount,
        code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & MEANINGFUL_FLAGS,
        getattr(code, 'co_exceptiontable', b''), inner, marshal.dumps(tuple(constants), 2),  # 2: no identity in it
    )  # fmt: skip


def _inner(code: CodeType) -> list[CodeType]:
    return [const for const in code.co_consts if type(const) is CodeType]


def _constant(value: object) -> bytes:
    """A constant with its type: 1, 1.0 and True are equal, and so are 0.0 and -0.0."""
    if isinstance(value, CodeType):
        return f'{value.co_name}:{code_digest(value)}'.encode()
    if isinstance(value, tuple):
        return b'(' + b','.join(map(_constant, value)) + b')'
    if isinstance(value, frozenset):
        return b'{' + b','.join(sorted(map(_constant, value))) + b'}'
    if isinstance(value, float):
        return b'f' + struct.pack('<d', value)
    if isinstance(value, complex):
        return b'c' + struct.pack('<dd', value.real, value.imag)
    if isinstance(value, int) and not isinstance(value, bool):
        return b'i' + hex(value).encode()  # no limit of digits
    return ascii(value).encode()


def nested(code: CodeType) -> list[CodeType]:
    """Code of functions, classes and comprehensions defined inside, but not what computes annotations."""
    return [const for const in code.co_consts if isinstance(const, CodeType) and const.co_name not in ANNOTATORS]
