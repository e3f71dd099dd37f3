"""Reading a state: list, open only what was listed, start over when anything is missing or not whole.

What was read once and cannot change (entries, snapshots, journals of ended claims) is kept by name, so that a driver
that polls opens only what is new. One thing may change names that cannot change: somebody restores a backup or removes
the directory and starts anew. So each look reads the newest entry it knows once more; if that differs, all that is
kept is dropped.
"""

from __future__ import annotations

import errno

from awflow.errors import StateCorruptError
from awflow.state.journal import Pieces
from awflow.state.layout import accessing, check_access
from awflow.state.ledger import Entry, Listing, claim_name, snapshot_name
from awflow.state.overlay import Overlay
from awflow.state.snapshot import Damaged
from awflow.state.table import Table
from awflow.state.view import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from awflow.state.fs import Disk
    from awflow.state.layout import Layout

PATIENCE = 90.0  # seconds for which a network filesystem may show a name and not the bytes, or the reverse
BRIEF = 2.0  # where no other host writes: as long as somebody on this one may need between two steps
_QUIET = 1.0  # seconds of waiting of which nobody is told
_HOLE_PATIENCE = 10.0  # seconds for pages that read as NUL to arrive; those that a power cut left never will
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 2.0
_ELSEWHERE = (errno.ENOENT, errno.ESTALE, errno.EIO, errno.ENOTDIR)


class _Again(Exception):
    """A file that was not as it should be, this time."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(name, problem)
        self.name = name
        self.problem = problem


class _Kept:
    """What was read and cannot change, by name."""

    __slots__ = ('ended', 'entries', 'holes', 'live', 'newest', 'sizes', 'table')

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.sizes: dict[int, int] = {}  # bytes of each entry
        self.newest: tuple[int, bytes] = (0, b'')  # the highest entry known, as its bytes
        self.table: tuple[int, Table | None] = (0, None)
        self.ended: dict[tuple[str, int], tuple[Overlay, list[int]]] = {}  # journals, and inline records of entries
        self.holes: dict[tuple[str, int], float] = {}  # when a journal was first seen with holes
        self.live: dict[str, tuple[int, int, Overlay, list[int]]] = {}  # offset to resume at, bytes seen, ...


class Reader:
    """Reads one workflow's state, again and again."""

    __slots__ = ('_checked', '_kept', '_wanted', 'disk', 'layout', 'looking', 'tell')

    def __init__(self, layout: Layout, disk: Disk, wanted: Callable[[bytes], bool] | None = None) -> None:
        self.looking = False  # nothing is going to be unpickled: whose state it is does not matter
        self.tell: Callable[[str], None] | None = None  # somebody to whom to say what is waited for
        self.layout = layout
        self.disk = disk
        self._wanted = wanted  # of the lines of live journals: a task of 10,000 needs a few of all that are there
        self._kept = _Kept()
        self._checked = False

    def read(self) -> State:
        """The state as it is now; StateCorruptError if it cannot be read for `PATIENCE` seconds."""
        if not self._checked:
            check_access(self.layout, self.disk, self.looking)
            self._checked = True
        with accessing('read', self.layout.directory):
            return self._patiently()

    def _patiently(self) -> State:
        began = self.disk.monotonic()
        patience, pause, told = 0.0, _FIRST_PAUSE, False
        while True:
            try:
                return self._look()
            except _Again as again:
                patience = patience or (BRIEF if self.disk.alone(self.layout.root) else PATIENCE)
                waited = self.disk.monotonic() - began
                if waited + pause > patience:
                    raise self._corrupt(again) from None
                if self.tell is not None and waited > _QUIET and not told:
                    self.tell(f'{again.name}: {again.problem}: for {patience:.0f} s another host may still be writing it')
                    told = True
            self.disk.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _corrupt(self, again: _Again) -> StateCorruptError:
        return StateCorruptError(
            'the state cannot be read: {_name}: {problem}',
            'Restore the file from a backup, or look what can be saved without: awflow clean --dry-run',
            file=f'{self.layout.ledger}/{again.name}',
            problem=again.problem,
            directory=self.layout.directory,
            _name=again.name,
        )

    def _look(self) -> State:
        try:
            listing = Listing(self.disk.listdir(self.layout.ledger))
        except (FileNotFoundError, NotADirectoryError):
            self._kept = _Kept()
            return State()
        except OSError as error:
            if error.errno not in _ELSEWHERE:
                raise
            raise _Again('.', error.strerror or 'it cannot be listed') from None
        self._drop_if_replaced(listing)
        return self._assemble(listing)

    def _drop_if_replaced(self, listing: Listing) -> None:
        number, data = self._kept.newest
        if number and (number not in listing.entries or self._bytes(claim_name(number)) != data):
            self._kept = _Kept()

    def _assemble(self, listing: Listing) -> State:
        floor = max(listing.snapshots, default=0)
        last = max(listing.entries, default=floor)
        if last < floor:
            raise _Again(claim_name(floor), 'there is a snapshot of it, but not the entry')
        table = self._table(floor)
        live = table.meta['live'] if table else {}
        claims = {int(number): Entry.from_dict(fields) for number, fields in live.items()}
        entries = {number: self._entry(number, listing) for number in range(floor + 1, last + 1)}
        claims.update({number: entry for number, entry in entries.items() if entry.tasks})
        look = _Look(self, listing)
        for number, entry in entries.items():
            look.inline(number, entry)
        ended: dict[int, dict[str, int]] = {}
        for entry in entries.values():
            for number, end in entry.ends.items():
                ended.setdefault(number, end['journals'])  # the first end counts; a later one came too late
        for number, journals in ended.items():
            if claims.pop(number, None):
                look.ended(journals)
        for number, claim in claims.items():
            look.live(number, claim)
        return State(
            last=last,
            floor=floor,
            table=table,
            entries=entries,
            claims=claims,
            settled=look.settled,
            live=look.unsettled,
            journals=look.journals,
            damage=look.damage,
            unfolded=look.bytes + sum(self._kept.sizes[number] for number in entries),
        )

    def _table(self, floor: int) -> Table | None:
        if not floor or self._kept.table[0] == floor:
            return self._kept.table[1] if floor else None
        name = snapshot_name(floor)
        try:
            table = Table(self._bytes(name))
        except Damaged as damaged:
            raise _Again(name, str(damaged)) from None
        self._kept.table = (floor, table)
        self._kept.ended.clear()  # most are folded now; the few that are not are read once more
        return table

    def _entry(self, number: int, listing: Listing) -> Entry:
        if number not in self._kept.entries:
            name = claim_name(number)
            if number not in listing.entries:
                raise _Again(name, 'it is missing, though there are later ones')
            data = self._bytes(name)
            try:
                self._kept.entries[number] = Entry.from_bytes(data)
            except Damaged as damaged:
                raise _Again(name, str(damaged)) from None
            self._kept.sizes[number] = len(data)
            self._kept.newest = max(self._kept.newest, (number, data))
        return self._kept.entries[number]

    def entry_bytes(self, number: int) -> bytes | None:
        """An entry's bytes as they are now, past what is kept; None if it is not to be seen."""
        try:
            return self._bytes(claim_name(number))
        except _Again:
            return None

    def entry(self, number: int) -> Entry | None:
        """An entry, also one below the snapshot; None if it is not to be seen whole."""
        data = self.entry_bytes(number)
        try:
            return Entry.from_bytes(data) if data else None
        except Damaged:
            return None

    def _bytes(self, name: str, offset: int = 0, limit: int = -1) -> bytes:
        try:
            return self.disk.read(f'{self.layout.ledger}/{name}', offset, limit)
        except OSError as error:
            if error.errno not in _ELSEWHERE:
                raise
            raise _Again(name, error.strerror or 'it cannot be read') from None

    def ended_journal(self, name: str, length: int) -> tuple[Overlay, list[int]]:
        """Exactly the bytes that the end of its claim names."""
        key = (name, length)
        live = self._kept.live.get(name)
        if live and live[:2] == (length, length):  # read to its end, and found whole, while its claim was live
            self._kept.ended[key] = (self._kept.live.pop(name)[2], [])
        if key not in self._kept.ended:
            pieces = self._pieces(name, 0, length)
            overlay = pieces.onto(Overlay(), whole=not self.looking)
            if pieces.end < length:
                raise _Again(name, f'it has {pieces.end} bytes of {length}')
            if pieces.holed and self._may_arrive(key):
                raise _Again(name, 'pages of it are missing')
            self._kept.ended[key] = (overlay, pieces.bad)
            self._kept.live.pop(name, None)
        return self._kept.ended[key]

    def _may_arrive(self, key: tuple[str, int]) -> bool:
        now = self.disk.monotonic()
        return now - self._kept.holes.setdefault(key, now) < _HOLE_PATIENCE

    def inline(self, number: int, entry: Entry) -> Overlay:
        """The records that stand in an entry itself."""
        key = (claim_name(number), self._kept.sizes[number])
        if key not in self._kept.ended:
            records = ({**fields, 'generation': number} for fields in entry.records)
            self._kept.ended[key] = (Overlay().extended(records), [])
        return self._kept.ended[key][0]

    def live_journal(self, name: str) -> tuple[Overlay, int, list[int]]:
        """What a growing journal says so far, its length and where it is torn; only what is new is read."""
        offset, seen, overlay, _ = self._kept.live.get(name) or (0, 0, Overlay(), [])
        pieces = self._pieces(name, offset)
        told = pieces.onto(overlay, self._wanted, not self.looking) if pieces else overlay
        if pieces.end < seen:  # shorter than it was: another file, or a client's stale idea of its length
            pieces = self._pieces(name, 0)
            told = pieces.onto(Overlay(), self._wanted, not self.looking)
        self._kept.live[name] = (pieces.resume, pieces.end, told, pieces.torn)
        return told, pieces.end, pieces.torn

    def wrote(self, name: str, length: int, overlay: Overlay) -> None:
        """What a journal of this length says is known, for it is all our own."""
        self._kept.live[name] = (length, length, overlay, [])

    def _pieces(self, name: str, offset: int, limit: int = -1) -> Pieces:
        return Pieces(lambda at, size: self._bytes(name, at, size), offset, limit)


class _Look:
    """What one look gathers from journals and inline records."""

    __slots__ = ('_listing', '_reader', 'bytes', 'damage', 'journals', 'settled', 'unsettled')

    def __init__(self, reader: Reader, listing: Listing) -> None:
        self._reader = reader
        self._listing = listing
        self.settled: list[Overlay] = []
        self.unsettled: dict[int, list[Overlay]] = {}
        self.journals: dict[int, dict[str, int]] = {}
        self.damage: list[str] = []
        self.bytes = 0

    def inline(self, number: int, entry: Entry) -> None:
        if entry.records:
            self.settled.append(self._reader.inline(number, entry))

    def ended(self, journals: dict[str, int]) -> None:
        for name, length in journals.items():
            overlay, bad = self._reader.ended_journal(name, length)
            self.settled.append(overlay)
            self.bytes += length
            self._torn(name, bad)

    def live(self, number: int, claim: Entry) -> None:
        self.unsettled[number] = []
        self.journals[number] = {}
        for name in self._listing.journals(number, claim.nonce):
            overlay, length, torn = self._reader.live_journal(name)
            self.unsettled[number].append(overlay)
            self.journals[number][name] = length
            self._torn(name, torn)

    def _torn(self, name: str, offsets: list[int]) -> None:
        self.damage += [f'{name}: no record at byte {offset}' for offset in offsets]
