"""What the records of an attempt's start and end say, and how the line of a start is spelled.

Every task leaves such a line, and most have nothing particular to say. Those are put together from what all tasks of a job
say alike and the few words that differ, in a third of the time that an encoder takes for an object of it.
"""

from __future__ import annotations

from awflow.failure import shown
from awflow.state.journal import frame, framed
from awflow.state.jsontext import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from awflow.attempt import Attempt
    from awflow.frontier import Row
    from awflow.subject import Subject


class Lines:
    """Of the attempts of one run."""

    __slots__ = ('_alike', '_generation', '_run', '_subjects')

    def __init__(self, run: str, subjects: Sequence[Subject], generation: Callable[[Row], int]) -> None:
        self._run = run
        self._subjects = subjects
        self._generation = generation  # under which a task runs
        self._alike: dict[tuple[int, int], tuple[str, str, str]] = {}

    def fields(self, attempt: Attempt) -> dict[str, Any]:
        """What the records of an attempt's start and end say alike (see Record)."""
        fields = attempt.fields
        if not fields:
            subject = self._subjects[attempt.number]
            fields.update(
                job=subject.name, task=attempt.key, generation=self._generation(attempt.task), id=attempt.id, code=subject.code
            )
            fields['run'] = self._run
            if attempt.key.startswith('#'):
                fields['shown'] = shown(subject, attempt.row)
            if attempt.retry:
                fields['attempt'] = (0, attempt.retry)
            if attempt.upstream:
                fields['upstream'] = attempt.upstream
            if attempt.why:
                fields['why'] = attempt.why
        fields['started'] = round(attempt.started, 3)
        if attempt.own:
            fields['own'] = attempt.own
        return fields

    def start(self, attempt: Attempt) -> bytes:
        """The line that says that it starts."""
        subject = self._subjects[attempt.number]
        unusual = attempt.retry or attempt.upstream or attempt.why or attempt.history or not attempt.own
        if unusual or attempt.key.startswith('#'):
            fields = self.fields(attempt)
            return frame({**fields, 'checks': attempt.history} if attempt.history else fields)
        alike = attempt.number, self._generation(attempt.task)
        if alike not in self._alike:
            job, code, run = quoted(subject.name), quoted(subject.code), quoted(self._run)
            middle = f',"generation":{alike[1]},"id":"'
            self._alike[alike] = f'{{"job":{job},"task":', middle, f'","code":{code},"run":{run},"started":'
        head, middle, tail = self._alike[alike]
        own = ','.join([f'{quoted(name)}:{quoted(digest)}' for name, digest in attempt.own.items()])
        started = round(attempt.started, 3)
        return framed(f'{head}{quoted(attempt.key)}{middle}{attempt.id}{tail}{started!r},"own":{{{own}}}'.encode('ascii'))
