"""Which names a function's code uses, and how: `n`, `util.g`, `import x`, `global count`.

A name and the attributes read directly from it make a chain: `util.g(util.n)` reads `util.g` and `util.n`, so of the module
`util` only these two count. A chain of the name alone means that the value is used as a whole.
"""

from __future__ import annotations

import sys
from opcode import opmap

from awflow.fingerprint.bytecode import SHIFTS, instructions, nested
from awflow.fingerprint.chains import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType
    from typing import Final


def _opcodes(*names: str) -> frozenset[int]:
    return frozenset(opmap[name] for name in names if name in opmap)


LOADS: Final = _opcodes('LOAD_GLOBAL', 'LOAD_NAME', 'LOAD_FROM_DICT_OR_GLOBALS')
LOADS_FREE: Final = _opcodes('LOAD_DEREF', 'LOAD_CLASSDEREF', 'LOAD_FROM_DICT_OR_DEREF')
READS: Final = _opcodes('LOAD_ATTR', 'LOAD_METHOD')
WRITES: Final = _opcodes('STORE_ATTR', 'DELETE_ATTR')
ASSIGNS: Final = _opcodes('STORE_GLOBAL', 'DELETE_GLOBAL')
LOAD_GLOBAL: Final = opmap['LOAD_GLOBAL']
SMALL_INT: Final = opmap.get('LOAD_SMALL_INT', -1)
CONSTANTS: Final = _opcodes('LOAD_CONST', 'LOAD_SMALL_INT')
LOOKED_AT: Final = CONSTANTS | LOADS | LOADS_FREE | ASSIGNS | _opcodes('IMPORT_NAME')


def names_of(code: CodeType) -> Names:
    """What the code uses, by name."""
    names = _Reader(code).read()
    for inner in nested(code):
        names.include(names_of(inner), code)
    return names


class _Reader:
    """One pass over the instructions of one code object."""

    __slots__ = ('chain', 'code', 'constants', 'free', 'names', 'variables')

    def __init__(self, code: CodeType) -> None:
        self.code = code
        self.names = Names()
        self.chain: list[str] = []  # a name and its attributes so far
        self.free = False  # whether that name is a variable of an enclosing function
        self.constants: tuple[object, object] = (None, None)  # the last two: IMPORT_NAME takes them from the stack
        own = code.co_varnames
        cells = tuple(name for name in code.co_cellvars if name not in own)
        self.variables = own + cells + code.co_freevars if sys.version_info >= (3, 11) else code.co_cellvars + code.co_freevars

    def read(self) -> Names:
        looked_at, reads = LOOKED_AT, READS
        for operation, argument in instructions(self.code):
            if self.chain:
                if operation in reads:
                    self.chain.append(self._name(operation, argument))
                    continue
                self._finish(operation, argument)
            if operation in looked_at:
                self._look(operation, argument)
        return self.names

    def _name(self, operation: int, argument: int) -> str:
        return self.code.co_names[argument >> SHIFTS.get(operation, 0)]

    def _finish(self, operation: int, argument: int) -> None:
        chain = tuple(self.chain)
        if operation in WRITES:
            self.names.written.add((*chain, self._name(operation, argument)))
        elif self.free:
            self.names.free.setdefault(chain[0], {})[chain[1:]] = None
        else:
            self.names.loaded[chain] = None
        self.chain = []

    def _look(self, operation: int, argument: int) -> None:
        if operation in CONSTANTS:
            value = argument if operation == SMALL_INT else self.code.co_consts[argument]
            self.constants = (self.constants[1], value)
        elif operation in LOADS:
            self._begin(self._name(operation, argument), free=False)
            if operation != LOAD_GLOBAL:
                self.names.optional.add(self.chain[0])
        elif operation in LOADS_FREE:
            if self.variables[argument] in self.code.co_freevars:
                self._begin(self.variables[argument], free=True)
        elif operation in ASSIGNS:
            self.names.assigned.add(self._name(operation, argument))
        else:
            level, taken = self.constants
            names = taken if isinstance(taken, tuple) else ()
            self.names.imports[self._name(operation, argument), level if isinstance(level, int) else 0, names] = None

    def _begin(self, name: str, *, free: bool) -> None:
        self.chain = [name]
        self.free = free
