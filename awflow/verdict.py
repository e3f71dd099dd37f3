"""What one task's record, identity and checks say, before its upstreams are looked at. Pure."""

from __future__ import annotations

from awflow.reasons import FRESH, MISSING, OUTDATED, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from awflow.state.record import Record

PAST: dict[str, str] = {
    'failed': 'failed',
    'timeout': 'hit its time limit',
    'cancelled': 'was cancelled',
    'crashed': 'crashed',
}


class Checks:
    """What the disk and the postconditions say of what a task should have made."""

    __slots__ = ('absent', 'changed', 'result_absent', 'unmet')

    def __init__(
        self,
        changed: Sequence[str] = (),
        absent: Sequence[str] = (),
        result_absent: bool = False,
        unmet: Sequence[str] = (),
    ) -> None:
        self.changed = changed
        self.absent = absent
        self.result_absent = result_absent
        self.unmet = unmet

    @property
    def hold(self) -> bool:
        """Whether all that should be there is there, as it was."""
        return not (self.changed or self.absent or self.result_absent or self.unmet)

    def reasons(self) -> list[Reason]:
        """What is missing, by name."""
        found = [Reason('output absent', path) for path in self.absent]
        found += [Reason('result absent')] if self.result_absent else []
        return found + [Reason('postcondition', name) for name in self.unmet]


HOLD = Checks()


def recorded(
    outcome: str, changes: Sequence[Reason], checks: Callable[[], Checks], must: Reason | None
) -> tuple[str, Sequence[Reason]]:
    """The verdict on a task that has a record: forced, not succeeded, changed, damaged, incomplete, otherwise fresh.

    `must` is the reason to run whatever the record says; `checks` is asked only if the answer can matter.
    """
    if must is not None:
        return OUTDATED, (must,)
    if outcome == 'forgotten':
        return OUTDATED, (Reason('forgotten'),)
    if outcome != 'succeeded':
        return OUTDATED, (Reason('last attempt', PAST.get(outcome, outcome or 'did not end')),)
    if changes:
        return OUTDATED, changes
    found = checks()
    if found.changed:
        return OUTDATED, [Reason('output changed', path) for path in found.changed]
    return (FRESH, ()) if found.hold else (MISSING, found.reasons())


def differences(
    old: Mapping[str, str], new: Mapping[str, str], old_paths: Sequence[str] = (), new_paths: Sequence[str] = ()
) -> list[Reason]:
    """The own components that differ, by name; the paths are the outputs then and now."""
    reasons = []
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            reasons.append(Reason('added', name))
        elif name not in new:
            reasons.append(Reason('removed', name))
        elif old[name] != new[name]:
            before, after = _brief(old[name]), _brief(new[name])
            if name == 'output paths':
                before, after = _some(old_paths), _some(new_paths)
            reasons.append(Reason('changed', name, *((before, after) if name != 'value' else ())))
    return reasons


def _brief(digest: str) -> str:
    """Enough of a digest to see that it is another; words stay as they are."""
    return digest[:8] if len(digest) == 32 else digest


def _some(paths: Sequence[str]) -> str:
    return ', '.join(paths[:3]) + (f', ... {len(paths)} in all' if len(paths) > 3 else '') or 'none'


def is_success(record: Record | None) -> bool:
    """Whether the last attempt on record succeeded."""
    return record is not None and record.final and record.outcome == 'succeeded'
