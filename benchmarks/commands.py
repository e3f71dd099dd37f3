"""How long commands take on a big state: `python benchmarks/commands.py [TASKS] [--state DIR] [--live]`.

Every command that only reads is run on the project of big_state.py, or with --live on that of live_state.py, whose run was
killed and left a journal of all its tasks; in a process of its own as users do it. Seconds are told
beside those of `python -c 'import click'` on the same machine, which no command can undercut. Medians of several turns,
which take turns, so that a busy moment strikes all alike. CPU is user and system of the process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from time import perf_counter

import big_state
import live_state

from awflow.cli.program import COMMANDS

TURNS = 5
LIMIT = 0.5  # seconds of the whole process, on 100,000 tasks
ARGUMENTS = {
    'status': [[], ['--json'], ['-v'], ['simulate[7]']],
    'show': [['fit[13]'], ['fit'], ['--failed', '--json']],
    'why': [['fit[13]'], ['simulate[7]'], ['fit']],
    'logs': [['fit[3]'], ['--failed'], ['--crashed'], ['simulate[7]', '--attempt', '1']],
    'graph': [[]],
    'blame': [['data/sim-3.npy'], ['fits/3/best.npy', '--all'], ['study.py']],
    'usage': [[], ['fit'], ['fit[0:10]']],
    'clean': [['--dry-run']],
    'doctor': [[]],
    'dump': [[]],
}
LIVE = {
    'status': [[], ['-v'], ['--failed']],
    'show': [['estimate[5]']],
    'why': [['estimate[5]'], ['estimate']],
    'logs': [['estimate[5]']],
    'blame': [['out/5.npy']],
    'usage': [[]],
    'clean': [['--dry-run']],
    'dump': [[]],
}
WRITING = ('accept', 'forget', 'cancel', 'debug')  # what they do is not for a benchmark


def measured(command: list[str], directory: str) -> tuple[float, float, int, float]:
    """Wall seconds, CPU seconds, exit status, peak of memory in MB."""
    began = perf_counter()
    process = subprocess.Popen(command, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return perf_counter() - began, used.ru_utime + used.ru_stime, process.returncode, used.ru_maxrss / 1024


def rows(commands: list[str], asked: dict[str, list[list[str]]]) -> dict[str, list[str]]:
    """What is run, by how it is shown."""
    python = [sys.executable, '-c']
    found = {"python -c 'import click'": [*python, 'import click'], 'awflow --help': [sys.executable, '-m', 'awflow', '--help']}
    for command in commands:
        for arguments in asked.get(command, ()):
            found[' '.join(['awflow', command, *arguments])] = [sys.executable, '-m', 'awflow', command, *arguments]
    return found


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('tasks', nargs='?', type=int, default=100_000)
    parser.add_argument('--state', metavar='DIR', help='a project made by big_state.py, to be used again')
    parser.add_argument('--live', action='store_true', help='a run that was killed, with a journal of all its tasks')
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = asked.state or os.path.join(scratch, 'project')
        if not os.path.isdir(os.path.join(directory, '.awflow')):
            (live_state if asked.live else big_state).make(directory, asked.tasks)
        table = rows(list(COMMANDS), LIVE if asked.live else ARGUMENTS)
        found: dict[str, list[tuple[float, float, int, float]]] = {name: [] for name in table}
        for _ in range(TURNS):
            for name, command in table.items():
                found[name].append(measured(command, directory))
    floor = statistics.median(wall for wall, *_ in next(iter(found.values())))
    print(f'{"":44} {"seconds":>8} {"CPU":>6} {"ratio":>6} {"MB":>6}')
    for name, times in found.items():
        wall, cpu, peak = (statistics.median(each[at] for each in times) for at in (0, 1, 3))
        broken = '' if all(each[2] in (0, 1) for each in times) else f'  exit {times[0][2]}'
        late = '  late' if wall > LIMIT and name.startswith('awflow') else ''
        print(f'{name:44} {wall:8.3f} {cpu:6.2f} {wall / floor:6.1f} {peak:6.0f}{late}{broken}')
    for command in COMMANDS if not asked.live else ():
        if command not in ARGUMENTS and command not in WRITING:
            print(f'awflow {command}: not measured, it has no arguments here')


if __name__ == '__main__':
    main()
