"""Tasks that did not succeed, in words."""

from __future__ import annotations

import os

from awflow.plan import task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from awflow.state.record import Record
    from awflow.subject import Subject

BAD = ('failed', 'timeout', 'cancelled', 'crashed')


class Failure:
    """A task that did not succeed: what the summary and `Run.failures` say of it."""

    __slots__ = ('error', 'job', 'log', 'outcome', 'task', 'value')

    def __init__(self, job: str, task: str, value: object, outcome: str, error: str, log: str) -> None:
        self.job = job
        self.task = task
        self.value = value
        self.outcome = outcome
        self.error = error
        self.log = log

    def __str__(self) -> str:
        return f'{task_name(self.job, self.task)}  {self.outcome}: {self.error}'

    def to_dict(self) -> dict[str, str]:
        """For JSON."""
        return {'job': self.job, 'task': self.task, 'outcome': self.outcome, 'error': self.error, 'log': self.log}


def failure_of(record: Record, directory: str) -> tuple[str, str]:
    """What a record says of why its task did not succeed, in a line, and the path of its log ('' if it wrote none)."""
    said = (record.error or {}).get('line') or (record.error or {}).get('type') or record.note or 'it left no word'
    kind = (record.error or {}).get('type', '')
    text = f'{kind}: {said}' if kind[:1].isupper() and said != kind else said
    return text, os.path.relpath(os.path.join(directory, record.log)) if record.log else ''


def shown(subject: Subject, row: int) -> str:
    """A value that its key does not spell, for humans."""
    if not subject.keys[row].startswith('#'):
        return ''
    return repr(subject.title(row))[:80]
