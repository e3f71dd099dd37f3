"""What can be saved of a ledger that cannot be read: files made whole again, or left out, without inventing anything.

A snapshot replaced the journals that it folded, so where it is damaged their records are gone, unless one of two frequent
things has happened. The process that published it died before it removed what it folded: then nothing is lost without it. Or
only its end is missing (a copy that broke off, a disk that filled up): first come the columns that say what is up to date and
all records, and at the end what is only shown, which may go. A journal that is shorter than the end of its claim says is
filled up with newlines: what it still says counts, and a task whose end was in the rest counts as crashed or as it was before.
"""

from __future__ import annotations

import os
import time

from awflow.errors import StateCorruptError
from awflow.state import jsontext
from awflow.state.fs import Disk
from awflow.state.layout import Layout
from awflow.state.ledger import Entry, Listing, claim_name, snapshot_name
from awflow.state.snapshot import Damaged, places_of, write
from awflow.state.store import Store
from awflow.state.table import BLOCK, DIGESTS, INTEGERS, Table, unpacked

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from awflow.state.liveness import Proc

NEEDED: Final = (*DIGESTS, *INTEGERS, 'keys', 'block ends', 'contexts', 'jobs', 'codes', 'blocks')
MOST: Final = 100  # files that are mended; where more are damaged, somebody should look what is going on
ASIDE: Final = '.damaged'  # what is put aside: below the state's directory, and at the end of the names of files


class Patched(Disk):
    """A disk on which some files are as they would be if they were mended. Nobody waits for anything on it."""

    __slots__ = ('_later', 'hidden', 'whole')

    def __init__(self) -> None:
        self.whole: dict[str, bytes] = {}
        self.hidden: set[str] = set()
        self._later = 0.0

    def listdir(self, path: str) -> list[str]:
        """The names, with those of mended files and without hidden ones."""
        names = {name for name in super().listdir(path) if f'{path}/{name}' not in self.hidden}
        return sorted(names | {os.path.basename(file) for file in self.whole if os.path.dirname(file) == path})

    def read(self, path: str, offset: int = 0, limit: int = -1) -> bytes:
        """The bytes of the mended file, or of the file."""
        if path not in self.whole:
            return super().read(path, offset, limit)
        return self.whole[path][offset : None if limit < 0 else offset + limit]

    def monotonic(self) -> float:
        """A clock on which sleeping takes no time."""
        return time.monotonic() + self._later

    def sleep(self, seconds: float) -> None:
        """Only the clock goes on."""
        self._later += seconds


class Step:
    """One file, what is wrong with it, and what is done: `whole` are its bytes then, None if it is left out."""

    __slots__ = ('path', 'problem', 'told', 'whole')

    def __init__(self, path: str, problem: str, told: str, whole: bytes | None) -> None:
        self.path = path
        self.problem = problem
        self.told = told
        self.whole = whole


class Salvage:
    """What is to be done to a ledger that cannot be read.

    `steps` make it readable. Without any there is nothing to be saved: `lost` says which file is in the way, and `claims`
    are those that no entry ends, whose owners must be gone before the ledger is put aside.
    """

    def __init__(self, layout: Layout, error: StateCorruptError) -> None:
        self.layout = layout
        self.disk = Patched()
        self.steps: list[Step] = []
        self.lost = ''
        self.claims: dict[int, Entry] = {}
        self.unknown: list[str] = []  # entries that are not whole: nobody knows who owns them
        self._named: dict[str, int] = {}  # bytes of journals that ends of claims name
        self._read_entries()
        self._mend(error)

    def _read_entries(self) -> None:
        ended: set[int] = set()
        for number in sorted(Listing(self.disk.listdir(self.layout.ledger)).entries):
            try:
                entry = Entry.from_bytes(self.disk.read(f'{self.layout.ledger}/{claim_name(number)}'))
            except (OSError, Damaged):
                self.unknown.append(claim_name(number))
                continue
            if entry.tasks:
                self.claims[number] = entry
            for other, end in entry.ends.items():
                ended.add(other)
                self._named.update(end['journals'])
        self.claims = {number: entry for number, entry in self.claims.items() if number not in ended}

    def _mend(self, error: StateCorruptError) -> None:
        problem: StateCorruptError | None = error
        for _ in range(MOST):
            if problem is None:
                return
            step = self._step(problem)
            if step is None:
                break
            self.steps.append(step)
            if step.whole is None:
                self.disk.hidden.add(step.path)
            else:
                self.disk.whole[step.path] = step.whole
            problem = self._problem(self.disk)
        assert problem is not None, 'the loop returns when there is none'
        self.lost = f'{os.path.basename(str(problem.facts["file"]))}: {problem.facts["problem"]}'
        self.steps = []

    def _problem(self, disk: Disk) -> StateCorruptError | None:
        try:
            Store(self.layout.root, self.layout.workflow, disk, looking=True).read()
        except StateCorruptError as error:
            return error
        return None

    def _step(self, error: StateCorruptError) -> Step | None:
        path, problem = str(error.facts['file']), str(error.facts['problem'])
        name = os.path.basename(path)
        if path in self.disk.whole:
            return None
        if name in self._named:
            held = self._bytes(path)
            told = (
                f'what is whole of it counts; {self._named[name] - len(held)} bytes are lost, and what ended in them runs again'
            )
            return Step(path, problem, told, held.ljust(self._named[name], b'\n'))
        return self._snapshot(path, problem) if name.endswith('.snapshot') else None

    def _snapshot(self, path: str, problem: str) -> Step | None:
        without = Patched()
        without.whole, without.hidden = dict(self.disk.whole), {*self.disk.hidden, path}
        if self._highest(path) and self._problem(without) is None:
            return Step(path, problem, 'nothing is lost: all that it holds is there without it', None)
        whole = shortened(self._bytes(path))
        told = 'only its end is missing, in which no records are: it is closed without it'
        return Step(path, problem, told, whole) if whole is not None else None

    def _highest(self, path: str) -> bool:
        found = Listing(self.disk.listdir(self.layout.ledger)).snapshots
        return bool(found) and os.path.basename(path) == snapshot_name(max(found))

    def _bytes(self, path: str) -> bytes:
        try:
            return self.disk.read(path)
        except OSError:
            return b''

    def apply(self) -> None:
        """Mend the files; what they were stays beside them."""
        for step in self.steps:
            if os.path.lexists(step.path):
                os.rename(step.path, f'{step.path}{ASIDE}')
            if step.whole is not None:
                temporary = f'{self.layout.ledger}/.tmp-{self.disk.token()}{self.disk.token()}'
                self.disk.create(temporary, step.whole)
                self.disk.link(temporary, step.path)
                self.disk.unlink(temporary)
        self.disk.fsync_dir(self.layout.ledger)

    def put_aside(self) -> str:
        """Move the workflow's whole state away, so that the next run starts afresh; where it is then."""
        folder = f'{self.layout.root}/{ASIDE}'
        os.makedirs(folder, exist_ok=True)
        target = f'{folder}/{os.path.basename(self.layout.directory)}-{self.disk.token()}'
        os.rename(self.layout.directory, target)
        return target


def owners(salvage: Salvage, proc: Proc | None = None) -> dict[int, str]:
    """Of a ledger from which nothing can be saved: the claims whose owners are not proven dead, with what is known of them."""
    from awflow.state.liveness import DEAD, Owner, probe

    found = {}
    for number, entry in salvage.claims.items():
        if (entry.owner or {}).get('queue'):
            found[number] = 'its tasks are in the queue of a cluster'
        elif entry.owner is None:
            found[number] = 'its claim does not say who owns it'
        elif (evidence := probe(Owner.from_dict(entry.owner), proc)).state != DEAD:
            found[number] = evidence.why
    return found


def shortened(data: bytes) -> bytes | None:
    """A snapshot that says what one without its end still says, None if records are missing or it was not shortened."""
    import zlib

    try:
        places = places_of(data)
        if len(data) >= max(offset + length for offset, length in places.values()) + 8:
            return None  # nothing is missing: these bytes are other than what was written
        held = {name: data[at : at + length] for name, (at, length) in places.items() if at + length <= len(data)}
        if any(name not in held for name in NEEDED):
            return None
        whole = write({name: column for name, column in held.items() if name != 'meta'}, jsontext.loads(held['meta']))
        _unpack(Table(whole))
    except (ValueError, KeyError, IndexError, zlib.error):
        return None
    return whole


def _unpack(table: Table) -> None:
    """Every block: each is compressed with a checksum of its own."""
    for job in table.jobs():
        base = table.base(job)
        for number in range(-(-base.count // BLOCK) if base is not None else 0):
            assert base is not None, 'only blocks of jobs are unpacked'
            jsontext.loads(unpacked(base.packed(number)))
