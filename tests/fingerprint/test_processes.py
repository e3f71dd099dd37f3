"""The same fingerprint in every process and place."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

UTIL = """
N = 5
def g(x): return x + N
"""
SCRIPT = """
import functools, json, os, sys
from dataclasses import dataclass, field
from enum import Enum
import util
{more}
class Kind(Enum):
    A = 'a'
@dataclass
class Model:
    weights: dict = field(default_factory=dict)
    def fit(self): return util.g(len(self.weights))
    @functools.cached_property
    def slow(self): return {{1, 2}}
names = {{'x', 'y', 'zeta', 'alpha'}}
model = Model({{'b': names, 'a': Kind.A}})
table = {{name: (lambda v, name=name: (v, name)) for name in sorted(names)}}
odd = {{lambda: 1, lambda: 2, lambda: 3, 'a', 2.5, None}}
@functools.lru_cache
def cached(x): return table, odd
def f(i, k=frozenset('abc')):
    def inner(): return model.fit(), cached(i), names
    return inner, Model, missing, k
if __name__ == '__main__':
    from awflow.fingerprint import Fingerprinter
    root = os.path.dirname(os.path.abspath(__file__))
    found = Fingerprinter(root, lambda value: False).function(f)
    print(json.dumps([found.components, found.digest, found.captured]))
"""


def run(root: Path, program: str, *arguments: str, **environment: str) -> Any:
    here = str(Path(__file__).parents[2])
    variables = {**os.environ, 'PYTHONPATH': here, 'PYTHONDONTWRITEBYTECODE': '1', **environment}
    done = subprocess.run([sys.executable, program, *arguments], cwd=root, env=variables, check=True, capture_output=True)
    return json.loads(done.stdout)


def written(root: Path, more: str = '') -> Path:
    root.mkdir(parents=True)
    (root / 'util.py').write_text(UTIL)
    (root / 'main.py').write_text(SCRIPT.format(more=more))
    return root


def test_a_fingerprint_depends_neither_on_hash_seed_nor_on_directory_nor_on_lines(tmp_path: Path) -> None:
    one = run(written(tmp_path / 'one'), 'main.py', PYTHONHASHSEED='1')
    two = run(written(tmp_path / 'sub/two', '# moved\n\n'), 'main.py', PYTHONHASHSEED='2')
    assert one == two
    assert str(tmp_path) not in json.dumps(one)
    assert {
        'code of f',
        'helper cached',
        'helper Model.fit',
        'helper util.g',
        'class Model',
        'class Kind',
        'global util.N',
    } <= set(one[0])


CHILD = """
import json, os, sys, cloudpickle
from awflow.fingerprint import Fingerprinter
with open('function.pkl', 'rb') as file:
    f = cloudpickle.load(file)
assert 'flow' not in sys.modules
found = Fingerprinter(os.getcwd(), lambda value: False).function(f)
print(json.dumps([found.components, [module.__name__ for module in found.modules]]))
"""
PICKLING = """
import cloudpickle, sys, json, os
sys.path.insert(0, os.getcwd())
import {module} as flow
from awflow.backends.pickling import dumps
from awflow.fingerprint import Fingerprinter
cloudpickle.register_pickle_by_value(flow)
with open('function.pkl', 'wb') as file:
    file.write(dumps(flow.f, {{}}))
print(json.dumps(Fingerprinter(os.getcwd(), lambda value: False).function(flow.f).components))
"""
FLOW = """
import math
n = 3
class Model:
    a = 1
    def fit(self): return n
def g(x): return math.sqrt(x) + n
def f(k=2):
    return g(k), Model().fit(), unbound
"""


def test_a_function_that_travelled_has_the_fingerprint_of_the_original(tmp_path: Path) -> None:
    (tmp_path / 'flow.py').write_text(FLOW)
    (tmp_path / 'pickling.py').write_text(PICKLING.format(module='flow'))
    (tmp_path / 'child.py').write_text(CHILD)
    there = run(tmp_path, 'pickling.py')
    here, modules = run(tmp_path, 'child.py')
    assert here == there
    assert modules == []


@pytest.mark.parametrize('program', ['main.py', '-m main'])
def test_a_script_and_a_module_see_their_names_alike(tmp_path: Path, program: str) -> None:
    root = written(tmp_path / 'p')
    (root / 'other.py').write_text(
        'import json, os, main\nfrom awflow.fingerprint import Fingerprinter\n'
        'print(json.dumps(Fingerprinter(os.getcwd(), lambda value: False).function(main.f).components))'
    )
    assert run(root, 'other.py') == run(root, *program.split())[0]
