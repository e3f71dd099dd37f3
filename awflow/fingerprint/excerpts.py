"""The source text of code components, for people to compare.

A component says what code means, not where it stands, so its text is found once more: among the code objects and classes that
were fingerprinted, the one of that component; then in its file the definition with that tree. A file that was edited since
has another tree there, and no excerpt: better none than a wrong one. Asked for only when something is to be shown or stored.
"""

from __future__ import annotations

from awflow.fingerprint.canonical import FUNCTIONS, digest_of
from awflow.fingerprint.project import file_of
from awflow.fingerprint.resolve import loaded_module, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType
    from typing import Any, Final

    from awflow.fingerprint.fingerprinter import Fingerprinter

LONGEST: Final = 64 * 1024  # characters


class Excerpts:
    """Finds sources of what one fingerprinter has seen; each file is read at most once."""

    def __init__(self, seen: Fingerprinter) -> None:
        self._seen = seen
        self._files: dict[str, tuple[list[str], Any] | None] = {}

    def of(self, component: str, text: str) -> str:
        """The source of a component with that text; '' if it is no code, or not to be found as it was."""
        kind, _, label = component.partition(' ')
        try:
            if kind == 'class':
                found = self._class(label.partition(' #')[0])
            elif kind == 'module':
                found = self._module(label)
            elif text.startswith('a:'):
                found = self._function(label.removeprefix('of ').partition(' #')[0], text)
            else:
                found = ''
        except RecursionError:  # an expression that is nested too deep to be walked
            return ''
        cut = len(found) - LONGEST
        return found if cut <= 0 else f'{found[:LONGEST]}\n# ... {cut} more characters\n'

    # -- functions -----------------------------------------------------------------------------------------------------

    def _function(self, label: str, text: str) -> str:
        tree = text[2:].partition('/')[0]
        name = label.partition(' of ')[0].rpartition('.')[2]  # `inner of helper` is how a wrapper is called
        codes = [code for code, known, _ in self._seen.known_codes() if known == text]
        for code in sorted(codes, key=lambda code: code.co_name != name):
            if tree != '-' and (found := self._definition(code, tree)):
                return found
        return ''

    def _definition(self, code: CodeType, tree: str) -> str:
        lines, module = self._file(code.co_filename)
        nodes = [node for node in _walk(module) if _names(node, code.co_name)]
        for node in sorted(nodes, key=lambda node: abs(node.lineno - code.co_firstlineno)):
            if digest_of(node) == tree:
                return _cut(lines, node)
        return ''

    # -- classes and modules -------------------------------------------------------------------------------------------

    def _class(self, label: str) -> str:
        for cls in self._seen.known_classes():
            name = short(cls.__qualname__)
            if label in (name, f'{cls.__module__}.{name}'):
                module = loaded_module(cls.__module__)
                path = file_of(module) if module is not None else None
                lines, node = self._file(path) if path else ([], None)
                for part in cls.__qualname__.split('.'):
                    if part != '<locals>':
                        node = next((n for n in _walk(node) if getattr(n, 'name', '') == part), None)
                if node is not None:
                    return _cut(lines, node)
        return ''

    def _module(self, name: str) -> str:
        found = self._seen.modules.find(name)
        return ''.join(self._file(found.path)[0]).rstrip('\n') + '\n' if found is not None and found.path else ''

    # -- files ---------------------------------------------------------------------------------------------------------

    def _file(self, path: str) -> tuple[list[str], Any]:
        """Lines and syntax tree of a file as it is now, or of a notebook's cell; nothing if it is no Python."""
        if path not in self._files:
            import ast
            import linecache
            import tokenize
            import warnings

            try:
                with tokenize.open(path) as file:
                    text = file.read()
            except (OSError, SyntaxError, UnicodeDecodeError, ValueError):
                text = ''.join(linecache.getlines(path))
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter('ignore')
                    self._files[path] = [line + '\n' for line in text.split('\n')], ast.parse(text)
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                self._files[path] = None
        return self._files[path] or ([], None)


def _walk(tree: Any) -> Iterator[Any]:
    """All definitions and lambdas below a node, outer ones first."""
    todo = [tree] if tree is not None else []
    for node in todo:
        if node is not tree and type(node).__name__ in (*FUNCTIONS, 'ClassDef'):
            yield node
        for field in node._fields:
            value = getattr(node, field, None)
            inner: Iterable[Any] = value if isinstance(value, list) else [value]
            todo.extend(item for item in inner if hasattr(item, '_fields'))


def _names(node: Any, name: str) -> bool:
    return type(node).__name__ in FUNCTIONS and getattr(node, 'name', '<lambda>') == name


def _cut(lines: list[str], node: Any) -> str:
    """The lines of a definition without decorators, which count apart, moved to the left."""
    from textwrap import dedent

    return dedent(''.join(lines[node.lineno - 1 : node.end_lineno]))
