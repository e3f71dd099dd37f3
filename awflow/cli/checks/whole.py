"""The state as a part: what is damaged, what is left over, and that the rest is whole."""

from __future__ import annotations

import os
import sys

from awflow.cli.checks import ledger, stored
from awflow.cli.console import word
from awflow.state.layout import Layout
from awflow.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from awflow.cli.checks.findings import Part
    from awflow.cli.checks.ledger import Inspection
    from awflow.state.fs import Disk
    from awflow.state.view import State

SHOWN: Final = 5


def check(part: Part, root: str, workflows: Sequence[str], disk: Disk) -> None:
    """Every workflow of a state directory."""
    part.facts['workflows'] = {}
    if not workflows:
        part.ok(f'no workflow has run with {root} yet')
    for name in workflows:
        _workflow(part, root, name, disk)


def _workflow(part: Part, root: str, name: str, disk: Disk) -> None:
    layout = Layout(root, name)
    found = ledger.inspect(layout, disk)
    for damage in ledger.damages(found, layout, disk):
        part.unfit(f'{_shown(layout, damage.path)}: {damage.problem}', damage.restore)
    _torn(part, layout, found)
    for path, problem in stored.payloads(layout, disk):
        part.warn(
            f'{_shown(layout, path)}: {problem}',
            'Tasks that are to be started from it fail; `awflow debug` cannot use it. Remove it if nothing runs; run again.',
        )
    facts = {'entries': len(found.entries), 'journals': found.journals, 'snapshot': found.floor, 'bytes': found.bytes}
    part.facts['workflows'][name] = facts
    if found.damage:
        part.skip(f'results and leftovers of {name} were not looked at, as its records cannot be read')
        return
    store = Store(root, name, disk)
    state = store.read()
    results = stored.Results(layout, disk).verify(state)
    tasks = sum(len(rows) for job in state.jobs() if (rows := state.rows(job)) is not None)
    facts.update(tasks=tasks, results=results.count)
    _results(part, layout, results)
    _interpreter(part, store)
    _left_over(part, store, state, found, results, disk)
    if not found.torn and not results.damaged:
        part.ok(
            f'{name}: {_count(tasks, "task")} on record, {_count(results.count, "stored result")}, '
            f'{_count(found.last, "entry")}, {_count(found.journals, "journal")}: all sums are right'
        )


def _count(number: int, what: str) -> str:
    plural = what[:-1] + 'ies' if what.endswith('y') else what + 's'
    return f'{number} {what if number == 1 else plural}'


def _shown(layout: Layout, path: str) -> str:
    return os.path.relpath(path, os.path.dirname(layout.root))


def _torn(part: Part, layout: Layout, found: Inspection) -> None:
    if found.torn:
        more = f', ... {len(found.torn)} in all' if len(found.torn) > SHOWN else ''
        part.warn(
            f'{_shown(layout, layout.ledger)}: {", ".join(found.torn[:SHOWN])}{more}',
            'A writer was killed in the middle of a line, or the file is damaged. awflow passes over it: a task of which no '
            'end is on record counts as crashed and runs again.',
        )


def _results(part: Part, layout: Layout, results: stored.Results) -> None:
    for task, file, problem in results.damaged[:SHOWN]:
        part.unfit(
            f'{_shown(layout, os.path.join(layout.directory, file))}: {problem}: the stored result of {task}',
            f'Tasks that read it fail. Have it made again: awflow forget {word(task)}, and run the script.',
        )
    if len(results.damaged) > SHOWN:
        part.unfit(f'... and the stored results of {len(results.damaged) - SHOWN} more tasks are damaged')
    if results.gone:
        more = f', ... {len(results.gone)} in all' if len(results.gone) > SHOWN else ''
        part.warn(
            f'stored results are gone: {", ".join(results.gone[:SHOWN])}{more}',
            'These tasks run again as soon as something that runs waits for them.',
        )


def _interpreter(part: Part, store: Store) -> None:
    """Functions are kept as bytecode, which only the minor version of Python that wrote it can run."""
    from awflow.cli.runs import last_of

    facts = last_of(store)
    here = '.'.join(map(str, sys.version_info[:2]))
    if facts.get('python') and str(facts['python']).split('.')[:2] != here.split('.'):
        part.warn(
            f'{store.layout.workflow}: its last run used Python {facts["python"]}, this is {here}',
            f'A run with this one is in order. Tasks of that one are debugged with {facts.get("prefix") or "its own"}.',
        )


def _left_over(
    part: Part, store: Store, state: State, found: Inspection, results: stored.Results, disk: Disk
) -> None:  # fmt: skip
    from awflow.cli.runs import directory_of, last_of
    from awflow.cli.units import size

    layout = store.layout
    for leak in stored.leaks(layout, state, found, results, disk):
        part.warn(
            f'{layout.workflow}: {leak.what}: {leak.count}, {size(leak.bytes)}, as {_shown(layout, leak.example)}',
            'They do no harm. `awflow clean --orphans` removes them.'
            if 'not on record' in leak.what
            else 'They do no harm. The next run with work to do removes most; `awflow clean` removes the rest.',
        )
    kind, words = stored.digests_cache(layout, directory_of(store, last_of(store)), disk)
    if kind:
        part.warn(
            f'{_shown(layout, layout.digests)}: {words}',
            'It only saves time: remove it when nothing runs.' if kind == 'vanished' else
            'It only saves time: files are read once more, and the next run writes it anew.',
        )  # fmt: skip
