"""One text for all spellings of the same code.

`ast.dump` will not do: it writes fields that are empty, and which fields there are changes from one Python to the next. This
dump leaves out what is empty, where things stand, comments, docstrings, annotations and statements without effect, so the
text of a function is the same from Python 3.10 on. It imports nothing (`ast` would cost 5 ms) and does not recurse, because
a sum of a thousand terms is a tree a thousand levels deep.
"""

from __future__ import annotations

import struct

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ast import AST
    from collections.abc import Iterable
    from typing import Any, Final

SKIPPED: Final = frozenset({'annotation', 'returns', 'type_comment', 'type_params', 'ctx', 'kind', 'type_ignores'})
FUNCTIONS: Final = frozenset({'FunctionDef', 'AsyncFunctionDef', 'Lambda'})


def digest_of(node: AST) -> str:
    """Digest of the canonical text of a function, blind to its name, decorators and defaults, or of a module."""
    return xxh3_128_hexdigest(dump(node).encode('utf-8', 'surrogatepass'))


def dump(node: AST) -> str:
    """The canonical text.

    A function's name, decorators and defaults are left out at the top (there, what they evaluated to counts), and kept
    below, where they are code.
    """
    out: list[str] = []
    todo: list[Any] = _top(node) if type(node).__name__ in FUNCTIONS else [node]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            out.append(item)
        else:
            todo.extend(reversed(_parts(item)))
    return ''.join(out)


def _top(node: Any) -> list[Any]:
    arguments = node.args
    parts = ['def' if type(node).__name__ != 'AsyncFunctionDef' else 'async']
    for field in ('posonlyargs', 'args', 'vararg', 'kwonlyargs', 'kwarg'):
        value = getattr(arguments, field)
        names = [value] if value is not None and not isinstance(value, list) else value
        parts.append(f'|{",".join(name.arg for name in names or ())}')
    body = _listed(_effective(node.body)) if isinstance(node.body, list) else ['=', node.body]
    return [*reversed(body), *reversed(parts)]


def _parts(node: Any) -> list[Any]:
    """A node as text and smaller nodes, in order."""
    kind = type(node).__name__
    if kind == 'Constant':
        return [f'<{_constant(node.value)}>']
    if kind == 'AnnAssign' and node.value is not None:  # an annotated assignment assigns
        return ['Assign(', 'targets=', *_listed([node.target]), 'value=', node.value, ' )']
    if kind == 'JoinedStr':
        return ['JoinedStr', *_listed(_merged(node.values))]
    parts: list[Any] = [kind, '(']
    for field in node._fields:
        if field not in SKIPPED:
            parts += _field(field, getattr(node, field, None))
    parts.append(')')
    return parts


def _field(name: str, value: Any) -> list[Any]:
    if name in ('body', 'orelse', 'finalbody') and isinstance(value, list):
        value = _effective(value)
    if value is None or value == []:
        return []
    if isinstance(value, list):
        return [name, '=', *_listed(value)]
    return [name, '=', value if hasattr(value, '_fields') else f'<{_constant(value)}>', ' ']


def _listed(nodes: Iterable[Any]) -> list[Any]:
    parts: list[Any] = ['[']
    for node in nodes:
        if node is None:  # a required keyword-only argument has no default, `{**x}` no key
            parts.append('-')
        else:
            parts.append(node if hasattr(node, '_fields') else f'<{_constant(node)}>')
        parts.append(',')
    parts.append(']')
    return parts


def _effective(body: list[Any]) -> list[Any]:
    """Statements without `pass`, docstrings and other constants that stand by themselves."""
    return [
        statement for statement in body
        if not (type(statement).__name__ == 'Pass'
                or (type(statement).__name__ == 'Expr' and type(statement.value).__name__ == 'Constant'))
    ]  # fmt: skip


def _merged(values: list[Any]) -> list[Any]:
    """Parts of an f-string with neighbouring texts joined, which the parsers cut in different places."""
    merged: list[Any] = []
    for value in _flat(values):
        text = value.value if type(value).__name__ == 'Constant' else value
        if isinstance(text, str) and merged and isinstance(merged[-1], str):
            merged[-1] += text
        elif text != '':
            merged.append(text)
    return merged


def _flat(values: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        flat += _flat(value.values) if type(value).__name__ == 'JoinedStr' else [value]
    return flat


def _constant(value: object) -> str:
    """A constant with its type, as text that reads the same in every Python version."""
    if isinstance(value, str):
        return f's{len(value)}:{value}'
    if isinstance(value, float):
        return 'f' + struct.pack('>d', value).hex()
    if isinstance(value, complex):
        return 'c' + struct.pack('>dd', value.real, value.imag).hex()
    if isinstance(value, int) and not isinstance(value, bool):
        return hex(value)
    return repr(value)
