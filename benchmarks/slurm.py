"""What awflow costs on Slurm, against bare Python, a shell loop and hand-written batch scripts: `python benchmarks/slurm.py`.

Starts a cluster of its own (tests/cluster), and takes it down. Every row runs what it is compared with in the same run, in
turn, and checks that the work was done. What is only about submitting is submitted on hold, so that the tasks do not take
the processors away from who submits. Needs an environment into which awflow is installed, not linked (`pip install .`):
an editable installation makes the start of Python itself several times as dear. With numpy, and strace for system calls.
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.cluster.processes import SYSTEM
from tests.cluster.settings import Settings
from tests.cluster.tested import TestedCluster

NODE = """
from awflow import job, schedule

@job(array=200)
def element(i: int):
    import os
    try:
        os.open('/reached-the-function', os.O_RDONLY)
    except OSError:
        pass
    spent = 0
    for process in (os.getpid(), os.getppid()):
        with open(f'/proc/{process}/schedstat') as file:
            spent += int(file.read().split()[0])
    with open('spent', 'w') as file:
        file.write(str(spent))

schedule(element, backend='slurm', hold=True)
"""
RAN = """
def note():
    import os
    file = os.open('ran', os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, b'.')
    os.close(file)
"""
ARRAY = """
import sys
from awflow import after, job, schedule
{RAN}
@job(array=1000)
def element(i: int):
    note()

@after(element)
@job
def merge():
    note()

schedule(merge, backend='slurm', **({'hold': True} if 'hold' in sys.argv else {}))
"""
LAYERS = """
import sys
from awflow import job, schedule
{RAN}
def layer(number, below):
    made = []
    for n in range(20):
        @job(name=f'job{number}x{n}')
        def work():
            note()
        work.after(*below)
        made.append(work)
    return made

jobs = []
for number in range(10):
    jobs = layer(number, jobs)
schedule(*jobs, backend='slurm', **({'hold': True} if 'hold' in sys.argv else {}))
"""
LOOP = """
below=
for layer in 0 1 2 3 4 5 6 7 8 9; do
    now=
    for n in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do
        id=$(sbatch --parsable --hold --output=/dev/null ${below:+--dependency=afterok$below} job.sh) || exit 1
        now=$now:$id
    done
    below=$now
done
"""
PI = """
import glob, os
import numpy as np
from awflow import after, ensure, job, schedule

n = 10000
tasks = 25

@ensure(lambda i: os.path.exists(f'pi-{i}.npy'))
@job(cpus=1, array=tasks)
def estimate(i: int):
    x = np.random.random(n)
    y = np.random.random(n)
    np.save(f'pi-{i}.npy', x**2 + y**2 <= 1)

@after(estimate)
@ensure(lambda: os.path.exists('pi.npy'))
@job(cpus=1)
def merge():
    stack = np.vstack([np.load(f) for f in glob.glob('pi-*.npy')])
    np.save('pi.npy', stack.sum() / (n * tasks) * 4)

schedule(merge, backend='slurm')
"""
ESTIMATE = """
import sys
import numpy as np
x = np.random.random(10000)
y = np.random.random(10000)
np.save(f'pi-{sys.argv[1]}.npy', x**2 + y**2 <= 1)
"""
MERGE = """
import glob
import numpy as np
stack = np.vstack([np.load(f) for f in glob.glob('pi-*.npy')])
np.save('pi.npy', stack.sum() / (10000 * 25) * 4)
"""


class Bench:
    """A cluster, an interpreter, and a new directory for every measurement."""

    def __init__(self, cluster: TestedCluster, python: str, times: int) -> None:
        self.cluster = cluster
        self.python = python
        self.times = times
        self.base = Path(tempfile.mkdtemp(prefix='awflow-bench-'))
        environ = {name: value for name, value in os.environ.items() if name != 'PYTHONDONTWRITEBYTECODE'}
        self.counted = {**environ, **cluster.environ}
        self.environ = {**self.counted, 'PATH': SYSTEM}  # without the wrappers that count commands

    def directory(self, **files: str) -> Path:
        path = Path(tempfile.mkdtemp(dir=self.base))
        for name, text in files.items():
            (path / name.replace('_', '.')).write_text(text.replace('{RAN}', RAN), encoding='utf-8')
        return path

    def run(self, directory: Path, *command: str, environ: dict[str, str] | None = None) -> str:
        done = subprocess.run(command, cwd=directory, env=environ or self.environ, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f'{shlex.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}')
        return done.stdout

    def seconds(self, directory: Path, *command: str) -> float:
        began = time.perf_counter()
        self.run(directory, *command)
        return time.perf_counter() - began

    def clear(self) -> None:
        """Nothing is left in the queue."""
        self.cluster.scancel(user=str(os.getuid()))
        self.cluster.wait_until_empty(bound=600)

    def close(self) -> None:
        complaints = self.cluster.close()
        shutil.rmtree(self.base)
        if complaints:
            sys.exit(complaints)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--python', default=sys.executable, help='an interpreter that has awflow (default: this one)')
    parser.add_argument('--times', type=int, default=5, help='how often each measurement is made; the median counts')
    parser.add_argument('rows', nargs='*', default=list(ROWS), help=f'some of: {", ".join(ROWS)} (default: all)')
    chosen = parser.parse_args()
    bench = Bench(TestedCluster(Settings(nodes=4, cpus=8)), chosen.python, chosen.times)
    try:
        for row in chosen.rows:
            ROWS[row](bench)
            bench.clear()
    finally:
        bench.close()


def show(what: str, figure: float, unit: str, bound: float, of: str = '', base: float = 0.0) -> None:
    """A line; where there is a base the bound is on the ratio."""
    said = f'{figure:8.3f} {unit}' if isinstance(figure, float) else f'{figure:8d} {unit}'
    ratio = figure / base if base else figure
    against = f'= {ratio:.2f} x {of} ({base:.4g} {unit})' if base else ''
    print(f'{what:<44} {said:<18} {against:<46} {"ok" if ratio <= bound else "MISSED"}, at most {bound:g}', flush=True)


# -- from the start of the process to the function ---------------------------------------------------------------------------


def node(bench: Bench) -> None:
    """Runs by hand what Slurm would start, one element of a held array after another."""
    directory = bench.directory(node_py=NODE)
    bench.run(directory, bench.python, 'node.py')
    number = bench.cluster.active()[0].number
    script = bench.cluster.ask('scontrol', 'write', 'batch_script', number, '-')
    command = shlex.split(next(line for line in script.splitlines() if line.startswith('exec ')).removeprefix('exec '))
    elements = iter(range(200))

    def start(*around: str) -> float:
        element = next(elements)
        (directory / 'spent').unlink(missing_ok=True)
        slurm = {'SLURM_JOB_ID': f'{int(number) + element}', 'SLURM_ARRAY_JOB_ID': number, 'SLURM_ARRAY_TASK_ID': f'{element}'}
        bench.run(directory, *around, *command, environ={**bench.environ, **slurm})
        return int((directory / 'spent').read_text()) / 1e6  # which is not there unless the function ran

    spent = "print(open('/proc/self/schedstat').read().split()[0])"
    bare, pickle, task = [], [], []
    start()  # compiles what is not compiled yet
    for _ in range(2 * bench.times + 1):
        bare.append(int(bench.run(directory, bench.python, '-c', spent)) / 1e6)
        pickle.append(int(bench.run(directory, bench.python, '-c', f'import cloudpickle\n{spent}')) / 1e6)
        task.append(start())
    base = statistics.median(pickle)
    print(f'bare python: {statistics.median(bare):.1f} ms, {calls(bench, directory, bench.python, "-c", "pass")} calls')
    show('start to function, CPU', statistics.median(task), 'ms', 1.25, 'python + cloudpickle', base)
    if shutil.which('strace'):
        base = calls(bench, directory, bench.python, '-c', 'import cloudpickle')
        start('strace', '-f', '-e', 'trace=%file', '-o', 'calls')
        show('start to function, metadata system calls', counted(directory), 'calls', 1.25, 'python + cloudpickle', base)
    else:
        print('strace is not installed: system calls were not counted')


def calls(bench: Bench, directory: Path, *command: str) -> int:
    if not shutil.which('strace'):
        return 0
    bench.run(directory, 'strace', '-f', '-e', 'trace=%file', '-o', 'calls', *command)
    return counted(directory)


def counted(directory: Path) -> int:
    """The calls in a trace, up to that of the function if it has one."""
    lines = (directory / 'calls').read_text(encoding='utf-8', errors='replace').splitlines()
    end = next((n for n, line in enumerate(lines) if '"/reached-the-function"' in line), len(lines))
    return sum('(' in line and 'resumed>' not in line for line in lines[:end])


# -- submitting --------------------------------------------------------------------------------------------------------------


def array(bench: Bench) -> None:
    """1,000 elements and a merge."""
    times = []
    for _ in range(bench.times):
        times.append(bench.seconds(bench.directory(array_py=ARRAY), bench.python, 'array.py', 'hold'))
        bench.clear()
    show('1,000 elements and a merge, submitting', statistics.median(times), 's', 0.3)
    complete(bench, ARRAY, tasks=1001, jobs=2, files=12)


def layers(bench: Bench) -> None:
    """200 jobs in 10 layers of 20, each waiting for all of the layer before, and the same as a loop in the shell."""
    ours, loop = [], []
    for _ in range(bench.times):
        ours.append(bench.seconds(bench.directory(layers_py=LAYERS), bench.python, 'layers.py', 'hold'))
        bench.clear()
        loop.append(bench.seconds(bench.directory(loop_sh=LOOP, job_sh='#!/bin/sh\ntrue\n'), 'bash', 'loop.sh'))
        if (found := len({job.number for job in bench.cluster.active()})) != 200:
            sys.exit(f'the loop submitted {found} jobs')
        bench.clear()
    show('200 jobs in 10 layers, submitting', statistics.median(ours), 's', 1.0, 'shell loop', statistics.median(loop))
    complete(bench, LAYERS, tasks=200, jobs=200, files=600)


def complete(bench: Bench, script: str, tasks: int, jobs: int, files: int) -> None:
    """Once more, counted and to its end: the commands, the files, and that each task ran once."""
    directory = bench.directory(flow_py=script)
    bench.cluster.forget_commands()
    bench.run(directory, bench.python, 'flow.py', environ=bench.counted)
    given = bench.cluster.commands('sbatch')
    tried = sum('--test-only' in words for words in given)
    show('  sbatch', len(given) - tried, 'commands', jobs)
    show('  sbatch --test-only', tried, 'commands', jobs)
    show('  files after submission', files_in(directory), 'files', files)
    bench.cluster.wait_until_empty(bound=900)
    ran = (directory / 'ran').stat().st_size
    if ran != tasks:
        sys.exit(f'{ran} of {tasks} tasks ran\n{bench.cluster}')
    show('  files after the run', files_in(directory), 'files', files)


def files_in(directory: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(directory / '.awflow'))


# -- until it is done --------------------------------------------------------------------------------------------------------


def pi(bench: Bench) -> None:
    """25 elements and a merge, until the file is there, and two batch scripts that do the same."""
    python = shlex.quote(bench.python)
    first = f'#!/bin/sh\n#SBATCH --array=0-24 --output=/dev/null\nexec {python} estimate.py $SLURM_ARRAY_TASK_ID\n'
    second = f'#!/bin/sh\n#SBATCH --output=/dev/null\nexec {python} merge.py\n'
    submit = 'sbatch --dependency=afterok:$(sbatch --parsable first.sh) second.sh'
    ours, theirs = [], []
    for _ in range(bench.times):
        ours.append(until_done(bench, bench.directory(pi_py=PI), bench.python, 'pi.py'))
        scripts = bench.directory(first_sh=first, second_sh=second, estimate_py=ESTIMATE, merge_py=MERGE)
        theirs.append(until_done(bench, scripts, 'bash', '-c', submit))
    show('pi, 25 elements, until pi.npy', statistics.median(ours), 's', 1.15, 'two scripts', statistics.median(theirs))


def until_done(bench: Bench, directory: Path, *command: str) -> float:
    began = time.perf_counter()
    bench.run(directory, *command)
    while not (directory / 'pi.npy').exists():
        if time.perf_counter() - began > 120:
            sys.exit(f'no pi.npy\n{bench.cluster}')
        time.sleep(0.005)
    seconds = time.perf_counter() - began
    bench.cluster.wait_until_empty()
    found = float(bench.run(directory, bench.python, '-c', 'import numpy; print(numpy.load("pi.npy"))'))
    if not 3.1 < found < 3.2 or len(list(directory.glob('pi-*.npy'))) != 25:
        sys.exit(f'pi is not {found}')
    return seconds


ROWS: dict[str, Callable[[Bench], None]] = {'node': node, 'array': array, 'layers': layers, 'pi': pi}

if __name__ == '__main__':
    main()
