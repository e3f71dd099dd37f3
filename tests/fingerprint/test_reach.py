"""What an edit changes in a fingerprint, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

UNCHANGED = {
    'comments and whitespace': ('def f():\n    return 1', '# new\n\n\ndef f( ):  # here\n\n    return (1)'),
    'docstrings': ('def f():\n    "old"\n    return 1', 'def f():\n    """new\n    one"""\n    return 1'),
    'a docstring added': ('def f():\n    return 1', 'def f():\n    "new"\n    return 1'),
    'annotations': ('def f(a: int) -> int:\n    b: int = a\n    return b', 'def f(a):\n    b = a\n    return b'),
    'code around it': ('x = 1\ndef f():\n    return 1', 'y = [3]\ndef g(): ...\nx = 2\ndef f():\n    return 1'),
    'the function it is next to': ('g = lambda: 1; f = lambda: 2', 'g = lambda: 3; f = lambda: 2'),
    'a decorator that returns a job': (
        'from conftest_job import job\n@job\ndef g():\n    return 1\ndef f():\n    return g.result()',
        'from conftest_job import job\n@job\ndef g():\n    return 2\ndef f():\n    return g.result()',
    ),
    'another attribute of a module': (
        'import util\ndef f():\n    return util.g()',
        'import util\ndef f():\n    return util.g()',
    ),
    'a global it assigns': ('n = 1\ndef f():\n    global n\n    n += 1', 'n = 2\ndef f():\n    global n\n    n += 1'),
    'the order of methods': (
        'class C:\n    def a(self): return 1\n    def b(self): return 2\ndef f():\n    return C()',
        'class C:\n    "doc"\n    def b(self): return 2\n    def a(self): return 1\ndef f():\n    return C()',
    ),
    'names of built-in functions': ('def f():\n    return len(())', 'unused = 1\ndef f():\n    return len(())'),
    'the order of a set': ('s = {"a", "b"}\ndef f():\n    return s', 's = {"b", "a"}\ndef f():\n    return s'),
    'the cache of an lru_cache': (
        'import functools\n@functools.lru_cache\ndef g(x): return x\ndef f():\n    return g(1)',
        'import functools\n@functools.lru_cache\ndef g(x): return x\ng(3)\ndef f():\n    return g(1)',
    ),
}


@pytest.mark.parametrize('case', UNCHANGED)
def test_does_not_count(project: Any, case: str) -> None:
    old, new = UNCHANGED[case]
    util = ('def g(): return 1\ndef other(): return 1\nn = 3', 'def g(): return 1\ndef other(): return 2\nn = 4')
    job = (
        'class Job:\n    def __init__(self, f): self.function, self.name = f, f.__name__\n    def result(self): ...\njob = Job'
    )
    project.fingerprinter = lambda: _knowing_jobs(project)
    assert project.changes(old, new, util=util, conftest_job=job) == []


def _knowing_jobs(project: Any) -> Any:
    from awflow.fingerprint import Fingerprinter

    return Fingerprinter(str(project.root), lambda value: type(value).__name__ == 'Job')


HELPER = 'def g(x):\n    return x + {}\n'
CHANGED = {
    'its own code': ('def f():\n    return 1', 'def f():\n    return 2', ['code of f']),
    'the type of a constant': ('def f():\n    return 1', 'def f():\n    return 1.0', ['code of f']),
    'the sign of zero': ('def f():\n    return 0.0', 'def f():\n    return -0.0', ['code of f']),
    'a name of a parameter': ('def f(a=1):\n    return 1', 'def f(b=1):\n    return 1', ['code of f', 'default a of f', 'default b of f']),
    'one of two lambdas on a line': ('f = lambda: 1; g = lambda: 2', 'f = lambda: 2; g = lambda: 2', ['code of <lambda>']),
    'a nested function': ('def f():\n    def g(): return 1\n    return g', 'def f():\n    def g(): return 2\n    return g', ['code of f']),
    'a default of a nested function': (
        'def f():\n    def g(a=1): return a\n    return g', 'def f():\n    def g(a=2): return a\n    return g', ['code of f'],
    ),
    'a default': ('def f(k=1): ...', 'def f(k=2): ...', ['default k of f']),
    'a default of a keyword': ('def f(*, k=1): ...', 'def f(*, k=2): ...', ['default k of f']),
    'a global': ('n = 1\ndef f(): return n', 'n = 2\ndef f(): return n', ['global n']),
    'a global of a nested function': (
        'n = 1\ndef f():\n    return lambda: [n for _ in ""]', 'n = 2\ndef f():\n    return lambda: [n for _ in ""]', ['global n'],
    ),
    'a global that is gone': ('n = 1\ndef f(): return n', 'def f(): return n', ['global n']),
    'a closure': (
        'def make(x):\n    def f(): return x\n    return f\nf = make(1)', 'def make(x):\n    def f(): return x\n    return f\nf = make(2)',
        ['closure x of f'],
    ),
    'a helper': (HELPER.format(1) + 'def f(): return g(1)', HELPER.format(2) + 'def f(): return g(1)', ['helper g']),
    'a helper of a helper': (
        HELPER.format(1) + 'def h(x): return g(x)\ndef f(): return h(1)', HELPER.format(2) + 'def h(x): return g(x)\ndef f(): return h(1)',
        ['helper g'],
    ),
    'helpers that call each other': (
        'def a(n): return b(n)\ndef b(n): return a(n)\ndef f(): return a(1)',
        'def a(n): return b(n)\ndef b(n): return a(n + 1)\ndef f(): return a(1)', ['helper b'],
    ),
    'a default of a helper': (
        'def g(k=1): return k\ndef f(): return g()', 'def g(k=2): return k\ndef f(): return g()', ['default k of g'],
    ),
    'what a name is bound to': (
        'def a(): ...\ndef b(): return 1\nx, y = a, b\ndef f(): return x(), y()',
        'def a(): ...\ndef b(): return 1\nx, y = b, a\ndef f(): return x(), y()', ['global x', 'global y'],
    ),
    'a method': (
        'class C:\n    def m(self): return 1\ndef f(): return C().m()', 'class C:\n    def m(self): return 2\ndef f(): return C().m()',
        ['helper C.m'],
    ),
    'a property': (
        'class C:\n    @property\n    def p(self): return 1\ndef f(): return C().p',
        'class C:\n    @property\n    def p(self): return 2\ndef f(): return C().p', ['helper C.p'],
    ),
    'a class attribute': ('class C:\n    a = 1\ndef f(): return C.a', 'class C:\n    a = 2\ndef f(): return C.a', ['class C']),
    'a base class': (
        'class B:\n    a = 1\nclass C(B): ...\ndef f(): return C', 'class B:\n    a = 2\nclass C(B): ...\ndef f(): return C', ['class B'],
    ),
    'an attribute of an instance': (
        'class C: ...\nc = C(); c.a = 1\ndef f(): return c', 'class C: ...\nc = C(); c.a = 2\ndef f(): return c', ['global c'],
    ),
    'a method of an instance': (
        'class C:\n    def m(self): return 1\nc = C()\ndef f(): return c.m()', 'class C:\n    def m(self): return 2\nc = C()\ndef f(): return c.m()',
        ['helper C.m'],
    ),
    'a bound method': (
        'class C:\n    def m(self): return 1\nm = C().m\ndef f(): return m()', 'class C:\n    def m(self): return 2\nm = C().m\ndef f(): return m()',
        ['helper C.m'],
    ),
    'a field of a dataclass': (
        'from dataclasses import dataclass\n@dataclass\nclass D:\n    x: int\ndef f(): return D(1)',
        'from dataclasses import dataclass\n@dataclass\nclass D:\n    y: int\ndef f(): return D(1)', ['class D'],
    ),
    'a member of an enumeration': (
        'from enum import Enum\nclass E(Enum):\n    A = 1\ndef f(): return E.A', 'from enum import Enum\nclass E(Enum):\n    A = 2\ndef f(): return E.A',
        ['class E'],
    ),
    'a method of an enumeration': (
        'from enum import Enum\nclass E(Enum):\n    A = 1\n    def m(self): return 1\ndef f(): return E.A',
        'from enum import Enum\nclass E(Enum):\n    A = 1\n    def m(self): return 2\ndef f(): return E.A', ['helper E.m'],
    ),
    'a default of a named tuple': (
        'from typing import NamedTuple\nclass T(NamedTuple):\n    a: int = 1\ndef f(): return T()',
        'from typing import NamedTuple\nclass T(NamedTuple):\n    a: int = 2\ndef f(): return T()', ['class T'],
    ),
    'what a partial calls': (
        'from functools import partial\ndef g(a): return a\np = partial(g, 1)\ndef f(): return p()',
        'from functools import partial\ndef g(a): return -a\np = partial(g, 1)\ndef f(): return p()', ['helper g'],
    ),
    'what a partial passes': (
        'from functools import partial\ndef g(a): return a\np = partial(g, 1)\ndef f(): return p()',
        'from functools import partial\ndef g(a): return a\np = partial(g, 2)\ndef f(): return p()', ['global p'],
    ),
    'what an lru_cache caches': (
        'import functools\n@functools.lru_cache\ndef g(x): return x\ndef f(): return g(1)',
        'import functools\n@functools.lru_cache\ndef g(x): return -x\ndef f(): return g(1)', ['helper g'],
    ),
    'a context manager': (
        'from contextlib import contextmanager as c\n@c\ndef g(): yield 1\ndef f():\n    with g() as x: return x',
        'from contextlib import contextmanager as c\n@c\ndef g(): yield 2\ndef f():\n    with g() as x: return x', ['helper g'],
    ),
    'an implementation of a singledispatch': (
        'from functools import singledispatch\n@singledispatch\ndef g(x): ...\n@g.register\ndef _(x: int): return 1\ndef f(): return g(1)',
        'from functools import singledispatch\n@singledispatch\ndef g(x): ...\n@g.register\ndef _(x: int): return 2\ndef f(): return g(1)',
        ['helper _ of g'],
    ),
    'what a decorator wraps': (
        'import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(): return g()\n    return w\n@d\ndef g(): return 1\ndef f(): return g()',
        'import functools\ndef d(g):\n    @functools.wraps(g)\n    def w(): return g()\n    return w\n@d\ndef g(): return 2\ndef f(): return g()',
        ['helper g'],
    ),
    'what a decorator does': (
        'def d(g):\n    def w(): return g()\n    return w\n@d\ndef g(): return 1\ndef f(): return g()',
        'def d(g):\n    def w(): return -g()\n    return w\n@d\ndef g(): return 1\ndef f(): return g()', ['helper w'],
    ),
    'functions in a table': (
        't = {"a": lambda: 1, "b": lambda: 2}\ndef f(): return t', 't = {"b": lambda: 1, "a": lambda: 2}\ndef f(): return t',
        ['helper <lambda> of t', 'helper <lambda> of t #2'],
    ),
    'known functions exchanged in a table': (
        'a = lambda: 1\nb = lambda: 2\nt = [a, b]\ndef f(): return a, b, t', 'a = lambda: 1\nb = lambda: 2\nt = [b, a]\ndef f(): return a, b, t',
        ['global t'],
    ),
    'which of two closures a third name stands for': (
        'def make(k):\n    def g(): return k\n    return g\na, b = make(1), make(2)\nc = a\ndef f(): return a(), b(), c()',
        'def make(k):\n    def g(): return k\n    return g\na, b = make(1), make(2)\nc = b\ndef f(): return a(), b(), c()',
        ['global c'],
    ),
    'what a function made by a factory captured': (
        'def make(k):\n    def g(): return k\n    return g\na = make(1)\ndef f(): return a()',
        'def make(k):\n    def g(): return k\n    return g\na = make(2)\ndef f(): return a()',
        ['closure k of a'],
    ),
    'a default of a function that calls itself': (
        'def f(n=1): return f(n)',
        'def f(n=2): return f(n)',
        ['default n of f', 'default n of global f'],
    ),
    'a closure of an inner function that calls itself': (
        'def make(k):\n    def f(): return f() + k\n    return f\nf = make(1)',
        'def make(k):\n    def f(): return f() + k\n    return f\nf = make(2)',
        ['closure k of f'],
    ),
    'an attribute of a function': (
        'def g(): ...\ng.k = 1\ndef f(): return g.k', 'def g(): ...\ng.k = 2\ndef f(): return g.k', ['global g.k'],
    ),
    'which function of a library': (
        'from math import sin as g\ndef f(): return g(1)', 'from math import cos as g\ndef f(): return g(1)', ['global g'],
    ),
    'which library': ('import json as x\ndef f(): return x.dumps', 'import marshal as x\ndef f(): return x.dumps', ['global x']),
}  # fmt: skip


@pytest.mark.parametrize('case', CHANGED)
def test_counts(project: Any, case: str) -> None:
    old, new, expected = CHANGED[case]
    assert project.changes(old, new) == expected


MODULES = {
    'a function of a module': ('import util\ndef f(): return util.g()', ['helper util.g']),
    'a function by another name': ('from util import g as h\ndef f(): return h()', ['helper util.g']),
    'everything from a module': ('from util import *\ndef f(): return g()', ['helper util.g']),
    'a value of a module': ('import util\ndef f(): return util.n', ['global util.n']),
    'a value that a helper reads': ('import util\ndef f(): return util.reads_n()', ['global util.n']),
    'a module used dynamically': ('import util\ndef f(): return getattr(util, "g")', ['module util']),
    'a module in a list': ('import util\nm = [util]\ndef f(): return m[0].g()', ['module util']),
    'a module under a local name': ('import util\ndef f():\n    u = util\n    return u.g()', ['module util']),
    'a module imported inside': ('def f():\n    import util\n    return util.g()', ['module util']),
    'a name imported inside': ('def f():\n    from util import g\n    return g()', ['module util']),
    'a module that a module imported inside imports': ('def f():\n    import over\n    return over.g()', ['module util']),
    'a submodule': ('import pkg.util\ndef f(): return pkg.util.g()', ['helper pkg.util.g']),
    'a submodule by another name': ('import pkg.util as p\ndef f(): return p.n', ['global pkg.util.n']),
    'a submodule imported inside': ('def f():\n    from pkg import util\n    return util.n', ['module pkg.util']),
    'a module in a closure': (
        'def make():\n    import util\n    def f(): return util.g()\n    return f\nf = make()', ['helper util.g'],
    ),
    'a function of a module that is not reached': ('import util\ndef f(): return util.same()', []),
}  # fmt: skip


@pytest.mark.parametrize('case', MODULES)
def test_follows_modules_of_the_project(project: Any, case: str) -> None:
    flow, expected = MODULES[case]
    old = 'n = 1\ndef g(): return 1\ndef reads_n(): return n\ndef same(): ...'
    new = 'n = 2\ndef g(): return 2\ndef reads_n(): return n\ndef same(): ...'
    util = {'util': (old, new), 'pkg__util': (old, new), 'over': 'import util\ndef g(): return util.g()', 'pkg__init__': ''}
    assert project.changes(flow, flow, **util) == expected


def test_modules_that_were_reached_are_listed_without_the_main_one(project: Any) -> None:
    util = {'util': 'from low import k\ndef g(): return k()', 'low': 'def k(): return 1', 'unused': ''}
    found = project.print_of('import util, unused\ndef f(): return util.g()', **util)
    assert [module.__name__ for module in found.modules] == ['flow', 'util', 'low']


def test_installed_packages_count_by_name_and_the_standard_library_does_not(project: Any) -> None:
    found = project.print_of(
        'import os.path, json, numpy as np\nfrom numpy.linalg import norm\ndef f(): return np.sum(json.loads(os.path.join("1"))), norm(1)'
    )
    assert set(found.components) == {'code of f', 'package numpy'}
    assert found.components['package numpy'] == 'installed'
    assert found.packages['numpy']


def test_the_file_of_a_jobs_function_is_the_users_own_outside_the_project_too(project: Any) -> None:
    from awflow.fingerprint import Fingerprinter

    flow = project.load('import util\ndef g(): return 1\ndef f(): return g(), util.g()', util='def g(): return 1')
    found = Fingerprinter(str(project.root / 'elsewhere'), lambda value: False).function(flow.f)
    assert set(found.components) == {'code of f', 'helper g', 'package util'}


def test_nothing_depends_on_which_function_is_fingerprinted_first(project: Any) -> None:
    flow = project.load('''
        import functools
        ring = [1]; ring.append([ring])
        inner = ring[1]
        def a(n): return b(n), ring
        def b(n): return a(n), c(n), inner
        @functools.lru_cache
        def c(n): return b(n)
        class C:
            def m(self): return C, a
        c0 = C(); c0.me = [c0]
        def f(): return a(1), c0
        def g(): return c0, b(1), c(1)
    ''')  # fmt: skip
    forth, back = project.fingerprinter(), project.fingerprinter()
    functions = [flow.f, flow.g, flow.a, flow.b]
    first = [forth.function(f).components for f in functions]
    assert first == [back.function(f).components for f in reversed(functions)][::-1]


def test_a_chain_of_thousands_of_helpers_is_followed(project: Any) -> None:
    lines = [f'def h{i}(): return h{i + 1}()' for i in range(3000)]
    found = project.print_of('\n'.join([*lines, 'def h3000(): return 1', 'def f(): return h0()']))
    assert 'helper h3000' in found.components


def test_a_job_that_is_only_asked_for_its_result_is_not_followed(project: Any) -> None:
    from awflow.fingerprint import Fingerprinter

    flow = project.load('''
        class Job:
            def __init__(self, function): self.function, self.name = function, function.__name__
        job = Job
        @job
        def up(): return 1
        @job
        def called(): return 2
        @job
        def listed(): return 3
        jobs = [listed]
        def f(): return up.result(3), up.results(), up.name, called(), jobs
    ''')  # fmt: skip
    found = Fingerprinter(str(project.root), lambda value: type(value).__name__ == 'Job').function(flow.f)
    assert {name: used for name, (_, used) in found.jobs.items()} == {'up': False, 'called': True, 'jobs[listed]': True}
    assert set(found.components) == {'code of f', 'helper called', 'helper listed', 'global jobs'}


def test_ignored_names_are_neither_digested_nor_followed(project: Any) -> None:
    text = """
        import util
        class Stubborn:
            def __reduce_ex__(self, protocol): raise TypeError
        rng = Stubborn()
        def g(): return rng
        def f(k=3): return g(), rng, util.n, util.m, util.h()
    """
    util = 'n = 1\nm = 2\ndef h(): ...'
    found = project.print_of(text, ignore=('rng', 'util.n', 'k', 'helper util.h'), util=util)
    assert set(found.components) == {'code of f', 'helper g', 'global util.m'}


def test_variants_of_one_loop_differ_in_what_they_captured_alone(project: Any) -> None:
    flow = project.load('''
        def variants(edited):
            for x in (1, 2):
                def f(y=x): return x, y, edited
                yield f
        lambdas = [lambda g=g: g() for g in (lambda: 1, lambda: 2)]
        def f(): ...
    ''')  # fmt: skip
    printer = project.fingerprinter()
    prints = [printer.function(f) for f in flow.variants('a')] + [printer.function(f) for f in flow.lambdas]
    assert len({p.captured for p in prints}) == 4
    assert [printer.function(f).captured for f in flow.variants('a')] == [p.captured for p in prints[:2]]


def test_an_edit_of_the_code_leaves_what_was_captured_alone(project: Any) -> None:
    text = 'def g(): return {0}\ndef make(x, h):\n    def f(): return x, h(), {0}\n    return f\nf = make(1, g)'
    assert project.print_of(text.format(1)).captured == project.print_of(text.format(2)).captured


def test_variants_that_call_themselves_are_told_apart(project: Any) -> None:
    flow = project.load('''
        fs = []
        for x in (1, 2):
            def f(k=x): return f(k) if k else 0
            fs.append(f)
    ''')  # fmt: skip
    printer = project.fingerprinter()
    forth = [printer.function(f) for f in flow.fs]
    assert len({p.digest for p in forth}) == len({p.captured for p in forth}) == 2
    printer = project.fingerprinter()
    back = [printer.function(f) for f in reversed(flow.fs)]
    assert [(p.components, p.captured) for p in forth] == [(p.components, p.captured) for p in reversed(back)]


def test_a_closure_that_is_not_bound_yet_is_recorded_as_such(project: Any) -> None:
    found = project.print_of('def make():\n    def f(): return later\n    return f\n    later = 1\nf = make()')
    assert found.components['closure later of f'] == 'v:unbound'


def test_callables_other_than_functions_have_fingerprints(project: Any) -> None:
    flow = project.load('''
        import functools
        class Model:
            def __init__(self, n): self.n = n
            def __call__(self): return self.n
            def fit(self): return self.n
        def g(a): return a
        callables = [Model(1), Model(2), Model(1).fit, Model(2).fit, functools.partial(g, 1), functools.partial(g, 2), len]
    ''')  # fmt: skip
    project.write('flow', '')
    printer = project.fingerprinter()
    assert len({printer.function(f).digest for f in flow.callables}) == len(flow.callables)
    assert {'helper g', 'code of partial'} <= set(printer.function(flow.callables[4]).components)
