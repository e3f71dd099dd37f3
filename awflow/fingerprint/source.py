"""From a code object in memory to its syntax tree: found only if the file on disk compiles to that very code object."""

from __future__ import annotations

import ast
from types import CodeType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

Scope = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef


class Sources:
    """The files of one planning, each read, parsed and compiled once."""

    def __init__(self) -> None:
        self._files: dict[str, Source | None] = {}

    def node(self, code: CodeType) -> ast.AST | None:
        """The syntax tree of a function's code, or None if its source is not there or has changed since."""
        source = self.file(code.co_filename)
        return source.node(code) if source is not None else None

    def file(self, path: str) -> Source | None:
        """A source file, None if it cannot be read or parsed."""
        if path not in self._files:
            self._files[path] = _load(path)
        return self._files[path]


class Source:
    """One file: its tree, and its code objects and scopes by name and first line."""

    def __init__(self, path: str, text: str) -> None:
        self.tree = ast.parse(text, path)
        self._codes: dict[tuple[str, int], list[CodeType]] = {}
        self._nodes: dict[tuple[str, int], list[Scope]] = {}
        for code in _codes(compile(text, path, 'exec', dont_inherit=True)):
            self._codes.setdefault((code.co_name, code.co_firstlineno), []).append(code)
        for node in ast.walk(self.tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
                self._nodes.setdefault((node.name, line), []).append(node)
            elif isinstance(node, ast.Lambda):
                self._nodes.setdefault(('<lambda>', node.lineno), []).append(node)

    def node(self, code: CodeType) -> ast.AST | None:
        """The scope that compiles to this code object."""
        key = (code.co_name, code.co_firstlineno)
        codes, nodes = self._codes.get(key, []), self._nodes.get(key, [])
        matching = [index for index, candidate in enumerate(codes) if candidate == code]
        if not matching or not nodes:
            return None
        if len(nodes) == 1:
            return nodes[0]
        around = [node for node in nodes if _holds(node, code)]
        return around[0] if len(around) == 1 else None


def _holds(node: Scope, code: CodeType) -> bool:
    """Whether the instructions of a code object come from within the body of this lambda."""
    positions = getattr(code, 'co_positions', None)
    body = getattr(node, 'body', None)
    if positions is None or not isinstance(body, ast.expr):
        return False
    start, end = (body.lineno, body.col_offset), (body.end_lineno or 0, body.end_col_offset or 0)
    found = [(line, column) for line, _, column, _ in positions() if line is not None and column]
    return bool(found) and all(start <= place <= end for place in found)


def _load(path: str) -> Source | None:
    text = _text(path)
    if text is None:
        return None
    try:
        return Source(path, text)
    except (SyntaxError, ValueError, RecursionError):
        return None


def _text(path: str) -> str | None:
    if path.startswith('<') or 'ipykernel' in path:
        import linecache

        return ''.join(linecache.getlines(path)) or None
    import tokenize

    try:
        with tokenize.open(path) as file:
            return file.read()
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def _codes(code: CodeType) -> Iterator[CodeType]:
    stack = [code]
    while stack:
        current = stack.pop()
        yield current
        stack += [constant for constant in current.co_consts if isinstance(constant, CodeType)]
