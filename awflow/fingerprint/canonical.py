"""The canonical form of source code: its syntax tree without all that means nothing.

Positions, comments, docstrings, annotations of functions, `pass`, and the name and decorators of the function itself do not
count. Fields that are empty are left out, so that versions of Python which add some agree with those before them.
"""

from __future__ import annotations

import ast

from xxhash import xxh3_128_hexdigest

DROPPED = frozenset(['ctx', 'kind', 'type_comment', 'type_ignores', 'returns', 'annotation', 'lineno', 'simple'])
DOCUMENTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)


def dump(node: ast.AST) -> str:
    """The canonical text of a function, lambda, class or module."""
    parts: list[str] = []
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        own = frozenset(['name', 'decorator_list'])
    else:
        own = frozenset()
    _write(node, parts, own, in_class=False)
    return ''.join(parts)


def digest(node: ast.AST) -> str:
    """The digest of the canonical text."""
    return str(xxh3_128_hexdigest(dump(node).encode('utf-8', 'surrogatepass')))


def _write(value: object, parts: list[str], skip: frozenset[str], in_class: bool) -> None:
    if isinstance(value, ast.AST):
        _node(value, parts, skip, in_class)
    elif isinstance(value, list):
        parts.append('[')
        for item in value:
            _write(item, parts, frozenset(), in_class)
            parts.append(',')
        parts.append(']')
    elif isinstance(value, (frozenset, set)):
        parts.append(repr(sorted(map(repr, value))))
    else:
        parts.append(f'{type(value).__name__}:{value!r}')


def _node(node: ast.AST, parts: list[str], skip: frozenset[str], in_class: bool) -> None:
    if isinstance(node, ast.AnnAssign) and not in_class:
        if node.value is None:
            return  # declares, does nothing
        parts.append('Assign(targets=[')
        _write(node.target, parts, frozenset(), False)
        parts.append(',]value=')
        _write(node.value, parts, frozenset(), False)
        parts.append(')')
        return
    parts.append(type(node).__name__ + '(')
    is_class = isinstance(node, ast.ClassDef)
    for name in node._fields:
        value = getattr(node, name, None)
        if name in skip or value is None and not (isinstance(node, ast.Constant) and name == 'value'):
            continue
        if name in DROPPED and not (in_class and name == 'annotation'):
            continue
        if name == 'body' and isinstance(value, list):
            value = _statements(node, value)
        if value == [] or (name == 'conversion' and value == -1):
            continue
        parts.append(name + '=')
        _write(value, parts, frozenset(), is_class and name == 'body')
    parts.append(')')


def _statements(node: ast.AST, body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    documented = isinstance(node, DOCUMENTED) and isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    if documented and isinstance(first.value.value, str):  # type: ignore[union-attr]
        body = body[1:]
    return [statement for statement in body if not isinstance(statement, ast.Pass)]
