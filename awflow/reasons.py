"""Why a task will run, or will not: data that the plan makes, one renderer shows and machines read."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

# The classes of a verdict.
IN_FLIGHT: Final = 'in flight'  # somebody else executes it
SKIPPED: Final = 'skipped'  # its edges say no
OUTDATED: Final = 'outdated'  # runs
MISSING: Final = 'missing'  # runs if demanded
MAYBE: Final = 'maybe'  # decided when its upstreams have ended
FRESH: Final = 'fresh'

RUNS: Final = (OUTDATED, MISSING, MAYBE)  # what is found of tasks that run, the surest first

# The kinds of a reason, with the sentence that shows it. {name}, {old} and {new} are the reason's.
SENTENCES: Final = {
    'forced': 'forced',
    'prune=False': 'prune=False',
    'forgotten': 'its record was dropped by `awflow forget`',
    'last attempt': 'the last attempt {name}',
    'retry': 'the attempt before it, in the same run, failed',
    'taken over': 'run {name}, which was executing it, died',
    'never ran': 'never ran',
    'changed': '{name} changed',
    'added': '{name} is new',
    'removed': '{name} is gone',
    'output changed': 'output {name} has other bytes than were recorded',
    'output absent': 'output {name} is absent',
    'result absent': 'its stored result is absent',
    'postcondition': 'postcondition does not hold: {name}',
    'upstream runs': 'upstream {name} runs',
    'upstream may run': 'upstream {name} may change',
    'upstream changed': 'upstream {name} has another outcome than the one used',
    'upstream ran since': 'upstream {name} ran since',
    'array': 'the array of upstream {name} changed: {old} -> {new}',
    'in flight': 'is being executed by run {name}',
    'edge': '{name}',
    'rechecked': '{name} changed, and holds',
    'adopted': 'no record, but what it should make is there',
    'demanded': 'needed by {name}',
}
# The same of a run that is over, where it reads differently.
PAST: Final = {
    'forced': 'it was forced',
    'prune=False': 'prune=False was given',
    'forgotten': 'its record had been dropped by `awflow forget`',
    'never ran': 'it had never run',
    'demanded': 'it was needed by {name}',
    'output absent': 'output {name} was absent',
    'result absent': 'its stored result was absent',
    'postcondition': 'postcondition did not hold: {name}',
    'upstream runs': 'upstream {name} ran',
    'upstream may run': 'upstream {name} might have changed',
    'upstream changed': 'upstream {name} had another outcome than the one used before',
    'in flight': 'run {name} was executing it',
    'last attempt': 'the attempt before {name}',
}
FIELDS: Final = ('kind', 'name', 'old', 'new', 'was', 'now')


class Reason:
    """A kind, the thing it names, and its old and new value where it has one.

    Of code, `was` and `now` are the texts of the component before and after: under them the state keeps its source.
    """

    __slots__ = ('kind', 'name', 'new', 'now', 'old', 'was')

    def __init__(
        self, kind: str, name: str = '', old: str | None = None, new: str | None = None, was: str = '', now: str = ''
    ) -> None:
        self.kind = kind
        self.name = name
        self.old = old
        self.new = new
        self.was = was
        self.now = now

    def __str__(self) -> str:
        return self.sentence()

    def sentence(self, past: bool = False) -> str:
        """What it says, of now or of a run that is over."""
        pattern = (PAST.get(self.kind) if past else None) or SENTENCES.get(self.kind, self.kind + ' {name}')
        sentence = pattern.format(name=self.name, old=self.old, new=self.new)
        if self.kind == 'changed' and (self.old or self.new):
            sentence += f': {self.old or "?"} -> {self.new or "?"}'
        elif self.kind in ('added', 'removed') and (self.old or self.new):
            sentence += f': {self.new or self.old}'
        return sentence

    def __repr__(self) -> str:
        return f'Reason({self})'

    def _fields(self) -> tuple[str, ...]:
        return self.kind, self.name, self.old or '', self.new or '', self.was, self.now

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reason) and self._fields() == other._fields()

    def __hash__(self) -> int:
        return hash(self._fields())

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {name: value for name in FIELDS if (value := getattr(self, name))}

    @classmethod
    def from_dict(cls, fields: Mapping[str, str]) -> Reason:
        """From JSON; what a newer version added is left out."""
        return cls(**{'kind': '', **{name: fields[name] for name in FIELDS if name in fields}})
