"""What one process has written to the journal of a claim, kept as records, so that at the end it need not be read again.

It counts only if it is all that there is: if the journal is as long as what is known to have been written, by this process
and by the tasks that noted their own starts, and if each task was started once and has ended. Otherwise the journal is read.
"""

from __future__ import annotations

from awflow.state.overlay import Overlay, Told
from awflow.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from awflow.state.journal import Journal


class Written:
    """The bytes of a journal by what they say: starts, ends, facts."""

    __slots__ = ('_bytes', '_facts', '_open', '_plain', '_records')

    def __init__(self) -> None:
        self._bytes = 0
        self._open = 0  # attempts that were started and have not ended
        self._plain = True  # whether no task had several attempts
        self._records: dict[str, dict[str, Record | None]] = {}
        self._facts: dict[str, dict[str, Any]] = {}

    def start(self, line: bytes | str, job: str, task: str) -> None:
        """A line, which is ASCII, says that a task starts. Whoever performs it may be the one to write it."""
        self._bytes += len(line)
        self._open += 1
        of_job = self._records.setdefault(job, {})
        if task in of_job:
            self._plain = False
        else:
            of_job[task] = None  # tasks are kept in the order in which they were started

    def unstart(self, length: int, job: str, task: str) -> None:
        """A line of this length was never written: the task was not started, and may be later."""
        self._bytes -= length
        self._open -= 1
        of_job = self._records[job]
        if of_job.get(task, self) is None:  # otherwise it had other attempts
            del of_job[task]

    def end(self, line: bytes, fields: Mapping[str, Any]) -> Record:
        """A line says how it ended; returns that as a record."""
        self._bytes += len(line)
        self._open -= 1
        record = Record.from_dict(fields)
        self._records[record.job][record.task] = record
        self._plain = self._plain and record.final
        return record

    def fact(self, line: bytes, fields: Mapping[str, Any]) -> None:
        """A line says something that is about no task."""
        self._bytes += len(line)
        self._facts[repr(fields)] = dict(fields)

    def overlay(self, journal: Journal) -> Overlay | None:
        """What a closed journal says; None if it has to be read for that."""
        if not self._plain or self._open or journal.names != {journal.name: self._bytes}:
            return None
        overlay = Overlay()
        overlay.facts = self._facts
        overlay.records = {
            job: Told.of(record for record in of_job.values() if record) for job, of_job in self._records.items()
        }
        return overlay
