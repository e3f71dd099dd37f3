"""The last attempt of a task as people ask for it: how it stands, what was said, where its log is."""

from __future__ import annotations

import os

from awflow.cli.observed import BAD, NOT_STARTED, WAITING
from awflow.plan import task_name
from awflow.state.layout import safe

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection
    from awflow.state.record import Record

DIGITS = 1 + 12  # of a digest that stands for a value, with its mark


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
        if rows is not None and row is not None:
            self.record = rows.record(row)
            self.outcome = workflow.outcome(rows, row)
        else:
            self.outcome = workflow.gone.get((job, key), WAITING if workflow.has(job, key) else NOT_STARTED)

    @property
    def bad(self) -> bool:
        """Whether it has ended, and not well."""
        return self.outcome in BAD

    @property
    def value(self) -> str:
        """The value of a task whose key does not spell it, as far as that is on record; ''."""
        shown = self.record.shown if self.record is not None else ''
        return shown if shown != self.key else ''

    @property
    def label(self) -> str:
        """Its name where many are listed: a digest is cut, as the commands take it, and the value told."""
        if not self.key.startswith('#'):
            return self.name
        return ' '.join(filter(None, [task_name(self.job, self.key[:DIGITS]), self.value]))

    def error(self) -> str:
        """The last line of its error, with the exception's type; '' if there is none on record."""
        return error_of(self.record.error if self.record else None)

    def owner(self) -> str:
        """What is known of the process that holds, or held, the claim of a task without an end."""
        if self.record is None:
            return ''
        number = self.record.generation
        if number in self.workflow.evidence:
            return self.workflow.evidence[number].why
        return str(self.workflow.store.end_of(number, self.workflow.state).get('why', ''))

    def place(self) -> str:
        """The host of the run that executes it, which a local one does not note with each task; '' if it goes on elsewhere."""
        claim = self.workflow.state.claims.get(self.record.generation) if self.record is not None else None
        owner = (claim.owner if claim is not None else None) or {}
        return '' if owner.get('queue') else str(owner.get('host', ''))

    def log(self) -> str:
        """The path of its log, '' if it wrote nothing."""
        return log_of(self, self.record.to_dict()) if self.record is not None else ''


def attempts(selection: Selection) -> Iterator[LastAttempt]:
    """The last attempts of the tasks selected."""
    for key in selection.keys:
        yield LastAttempt(selection.workflow, selection.job, key)


def error_of(error: Mapping[str, str] | None) -> str:
    """The last line of a recorded error, with the exception's type; '' for none."""
    kind, line = (error or {}).get('type', ''), (error or {}).get('line', '')
    return f'{kind}: {line}' if kind[:1].isupper() and line and line != kind else line or kind


def log_of(attempt: LastAttempt, told: Mapping[str, Any]) -> str:
    """The path of the log of one attempt of a task, of which these members of a record are known; '' if it wrote nothing.

    Before it has ended the record does not name it.
    """
    layout = attempt.workflow.store.layout
    if told.get('log') or told.get('final'):
        return os.path.join(layout.directory, told['log']) if told.get('log') else ''
    path = expected_log(attempt, told)
    return path if os.path.exists(path) else ''


def expected_log(attempt: LastAttempt, told: Mapping[str, Any]) -> str:
    """Where an attempt writes what it has to say, if it does."""
    stem = 'log' if attempt.key == '-' else safe(attempt.key)
    restart, retry = told.get('attempt', (0, 0))
    number = f'{restart}.{retry}' if restart else str(retry)
    return os.path.join(attempt.workflow.store.layout.log_dir(attempt.job), f'{stem}-{told["generation"]}-{number}.log')
