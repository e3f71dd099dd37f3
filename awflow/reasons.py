"""Why a task will run, or will not: data that the plan makes, one renderer shows and machines read."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The classes of a verdict.
IN_FLIGHT: Final = 'in flight'  # somebody else executes it
SKIPPED: Final = 'skipped'  # its edges say no
OUTDATED: Final = 'outdated'  # runs
MISSING: Final = 'missing'  # runs if demanded
MAYBE: Final = 'maybe'  # decided when its upstreams have ended
FRESH: Final = 'fresh'

# The kinds of a reason, with the sentence that shows it. {name}, {old} and {new} are the reason's.
SENTENCES: Final = {
    'forced': 'forced',
    'prune=False': 'prune=False',
    'forgotten': 'its record was dropped by `awflow forget`',
    'last attempt': 'the last attempt {name}',
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
    'array': 'the array of upstream {name} changed: {old} -> {new}',
    'in flight': 'is being executed by run {name}',
    'edge': '{name}',
    'adopted': 'no record, but what it should make is there',
    'demanded': 'needed by {name}',
}


class Reason:
    """A kind, the thing it names, and its old and new value where it has one."""

    __slots__ = ('kind', 'name', 'new', 'old')

    def __init__(self, kind: str, name: str = '', old: str | None = None, new: str | None = None) -> None:
        self.kind = kind
        self.name = name
        self.old = old
        self.new = new

    def __str__(self) -> str:
        sentence = SENTENCES[self.kind].format(name=self.name, old=self.old, new=self.new)
        if self.kind == 'changed' and (self.old or self.new):
            sentence += f': {self.old or "?"} -> {self.new or "?"}'
        return sentence

    def __repr__(self) -> str:
        return f'Reason({self})'

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Reason) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash((self.kind, self.name, self.old, self.new))

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        fields = {'kind': self.kind, 'name': self.name, 'old': self.old, 'new': self.new}
        return {name: value for name, value in fields.items() if value}
