"""What the state knows of the last attempt of a task."""

from __future__ import annotations

from xxhash import xxh3_128_digest, xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

EMPTY = bytes(16)  # the digest of no components

# In the order in which they are written; a field that equals its default is left out.
DEFAULTS: dict[str, Any] = {
    'job': '',
    'task': '',
    'shown': '',
    'generation': 0,
    'attempt': (0, 0),
    'final': False,
    'outcome': '',
    'id': '',
    'end': '',
    'code': '',
    'upstream': {},
    'own': {},
    'outputs': {},
    'result': None,
    'checks': [],
    'inputs_changed': [],
    'lint': None,
    'exit': None,
    'signal': None,
    'error': None,
    'host': '',
    'pid': 0,
    'slurm': None,
    'started': 0.0,
    'ended': 0.0,
    'user': 0.0,
    'system': 0.0,
    'rss': 0,
    'log': '',
    'run': '',
    'note': '',
    'why': [],
    'adopted': False,
    'accepted': False,
    'by': None,
}
_ITEMS = tuple(DEFAULTS.items())
_NAMES = DEFAULTS.keys()
_MAPPINGS = ('upstream', 'own', 'outputs', 'extra')
_LISTS = ('checks', 'inputs_changed', 'why')
SECONDS = ('started', 'ended', 'user', 'system')


class Record:
    """The last attempt of one task: how it ended, what it depended on, what it made, where and when.

    Digests are 32 hex digits. `end` is the outcome as dependents compare it; `own` holds the components of this task
    alone, `upstream` those that all tasks of the job share; `outputs` maps a path to [digest, bytes]. Times are
    seconds (`started` and `ended` since the epoch), kept to the millisecond; `rss` is bytes. `why` are the reasons for
    which it ran, where the entry of its generation does not say it better; `by` is who accepted or dropped it. `extra`
    carries what a newer version wrote. Not to be changed once made: states and caches share them.
    """

    __slots__ = (*DEFAULTS, 'extra')

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
    lint: dict[str, Any] | None
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
    why: list[dict[str, Any]]
    adopted: bool
    accepted: bool
    by: dict[str, Any] | None
    extra: dict[str, Any]

    def __init__(self, extra: dict[str, Any] | None = None, **fields: Any) -> None:
        unknown = fields.keys() - DEFAULTS.keys()
        if unknown:
            raise TypeError(f'a record has no {", ".join(sorted(unknown))}')
        self._fill(fields, extra)

    def _fill(self, fields: Mapping[str, Any], extra: dict[str, Any] | None) -> None:
        """Set every field, one by one: hundreds of thousands are made when a big run is read, and a loop takes three times as
        long. Mappings and lists that are not given stay unset (see __getattr__).
        """
        get = fields.get
        self.job = get('job', '')
        self.task = get('task', '')
        self.shown = get('shown', '')
        self.generation = get('generation', 0)
        self.attempt = get('attempt', (0, 0))
        self.final = get('final', False)
        self.outcome = get('outcome', '')
        self.id = get('id', '')
        self.end = get('end', '')
        self.code = get('code', '')
        if told := get('upstream'):
            self.upstream = told
        if told := get('own'):
            self.own = told
        if told := get('outputs'):
            self.outputs = told
        self.result = get('result')
        if told := get('checks'):
            self.checks = told
        if told := get('inputs_changed'):
            self.inputs_changed = told
        self.lint = get('lint')
        self.exit = get('exit')
        self.signal = get('signal')
        self.error = get('error')
        self.host = get('host', '')
        self.pid = get('pid', 0)
        self.slurm = get('slurm')
        self.started = get('started', 0.0)
        self.ended = get('ended', 0.0)
        self.user = get('user', 0.0)
        self.system = get('system', 0.0)
        self.rss = get('rss', 0)
        self.log = get('log', '')
        self.run = get('run', '')
        self.note = get('note', '')
        if told := get('why'):
            self.why = told
        self.adopted = get('adopted', False)
        self.accepted = get('accepted', False)
        self.by = get('by')
        if extra:
            self.extra = extra

    def __getattr__(self, name: str) -> Any:
        """Of mappings and lists that were not given an empty one, new each time. None is kept: of a hundred thousand records
        they would be a fifth of the memory.
        """
        if name in _MAPPINGS:
            return {}
        if name in _LISTS:
            return []
        raise AttributeError(f'a record has no {name}')

    @property
    def rank(self) -> tuple[int, tuple[int, int], bool, str]:
        """Of two records of a task the one of higher rank counts, in whatever order they are met."""
        return self.generation, self.attempt, self.final, self.id

    def replace(self, **changes: Any) -> Record:
        fields = {name: getattr(self, name) for name in self.__slots__}
        return Record(**{**fields, **changes})

    def to_dict(self) -> dict[str, Any]:
        """The fields that say something, for JSON; what is unknown here comes back as it was."""
        fields = {name: value for name, default in _ITEMS if (value := getattr(self, name)) != default}
        if 'attempt' in fields:
            fields['attempt'] = list(self.attempt)
        for name in SECONDS:
            if name in fields:
                fields[name] = round(fields[name], 3)
        return {**self.extra, **fields} if self.extra else fields

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Record:
        record = cls.__new__(cls)
        record._fill(fields, None if fields.keys() <= _NAMES else {n: fields[n] for n in fields.keys() - _NAMES})
        if 'attempt' in fields:
            restart, retry = fields['attempt']
            record.attempt = (restart, retry)
        return record

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Record):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in self.__slots__)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f'Record({self.job}[{self.task}] {self.outcome or "started"} {self.rank})'


def vouched(record: Record) -> bool:
    """Whether more than the function's return says that the task succeeded. Only what is vouched for gets adopted."""
    for check in record.checks:
        if check.get('when') == 'after':
            return True
    return bool(record.outputs) or record.adopted


def own_digest(own: Mapping[str, str]) -> bytes:
    """One digest of the components that a task has by itself, whatever their order; EMPTY if there are none."""
    return digest_of_lines([f'{name}\0{digest}' for name, digest in own.items()])


def names_digest(names: Iterable[str]) -> str:
    """One digest of names in their order."""
    return xxh3_128_hexdigest('\0'.join(names).encode('utf-8', 'surrogateescape'))


def digest_of_lines(lines: list[str]) -> bytes:
    """Of lines `name NUL digest`. Neither holds a NUL, and each line is counted: no two sets of lines spell the same bytes."""
    if not lines:
        return EMPTY
    if len(lines) == 1:
        part = lines[0].encode('utf-8', 'surrogatepass')
        return xxh3_128_digest(len(part).to_bytes(4, 'little') + part)
    parts = [line.encode('utf-8', 'surrogatepass') for line in sorted(lines)]
    return xxh3_128_digest(b''.join(len(part).to_bytes(4, 'little') + part for part in parts))
