"""The syntax tree of a function that is in memory.

The problem. The text of a function is the best thing to compare: it survives a new Python, and comments do not count in it.
But a function does not know its text, only a file and a line, and the file may have been edited since it was imported.

What does not work. `inspect.getsource` believes the line number: after an edit above the function it returns another one, and
it takes the first of two lambdas on one line for both.

What this does. The file is parsed, and the statement at that line compiled again; if some code object of it has the very
bytecode of the one in memory, the node it was compiled from is the function's tree, since both do the same. If not, other
statements of the file are tried (the function may have moved), and after that there is no tree: an edited function, code
made by `exec`, a file that is gone. Which node a code object comes from is told by its name and first line; nodes that share
both (lambdas on one line) are moved to lines of their own before compiling.

The module's import statements are compiled along with each statement: for `np.sum()` the compiler emits another instruction
where it knows that `np` was imported.
"""

from __future__ import annotations

import sys
import warnings
from bisect import bisect_right
from types import CodeType

from awflow.fingerprint.bytecode import code_digest
from awflow.fingerprint.canonical import FUNCTIONS, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

ONLY_AST: Final = 0x400  # PyCF_ONLY_AST: `ast.parse` without importing ast
FUTURE: Final = 0x1FE0000  # the flags of `from __future__` in co_flags, understood by compile


class Sources:
    """Files that functions come from, each parsed at most once."""

    __slots__ = ('_files',)

    def __init__(self) -> None:
        self._files: dict[str, SourceFile | None] = {}

    def digest(self, code: CodeType, bytecode: str) -> str:
        """Digest of the tree that compiles to `code`, whose bytecode digest is given; '-' if there is none."""
        file = self.file(code.co_filename)
        return file.find(code, bytecode) if file is not None else '-'

    def file(self, filename: str) -> SourceFile | None:
        """The parsed file, None if it cannot be read or is no Python."""
        if filename not in self._files:
            text = _read(filename)
            tree = _parse(text, filename) if text is not None else None
            self._files[filename] = None if tree is None else SourceFile(tree, filename)
        return self._files[filename]


class SourceFile:
    """The syntax tree of one file, its statements compiled when something is looked for in them."""

    __slots__ = ('_compiled', '_starts', 'filename', 'imports', 'tree')

    def __init__(self, tree: Any, filename: str) -> None:
        self.tree = tree
        self.filename = filename
        self.imports = list(_imports(tree))
        self._starts = [_first_line(statement) for statement in tree.body]
        self._compiled: dict[int, dict[str, list[Definition]]] = {}

    def find(self, code: CodeType, bytecode: str) -> str:
        """Digest of the node whose code is `code`, or '-'."""
        likely = max(0, bisect_right(self._starts, code.co_firstlineno) - 1)
        others = (i for i in range(len(self._starts)) if i != likely)
        for number in [likely, *others] if self._starts else ():
            found = [d for d in self._definitions(number, code).get(code.co_name, ()) if d.bytecode == bytecode]
            if found:
                return min(found, key=lambda d: d.line != code.co_firstlineno).digest
        return '-'

    def _definitions(self, number: int, code: CodeType) -> dict[str, list[Definition]]:
        if number not in self._compiled:
            statement = self.tree.body[number]
            self._compiled[number] = _definitions(self, statement, code.co_flags & FUTURE)
        return self._compiled[number]


class Definition:
    """A function in the text, with the code it compiles to; digests are taken when asked for."""

    __slots__ = ('_bytecode', '_digest', 'code', 'line', 'node')

    def __init__(self, node: Any, line: int, code: CodeType) -> None:
        self.node = node
        self.line = line
        self.code = code
        self._bytecode = ''
        self._digest = ''

    @property
    def bytecode(self) -> str:
        """Digest of what it compiles to here and now."""
        self._bytecode = self._bytecode or code_digest(self.code)
        return self._bytecode

    @property
    def digest(self) -> str:
        """Digest of its text."""
        self._digest = self._digest or digest_of(self.node)
        return self._digest


def _definitions(file: SourceFile, statement: Any, flags: int) -> dict[str, list[Definition]]:
    """Functions defined anywhere inside a statement, by name."""
    nodes: dict[tuple[str, int], tuple[Any, int]] = {}
    last = getattr(statement, 'end_lineno', 0) or 0
    for node in _functions(statement):
        name = getattr(node, 'name', '<lambda>')
        line = _first_line(node)
        key = (name, line)
        if key in nodes:
            last += 1
            key = (name, last)
            _move(node, last)
        nodes[key] = (node, line)
    found: dict[str, list[Definition]] = {}
    for code in _codes(_compile([*file.imports, statement], file.filename, flags)) if nodes else ():
        if (code.co_name, code.co_firstlineno) in nodes:
            node, line = nodes[code.co_name, code.co_firstlineno]
            found.setdefault(code.co_name, []).append(Definition(node, line, code))
    return found


def _functions(statement: Any) -> Iterator[Any]:
    todo = [statement]
    while todo:
        node = todo.pop()
        if type(node).__name__ in FUNCTIONS:
            yield node
        for field in node._fields:
            value = getattr(node, field, None)
            if isinstance(value, list):
                todo.extend(item for item in value if hasattr(item, '_fields'))
            elif hasattr(value, '_fields'):
                todo.append(value)


def _first_line(node: Any) -> int:
    """What `co_firstlineno` says: the first decorator's line if there are any."""
    decorators = getattr(node, 'decorator_list', None)
    return int((decorators[0] if decorators else node).lineno)


def _move(node: Any, line: int) -> None:
    node = (getattr(node, 'decorator_list', None) or [node])[0]
    node.lineno = node.end_lineno = line
    node.end_col_offset = node.col_offset


def _codes(code: CodeType | None) -> Iterator[CodeType]:
    todo = [code] if code is not None else []
    while todo:
        code = todo.pop()
        yield code
        todo.extend(const for const in code.co_consts if isinstance(const, CodeType))


def _imports(tree: Any) -> Iterator[Any]:
    """Import statements that run with the module, in order."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if type(node).__name__ in ('Import', 'ImportFrom'):
            yield node
        elif type(node).__name__ not in (*FUNCTIONS, 'ClassDef'):
            inner = [getattr(node, field, ()) for field in ('body', 'handlers', 'orelse', 'finalbody', 'cases')]
            todo.extend(reversed([statement for block in inner if isinstance(block, list) for statement in block]))


def _compile(statements: list[Any], filename: str, flags: int) -> CodeType | None:
    from _ast import Module

    module = Module(body=statements, type_ignores=[])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            code: CodeType = compile(module, filename, 'exec', flags, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError):
        return None
    return code


def _parse(text: str | bytes, filename: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return compile(text, filename, 'exec', ONLY_AST, dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _read(filename: str) -> str | bytes | None:
    """The text of a file, or of a notebook's cell, which linecache has."""
    try:
        with open(filename, 'rb') as file:
            return file.read()
    except (OSError, ValueError):
        linecache = sys.modules.get('linecache')
    entry = linecache.cache.get(filename) if linecache is not None else None
    return ''.join(entry[2]) if entry is not None and len(entry) == 4 else None
