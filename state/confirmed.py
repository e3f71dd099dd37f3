"""What files looked like when they held what the records of their tasks say, in columns.

A run that finds nothing to do has to see that of 100,000 tasks every input and every output is as it was. A cache by path
does that, at the price of a lookup, an object and a name for each. So for the tasks of an array, whose paths follow from
one template, what was seen is kept in the order of the array: a *stamp* per file, 8 bytes that digest its signature, and a
*bond* per task, 8 bytes that digest what its record said then. Both are made anew for all tasks, which is one `stat` a
file, and compared as bytes. Where both are the same, each file holds what it held when it was found to be what the record
says. Where one differs, nothing is concluded: the task is looked at by itself, its files are digested if need be.

Only stamps that a digest may be trusted for (see `digests.py`, the racy rule) are ever kept. All zeros: not known.
"""

from __future__ import annotations

from _operator import attrgetter  # without `operator` and `struct` around them, which are a millisecond for three names
from _struct import Struct
from itertools import starmap

from xxhash import xxh3_64_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    from awflow.state.looks import Look, Looks
    from awflow.state.snapshot import Snapshot

STAMP = 8  # bytes, of a stamp as of a bond
UNKNOWN = bytes(STAMP)  # nothing was kept
ABSENT = b'\xff' * STAMP  # seen, never kept
_STEP = 1024  # tasks compared at once

_signature = attrgetter('st_size', 'st_mtime_ns', 'st_ctime_ns', 'st_ino')
_pack = Struct('<QqqQ').pack


def stamp_of(signature: tuple[int, int, int, int]) -> bytes:
    """The digest of size, mtime, ctime (ns) and inode of a file."""
    return xxh3_64_digest(_pack(*signature))


def stamps_of(paths: Sequence[str], looks: Looks) -> bytes:
    """The stamps of files; ABSENT where there is none, or none that may be seen."""
    first = looks.trial(paths)
    if looks.slow:
        return b''.join(map(_stamp_of_look, first + looks.after_trial(paths)))
    found: list[bytes] = []
    while len(found) < len(paths):
        rest = paths[len(found) :] if found else paths
        try:  # nothing here is done by a line of Python for each file
            found.extend(map(xxh3_64_digest, starmap(_pack, map(_signature, looks.disk.stats(rest)))))
        except (OSError, ValueError):
            found.append(ABSENT)
    return b''.join(found)


def _stamp_of_look(look: Look) -> bytes:
    return ABSENT if isinstance(look, OSError) else stamp_of(_signature(look))


class Confirmed:
    """Bonds and stamps of one job. `keys` and `paths` say, as JSON, of which tasks, and what they make and read."""

    __slots__ = ('bonds', 'keys', 'paths', 'stamps')

    def __init__(self, keys: Any, paths: list[Any], bonds: bytes, stamps: list[bytes]) -> None:
        self.keys = keys
        self.paths = paths
        self.bonds = bonds
        self.stamps = stamps  # of each path that is looked at, of all tasks


def read(columns: Snapshot, loads: Any) -> dict[str, Confirmed]:
    """What a file of digests holds by job."""
    if 'confirmed' not in columns:
        return {}
    found = {}
    for fields in loads(columns['confirmed']):
        size, at, files = STAMP * fields['rows'], fields['stamps'], fields['files']
        stamps = [bytes(columns['stamps'][at + size * n : at + size * (n + 1)]) for n in range(files)]
        bonds = bytes(columns['bonds'][fields['bonds'] : fields['bonds'] + size])
        found[fields['job']] = Confirmed(fields['keys'], fields['paths'], bonds, stamps)
    return found


def written(jobs: Mapping[str, Confirmed], dumps: Any) -> dict[str, bytes | bytearray]:
    """The same as columns."""
    if not jobs:
        return {}
    bonds, stamps = bytearray(), bytearray()
    spans = []
    for job, found in jobs.items():
        spans.append({
            'job': job, 'rows': len(found.bonds) // STAMP, 'keys': found.keys, 'paths': found.paths, 'bonds': len(bonds),
            'files': len(found.stamps), 'stamps': len(stamps),
        })  # fmt: skip
        bonds += found.bonds
        for column in found.stamps:
            stamps += column
    return {'confirmed': dumps(spans), 'bonds': bonds, 'stamps': stamps}


def differing(now: bytes, then: bytes, width: int = STAMP) -> Iterator[int]:
    """The places where two columns of one length differ."""
    if now == then:
        return
    for first in range(0, len(now), width * _STEP):
        one, other = now[first : first + width * _STEP], then[first : first + width * _STEP]
        if one != other:
            for at in range(0, len(one), width):
                if one[at : at + width] != other[at : at + width]:
                    yield (first + at) // width


def unknown(column: bytes) -> Iterator[int]:
    """The places of a column of which nothing is known."""
    at = column.find(UNKNOWN)
    while at >= 0:
        if at % STAMP == 0:
            yield at // STAMP
        at = column.find(UNKNOWN, at + (1 if at % STAMP else STAMP))
