"""A fresh run, beside ninja, joblib, multiprocessing and a bare loop: `python benchmarks/fresh.py [N...]`.

Every task reads a small file and writes another. Whole processes, median of the rounds, each candidate in turn in every round,
and what was made is read back each time. awflow digests inputs and outputs, keeps a record of every task and has a process of
its own for each (or for a hundred, with batch=100); joblib and multiprocessing run the same function on the same values in
processes that last, ninja starts a shell for each.

Install awflow (`pip install .`, not -e) with ninja and joblib, and numpy for --numpy, into one environment.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Candidate, in_turn, kept, tool

HEAVY = 'import numpy\n'
WORK = """
def work(i):
    with open(f'in/{i}') as source, open(f'out/{i}', 'w') as target:
        target.write(source.read().upper())
"""
AWFLOW = """
from awflow import inputs, job, outputs, schedule

@inputs('in/{{i}}')
@outputs('out/{{i}}')
@job(array={n}, batch={batch})
def work(i):
    {uses}with open(f'in/{{i}}') as source, open(f'out/{{i}}', 'w') as target:
        target.write(source.read().upper())

schedule(work, workers=2)
"""
JOBLIB = """
from joblib import Parallel, delayed

if __name__ == '__main__':
    Parallel(n_jobs=2)(delayed(work)(i) for i in range({n}))
"""
POOL = """
from multiprocessing import Pool

if __name__ == '__main__':
    with Pool(2) as pool:
        pool.map(work, range({n}), chunksize=100)
"""
LOOP = """
for i in range({n}):
    work(i)
"""
NINJA = """rule work
  command = read text < $in; echo "TEXT $${{text#text }}" > $out
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('sizes', nargs='*', type=int, default=[10_000], metavar='N')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--directory', help='where: a tmpfs, a disk, a mount')
    parser.add_argument('--numpy', action='store_true', help='a module that tasks use is numpy: each child is forked beside it')
    parser.add_argument('--alone', action='store_true', help='awflow only')
    options = parser.parse_args()
    for n in options.sizes:
        root = Path(tempfile.mkdtemp(prefix='fresh-', dir=options.directory))
        try:
            compare(root, n, options.rounds, options.numpy, options.alone)
        finally:
            shutil.rmtree(root)


def compare(root: Path, n: int, rounds: int, numpy: bool, alone: bool) -> None:
    """One size: the table, and what awflow keeps."""
    ours = [awflow(root, n, 1, numpy), awflow(root, n, 100, numpy)]
    peers = [] if alone else [peer for peer in (ninja(root, n), joblib(root, n), pooled(root, n), loop(root, n)) if peer]
    rows = [*ours, *peers]
    in_turn(rows, rounds)
    print(f'## {n:,} tasks that read and write a file{", numpy loaded" if numpy else ""}\n')
    heads = ['', 'tasks/s', 'CPU us/task', 'peak MB', *(f'CPU, x {peer.name}' for peer in peers[:2])]
    print(f'| {" | ".join(heads)} |\n| --- |{" ---: |" * (len(heads) - 1)}')
    for row in rows:
        ratios = [f'{row.cpu_seconds / peer.cpu_seconds:.2f}' for peer in peers[:2]]
        cells = [f'{n / row.seconds:,.0f}', f'{row.cpu_seconds / n * 1e6:.0f}', f'{row.peak / 1e6:.1f}', *ratios]
        print(f'| {row.name} | {" | ".join(cells)} |')
    for row in ours:
        print(f'\n{row.name}: {kept(row.directory / ".awflow")} of state')
    print(flush=True)


def candidate(root: Path, name: str, n: int, text: str, command: Callable[[Path], list[str]] | None = None) -> Candidate:
    """A directory with inputs and a program."""
    directory = root / name.replace(' ', '-')
    (directory / 'in').mkdir(parents=True)
    for i in range(n):
        (directory / 'in' / str(i)).write_text(f'text {i}\n', encoding='ascii')
    (directory / 'program.py').write_text(text, encoding='ascii')
    run = command(directory) if command else [sys.executable, 'program.py']
    return Candidate(name, run, directory, partial(check, directory, n), partial(clean, directory))


def clean(directory: Path) -> None:
    """Nothing has run."""
    for made in ('out', '.awflow'):
        shutil.rmtree(directory / made, ignore_errors=True)
    for log in ('.ninja_log', '.ninja_deps'):
        (directory / log).unlink(missing_ok=True)
    (directory / 'out').mkdir()


def check(directory: Path, n: int) -> None:
    """Everything has."""
    for i in range(n):
        if (directory / 'out' / str(i)).read_text(encoding='ascii') != f'TEXT {i}\n':
            raise SystemExit(f'{directory.name}: out/{i} is not what it should be')


def awflow(root: Path, n: int, batch: int, numpy: bool) -> Candidate:
    name = 'awflow' if batch == 1 else f'awflow batch {batch}'
    text = (HEAVY if numpy else '') + AWFLOW.format(n=n, batch=batch, uses='numpy.uint8\n    ' if numpy else '')
    return candidate(root, name, n, text)


def ninja(root: Path, n: int) -> Candidate | None:
    program = tool('ninja')
    if program is None:
        return None
    found = candidate(root, 'ninja', n, '', lambda directory: [program, '-j2', '--quiet'])
    builds = ''.join(f'build out/{i}: work in/{i}\n' for i in range(n))
    (found.directory / 'build.ninja').write_text(NINJA.format() + builds, encoding='ascii')
    return found


def joblib(root: Path, n: int) -> Candidate | None:
    from importlib.util import find_spec

    return candidate(root, 'joblib', n, WORK + JOBLIB.format(n=n)) if find_spec('joblib') else None


def pooled(root: Path, n: int) -> Candidate:
    return candidate(root, 'Pool in chunks', n, WORK + POOL.format(n=n))


def loop(root: Path, n: int) -> Candidate:
    return candidate(root, 'bare loop', n, WORK + LOOP.format(n=n))


if __name__ == '__main__':
    main()
