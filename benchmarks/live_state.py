"""A project whose first run was killed, made without running it: `python benchmarks/live_state.py DIR [TASKS]`.

One array, of each task an input and an output. Of every hundred tasks the last has not ended, of every thousand one failed. So
the journal has two lines for each of the others, spelled and framed as a run leaves them that has a process for each task, in
the order in which one on two cores writes them. Files are not made.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from time import perf_counter, time

from xxhash import xxh3_128_hexdigest

from awflow.identity import paths_digest
from awflow.state.ledger import encode_keys
from awflow.state.liveness import Owner, myself
from awflow.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

WORKFLOW = 'study'
JOB = 'estimate'
AT_ONCE = 2  # tasks that run at a time


def make(directory: str | os.PathLike[str], tasks: int = 100_000, began: float | None = None) -> Store:
    """The state, in a directory that need not be there. The run began an hour ago, or at that time."""
    place = Path(directory).absolute()
    place.mkdir(mode=0o755, parents=True, exist_ok=True)
    store = Store(str(place / '.awflow'), WORKFLOW)
    keys = [str(i) for i in range(tasks)]
    code = _digest('code')
    grant = store.publish(
        run='run1', expected=store.read(), tasks={JOB: keys}, script='study.py', owner=_dead(),
        codes={code: {f'code of {JOB}': f'a:{_digest("text")}'}},
        reasons={JOB: [[encode_keys(keys), 'missing', [{'kind': 'never ran'}]]]},
    )  # fmt: skip
    assert grant is not None, 'nobody else writes here'
    alike = {'job': JOB, 'generation': grant.number, 'code': code, 'run': 'run1'}
    lines: list[dict[str, Any]] = []
    for line in _lines(tasks, alike, time() - 3600.0 if began is None else began):
        lines.append(line)
        if len(lines) == 1000:
            grant.journal.append(lines)
            lines.clear()
    grant.journal.append(lines)
    grant.journal.close()
    return store


def _dead() -> Owner:
    """A process of this host that has ended."""
    pid = os.fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    mine = myself()
    return Owner(mine.host, mine.boot, mine.pidns, pid, mine.ticks)


def _lines(tasks: int, alike: dict[str, Any], began: float) -> Iterator[dict[str, Any]]:
    """What the journal says, line by line."""
    under_way: list[tuple[int, dict[str, Any]]] = []
    for i in range(tasks):
        start = {
            'job': alike['job'], 'task': str(i), **alike, 'id': _digest('id', i), 'started': round(began + i * 0.03, 3),
            'own': {'output paths': paths_digest([f'out/{i}.npy'])},
        }  # fmt: skip
        start = {name: start[name] for name in ('job', 'task', 'generation', 'id', 'code', 'run', 'started', 'own')}
        yield start
        under_way.append((i, start))
        if len(under_way) == AT_ONCE:
            number, before = under_way.pop(0)
            if number % 100 != 99:
                yield _end(number, before)
    yield from (_end(number, before) for number, before in under_way if number % 100 != 99)


def _end(i: int, start: dict[str, Any]) -> dict[str, Any]:
    failed = i % 1000 == 13
    told: dict[str, Any] = {
        **start, 'own': {**start['own'], f'input in/{i}.npy': _digest('in', i)},
        'outcome': 'failed' if failed else 'succeeded', 'end': start['id'] if failed else _digest('end', i), 'host': 'node1',
        'ended': round(start['started'] + 0.05 + i % 17 / 1000, 3), 'final': True,
    }  # fmt: skip
    if failed:
        told |= {'error': {'type': 'ValueError', 'line': f'no estimate for {i}'}, 'exit': 1}
    else:
        told |= {'outputs': {f'out/{i}.npy': [_digest('out', i), 80_128]}, 'exit': 0}
    return {**told, 'user': 0.002 + i % 7 / 1000, 'system': 0.0, 'rss': 8_500_000 + i % 1009 * 4096, 'pid': 4000 + i % 28000}


def _digest(*parts: object) -> str:
    return xxh3_128_hexdigest('\0'.join(map(str, parts)).encode())


def main(arguments: list[str]) -> None:
    """Make the state that the command line names."""
    if len(arguments) not in (1, 2):
        sys.exit('usage: python benchmarks/live_state.py DIR [TASKS]')
    began = perf_counter()
    tasks = int(arguments[1]) if len(arguments) == 2 else 100_000
    store = make(arguments[0], tasks)
    size = sum(entry.stat().st_size for entry in os.scandir(store.layout.ledger))
    print(f'{tasks} tasks in {arguments[0]}: {perf_counter() - began:.1f} s, {size / 1e6:.1f} MB')


if __name__ == '__main__':
    main(sys.argv[1:])
