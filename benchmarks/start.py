"""What `import awflow` costs above bare Python, and the command line beside click: `python benchmarks/start.py`.

CPU milliseconds of whole processes, medians, each in turn. Install awflow (`pip install .`, not -e), byte-compiled.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from measure import Candidate, in_turn, tool

IMPORTS = {
    'bare Python': 'pass',
    'import awflow': 'import awflow',
    'import awflow, its names used': 'from awflow import after, ensure, inputs, job, outputs, schedule',
    'import json': 'import json',
    'import multiprocessing': 'import multiprocessing',
    'import cloudpickle': 'import cloudpickle',
    'import click': 'import click',
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('--rounds', type=int, default=41)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found = {name: Candidate(name, [sys.executable, '-c', code], Path(place)) for name, code in IMPORTS.items()}
        found['awflow --help'] = Candidate('awflow --help', [str(tool('awflow')), '--help'], Path(place))
        in_turn(list(found.values()), options.rounds)
        base, click = found['bare Python'], found['import click']
        print('| | CPU ms | above bare Python | x python -c "import click" |\n| --- | ---: | ---: | ---: |')
        for row in found.values():
            above = (row.cpu_seconds - base.cpu_seconds) * 1e3
            print(f'| {row.name} | {row.cpu_seconds * 1e3:.1f} | {above:.1f} | {row.cpu_seconds / click.cpu_seconds:.2f} |')


if __name__ == '__main__':
    main()
