"""The state of one workflow: read it, claim tasks, record, end, compact. `ledger.py` says why it is done this way."""

from __future__ import annotations

import errno
import os

from awflow.errors import StateLockedError
from awflow.state.fs import Disk
from awflow.state.layout import Layout, accessing, lacks_links, no_links, prepare
from awflow.state.ledger import TEMPORARY, Entry, claim_name, encode_keys, told_apart, told_together
from awflow.state.liveness import ALIVE, SUSPECT, Evidence, Owner, Proc, myself, probe
from awflow.state.reader import PATIENCE, Reader
from awflow.state.snapshot import Damaged
from awflow.state.view import State

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
    from typing import Any

    from awflow.state.digests import Digests
    from awflow.state.grant import Grant
    from awflow.state.record import Record
    from awflow.state.turn import Turn

    # Of the state, and of what is known of the submitters of its queued claims, makes evidence on those claims.
    Witness = Callable[[State, Mapping[int, Evidence]], Mapping[int, Evidence]]

__all__ = ['State', 'Store']

_UNSURE = (errno.EEXIST, errno.EIO, errno.ESTALE, errno.ENOENT, errno.ETIMEDOUT, errno.EINTR)  # link may have worked


class Store:
    """One workflow's state below `root`, the `.awflow` directory. Nothing is created before the first publication."""

    def __init__(
        self,
        root: str,
        workflow: str,
        disk: Disk | None = None,
        proc: Proc | None = None,
        *,
        witness: Witness | None = None,
        wanted: Callable[[bytes], bool] | None = None,
        tell: Callable[[str], None] | None = None,
        looking: bool = False,
    ) -> None:
        self.layout = Layout(root, workflow)
        self.disk = disk or Disk()
        self.proc = proc or Proc()
        self._witness = witness  # who can tell whether a claim lives that outlives the process which published it
        self._reader = Reader(self.layout, self.disk, wanted)
        self._reader.tell = tell  # to whom to say what is waited for
        self._reader.looking = looking
        self._granted: list[Grant] = []

    def read(self) -> State:
        """The state as it is now; an empty one if nothing was ever written.

        Retries for 90 s what a network filesystem may still be bringing (2 s on one of this host alone), then raises
        StateCorruptError naming the file; StateVersionError if a newer awflow wrote it, StateAccessError if it may not be
        read or others may write it.
        """
        return self._reader.read()

    def turn(self, timeout: float = 30.0, notify: Callable[[str], None] | None = None) -> Turn:
        """Wait (with ...:) until no other planner is at work; after `timeout` seconds or on any trouble go on
        without.
        """
        from awflow.state.turn import Turn

        return Turn(self.layout, self.disk, self.proc, timeout, notify)

    def digests(self) -> Digests:
        """The cache of content digests of this workflow."""
        from awflow.state.digests import Digests

        return Digests(self.layout.digests, self.disk)

    def evidence(self, state: State) -> dict[int, Evidence]:
        """Whether the owners of the live claims live.

        Before a claim is ended for what this says, the state must be read *again*: the owner may have published its
        last records between the read that found the claim and its death.
        """
        found = {number: self._probe(entry) for number, entry in state.claims.items()}
        queued = [number for number, entry in state.claims.items() if (entry.owner or {}).get('queue')]
        if queued and self._witness is not None:
            found.update(self._witness(state, {number: found[number] for number in queued}))
        elif queued:
            found.update(dict.fromkeys(queued, Evidence(SUSPECT, 'its tasks are in the queue of a cluster')))
        for number, entry in state.claims.items():
            if found[number].state == ALIVE and (original := self._original(number, entry)):
                found[number] = Evidence(SUSPECT, f'{found[number].why}, in {original}, of which this is a copy')
        return found

    def _original(self, number: int, entry: Entry) -> str:
        """The state directory that a claim was published in, if that is another one and still holds it; else ''.

        Whoever owns it works there, and neither reads nor writes this copy. This only informs: mounts may show one directory
        twice, so a claim is not taken as dead for it.
        """
        if not entry.root or entry.root == os.path.abspath(self.layout.root):
            return ''
        try:
            there, here = self.disk.stat(entry.root), self.disk.stat(self.layout.root)
            if (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino):
                return ''
            data = self.disk.read(f'{Layout(entry.root, self.layout.workflow).ledger}/{claim_name(number)}')
            return entry.root if Entry.from_bytes(data).nonce == entry.nonce else ''
        except (OSError, Damaged):
            return ''

    def _probe(self, entry: Entry) -> Evidence:
        if not entry.owner:
            return Evidence(SUSPECT, 'its claim does not say who owns it')
        return probe(Owner.from_dict(entry.owner), self.proc)

    def publish(
        self,
        *,
        run: str,
        expected: State,
        tasks: Mapping[str, Collection[str]],
        records: Iterable[Record] = (),
        codes: Mapping[str, Mapping[str, str]] | None = None,
        sources: Mapping[str, Mapping[str, str]] | None = None,
        reasons: Mapping[str, list[Any]] | None = None,
        dead: Mapping[int, str] | None = None,
        script: str = '',
        parent: dict[str, Any] | None = None,
        owner: Owner | None = None,
        queue: dict[str, Any] | None = None,
        facts: Iterable[dict[str, Any]] = (),
    ) -> Grant | None:
        """Publish an entry that claims `tasks`, holds `records` and ends the claims in `dead` (number -> why).

        None means that the ledger has moved since `expected` was read (or that the answer was lost and somebody else
        came first): read and plan again. Evidence for `dead` must have been gathered before `expected` was read.
        Records get the entry's number as their generation and are final. `sources` and `reasons` are only shown (see
        Entry); `facts` ({'claim': n, ...}) are noted about claims still live. `queue` names the cluster in whose queue
        the claim goes on when its publisher has gone.
        """
        told = {**(owner or myself(proc=self.proc)).to_dict(), **({'queue': queue} if queue else {})}
        entry = Entry(
            nonce=f'{run}.{self.disk.token()}',
            run=run,
            root=os.path.abspath(self.layout.root),
            script=script,
            parent=parent,
            user=self.proc.user(),
            time=round(self.disk.now(), 3),
            owner=told,
            tasks={job: encode_keys(keys) for job, keys in tasks.items() if keys},
            records=[record.replace(final=True, generation=expected.last + 1).to_dict() for record in records],
            codes={digest: dict(parts) for digest, parts in (codes or {}).items()},
            sources={component: dict(texts) for component, texts in (sources or {}).items()},
            reasons=dict(reasons or {}),
            facts=list(facts),
        )
        self._check(entry, expected, dead or {})
        with accessing('write to', self.layout.directory):
            grant = self._publish(entry, expected.last, dead or {})
        if grant is None:
            self.disk.sleep(0.01 + 0.09 * int(self.disk.token(), 16) / 0xFFFFFFFF)  # two must not stay in step
        elif entry.tasks:
            self._granted.append(grant)
        return grant

    def _check(self, entry: Entry, state: State, dead: Mapping[int, str]) -> None:
        for job, key in _foreign(entry, state, dead):
            raise AssertionError(f'{job}[{key}] is owned by a live claim: the plan must not claim it')

    def _publish(self, entry: Entry, last: int, dead: Mapping[int, str]) -> Grant | None:
        """Link the entry as number `last` + 1, if that is still the next one.

        The temporary file is made before reading: a change of our own drops a cached listing, so what is read now is
        new.
        """
        temporary = f'{self.layout.ledger}/{TEMPORARY}{self.disk.token()}{self.disk.token()}'
        data = b''
        reply: OSError | None = None
        fd = self._open(temporary)
        try:
            state = self.read()
            ends = self._ends(state, dead, entry.facts)
            if state.last != last or ends is None or any(_foreign(entry, state, dead)):
                return None
            entry.ends = ends
            data = entry.to_bytes()
            self._write(fd, data)
            reply = self._link(temporary, f'{self.layout.ledger}/{claim_name(last + 1)}')
        finally:
            self.disk.close(fd)
            self.disk.unlink(temporary)  # before looking: a link still on its way can then no longer be granted
        self.disk.fsync_dir(self.layout.ledger)
        if self._is_mine(entry, last + 1):
            return self._grant(last + 1, entry, data)
        if reply is not None and reply.errno not in _UNSURE:
            raise no_links(temporary) if lacks_links(reply) else reply
        return None

    def _open(self, temporary: str) -> int:
        try:
            return self.disk.open_append(temporary)
        except FileNotFoundError:
            prepare(self.layout, self.disk)
            return self.disk.open_append(temporary)

    def _write(self, fd: int, data: bytes) -> None:
        rest = data
        while rest:
            rest = rest[self.disk.write(fd, rest) :]
        self.disk.fsync(fd)

    def _link(self, temporary: str, target: str) -> OSError | None:
        try:
            self.disk.link(temporary, target)
        except OSError as error:
            return error
        return None

    def _ends(
        self, state: State, dead: Mapping[int, str], facts: Iterable[Mapping[str, Any]]
    ) -> dict[int, dict[str, Any]] | None:  # fmt: skip
        """The ends of claims that still live, with what of their journals counts; None if our own are not all to be
        seen.

        A journal may hold what its writer wrote but never synced; once an end vouches for those bytes they must
        survive a power cut, so they are brought to the disk first.
        """
        ends: dict[int, dict[str, Any]] = {}
        for number in dead.keys() & state.claims.keys():
            journals = dict(state.journals[number])
            for grant in self._granted:
                if grant.number == number and any(journals.get(name, 0) < size for name, size in grant.synced.items()):
                    return None
            for name in journals:
                self.disk.flush(f'{self.layout.ledger}/{name}')
            ends[number] = {'why': dead[number], 'journals': journals}
            late = {(f['job'], f['key']): f for f in facts if f.get('claim') == number and 'settled' in f}
            if settled := told_together({**state.settlements(number), **late}):
                ends[number]['settled'] = settled  # of these tasks no record will say it, and the journals will go
        return ends

    def settled_by(self, number: int, state: State) -> dict[tuple[str, str], dict[str, Any]]:
        """What had become of the tasks of an ended claim that ended without an attempt of theirs: as State.settlements."""
        return told_apart(self.end_of(number, state).get('settled', ()))

    def end_of(self, number: int, state: State) -> dict[str, Any]:
        """How a claim was ended: why, by which journals; {} if it was not. Entries are asked, the snapshot does not keep it."""
        for later in range(number + 1, state.last + 1):
            entry = state.entries.get(later) or self._reader.entry(later)
            if entry is not None and number in entry.ends:
                return entry.ends[number]
        return {}

    def _is_mine(self, entry: Entry, number: int) -> bool:
        """Read again: only what the ledger says now counts, not what `link` replied."""
        state = self.read()
        if state.last < number:
            return False
        if entry.tasks:
            claim = state.claims.get(number)
            return claim is not None and claim.nonce == entry.nonce
        try:
            return Entry.from_bytes(self._reader.entry_bytes(number) or b'').nonce == entry.nonce
        except Damaged:
            return False

    def attach(
        self, number: int, state: State | None = None, only: Collection[tuple[str, str]] | None = None
    ) -> Grant | None:  # fmt: skip
        """A live claim in the hands of one of its workers on another host, who performs `only` these tasks (job, key) of it;
        None if it is ended or gone.
        """
        state = state or self.read()
        claim = state.claims.get(number)
        data = self._reader.entry_bytes(number) if claim else None
        return self._grant(number, claim, data, only) if claim and data else None

    def _grant(self, number: int, entry: Entry, data: bytes, only: Collection[tuple[str, str]] | None = None) -> Grant:
        from awflow.state.grant import Grant

        return Grant(number, entry, data, self._reader, self.proc, only)

    def finish(self, run: str) -> None:
        """End all claims that bear this run's id, once all that was recorded under them is on the disk; then
        compact.
        """
        for grant in self._granted:
            if grant.entry.run == run:
                grant.close()
        deadline = self.disk.monotonic() + PATIENCE
        with accessing('write to', self.layout.directory):
            while mine := self._unended(run):
                state, numbers = mine
                end = Entry(nonce=f'{run}.{self.disk.token()}', run=run, time=round(self.disk.now(), 3))
                if self._publish(end, state.last, dict.fromkeys(numbers, 'its run ended')):
                    break
                if self.disk.monotonic() > deadline:
                    raise _never_ended(run)
                self.disk.sleep(0.05)
            self._granted = [grant for grant in self._granted if grant.entry.run != run]
            self.compact()

    def _unended(self, run: str) -> tuple[State, list[int]] | None:
        state = self.read()
        numbers = [number for number, entry in state.claims.items() if entry.run == run]
        return (state, numbers) if numbers else None

    def compact(self, force: bool = False) -> bool:
        """Fold what ended into a snapshot if that makes reading cheaper; only to be called by who has just
        published.
        """
        from awflow.state import compaction  # like grants and turns not needed by a run that finds nothing to do

        with accessing('write to', self.layout.directory):
            state = self.read()
            if not (state.last > state.floor and (force or compaction.worthwhile(state))):
                return False
            compaction.compact(state, self.layout, self.disk)
            return True


def _foreign(entry: Entry, state: State, dead: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    """Tasks of an entry that a live claim, not known to be dead, has not finished."""
    for number, claim in state.claims.items():
        for job, key in entry.shared_with(claim) if number not in dead else ():
            if not state.finished(number, job, key):
                yield job, key


def _never_ended(run: str) -> StateLockedError:
    return StateLockedError(
        'the end of run {run} could not be published: others kept publishing, or what is written stays invisible',
        'Nothing is lost: the next run of this workflow on this host ends its claims.',
        run=run,
    )
