"""Every function of the standard library and of numpy that is installed here has one canonical text, in every process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

LEAST = 7900  # functions
READER = """
import importlib, os, sys, sysconfig, types, warnings
from xxhash import xxh3_128
from awflow.fingerprint.canonical import FUNCTIONS, dump
from awflow.fingerprint.fingerprinter import Fingerprinter

warnings.simplefilter('ignore')
total, count = xxh3_128(), 0

def see(text):
    global count
    count += 1
    total.update(text.encode('utf-8', 'surrogatepass') + bytes(1))

def sources():
    library = sysconfig.get_path('stdlib')
    numpy = os.path.dirname(importlib.import_module('numpy').__file__)
    for top in (library, numpy):
        for folder, folders, files in os.walk(top):
            folders[:] = sorted(f for f in folders if f not in {'site-packages', 'dist-packages', 'idlelib', 'lib2to3', 'test', 'tests'})
            yield from (os.path.join(folder, f) for f in sorted(files) if f.endswith('.py'))

def functions(tree):
    todo = [tree]
    while todo:
        node = todo.pop()
        if type(node).__name__ in FUNCTIONS:
            yield node
        for field in node._fields:
            value = getattr(node, field, None)
            todo.extend(item for item in (value if isinstance(value, list) else [value]) if hasattr(item, '_fields'))

for path in sources():
    with open(path, 'rb') as file:
        try:
            tree = compile(file.read(), path, 'exec', 0x400, dont_inherit=True)
        except SyntaxError:
            continue  # templates and files of other versions
    for node in functions(tree):
        see(dump(node))
texts = count

printer = Fingerprinter('/', lambda value: False)
loaded = [m for name in ('numpy', 'argparse', 'asyncio', 'decimal', 'email.message', 'http.client', 'json', 'logging.config', 'random',
          'statistics', 'subprocess', 'tarfile', 'typing', 'unittest.mock', 'xml.dom.minidom', 'zipfile') for m in [importlib.import_module(name)]]
for module in sorted((m for m in list(sys.modules.values()) if isinstance(getattr(m, '__file__', None), str)), key=lambda m: m.__name__):
    if module.__name__.startswith('awflow') or 'xxhash' in module.__name__:
        continue
    for name, value in sorted(vars(module).items(), key=lambda item: item[0]):
        if type(value) is types.FunctionType and value.__module__ == module.__name__:
            see(printer.code(value.__code__)[0])
print(texts, count - texts, total.hexdigest())
"""


def read(seed: str) -> subprocess.Popen[str]:
    environ = {**os.environ, 'PYTHONHASHSEED': seed, 'PYTHONPATH': str(Path(__file__).parents[2])}
    return subprocess.Popen(
        [sys.executable, '-c', READER], env=environ, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_every_function_of_the_library_has_the_same_text_in_two_processes_with_other_hash_seeds() -> None:
    processes = [read('1'), read('2')]
    (one, complaint), (other, _) = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0, 0], complaint
    texts, loaded, _ = one.split()
    assert one == other
    assert int(texts) >= LEAST
    assert int(loaded) >= 1000
