"""What a code object does, read from its instructions: a digest, and the names that it loads.

Instructions are two bytes, an opcode and an argument. Arguments index tables of the code object (constants, names, variables)
whose layout changes with a docstring or an unused constant, so the digest spells out what an argument stands for. File, line
numbers, the function's own name and docstring are not looked at. `co_code` is as compiled: CPython undoes its specialisations
in it and blanks the inline caches. Opcodes differ between minor versions, so a digest is comparable within one only.
"""

from __future__ import annotations

import opcode
import struct
import sys
from types import CodeType

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

TAG: Final = f'{sys.version_info[0]}{sys.version_info[1]}'
EXTENDED: Final = opcode.opmap['EXTENDED_ARG']
SKIPPED: Final = frozenset({0, opcode.opmap['NOP']})  # inline caches; what the compiler leaves to have a line to stop at
MEANINGFUL_FLAGS: Final = 0x03AF  # how it is called and whether it yields; not nesting, docstring or __future__
HAS_CONST: Final = frozenset(opcode.hasconst)
HAS_NAME: Final = frozenset(opcode.hasname)
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


def instructions(code: CodeType) -> Iterator[tuple[int, int]]:
    """Opcodes with their whole arguments."""
    data = code.co_code
    extension = 0
    for i in range(0, len(data), 2):
        operation = data[i]
        argument = data[i + 1] | extension
        if operation == EXTENDED:
            extension = argument << 8
        elif operation not in SKIPPED:
            extension = 0
            yield operation, argument


def code_digest(code: CodeType) -> str:
    """Digest of what the code does, comparable within one minor version of Python."""
    return xxh3_128_hexdigest(_spelled(code))


def _spelled(code: CodeType) -> bytes:
    head = (
        code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & MEANINGFUL_FLAGS,
        code.co_varnames, code.co_cellvars, code.co_freevars, getattr(code, 'co_exceptiontable', b''),
    )  # fmt: skip
    parts = [repr(head).encode()]
    constants, names = code.co_consts, code.co_names
    for operation, argument in instructions(code):
        if operation in HAS_CONST:
            parts.append(b'%d=' % operation + _constant(constants[argument]))
        elif operation in HAS_NAME:
            shift = SHIFTS.get(operation, 0)
            flags = argument & ((1 << shift) - 1)
            parts.append(b'%d.%d ' % (operation, flags) + names[argument >> shift].encode('utf-8', 'surrogatepass'))
        else:
            parts.append(b'%d %d' % (operation, argument))
    return b'\n'.join(parts)


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
