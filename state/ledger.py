"""Who may execute which tasks: one ordered ledger of entries.

The problem. Two people start the same script; a laptop's run is still going when the cluster's is submitted; a
submitter dies between asking and noting the answer. Each task must have at most one owner, and what was recorded must
stay readable, on filesystems where locks may be local to one host, where a name that exists may look absent for a
minute, and where the reply to a request that succeeded may be lost.

What does not work. `flock`: GPFS, BeeGFS and some Lustre and NFS mounts grant it to two hosts at once. A lock file
that is deleted to break it: between reading that its owner is dead and deleting it, somebody else may have broken it
and taken it again. Renaming over a file: the last writer wins, and the first believes that it does. Asking whether a
name exists: the client may answer from its cache. Trusting the reply of `link`: the server did it, the reply was lost,
the client asked again and was told that the name is taken. One file for all: appends from two clients overwrite each
other.

What this does. The state changes by *entries*, numbered from 1 without a gap, never changed and never deleted. Entry
M+1 is written to a temporary file and published by `link`, which the server grants to one caller only. So entries are
totally ordered, and all else is a function of that order:

- A *claim* is an entry with `tasks`; it stands until a later entry *ends* it. Its number is the generation of every
  record made under it, so records of a process that lost its claim without noticing lose against newer ones.
- What a claim's processes record goes to *journals* named by number, nonce and writer, one for every host. An end names
  the journals and how many bytes of each count: a reader of an ended claim knows whether it has seen everything.
- A *snapshot* M holds all that the entries up to M and the ended claims among them say. It makes reading cheap, changes
  nothing, and only after it is published the journals that it folds are deleted.

A publisher (1) makes its temporary file in the ledger's directory, because a client that changes a directory drops its
cached listing; (2) reads; (3) decides; (4) links; (5) removes the temporary file, so that a link that was delayed on
its way can no longer be executed; and (6) reads again: the entry is published if and only if number M+1 bears its
nonce, whatever `link` replied. A reader lists, and opens only names just listed; when anything is missing or not
whole, it starts over.

Evidence that an owner is dead is gathered *before* the read that decides: were it gathered after, the owner could have
published its last records and ended in between, and the end would leave them out.
"""

from __future__ import annotations

from awflow.state.journal import frame, parse
from awflow.state.snapshot import VERSION, Damaged, newer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import Any

TEMPORARY = '.tmp-'
_CLAIM, _SNAPSHOT, _JOURNAL = '.claim', '.snapshot', '.jsonl'


class Listing:
    """The names in the ledger's directory by what they are; names that mean nothing here are left alone."""

    __slots__ = ('_journals', 'entries', 'snapshots', 'temporary')

    def __init__(self, names: Iterable[str]) -> None:
        self.entries: set[int] = set()
        self.snapshots: set[int] = set()
        self.temporary: list[str] = []
        self._journals: dict[int, list[str]] = {}
        for name in names:
            self._sort(name)

    def _sort(self, name: str) -> None:
        stem, dot, kind = name.rpartition('.')
        if name.startswith(TEMPORARY):
            self.temporary.append(name)
        elif dot + kind == _JOURNAL and (number := _number(stem.partition('-')[0])):
            self._journals.setdefault(number, []).append(name)
        elif number := _number(stem):
            if dot + kind == _CLAIM:
                self.entries.add(number)
            elif dot + kind == _SNAPSHOT:
                self.snapshots.add(number)

    def journals(self, number: int, nonce: str) -> list[str]:
        """The journals of one claim; one of the same number but another nonce belongs to a ledger that was replaced."""
        return sorted(name for name in self._journals.get(number, ()) if name.startswith(journal_stem(number, nonce)))

    def journals_until(self, number: int, keep: Collection[int]) -> list[str]:
        return [name for n, names in self._journals.items() if n <= number and n not in keep for name in names]


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() else 0


def claim_name(number: int) -> str:
    return f'{number}{_CLAIM}'


def snapshot_name(number: int) -> str:
    return f'{number}{_SNAPSHOT}'


def journal_stem(number: int, nonce: str, writer: str = '') -> str:
    return f'{number}-{nonce}-{writer}'


class Entry:
    """One entry of the ledger, as it stands in its file.

    `tasks` maps a job to the encoded keys that the entry claims; `ends` maps the number of a claim to {'why',
    'journals': {name: bytes}, 'settled': [tasks that ended without an attempt]}; `records` are JSON forms of records that
    are final from the start; `codes` names the components of code digests, `sources` what these look like ({component:
    {text of the component: source}}); `reasons` says by job why its tasks were to run or were accepted; `facts` are
    notes on claims that are no record of a task ({'claim': n, ...}); `owner` is a liveness.Owner's JSON form; `root` and
    `script` say where it came from, for humans.
    """

    __slots__ = (
        '_keys',
        'codes',
        'ends',
        'extra',
        'facts',
        'format',
        'nonce',
        'owner',
        'parent',
        'reasons',
        'records',
        'root',
        'run',
        'script',
        'sources',
        'tasks',
        'time',
        'user',
    )

    _FIELDS = (
        'format',
        'nonce',
        'run',
        'root',
        'script',
        'user',
        'time',
        'owner',
        'parent',
        'tasks',
        'ends',
        'records',
        'codes',
        'sources',
        'reasons',
        'facts',
    )

    def __init__(
        self,
        *,
        nonce: str,
        run: str,
        format: int = VERSION,
        root: str = '',
        script: str = '',
        user: str = '',
        time: float = 0.0,
        owner: dict[str, Any] | None = None,
        parent: dict[str, Any] | None = None,
        tasks: dict[str, str | list[str]] | None = None,
        ends: dict[int, dict[str, Any]] | None = None,
        records: list[dict[str, Any]] | None = None,
        codes: dict[str, dict[str, str]] | None = None,
        sources: dict[str, dict[str, str]] | None = None,
        reasons: dict[str, list[Any]] | None = None,
        facts: list[dict[str, Any]] | None = None,
        extra: dict[str, Any] | None = None,
    ) -> None:
        self.format = format
        self.nonce = nonce
        self.run = run
        self.root = root
        self.script = script
        self.user = user
        self.time = time
        self.owner = owner
        self.parent = parent
        self.tasks = tasks or {}
        self.ends = ends or {}
        self.records = records or []
        self.codes = codes or {}
        self.sources = sources or {}
        self.reasons = reasons or {}
        self.facts = facts or []
        self.extra = extra or {}
        self._keys: dict[str, frozenset[str]] = {}

    def keys(self, job: str) -> frozenset[str]:
        """The keys of a job's tasks that this entry claims."""
        if job not in self._keys:
            self._keys[job] = frozenset(decode_keys(self.tasks.get(job, [])))
        return self._keys[job]

    def covers(self, job: str, key: str) -> bool:
        return job in self.tasks and key in self.keys(job)

    def shared_with(self, other: Entry) -> Iterator[tuple[str, str]]:
        """Job and key of every task that both claim."""
        for job in self.tasks.keys() & other.tasks.keys():
            for key in self.keys(job) & other.keys(job):
                yield job, key

    def to_dict(self) -> dict[str, Any]:
        fields = {name: getattr(self, name) for name in self._FIELDS}
        fields['ends'] = {str(number): end for number, end in self.ends.items()}
        return {**self.extra, **{name: value for name, value in fields.items() if value or name == 'format'}}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Entry:
        if fields.get('format', 0) > VERSION:
            raise newer(fields['format'])
        known = {name: fields[name] for name in cls._FIELDS if name in fields}
        known['ends'] = {int(number): end for number, end in fields.get('ends', {}).items()}
        return cls(extra={name: value for name, value in fields.items() if name not in cls._FIELDS}, **known)

    def to_bytes(self) -> bytes:
        return frame(self.to_dict())

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Damaged if it is not whole, StateVersionError if a newer awflow wrote it."""
        objs = list(parse(data))
        if len(objs) != 1:
            raise Damaged('it holds no whole entry')
        return cls.from_dict(objs[0])


def encode_keys(keys: Collection[str]) -> str | list[str]:
    """Keys as they stand in a claim: '0-9,15' for numbers, '-' for the task of a job without array, else a sorted
    list.
    """
    from awflow.state.table import natural

    found = set(keys)
    if found == {'-'}:
        return '-'
    numbers = sorted(number for number in map(natural, found) if number is not None)
    if not found or len(numbers) < len(found):
        return sorted(found)
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][1] == number - 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ','.join(str(first) if first == last else f'{first}-{last}' for first, last in spans)


def decode_keys(encoded: str | list[str]) -> list[str]:
    if not isinstance(encoded, str):
        return list(encoded)
    if encoded == '-':
        return ['-']
    keys = []
    for span in encoded.split(','):
        first, _, last = span.partition('-')
        keys += [str(number) for number in range(int(first), int(last or first) + 1)]
    return keys


def told_together(settlements: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What became of tasks that ended without an attempt, those alike together, as the end of their claim tells it.

    The outcome of an unchanged task stands on its record.
    """
    groups: dict[tuple[str, ...], list[str]] = {}
    for (job, key), fact in settlements.items():
        end = '' if fact['settled'] == 'unchanged' else fact.get('end', '')
        groups.setdefault((fact['settled'], job, end, fact.get('why', '')), []).append(key)
    return [
        {'settled': how, 'job': job, 'keys': encode_keys(keys), 'end': end, 'why': why}
        for (how, job, end, why), keys in groups.items()
    ]


def told_apart(groups: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """The same by job and key."""
    return {(group['job'], key): {**group, 'key': key} for group in groups for key in decode_keys(group['keys'])}
