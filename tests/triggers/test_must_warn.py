"""Edits after which the job's fingerprint may not mean what it seems to, and the user is told so, by name and with a cure."""

from __future__ import annotations

from tests.triggers.table import Projects, Row, must_not_warn, must_warn, project, table

PLAIN = project('''
    thing = 1
    def helper(): return thing

    @job
    def uses(): helper()
    @job
    def other(): print('other')
''', {'util.py': 'n = 1\ndef get(): return n\n'})  # fmt: skip


def value(title: str, imports: str, expression: str, names: str, *cures: str) -> Row:
    """The global becomes such a value."""
    return Row(title, 'thing = 1', f'{imports}\nthing = {expression}', names=f'awflow: uses: global thing{names}', cures=cures)


def body(title: str, text: str, names: str, *cures: str) -> Row:
    """The helper's body becomes such code."""
    return Row(title, 'def helper(): return thing', text, names=f'awflow: uses: {names}', cures=cures)


RNG = ('seed it', "ignore=['thing']")
OPAQUE = ('create it in the function', "ignore=['thing']")
ASSIGNED = ('helper assigns it', 'argument')
DYNAMIC = ('by name', 'version=')
BIG = ('load it in the function',)


@table((PLAIN, [
    value('an unseeded generator of random', 'import random', 'random.Random()', ':', *RNG),
    value('an unseeded generator of random that was used', 'import random', 'random.Random()\nthing.random()', ':', *RNG),
    value('an unseeded generator of numpy', 'import numpy as np', 'np.random.default_rng()', ':', *RNG),
    value('an unseeded RandomState of numpy', 'import numpy as np', 'np.random.RandomState()', ':', *RNG),
    value('an unseeded bit generator of numpy', 'import numpy as np', 'np.random.PCG64()', ':', *RNG),
    value('an unseeded generator in a dict', 'import random', "{'rng': random.Random()}", ':', *RNG),
    value('an unseeded generator in an object', 'import random', "type('Model', (), {})()\nthing.rng = random.Random()", ':', *RNG),
    value('a logger', 'import logging', "logging.getLogger('a')", ' (logging.Logger)', *OPAQUE),
    value('a lock', 'import threading', 'threading.Lock()', ' (_thread.lock)', *OPAQUE),
    value('a condition', 'import threading', 'threading.RLock()', ' (_thread.RLock)', *OPAQUE),
    value('an open file', 'import sys', 'sys.stdout', ' (_io.TextIOWrapper)', *OPAQUE),
    value('the environment', 'from os import environ', 'environ', ' (os._Environ)', *OPAQUE),
    value('a logger in a dict', 'import logging', "{'log': logging.getLogger('a')}", ' (logging.Logger)', *OPAQUE),
    value('over 10 MB of bytes', '', 'bytes(10_000_001)', ':', *BIG),
    value('over 10 MB of text', '', "'x' * 10_000_001", ':', *BIG),
    value('an array of over 10 MB', 'import numpy as np', 'np.zeros(2_000_000)', ':', *BIG),
    value('over 10 MB in pieces', '', '[bytes(3_000_000) + bytes([i]) for i in range(4)]', ':', *BIG),
    value('what takes over 50 ms to digest', '', '{i: (i, [i]) for i in range(30_000)}', ':', *BIG),
    body('a global that the function assigns', 'def helper():\n    global thing\n    thing += 1', 'global thing:', *ASSIGNED),
    body('a global that the function deletes', 'def helper():\n    global thing\n    if 0 > len([]): del thing', 'global thing:', *ASSIGNED),
    body('an attribute of a module that the function assigns', 'import util\ndef helper():\n    util.n = 2\n    print(util.n)',
         'global util.n:', *ASSIGNED),
    body('eval', "def helper(): return eval('1 + 1')", 'eval in helper:', *DYNAMIC),
    body('exec', "def helper(): exec('x = 1')", 'exec in helper:', *DYNAMIC),
    body('__import__', "def helper(): return __import__('util').n", '__import__ in helper:', *DYNAMIC),
    body('importlib.import_module', "import importlib\ndef helper(): return importlib.import_module('util').n",
         'importlib.import_module in helper:', *DYNAMIC),
    body('import_module by itself', "from importlib import import_module\ndef helper(): return import_module('util').n",
         'import_module in helper:', *DYNAMIC),
    body('runpy', "import runpy\ndef helper(): runpy.run_path('util.py')", 'runpy.run_path in helper:', *DYNAMIC),
    body('globals()', "def helper(): return 'thing' in globals()", 'globals in helper:', *DYNAMIC),
    body('exec in a nested function', "def helper():\n    def inner(): exec('x = 1')\n    return inner()", 'exec in helper:', *DYNAMIC),
    body('eval in a lambda', "helper = lambda: eval('1')", 'eval in helper:', *DYNAMIC),
    body('a generator in a default argument', 'import random\ndef helper(rng=random.Random()): return rng.random()',
         'default rng of helper:', 'seed it', "ignore=['rng']"),
    body('a generator in a closure', 'import random\ndef make(rng):\n    def inner(): return rng.random()\n    return inner\nhelper = make(random.Random())',
         'closure rng of helper:', 'seed it', "ignore=['rng']"),
    body('a generator in a class', 'import random\nclass Model:\n    rng = random.Random()\ndef helper(): return Model.rng.random()',
         'class Model:', 'seed it'),
]))  # fmt: skip
def test_the_user_is_told_by_name_with_a_cure(row: Row, projects: Projects) -> None:
    must_warn(projects.after(row), row)


@table((PLAIN, [
    value('a seeded generator of random', 'import random', 'random.Random(5)', ''),
    value('a generator of random seeded by a text', 'import random', "random.Random('text')", ''),
    value('a generator of numpy that was seeded', 'import numpy as np', 'np.random.default_rng(5)', ''),
    value('a generator of numpy seeded by several numbers', 'import numpy as np', 'np.random.default_rng([5, 6, 7])', ''),
    value('a seeded RandomState', 'import numpy as np', 'np.random.RandomState(5)', ''),
    value('a seeded RandomState that was used', 'import numpy as np', 'np.random.RandomState(5)\nthing.rand(3)', ''),
    value('a seeded generator that was used', 'import random', 'random.Random(5)\nthing.random()', ''),
    value('nine megabytes', '', 'bytes(9_000_000)', ''),
    body('a method called eval', "class Model:\n    def eval(self): return 1\ndef helper(): return Model().eval()", ''),
    body('a local variable called exec', 'def helper():\n    exec = 5\n    return exec', ''),
    body('a generator made in the function', 'import random\ndef helper(): return random.Random().random()', ''),
    body('a logger made in the function', "import logging\ndef helper(): logging.getLogger('a').info('')", ''),
    body('the module random itself', 'import random\ndef helper(): return random.random()', ''),
    Row('a generator that is left out', 'thing = 1', 'import random\nthing = random.Random()', '@job\ndef uses', "@job(ignore=['thing'])\ndef uses"),
]))  # fmt: skip
def test_the_user_is_not_told_of_what_is_well(row: Row, projects: Projects) -> None:
    must_not_warn(projects.after(row))
