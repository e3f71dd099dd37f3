"""What the state knows of one job's tasks: columns from the snapshot, and above them the records that came since.

A job may have 100,000 tasks, and a run that finds nothing to do must look at all of them within milliseconds. So the
rows of a snapshot are never turned into objects: what the plan compares lies in columns that are sliced where they were
read. The few records that came since lie above, by row.
"""

from __future__ import annotations

import sys

from awflow.state import attempts, jsontext
from awflow.state.overlay import Over
from awflow.state.record import EMPTY, Record, own_digest
from awflow.state.table import FINAL, MAKES, OTHER_OUTCOME, OUTCOMES, RESULT, WIDTH, natural

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from awflow.state.briefs import Briefs
    from awflow.state.overlay import Told
    from awflow.state.table import Base


_FEW = 16  # tasks of which somebody asks one by one
_SEARCHED = 12  # texts that are searched for one by one


class RowColumns:
    """The columns that a plan compares, of the tasks of some keys in their order; of a task without record all zeros.

    `outcome` (index into table.OUTCOMES; 0 is a task that was started and never ended: crashed), `flags` (table.FINAL,
    table.RESULT) and `context` (index into `contexts`, pairs of code digest and upstream) are integers; `own` and `end`
    hold 16 bytes a row, all zero where there is none. `places` are the rows, None if the n-th key has row n.
    """

    __slots__ = ('context', 'contexts', 'end', 'flags', 'outcome', 'own', 'places')

    def __init__(self, rows: Rows, places: Sequence[int | None] | None, count: int) -> None:
        base = rows.base
        known = min(base.count, count) if base and places is None else base.count if base else 0
        self.contexts: list[tuple[str, dict[str, str]]] = list(base.contexts) if base else []
        self.outcome = bytearray(base.outcome[:known] if base else b'')
        self.flags = bytearray(base.flags[:known] if base else b'')
        self.context = bytearray(base.context.cast('B')[: 4 * known] if base else b'')
        self.own = bytearray(base.own[: WIDTH * known] if base else b'')
        self.end = bytearray(base.end[: WIDTH * known] if base else b'')
        self.places = places
        self._resize(count if places is None else len(rows))
        numbers: dict[tuple[object, ...], int] = {}
        for row, record in rows.over.items():
            if row < len(self.outcome):
                self._put(row, record, numbers)
        if places is not None:
            self._gather(places)

    def numbers(self) -> set[int]:
        """The numbers of the contexts that are used."""
        column = self.context
        alike = column == column[:4] * (len(column) // 4)
        return set(memoryview(column[:4] if alike else column).cast('I'))

    def _columns(self) -> tuple[tuple[str, int], ...]:
        return ('outcome', 1), ('flags', 1), ('context', 4), ('own', WIDTH), ('end', WIDTH)

    def _resize(self, count: int) -> None:
        for name, width in self._columns():
            column = getattr(self, name)
            column += bytes(width * count - len(column))

    def _put(self, row: int, record: Record, numbers: dict[tuple[object, ...], int]) -> None:
        self.outcome[row] = OUTCOMES.index(record.outcome) if record.outcome in OUTCOMES else OTHER_OUTCOME
        self.flags[row] = FINAL * record.final | RESULT * (record.result is not None)
        number = numbers.setdefault((record.code, *sorted(record.upstream.items())), len(self.contexts))
        if number == len(self.contexts):
            self.contexts.append((record.code, record.upstream))
        self.context[4 * row : 4 * row + 4] = number.to_bytes(4, sys.byteorder)
        self.own[WIDTH * row : WIDTH * row + WIDTH] = own_digest(record.own)
        self.end[WIDTH * row : WIDTH * row + WIDTH] = bytes.fromhex(record.end) or EMPTY

    def _gather(self, places: Sequence[int | None]) -> None:
        for name, width in self._columns():
            column, nothing = getattr(self, name), bytes(width)
            parts = (nothing if row is None else column[width * row : width * row + width] for row in places)
            setattr(self, name, bytearray().join(parts))


class Rows:
    """The tasks of one job by row number, which is stable within one state: the snapshot's first, newer ones after."""

    __slots__ = (
        '_asked', '_briefs', '_extra', '_index', '_keys', '_live', '_many', '_newer', '_shortly', '_under', 'base', 'job',
        'over',
    )  # fmt: skip

    def __init__(self, job: str, base: Base | None, newer: Iterable[Told], live: Container[int]) -> None:
        self.job = job
        self.base = base
        self.over: dict[int, Record] = {}  # row -> a record above, or instead of, the snapshot's
        self._under: dict[int, list[Record]] = {}  # row -> of several of `newer` those that do not count
        self._newer = list(newer)
        self._live = live
        self._keys: list[str] | None = None
        self._extra: dict[str, int] = {}  # keys that the snapshot does not have
        self._index: dict[str, int] | None = None
        self._briefs: Briefs | None = None
        self._shortly: dict[int, tuple[int, bool, str]] = {}
        self._asked = 0
        unread = [told for told in self._newer if told.unread]
        self._many = bool(unread)
        if unread:
            self.over = Over(unread)
        for told in self._newer:
            if base is None and not self._extra:  # all there is of an array whose first run goes on: nothing to compare
                self._extra = dict(zip(told, range(len(told)), strict=True))
                rows = dict(enumerate(told if told in unread else told.values()))
                self.over = Over(unread, rows) if unread else rows  # type: ignore[arg-type,assignment]
            else:
                found = told.briefs() if base is not None and told in unread else None
                numbers = dict(zip(found.names, found.generation, strict=True)) if found is not None else {}
                for key in told:
                    self._put(key, told, numbers.get(key, 0))

    def _put(self, key: str, told: Told, generation: int) -> None:
        """Add what is told of a task; `generation` is that of its record, 0 if it is not known without one."""
        row = self.row(key)
        if row is None:
            row = self._extra[key] = len(self)
        elif row in self.over:
            record, known = told[key], self.over[row]
            lower, higher = (record, known) if record.rank <= known.rank else (known, record)
            self._outranked(row, lower, higher)
            self.over[row] = higher  # no key: of those that have it, which counts is decided
            return
        elif self.base and generation <= self.base.generation[row] and not self.base.older(row, told[key]):
            self._under.setdefault(row, []).append(told[key])
            return
        self.over[row] = told[key] if row in self._under else told.known(key)  # type: ignore[assignment]

    def _outranked(self, row: int, lower: Record, higher: Record) -> None:
        if attempts.adds(lower, higher):
            self._under.setdefault(row, []).append(lower)

    @property
    def under(self) -> dict[int, list[Record]]:
        """By row the records of other attempts that came since and do not count."""
        found = {row: list(records) for row, records in self._under.items()}
        for told in self._newer:
            for key, records in told.all_outranked().items():
                row = self.row(key)
                assert row is not None, 'what outranked it is there'
                found.setdefault(row, []).extend(records)
        return found

    def _lower(self, row: int) -> list[Record]:
        """The same of one row."""
        if not self._newer:
            return self._under.get(row, [])
        key = self.keys[row]
        return [*self._under.get(row, ()), *(record for told in self._newer if key in told for record in told.outranked(key))]

    def briefs(self) -> Briefs:
        """What is counted of the tasks in `over`, by row. Of many that are not read no records are made for it."""
        if self._briefs is None:
            from awflow.state.briefs import Briefs

            self._briefs = found = Briefs()
            over = self.over
            alone = self.base is None and len(self._newer) == 1  # what it tells is all there is
            made = {} if alone and self._many else over.made() if isinstance(over, Over) else over
            found.add(made, made.values())
            if isinstance(over, Over):
                rows = self._extra if alone else over.keys_of()
                for told in over.told:
                    found.extend(_of(told.briefs(), rows))
        return self._briefs

    def mentioning(self, texts: Collection[str]) -> list[int]:
        """The rows in `over` whose records may hold any of these texts, alone or in a string. Lines are searched for it, which
        takes a tenth of the time of reading them.
        """
        return self._holding([jsontext.dumps(text)[1:-1] for text in texts] if len(texts) <= _SEARCHED else [b''])

    def naming(self, members: Collection[str]) -> list[int]:
        """The same of records that may have any of these members."""
        return self._holding([jsontext.dumps(name) + b':' for name in members])

    def _holding(self, spelled: Sequence[bytes]) -> list[int]:
        if not isinstance(self.over, Over):
            return list(self.over)
        rows, found = self.over.keys_of(), list(self.over.made())
        for told in self.over.told:
            found += [rows[key] for key in told.mentioning(spelled) if key in rows]
        return list(dict.fromkeys(found))

    def _brief(self, row: int) -> tuple[int, bool, str] | None:
        """Generation, whether it is final, and outcome of a task in `over`, where many are not read; None if its record is to
        say it. Who asks for a few gets their records made, who asks for many gets all counted.
        """
        if type(self.over) is dict or row not in self.over or self._asked < _FEW:
            self._asked += 1
            return None
        if not self._shortly:
            found = self.briefs()
            columns = zip(found.generation, found.final, found.outcome, strict=True)
            self._shortly = dict(zip(found.names, columns, strict=True))
        return self._shortly[row]

    def __len__(self) -> int:
        return (self.base.count if self.base else 0) + len(self._extra)

    @property
    def keys(self) -> Sequence[str]:
        """The key of every row, made when first asked for."""
        if self._keys is None:
            self._keys = [*(self.base.keys() if self.base else ()), *self._extra]
        return self._keys

    def row(self, key: str) -> int | None:
        """The row of a key, None if nothing is known of it."""
        if self.base is None:
            return self._extra.get(key)
        if self.base.counted:  # keys are 0, 1, 2, ...: no index needed
            number = natural(key)
            found = number if number is not None and number < self.base.count else None
        else:
            if self._index is None:
                self._index = {known: row for row, known in enumerate(self.base.keys())}
            found = self._index.get(key)
        return self._extra.get(key) if found is None else found

    def columns(self, keys: Sequence[str], numbers: range | None = None) -> RowColumns:
        """The columns of the tasks of these keys, which are `numbers` if they spell a range."""
        return RowColumns(self, None if self._in_order(keys, numbers) else [self.row(key) for key in keys], len(keys))

    def _in_order(self, keys: Sequence[str], numbers: range | None) -> bool:
        """Whether the n-th of the keys has row n, as far as there are rows."""
        known = self.base.count if self.base else 0
        later = list(keys[known : known + len(self._extra)])
        if later != list(self._extra)[: len(later)]:
            return False
        shared = min(known, len(keys))
        stored = self.base.numbers() if self.base and numbers is not None else None
        if stored is not None and numbers is not None:
            return numbers[:shared] == stored[:shared] or list(numbers[:shared]) == list(stored[:shared])
        return not self.base or self.base.keys()[:shared] == list(keys[:shared])

    def final(self, row: int) -> bool:
        if self._many and (brief := self._brief(row)):
            return brief[1]
        record = self.over.get(row)
        return record.final if record else bool(self._base.flags[row] & FINAL)

    def outcome(self, row: int) -> str:
        """How the attempt ended; of one without an end '' while its claim lives, 'crashed' after."""
        if self._many and (brief := self._brief(row)):
            generation, final, outcome = brief
        elif record := self.over.get(row):
            outcome, final, generation = record.outcome, record.final, record.generation
        else:
            code = self._base.outcome[row]
            outcome = OUTCOMES[code] if code != OTHER_OUTCOME else self._base.record(row).outcome
            final, generation = self.final(row), self._base.generation[row]
        if outcome or final:
            return outcome
        return '' if generation in self._live else 'crashed'

    def end(self, row: int) -> bytes:
        """The outcome as dependents compare it, 16 bytes; b'' if there is none."""
        record = self.over.get(row)
        if record:
            return bytes.fromhex(record.end)
        end = bytes(self._base.end[WIDTH * row : WIDTH * row + WIDTH])
        return end if any(end) else b''

    def code(self, row: int) -> str:
        if self._many and self._brief(row) and isinstance(self.over, Over):
            return self.over.code(row)
        record = self.over.get(row)
        return record.code if record else self._base.contexts[self._base.context[row]][0]

    def upstream(self, row: int) -> dict[str, str]:
        """Edge name -> digest of that job's outcome; one object shared by all rows that say the same."""
        record = self.over.get(row)
        return record.upstream if record else self._base.contexts[self._base.context[row]][1]

    def own(self, row: int) -> bytes:
        """The digest of the task's own components (see record.own_digest)."""
        record = self.over.get(row)
        return own_digest(record.own) if record else bytes(self._base.own[WIDTH * row : WIDTH * row + WIDTH])

    def makes(self, row: int) -> bool:
        """Whether the task has outputs; those of an old snapshot may have some."""
        record = self.over.get(row)
        return bool(record.outputs) if record else self._base.old or bool(self._base.flags[row] & MAKES)

    def generation(self, row: int) -> int:
        if self._many and (brief := self._brief(row)):
            return brief[0]
        record = self.over.get(row)
        return record.generation if record else int(self._base.generation[row])

    def generations(self) -> set[int]:
        """Those of all rows."""
        found = self.base.generation.tolist() if self.base else []
        found += [0] * (len(self) - len(found))
        briefs = self.briefs()
        for row, number in zip(briefs.names, briefs.generation, strict=True):
            found[row] = number
        return set(found)

    def id(self, row: int) -> str:
        return (self.over.get(row) or self._base.record(row)).id

    def has_result(self, row: int) -> bool:
        record = self.over.get(row)
        return record.result is not None if record else bool(self._base.flags[row] & RESULT)

    def results(self) -> Iterator[tuple[int, str]]:
        """The rows that stored a result, with its file."""
        for row, record in self.over.items():
            if record.result is not None:
                yield row, record.result['file']
        for row, file in self.base.results() if self.base else ():
            if row not in self.over:
                yield row, file

    def record(self, row: int) -> Record:
        """All that is known of a task; from the snapshot it is unpacked in blocks, so ask in the order of rows."""
        return self.over.get(row) or self._base.record(row)

    def earlier(self, row: int) -> list[dict[str, Any]]:
        """The attempts before the one on record in short form, oldest first (see attempts.py)."""
        over, under = self.over.get(row), self._lower(row)
        folded = self.base is not None and row < self.base.count
        before = self._base.earlier(row) if folded else []
        if over is not None and folded:
            before = [*before, self._base.brief(row)]
        if not under and (over is None or not before or attempts.in_order(before, over.generation)):
            return before
        last = over.to_dict() if over is not None else self._base.brief(row)
        return attempts.earlier(last, [*before, *(attempts.brief(record.to_dict()) for record in under)])

    def read(self) -> None:
        """Make all records of what came since, if all are going to be asked for."""
        self._under, self._newer = self.under, []
        if isinstance(self.over, Over):
            self.over = dict(self.over.items())
            self._many = False

    @property
    def _base(self) -> Base:
        assert self.base is not None, 'a row is above the snapshot or in it'
        return self.base


def _of(told: Briefs, rows: Mapping[str, int]) -> Briefs:
    """Those of tasks that have a row here, by row."""
    found = told if len(told) <= len(rows) else told.some([at for at, key in enumerate(told.names) if key in rows])
    try:
        names = list(map(rows.__getitem__, found.names))
    except KeyError:
        return _of(told.some([at for at, key in enumerate(told.names) if key in rows]), rows)
    return found.named(names)
