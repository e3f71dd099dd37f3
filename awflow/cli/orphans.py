"""What `awflow clean --orphans` removes: files of jobs that the workflow does not have any more. Their records stay."""

from __future__ import annotations

import os
import re

from awflow.cli.litter import Removal, generation_of, listed, payloads, spelled
from awflow.cli.replan import scheduled_now
from awflow.cli.roster import belongs, last_starts
from awflow.cli.runs import last_of
from awflow.state.layout import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from awflow.cli.cleaning import Options, Scene

KEPT = re.compile(r'-\d{8}-\d{6}-[0-9a-f]{8}-[0-9a-f]{8}$')  # what follows the path in the name of a file that was kept
LOST = 'the script does not schedule it any more'
FOLDERS = {'logs': 'logs', 'results': 'stored results', 'scratch': 'scratch'}


def orphans(scene: Scene, options: Options, live: Collection[int], notes: list[str]) -> list[Removal]:
    """Logs, stored results, payloads and kept files of such jobs; `notes` says who they are, or why that is not known."""
    if scene.name not in options.asked:
        options.asked[scene.name] = _scheduled(scene)
    jobs, trouble = options.asked[scene.name]
    if trouble:
        notes.append(f'which jobs are no longer in the workflow is not known: {trouble}')
        return []
    jobs = jobs | {job for number in live for job in scene.state.claims[number].tasks}
    lost = sorted(job for job in scene.state.jobs() if not belongs(job, jobs))
    if lost:
        notes.append(f'no longer in the workflow: {", ".join(lost)}; what is on record of them stays (awflow forget drops it)')
    return [*_folders(scene, jobs), *_payloads(scene, jobs, live), *_kept(scene, lost)]


def _scheduled(scene: Scene) -> tuple[set[str], str]:
    """The jobs that the script schedules, called as in its last run or in another way that it was called; and why they may
    not be all.
    """
    from awflow.errors import RunError

    try:
        jobs, trouble = scheduled_now(scene)
    except RunError as error:
        return set(), str(error).partition('\n')[0]
    now = last_of(scene.store).get('argv', [])[1:]
    for start in last_starts(scene.store.layout):
        if start.arguments != now and start.jobs is None:
            trouble = trouble or f'an earlier awflow did not note which it has when called with {" ".join(start.arguments)!r}'
        elif start.arguments != now:
            jobs |= start.jobs or set()
    return jobs, trouble


def _folders(scene: Scene, jobs: Collection[str]) -> Iterator[Removal]:
    """Directories of jobs. One whose name was cut is a lost job's only if the state knows that by its whole name."""
    by_name = {safe(job): job for job in scene.state.jobs()}
    for folder, kind in FOLDERS.items():
        for entry in listed(os.path.join(scene.store.layout.directory, folder)):
            job = by_name.get(entry.name, spelled(entry.name))
            if job is not None and not belongs(job, jobs):
                yield Removal(f'{kind} of {job}', entry.path, LOST)


def _payloads(scene: Scene, jobs: Collection[str], live: Collection[int]) -> Iterator[Removal]:
    """Payloads from which only lost jobs ran last."""
    named: dict[bool, set[int]] = {True: set(), False: set()}
    for job in scene.state.jobs():
        rows = scene.state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        named[belongs(job, jobs)] |= rows.generations()
    for entry in listed(payloads(scene.store.layout)):
        number = generation_of(entry.name)
        if number in named[False] - named[True] - set(live):
            yield Removal('payload', entry.path, 'only jobs that the script has no more ran from it last')


def _kept(scene: Scene, lost: Collection[str]) -> Iterator[Removal]:
    """Edited outputs that were moved out of the way, of outputs that only lost jobs have on record."""
    entries = listed(scene.store.layout.kept_dir())
    if not entries or not lost:
        return
    made: dict[str, set[str]] = {}
    for job in scene.state.jobs():
        rows = scene.state.rows(job)
        for row in range(len(rows) if rows is not None else 0):
            assert rows is not None, 'only rows are looked at'
            for path in rows.record(row).outputs:
                made.setdefault(safe(path), set()).add(job)
    for entry in entries:
        makers = made.get(KEPT.sub('', entry.name), set())
        if makers and makers <= set(lost):
            yield Removal('kept file', entry.path, f'your edit of an output of {", ".join(sorted(makers))}')
