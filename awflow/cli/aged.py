"""What `awflow clean --older-than` removes: logs, payloads, files of runs and what was damaged, of long ago."""

from __future__ import annotations

import os

from awflow.cli.litter import Removal, age, generation_of, listed, payloads, spelled
from awflow.state.layout import safe
from awflow.state.salvage import ASIDE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from awflow.cli.cleaning import Scene
    from awflow.state.rows import Rows


def aged(scene: Scene, seconds: float, live: Collection[int]) -> Iterator[Removal]:
    """All that is older than that. Where a record still names it, the reason says so."""
    yield from _logs(scene, seconds, live)
    yield from _payloads(scene, seconds, live)
    yield from _runs(scene, seconds, live)
    yield from _put_aside(scene, seconds)


def _logs(scene: Scene, seconds: float, live: Collection[int]) -> Iterator[Removal]:
    jobs = {safe(job): job for job in scene.jobs()}
    for place in listed(os.path.join(scene.store.layout.directory, 'logs')):
        rows = scene.state.rows(jobs.get(place.name, ''))
        rows_of = {safe(key) if key != '-' else 'log': row for row, key in enumerate(rows.keys)} if rows else {}
        for entry in listed(place.path):
            task, number = _parsed(entry.name)
            if number is None or number in live or age(entry.path) < seconds:
                continue
            row = rows_of.get(task)
            last = rows is not None and row is not None and _names(rows, row, number, f'logs/{place.name}/{entry.name}')
            yield Removal('log', entry.path, 'old, though of a last attempt' if last else 'old, of an earlier attempt')


def _parsed(name: str) -> tuple[str, int | None]:
    """Of a log's name `<key>-<entry>-<attempt>.log` the key and the entry."""
    stem, _, attempt = name.removesuffix('.log').rpartition('-')
    task, _, number = stem.rpartition('-')
    return task, int(number) if name.endswith('.log') and attempt and number.isdecimal() else None


def _names(rows: Rows, row: int, number: int, path: str) -> bool:
    """Whether a record names a log; one that was accepted since bears another number."""
    return rows.generation(row) == number or (rows.generation(row) > number and rows.record(row).log == path)


def _payloads(scene: Scene, seconds: float, live: Collection[int]) -> Iterator[Removal]:
    named: dict[int, str] = {}
    for job in scene.state.jobs():
        rows = scene.state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        named.update(dict.fromkeys(rows.generations(), job))
    for entry in listed(payloads(scene.store.layout)):
        number = generation_of(entry.name)
        if number is not None and number not in live and number in named and age(entry.path) >= seconds:
            why = f'old, though last attempts were made from it ({named[number]}): those cannot be debugged then'
            yield Removal('payload', entry.path, why)


def _runs(scene: Scene, seconds: float, live: Collection[int]) -> Iterator[Removal]:
    """Files of runs, but not of the last start of the script with any arguments: `clean --orphans` and `why --now` ask them."""
    from awflow.cli.roster import last_starts

    layout = scene.store.layout
    entries = [entry for entry in listed(layout.runs) if entry.name.endswith('.json') and age(entry.path) >= seconds]
    if not entries:
        return
    kept = {name for start in last_starts(layout) for name in start.files}
    kept |= {os.path.basename(layout.run_file(scene.state.claims[number].run)) for number in live}
    for entry in entries:
        if entry.name not in kept and spelled(entry.name) is not None:
            yield Removal('file of a run', entry.path, 'old; records keep what they say themselves')


def _put_aside(scene: Scene, seconds: float) -> Iterator[Removal]:
    """What damaged files were before they were mended, and states that were put aside."""
    layout = scene.store.layout
    folder = os.path.basename(layout.directory)
    files = [entry for entry in listed(layout.ledger) if entry.name.endswith(ASIDE)]
    states = [entry for entry in listed(os.path.join(layout.root, ASIDE)) if entry.name.rpartition('-')[0] == folder]
    for entry in (*files, *states):
        if age(entry.path) >= seconds:
            yield Removal('damaged state', entry.path, 'old; it was mended, or put aside, then')
