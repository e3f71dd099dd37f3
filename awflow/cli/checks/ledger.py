"""Is the ledger of a workflow whole? Every entry, snapshot and journal that counts is read, and its sum compared.

The reader of the state waits a minute and a half for what a network filesystem may still be bringing, and stops at the
first thing that is not whole. Here all of it is looked at, again a few times if something is amiss, since a run may be
writing, and every damage is named with what can be done about it.
"""

from __future__ import annotations

import errno

from awflow.state.journal import parse
from awflow.state.ledger import Entry, Listing, claim_name, snapshot_name
from awflow.state.snapshot import Damaged
from awflow.state.table import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, TypeVar

    from awflow.state.fs import Disk
    from awflow.state.layout import Layout

    T = TypeVar('T')

LOOKS: Final = 4
PAUSE: Final = 0.25  # seconds between them
ABSENT: Final = (errno.ENOENT, errno.ESTALE)


class Damage:
    """A file that is not what was written: its path, what is wrong, and what to do."""

    __slots__ = ('path', 'problem', 'restore')

    def __init__(self, path: str, problem: str, restore: str) -> None:
        self.path = path
        self.problem = problem
        self.restore = restore

    def __repr__(self) -> str:
        return f'Damage({self.path}: {self.problem})'


class Inspection:
    """One look at all files of a ledger. `ended` are the claims whose end is known, `live` the others."""

    __slots__ = (
        '_disk',
        '_layout',
        'bytes',
        'damage',
        'ended',
        'entries',
        'floor',
        'journals',
        'last',
        'listing',
        'live',
        'torn',
    )

    def __init__(self, layout: Layout, disk: Disk, listing: Listing) -> None:
        self._layout = layout
        self._disk = disk
        self.listing = listing
        self.damage: list[tuple[str, str]] = []  # name, what is wrong
        self.torn: list[str] = []
        self.bytes = 0
        self.journals = 0
        self.entries: dict[int, Entry] = {}
        self.live: dict[int, Entry] = {}
        self.ended: dict[int, dict[str, int]] = {}
        self.floor = max(listing.snapshots, default=0)
        self.last = max(listing.entries, default=self.floor)
        self._read_entries()
        self._read_snapshot()
        self._end()
        self._read_journals()

    def _bytes(self, name: str) -> bytes | None:
        """A file of the ledger; None if it cannot be read, which is then noted."""
        try:
            data = self._disk.read(f'{self._layout.ledger}/{name}')
        except OSError as error:
            self._damaged(name, 'it is missing' if error.errno in ABSENT else f'it cannot be read: {error.strerror}')
            return None
        self.bytes += len(data)
        return data

    def _whole(self, name: str, make: Callable[[bytes], T]) -> T | None:
        data = self._bytes(name)
        if data is None:
            return None
        try:
            return make(data)
        except Damaged as error:
            self._damaged(name, str(error))
        except (ValueError, KeyError, TypeError) as error:  # its sum is right, and yet it says nothing that can be
            self._damaged(name, f'it makes no sense: {error}')
        return None

    def _damaged(self, name: str, problem: str) -> None:
        self.damage.append((name, problem))

    def _read_entries(self) -> None:
        for number in sorted(self.listing.entries):
            entry = self._whole(claim_name(number), Entry.from_bytes)
            if entry is not None:
                self.entries[number] = entry
        for number in range(self.floor + 1, self.last):
            if number not in self.listing.entries:
                self._damaged(claim_name(number), 'it is missing, though there are later ones')
        if self.floor > self.last or (self.floor and self.floor not in self.listing.entries):
            self._damaged(claim_name(self.floor), 'there is a snapshot of it, but not the entry')

    def _read_snapshot(self) -> None:
        if self.floor:
            table = self._whole(snapshot_name(self.floor), Table)
            for number, fields in (table.meta['live'] if table is not None else {}).items():
                self.live[int(number)] = Entry.from_dict(fields)

    def _end(self) -> None:
        """Which claims live, and what the ends of the others name; the first end of a claim counts."""
        new = {number: entry for number, entry in self.entries.items() if number > self.floor}
        self.live.update((number, entry) for number, entry in new.items() if entry.tasks)
        for _, entry in sorted(new.items()):
            for number, end in entry.ends.items():
                if number in self.live:
                    self.ended.setdefault(number, end['journals'])
        for number in self.ended:
            del self.live[number]

    def _read_journals(self) -> None:
        for journals in self.ended.values():
            for name, length in journals.items():
                data = self._bytes(name)
                if data is not None and len(data) < length:
                    self._damaged(name, f'it has {len(data)} bytes of {length}')
                self._look_for_torn(name, (data or b'')[:length])
        for number, claim in self.live.items():
            for name in self.listing.journals(number, claim.nonce):
                data = self._bytes(name) or b''
                self._look_for_torn(name, data[: data.rfind(b'\n') + 1])

    def _look_for_torn(self, name: str, data: bytes) -> None:
        bad: list[int] = []
        self.journals += 1
        for _ in parse(data, bad):
            pass
        self.torn += [f'{name}: no record at byte {offset}' for offset in bad]


def inspect(layout: Layout, disk: Disk) -> Inspection:
    """The ledger as it is now; what is amiss only while a run is writing is not amiss."""
    found = Inspection(layout, disk, Listing(disk.listdir(layout.ledger)))
    for _ in range(LOOKS - 1):
        if not found.damage:
            break
        disk.sleep(PAUSE)
        found = Inspection(layout, disk, Listing(disk.listdir(layout.ledger)))
    return found


def damages(found: Inspection, layout: Layout, disk: Disk) -> list[Damage]:
    """What is damaged, each with the best that can be done."""
    restore = (
        'Restore the file from a backup. If there is none, `awflow clean` saves what can be saved, or puts the state aside: '
        'then the next run starts afresh, and adopts what its conditions and outputs vouch for.'
    )
    spare = _spare(found, layout, disk)
    return [
        Damage(f'{layout.ledger}/{name}', problem, spare if spare and name == snapshot_name(found.floor) else restore)
        for name, problem in found.damage
    ]


def _spare(found: Inspection, layout: Layout, disk: Disk) -> str:
    """What to do if the damaged snapshot is not needed, as all that it says still stands in older files; '' if it is."""
    name = snapshot_name(found.floor)
    if not any(damaged == name for damaged, _ in found.damage):
        return ''
    without = Inspection(layout, disk, Listing(other for other in disk.listdir(layout.ledger) if other != name))
    if without.damage or (not without.floor and not _complete(without)):
        return ''
    return '`awflow clean` leaves it out: what it says still stands in older files.'


def _complete(found: Inspection) -> bool:
    """Without any snapshot: do the entries begin with the first, and are the journals of all that ended there?"""
    return 1 in found.entries
