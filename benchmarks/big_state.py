"""A project with a big state, made in seconds without running anything: `python benchmarks/big_state.py DIR [TASKS]`.

    prepare                1 task,  makes data/grid.npy
    simulate[0..]  60 % of them, reads data/grid.npy, makes data/sim-<i>.npy
    fit[0..]       the rest,     reads data/sim-<i>.npy, makes fits/<i>/ (a directory)
    merge                  1 task,  reads all of them: it has not run

In a first run every 1,000th task of `simulate` failed for want of memory. In a second it succeeded, but every 997th `fit`
failed, and the one after it crashed. The records are as runs on a cluster leave them, written and folded by the state's own
code. Files and logs are made for the first tasks of each job, logs also for those that failed. `make` is for tests.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from time import perf_counter, time

from xxhash import xxh3_128_hexdigest

from awflow.identity import paths_digest
from awflow.outcome import outcome_digest
from awflow.state.digests import Digests
from awflow.state.fs import Disk
from awflow.state.ledger import encode_keys
from awflow.state.record import Record
from awflow.state.store import Store

WORKFLOW = 'study'
FILES = 12  # tasks of each job whose files are there
GIB = 2**30

SOURCES = {
    'prepare': 'def prepare():\n    np.save("data/grid.npy", grid(1000))\n',
    'simulate': 'def simulate(i):\n    np.save(f"data/sim-{i}.npy", run(np.load("data/grid.npy"), seed=i))\n',
    'fit': 'def fit(i):\n    write(f"fits/{i}", best(np.load(f"data/sim-{i}.npy")))\n',
    'merge': 'def merge():\n    np.save("result.npy", stack(glob("fits/*")))\n',
}
ASKED = [
    [{'cpus': 1, 'memory': 1024}, ['prepare', 'merge']],
    [{'cpus': 4, 'memory': 8192, 'timelimit': 7200.0}, ['simulate']],
    [{'cpus': 1, 'memory': 2048, 'timelimit': 600.0}, ['fit']],
]


class Project:
    """The directory, and what its records have in common."""

    def __init__(self, directory: str | os.PathLike[str], tasks: int, began: float | None = None) -> None:
        self.directory = Path(directory).absolute()
        self.directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.store = Store(str(self.directory / '.awflow'), WORKFLOW)
        self.simulated = max(tasks * 6 // 10, 1)
        self.fitted = max(tasks - self.simulated - 2, 1)
        self.began = time() - 6 * 3600.0 if began is None else began
        self.digests = Digests('', Disk())
        self.components = {job: {f'code of {job}': f'a:{_digest(job)} b311:{_digest(job, 1)}', 'package numpy': 'installed'}
                           for job in SOURCES}  # fmt: skip
        self.code = {job: _digest(json.dumps(parts)) for job, parts in self.components.items()}
        self.grid = self.made('data/grid.npy', True)

    def record(self, job: str, task: str, generation: int, seed: int, outcome: str, **fields: object) -> Record:
        """An attempt as a worker records it; all figures follow from the seed."""
        attempt = _digest(job, task, generation, seed)
        seconds = {'prepare': 40.0, 'simulate': 900.0, 'fit': 20.0, 'merge': 60.0}[job] * (0.8 + (seed * 7919 % 1000) / 2500)
        started = self.began + generation * 3600.0 + seed % 1800
        peak = {'prepare': 0.3, 'simulate': 2.9, 'fit': 0.4, 'merge': 0.7}[job] * (0.9 + (seed * 104729 % 1000) / 5000) * GIB
        given: dict[str, object] = {
            'job': job, 'task': task, 'generation': generation, 'final': True, 'outcome': outcome, 'id': attempt,
            'end': attempt, 'code': self.code[job], 'exit': 0, 'host': f'node{seed % 40:02}', 'pid': 2000 + seed % 30000,
            'run': f'run{generation}',
            'slurm': {'job': str(8_000_000 + seed), 'array': f'{7_000_000 + generation}_{task}'} if task != '-' else
                     {'job': str(8_000_000 + seed)},
            'started': started, 'ended': started + seconds, 'user': seconds * 0.93, 'system': seconds * 0.02, 'rss': int(peak),
            'checks': [{'name': f'exists({job})', 'when': 'after', 'ok': True, 'seconds': 0.0004, 'before': False,
                        'before_seconds': 0.0002, 'was_false': True}],
            **fields,
        }  # fmt: skip
        return Record(**given)

    def made(self, path: str, here: bool) -> dict[str, list[object]]:
        """The outputs of a task; the file is there with these bytes if it is one of the first."""
        if not here:
            return {path: [_digest(path), 8_000_128]}
        where = self.directory / path
        target = where if where.suffix else where / 'best.npy'
        target.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        target.write_bytes(path.encode() * 100)
        content = self.digests.of(str(where))
        assert content is not None, 'it was just written'
        return {path: [content.digest, content.size]}

    def log(self, record: Record, text: str) -> Record:
        """The same with a log."""
        layout = self.store.layout
        stem = 'log' if record.task == '-' else record.task
        path = f'{layout.log_dir(record.job)}/{stem}-{record.generation}-{record.attempt[1]}.log'
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).write_text(text)
        return record.replace(log=layout.relative(path))

    def run(self, number: int, records: list[Record]) -> None:
        """Publish a claim on the tasks of these records, what came of them, and the end."""
        tasks: dict[str, list[str]] = {}
        for record in records:
            tasks.setdefault(record.job, []).append(record.task)
        run = f'run{number}'
        grant = self.store.publish(
            run=run, expected=self.store.read(), tasks=tasks, script='study.py',
            codes={self.code[job]: self.components[job] for job in tasks},
            sources={f'code of {job}': {self.components[job][f'code of {job}']: SOURCES[job]} for job in tasks},
            reasons={job: [[encode_keys(keys), 'missing', [{'kind': 'never ran'}]]] for job, keys in tasks.items()},
        )  # fmt: skip
        assert grant is not None, 'nobody else writes here'
        lines = [record.replace(generation=grant.number, run=run).to_dict() for record in records]
        for at in range(0, len(lines), 1000):
            grant.journal.append(lines[at : at + 1000])
        self.note(run, number, {'missing': len(records), 'fresh': 0})
        self.store.finish(run)

    def note(self, run: str, number: int, plan: dict[str, int]) -> None:
        """The file of a run."""
        path = Path(self.store.layout.run_file(run))
        path.parent.mkdir(parents=True, exist_ok=True)
        facts = {
            'run': run, 'time': self.began + number * 3600.0, 'user': os.getuid(), 'host': 'login1',
            'argv': ['study.py', '--backend=slurm'], 'command': [sys.executable, 'study.py', '--backend=slurm'],
            'prefix': sys.prefix, 'state': self.store.layout.root, 'directory': str(self.directory), 'python': '3.11.2',
            'packages': {'numpy': '2.0.1'}, 'git': _digest('commit')[:40], 'plan': plan, 'parent': None, 'asked': ASKED,
        }  # fmt: skip
        path.write_text(json.dumps(facts, indent=1))


def make(directory: str | os.PathLike[str], tasks: int = 100_000, began: float | None = None) -> Project:
    """The project in a directory that need not be there. It began six hours ago, or at that time."""
    project = Project(directory, tasks, began)
    (project.directory / 'study.py').write_text('\n'.join(SOURCES.values()))
    project.run(1, _first(project))
    project.run(3, _second(project))  # the end of the first has a number too
    project.store.compact(force=True)
    return project


def _first(project: Project) -> list[Record]:
    outputs = project.grid
    prepare = project.record('prepare', '-', 1, 1, 'succeeded', outputs=outputs, end=outcome_digest(outputs, None))
    records = [project.log(prepare, 'grid of 1000 points\n')]
    for i in range(project.simulated):
        wanting = i % 1000 == 7
        record = _simulated(project, i, 1, 'failed' if wanting else 'succeeded')
        if wanting:
            line = 'it used 8193 MiB of memory and had asked for 8192 MiB'
            record = record.replace(error={'type': 'MemoryLimit', 'line': line}, outputs={}, exit=1, rss=8 * GIB, end=record.id)
            record = project.log(record, f'seed {i}\nawflow: {line}\n')
        elif i < FILES:
            record = project.log(record, f'seed {i}\n' + 'step\n' * 20)
        records.append(record)
    return records


def _simulated(project: Project, i: int, generation: int, outcome: str) -> Record:
    grid = project.grid['data/grid.npy'][0]
    outputs = project.made(f'data/sim-{i}.npy', i < FILES)
    return project.record(
        'simulate', str(i), generation, i, outcome, outputs=outputs, end=outcome_digest(outputs, None),
        upstream={'prepare': outcome_digest(project.grid, None)},
        own={'output paths': paths_digest([f'data/sim-{i}.npy']), 'input data/grid.npy': grid},
    )  # fmt: skip


def _second(project: Project) -> list[Record]:
    records = [_simulated(project, i, 3, 'succeeded') for i in range(7, project.simulated, 1000)]
    for i in range(project.fitted):
        outputs = project.made(f'fits/{i}', i < FILES)
        sim, end = project.made(f'data/sim-{i}.npy', i < FILES)[f'data/sim-{i}.npy'], _digest('end of', i)
        own = {'output paths': paths_digest([f'fits/{i}']), f'input data/sim-{i}.npy': str(sim[0]), 'upstream simulate': end}
        record = project.record(
            'fit', str(i), 3, i, 'succeeded', outputs=outputs, end=outcome_digest(outputs, None), own=own
        )  # fmt: skip
        if i % 997 == 13:
            record = record.replace(
                outcome='failed', outputs={}, exit=1, end=record.id, error={'type': 'ValueError', 'line': f'no minimum for {i}'}
            )
            record = project.log(record, f'Traceback (most recent call last):\nValueError: no minimum for {i}\n')
        elif i % 997 == 14:
            record = record.replace(
                outcome='', final=False, outputs={}, ended=0.0, end='', exit=None, user=0.0, system=0.0, rss=0
            )
        elif i < FILES:
            record = project.log(record, f'best of {i}\n')
        records.append(record)
    return records


def _digest(*parts: object) -> str:
    return xxh3_128_hexdigest('\0'.join(map(str, parts)).encode())


def main(arguments: list[str]) -> None:
    """Make the project that the command line names."""
    if len(arguments) not in (1, 2):
        sys.exit('usage: python benchmarks/big_state.py DIR [TASKS]')
    began = perf_counter()
    tasks = int(arguments[1]) if len(arguments) == 2 else 100_000
    project = make(arguments[0], tasks)
    state = project.store.read()
    size = state.table.size if state.table else 0
    print(f'{tasks} tasks in {project.directory}: {perf_counter() - began:.1f} s, snapshot of {size / 1e6:.1f} MB')


if __name__ == '__main__':
    main(sys.argv[1:])
