"""The right to execute the tasks of a claim, and the look whether one still has it."""

from __future__ import annotations

import errno

from awflow.state.journal import Journal
from awflow.state.layout import access_error
from awflow.state.ledger import Listing, claim_name, journal_stem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from awflow.state.ledger import Entry
    from awflow.state.liveness import Proc
    from awflow.state.reader import Reader
    from awflow.state.written import Written

_GONE = (errno.ENOENT, errno.ESTALE, errno.ENOTDIR)
_LOOKS_TRIED = 3
_PAUSE = 0.1


class Grant:
    """A published entry in the hands of who acts for it. `number` is the generation of all that runs under it."""

    __slots__ = (
        '_bytes', '_held', '_journal', '_looked', '_only', '_proc', '_reader', '_seen', '_writer', '_written', 'entry', 'nonce',
        'number',
    )  # fmt: skip

    def __init__(
        self,
        number: int,
        entry: Entry,
        data: bytes,
        reader: Reader,
        proc: Proc,
        only: Collection[tuple[str, str]] | None = None,
    ) -> None:
        self.number = number
        self.nonce = entry.nonce
        self.entry = entry
        self._bytes = data
        self._reader = reader
        self._proc = proc
        self._journal: Journal | None = None
        self._written: Written | None = None
        self._writer = ''
        self._looked = reader.disk.monotonic()
        self._held = True
        self._seen = {number}
        self._only = only  # the tasks in the hands of this holder, None: all

    @property
    def journal(self) -> Journal:
        """Where to record what runs under this claim; the file is made by the first append. The claim's processes on a host
        share it, since appends through one kernel do not collide.
        """
        if self._journal is None:
            self._journal = Journal(
                self._reader.disk, self._reader.layout.ledger, journal_stem(self.number, self.nonce, self.writer)
            )
        return self._journal

    @property
    def written(self) -> Written:
        """To be told of all that is put into the journal: then it need not be read at the end."""
        if self._written is None:
            from awflow.state.written import Written

            self._written = Written()
        return self._written

    @property
    def writer(self) -> str:
        """What names the processes of this host that act for the claim, in the names of files."""
        if not self._writer:
            self._writer = writer_of(self._reader, self._proc)
        return self._writer

    @property
    def synced(self) -> dict[str, int]:
        """The journals that this holder wrote, and how much of each is on the disk."""
        return self._journal.names if self._journal else {}

    def sync(self) -> None:
        """Return when all that was recorded is on the disk."""
        if self._journal:
            self._journal.sync()

    def close(self) -> None:
        """Bring to the disk what was recorded; nothing more is to come."""
        if self._journal:
            self._journal.close()
            overlay = self._written and self._written.overlay(self._journal)
            if overlay:
                self._reader.wrote(self._journal.name, self._journal.size, overlay)
        self._written = None

    def holds(self, max_age: float = 1.0) -> bool:
        """May tasks of this claim still be started? Looks if the last look is older than `max_age` seconds.

        Once False always False: the entry was ended or is gone, or a later claim covers a task not finished here.
        """
        now = self._reader.disk.monotonic()
        if self._held and now - self._looked >= max_age:
            self._held = self._look()
            self._looked = now
        return self._held

    def _look(self) -> bool:
        disk = self._reader.disk
        for attempt in range(_LOOKS_TRIED):
            try:
                return self._still_mine()
            except OSError as error:
                if error.errno in _GONE:
                    return False
                if attempt == _LOOKS_TRIED - 1:
                    raise access_error(error, 'read', self._reader.layout.ledger) from error
            disk.sleep(_PAUSE)
        raise AssertionError('the last look returned or raised')

    def _still_mine(self) -> bool:
        disk, ledger = self._reader.disk, self._reader.layout.ledger
        listing = Listing(disk.listdir(ledger))
        if self.number not in listing.entries or disk.read(f'{ledger}/{claim_name(self.number)}') != self._bytes:
            return False
        new = {number for number in listing.entries if number > self.number} - self._seen
        if new and not self._owns_the_rest():
            return False
        self._seen |= new
        return True

    def _owns_the_rest(self) -> bool:
        """Read what came since: is the claim live, and no higher one on a task that it has not finished?"""
        state = self._reader.read()
        claim = state.claims.get(self.number)
        if claim is None or claim.nonce != self.nonce:
            return False
        higher = [entry for number, entry in state.claims.items() if number > self.number]
        shared = [task for entry in higher for task in entry.shared_with(claim) if self._only is None or task in self._only]
        return all(state.finished(self.number, *task) for task in shared)


def writer_of(reader: Reader, proc: Proc) -> str:
    """The host, its boot, its pid namespace and its mount of the ledger: whoever shares all of them shares a journal."""
    from xxhash import xxh3_64_hexdigest

    from awflow.state.layout import safe

    device = reader.disk.stat(reader.layout.ledger).st_dev  # another mount has another cache, so needs another file
    origin = f'{proc.host()}\0{proc.boot()}\0{proc.pidns()}\0{device}'
    host = safe(proc.host().partition('.')[0])[:40]
    return f'{host}-{xxh3_64_hexdigest(origin.encode())}'
