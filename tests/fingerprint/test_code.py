"""Finding the syntax tree of code in memory, and the one text and the one digest for it."""

from __future__ import annotations

import ast
import importlib
import linecache
import sys
import textwrap
import types
from typing import Any

import pytest

from awflow.fingerprint import same
from awflow.fingerprint.bytecode import code_digest
from awflow.fingerprint.canonical import digest_of, dump
from awflow.fingerprint.names import names_of
from awflow.fingerprint.source import Sources

STDLIB = [
    'argparse', 'ast', 'asyncio.base_events', 'bisect', 'calendar', 'cmd', 'code', 'codecs', 'collections',
    'concurrent.futures.thread', 'configparser', 'contextlib', 'copy', 'csv', 'dataclasses', 'datetime', 'decimal',
    'difflib', 'dis', 'enum', 'fractions', 'functools', 'gettext', 'glob', 'gzip', 'heapq', 'html.parser',
    'http.client', 'inspect', 'io', 'json.decoder', 'locale', 'logging', 'mimetypes', 'numbers', 'operator', 'os',
    'pathlib', 'pickle', 'pprint', 'queue', 'random', 're', 'sched', 'shelve', 'shlex', 'shutil', 'statistics',
    'string', 'subprocess', 'tarfile', 'textwrap', 'threading', 'tokenize', 'traceback', 'typing', 'uuid', 'warnings',
]  # fmt: skip


def functions_of(module: types.ModuleType) -> list[types.FunctionType]:
    spaces = [vars(module), *(vars(c) for c in vars(module).values() if isinstance(c, type))]
    found = [f for space in spaces for f in space.values() if isinstance(f, types.FunctionType)]
    return [f for f in found if f.__code__.co_filename == module.__file__]


def test_the_tree_of_nearly_every_function_of_the_standard_library_is_found() -> None:
    found = missed = 0
    for name in STDLIB[::4]:
        sources = Sources()
        for function in functions_of(importlib.import_module(name)):
            names_of(function.__code__)
            tree = sources.digest(function.__code__, code_digest(function.__code__))
            found, missed = found + (tree != '-'), missed + (tree == '-')
    assert found > 200
    assert missed <= found * 0.005


def test_every_module_of_the_standard_library_has_one_text_that_its_comments_do_not_change() -> None:
    for name in STDLIB:
        path = importlib.import_module(name).__file__
        assert path
        with open(path, encoding='utf-8') as file:
            tree = ast.parse(file.read())
        assert digest_of(ast.parse(ast.unparse(tree))) == digest_of(tree), name


SAMPLE = '''
@decorated
async def sample(a, /, b: int = 1, *c, d, e=[1, *range(3)], **f) -> None:
    """Docstring."""
    x: int = 0x10 + 1_000 - 1.5e3 * 2j / -0.0 // 3 % 4 ** ~5
    y: str
    global g
    g = f'{a!r:>{b}} {{}} {x=} ' 'tail' f'{y}' if not a and b or c is not d else b'bytes' b'more' if 'π' 'ρ' else ...
    async with a as b, c: pass
    async for i in a:
        if i: continue
        elif j: break
        else: "just a string"
    else:
        del a[1:2, ::3], b.c
    try:
        raise E from None
    except (A, B) as e:
        lambda q, *, r=2: (yield)
    except C: pass
    else: assert a, 'b'
    finally: import a.b as c; from ..d import e as f
    match a:
        case {'k': [1, *_], **rest} | P(1, x=None) if b: return [i async for i in a if i], {**a, 'b': 1}, {1, *c}
        case _ as z: nonlocal_ = await (w := a)(*b, **c)
    def nested(a: int = 3, *b: str) -> int:
        "Doc."
        return a < b <= c != d in e not in f
    class K(Base, metaclass=M):
        """Doc."""
        a: int
        b: int = 3
    return nested, K, 10 ** 5000
'''


def test_the_text_is_the_same_in_every_version_of_python() -> None:
    """Computed with Python 3.10 to 3.13."""
    assert digest_of(ast.parse(SAMPLE).body[0]) == '70c1ca3bcd130c22a82301207d12d280'


def test_the_text_of_a_sum_of_thousands_of_terms_is_made_without_recursion() -> None:
    node: Any = ast.Constant(1)
    for _ in range(10_000):
        node = ast.BinOp(node, ast.Add(), ast.Constant(2))
    assert dump(node).count('BinOp') == 10_000


@pytest.mark.parametrize(
    ('one', 'other'),
    [
        ('lambda: 1', 'lambda: True'),
        ('lambda: "a"', 'lambda: b"a"'),
        ('lambda: (1, 2)', 'lambda: [1, 2]'),
        ('lambda a, b: 0', 'lambda a, *b: 0'),
        ('lambda a, /, b: 0', 'lambda a, b, /: 0'),
        ('lambda a, *, b=1: 0', 'lambda a, b=1: 0'),
        ('lambda: f(a, *b)', 'lambda: f(*a, b)'),
        ('lambda: f"{a!r}"', 'lambda: f"{a!s}"'),
        ('lambda: {**a, 1: 2}', 'lambda: {1: 2, **a}'),
        ('lambda: a if b else c', 'lambda: b if a else c'),
        ('lambda: "a,"', 'lambda: "a"'),
        ('lambda: lambda *, a, b=1: 0', 'lambda: lambda *, a=1, b: 0'),
    ],
)
def test_code_that_differs_has_other_digests(one: str, other: str) -> None:
    trees = [digest_of(ast.parse(text, mode='eval').body) for text in (one, other)]
    codes = [code_digest(eval(text).__code__) for text in (one, other)]
    assert trees[0] != trees[1]
    assert codes[0] != codes[1]


def test_the_bytecode_digest_is_blind_to_place_name_and_docstring() -> None:
    texts = ['def f(a):\n    return a + 1', '\n\n\ndef g(a):\n    "Doc."\n\n    return a + 1']
    found = set()
    for number, text in enumerate(texts):
        space: dict[str, Any] = {}
        exec(compile(text, f'file{number}', 'exec'), space)
        found.add(code_digest((space.get('f') or space['g']).__code__))
    assert len(found) == 1


def test_running_a_function_does_not_change_its_digest() -> None:
    def warm(n: int) -> int:
        return sum(i * n for i in range(n)) + len(str(n))

    before = code_digest(warm.__code__)
    for _ in range(100):
        warm(20)
    assert code_digest(warm.__code__) == before


def tree_of(text: str) -> str:
    return text.partition('/')[0]


def test_lambdas_of_one_line_are_told_apart(project: Any) -> None:
    flow = project.load('fs = [lambda x: x + 1, lambda x: x + 2, lambda x=1: [lambda: 3, lambda: 4]]')
    printer = project.fingerprinter()
    texts = [printer.function(f).components['code of <lambda>'] for f in [*flow.fs, *flow.fs[2]()]]
    assert 'a:-' not in map(tree_of, texts)
    assert len(set(map(tree_of, texts))) == 5


def test_a_file_edited_since_it_was_imported_gives_no_wrong_tree(project: Any) -> None:
    flow = project.load('def f(): return 1\ndef g(): return 2')
    before = project.fingerprinter().function(flow.f).components
    project.write('flow', '# one line more\n\ndef g(): return 3\ndef f(): return 1')
    after = project.fingerprinter()
    assert after.function(flow.f).components == before  # it moved
    assert tree_of(after.function(flow.g).components['code of g']) == 'a:-'  # it is another


def test_code_whose_file_was_edited_is_the_same_by_its_bytecode(project: Any) -> None:
    flow = project.load('def f(): return 1')
    before = project.fingerprinter().function(flow.f).components
    for text in ('def f(): return 2', 'def f(: broken', '\0'):
        project.write('flow', text)
        after = project.fingerprinter().function(flow.f).components
        assert tree_of(after['code of f']) == 'a:-'
        assert same(before, after)


def test_code_made_by_exec_is_known_by_its_bytecode(project: Any) -> None:
    space: dict[str, Any] = {'__name__': '__main__', 'n': 3}
    exec('def f(): return n', space)
    found = project.fingerprinter().function(space['f']).components
    assert tree_of(found['code of f']) == 'a:-'
    assert found['global n'].endswith(' 3')


def test_the_source_of_a_notebooks_cell_is_taken_from_linecache(project: Any) -> None:
    text = 'def f():\n    return 1  # cell\n'
    linecache.cache['<cell 1>'] = (len(text), None, text.splitlines(True), '<cell 1>')
    space: dict[str, Any] = {'__name__': '__main__'}
    exec(compile(text, '<cell 1>', 'exec'), space)
    try:
        found = project.fingerprinter().function(space['f']).components
    finally:
        del linecache.cache['<cell 1>']
    assert tree_of(found['code of f']) != 'a:-'


def test_methods_decorated_and_nested_functions_are_found(project: Any) -> None:
    flow = project.load('''
        from __future__ import annotations
        import functools
        def d(f): return f
        class C:
            class D:
                @d
                @functools.cache
                def __m(self): return super(), lambda: self.__m
        def outer(x):
            @d
            async def f(a=lambda: 1): return [x async for x in a]
            return f
        fs = [vars(C.D)['_D__m'].__wrapped__, outer(1), outer(1).__defaults__[0]]
    ''')  # fmt: skip
    printer = project.fingerprinter()
    for f in flow.fs:
        assert tree_of(next(iter(printer.function(f).components.values()))) != 'a:-', f


def test_names_are_read_with_the_attributes_that_follow() -> None:
    text = """
        def f(p):
            global counter
            counter += 1
            import a.b
            from ..c import d, e
            mod.n = mod.deep.g(p.attribute)
            class K:
                k = glob
            return [x.y for x in items], lambda: (free, mod.g), vars(mod)
    """
    space: dict[str, Any] = {}
    exec(textwrap.dedent(text), space)
    names = names_of(space['f'].__code__)
    assert {('counter',), ('mod', 'deep', 'g'), ('glob',), ('items',), ('free',), ('mod', 'g'), ('vars',), ('mod',)} <= set(
        names.loaded
    )
    assert names.assigned == {'counter'}
    assert names.written == {('mod', 'n')}
    assert set(names.imports) == {('a.b', 0, ()), ('c', 2, ('d', 'e'))}


def test_attributes_of_enclosing_variables_are_read_through_nested_functions() -> None:
    def outer(module: Any, shadowed: Any) -> Any:
        def f() -> Any:
            shadowed = 1
            return lambda: (module.a, shadowed), [module.b.c for _ in '']

        return f

    names = names_of(outer(sys, 1).__code__)
    assert {name: set(chains) for name, chains in names.free.items()} == {'module': {('a',), ('b', 'c')}}
