"""Digests of files, beside xxhsum: `python benchmarks/hashing.py`.

One warm file of 2 GiB and 256 of 8 MiB, as the driver takes them; GiB a second, median of the rounds, each in turn, and the
digests of the small ones compared. Needs xxhsum (Debian: xxhash), and 4 GiB to write in.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

from awflow.state.digests import Digests
from awflow.state.fs import Disk

MIB = 1 << 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--directory')
    parser.add_argument('--mib', type=int, default=2048, help='of each of the two sets')
    options = parser.parse_args()
    root = Path(tempfile.mkdtemp(prefix='hashing-', dir=options.directory))
    try:
        os.chdir(root)
        block = os.urandom(8 * MIB)
        many = [write(f'many-{i}', [bytes([i % 256]) + block[1:]]) for i in range(options.mib // 8)]
        big = [write('big', (bytes([i % 256]) + block[1:] for i in range(options.mib // 8)))]
        print('| | awflow GiB/s | xxhsum GiB/s | ratio |\n| --- | ---: | ---: | ---: |')
        for name, paths in ((f'one file of {options.mib} MiB', big), (f'{len(many)} files of 8 MiB', many)):
            ours, theirs = compare(paths, options.rounds)
            speed = options.mib / 1024
            print(f'| {name} | {speed / ours:.2f} | {speed / theirs:.2f} | {theirs / ours:.2f} |', flush=True)
    finally:
        shutil.rmtree(root)


def write(name: str, blocks: object) -> str:
    with open(name, 'wb') as file:
        file.writelines(blocks)  # type: ignore[arg-type]
    return name


def compare(paths: list[str], rounds: int) -> tuple[float, float]:
    """Seconds of awflow and of xxhsum, medians."""
    ours, theirs = [], []
    for _ in range(rounds + 1):
        digests = Digests('cache', Disk())  # knows nothing yet: everything is read
        begun = time.perf_counter()
        found = {path: content.digest for path, content in digests.of_all(paths).items() if content}
        ours.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        said = subprocess.run(['xxhsum', '-q', '-H2', *paths], check=True, capture_output=True, text=True).stdout
        theirs.append(time.perf_counter() - begun)
        expected = {line.split()[1]: line.split()[0] for line in said.splitlines()}
        small = [path for path in paths if os.path.getsize(path) <= 64 * MIB]
        if [found[path] for path in small] != [expected[path] for path in small]:
            raise SystemExit('the digests differ')
    return statistics.median(ours[1:]), statistics.median(theirs[1:])


if __name__ == '__main__':
    main()
