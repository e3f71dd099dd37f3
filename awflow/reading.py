"""Tasks that are looked at one by one, whose files are read ahead where they have to be waited for, or are big.

Where a survey finds the files of thousands of tasks changed, or touched, it digests them, one task after the other. On a local
disk that is as fast as it can be. On a network filesystem nearly all of that time is spent waiting for each file. So the
first tasks are timed, and if they took long, the files of the others are read in blocks, many at a time.
"""

from __future__ import annotations

from time import monotonic

from awflow.errors import RunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awflow.subject import Subject
    from awflow.survey import Survey

TRIAL = 15  # tasks that are timed
SLOW = 500e-6  # seconds: five times what a task takes whose files are small and near
BLOCK = 256  # tasks whose files are read at a time


def read_ahead(survey: Survey, subject: Subject, rows: Sequence[int]) -> Iterator[int]:
    """The rows, in order, each to be looked at before the next one is asked for."""
    took = []
    for row in rows[:TRIAL]:
        begun = monotonic()
        yield row
        took.append(monotonic() - begun)
    rest = rows[TRIAL:]
    if sorted(took)[len(took) // 2] < SLOW:
        yield from rest
        return
    for first in range(0, len(rest), BLOCK):
        block = rest[first : first + BLOCK]
        survey.ahead = _digests(survey, [path for row in block for path in _files(survey, subject, row)])
        yield from block
        survey.ahead = {}


def _digests(survey: Survey, paths: Sequence[str]) -> dict[str, str | None]:
    try:
        contents = survey.digests.of_all(paths)
    except RunError:
        return {}  # one cannot be read: whose task is to be told of it, if any, shows when each is looked at
    return {path: None if content is None else content.digest for path, content in contents.items()}


def _files(survey: Survey, subject: Subject, row: int) -> Iterator[str]:
    """The files that will be digested for a task, as far as that is plain."""
    if subject.rows is not None:
        yield from subject.outputs.get(row, ())
    if subject.spells_inputs:
        for path, stat in survey.input_paths(subject, row).items():
            if not (stat or path in survey.producers):
                yield path
