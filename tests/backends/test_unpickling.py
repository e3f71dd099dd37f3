"""Functions arrive as cloudpickle would have put them together, and without it."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import textwrap

import cloudpickle
import pytest

from awflow.backends import unpickling

SCRIPT = """
    import functools, math, xml.etree.ElementTree
    count = 0
    scale = 3
    def bump():
        global count
        count += 1
        return count
    def seen():
        return count
    def factorial(n):
        return 1 if n < 2 else n * factorial(n - 1)
    def even(n):
        return n == 0 or odd(n - 1)
    def odd(n):
        return n != 0 and even(n - 1)
    def adder(base):
        total = base
        def add(n):
            nonlocal total
            total += n
            return total
        return add
    def unbound():
        def late():
            return never
        if False:
            never = 1
        return late
    def twins():
        n = 0
        def up():
            nonlocal n
            n += 1
        def get():
            return n
        return up, get
    def knot():
        def loop(n):
            return n and loop(n - 1)
        return loop
    def full(a, b: int = 2, *args, c=scale, **kwargs) -> float:
        "What it does."
        return a + b + c + len(args) + len(kwargs) + math.floor(1.5)
    full.note = {'kept': True}
    def submodule():
        return xml.etree.ElementTree.fromstring('<a/>').tag
    def generator(n):
        yield from range(n)
    partial = functools.partial(full, 1, c=5)
    def builtin():
        return sorted(map(abs, [-1, 2]))
    def missing():
        return nowhere
    type_of = type(full), type(full.__code__), type(bump.__globals__)
"""


@pytest.fixture(scope='module')
def script():
    names = {'__name__': '__main__', '__builtins__': __builtins__}
    exec(compile(textwrap.dedent(SCRIPT), '/nowhere/script.py', 'exec'), names)
    return names


def both(value):
    data = cloudpickle.dumps(value, protocol=5)
    return pickle.loads(data), unpickling.loads(data)


def features(function):
    names = (
        '__name__',
        '__qualname__',
        '__module__',
        '__doc__',
        '__defaults__',
        '__kwdefaults__',
        '__annotations__',
        '__dict__',
    )
    code = function.__code__
    return {
        **{name: getattr(function, name) for name in names},
        'code': (code.co_code, code.co_consts, code.co_names, code.co_firstlineno),
        'globals': sorted(function.__globals__),
        'builtins': function.__globals__['__builtins__'] is vars(__import__('builtins')) and 'len' in function.__builtins__,
        'closure': [_content(cell) for cell in function.__closure__ or ()],
    }


def _content(cell):
    try:
        return type(cell.cell_contents).__name__
    except ValueError:
        return 'empty'


def made(script):
    functions = [value for value in script.values() if type(value) is type(script['full'])]
    return [*functions, script['adder'](10), script['unbound'](), *script['twins'](), script['knot'](), lambda x=1: x]


def test_a_function_is_in_every_respect_what_cloudpickle_makes_of_it(script):
    for function in made(script):
        theirs, ours = both(function)
        assert type(ours) is type(function)
        assert features(ours) == features(theirs)


@pytest.mark.parametrize(
    ('name', 'arguments'),
    [('factorial', (10,)), ('even', (11,)), ('full', (1, 2, 3)), ('submodule', ()), ('builtin', ()), ('partial', ())],
)
def test_a_function_does_what_it_did(script, name, arguments):
    theirs, ours = both(script[name])
    assert ours(*arguments) == theirs(*arguments) == script[name](*arguments)


def test_functions_of_one_pickle_share_their_globals(script):
    for bump, seen in both((script['bump'], script['seen'])):
        assert bump.__globals__ is seen.__globals__ is not script
        assert (bump(), bump(), seen()) == (1, 2, 2)
    assert script['count'] == 0


def test_functions_of_two_pickles_do_not_share_their_globals(script):
    one, other = (both(script[name])[1] for name in ('bump', 'seen'))
    assert (one(), other()) == (1, 0)


def test_a_nonlocal_variable_of_two_functions_is_what_cloudpickle_makes_of_it(script):
    counts = []
    for up, get in both(script['twins']()):
        up()
        counts.append((get(), up.__closure__[0] is get.__closure__[0], up.__closure__[0].cell_contents))
    theirs, ours = counts
    assert ours == theirs


def test_a_variable_that_is_not_bound_stays_so(script):
    for late in both(script['unbound']()):
        with pytest.raises(NameError):
            late()


def test_a_function_that_refers_to_itself_refers_to_its_copy(script):
    for loop in both(script['knot']()):
        assert loop.__closure__[0].cell_contents is loop
        assert loop(5) == 0


def test_types_without_a_name_of_their_own_are_the_same_types(script):
    for found in both(script['type_of']):
        assert all(mine is theirs for mine, theirs in zip(found, script['type_of'], strict=True))


def test_classes_of_the_script_are_left_to_cloudpickle_so_that_they_are_one_class(script):
    exec('class Model:\n    def __init__(self, x): self.x = x\n    def twice(self): return scale * self.x', script)
    theirs, ours = both(script['Model'](2))
    assert type(ours) is type(theirs)
    assert ours.twice() == 6


def test_what_a_version_wrote_that_was_not_compared_is_left_to_it():
    assert unpickling.reader_of('3.1.2') is unpickling.loads
    assert unpickling.reader_of('3.10.0') is pickle.loads


def test_what_is_no_pickle_is_refused_as_pickle_does():
    with pytest.raises(pickle.UnpicklingError):
        unpickling.loads(b'no pickle')
    with pytest.raises(EOFError):
        unpickling.loads(b'')


def test_functions_arrive_without_cloudpickle(script, tmp_path):
    path = tmp_path / 'functions'
    wanted = [value for value in script.values() if type(value) is type(script['full'])]
    path.write_bytes(cloudpickle.dumps(script['factorial'], protocol=5) + cloudpickle.dumps(wanted, protocol=5))
    program = f"""
        import sys
        sys.modules['cloudpickle'] = None
        from awflow.backends.unpickling import Arrival
        file = open({str(path)!r}, 'rb')
        assert Arrival(file).load()(5) == 120
        for name in ('pickle', 'json', 'enum', 'inspect', 'logging', 'typing', 'dataclasses', 'socket'):
            assert name not in sys.modules, name
        by_name = {{f.__name__: f for f in Arrival(file).load()}}
        assert by_name['factorial'](5) == 120 and by_name['submodule']() == 'a' and by_name['full'](1) == 7
        assert list(by_name['generator'](3)) == [0, 1, 2]
    """
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)}
    subprocess.run([sys.executable, '-S', '-c', textwrap.dedent(program)], check=True, env=environment)
