"""A rerun in which nothing changed on a network filesystem: `python benchmarks/slowfs.py`.

2,000 tasks with an input and an output on a GlusterFS mount that this starts and takes down (tests/cluster: root, and Debian's
glusterfs-server and glusterfs-client), or in --directory on any other. Beside a plain Python loop of stats over the same
files. Every run begins with a cold client cache: what the mount believes is let expire before it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import projects
from measure import in_turn, table

TOP = Path(__file__).resolve().parents[1]
CACHE = 3  # seconds for which the mount believes what it saw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('-n', type=int, default=2000)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--directory', help='on the filesystem to measure')
    options = parser.parse_args()
    if options.directory:
        measured(Path(tempfile.mkdtemp(prefix='slowfs-', dir=options.directory)), options.n, options.rounds)
        return
    with mounted() as mount:
        measured(mount / 'slowfs', options.n, options.rounds)


@contextmanager
def mounted() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp(prefix='slowfs-'))
    cluster = [sys.executable, '-m', 'tests.cluster']
    subprocess.run([*cluster, 'up', place / 'cluster', '--nodes', '1', '--shared', place / 'mount', '--cache', str(CACHE)],
                   cwd=TOP, check=True, stdout=subprocess.DEVNULL)  # fmt: skip
    try:
        yield place / 'mount'
    finally:
        subprocess.run([*cluster, 'down', place / 'cluster'], cwd=TOP, check=True)
        shutil.rmtree(place)


def measured(root: Path, n: int, rounds: int) -> None:
    ours = projects.awflow(root, n)
    ours.run()
    projects.checker(ours.directory, n)()
    ours.run()
    floor = projects.loop(root, n)
    for row in (floor, ours):
        row.before = lambda: time.sleep(CACHE + 1.5)  # not to wait for anything: so that the cache is cold
    in_turn([floor, ours], rounds)
    print(f'## {n:,} tasks with an input and an output on a slow filesystem, nothing changed\n')
    table([floor, ours], [floor.name])
    (ours.directory / 'in' / '7').write_text('edited\n', encoding='ascii')
    ours.run()
    if (ours.directory / 'out' / '7').read_text(encoding='ascii') != 'EDITED\n':
        raise SystemExit('a changed input was not noticed')


if __name__ == '__main__':
    main()
