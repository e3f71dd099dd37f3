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

Parsing a file takes longer than all the rest, so first only the statement around the function is cut out (blocks.py).

The module's import statements are compiled along with each statement: for `np.sum()` the compiler emits another instruction
where it knows that `np` was imported.
"""

from __future__ import annotations

import sys
import warnings
from _ast import AST, Module
from bisect import bisect_right
from types import CodeType

from awflow.fingerprint.blocks import lines_of
from awflow.fingerprint.bytecode import ANNOTATORS, alike, code_digest
from awflow.fingerprint.canonical import FUNCTIONS, digest_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, Final

    from awflow.fingerprint.blocks import Block, Lines

    Definitions = dict[str, list['Definition']]  # by name

ONLY_AST: Final = 0x400  # PyCF_ONLY_AST: `ast.parse` without importing ast
UNNAMED: Final = ANNOTATORS | {'<module>', '<listcomp>', '<setcomp>', '<dictcomp>', '<genexpr>'}
FUTURE: Final = 0x1FE0000  # the flags of `from __future__` in co_flags, understood by compile


class Sources:
    """Files that functions come from, each read and parsed at most once."""

    __slots__ = ('_blocks', '_files', '_lines', '_texts')

    def __init__(self) -> None:
        self._texts: dict[str, str | bytes | None] = {}
        self._lines: dict[str, Lines | None] = {}
        self._blocks: dict[tuple[str, int], Definitions] = {}
        self._files: dict[str, SourceFile | None] = {}

    def digest(self, code: CodeType, bytecode: str) -> str:
        """Digest of the tree that compiles to `code`, whose bytecode digest is given; '-' if there is none."""
        found = self._in_block(code)
        if not found:
            file = self.file(code.co_filename)
            found = file.find(code, bytecode) if file is not None else '-'
        return found

    def _in_block(self, code: CodeType) -> str:
        """Digest by the statement that seems to hold the function; '' if it does not."""
        filename = code.co_filename
        if filename in self._files:
            return ''
        if filename not in self._lines:
            text = self._text(filename)
            self._lines[filename] = lines_of(text) if text is not None else None
        lines = self._lines[filename]
        block = lines.around(code) if lines is not None else None
        if block is None:
            return ''
        key = (filename, block.start)
        if key not in self._blocks:
            self._blocks[key] = _definitions_of_block(block, filename, code.co_flags & FUTURE)
        for definition in self._blocks[key].get(code.co_name, ()):
            if definition.line == code.co_firstlineno and alike(definition.code, code):
                return definition.digest
        return ''

    def file(self, filename: str) -> SourceFile | None:
        """The parsed file, None if it cannot be read or is no Python."""
        if filename not in self._files:
            text = self._text(filename)
            tree = _parse(text, filename) if text is not None else None
            self._files[filename] = None if tree is None else SourceFile(tree, filename)
        return self._files[filename]

    def _text(self, filename: str) -> str | bytes | None:
        if filename not in self._texts:
            self._texts[filename] = _read(filename)
        return self._texts[filename]


class SourceFile:
    """The syntax tree of one file, its statements compiled when something is looked for in them."""

    __slots__ = ('_by_bytecode', '_compiled', '_starts', 'filename', 'imports', 'tree')

    def __init__(self, tree: Any, filename: str) -> None:
        self.tree = tree
        self.filename = filename
        self.imports = list(_imports(tree))
        self._starts = [_first_line(statement) for statement in tree.body]
        self._compiled: dict[int, Definitions] = {}
        self._by_bytecode: dict[tuple[str, str], list[tuple[int, Definition]]] | None = None

    def find(self, code: CodeType, bytecode: str) -> str:
        """Digest of the node whose code is `code`, or '-'."""
        if not self._starts:
            return '-'
        likely = max(0, bisect_right(self._starts, code.co_firstlineno) - 1)
        named = self._definitions(likely, code).get(code.co_name, ())
        found = [d for d in named if alike(d.code, code) or d.bytecode == bytecode]
        if not found:  # it moved
            moved = self._anywhere(code).get((code.co_name, bytecode), [])
            found = [definition for number, definition in moved if number == moved[0][0]]
        return min(found, key=lambda d: d.line != code.co_firstlineno).digest if found else '-'

    def _anywhere(self, code: CodeType) -> dict[tuple[str, str], list[tuple[int, Definition]]]:
        """All functions of the file by name and bytecode, with the numbers of their statements."""
        if self._by_bytecode is None:
            self._by_bytecode = {}
            for number in range(len(self._starts)):
                for name, definitions in self._definitions(number, code).items():
                    for definition in definitions:
                        self._by_bytecode.setdefault((name, definition.bytecode), []).append((number, definition))
        return self._by_bytecode

    def _definitions(self, number: int, code: CodeType) -> Definitions:
        if number not in self._compiled:
            statement = self.tree.body[number]
            self._compiled[number] = _definitions([*self.imports, statement], self.filename, code.co_flags & FUTURE)
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
        if not self._digest:
            self._digest = digest_of(self.node)
            self.node = None  # thousands of trees would keep the garbage collector busy
        return self._digest


def _definitions_of_block(block: Block, filename: str, flags: int) -> Definitions:
    """Functions defined in a block, if it is one statement."""
    tree = _parse(block.text, filename)
    if tree is None or len(tree.body) != block.before + 1:
        return {}
    return _definitions(tree.body, filename, flags, block.start - block.before - 1)


def _definitions(statements: list[Any], filename: str, flags: int, above: int = 0) -> Definitions:
    """Functions defined anywhere inside the last statement, by name; `above` is how many lines were cut off."""
    statement = statements[-1]
    codes = _codes(_compile(statements, filename, flags))
    functions = [statement] if _is_alone(statement, codes) else _functions(statement)
    nodes: dict[tuple[str, int], tuple[Any, int]] = {}
    moved = 0
    last = getattr(statement, 'end_lineno', 0) or 0
    for node in functions:
        name = getattr(node, 'name', '<lambda>')
        line = _first_line(node)
        key = (name, line)
        if key in nodes:
            moved += 1
            key = (name, last + moved)
            _move(node, last + moved)
        nodes[key] = (node, line)
    if moved:  # now no two have the same name and line
        codes = _codes(_compile(statements, filename, flags))
    found: Definitions = {}
    for code in codes:
        if (code.co_name, code.co_firstlineno) in nodes:
            node, line = nodes[code.co_name, code.co_firstlineno]
            found.setdefault(code.co_name, []).append(Definition(node, line + above, code))
    return found


def _is_alone(statement: Any, codes: list[CodeType]) -> bool:
    """Whether a statement defines a function and no other inside, going by what it was compiled to."""
    own = [code for code in codes if code.co_name not in UNNAMED]
    return type(statement).__name__ in FUNCTIONS and len(own) == 1 and own[0].co_name == statement.name


def _functions(statement: Any) -> list[Any]:
    found, todo = [], [statement]
    while todo:
        node = todo.pop()
        if type(node).__name__ in FUNCTIONS:
            found.append(node)
        for value in vars(node).values():
            if type(value) is list:
                todo += [item for item in value if isinstance(item, AST)]
            elif isinstance(value, AST):
                todo.append(value)
    return found


def _first_line(node: Any) -> int:
    """What `co_firstlineno` says: the first decorator's line if there are any."""
    decorators = getattr(node, 'decorator_list', None)
    return int((decorators[0] if decorators else node).lineno)


def _move(node: Any, line: int) -> None:
    node = (getattr(node, 'decorator_list', None) or [node])[0]
    node.lineno = node.end_lineno = line
    node.end_col_offset = node.col_offset


def _codes(code: CodeType | None) -> list[CodeType]:
    """A code object with all that are inside it."""
    codes = [code] if code is not None else []
    for code in codes:  # it grows
        codes += [const for const in code.co_consts if type(const) is CodeType]
    return codes


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
