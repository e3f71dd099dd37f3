"""How a rerun in which nothing changed grows with the array: `python benchmarks/growth.py [N...]`.

Without conditions (against bare Python), with `exists` lambdas (against a loop over the same lambda and the start of Python),
and `awflow status` on the result. Whole processes, medians. After the timing one output is removed: its task must run.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import projects
from measure import Candidate, in_turn, kept, table, tool

FILES = 1000  # which tasks share: what is measured is asking, not the filesystem's directories
ASKED = projects.ENSURED.replace('/{{i}}', f'/{{{{i % {FILES}}}}}')
LAMBDA = projects.LAMBDA.replace('/{{i}}', f'/{{{{i % {FILES}}}}}')


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('sizes', nargs='*', type=int, default=[1000, 10_000, 100_000, 1_000_000], metavar='N')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--directory')
    options = parser.parse_args()
    for n in options.sizes:
        root = Path(tempfile.mkdtemp(prefix='growth-', dir=options.directory))
        try:
            grown(root, n, options.rounds)
        finally:
            shutil.rmtree(root)


def grown(root: Path, n: int, rounds: int) -> None:
    bare = projects.awflow(root, FILES, text=_sized(projects.BARE, n), name='no condition')
    asked = projects.awflow(root, FILES, text=_sized(ASKED, n), name='exists lambda')
    for row in (bare, asked):
        row.run()
    first = bare.wall[0], asked.wall[0]
    floor = projects.loop(root, FILES, _sized(LAMBDA, n), 'loop over the lambda')
    python = Candidate('bare Python', [sys.executable, '-c', 'pass'], root)
    status = Candidate('awflow status', [str(tool('awflow')), 'status'], bare.directory)
    rows = [python, bare, floor, asked, status]
    in_turn(rows, rounds)
    print(f'## {n:,} tasks\n')
    table(rows, [floor.name], tasks=n)
    print(f'first runs {first[0]:.2f} and {first[1]:.2f} s; state {kept(bare.directory / ".awflow")}\n', flush=True)
    (asked.directory / 'out' / '7').unlink()
    asked.run()
    if not (asked.directory / 'out' / '7').exists():
        raise SystemExit('the missing output was not noticed')


def _sized(text: str, n: int) -> str:
    """The same program for n tasks, in a project of fewer files."""
    return text.replace('{n}', str(n))


if __name__ == '__main__':
    main()
