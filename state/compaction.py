"""Publishing a snapshot, and removing what it holds.

The order is all: the snapshot is on the disk, under its name, before the first journal goes. A reader that listed
before and opens after finds a name gone, and starts over. Two that compact at once write the same and remove the same.
"""

from __future__ import annotations

import errno

from awflow.state.ledger import TEMPORARY, Listing, snapshot_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

    from awflow.state.fs import Disk
    from awflow.state.layout import Layout
    from awflow.state.ledger import Entry
    from awflow.state.view import State

_ENTRIES = 16  # above the snapshot: each is a file to open at every start
_BYTES = 64 * 1024  # of journals and entries, which must be parsed line by line
_SHARE = 16  # or this fraction of the snapshot, which would be written anew
_ABANDONED = 3600.0  # seconds after which a temporary file is nobody's


def worthwhile(state: State) -> bool:
    """Would the next readers save more than writing the snapshot costs?"""
    size = state.table.size if state.table else 0
    return state.last - state.floor > _ENTRIES or state.unfolded > _BYTES + size // _SHARE


def compact(state: State, layout: Layout, disk: Disk) -> None:
    """Write snapshot `state.last`, then remove journals and snapshots that nobody needs any more."""
    import gc

    from awflow.state.fold import fold  # and with it zlib and array: nothing that a run without news needs

    collecting = gc.isenabled()
    gc.disable()  # what is made stays until the end: of 100,000 records the search for garbage would take a fifth of the time
    try:
        data = _folded(state, fold)
    finally:
        if collecting:
            gc.enable()
    if _published(data, state.last, layout, disk):
        _remove_folded(state, layout, disk)


def _folded(state: State, fold: Callable[..., bytes]) -> bytes:
    return fold(
        state.settled_rows(),
        state.all_codes,
        {
            'upto': state.last,
            'live': {str(number): _compared(entry) for number, entry in state.claims.items()},
            'facts': [fact for facts in state.noted.values() for fact in facts],
        },
        state.all_sources,
        state.all_reasons,
    )


def _compared(entry: Entry) -> dict[str, Any]:
    """A live claim without what is only shown: that goes to columns which hardly anybody opens."""
    fields = entry.to_dict()
    return {name: value for name, value in fields.items() if name not in ('sources', 'reasons')}


def _published(data: bytes, number: int, layout: Layout, disk: Disk) -> bool:
    temporary = f'{layout.ledger}/{TEMPORARY}{disk.token()}{disk.token()}'
    target = f'{layout.ledger}/{snapshot_name(number)}'
    disk.create(temporary, data)
    try:
        disk.link(temporary, target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.EIO, errno.ESTALE):
            raise
    finally:
        disk.unlink(temporary)
    disk.fsync_dir(layout.ledger)
    return number in Listing(disk.listdir(layout.ledger)).snapshots


def _remove_folded(state: State, layout: Layout, disk: Disk) -> None:
    listing = Listing(disk.listdir(layout.ledger))
    names = folded(listing, state.last, state.claims)
    names += [name for name in listing.temporary if abandoned(f'{layout.ledger}/{name}', disk)]
    for name in names:
        remove(f'{layout.ledger}/{name}', disk)


def folded(listing: Listing, floor: int, live: Collection[int]) -> list[str]:
    """Journals and older snapshots of which a published snapshot, at which these claims were live, holds all that counts."""
    names = listing.journals_until(floor, keep=live)
    return names + [snapshot_name(number) for number in sorted(listing.snapshots) if number < floor]


def remove(path: str, disk: Disk) -> None:
    """Remove a file of the ledger; that another process was faster is as good."""
    try:
        disk.unlink(path)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ESTALE, errno.EBUSY):
            raise


def abandoned(path: str, disk: Disk) -> bool:
    """Whether a temporary file is so old that nobody writes it any more."""
    try:
        return disk.now() - disk.stat(path).st_mtime > _ABANDONED
    except OSError:
        return False
