"""What one journal, or one entry, tells.

Of a big journal these are lines until somebody asks for the record of a task: to know of one in 100,000, or to count them, no
records are needed. Whoever asks for all gets them made many at a time.
"""

from __future__ import annotations

from awflow.state.attempts import adds
from awflow.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from awflow.state.briefs import Briefs
    from awflow.state.spelling import Fits, Lines

_CODE, _FINAL = b',"code":"', b'"final"'
_AT_ONCE = 1024  # lines that are parsed at a time
_FEW = 10_000  # records that are asked for one by one, before all are made


class Overlay:
    """What one journal or one entry says: by job what it tells of tasks, and facts that are about no task."""

    __slots__ = ('facts', 'records')

    def __init__(self) -> None:
        self.records: dict[str, Told] = {}
        self.facts: dict[str, dict[str, Any]] = {}  # by their spelling, so that a line read twice counts once

    def extended(self, objs: Iterable[Mapping[str, Any]]) -> Overlay:
        """A copy with more objects; states already read refer to the old one, which stays as it is."""
        new = _Copy(self)
        for obj in objs:
            new.put(obj)
        return new.overlay

    def with_lines(self, parts: Iterable[list[bytes]], whole: bool = False) -> Overlay:
        """A copy with what lines say, which are given without sums and parsed when somebody asks; with `whole`, as all records
        are going to be asked for, at once, which spares keeping the lines.
        """
        new = _Copy(self)
        for bodies in parts:
            new.add(bodies, whole)
        return new.overlay


class _Copy:
    """An overlay in the making."""

    __slots__ = ('_own', 'overlay')

    def __init__(self, old: Overlay) -> None:
        self.overlay = Overlay()
        self.overlay.records = dict(old.records)
        self.overlay.facts = dict(old.facts)
        self._own: dict[str, Told] = {}  # the jobs of which more is told than before

    def _of(self, job: str) -> Told:
        if job not in self._own:
            self._own[job] = self.overlay.records[job] = Told(self.overlay.records.get(job))
        return self._own[job]

    def put(self, obj: Mapping[str, Any]) -> None:
        if 'task' in obj:
            record = Record.from_dict(obj)
            self._of(record.job).put(record)
        else:
            self.overlay.facts[repr(obj)] = dict(obj)

    def add(self, bodies: list[bytes], whole: bool) -> None:
        from awflow.state.journal import objects
        from awflow.state.spelling import by_job, name_of

        groups, odd = by_job(bodies) or ([], bodies)
        objs = objects(odd)
        if groups and not any('task' in obj for obj in objs):
            for job, keys, mine in groups:
                told = self._of(job)
                told.add(keys, mine)
                if whole:
                    told.read(dict.fromkeys(keys))
            for obj in objs:
                self.put(obj)
            return
        for body in bodies:  # in their order: of two that rank alike the first counts
            name = name_of(body)
            if name is None:
                self.put(objects([body])[0])
            else:
                self._of(name[0]).add([name[1]], [body])


class Told:
    """By key the record of highest rank of each task, and those of other attempts that it `outranked`. Tasks are in the order
    in which they were first told of.
    """

    __slots__ = ('_alike', '_asked', '_briefs', '_lines', '_orders', '_outranked')

    def __init__(self, other: Told | None = None) -> None:
        """Empty, or a copy."""
        self._lines: dict[str, Lines] = dict(other._lines) if other else {}
        self._outranked: dict[str, list[Record]] = dict(other._outranked) if other else {}
        self._alike: dict[str, str] = {}  # in memory once, of what a hundred thousand records say alike
        self._briefs: Briefs | None = None
        self._orders: list[tuple[Fits, Fits]] = []  # how lines are spelled
        self._asked = 0  # for how many records one by one

    @classmethod
    def of(cls, records: Iterable[Record]) -> Told:
        """What these records tell."""
        told = cls()
        for record in records:
            told.put(record)
        return told

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __contains__(self, key: str) -> bool:
        return key in self._lines

    def __getitem__(self, key: str) -> Record:
        lines = self._lines[key]
        if isinstance(lines, Record):
            return lines
        self._asked += 1
        if self._asked == _FEW:
            self.read()  # of that many, all may be asked for
        return self._read([key])[0]

    def get(self, key: str) -> Record | None:
        return self[key] if key in self._lines else None

    def values(self) -> list[Record]:
        """The records, in the order of the keys."""
        self.read()
        return list(self._lines.values())  # type: ignore[arg-type]

    def outranked(self, key: str) -> Sequence[Record]:
        """What is known of other attempts of a task."""
        self[key]
        return self._outranked.get(key, ())

    def all_outranked(self) -> Mapping[str, Sequence[Record]]:
        """The same, of every task of which there is something."""
        self.read()
        return self._outranked

    @property
    def unread(self) -> bool:
        """Whether there are lines that were not parsed."""
        return any(not isinstance(lines, Record) for lines in self._lines.values())

    def known(self, key: str) -> Record | str:
        """The record of a task, or if none was made as yet its key."""
        lines = self._lines[key]
        return lines if isinstance(lines, Record) else key

    def put(self, record: Record) -> None:
        """Add what a line says."""
        self._alike_in(record)
        self._briefs = None
        known = self._lines.get(record.task)
        self._lines[record.task] = record if known is None else self._higher(self[record.task], record)

    def add(self, keys: Iterable[str], bodies: Iterable[bytes]) -> None:
        """Add lines, given without sums, that tell of the tasks of these keys."""
        lines, known = self._lines, self._lines.setdefault
        self._briefs = None
        for key, body in zip(keys, bodies, strict=True):
            before = known(key, body)
            if before is not body:
                lines[key] = (*before, body) if type(before) is tuple else (before, body)  # type: ignore[assignment]

    def briefs(self) -> Briefs:
        """What is counted of every task, by key. Records are made where there is no other way."""
        if self._briefs is None:
            from awflow.state.spelling import briefs

            self._briefs, rest = briefs(self._lines)
            for at in range(0, len(rest), _AT_ONCE):
                some = rest[at : at + _AT_ONCE]
                self._briefs.add(some, self._read(some))
        return self._briefs

    def code(self, key: str) -> str:
        """The digest of a task's code."""
        self.briefs()  # of what is a line after that it is known how it is spelled
        lines = self._lines[key]
        if isinstance(lines, Record):
            return lines.code
        line = lines[-1] if type(lines) is tuple else lines
        assert isinstance(line, bytes), 'of lines and records put together a record was made'
        begin = line.index(_CODE) + len(_CODE)
        return str(line[begin : line.index(b'"', begin)], 'ascii')

    def mentioning(self, spelled: Collection[bytes]) -> list[str]:
        """The tasks of which there is a record, and those of whose lines one has any of these texts, spelled as JSON."""
        found: dict[str, None] = {}
        rest = list(self._lines.items())
        for text in spelled:
            left = []
            for key, told in rest:
                if (
                    text in told if type(told) is bytes
                    else type(told) is not tuple or any(type(line) is not bytes or text in line for line in told[::-1])
                ):  # fmt: skip
                    found[key] = None
                else:
                    left.append((key, told))
            rest = left
        return [key for key in self._lines if key in found]

    def read(self, keys: Iterable[str] | None = None) -> None:
        """Make the records of these tasks, or of all, as who folds them needs them."""
        lines = self._lines
        unread = [key for key in (lines if keys is None else keys) if not isinstance(lines[key], Record)]
        for at in range(0, len(unread), _AT_ONCE):
            self._read(unread[at : at + _AT_ONCE])

    def _read(self, keys: Sequence[str]) -> list[Record]:
        """The records of these tasks. Lines are parsed all at once; starts that say nothing of their own are not."""
        from awflow.state.journal import objects

        told = [self._lines[key] for key in keys]
        lasts = [_last(lines) for lines in told]
        said = iter(objects([line for line in lasts if line is not None]))
        found = []
        for key, lines, line in zip(keys, told, lasts, strict=True):
            last = next(said) if line is not None else {}
            if type(lines) is tuple and not self._says_all(last, lines):
                record = self._put_together(lines)
            else:
                record = lines if isinstance(lines, Record) else Record.from_dict(last)
            self._alike_in(record)
            self._lines[key] = record
            found.append(record)
        return found

    def _says_all(self, last: Mapping[str, Any], lines: Sequence[bytes | Record]) -> bool:
        """Whether the last of these lines is the end of an attempt of which the other is the start. Mostly it begins as the
        start does, but for that one's last letter, a brace; then it has whatever the start has.
        """
        start, end = lines[0], lines[-1]
        if len(lines) != 2 or type(start) is not bytes or type(end) is not bytes:
            return False
        if end.startswith(start[:-1]) and _FINAL not in start and b'\\' not in start:
            return last.get('final') is True and 'attempt' not in last
        from awflow.state.spelling import only, orders

        self._orders = self._orders or orders()
        return only(lines, self._orders) is not None

    def _put_together(self, lines: Sequence[bytes | Record]) -> Record:
        """What lines say one after the other."""
        from awflow.state.journal import objects

        found: Record | None = None
        for line in lines:
            new = line if isinstance(line, Record) else Record.from_dict(objects([line])[0])
            self._alike_in(new)
            found = new if found is None else self._higher(found, new)
        assert found is not None, 'of every task something was told'
        return found

    def _higher(self, known: Record, record: Record) -> Record:
        """The higher of two records of a task; the other is kept if it tells of another attempt."""
        if known.rank >= record.rank:
            known, record = record, known
        if adds(known, record):
            self._outranked[record.task] = [*self._outranked.get(record.task, ()), known]
        return record

    def _alike_in(self, record: Record) -> None:
        one = self._alike.setdefault
        record.job, record.code = one(record.job, record.job), one(record.code, record.code)
        record.run, record.host = one(record.run, record.run), one(record.host, record.host)


class Over(dict[int, 'Record']):
    """Records by row, some of which are made when they are asked for: until then the key of the task stands in their place."""

    __slots__ = ('told',)

    def __init__(self, told: Sequence[Told], rows: Mapping[int, str | Record] | None = None) -> None:
        super().__init__(rows or {})  # type: ignore[arg-type]
        self.told = told  # of what stands for a record, one of these knows it

    def __getitem__(self, row: int) -> Record:
        known: Record | str = super().__getitem__(row)
        return self._record(known) if isinstance(known, str) else known

    def get(self, row: int, default: Any = None) -> Any:
        known = super().get(row)
        return default if known is None else self._record(known) if isinstance(known, str) else known

    def items(self) -> Iterator[tuple[int, Record]]:  # type: ignore[override]
        self.read()
        return zip(self, self.values(), strict=True)

    def values(self) -> list[Record]:  # type: ignore[override]
        self.read()
        return [self._record(known) if isinstance(known, str) else known for known in super().values()]

    def read(self) -> None:
        """Make all records, which takes less time than to make them one by one."""
        for told in self.told:
            told.read()

    def keys_of(self) -> dict[str, int]:
        """The tasks of which there are no records as yet, with their rows."""
        return {known: row for row, known in super().items() if isinstance(known, str)}  # type: ignore[misc]

    def code(self, row: int) -> str:
        """The digest of the code of one."""
        known: Record | str = super().__getitem__(row)
        if not isinstance(known, str):
            return known.code
        return next(told.code(known) for told in self.told if known in told)

    def made(self) -> dict[int, Record]:
        """The records that there are."""
        return {row: known for row, known in super().items() if not isinstance(known, str)}

    def _record(self, key: str) -> Record:
        return next(told[key] for told in self.told if key in told)


def _last(lines: Lines) -> bytes | None:
    """The last of what is told of a task, if that is a line."""
    last = lines[-1] if type(lines) is tuple else lines
    return last if isinstance(last, bytes) else None
