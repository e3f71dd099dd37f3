"""The tasks of jobs without array that are as they were recorded, found with as little as that takes.

A loop may make ten thousand jobs of one task each. What is said of a job with many tasks (its rows, its record) would be
made ten thousand times here, to be looked at once. So the columns that all jobs share are compared first, each task at its
place in them; whatever is not plainly as it was is left to the survey, which says what has changed.
"""

from __future__ import annotations

from awflow.plan import MISSING_ROW, Facts
from awflow.reasons import Reason
from awflow.state.record import EMPTY, outputs_digest, own_digest
from awflow.state.table import FINAL, OUTCOMES, RESULT, WIDTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from awflow.state.digests import Digests
    from awflow.state.view import State
    from awflow.subject import Subject

SUCCEEDED: Final = OUTCOMES.index('succeeded')


class Alone:
    """Asks for facts of jobs without array, one after the other; `inputs` and `unmet` are the survey's."""

    __slots__ = (
        '_context', '_contexts', '_digests', '_end', '_flags', '_inputs', '_outcome', '_outputs', '_own', '_row', '_unmet',
        'recorded',
    )  # fmt: skip

    def __init__(
        self,
        state: State,
        digests: Digests,
        inputs: Callable[[Subject, int], dict[str, str]],
        unmet: Callable[[Subject, int], list[str]],
    ) -> None:
        table = state.table
        self._row: Callable[[str], int | None] = state.alone if table is not None and not state.claims else _unknown
        self._digests = digests
        self._inputs = inputs
        self._unmet = unmet
        self.recorded: dict[str, str] = {}  # outputs that are as recorded, with the digest
        if table is not None:
            self._outcome, self._flags, self._context = (table.integers[name] for name in ('outcome', 'flags', 'context'))
            self._contexts = table.contexts
            self._own, self._outputs, self._end = (bytes(table.snapshot[name]) for name in ('own', 'outputs', 'end'))

    def facts(self, subject: Subject) -> Facts | None:
        """What a survey says of a job whose task succeeded with this code and all that it declares, and whose files are as
        they were; None of any other.
        """
        row = None if subject.forced or not subject.pruning or subject.job.array is not None else self._row(subject.name)
        if row is None or self._outcome[row] != SUCCEEDED or self._flags[row] & (FINAL | RESULT) != FINAL:
            return None
        code, upstream = self._contexts[self._context[row]]
        at = WIDTH * row
        if code != subject.code or not self._same_files(subject, at):
            return None
        facts = Facts(subject.name, subject.keys, subject.links, subject.job.mode)
        facts.scheduled = subject.scheduled
        facts.declares_outputs = subject.job.declares_outputs
        facts.ends[0] = self._end[at : at + WIDTH]
        facts.used[0] = upstream
        unmet = self._unmet(subject, 0) if subject.job.postconditions else ()
        if unmet:
            facts.base[0] = MISSING_ROW
            facts.reasons[0] = [Reason('postcondition', name) for name in unmet]
        return facts

    def _same_files(self, subject: Subject, at: int) -> bool:
        """Whether the inputs, the paths of the outputs and what is in these are on record so."""
        own = EMPTY
        if subject.outputs or subject.job.input_specs:
            own = own_digest(subject.own(0, self._inputs(subject, 0), {}))
        if own != self._own[at : at + WIDTH]:
            return False
        if not subject.outputs:
            return True
        found: dict[str, Any] = {}
        for path in subject.outputs[0]:
            content = self._digests.of(path)
            if content is None:
                return False
            found[path] = (content.digest,)
        if outputs_digest(found) != self._outputs[at : at + WIDTH]:
            return False
        self.recorded.update((path, digest) for path, (digest,) in found.items())
        return True


def _unknown(job: str) -> int | None:
    return None
