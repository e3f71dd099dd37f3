"""A rerun in which nothing changed, beside ninja, make, doit and bare loops: `python benchmarks/noop.py [N...]`.

Every task has an input and an output, whose content awflow verifies. Whole processes, median of the rounds, each candidate in
turn in every round. That the work was checked, not taken on trust, is shown after the timing: in each project one input is
changed (exactly two tasks may run) and one is only touched (none may run; ninja and make go by times and run two).

Install awflow (`pip install .`, not -e) with ninja and doit into one environment; make, cc and strace are used where they are.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import projects
from measure import Candidate, in_turn, kept, table

DOIT_AT_MOST = 10_000  # tasks; above it takes minutes to start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition(':')[0])
    parser.add_argument('sizes', nargs='*', type=int, default=[1000, 10_000], metavar='N')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--directory', help='where: a tmpfs, a disk, a mount')
    options = parser.parse_args()
    for n in options.sizes:
        root = Path(tempfile.mkdtemp(prefix='noop-', dir=options.directory))
        try:
            declared(root / 'declared', n, options.rounds)
            ensured(root / 'ensured', n, options.rounds)
        finally:
            shutil.rmtree(root)


def declared(root: Path, n: int, rounds: int) -> None:
    """Inputs and outputs declared."""
    doit = projects.doit(root, n) if n <= DOIT_AT_MOST else None
    tools = [projects.awflow(root, n), projects.ninja(root, n), projects.make(root, n), doit]
    found = [candidate for candidate in tools if candidate]
    for candidate in found:
        candidate.run()  # the fresh run
        candidate.check = projects.checker(candidate.directory, n)
        candidate.run()
        candidate.check = lambda: None
    floors = [projects.statter(root, n), projects.loop(root, n)]
    rows = [*(floor for floor in floors if floor), *found]
    in_turn(rows, rounds)
    print(f'## {n:,} tasks with an input and an output, nothing changed\n')
    table(rows, ['Python stats', 'ninja'])
    ours = found[0]
    print(f'awflow: {kept(ours.directory / ".awflow")} of state; system calls that name a file: {calls(rows)}\n')
    changed(found, n, rounds)


def calls(rows: list[Candidate]) -> str:
    counts = {row.name: row.metadata_calls() for row in rows if row.name in ('awflow', 'ninja', 'Python stats')}
    return ', '.join(f'{name} {count:,}' if count is not None else f'{name} not counted' for name, count in counts.items())


def changed(found: list[Candidate], n: int, rounds: int) -> None:
    """One input changed; then one only touched."""
    quiet = {candidate.name: candidate.seconds for candidate in found}
    edits = iter(range(10**6))
    for candidate in found:
        candidate.wall.clear()
        candidate.cpu.clear()
        candidate.before = lambda at=candidate.directory: _edit(at, n, next(edits))  # type: ignore[misc]
        candidate.check = lambda at=candidate.directory: _edited(at, n)  # type: ignore[misc]
    in_turn(found, rounds)
    print(f'## One input of {n:,} changed: its task and the join run\n')
    table(found, ['ninja'] if any(row.name == 'ninja' for row in found) else [])
    print(', '.join(f'{row.name} {row.seconds - quiet[row.name]:+.3f} s' for row in found), 'beside nothing changed\n')
    for candidate in found:
        candidate.before = candidate.check = lambda: None
        candidate.run()
        times = _times(candidate.directory, n)
        os.utime(candidate.directory / 'in' / str(n // 2))
        candidate.run()
        after = _times(candidate.directory, n)
        print(f'touched only: {candidate.name} ran {sum(times[path] != after[path] for path in times)} tasks')
    print(flush=True)


def _times(directory: Path, n: int) -> dict[str, int]:
    paths = [*(f'out/{i}' for i in range(n)), 'joined']
    return {path: (directory / path).stat().st_mtime_ns for path in paths}


def _edit(directory: Path, n: int, number: int) -> None:
    """Another text in the middle one; `before` holds what was there, so that what ran can be told."""
    times = _times(directory, n)
    (directory / 'before').write_text(repr(times), encoding='ascii')
    (directory / 'in' / str(n // 2)).write_text(f'edit {number}\n', encoding='ascii')


def _edited(directory: Path, n: int) -> None:
    from ast import literal_eval

    before = literal_eval((directory / 'before').read_text(encoding='ascii'))
    after = _times(directory, n)
    ran = [path for path in before if before[path] != after[path]]
    text = (directory / 'in' / str(n // 2)).read_text(encoding='ascii').upper()
    joined = (directory / 'joined').read_text(encoding='ascii').splitlines(keepends=True)
    if ran != [f'out/{n // 2}', 'joined'] or joined[n // 2] != text or len(joined) != n:
        raise SystemExit(f'{directory.name}: after one change these ran: {ran[:5]}')


def ensured(root: Path, n: int, rounds: int) -> None:
    """Only a postcondition, against a loop over the same lambda."""
    ours = projects.awflow(root, n, text=projects.ENSURED, name='awflow')
    ours.run()
    projects.checker(ours.directory, n, joined=False)()
    floor = projects.loop(root, n, projects.LAMBDA, 'loop over the lambda')
    in_turn([floor, ours], rounds)
    print(f'## {n:,} tasks with only @ensure(lambda i: os.path.exists(...))\n')
    table([floor, ours], [floor.name])
    target = ours.directory / 'out' / str(n // 2)
    target.unlink()
    ours.run()
    if not target.exists():
        raise SystemExit('the missing output was not noticed')


if __name__ == '__main__':
    main()
