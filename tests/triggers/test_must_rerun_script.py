"""Edits after which exactly one job of the script must run again: code and values of the script itself."""

from __future__ import annotations

from tests.triggers.table import Projects, Row, must_rerun, project, table

FUNCTIONS = project('''
    import asyncio, contextlib, functools, operator

    def deep(x): return x + 1
    def middle(x): return deep(x)
    def even(n): return n == 0 or odd(n - 1)
    def odd(n): return n != 0 and even(n - 1)
    first, second = lambda x: x + 10, lambda x: x + 20
    def counting(n):
        for i in range(n): yield i * 3
    async def waiting(): return 'waited'
    @functools.lru_cache(maxsize=None)
    def cached(x): return x * 7
    def traced(f):
        @functools.wraps(f)
        def inner(*args):
            note = 'traced'
            return f(*args), note
        return inner
    @traced
    def wrapped(x): return x * 9
    def times(factor):
        def decorate(f):
            def inner(*args): return f(*args) * factor
            return inner
        return decorate
    @times(4)
    def scaled(x): return x + 0.5
    @contextlib.contextmanager
    def managed():
        yield 'managed'
    @functools.singledispatch
    def shown(x): return 'any'
    @shown.register
    def _(x: int): return 'an int'
    def power(base, exponent): return base ** exponent
    cube = functools.partial(power, exponent=3)
    pick = operator.itemgetter(0)
    def adder(n):
        def outer():
            def inner(x): return x + n
            return inner
        return outer
    add_five = adder(5)
    def default(x=100, *, y=200): return x + y
    def collect(x, into=[1]): return into + [x]
    by_lambda = lambda x, k=30: x + k

    @job
    def own():
        print('own body', 1234)
    @job
    def of_helper(): print(middle(1))
    @job
    def mutual(): print(even(4))
    @job
    def of_first(): print(first(1))
    @job
    def of_second(): print(second(1))
    @job
    def generated(): print(list(counting(3)))
    @job
    def awaited(): print(asyncio.run(waiting()))
    @job
    def of_cached(): print(cached(2))
    @job
    def of_wrapped(): print(wrapped(2))
    @job
    def of_scaled(): print(scaled(2))
    @job
    def of_managed():
        with managed() as m: print(m)
    @job
    def dispatched(): print(shown(1))
    @job
    def of_partial(): print(cube(2))
    @job
    def picked(): print(pick([6, 7]))
    @job
    def closed_over(): print(add_five()(1))
    @job
    def of_default(): print(default())
    @job
    def of_collect(): print(collect(2))
    @job
    def of_lambda(): print(by_lambda(2))
''')  # fmt: skip

BODIES = project('''
    import functools
    class Refused(Exception):
        def __str__(self): return 'refused'
    def counted():
        global calls
        calls = calls + 1
        return 'counted'
    calls = 0

    @job
    def nested():
        def inner(x):
            def innermost(): return x + 1
            return innermost
        print(inner(1)())
    @job
    def comprehended(): print([i * 2 for i in range(4) if i != 3])
    @job
    def summed(): print(sum(i + 5 for i in range(3)))
    @job
    def formatted(): print(f'text {1 / 3:.3f} {2!r:>4}')
    @job
    def walrus():
        if (n := 10) > 5: print(n)
    @job
    def matching():
        match {'kind': 1, 'rest': [1, 2]}:
            case {'kind': 1 | 2 as k, 'rest': [first, *_]}: print(k, first)
            case _: print('none')
    @job
    def stringly():
        'A docstring.'
        return 'not a docstring'
    @job
    def asserted(): assert len('abc') == 3, 'three'
    @job
    def raised():
        try: raise Refused
        except Refused as error: print(error)
    @job
    def chained(): print(1 < 2 <= 3)
    @job
    def conditional(): print('yes' if len('x') else 'no')
    @job
    def starred():
        a, *b = range(4)
        print(a, b, *[1], **{'sep': '-'})
    @job
    def looped():
        for i in range(3):
            if i > 1: break
        else: print('never broke')
    @job
    def of_counted(): print(counted())
    @job
    def defined():
        class Inner:
            n = 3
            def get(self): return self.n
        print(Inner().get())
    @job
    def anonymous(): print(sorted([3, 1, 2], key=lambda x: -x))
    @job
    def tried():
        try: print(int('x'))
        except ValueError: print('no number')
        finally: print('end')
    @job
    def bytes_and_floats(): print(b'bytes', 1.0, 0.0, True, None, ...)
''')  # fmt: skip


@table(
    (FUNCTIONS, [
        Row('a word of its own body', "'own body'", "'own words'", runs='own', names='code of own'),
        Row('a constant of its own body', '1234', '1235', runs='own', names='code of own'),
        Row('a helper of a helper', 'return x + 1', 'return x - 1', runs='of_helper', names='helper deep'),
        Row('a helper', 'return deep(x)', 'return deep(x) + 0', runs='of_helper', names='helper middle'),
        Row('one of two mutually recursive helpers', 'even(n - 1)', 'even(n - 1) and True', runs='mutual', names='helper odd'),
        Row('the other of two mutually recursive helpers', 'n == 0', '0 == n', runs='mutual', names='helper even'),
        Row('the first of two lambdas on one line', 'x + 10', 'x + 11', runs='of_first', names='first'),
        Row('the second of two lambdas on one line', 'x + 20', 'x + 21', runs='of_second', names='second'),
        Row('two lambdas on one line swapped', 'first, second =', 'second, first =', runs='of_first of_second', names=''),
        Row('a generator helper', 'i * 3', 'i * 4', runs='generated', names='helper counting'),
        Row('an async helper', "'waited'", "'awaited'", runs='awaited', names='helper waiting'),
        Row('a helper in an lru_cache', 'x * 7', 'x * 8', runs='of_cached', names='cached'),
        Row('a decorator around a helper', "note = 'traced'", "note = 'logged'", runs='of_wrapped', names='inner of wrapped'),
        Row('a helper that a decorator wraps', 'x * 9', 'x * 8', runs='of_wrapped', names='wrapped'),
        Row("a decorator's argument", '@times(4)', '@times(5)', runs='of_scaled', names='factor'),
        Row("a parametrised decorator's body", '* factor', '+ factor', runs='of_scaled', names='inner'),
        Row('what a parametrised decorator is around', 'x + 0.5', 'x + 0.25', runs='of_scaled', names='scaled'),
        Row('a decorator that goes', '@times(4)\n', '', runs='of_scaled', names='scaled'),
        Row('a context manager made from a generator', "yield 'managed'", "yield 'other'", runs='of_managed', names='managed'),
        Row('an implementation of a generic function', "'an int'", "'an integer'", runs='dispatched', names='shown'),
        Row('the fallback of a generic function', "'any'", "'anything'", runs='dispatched', names='shown'),
        Row('another implementation of a generic function', "return 'an int'", "return 'an int'\n@shown.register\ndef _(x: bool): return 2",
            runs='dispatched', names='shown'),
        Row('the argument of a partial', 'exponent=3', 'exponent=4', runs='of_partial', names='cube'),
        Row('the function of a partial', 'base ** exponent', 'exponent ** base', runs='of_partial', names='helper power'),
        Row('the argument of an itemgetter', 'itemgetter(0)', 'itemgetter(1)', runs='picked', names='pick'),
        Row('a value in a closure two levels up', 'adder(5)', 'adder(6)', runs='closed_over', names='n'),
        Row('the innermost function of a closure', 'x + n', 'x - n', runs='closed_over', names='helper outer'),
        Row("a helper's default argument", 'x=100', 'x=101', runs='of_default', names='default x of default'),
        Row("a helper's keyword default", 'y=200', 'y=201', runs='of_default', names='default y of default'),
        Row('a mutable default argument', 'into=[1]', 'into=[2]', runs='of_collect', names='default into of collect'),
        Row("a lambda's default argument", 'k=30', 'k=31', runs='of_lambda', names='k'),
        Row('a helper replaced by another name', 'def of_helper(): print(middle(1))', 'def of_helper(): print(deep(1))',
            runs='of_helper', names='code of of_helper'),
    ]),
    (BODIES, [
        Row('a function two levels down', 'return x + 1', 'return x + 2', runs='nested', names='code of nested'),
        Row('the condition of a comprehension', 'i != 3', 'i != 2', runs='comprehended', names='code of'),
        Row('the element of a generator expression', 'i + 5', 'i + 6', runs='summed', names='code of'),
        Row('the text of an f-string', "f'text ", "f'txt ", runs='formatted', names='code of'),
        Row('the precision in an f-string', ':.3f', ':.4f', runs='formatted', names='code of'),
        Row('the conversion in an f-string', '!r:>4', '!s:>4', runs='formatted', names='code of'),
        Row('the value of a walrus', 'n := 10', 'n := 11', runs='walrus', names='code of'),
        Row('an alternative of a match', '1 | 2', '1 | 3', runs='matching', names='code of'),
        Row('a key of a mapping pattern', "case {'kind'", "case {'kinds'", runs='matching', names='code of'),
        Row('a returned string under a docstring', "'not a docstring'", "'no docstring'", runs='stringly', names='code of'),
        Row("an assertion's message", "'three'", "'3'", runs='asserted', names='code of'),
        Row("a method of the project's exception", "'refused'", "'denied'", runs='raised', names='Refused'),
        Row('an operator of a chained comparison', '1 < 2 <= 3', '1 < 2 < 3', runs='chained', names='code of'),
        Row('a branch of a conditional expression', "else 'no'", "else 'nope'", runs='conditional', names='code of'),
        Row('which name is starred', 'a, *b = range', '*a, b = range', runs='starred', names='code of'),
        Row('a keyword in an unpacked dict', "'sep': '-'", "'sep': '+'", runs='starred', names='code of'),
        Row('break becomes continue', 'break', 'continue', runs='looped', names='code of'),
        Row('the else of a loop', "'never broke'", "'no break'", runs='looped', names='code of'),
        Row('a helper that assigns a global', 'calls + 1', 'calls + 2', runs='of_counted', names='helper counted'),
        Row('an attribute of a class inside a function', 'n = 3', 'n = 4', runs='defined', names='code of'),
        Row('a lambda as an argument', 'lambda x: -x', 'lambda x: +x', runs='anonymous', names='code of'),
        Row('which exception is caught', 'except ValueError', 'except (ValueError, KeyError)', runs='tried', names='code of'),
        Row('an integer for a float', '1.0,', '1,', runs='bytes_and_floats', names='code of'),
        Row('a negative zero', ' 0.0', ' -0.0', runs='bytes_and_floats', names='code of'),
        Row('bytes for text', "b'bytes'", "'bytes'", runs='bytes_and_floats', names='code of'),
        Row('a one for True', 'True', '1', runs='bytes_and_floats', names='code of'),
    ]),
)  # fmt: skip
def test_the_jobs_that_use_it_run_again_and_say_why(row: Row, projects: Projects) -> None:
    must_rerun(projects.after(row), row)
