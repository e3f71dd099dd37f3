"""One text for all spellings of the same code.

`ast.dump` will not do: it writes fields that are empty, and which fields there are changes from one Python to the next. This
dump leaves out what is empty, where things stand, comments, docstrings, annotations and statements without effect, so the
text of a function is the same from Python 3.10 on. It does not import `ast` (5 ms) and does not recurse, because
a sum of a thousand terms is a tree a thousand levels deep.
"""

from __future__ import annotations

import struct
from _ast import AST, AnnAssign, Constant, Expr, JoinedStr, Name, Pass, arg

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
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
        if type(item) is str:
            out.append(item)
        else:
            parts = _parts(item)
            parts.reverse()
            todo += parts
    return ''.join(out)


def _top(node: Any) -> list[Any]:
    """The parts of a function, the last first."""
    arguments = node.args
    text = 'def' if type(node).__name__ != 'AsyncFunctionDef' else 'async'
    for field in ('posonlyargs', 'args', 'vararg', 'kwonlyargs', 'kwarg'):
        value = getattr(arguments, field)
        names = [value] if value is not None and not isinstance(value, list) else value
        text += f'|{",".join([name.arg for name in names or ()])}'
    parts: list[Any] = []
    if isinstance(node.body, list):
        parts.append(_listed(_effective(node.body), text, parts))
    else:
        parts += (text + '=', node.body)
    parts.reverse()
    return parts


def _parts(node: Any) -> list[Any]:
    """A node as text and smaller nodes, in order. What is short is text already: most nodes are names and constants."""
    kind = type(node)
    leaf = LEAVES.get(kind)
    if leaf is not None:
        return [leaf(node)]
    parts: list[Any] = []
    if kind is AnnAssign and node.value is not None:  # an annotated assignment assigns
        text = _listed([node.target], 'Assign(targets=', parts) + 'value='
        return [*parts, text, node.value, ' )']
    if kind is JoinedStr:
        text = _listed(_merged(node.values), 'JoinedStr', parts)
        return [*parts, text]
    text, fields = LAYOUTS.get(kind) or _layout(kind)
    for name, label, is_block in fields:
        value = getattr(node, name, None)
        if value is None:
            continue
        if type(value) is list:
            if is_block:
                value = _effective(value)
            if value:
                text = _listed(value, text + label, parts)
            continue
        leaf = LEAVES.get(type(value))
        if leaf is not None:
            text += f'{label}{leaf(value)} '
        elif isinstance(value, AST):
            parts += (text + label, value)
            text = ' '
        else:
            text += f'{label}<{_constant(value)}> '
    parts.append(text + ')')
    return parts


def _listed(nodes: Iterable[Any], text: str, parts: list[Any]) -> str:
    """Add nodes to the parts, after `text`; what is left of the text comes after them."""
    text += '['
    for node in nodes:
        leaf = LEAVES.get(type(node))
        if leaf is not None:
            text += leaf(node) + ','
        elif isinstance(node, AST):
            parts += (text, node)
            text = ','
        elif node is None:  # a required keyword-only argument has no default, `{**x}` no key
            text += '-,'
        else:
            text += f'<{_constant(node)}>,'
    return text + ']'


def _layout(kind: type) -> tuple[str, list[tuple[str, str, bool]]]:
    """How nodes of a kind begin, and their fields: name, how it is written, whether it holds statements."""
    names = [name for name in kind._fields if name not in SKIPPED]  # type: ignore[attr-defined]
    layout = LAYOUTS[kind] = (
        f'{kind.__name__}(',
        [(name, f'{name}=', name in ('body', 'orelse', 'finalbody')) for name in names],
    )
    if not names:  # an operator, a `break`
        whole = f'{kind.__name__}()'
        LEAVES[kind] = lambda node: whole
    return layout


def _effective(body: list[Any]) -> list[Any]:
    """Statements without `pass`, docstrings and other constants that stand by themselves."""
    return [
        statement for statement in body
        if not (type(statement) is Pass or (type(statement) is Expr and type(statement.value) is Constant))
    ]  # fmt: skip


def _merged(values: list[Any]) -> list[Any]:
    """Parts of an f-string with neighbouring texts joined, which the parsers cut in different places."""
    merged: list[Any] = []
    for value in _flat(values):
        text = value.value if type(value) is Constant else value
        if isinstance(text, str) and merged and isinstance(merged[-1], str):
            merged[-1] += text
        elif text != '':
            merged.append(text)
    return merged


def _flat(values: list[Any]) -> list[Any]:
    flat: list[Any] = []
    for value in values:
        flat += _flat(value.values) if type(value) is JoinedStr else [value]
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


LAYOUTS: Final[dict[type, tuple[str, list[tuple[str, str, bool]]]]] = {}
LEAVES: Final[dict[type, Callable[[Any], str]]] = {  # nodes that hold no others, which are most
    Name: lambda node: f'Name(id=<s{len(node.id)}:{node.id}> )',
    Constant: lambda node: f'<{_constant(node.value)}>',
    arg: lambda node: f'arg(arg=<s{len(node.arg)}:{node.arg}> )',
}
