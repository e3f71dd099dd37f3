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

_CODE = b',"code":"'
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

    def with_lines(self, parts: Iterable[list[bytes]]) -> Overlay:
        """A copy with what lines say, which are given without sums and parsed when somebody asks."""
        new = _Copy(self)
        for bodies in parts:
            new.add(bodies)
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

    def add(self, bodies: list[bytes]) -> None:
        from awflow.state.journal import objects
        from awflow.state.spelling import by_job, name_of

        groups, odd = by_job(bodies) or ([], bodies)
        objs = objects(odd)
        if groups and not any('task' in obj for obj in objs):
            for job, keys, mine in groups:
                self._of(job).add(keys, mine)
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

    def read(self) -> None:
        """Make the records of all tasks, as who folds them needs them."""
        unread = [key for key, lines in self._lines.items() if not isinstance(lines, Record)]
        for at in range(0, len(unread), _AT_ONCE):
            self._read(unread[at : at + _AT_ONCE])

    def _read(self, keys: Sequence[str]) -> list[Record]:
        """The records of these tasks. Lines are parsed all at once; starts that say nothing of their own are not."""
        from awflow.state.journal import objects
        from awflow.state.spelling import only, orders

        self._orders = known = self._orders or orders()
        parts: list[tuple[bytes | Record, ...]] = []
        for key in keys:
            lines = self._lines[key]
            whole = only(lines, known) if type(lines) is tuple else lines
            parts.append((whole,) if whole is not None else lines)  # type: ignore[arg-type]
        said = iter(objects([line for lines in parts for line in lines if type(line) is bytes]))
        found = []
        for key, lines in zip(keys, parts, strict=True):
            record: Record | None = None
            for line in lines:
                new = line if isinstance(line, Record) else Record.from_dict(next(said))
                self._alike_in(new)
                record = new if record is None else self._higher(record, new)
            assert record is not None, 'of every task something was told'
            self._lines[key] = record
            found.append(record)
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
