"""The survey of a big array by column: what can be settled of all tasks at once, without an object for any of them.

A task is settled here if its last attempt succeeded with the code that there is now, if all its files look as they did when
they were confirmed to hold what its record says, and if its postconditions hold. That is what `Survey` would find for it
alone, and the plan is told so in one go. Of any other task nothing is concluded: the survey looks at it by itself, reads its
record and digests its files. So what is fast here decides nothing that the slow way would decide otherwise.
"""

from __future__ import annotations

from awflow.elements import Numbers
from awflow.facts import MISSING_ROW, SETTLED, TOLD, places_of
from awflow.reasons import Reason
from awflow.state.confirmed import STAMP, Confirmed, differing
from awflow.state.rows import Rows
from awflow.state.table import FINAL, OUTCOMES, RESULT, WIDTH

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from awflow.facts import Facts
    from awflow.job import Condition
    from awflow.state.rows import RowColumns
    from awflow.subject import Subject
    from awflow.survey import Survey
    from awflow.templates import Template

    Maker = tuple[Subject, Sequence[int]]

STEP = 4096  # files or conditions looked at in one go
_SUCCEEDED = bytes(code == OUTCOMES.index('succeeded') for code in range(256))
_FINAL = bytes(bool(flags & FINAL) for flags in range(256))
_RESULT = bytes(bool(flags & RESULT) for flags in range(256))


class Seen:
    """What a survey saw of one job's tasks: their columns, and what is compared with what was confirmed.

    `files` are the templates whose files count, with whether size and time are enough. `makers` are the jobs with whose
    outcomes the tasks were made one by one, each with the row of every task's partner.
    """

    __slots__ = ('bonds', 'files', 'keys', 'known', 'makers', 'paths', 'stamps')

    def __init__(self, subject: Subject) -> None:
        self.makers: Sequence[Maker] = ()
        self.files: list[tuple[Template, bool]] = []
        self.keys = _keys(subject)
        self.paths = [['edge', link.component] for link in subject.links if link.partners is not None]
        self.bonds = b''
        self.stamps: list[bytes] = []
        self.known = Confirmed(self.keys, self.paths, b'', [])

    def add(self, kind: str, template: Template) -> None:
        """Note a path that the tasks make or read; what they read of others is no file to look at."""
        self.paths.append([kind, template.format, *template.parts])
        if kind != 'made':
            self.files.append((template, kind == 'stat'))

    def lend(self, survey: Survey, subject: Subject, row: int, place: int) -> None:
        """Before a task is looked at by itself: its record knows the digests of those of its files that look as they did."""
        at = slice(STAMP * row, STAMP * row + STAMP)
        if not self.stamps or self.bonds[at] != self.known.bonds[at]:
            return
        record = None
        for (template, stat), stamps, then in zip(self.files, self.stamps, self.known.stamps, strict=True):
            if stat or stamps[at] != then[at]:
                continue
            if record is None:
                assert subject.rows is not None, 'a known row has rows'
                record = subject.rows.record(place)
            path = path_of(template, subject, row)
            digest = record.outputs[path][0] if path in record.outputs else record.own.get(f'input {path}')
            if digest:
                survey.digests.trust(path, stamps[at], digest)


class Records:
    """The columns of the records of jobs, each put together once."""

    __slots__ = ('_found', '_rows_of')

    def __init__(self, rows_of: Callable[[Subject], Rows | None]) -> None:
        self._rows_of = rows_of
        self._found: dict[int, RowColumns] = {}

    def of(self, subject: Subject) -> RowColumns:
        """Those of one job's tasks, in array order."""
        if subject.number not in self._found:
            rows = self._rows_of(subject) or Rows(subject.name, None, (), ())
            numbers = subject.keys.range if isinstance(subject.keys, Numbers) else None
            self._found[subject.number] = rows.columns(subject.keys, numbers)
        return self._found[subject.number]


def outline(survey: Survey, subject: Subject) -> Seen | None:
    """What of a job can be looked at by column; None if that is nothing."""
    job = subject.job
    if not subject.big or (job.array is not None and job.array.labels is not None):
        return None
    if (job.input_specs and subject.input_templates is None) or (job.output_specs and subject.output_templates is None):
        return None
    seen = Seen(subject)
    each = [(link.upstream, link.partners) for link in subject.links if link.partners is not None]
    makers = {number: (survey.subjects[number], partners) for number, partners in each}
    for template in subject.output_templates or ():
        seen.add('output', template)
    for template, stat in subject.input_templates or ():
        pairs = survey.producers.makers(template)
        if pairs is None:
            return None
        for _, maker in pairs:
            partners = _by_text(subject, maker, template) if subject.waits_for(maker.number) else None
            if partners is None or [*makers.setdefault(maker.number, (maker, partners))[1]] != [*partners]:
                return None
        seen.add('made' if pairs else 'stat' if stat else 'input', template)
    seen.makers = [*makers.values()]
    return seen


def _by_text(subject: Subject, maker: Subject, template: Template) -> Sequence[int] | None:
    """The row of the maker whose outputs each task reads; None if some have none."""
    if isinstance(subject.keys, Numbers) and subject.keys == maker.keys:
        return range(len(subject.keys))
    found = [maker.row_of_text(template, str(text)) for text in subject.texts(template) or ()]
    rows = [row for row in found if row is not None]
    return rows if len(rows) == len(subject.keys) else None


def _keys(subject: Subject) -> Any:
    """What says in JSON which tasks there are, in order, but for their number where that says it."""
    if isinstance(subject.keys, Numbers):
        return [subject.keys.range.start, subject.keys.range.step]
    return names_digest(subject.keys)


def names_digest(keys: Sequence[str]) -> str:
    """A digest of keys in their order."""
    from xxhash import xxh3_128_hexdigest

    return xxh3_128_hexdigest('\0'.join(keys).encode('utf-8', 'surrogatepass'))


def settle(survey: Survey, subject: Subject, facts: Facts) -> Seen | None:
    """Find what can be settled, and say so in the facts; None if each task has to be looked at by itself."""
    seen = outline(survey, subject) if subject.rows is not None and not _claimed(survey, subject) else None
    if seen is None:
        return None
    columns = survey.records.of(subject)
    settled = _candidates(survey, subject, columns)
    _compare_files(survey, subject, seen, settled)
    _require_results(survey, subject, columns, settled)
    _require_conditions(subject, facts, settled)
    facts.ends.column[:] = columns.end
    facts.settled = facts.used.settled = settled
    facts.used.column = memoryview(columns.context).cast('I')
    facts.used.contexts = {number: columns.contexts[number][1] for number in columns.numbers()}
    if any(link.partners is not None for link in subject.links):
        facts.used.alone = lambda row: survey.used(subject, row)
    return seen


def _claimed(survey: Survey, subject: Subject) -> bool:
    """Whether a claim covers some of the tasks."""
    return any(subject.name in entry.tasks for number, entry in survey.state.claims.items() if number not in survey.dead)


def _both(one: bytes | bytearray, other: bytes | bytearray) -> bytearray:
    """Where both are 1."""
    return bytearray((int.from_bytes(one, 'little') & int.from_bytes(other, 'little')).to_bytes(len(one), 'little'))


def _candidates(survey: Survey, subject: Subject, columns: RowColumns) -> bytearray:
    """The tasks that succeeded with the code that there is now."""
    settled = _both(columns.outcome.translate(_SUCCEEDED), columns.flags.translate(_FINAL))
    bad = {number for number in columns.numbers() if not survey.same_code(subject, columns.contexts[number][0])}
    if bad:
        numbers = memoryview(columns.context).cast('I')
        for row in places_of(settled, SETTLED):
            if numbers[row] in bad:
                settled[row] = 0
    return settled


# -- files -------------------------------------------------------------------------------------------------------------


def _compare_files(survey: Survey, subject: Subject, seen: Seen, settled: bytearray) -> None:
    """Drop the tasks whose files, or whose records, are not what they were when that was confirmed."""
    if not seen.files and not seen.makers:
        own = survey.records.of(subject).own  # nothing of their own to go by
        for row in differing(bytes(own), bytes(len(own)), WIDTH):
            settled[row] = 0
        return
    seen.known = known(survey, subject, seen)
    seen.bonds = bonds(survey.records, subject, seen)
    for row in differing(seen.bonds, seen.known.bonds):
        settled[row] = 0
    if not any(seen.known.bonds):
        return  # nothing is known: every file will be asked for by itself
    seen.stamps = [_stamps(survey, subject, template) for template, _ in seen.files]
    for stamps, then in zip(seen.stamps, seen.known.stamps, strict=True):
        for row in differing(stamps, then):
            settled[row] = 0


def known(survey: Survey, subject: Subject, seen: Seen) -> Confirmed:
    """What was confirmed of these tasks; of those of which nothing was, all zeros."""
    found = survey.digests.confirmed.get(subject.name)
    if found is None or found.paths != seen.paths or not _same_tasks(subject, found, seen.keys):
        found = Confirmed(seen.keys, seen.paths, b'', [b''] * len(seen.files))
    size = STAMP * len(subject.keys)
    padding = bytes(max(size - len(found.bonds), 0))
    return Confirmed(seen.keys, seen.paths, found.bonds[:size] + padding, [stamps[:size] + padding for stamps in found.stamps])


def _same_tasks(subject: Subject, found: Confirmed, keys: Any) -> bool:
    """Whether it tells of the first of these tasks, in their order; more may have come."""
    if isinstance(keys, str) and len(found.bonds) < STAMP * len(subject.keys):
        keys = names_digest(subject.keys[: len(found.bonds) // STAMP])
    return bool(found.keys == keys)


def bonds(records: Records, subject: Subject, seen: Seen) -> bytes:
    """What the records say, 8 bytes a task: of its own components, its outcome, and the outcomes that it was made with."""
    columns = records.of(subject)
    total = _halves(columns.own, 0) ^ _halves(columns.end, 0)
    for maker, partners in seen.makers:
        ends = records.of(maker).end
        if partners != range(len(ends) // WIDTH):
            ends = bytearray().join([ends[WIDTH * row : WIDTH * row + WIDTH] for row in partners])
        total ^= _halves(ends, 1)
    return total.to_bytes(STAMP * len(subject.keys), 'little')


def _halves(column: bytearray, which: int) -> int:
    """One half of each digest of a column, as one number."""
    return int.from_bytes(memoryview(column).cast('Q')[which::2].tobytes(), 'little')


def _stamps(survey: Survey, subject: Subject, template: Template) -> bytes:
    """The stamps of all that a template makes; the files are looked at in blocks, so that their names are soon forgotten."""
    texts = subject.texts(template) or ()
    if template.fixed:
        return survey.digests.stamps([*template.parts]) * len(texts)
    blocks = [survey.digests.stamps(template.paths(texts[first : first + STEP])) for first in range(0, len(texts), STEP)]
    return b''.join(blocks)


def path_of(template: Template, subject: Subject, row: int) -> str:
    """The path that a template makes of one task."""
    return template.path((subject.texts(template) or ())[row])


def paths_of(template: Template, subject: Subject, rows: Sequence[int]) -> list[str]:
    """The same of some tasks."""
    texts = subject.texts(template) or ()
    return template.paths([texts[row] for row in rows])


# -- results and conditions --------------------------------------------------------------------------------------------


def _require_results(survey: Survey, subject: Subject, columns: RowColumns, settled: bytearray) -> None:
    """Drop the tasks whose stored result is gone."""
    rows = subject.rows
    assert rows is not None, 'columns come from rows'
    if SETTLED not in _both(settled, columns.flags.translate(_RESULT)):
        return
    there: dict[str, bool] = {}
    gone = {place for place, file in rows.results() if not there.setdefault(file, survey.is_stored(file))}
    for row in places_of(settled, SETTLED) if gone else ():
        if rows.row(subject.keys[row]) in gone:
            settled[row] = 0


def _require_conditions(subject: Subject, facts: Facts, settled: bytearray) -> None:
    """Mark the tasks whose postconditions do not hold as missing, naming them."""
    array = subject.job.array
    assert array is not None, 'only arrays have columns'
    unmet: dict[int, list[str]] = {}
    for condition in subject.job.postconditions:
        for first in range(0, len(settled), STEP):
            block = settled[first : first + STEP]
            whole = block.count(SETTLED) == len(block)
            rows = range(first, first + len(block)) if whole else [first + at for at in places_of(block, SETTLED)]
            values = array.values[first : first + len(block)] if whole else [array.values[row] for row in rows]
            for at in _failing(condition, values):
                unmet.setdefault(rows[at], []).append(condition.name)
    for row, names in unmet.items():
        settled[row] = TOLD
        facts.base[row] = MISSING_ROW
        facts.reasons[row] = [Reason('postcondition', name) for name in names]


def _failing(condition: Condition, values: Sequence[object]) -> Iterator[int]:
    """The places of the values for which a condition does not hold; one that raises does not hold."""
    ask: Callable[[Any], object] = condition.function if condition.takes_value else lambda _: condition.function()
    found: list[object] = []
    while len(found) < len(values):
        try:
            found.extend(map(ask, values[len(found) :] if found else values))
        except Exception:  # noqa: BLE001, PERF203  the user's code; at planning, raising means that it does not hold
            found.append(False)
    try:
        if all(found):
            return
    except Exception:  # noqa: BLE001, S110  an object that is neither true nor false; told below for each by itself
        pass
    yield from (at for at, answer in enumerate(found) if not _true(answer))


def _true(answer: object) -> bool:
    try:
        return bool(answer)
    except Exception:  # noqa: BLE001  as above
        return False
