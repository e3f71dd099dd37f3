"""Edits after which nothing may run again."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conftest import Workspace
from tests.triggers.table import Projects, Row, must_not_rerun, project, table

SCRIPT = project('''
    import os
    import sys
    import numpy as np
    from dataclasses import dataclass
    from enum import Enum
    from typing import NamedTuple, TypedDict, Union
    import util
    from util import twice, LIMIT

    """A text that stands alone."""
    Number = Union[int, float]
    table = {'a': 1, 'b': {'x', 'y'}, 'c': [1, 2]}
    names = {'x', 'y', 'z'}
    frozen = frozenset({'p', 'q'})
    matrix = np.arange(6.0).reshape(2, 3)
    keys = {'k': 1, 'l': 2}.keys()
    nested = {'outer': {'k': {1, 2}, 'l': 2}}

    class Options(TypedDict, total=False):
        depth: int
    class Kind(Enum):
        """Kinds."""
        A = 'a'  # the first
    @dataclass
    class Config:
        """What is set."""
        width: int = 3
        def area(self) -> int:
            """Its area."""
            return self.width ** 2
    class Point(NamedTuple):
        x: int = 1
    def helper(x: int, y: float = 2.5) -> float:
        """Helps."""
        # a comment
        z: int = x
        return z + y
    def unused(): return 'unused'
    def annotated(options: Options, kind: Kind = Kind.A) -> Number:
        count: Number
        count = len(options)
        return count
    def long_call(a, b, c): return (a, b, c)

    @inputs('data.txt')
    @outputs('out.txt')
    @job(cpus=1)
    def main():
        """What it does."""
        with open('out.txt', 'w') as f: f.write(open('data.txt').read())
        print(helper(1), table, names, frozen, keys)
        return 'returned'
    @job(array=[3, 1, 2])
    def element(i: int) -> None:
        print(f'{i} of {len(nested)}')
    @after(main)
    @ensure(lambda: os.path.exists('out.txt'))
    @job
    def below():
        if twice(2) > 3 and LIMIT: print(Config().area(), Kind.A, Point(), matrix)
        print(annotated({}), long_call(1, 2, 3), "double", 'single')
''', {'util.py': '''
        """Utilities."""
        import functools
        LIMIT = 10
        OTHER = 20
        def twice(x): return x * 2
        def other(): return OTHER
        @functools.lru_cache
        def third(): return 3
        ''', 'data.txt': 'data'})  # fmt: skip


def touched(*names: str) -> Callable[[Workspace], None]:
    def edit(workspace: Workspace) -> None:
        for name in names:
            os.utime(workspace.path / name, (1_000_000_000, 1_000_000_000))

    return edit


def rewritten(name: str) -> Callable[[Workspace], None]:
    """The same bytes in another file of the same name, as editors save."""

    def edit(workspace: Workspace) -> None:
        path = workspace.path / name
        path.with_suffix('.new').write_bytes(path.read_bytes())
        path.with_suffix('.new').replace(path)

    return edit


def appended(text: str, name: str = 'flow.py') -> Callable[[Workspace], None]:
    return lambda workspace: (workspace.write(name, workspace.read(name) + text), None)[1]


def moved(workspace: Workspace) -> None:
    """The project under a name with spaces and signs, in another folder."""
    new = workspace.path.parent / 'an other' / 'place-ä'
    new.parent.mkdir()
    workspace.path.rename(new)
    workspace.path = new


def linked(workspace: Workspace) -> None:
    link = workspace.path.parent / 'link'
    link.symlink_to(workspace.path)
    workspace.path = link


def reformatted(*options: str) -> Callable[[Workspace], None]:
    """What `ruff format` makes of it."""

    def edit(workspace: Workspace) -> None:
        ruff = Path(sys.executable).with_name('ruff')
        for name in ('flow.py', 'util.py'):
            before = workspace.read(name)
            subprocess.run([ruff, 'format', '--isolated', '-q', *options, name], cwd=workspace.path, check=True)
            assert workspace.read(name) != before

    return edit


def without(pattern: str, name: str = 'flow.py') -> Callable[[Workspace], None]:
    def edit(workspace: Workspace) -> None:
        before = workspace.read(name)
        after = re.sub(pattern, '', before)
        assert after != before, pattern
        workspace.write(name, after)

    return edit


def unparsed(workspace: Workspace) -> None:
    """The script written anew from its syntax tree: every comment, blank line, quote and parenthesis is another."""
    import ast

    for name in ('flow.py', 'util.py'):
        workspace.write(name, ast.unparse(ast.parse(workspace.read(name))) + '\n')


@table(
    (SCRIPT, [
        Row('nothing at all'),
        Row('a comment', '# a comment', '# another comment'),
        Row('a comment above everything', 'import os\n', '# first\n\nimport os\n'),
        Row('a comment at the end of a line', '# the first', '# one'),
        Row('a comment inside an expression', 'long_call(1, 2, 3)', 'long_call(1,  # one\n        2, 3)'),
        Row('a comment in a helper in another module', 'LIMIT = 10', 'LIMIT = 10  # ten', file='util.py'),
        Row('blank lines', 'def helper', '\n\n\n\ndef helper', '    z: int', '\n\n    z: int'),
        Row('the docstring of a job', 'What it does.', 'What it did.'),
        Row('the docstring of a job that goes', '        """What it does."""\n'.removeprefix('    '), ''),
        Row('a docstring that comes', "def unused(): return 'unused'", "def unused():\n    'Not used.'\n    return 'unused'"),
        Row('the docstring of a helper', 'Helps.', 'Helps a lot.'),
        Row('the docstring of a class', 'What is set.', 'Settings.'),
        Row('the docstring of an enum', 'Kinds.', 'Sorts.'),
        Row('the docstring of a method', 'Its area.', 'The area.'),
        Row('the docstring of a module', 'Utilities.', 'Useful things.', file='util.py'),
        Row('a text that stands alone', 'A text that stands alone.', 'Another.'),
        Row('annotations of parameters', 'x: int, y: float = 2.5', 'x: float, y: "int" = 2.5'),
        Row('annotations that go', 'x: int, y: float = 2.5) -> float', 'x, y=2.5)'),
        Row('the annotation of a result', '-> None', '-> int'),
        Row('the annotation of a variable', 'z: int = x', 'z: float = x'),
        Row('the annotation of a variable that goes', 'z: int = x', 'z = x'),
        Row('a bare annotation', 'count: Number', 'count: int'),
        Row('a bare annotation that goes', '    count: Number\n', ''),
        Row('the annotation of a dataclass field', 'width: int = 3', 'width: float = 3'),
        Row('the annotation of a NamedTuple field', 'x: int = 1', 'x: float = 1'),
        Row('a key of a TypedDict that only annotates', 'depth: int', 'depth: float\n    width: int'),
        Row('a type alias that only annotates', 'Union[int, float]', 'Union[int, complex]'),
        Row('annotations that are not evaluated', 'from awflow import *', 'from __future__ import annotations\nfrom awflow import *'),
        Row('ruff format', reformatted()),
        Row('ruff format with short lines and single quotes', reformatted('--line-length=40', '--config', "format.quote-style='single'")),
        Row('black style: double quotes, split lines and a magic trailing comma', "'single')",
            '"single",\n    )', 'long_call(1, 2, 3)', 'long_call(\n        1,\n        2,\n        3,\n    )'),
        Row('the script written from its syntax tree', unparsed),
        Row('parentheses', 'return z + y', 'return (z + (y))'),
        Row('a backslash', 'return z + y', 'return z \\\n        + y'),
        Row('semicolons', "print(f'{i} of {len(nested)}')", "print(f'{i} of {len(nested)}');"),
        Row('indentation', '    z: int = x\n    return z + y', '      z: int = x\n      return z + y', '    """Helps."""\n', '      """Helps."""\n'),
        Row('raw and joined strings', '"double"', 'r"dou" "ble"'),
        Row('an escaped string', '"double"', '"\\x64ouble"'),
        Row('a number spelled otherwise', 'LIMIT = 10', 'LIMIT = 0xA', file='util.py'),
        Row('a number in a body spelled otherwise', '** 2', '** 0b1_0'),
        Row('pass that goes in', 'return z + y', 'pass\n    return z + y'),
        Row('Windows line ends', lambda w: (w.path / 'flow.py').write_bytes(w.read('flow.py').replace('\n', '\r\n').encode()) and None),
        Row('tabs for spaces', lambda w: w.write('util.py', w.read('util.py').replace('    ', '\t')) and None,
            appended('def tabbed():\n\treturn 1\n', 'util.py')),
        Row('no newline at the end', lambda w: w.write('util.py', w.read('util.py').rstrip()) and None),
        Row('a byte order mark', lambda w: (w.path / 'util.py').write_bytes(b'\xef\xbb\xbf' + w.read('util.py').encode()) and None),
        Row('a declared encoding', lambda w: w.write('util.py', '# coding: utf-8\n' + w.read('util.py')) and None),
        Row('a moved project', moved),
        Row('a dict literal in another order', "{'a': 1, 'b': {'x', 'y'}, 'c': [1, 2]}", "{'c': [1, 2], 'b': {'y', 'x'}, 'a': 1}"),
        Row('a dict made by dict()', "{'a': 1, 'b': {'x', 'y'}, 'c': [1, 2]}", "dict(c=[1, 2], b={'y', 'x'}, a=1)"),
        Row('the keys of a dict in another order', "{'k': 1, 'l': 2}.keys()", "{'l': 2, 'k': 1}.keys()"),
        Row('a set literal in another order', "{'x', 'y', 'z'}", "{'z', 'y', 'x'}"),
        Row('a set literal that repeats itself', "{'x', 'y', 'z'}", "{'z', 'y', 'x', 'x'}"),
        Row('a frozenset in another order', "{'p', 'q'}", "{'q', 'p'}"),
        Row('a set deep in a dict in another order', "{'k': {1, 2}, 'l': 2}", "{'l': 2, 'k': {2, 1}}"),
        Row('a value computed otherwise', 'LIMIT = 10', 'LIMIT = 5 + 5', file='util.py'),
        Row('an array computed otherwise', 'np.arange(6.0).reshape(2, 3)', 'np.array([[0., 1, 2], [3, 4, 5]])'),
        Row('an array in another memory layout', 'np.arange(6.0).reshape(2, 3)', 'np.asfortranarray(np.arange(6.0).reshape(2, 3))'),
        Row('an array that is a view', 'np.arange(6.0).reshape(2, 3)', 'np.arange(12.0).reshape(2, 6)[:1].reshape(6)[:6].reshape(2, 3)'),
        Row('an array that is read-only', 'reshape(2, 3)\n', 'reshape(2, 3); matrix.flags.writeable = False\n'),
        Row('imports in another order', 'import os\nimport sys\n', 'import sys\nimport os\n'),
        Row('an import that goes', 'import sys\n', ''),
        Row('an import that comes', 'import sys\n', 'import sys\nimport json\n'),
        Row('an import of a sibling in another order', 'import util\nfrom util import twice, LIMIT', 'from util import LIMIT, twice\nimport util'),
        Row('imports on one line', 'import os\nimport sys\n', 'import os, sys\n'),
        Row('an unrelated function', 'def unused', 'def unrelated(): return 1\ndef unused'),
        Row('an unrelated class, global and import', 'def unused', 'import math\nPI = math.pi\nclass Unrelated: pass\ndef unused'),
        Row('an unrelated function in another module', appended('\ndef more(): return LIMIT + 1\n', 'util.py')),
        Row('a function that nobody uses', "return 'unused'", "return 'still unused'"),
        Row('a function that nobody uses, in another module', 'return OTHER', 'return OTHER + 1', file='util.py'),
        Row('a global that nobody uses, in another module', 'OTHER = 20', 'OTHER = 21', file='util.py'),
        Row('functions in another order', without(r"def unused\(\): return 'unused'\n"), appended("def unused(): return 'unused'\n")),
        Row('a function that goes to the front', without(r'def twice.*\n', 'util.py'),
            lambda w: w.write('util.py', 'def twice(x): return x * 2\n' + w.read('util.py')) and None),
        Row('another hash seed', PYTHONHASHSEED='77'),
        Row('yet another hash seed', PYTHONHASHSEED='0'),
        Row('Python without assertions', PYTHONOPTIMIZE='1'),
        Row('Python without docstrings', PYTHONOPTIMIZE='2'),
        Row('bytecode caches elsewhere', PYTHONPYCACHEPREFIX='caches', PYTHONDONTWRITEBYTECODE=''),
        Row('a git repository around it', lambda w: (w.path.parent / '.git').mkdir()),
        Row('the project behind a symlink', linked),
        Row('monkeypatching that comes to the same', 'def unused', 'util.twice = util.twice\ndef unused'),
        Row('an environment variable', SOME_VARIABLE='1'),
        Row('touched files', touched('data.txt', 'out.txt', 'flow.py', 'util.py')),
        Row('an input with the same bytes', rewritten('data.txt')),
        Row('an output with the same bytes', rewritten('out.txt')),
        Row('permissions of an input', lambda w: (w.path / 'data.txt').chmod(0o600)),
        Row('another file', lambda w: w.write('notes.md', 'notes') and None),
        Row('resources', '@job(cpus=1)', "@job(cpus=2, memory='1GB', timelimit='1:00:00', retries=1)"),
        Row('the order of an array', '[3, 1, 2]', '[1, 2, 3]'),
        Row('a shorter array', '[3, 1, 2]', '[3, 1]'),
        Row('a postcondition that holds too', "os.path.exists('out.txt')", "os.path.isfile('out.txt')"),
        Row('a new postcondition that holds', '@ensure(lambda', '@ensure(lambda: True)\n@ensure(lambda'),
        Row('@job() for @job', '@job(array=[3, 1, 2])', '@job(array=[3, 1, 2],)'),
        Row('a variable renamed that nobody uses', 'Number = Union', 'Numeric = Number = Union'),
    ]),
)  # fmt: skip
def test_nothing_runs_again(row: Row, projects: Projects) -> None:
    must_not_rerun(projects.after(row))
