"""Functions are found by cutting their statement out of the file, and nothing but time depends on how it is cut."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from awflow.fingerprint import source
from awflow.fingerprint.bytecode import alike, code_digest
from awflow.fingerprint.source import Sources

TRICKY = '''\
"""A file in which statements are hard to tell apart."""
import math
import os.path as paths
from functools import (
    lru_cache,
    wraps,
)

TEXT = """
def ordinary(x):
    return 'only a string'
"""


def ordinary(x):
    """
Begins at the margin.
    """
    return paths.join(math.floor(x), """
at the margin
""")


def decorator(f):
    @wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper


@decorator
@lru_cache(
    maxsize=3
)
def decorated(
    x,
    y=(lambda z: z + 1),
):
# a comment at the margin
    return [i for i in range(x)], (
x
)


if len(TEXT) > 3:
    def conditional(x):
        return x + 1
else:
    def conditional(x):
        return x + 2

try:
    from nowhere import missing
except ImportError:
    def missing(x):
        return missing.__name__

TABLE = {
    'a': lambda x: x + 1, 'b': lambda x: x + 2,
'c': lambda x: math.sqrt(x),
}


class Outer(dict):
    def method(self, x):
        return super().get(self.__hidden(x))

    def __hidden(self, x): return x

    class Inner:
        @property
        def value(self): return 1 + \\
2


def one_line(x): return x
def next_line(x): return x * 2
last = lambda x: x - 1'''
ENCODED = '# -*- coding: latin-1 -*-\ndef f():\n    return "\u00e9"\n'


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(text: str | bytes, name: str = 'blocks_under_test') -> Any:
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / f'{name}.py').write_bytes(data)
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield load
    sys.modules.pop('blocks_under_test', None)


def codes(module: types.ModuleType) -> list[types.CodeType]:
    """Every function's code below the module's, not only what has a name at the end."""
    text = Path(str(module.__file__)).read_bytes()
    found = [compile(text, str(module.__file__), 'exec', dont_inherit=True)]
    for code in found:
        found += [const for const in code.co_consts if isinstance(const, types.CodeType)]
    return [code for code in found if code.co_flags & inspect.CO_OPTIMIZED and not code.co_name.startswith('<gen')]


def by_parsing(code: types.CodeType) -> str:
    """The digest as the whole file has it."""
    sources = Sources()
    file = sources.file(code.co_filename)
    return file.find(code, code_digest(code)) if file is not None else '-'


@pytest.mark.parametrize(('old', 'new'), [('', ''), ('\n', '\r\n'), ('\n', '\r'), ('\n\n', '\n\f\n'), ('\ndef', '\n\fdef')])
def test_a_statement_that_is_cut_out_has_the_digest_that_it_has_in_its_file(load: Any, old: str, new: str) -> None:
    module = load(TRICKY.replace(old, new))
    found = codes(module)
    assert len(found) > 15
    for code in found:
        if code.co_name not in ('<listcomp>', '<genexpr>'):
            digest = Sources().digest(code, code_digest(code))
            assert digest == by_parsing(code) != '-', code


@pytest.mark.parametrize('name', ['argparse', 'textwrap', 'dataclasses', 'tempfile', 'functools', 'enum'])
def test_functions_of_the_standard_library_have_the_same_digest_either_way(name: str) -> None:
    module = importlib.import_module(name)
    sources = Sources()
    for code in codes(module):
        if not code.co_name.startswith('<'):
            assert sources._in_block(code) in ('', by_parsing(code)), code


NEEDS_NO_PARSING = [
    'ordinary', 'decorated.__wrapped__.__wrapped__', 'decorator', 'decorated', 'Outer.method', 'Outer._Outer__hidden',
    'one_line', 'next_line', 'last',
]  # fmt: skip


@pytest.mark.parametrize('name', NEEDS_NO_PARSING)
def test_the_usual_function_is_found_without_parsing_its_file(load: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    module = load(TRICKY.replace('\nat the margin\n', ' ').replace('\\\n2', '2'))  # which no layout makes plain
    code = eval(name, vars(module)).__code__
    monkeypatch.setattr(Sources, 'file', lambda self, filename: pytest.fail(f'parsed {filename}'))
    assert Sources().digest(code, code_digest(code)) != '-'


def test_a_file_that_is_not_in_utf_8_is_parsed_as_it_declares(load: Any) -> None:
    f = load(ENCODED.encode('latin-1')).f
    assert f() == '\u00e9'
    assert Sources().digest(f.__code__, code_digest(f.__code__)) == by_parsing(f.__code__) != '-'


def test_lines_that_were_edited_since_the_import_are_not_taken_for_the_function(load: Any, tmp_path: Path) -> None:
    module = load('def f():\n    return 1\n\n\ndef g():\n    return 2\n')
    before = {name: Sources().digest(getattr(module, name).__code__, '') for name in 'fg'}
    path = tmp_path / 'blocks_under_test.py'
    path.write_text('def f():\n    return 3\n\n\ndef g():\n    return 4\n')
    for name in 'fg':
        code = getattr(module, name).__code__
        assert Sources().digest(code, code_digest(code)) == '-'
    path.write_text('def g():\n    return 2\n\n\ndef f():\n    return 1\n')  # exchanged
    for name in 'fg':
        code = getattr(module, name).__code__
        assert Sources().digest(code, code_digest(code)) == before[name]


def test_functions_that_all_moved_are_looked_for_once_and_not_one_by_one(load: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    text = ''.join([f'def f{i}():\n    return {i}\n' for i in range(60)])
    module = load(text)
    Path(str(module.__file__)).write_text('# one line more\n' + text)
    compiled = []
    compile_ = source._compile
    monkeypatch.setattr(source, '_compile', lambda *args: compiled.append(1) or compile_(*args))
    sources = Sources()
    for i in range(60):
        code = getattr(module, f'f{i}').__code__
        assert sources.digest(code, code_digest(code)) != '-'
    assert len(compiled) <= 60 + 1  # each statement once, and the block that the first one was not in


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('lambda: 1', 'lambda: 1.0'), ('lambda: 1', 'lambda: True'), ('lambda: 0.0', 'lambda: -0.0'), ('lambda: "a"', 'lambda: b"a"'),
        ('lambda x: x.a', 'lambda x: x.b'), ('lambda x: 1', 'lambda y: 1'), ('lambda x: x', 'lambda *x: x'),
        ('lambda: (1, 2)', 'lambda: (1, 2.0)'), ('lambda x: (lambda: 1)', 'lambda x: (lambda: 2)'),
        ('lambda x: (None, lambda: x)', 'lambda x: (lambda: x, None)'), ('lambda x: x in {1, 2}', 'lambda x: x in {1, 3}'),
    ],
)  # fmt: skip
def test_code_that_differs_is_not_alike(one: str, other: str) -> None:
    a, b = (eval(text).__code__ for text in (one, other))
    assert code_digest(a) != code_digest(b)
    assert not alike(a, b)
    assert alike(a, eval('\n\n' + one).__code__)


def test_importing_awflow_and_defining_jobs_does_not_load_the_fingerprints(tmp_path: Path) -> None:
    text = """
        import sys
        from awflow import after, ensure, job
        @ensure(lambda: True)
        @job
        def one(): ...
        @after(one)
        @job(array=range(3))
        def two(i): ...
        print([name for name in sys.modules if name.startswith('awflow.fingerprint')])
    """
    script = tmp_path / 'flow.py'
    script.write_text(inspect.cleandoc(text))
    assert subprocess.run([sys.executable, script], capture_output=True, text=True, check=True).stdout == '[]\n'
