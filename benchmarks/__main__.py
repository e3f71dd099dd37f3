"""Runs benchmarks one after the other: `python benchmarks`, or `python benchmarks noop hashing`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
OTHERS = ('__main__', 'measure', 'projects', 'big_state')  # what the benchmarks are made of


def main() -> None:
    known = sorted(path.stem for path in HERE.glob('*.py') if path.stem not in OTHERS)
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('names', nargs='*', default=known, choices=[*known, []], metavar='NAME', help=', '.join(known))
    for name in parser.parse_args().names:
        print(f'\n# {name}\n', flush=True)
        subprocess.run([sys.executable, HERE / f'{name}.py'], check=True)


if __name__ == '__main__':
    main()
