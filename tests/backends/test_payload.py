"""What travels to a task, how, and what is refused with which words."""

from __future__ import annotations

import importlib
import json
import pickle
import struct
import sys
import textwrap

import pytest

from awflow.backends.payload import Payload
from awflow.backends.pool import Exited
from awflow.errors import BackendError, FingerprintError, StateAccessError, StateCorruptError

HEAD = struct.Struct('<8sQQ')
UNPICKLABLE = "open('/dev/null', 'w')"


@pytest.fixture
def module(bench, monkeypatch):
    """Makes a project's module of a source, and takes it away again."""
    monkeypatch.syspath_prepend(str(bench.directory))
    made = []

    def make(name, source):
        path = bench.directory.joinpath(*name.split('.')).with_suffix('.py')
        path.parent.mkdir(exist_ok=True)
        path.write_text(textwrap.dedent(source))
        importlib.invalidate_caches()
        made.append(name)
        return importlib.import_module(name)

    yield make
    for name in made:
        sys.modules.pop(name, None)


def outcome(bench, definition, modules=()):
    bench.load(definition, modules=modules)
    bench.launch(bench.order(definition.name))
    bench.until(Exited)
    return bench.reports[0, 0]['outcome'], bench.text()


def test_a_function_takes_along_what_it_reaches(bench):
    definition = bench.define("""
        import math
        from functools import partial, wraps
        n = [1]
        def twice(g):
            @wraps(g)
            def wrapper(*args): return 2 * g(*args)
            return wrapper
        @twice
        def helper(x): return x + n[0]
        class Model:
            def __init__(self, x): self.x = x
            @property
            def value(self): return helper(self.x)
        def make(y):
            def f(z=3): print(Model(y).value, partial(helper, 5)(), math.floor(2.5), z)
            return f
        f = make(1)
    """)
    assert outcome(bench, definition) == ('succeeded', '4 12 2 3\n')


def test_locks_travel_as_new_locks(bench):
    definition = bench.define("""
        import threading
        lock, rlock, event, local = threading.Lock(), threading.RLock(), threading.Event(), threading.Condition()
        lock.acquire()
        def f():
            with lock, rlock, local: print(event.is_set())
    """)
    assert outcome(bench, definition) == ('succeeded', 'False\n')


def test_a_cached_function_of_the_script_travels_and_calls_itself(bench):
    definition = bench.define("""
        from functools import lru_cache, cache
        @lru_cache(maxsize=7)
        def fibonacci(n): return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)
        def f(): print(fibonacci(80), fibonacci.cache_info().maxsize)
    """)
    assert outcome(bench, definition) == ('succeeded', '23416728348467685 7\n')


@pytest.mark.parametrize(
    ('source', 'variable'),
    [
        ("log = open('/dev/null')\ndef f(): log", 'log'),
        (f'log = {UNPICKLABLE}\ndef f(): log', 'log'),
        (f'log = {UNPICKLABLE}\ndef g(): log\ndef f(): g()', 'g.log'),
        (f'def make(x):\n    def f(): x\n    return f\nf = make({UNPICKLABLE})', 'x'),
        (f'def f(a=1, handle={UNPICKLABLE}): pass', 'handle'),
        (f'log = {UNPICKLABLE}\ndef f(): return [log for _ in range(3)]', 'log'),
    ],
)
def test_what_cannot_travel_is_named_with_the_cure(bench, source, variable):
    with pytest.raises(FingerprintError) as refusal:
        bench.pack(bench.define(source))
    assert refusal.value.facts['job'] == 'f'
    assert refusal.value.facts['variable'] == variable
    assert 'Create it inside the function' in str(refusal.value)


def test_a_condition_that_cannot_travel_is_named_too(bench, ensure):
    names = bench.script(f'log = {UNPICKLABLE}\ndef f(): pass\ndef check(): return log')
    definition = bench.define('def f(): pass', after=[ensure(names['check'])])
    with pytest.raises(FingerprintError) as refusal:
        bench.pack(definition)
    assert refusal.value.facts['variable'] == 'log'


def test_a_module_of_the_project_travels_as_it_was_in_memory(bench, module):
    util = module(
        'util',
        """
        n, flag = 1, None
        def init():
            global flag
            flag = n
        class Model: pass
    """,
    )
    util.n = 5
    definition = bench.define("""
        import pickle, util
        from util import init
        def f():
            init()
            import util as again
            assert again is util
            assert type(pickle.loads(pickle.dumps(util.Model()))) is util.Model
            print(util.flag, util.__name__, util.__spec__.name)
    """)
    (bench.directory / 'util.py').write_text('raise SystemError("edited")')
    assert outcome(bench, definition, [util]) == ('succeeded', '5 util util\n')


def test_a_job_in_a_module_shares_the_globals_of_the_module(bench, module):
    jobs = module(
        'jobs',
        """
        table = []
        def fill(): table.append(1)
        def f():
            fill()
            print(table)
    """,
    )
    definition = bench.define('f = None')
    definition.function = jobs.f
    assert outcome(bench, definition, [jobs]) == ('succeeded', '[1]\n')


def test_modules_of_a_package_refer_to_each_other(bench, module):
    package = module('pkg.__init__', '')
    package = importlib.import_module('pkg')
    low = module('pkg.low', 'from functools import lru_cache\n@lru_cache\ndef g(): return 3')
    high = module('pkg.high', 'from pkg import low\nfrom .low import g\ndef h(): return g(), low.g()')
    definition = bench.define('from pkg import high, low\ndef f(): print(high.h(), high.g is low.g)')
    for name in ('low', 'high', '__init__'):
        (bench.directory / 'pkg' / f'{name}.py').write_text('raise SystemError("edited")')
    assert outcome(bench, definition, [package, low, high]) == ('succeeded', '(3, 3) True\n')
    sys.modules.pop('pkg')


HOLDER = f'log = {UNPICKLABLE}\ndef g(): return 3'


def test_a_module_that_cannot_travel_is_imported_by_the_task(bench, module):
    util, other = module('util', HOLDER), module('other', 'import util\ndef h(): return util.g() + 1')
    definition = bench.define('import util, other\ndef f(): print(util.g(), other.h())')
    assert outcome(bench, definition, [util, other]) == ('succeeded', '3 4\n')


def test_a_module_that_pickles_but_does_not_unpickle_is_imported_too(bench, module):
    util = module(
        'util',
        """
        class Bad:
            def __reduce__(self): return int, ('x',)
        bad = Bad()
        def g(): return 3
    """,
    )
    definition = bench.define('import util\ndef f(): print(util.g())')
    assert outcome(bench, definition, [util]) == ('succeeded', '3\n')


def test_such_a_module_that_was_edited_since_is_refused(bench, module):
    util = module('util', HOLDER)
    definition = bench.define('import util\ndef f(): print(util.g())')
    path = bench.pack(definition, modules=[util])
    (bench.directory / 'util.py').write_text(HOLDER.replace('3', '4'))
    bench.pool.load(str(path))
    bench.launch(bench.order())
    bench.until(Exited)
    assert bench.reports[0, 0]['outcome'] == 'failed'
    assert bench.reports[0, 0]['error']['line'] == 'util.py changed since submission'


def test_a_job_that_does_not_load_fails_with_its_traceback_and_the_zygote_lives_on(bench):
    bad = bench.define("""
        def burst(): raise ValueError('not here')
        class Bad:
            def __reduce__(self): return burst, ()
        bad = Bad()
        def f(): bad
    """)
    bench.load(bad, bench.define('def g(): pass', 'g'))
    bench.launch(bench.order(), slot=0)
    bench.launch(bench.order('g'), slot=1)
    bench.until(lambda event: len(bench.exits) == 2)
    assert bench.reports[0, 0]['error'] == {'type': 'ValueError', 'line': 'not here'}
    assert 'in burst' in bench.text(0)
    assert bench.reports[1, 0]['outcome'] == 'succeeded'


def test_what_an_import_prints_is_output_of_the_first_task(bench, module):
    (bench.directory / 'loud.py').write_text('print("imported")')
    definition = bench.define('f = None')
    definition.function = bench.script("""
        class Import:
            def __reduce__(self): return __import__, ('loud',)
        module = Import()
        def f(): module
    """)['f']
    bench.load(definition, sys_path=[str(bench.directory), *sys.path])
    for slot in range(2):
        bench.launch(bench.order(), slot=slot)
    bench.until(lambda event: len(bench.exits) == 2)
    assert (bench.text(0), bench.text(1)) == ('imported\n', '')


@pytest.mark.parametrize('name', ['state', 'payload', 'worker', 'selectors', 'pickle', 'json'])
def test_a_module_beside_the_script_is_no_danger_to_the_zygote(bench, name):
    (bench.directory / f'{name}.py').write_text('raise SystemError("shadowed")')
    assert bench.run('def f(): print("fine")')['outcome'] == 'succeeded'


def test_a_user_module_called_state_is_what_the_script_imports(bench, module):
    state = module('state', 'value = 7')
    definition = bench.define('import state\ndef f(): print(state.value)')
    assert outcome(bench, definition, [state]) == ('succeeded', '7\n')


def test_the_parts_of_other_jobs_are_not_read(bench):
    path = bench.pack(bench.define('def f(): return 1'), bench.define('def g(): pass', 'g'))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1  # in the part of g
    path.write_bytes(data)
    payload = Payload(str(path))
    assert payload.names == ['f', 'g']
    assert payload.definition('f').function() == 1
    with pytest.raises(StateCorruptError):
        payload.definition('g')


def test_a_damaged_index_is_refused_wherever_it_is_cut(bench):
    path = bench.pack(bench.define('def f(): pass'))
    data = path.read_bytes()
    size = HEAD.unpack_from(data)[1]
    for end in range(0, HEAD.size + size, 7):
        path.write_bytes(data[:end])
        with pytest.raises(StateCorruptError):
            Payload(str(path))


def test_an_existing_payload_is_never_written_over(bench):
    path = bench.pack(bench.define('def f(): pass'))
    bench._payloads -= 1
    before = path.read_bytes()
    with pytest.raises(StateAccessError):
        bench.pack(bench.define('def f(): 1'))
    assert path.read_bytes() == before


def test_another_python_is_refused(bench):
    import xxhash

    path = bench.pack(bench.define('def f(): pass'))
    magic, size, _ = HEAD.unpack_from(data := path.read_bytes())
    index = json.loads(data[HEAD.size : HEAD.size + size])
    body = json.dumps({**index, 'python': [3, 9]}).encode()
    path.write_bytes(HEAD.pack(magic, len(body), xxhash.xxh3_64_intdigest(body)) + body + data[HEAD.size + size :])
    with pytest.raises(BackendError, match=r'3\.9'):
        Payload(str(path))


def test_writing_leaves_the_registry_of_cloudpickle_as_the_user_set_it(bench, module):
    import cloudpickle

    util, other = module('util', 'def g(): return 3'), module('other', '')
    cloudpickle.register_pickle_by_value(util)
    try:
        bench.pack(bench.define('import util\ndef f(): util.g()'), modules=[util, other])
        assert cloudpickle.list_registry_pickle_by_value() == {'util'}
    finally:
        cloudpickle.unregister_pickle_by_value(util)


def test_definitions_survive_a_plain_pickle_of_what_has_no_code(bench):
    definition = bench.define('f = None', edges=[('a', 'success', True)], outputs=['x'])
    again = pickle.loads(pickle.dumps(definition))
    assert (again.name, again.edges, again.declares_outputs) == ('f', [('a', 'success', True)], True)


def test_a_payload_larger_than_what_is_read_at_once_is_read_whole(bench):
    definition = bench.define('big = bytes(range(256)) * 1000\ndef f(): print(len(big))')
    assert outcome(bench, definition) == ('succeeded', '256000\n')
