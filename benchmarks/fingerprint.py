"""What fingerprints cost, beside the least that they could: `python benchmarks/fingerprint.py [processes]`.

Every number is the median over fresh processes, since what is asked is the first fingerprint that a script takes: the second is
from memory. A floor is what cannot be left out by anybody who wants the same answer, measured in the same process.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

PROCESSES = 9
OTHER = '''def other{i}(x, y={i}):
    """Does something else."""
    total = 0
    for k in range(x):
        if k % {i}:
            total += k * y
        else:
            total -= math.sqrt(k)
    return total


'''
MODULE = '''"""A module of an ordinary project, of about a hundred lines."""
import math

RATE = 0.5
NAMES = {'a': 1, 'b': [1, 2, 3]}


''' + ''.join(OTHER.format(i=i) for i in range(1, 7)) + '''def helper(x):
    """Helps."""
    return x * RATE + len(NAMES)


def f(n=10):
    """The job."""
    found = []
    for i in range(n):
        value = helper(i)
        if value > 3:
            found.append(value)
        elif i in (1, 2):
            found.append(-value)
    for name, number in NAMES.items():
        print(f'{name}: {number}')
    if not found:
        raise ValueError('nothing found')
    total = sum(found) / len(found)
    return math.floor(total), found


def make(k):
    def closure(i): return helper(i) + k
    return closure
'''  # fmt: skip

# Each prints [seconds, seconds of the floor].
CHILDREN = {
    'cold fingerprint of one function': ("""
import ordinary
from awflow.fingerprint import Fingerprinter
def measured(): Fingerprinter('.', lambda value: False).function(ordinary.f)
def floor():  # the function's own lines and its helper's, parsed and compiled
    for start, end in SPANS:
        text = '\\n'.join(open('ordinary.py').read().split('\\n')[start:end])
        compile(compile(text, 'ordinary.py', 'exec', 0x400), 'ordinary.py', 'exec')
times = [timed(floor), timed(measured)]
print(times[1], times[0])
""", 0.3e-3, 'parse and compile the function and its helper'),
    'one function more, never seen': ("""
import statistics
import ordinary
from awflow.fingerprint import Fingerprinter
def measured(): seen.function(ordinary.other3)
def floor():  # its own lines, parsed and compiled
    text = OTHERS
    compile(compile(text, 'ordinary.py', 'exec', 0x400), 'ordinary.py', 'exec')
OTHERS = open('ordinary.py').read().split('\\n\\n\\n')[3]
assert OTHERS.startswith('def other3'), OTHERS
seen = Fingerprinter('.', lambda value: False)
seen.function(ordinary.f)
timed(floor)
times = [timed(measured), timed(floor)]
print(*times)
""", 0.3e-3, 'parse and compile it'),
    'one of 10,000 closures of one def': ("""
import ordinary
from xxhash import xxh3_128_hexdigest
from awflow.fingerprint import Fingerprinter
functions = [ordinary.make(i) for i in range(10_000)]
printer = Fingerprinter('.', lambda value: False)
def measured():
    for f in functions: printer.function(f).components
def floor():  # one digest of what it captured, one dict of its components
    for f in functions: {'closure': xxh3_128_hexdigest(repr(f.__closure__[0].cell_contents).encode()), 'code': 1, 'helper': 2}
times = [timed(measured) / 10_000, timed(floor) / 10_000]
print(*times)
""", 15e-6, 'digest one number and fill a dict'),
    'an array of 8 MB': ("""
import numpy as np
from xxhash import xxh3_128_digest
from awflow.fingerprint import digest
x = np.arange(1_000_000, dtype='f8')
digest(np.arange(3))
times = [timed(lambda: digest(x)), timed(lambda: xxh3_128_digest(x))]
print(*times)
""", 1e-3, 'xxh3 of its bytes'),
    'import of the fingerprint code': ("""
import awflow, xxhash
assert not [name for name in sys.modules if name.startswith('awflow.fingerprint')], 'imported before it is needed'
def measured():
    import awflow.fingerprint.fingerprinter
def floor():  # reading what is imported, compiled
    import marshal, glob, os
    folder = os.path.join(os.path.dirname(awflow.__file__), 'fingerprint', '__pycache__')
    for path in glob.glob(os.path.join(folder, f'*{sys.implementation.cache_tag}.pyc')):
        marshal.loads(open(path, 'rb').read()[16:])
times = [timed(measured), timed(floor)]
print(*times)
""", None, 'unmarshal the same files'),
}  # fmt: skip
TIMED = """
import sys
from time import perf_counter
sys.path.insert(0, '.')
def timed(f):
    started = perf_counter()
    f()
    return perf_counter() - started
"""


def spans() -> list[tuple[int, int]]:
    """Lines of the function and of its helper, from 0."""
    lines = MODULE.split('\n')
    starts = [lines.index('def helper(x):'), lines.index('def f(n=10):')]
    return [(starts[0], starts[1]), (starts[1], lines.index('def make(k):'))]


def measured(program: str, folder: str, processes: int) -> tuple[float, float]:
    """Medians of what the program prints, over fresh processes; the first one only fills the caches."""
    text = f'{TIMED}\nSPANS = {spans()}\n{program}'
    found = []
    for _ in range(processes + 1):
        done = subprocess.run([sys.executable, '-c', text], cwd=folder, check=True, capture_output=True, text=True)
        found.append([float(word) for word in done.stdout.split()])
    return statistics.median(t for t, _ in found[1:]), statistics.median(t for _, t in found[1:])


def shown(seconds: float) -> str:
    return f'{seconds * 1e3:.3f} ms' if seconds >= 1e-4 else f'{seconds * 1e6:.1f} us'


def main(processes: int) -> None:
    print(f'medians of {processes} fresh processes\n')
    results = {}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, 'ordinary.py').write_text(MODULE)
        for title, (program, goal, what) in CHILDREN.items():
            time, least = measured(program, folder, processes)
            results[title] = {'seconds': time, 'floor': least, 'goal': goal}
            wanted = f'goal {shown(goal)}' if goal else ''
            print(f'{title:<36} {shown(time):>10}  {wanted:<15} {time / least:5.1f} x {shown(least)}: {what}')
    print('\n' + json.dumps(results))


if __name__ == '__main__':
    main(int(sys.argv[1]) if len(sys.argv) > 1 else PROCESSES)
