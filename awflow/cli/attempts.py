"""The last attempt of a task as people ask for it: how it stands, what was said, where its log is."""

from __future__ import annotations

import os

from awflow.cli.observed import BAD, NOT_STARTED, WAITING
from awflow.plan import task_name
from awflow.state.layout import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection
    from awflow.state.record import Record


class LastAttempt:
    """A task with its record; `record` is None while it waits for its first attempt."""

    __slots__ = ('job', 'key', 'name', 'outcome', 'record', 'workflow')

    def __init__(self, workflow: Workflow, job: str, key: str) -> None:
        rows = workflow.state.rows(job)
        row = rows.row(key) if rows else None
        self.workflow = workflow
        self.job = job
        self.key = key
        self.name = task_name(job, key)
        self.record: Record | None = None
        claimed = any(claim.covers(job, key) for claim in workflow.working().values())
        self.outcome = workflow.gone.get((job, key), WAITING if claimed else NOT_STARTED)
        if rows is not None and row is not None:
            self.record = rows.record(row)
            self.outcome = workflow.outcome(rows, row)

    @property
    def bad(self) -> bool:
        """Whether it has ended, and not well."""
        return self.outcome in BAD

    def error(self) -> str:
        """The last line of its error, with the exception's type; '' if there is none on record."""
        error = (self.record.error if self.record else None) or {}
        kind, line = error.get('type', ''), error.get('line', '')
        return f'{kind}: {line}' if kind[:1].isupper() and line and line != kind else line or kind

    def owner(self) -> str:
        """What is known of the process that holds, or held, the claim of a task without an end."""
        if self.record is None:
            return ''
        number = self.record.generation
        if number in self.workflow.evidence:
            return self.workflow.evidence[number].why
        ends = [entry.ends[number] for entry in self.workflow.state.entries.values() if number in entry.ends]
        return str(ends[0].get('why', '')) if ends else ''

    def log(self) -> str:
        """The path of its log, '' if it wrote nothing. While it runs the record does not name it."""
        if self.record is None:
            return ''
        layout = self.workflow.store.layout
        if self.record.log or self.record.final:
            return os.path.join(layout.directory, self.record.log) if self.record.log else ''
        stem = 'log' if self.key == '-' else safe(self.key)
        restart, retry = self.record.attempt
        attempt = f'{restart}.{retry}' if restart else str(retry)
        name = f'{stem}-{self.record.generation}-{attempt}.log'
        path = os.path.join(layout.log_dir(self.record.job), name)
        return path if os.path.exists(path) else ''


def attempts(selection: Selection) -> Iterator[LastAttempt]:
    """The last attempts of the tasks selected."""
    for key in selection.keys:
        yield LastAttempt(selection.workflow, selection.job, key)
