"""The tasks of jobs without array that are as they were recorded, found with as little as that takes.

A loop may make ten thousand jobs of one task each. What is said of a job with many tasks (its rows, its record, a column
for each thing) would be made ten thousand times here, to be looked at once. So the columns that all jobs share are compared
first, each task at its place in them; whatever is not plainly as it was is left to the survey, which says what has changed.
"""

from __future__ import annotations

from awflow.facts import FRESH_ROW, MISSING_ROW, Facts
from awflow.identity import paths_digest
from awflow.outcome import outcome_digest
from awflow.reasons import Reason
from awflow.state.record import digest_of_lines
from awflow.state.table import FINAL, OUTCOMES, RESULT, WIDTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from awflow.subject import Subject
    from awflow.survey import Survey

SUCCEEDED: Final = OUTCOMES.index('succeeded')
NOTHING: Any = {}  # said of all: never filled


class Standing(Facts):
    """Facts of a task that is as it was recorded. Most are the same for all such tasks, and are kept once."""

    __slots__ = ()

    base = bytes([FRESH_ROW])  # type: ignore[assignment]
    settled = None
    never: Any = frozenset()
    reasons = NOTHING
    late = NOTHING

    def __init__(self, subject: Subject, end: bytes, used: Mapping[str, str]) -> None:
        self.name = subject.name
        self.keys = subject.keys
        self.links = subject.links
        self.mode = subject.job.mode
        self.scheduled = subject.scheduled
        self.declares_outputs = subject.job.declares_outputs
        self.ends = [end]  # type: ignore[assignment]
        self.used = {0: used}  # type: ignore[assignment]


class Alone:
    """Asks for facts of jobs without array, for a survey, one after the other; `recorded` gets the outputs."""

    __slots__ = (
        '_codes',
        '_context',
        '_digests',
        '_end',
        '_flags',
        '_inputs',
        '_outcome',
        '_own',
        '_recorded',
        '_row',
        '_same_code',
        '_upstreams',
    )  # fmt: skip

    def __init__(self, survey: Survey, recorded: dict[str, str]) -> None:
        state = survey.state
        table = state.table
        self._row: Callable[[str], int | None] = state.alone if table is not None and not state.claims else _unknown
        self._digests = survey.digests
        self._inputs = survey.inputs
        self._same_code = survey.same_code
        self._recorded = recorded
        if table is not None:
            self._outcome, self._flags, self._context = (table.integers[name] for name in ('outcome', 'flags', 'context'))
            self._codes, self._upstreams = table.context_columns()
            self._own, self._end = (bytes(table.snapshot[name]) for name in ('own', 'end'))

    def facts(self, subject: Subject) -> Facts | None:
        """What a survey says of a job whose task succeeded with this code and all that it declares, and whose files are as
        they were; None of any other.
        """
        job = subject.job
        row = None if subject.forced or not subject.pruning or job.array is not None else self._row(subject.name)
        if row is None or self._outcome[row] != SUCCEEDED or self._flags[row] & (FINAL | RESULT) != FINAL:
            return None
        context, at = self._context[row], WIDTH * row
        code = self._codes[context]
        if (code != subject.code and not self._same_code(subject, code)) or not self._same_files(subject, at):
            return None
        end, upstream = self._end[at : at + WIDTH], self._upstreams[context]
        unmet = [condition.name for condition in job.postconditions if not _holds(condition.function)]
        return _missing(subject, end, upstream, unmet) if unmet else Standing(subject, end, upstream)

    def _same_files(self, subject: Subject, at: int) -> bool:
        """Whether the inputs, the paths of the outputs and what is in these are on record so."""
        paths = subject.outputs[0] if subject.outputs else []
        own = [f'output paths\0{paths_digest(paths)}'] if subject.outputs else []
        if subject.job.input_specs:
            own += [f'input {path}\0{digest}' for path, digest in self._inputs(subject, 0).items()]
        if digest_of_lines(own) != self._own[at : at + WIDTH]:
            return False
        if not paths:
            return True
        found = []
        for path in paths:
            digest = self._digests.digest_of(path)
            if digest is None:
                return False
            found.append((path, digest))
        if bytes.fromhex(outcome_digest({path: (digest,) for path, digest in found}, None)) != self._end[at : at + WIDTH]:
            return False
        self._recorded.update(found)
        return True


def _missing(subject: Subject, end: bytes, used: Mapping[str, str], unmet: list[str]) -> Facts:
    facts = Facts(subject.name, subject.keys, subject.links, subject.job.mode)
    facts.scheduled = subject.scheduled
    facts.declares_outputs = subject.job.declares_outputs
    facts.base[0] = MISSING_ROW
    facts.ends[0] = end
    facts.used[0] = used
    facts.reasons[0] = [Reason('postcondition', name) for name in unmet]
    return facts


def _holds(condition: Callable[[], object]) -> bool:
    try:
        return bool(condition())
    except Exception:  # noqa: BLE001  the user's code; at planning, raising means that it does not hold
        return False


def _unknown(job: str) -> int | None:
    return None
