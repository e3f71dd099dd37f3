"""Whether a script calls `schedule` once at most, as far as its source says so: then what that call was given is all there is.

A script with work to do is asked up to its first `schedule` with work in it, because what follows relies on that work. Most
scripts have one such call, and then nothing follows. This must not take two for one, so whatever is not plain to see counts
as more: a call in a loop, in a function that is not called from one place, in another file of the project.
"""

from __future__ import annotations

import ast
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

WORD: Final = 'schedule'
REPEATING: Final = (
    ast.For, ast.AsyncFor, ast.While, ast.Lambda, ast.ClassDef, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp,
)  # fmt: skip


def called_once(script: str) -> bool:
    """Whether this file calls `schedule` in one place, which runs once, and no file of the project that it imports may."""
    tree = _parsed(script)
    return tree is not None and _once(tree, WORD) and not any(_mentioned(path) for path in _imported(script, tree))


def _parsed(path: str) -> ast.Module | None:
    try:
        with open(path, 'rb') as file:
            return ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return None


def _once(tree: ast.Module, name: str, within: frozenset[str] = frozenset()) -> bool:
    """Whether what bears this name is called in one place, which is reached once, and is not handed to anybody."""
    uses = [each for each in _uses(tree, (), False) if each[0] == name]
    if len(uses) != 1:
        return False
    _, around, called = uses[0]
    functions = [node.name for node in around if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    if not called or name in within or any(isinstance(node, REPEATING) for node in around):
        return False
    return all(_once(tree, function, within | {name}) for function in functions)


def _uses(node: ast.AST, around: tuple[ast.AST, ...], called: bool) -> Iterator[tuple[str, tuple[ast.AST, ...], bool]]:
    """Every name and attribute that is read, with the nodes around it and whether it is called."""
    if isinstance(node, (ast.Name, ast.Attribute)) and isinstance(node.ctx, ast.Load):
        yield node.id if isinstance(node, ast.Name) else node.attr, around, called
    for child in ast.iter_child_nodes(node):
        yield from _uses(child, (*around, node), isinstance(node, ast.Call) and child is node.func)


def _imported(script: str, tree: ast.Module) -> Iterator[str]:
    """The files beside the script that it imports, and those that they import."""
    folder = os.path.dirname(os.path.abspath(script))
    seen: set[str] = set()
    rest = [tree]
    while rest:
        for name in _modules(rest.pop()):
            for path in _files(os.path.join(folder, *name.split('.')[:1])):
                if path not in seen:
                    seen.add(path)
                    yield path
                    if (found := _parsed(path)) is not None:
                        rest.append(found)


def _modules(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _files(place: str) -> Iterator[str]:
    """The files of a module or package that would lie here."""
    if os.path.isfile(f'{place}.py'):
        yield f'{place}.py'
    for folder, _, names in os.walk(place):
        yield from (os.path.join(folder, name) for name in sorted(names) if name.endswith('.py'))


def _mentioned(path: str) -> bool:
    """Whether a file may call it, or says anything of it."""
    try:
        with open(path, 'rb') as file:
            return WORD.encode() in file.read()
    except OSError:
        return True
