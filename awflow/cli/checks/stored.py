"""Are stored results and payloads what was written? And what lies in a state that nothing refers to any more?"""

from __future__ import annotations

import os
from contextlib import suppress

from xxhash import xxh3_64_hexdigest

from awflow.state import jsontext
from awflow.state.layout import safe
from awflow.state.ledger import TEMPORARY
from awflow.state.snapshot import Damaged, Snapshot
from awflow.state.table import BLOCK, RESULT, column_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Final

    from awflow.cli.checks.ledger import Inspection
    from awflow.state.fs import Disk
    from awflow.state.layout import Layout
    from awflow.state.rows import Rows
    from awflow.state.view import State

LARGE: Final = 64 << 20  # bytes of a results file from which on only what is named of it is read
ABANDONED: Final = 3600.0  # seconds after which a temporary file is nobody's
SAMPLE: Final = 400  # paths of the digest cache that are looked for
MANY: Final = 1000  # paths from which on a cache is worth a word


class Results:
    """The stored results of a workflow, each compared with its sum."""

    __slots__ = ('_disk', '_layout', 'bytes', 'count', 'damaged', 'files', 'gone')

    def __init__(self, layout: Layout, disk: Disk) -> None:
        self._layout = layout
        self._disk = disk
        self.count = 0
        self.bytes = 0
        self.files: set[str] = set()  # that records name
        self.gone: list[str] = []  # tasks whose result is not there any more
        self.damaged: list[tuple[str, str, str]] = []  # task, file, what is wrong

    def verify(self, state: State) -> Results:
        """All that records name."""
        from awflow.plan import task_name

        for job in state.jobs():
            rows = state.rows(job)
            assert rows is not None, 'a job of the state has rows'
            of_file: dict[str, list[tuple[int, dict[str, Any]]]] = {}
            for row, stored in results_of(rows):
                of_file.setdefault(stored['file'], []).append((row, stored))
            self.files.update(of_file)
            for file, found in of_file.items():
                for row, problem in self._compare(file, found):
                    name = task_name(job, rows.keys[row])
                    if problem:
                        self.damaged.append((name, file, problem))
                    else:
                        self.gone.append(name)
        return self

    def _compare(self, file: str, found: list[tuple[int, dict[str, Any]]]) -> Iterator[tuple[int, str]]:
        """The rows whose results are not what was stored, with what is wrong; '' where the file is gone."""
        path = os.path.join(self._layout.directory, file)
        self.count += len(found)
        try:
            part = self._reader(path, found)
            for row, stored in found:
                data = part(stored['at'], stored['bytes'])
                self.bytes += len(data)
                if len(data) < stored['bytes']:
                    yield row, f'{len(data)} of its {stored["bytes"]} bytes at {stored["at"]} are there'
                elif 'sum' in stored and xxh3_64_hexdigest(data) != stored['sum']:
                    yield row, f'the checksum of the bytes at {stored["at"]} does not fit'
        except FileNotFoundError:
            yield from ((row, '') for row, _ in found)
        except OSError as error:
            yield from ((row, f'it cannot be read: {error.strerror}') for row, _ in found)

    def _reader(self, path: str, found: list[tuple[int, dict[str, Any]]]) -> Callable[[int, int], bytes | memoryview]:
        """What brings parts of a file: all of it is read at once unless it is large, or little of it is named."""
        named = sum(stored['bytes'] for _, stored in found)
        size = self._disk.stat(path).st_size
        if size > LARGE or size > 4 * named + (1 << 16):
            return lambda at, count: self._disk.read(path, at, count)
        whole = memoryview(self._disk.read(path))
        return lambda at, count: whole[at : at + count]


def results_of(rows: Rows) -> Iterator[tuple[int, dict[str, Any]]]:
    """Where the result of each row lies, of those that have one. By columns: to make 100,000 records takes seconds."""
    for row, record in rows.over.items():
        if record.result:
            yield row, record.result
    base = rows.base
    for first in range(0, base.count if base is not None else 0, BLOCK):
        assert base is not None, 'there are rows in the snapshot'
        count = min(BLOCK, base.count - first)
        if not any(flags & RESULT for flags in base.flags[first : first + count]):
            continue
        for at, stored in enumerate(column_of(base.packed(first // BLOCK), 'result', count)):
            if stored and first + at not in rows.over:
                yield first + at, stored


def payloads(layout: Layout, disk: Disk) -> Iterator[tuple[str, str]]:
    """The payloads that are damaged, and what is wrong."""
    from awflow.backends.payload import damage_of

    folder = os.path.dirname(layout.payload(0))
    for name in _listed(folder, disk):
        try:
            problem = damage_of(disk.read(f'{folder}/{name}')) if name.isdecimal() else ''
        except FileNotFoundError:
            continue  # removed since it was listed
        except OSError as error:
            problem = f'it cannot be read: {error.strerror}'
        if problem:
            yield f'{folder}/{name}', problem


def _listed(folder: str, disk: Disk) -> list[str]:
    try:
        return sorted(disk.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []


class Leak:
    """Files that nothing needs any more: how many, how large, and one of them."""

    __slots__ = ('bytes', 'count', 'example', 'what')

    def __init__(self, what: str, paths: list[str], disk: Disk) -> None:
        self.what = what
        self.count = len(paths)
        self.bytes = 0
        self.example = paths[0]
        for path in paths:
            with suppress(OSError):  # removed since it was listed
                self.bytes += disk.stat(path).st_size


def leaks(layout: Layout, state: State, found: Inspection, results: Results, disk: Disk) -> Iterator[Leak]:
    """What lies in the state of a workflow and is not needed."""
    live = set(state.claims)
    named = {job: rows.generations() for job in state.jobs() if (rows := state.rows(job)) is not None}
    everywhere = live.union(*named.values())
    groups = {
        'temporary files': list(_temporary(layout, disk)),
        'journals of claims that are in the snapshot': [
            f'{layout.ledger}/{name}' for name in found.listing.journals_until(found.floor, keep=found.live)
        ],
        'older snapshots': [
            f'{layout.ledger}/{n}.snapshot' for n in sorted(found.listing.snapshots) if n < found.floor
        ],
        'payloads of claims that have ended': [
            f'{os.path.dirname(layout.payload(0))}/{name}' for name in _listed(os.path.dirname(layout.payload(0)), disk)
            if name.isdecimal() and int(name) <= state.last and int(name) not in everywhere
        ],
        'results that newer ones replaced': list(_replaced(layout, state, results, named, disk)),
        'results of jobs that are not on record': _orphans(layout, 'results', [*named, *_claimed(state)], disk),
        'logs of jobs that are not on record': _orphans(layout, 'logs', [*named, *_claimed(state)], disk),
    }  # fmt: skip
    for what, paths in groups.items():
        if paths:
            yield Leak(what, paths, disk)


def _claimed(state: State) -> list[str]:
    return [job for claim in state.claims.values() for job in claim.tasks]


def _temporary(layout: Layout, disk: Disk) -> Iterator[str]:
    """Those that are being written are not meant."""
    for folder in (layout.root, layout.directory, layout.ledger):
        for name in _listed(folder, disk):
            if name.startswith(TEMPORARY) or '.tmp-' in name:
                try:
                    old = disk.now() - disk.lstat(f'{folder}/{name}').st_mtime > ABANDONED
                except OSError:
                    continue
                if old:
                    yield f'{folder}/{name}'


def _replaced(layout: Layout, state: State, results: Results, jobs: Iterable[str], disk: Disk) -> Iterator[str]:
    """Files of results that no record names, and into which no live claim writes."""
    for job in jobs:
        folder = layout.results_dir(job)
        for name in _listed(folder, disk):
            number = name.removesuffix('.pickles').partition('-')[0]
            known = not number.isdecimal() or int(number) in state.claims or int(number) > state.last
            if not known and layout.relative(f'{folder}/{name}') not in results.files:
                yield f'{folder}/{name}'


def _orphans(layout: Layout, kind: str, jobs: list[str], disk: Disk) -> list[str]:
    """Files in directories named after jobs of which nothing is known."""
    known = {safe(job) for job in jobs}
    folder = f'{layout.directory}/{kind}'
    return [
        f'{folder}/{job}/{name}'
        for job in _listed(folder, disk) if job not in known for name in _listed(f'{folder}/{job}', disk)
    ]  # fmt: skip


def digests_cache(layout: Layout, directory: str, disk: Disk) -> tuple[str, str]:
    """What is wrong with the cache of digests: 'damaged' or 'vanished', and in words; two empty texts if nothing is."""
    try:
        columns = Snapshot.open(disk.read(layout.digests))
        paths = jsontext.loads(columns['paths'])
    except FileNotFoundError:
        return '', ''
    except (OSError, Damaged, KeyError, ValueError) as error:
        return 'damaged', str(error)
    if len(paths) < MANY:
        return '', ''
    sample = paths[:: max(1, len(paths) // SAMPLE)]
    gone = sum(not os.path.lexists(os.path.join(directory, path)) for path in sample)
    if 2 * gone <= len(sample):
        return '', ''
    return 'vanished', f'of {len(paths)} files that it remembers about {100 * gone // len(sample)} % are gone'
