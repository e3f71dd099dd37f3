"""What the postconditions of a job have shown: how often each held, whether it ever was false, and what it costs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol

    class Checked(Protocol):
        """A record, or as much of it as is needed here."""

        @property
        def checks(self) -> Iterable[dict[str, Any]]: ...


class Shown:
    """One postcondition over the tasks of a job.

    `asked` counts the tasks that got to it, `held` those for which it held then, `proved` those for which it has been
    false at some time, `unproved` those for which it has held at every start since their first; of the others nobody
    knows. `seconds` is the sum over tasks, before and after, `longest` the greatest single time.
    """

    __slots__ = ('asked', 'held', 'longest', 'name', 'proved', 'seconds', 'unproved')

    def __init__(self, name: str) -> None:
        self.name = name
        self.asked = self.held = self.proved = self.unproved = 0
        self.seconds = self.longest = 0.0

    def add(self, check: dict[str, Any]) -> None:
        """What one task's record says."""
        get = check.get
        if 'ok' in check:
            self.asked += 1
            self.held += bool(check['ok'])
        was_false = get('was_false')
        self.proved += was_false is True
        self.unproved += was_false is False
        before, after = get('before_seconds') or 0.0, get('seconds') or 0.0
        self.seconds += before + after
        if before > self.longest or after > self.longest:
            self.longest = max(before, after)

    @property
    def idle(self) -> bool:
        """Whether it was never false, for any task: then it says nothing about the function."""
        return self.unproved > 0 and not self.proved

    def to_dict(self) -> dict[str, Any]:
        """For JSON; `proves` is null while nobody knows."""
        return {
            'name': self.name, 'asked': self.asked, 'held': self.held, 'was_false': self.proved, 'never_false': self.unproved,
            'proves': True if self.proved else False if self.unproved else None,
            'seconds': round(self.seconds, 6), 'longest': round(self.longest, 6),
        }  # fmt: skip


def shown(records: Iterable[Checked]) -> list[Shown]:
    """The postconditions that the records of a job's tasks name, in the order of the job."""
    found: dict[tuple[str, int], Shown] = {}
    for record in records:
        met: dict[str, int] = {}
        for check in record.checks:
            if check.get('when') != 'after':
                continue
            name = str(check.get('name', ''))
            met[name] = number = met.get(name, 0) + 1  # two of one name are two
            known = found.get((name, number))
            if known is None:
                known = found[name, number] = Shown(name)
            known.add(check)
    return list(found.values())
