"""What the state knows of the last attempt of a task."""

from __future__ import annotations

from xxhash import xxh3_128_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

EMPTY = bytes(16)       # the digest of no components and of no outputs

# In the order in which they are written; a field that equals its default is left out.
_DEFAULTS: tuple[tuple[str, Any], ...] = (
    ('job', ''), ('task', ''), ('shown', ''), ('generation', 0), ('attempt', (0, 0)), ('final', False), ('outcome', ''),
    ('id', ''), ('end', ''), ('code', ''), ('upstream', {}), ('own', {}), ('outputs', {}), ('result', None),
    ('checks', []), ('inputs_changed', []), ('exit', None), ('signal', None), ('error', None), ('host', ''), ('pid', 0),
    ('slurm', None), ('started', 0.0), ('ended', 0.0), ('user', 0.0), ('system', 0.0), ('rss', 0), ('log', ''),
    ('run', ''), ('note', ''), ('adopted', False), ('accepted', False),
)
_KNOWN = frozenset(name for name, _ in _DEFAULTS)
_CONTAINERS = ('upstream', 'own', 'outputs', 'checks', 'inputs_changed')
_SECONDS = ('started', 'ended', 'user', 'system')


class Record:
    """The last attempt of one task: how it ended, what it depended on, what it made, where and when.

    Digests are 32 hex digits. `end` is the outcome as dependents compare it; `own` holds the components of this task
    alone, `upstream` those that all tasks of the job share; `outputs` maps a path to [digest, bytes]. Times are
    seconds (`started` and `ended` since the epoch), kept to the millisecond; `rss` is bytes. `extra` carries what a
    newer version wrote. Not to be changed once made: states and caches share them.
    """

    __slots__ = (*(name for name, _ in _DEFAULTS), 'extra')

    job: str
    task: str
    shown: str
    generation: int
    attempt: tuple[int, int]
    final: bool
    outcome: str
    id: str
    end: str
    code: str
    upstream: dict[str, str]
    own: dict[str, str]
    outputs: dict[str, list[Any]]
    result: dict[str, Any] | None
    checks: list[dict[str, Any]]
    inputs_changed: list[str]
    exit: int | None
    signal: int | None
    error: dict[str, str] | None
    host: str
    pid: int
    slurm: dict[str, Any] | None
    started: float
    ended: float
    user: float
    system: float
    rss: int
    log: str
    run: str
    note: str
    adopted: bool
    accepted: bool
    extra: dict[str, Any]

    def __init__(self, **fields: Any) -> None:
        take = fields.pop
        for name, default in _DEFAULTS:
            setattr(self, name, take(name, default))
        for name in _CONTAINERS:
            if not getattr(self, name):
                setattr(self, name, [] if name in ('checks', 'inputs_changed') else {})
        self.extra = take('extra', None) or {}
        if fields:
            raise TypeError(f'a record has no {", ".join(sorted(fields))}')

    @property
    def rank(self) -> tuple[int, tuple[int, int], bool, str]:
        """Of two records of a task the one of higher rank counts, in whatever order they are met."""
        return self.generation, self.attempt, self.final, self.id

    def replace(self, **changes: Any) -> Record:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Record(**{**fields, **changes})

    def to_dict(self) -> dict[str, Any]:
        """The fields that say something, for JSON; what is unknown here comes back as it was."""
        fields = {}
        for name, default in _DEFAULTS:
            value = getattr(self, name)
            if value != default:
                fields[name] = value
        if 'attempt' in fields:
            fields['attempt'] = list(self.attempt)
        for name in _SECONDS:
            if name in fields:
                fields[name] = round(fields[name], 3)
        return {**self.extra, **fields}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Record:
        extra = {name: value for name, value in fields.items() if name not in _KNOWN}
        known = {name: value for name, value in fields.items() if name in _KNOWN} if extra else dict(fields)
        if 'attempt' in known:
            restart, retry = known['attempt']
            known['attempt'] = (restart, retry)
        return cls(extra=extra, **known)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None     # type: ignore[assignment]

    def __repr__(self) -> str:
        return f'Record({self.job}[{self.task}] {self.outcome or "started"} {self.rank})'


def own_digest(own: Mapping[str, str]) -> bytes:
    """One digest of the components that a task has by itself, whatever their order; EMPTY if there are none."""
    return _digest([f'{name}\0{digest}' for name, digest in own.items()])


def outputs_digest(outputs: Mapping[str, list[Any]]) -> bytes:
    """One digest of the paths and contents of outputs, whatever their order; EMPTY if there are none."""
    return _digest([f'{path}\0{content[0]}' for path, content in outputs.items()])


def _digest(lines: list[str]) -> bytes:
    """Neither names nor digests hold a NUL, and each line is counted, so no two sets of lines spell the same bytes."""
    if not lines:
        return EMPTY
    parts = [line.encode('utf-8', 'surrogatepass') for line in sorted(lines)]
    return xxh3_128_digest(b''.join(len(part).to_bytes(4, 'little') + part for part in parts))
