"""What fingerprints cost when there are many: `python benchmarks/fingerprint_many.py [processes]`.

Microseconds of processor time for each job, the median over fresh processes, beside what it takes to parse and compile the
file, in other fresh processes. The same time for each of 10,000 as of 1,000 says that the work grows with the jobs.
"""

from __future__ import annotations

import importlib
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from time import process_time
from typing import Any

PROCESSES = 5
LIMITS = """
SCALE_{i} = {i}.5
NAMES_{i} = ['alpha', 'beta', 'gamma']


def clip_{i}(value):
    if value < 0:
        return 0.0
    return math.floor(value * SCALE_{i})


def work_{i}(count, offset=2):
    total = 0.0
    rows = []
    for number in range(count):
        value = clip_{i}(number - offset)
        if value > 10:
            total += value
        elif number % 2:
            rows.append((number, 'odd'))
    for name in NAMES_{i}:
        rows.append((name, total))
    with open('out.txt', 'w') as out:
        for name, value in rows:
            out.write(f'{{name}} {{value}}')
    return rows
"""
PAIR = """
def helper_{i}(value):
    return value * {i} + OFFSET


def work_{i}():
    total = 0
    for number in range({i}):
        total += helper_{i}(number)
    return total
"""
CHAINED = """
def work_{i}():
    return helper_{j}({i})
"""
LINK = """
def helper_{i}(value):
    return helper_{j}(value) + {i}
"""
CHAIN = 'def helper_0(value):\n    return value\n' + '\n'.join([LINK.format(i=i, j=i - 1) for i in range(1, 50)])

# title -> head of the file, what is repeated, how many jobs, and whether a line is put above them after the import
CASES = {
    'each of 200 jobs of 25 lines with a helper and two globals': ('import math\n', LIMITS, 200, False),
    'each of 1,000 jobs with a helper of its own': ('OFFSET = 3\n', PAIR, 1_000, False),
    'each of 10,000 jobs with a helper of its own': ('OFFSET = 3\n', PAIR, 10_000, False),
    'each of 1,000, all a line lower than when they were imported': ('OFFSET = 3\n', PAIR, 1_000, True),
    'each of 10,000, all a line lower': ('OFFSET = 3\n', PAIR, 10_000, True),
    'each of 1,000 jobs that share a chain of 50 helpers': (CHAIN, CHAINED, 1_000, False),
}


def source(title: str) -> str:
    head, repeated, count, _ = CASES[title]
    return head + '\n'.join([repeated.format(i=i, j=i % 50) for i in range(count)])


def fingerprints(folder: str, title: str) -> float:
    """Seconds for the fingerprints of all jobs of a file, each of which must be whole and unlike the others."""
    from awflow.fingerprint import Fingerprinter

    text, path = source(title), Path(folder, 'many.py')
    path.write_text(text)
    sys.path.insert(0, folder)
    module: Any = importlib.import_module('many')
    _, _, count, lower = CASES[title]
    if lower:
        path.write_text('# one line\n' + text)
    functions = [getattr(module, f'work_{i}') for i in range(count)]
    started = process_time()
    printer = Fingerprinter(folder, lambda value: False)
    found = [printer.function(function) for function in functions]
    digests = {each.digest for each in found}
    spent = process_time() - started
    assert len(digests) == count, 'two jobs have the same fingerprint'
    assert not any(text.startswith('a:-') for each in found for text in each.components.values()), 'code without a tree'
    return spent


def floor(folder: str, title: str) -> float:
    """Seconds to parse and compile the file."""
    text = source(title)
    started = process_time()
    compile(compile(text, 'many.py', 'exec', 0x400), 'many.py', 'exec')
    return process_time() - started


def measured(what: str, number: int) -> float:
    command = [sys.executable, __file__, what, str(number)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main(processes: int) -> None:
    print(f'medians of {processes} fresh processes\n\n{"":62} {"us":>6} {"floor":>6} {"ratio":>5}')
    for number, (title, case) in enumerate(CASES.items()):
        ours = statistics.median([measured('fingerprints', number) for _ in range(processes)]) * 1e6 / case[2]
        least = statistics.median([measured('floor', number) for _ in range(processes)]) * 1e6 / case[2]
        print(f'{title:62} {ours:6.0f} {least:6.0f} {ours / least:5.1f}', flush=True)


if __name__ == '__main__':
    if sys.argv[1:] and sys.argv[1] in ('fingerprints', 'floor'):
        with tempfile.TemporaryDirectory() as place:
            print({'fingerprints': fingerprints, 'floor': floor}[sys.argv[1]](place, list(CASES)[int(sys.argv[2])]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else PROCESSES)
