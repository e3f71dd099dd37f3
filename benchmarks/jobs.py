"""Reruns of many jobs in which nothing changed: chains, and jobs made in a loop: `python benchmarks/jobs.py`.

Whole processes, medians of the rounds, beside doit where there is one and a bare loop over the same files. After the timing
each project loses one output: that job must run again, which shows that it was looked for.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Candidate, in_turn, kept, table, tool

CHAIN = """
from awflow import after, inputs, job, outputs, schedule

def link(i, upstream):
    @inputs(*([f'c/{{i - 1}}'] if i else []))
    @outputs(f'c/{{i}}')
    @job(name=f'link_{{i}}')
    def made():
        with open(f'c/{{i}}', 'w') as target:
            target.write(str(i))
    return after(upstream)(made) if upstream else made

last = None
for i in range({n}):
    last = link(i, last)
schedule(last)
"""
NAMED = """
import os
from awflow import ensure, job, schedule

def make(i):
    @ensure(lambda: os.path.exists(f'c/{{i}}'))
    @job(name=f'one_{{i}}')
    def one():
        with open(f'c/{{i}}', 'w') as target:
            target.write(str(i))
    return one

schedule(*[make(i) for i in range({n})])
"""
DOIT = """
DOIT_CONFIG = {{'verbosity': 0}}

def write(i):
    with open(f'c/{{i}}', 'w') as target:
        target.write(str(i))

def task_link():
    for i in range({n}):
        before = [f'c/{{i - 1}}'] if i else []
        yield {{'name': str(i), 'actions': [(write, [i])], 'file_dep': before, 'targets': [f'c/{{i}}']}}
"""
LOOP = """
import os
for i in range({n}):
    os.path.exists(f'c/{{i}}')
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--chain', type=int, default=1000)
    parser.add_argument('--named', type=int, default=10_000)
    parser.add_argument('--directory')
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix='jobs-', dir=options.directory))
    try:
        compare(root, 'chain', CHAIN, options.chain, options.rounds, peer=True)
        compare(root, 'named', NAMED, options.named, options.rounds, peer=False)
    finally:
        shutil.rmtree(root)


def compare(root: Path, what: str, text: str, n: int, rounds: int, peer: bool) -> None:
    rows = [project(root / what, 'awflow', text, n, 'flow.py')]
    if peer and tool('doit'):
        rows.append(project(root / what, 'doit', DOIT, n, 'dodo.py'))
    for row in rows:
        row.run()
        check(row, n)
    floor = project(root / what, 'loop of exists', LOOP, n, 'loop.py')
    for i in range(n):
        (floor.directory / 'c' / str(i)).write_text(str(i), encoding='ascii')
    in_turn([floor, *rows], rounds)
    print(f'## {what}: {n:,} jobs of one task, nothing changed\n')
    table([floor, *rows], [row.name for row in (floor, *rows[1:])], tasks=n)
    print(f'awflow: {kept(rows[0].directory / ".awflow")} of state\n')
    for row in rows:
        (row.directory / 'c' / str(n // 2)).unlink()
        if what == 'chain':  # only what is asked for is made again: the last, whose input is there
            (row.directory / 'c' / str(n - 1)).unlink()
        row.run()
        if what != 'chain' and not (row.directory / 'c' / str(n // 2)).exists():
            raise SystemExit(f'{row.name} did not notice what was missing')
        if not (row.directory / 'c' / str(n - 1)).exists():
            raise SystemExit(f'{row.name} did not make the last one again')


def project(root: Path, name: str, text: str, n: int, script: str) -> Candidate:
    directory = root / name.replace(' ', '-')
    (directory / 'c').mkdir(parents=True)
    (directory / script).write_text(text.format(n=n), encoding='ascii')
    command = [sys.executable, '-m', 'doit'] if name == 'doit' else [sys.executable, script]
    return Candidate(name, command, directory)


def check(row: Candidate, n: int) -> None:
    for i in range(n):
        if (row.directory / 'c' / str(i)).read_text(encoding='ascii') != str(i):
            raise SystemExit(f'{row.name}: c/{i} is wrong')


if __name__ == '__main__':
    main()
