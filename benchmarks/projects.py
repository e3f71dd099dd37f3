"""One workload, written for awflow and for its peers: N tasks that read in/<i> and write out/<i>, and one that joins all.

Every project lies in a directory of its own with files of its own; `check` reads what was made.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from measure import Candidate, tool

AWFLOW = """
from awflow import after, inputs, job, outputs, schedule

N = {n}

@inputs('in/{{i}}')
@outputs('out/{{i}}')
@job(array=N, batch={batch})
def work(i):
    with open(f'in/{{i}}') as source, open(f'out/{{i}}', 'w') as target:
        target.write(source.read().upper())

@after(work)
@outputs('joined')
@job
def join():
    with open('joined', 'w') as target:
        for i in range(N):
            with open(f'out/{{i}}') as source:
                target.write(source.read())

schedule(join)
"""
ENSURED = """
import os
from awflow import ensure, job, schedule

N = {n}

@ensure(lambda i: os.path.exists(f'out/{{i}}'))
@job(array=N, batch=100)
def work(i):
    with open(f'in/{{i}}') as source, open(f'out/{{i}}', 'w') as target:
        target.write(source.read().upper())

schedule(work)
"""
BARE = """
from awflow import job, schedule

@job(array={n}, batch=1000)
def work(i):
    pass

schedule(work)
"""
LAMBDA = """
import os
exists = lambda i: os.path.exists(f'out/{{i}}')
for i in range({n}):
    if not exists(i):
        raise SystemExit(i)
"""
STATS = """
import os
for i in range({n}):
    os.stat(f'in/{{i}}')
    os.stat(f'out/{{i}}')
os.stat('joined')
"""
NINJA = """
rule work
  command = tr a-z A-Z < $in > $out
rule join
  command = find out -type f | sort -t/ -k2n | xargs cat > joined
"""
DOIT = """
DOIT_CONFIG = {{'default_tasks': ['join']}}

def work(i):
    with open(f'in/{{i}}') as source, open(f'out/{{i}}', 'w') as target:
        target.write(source.read().upper())

def joined(n):
    with open('joined', 'w') as target:
        for i in range(n):
            with open(f'out/{{i}}') as source:
                target.write(source.read())

def task_work():
    for i in range({n}):
        yield {{'name': str(i), 'actions': [(work, [i])], 'file_dep': [f'in/{{i}}'], 'targets': [f'out/{{i}}']}}

def task_join():
    return {{'actions': [(joined, [{n}])], 'file_dep': [f'out/{{i}}' for i in range({n})], 'targets': ['joined']}}
"""
STATTER = """
#include <stdio.h>
#include <sys/stat.h>
int main(void) {{
    char path[32]; struct stat found;
    for (int i = 0; i < {n}; i++) {{
        snprintf(path, 32, "in/%d", i); if (stat(path, &found)) return 1;
        snprintf(path, 32, "out/%d", i); if (stat(path, &found)) return 1;
    }}
    return stat("joined", &found);
}}
"""


def _files(directory: Path, n: int) -> Path:
    (directory / 'in').mkdir(parents=True)
    (directory / 'out').mkdir()
    for i in range(n):
        (directory / 'in' / str(i)).write_text(f'line {i}\n', encoding='ascii')
    return directory


def _made(directory: Path, n: int) -> None:
    for i in range(n):
        (directory / 'out' / str(i)).write_text(f'LINE {i}\n', encoding='ascii')
    (directory / 'joined').write_text(''.join(f'LINE {i}\n' for i in range(n)), encoding='ascii')


def checker(directory: Path, n: int, joined: bool = True) -> Callable[[], None]:
    """Stops the benchmark unless everything is there with the bytes that it must have."""

    def check() -> None:
        found = [(directory / 'out' / str(i)).read_text(encoding='ascii') for i in range(n)]
        if found != [f'LINE {i}\n' for i in range(n)]:
            raise SystemExit(f'{directory.name}: the outputs are wrong')
        if joined and (directory / 'joined').read_text(encoding='ascii') != ''.join(found):
            raise SystemExit(f'{directory.name}: what was joined is wrong')

    return check


def awflow(root: Path, n: int, batch: int = 100, text: str = AWFLOW, name: str = 'awflow') -> Candidate:
    directory = _files(root / name.replace(' ', '-'), n)
    (directory / 'flow.py').write_text(text.format(n=n, batch=batch), encoding='ascii')
    return Candidate(name, [sys.executable, 'flow.py'], directory)


def ninja(root: Path, n: int) -> Candidate | None:
    program = tool('ninja')
    if program is None:
        return None
    directory = _files(root / 'ninja', n)
    works = ''.join(f'build out/{i}: work in/{i}\n' for i in range(n))
    joins = 'build joined: join | ' + ' '.join(f'out/{i}' for i in range(n)) + '\n'
    (directory / 'build.ninja').write_text(f'{NINJA}{works}{joins}default joined\n', encoding='ascii')
    return Candidate('ninja', [program, '-j2'], directory)


def make(root: Path, n: int) -> Candidate | None:
    program = tool('make')
    if program is None:
        return None
    directory = _files(root / 'make', n)
    outputs = ' '.join(f'out/{i}' for i in range(n))
    joins = f'joined: {outputs}\n\tfind out -type f | sort -t/ -k2n | xargs cat > joined\n'
    works = ''.join(f'out/{i}: in/{i}\n\ttr a-z A-Z < in/{i} > out/{i}\n' for i in range(n))
    (directory / 'Makefile').write_text(f'.SUFFIXES:\n{joins}{works}', encoding='ascii')
    return Candidate('make', [program, '-r', '-j2'], directory)


def doit(root: Path, n: int) -> Candidate | None:
    if tool('doit') is None:
        return None
    directory = _files(root / 'doit', n)
    (directory / 'dodo.py').write_text(DOIT.format(n=n), encoding='ascii')
    return Candidate('doit', [sys.executable, '-m', 'doit'], directory)


def loop(root: Path, n: int, text: str = STATS, name: str = 'Python stats') -> Candidate:
    """A bare loop over the same files, which are there from the start."""
    directory = _files(root / name.replace(' ', '-'), n)
    _made(directory, n)
    (directory / 'loop.py').write_text(text.format(n=n), encoding='ascii')
    return Candidate(name, [sys.executable, 'loop.py'], directory)


def statter(root: Path, n: int) -> Candidate | None:
    """The same in C: the least that anybody can do who looks at every file."""
    import subprocess

    compiler = tool('cc')
    if compiler is None:
        return None
    directory = _files(root / 'c', n)
    _made(directory, n)
    (directory / 'loop.c').write_text(STATTER.format(n=n), encoding='ascii')
    subprocess.run([compiler, '-O2', '-o', 'loop', 'loop.c'], cwd=directory, check=True)
    return Candidate('C stats', ['./loop'], directory)
