"""Files of a workflow's state that may go, each with the reason. What a live claim may need is never among them."""

from __future__ import annotations

import os
from time import time
from urllib.parse import unquote

from awflow.leftovers import generation_of, payloads, superseded
from awflow.state.compaction import abandoned, folded
from awflow.state.layout import safe
from awflow.state.ledger import TEMPORARY, Listing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from awflow.cli.cleaning import Options, Scene

HOUR = 3600.0


class Removal:
    """One file or directory that may go: what it is, why, and of which task if it is an output."""

    __slots__ = ('kind', 'path', 'size', 'task', 'why')

    def __init__(self, kind: str, path: str, why: str, task: str = '') -> None:
        self.kind = kind
        self.path = path
        self.why = why
        self.task = task
        self.size = size_of(path)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        found = {'kind': self.kind, 'path': self.path, 'bytes': self.size, 'why': self.why}
        return {**found, 'task': self.task} if self.task else found


def size_of(path: str) -> int:
    """Bytes of a file, or of all files below a directory; links are not followed."""
    try:
        if os.path.islink(path) or not os.path.isdir(path):
            return os.lstat(path).st_size
        return sum(size_of(entry.path) for entry in os.scandir(path))
    except OSError:
        return 0


def litter(scene: Scene, options: Options, ended: Collection[int], notes: list[str]) -> list[Removal]:
    """All of it. `ended` are claims that are going to be ended; `notes` gets what could not be found out."""
    live = set(scene.state.claims) - set(ended)
    found = [*_temporary(scene), *_journals(scene), *_superseded(scene, live), *_slurm_outputs(scene, live), *_scratch(scene)]
    if options.older is not None:
        from awflow.cli.aged import aged

        found += aged(scene, options.older, live)
    if options.orphans:
        from awflow.cli.orphans import orphans

        found += orphans(scene, options, live, notes)
    once: dict[str, Removal] = {}
    for removal in found:
        once.setdefault(removal.path, removal)
    return list(once.values())


def listed(directory: str) -> list[os.DirEntry[str]]:
    """The entries of a directory by name, none if it is not there."""
    try:
        return sorted(os.scandir(directory), key=lambda entry: entry.name)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _temporary(scene: Scene) -> Iterator[Removal]:
    """Files that somebody began to write, and died; anybody's to delete after an hour."""
    layout = scene.store.layout
    for directory in (layout.root, layout.directory, layout.ledger, payloads(layout), layout.runs):
        for entry in listed(directory):
            begun = entry.name.startswith((TEMPORARY, f'digests{TEMPORARY}'))
            if begun and entry.is_file(follow_symlinks=False) and abandoned(entry.path, scene.store.disk):
                yield Removal('temporary file', entry.path, 'begun more than an hour ago and never put in its place')


def _journals(scene: Scene) -> Iterator[Removal]:
    """Journals and snapshots whose contents the newest snapshot holds: who published it died before it removed them."""
    state, layout = scene.state, scene.store.layout
    if state.table is None:
        return
    names = [entry.name for entry in listed(layout.ledger)]
    for name in folded(Listing(names), state.floor, {int(number) for number in state.table.meta['live']}):
        yield Removal('journal', os.path.join(layout.ledger, name), f'snapshot {state.floor} holds what it says')


def _superseded(scene: Scene, live: Collection[int]) -> Iterator[Removal]:
    layout = scene.store.layout
    for path in superseded(scene.state, layout, live):
        if os.path.dirname(path) == payloads(layout):
            yield Removal('payload', path, 'no last attempt of a task was made from it, and nobody executes it')
        else:
            yield Removal('stored results', path, 'newer attempts have replaced them')


def _slurm_outputs(scene: Scene, live: Collection[int]) -> Iterator[Removal]:
    """What Slurm and batch scripts wrote of submissions that are over, unless a task did not succeed and this may say why."""
    from awflow.backends.slurm.handed import Handed
    from awflow.backends.slurm.said import OUTPUT

    entries = listed(os.path.join(scene.store.layout.directory, OUTPUT))
    if not entries:
        return
    needed: set[str] = set()
    for number in live:
        claim = scene.state.claims[number]
        if (claim.owner or {}).get('queue'):
            handed = Handed(claim, scene.state.facts(number))
            if not handed.complete:
                return  # its submitter may be at it: what it has handed in is not known yet
            needed |= set(handed.ids)
    unsuccessful = set(_ids_of_unsuccessful(scene))
    for entry in entries:
        job = entry.name.removesuffix('.out')
        if entry.name.endswith('.out') and job not in needed and job not in unsuccessful:
            yield Removal('output of Slurm', entry.path, 'its jobs are over, and their tasks succeeded or ran again since')


def _ids_of_unsuccessful(scene: Scene) -> Iterator[str]:
    """The jobs in Slurm of last attempts that did not succeed."""
    for job in scene.state.jobs():
        rows = scene.state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        for row in range(len(rows)):
            if rows.outcome(row) != 'succeeded' and (slurm := rows.record(row).slurm):
                yield from (str(slurm.get(name, '')).partition('_')[0] for name in ('job', 'array') if slurm.get(name))


def _scratch(scene: Scene) -> Iterator[Removal]:
    """What tasks kept between attempts, of those that have succeeded since: it is removed then, unless the run dies first."""
    places = listed(os.path.join(scene.store.layout.directory, 'scratch'))
    if not places:
        return
    jobs = {safe(job): job for job in scene.state.jobs()}
    for place in places:
        rows = scene.state.rows(jobs.get(place.name, ''))
        keys = {safe(key): row for row, key in enumerate(rows.keys)} if rows is not None else {}
        for entry in listed(place.path):
            row = keys.get(entry.name)
            if rows is None or row is None or not rows.final(row) or rows.outcome(row) != 'succeeded':
                continue
            if scene.state.owner_of(rows.job, rows.keys[row]) is None:
                yield Removal('scratch', entry.path, 'its task has succeeded')


def sizes(removals: Iterable[Removal]) -> int:
    """Bytes of all."""
    return sum(removal.size for removal in removals)


def spelled(name: str) -> str | None:
    """What a file's name was made of by `safe`; None if it was too long to be spelled out."""
    return None if '%%' in name else '' if name == '%' else unquote(name, errors='surrogatepass')


def age(path: str) -> float:
    """Seconds since a file was last written, 0 if it is not there; clocks of servers may be ahead."""
    try:
        return max(time() - os.lstat(path).st_mtime, 0.0)
    except OSError:
        return 0.0


__all__ = ['Removal', 'age', 'generation_of', 'listed', 'litter', 'payloads', 'size_of', 'sizes', 'spelled']
