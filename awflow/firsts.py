"""Tasks of a big array of which nothing is on record: that they have to run can be told of all at once.

What they read must be there, or some other task must make it. What it holds does not matter yet: each task digests its
inputs when it starts. Only a task that may be adopted, because what it should make is all there, is looked at by itself.
"""

from __future__ import annotations

from awflow.columns import STEP
from awflow.facts import MISSING_ROW
from awflow.state.confirmed import ABSENT, STAMP
from awflow.survey import NEVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from awflow.facts import Facts
    from awflow.subject import Subject
    from awflow.survey import Survey
    from awflow.templates import Template


def settle_firsts(survey: Survey, subject: Subject, facts: Facts, adopts: bool) -> Sequence[int]:
    """Say in the facts which tasks have never run; the rest, in order, has to be looked at one by one.

    `adopts`: whether a task whose outputs are there may be taken as done.
    """
    rows = range(len(subject.keys))
    if subject.rows is not None or any(subject.name in entry.tasks for entry in survey.state.claims.values()):
        return rows
    if not _is_plain(survey, subject):
        return rows
    doubtful: set[int] = set()
    if adopts and (subject.job.postconditions or subject.outputs):
        if not subject.output_templates:
            return rows
        doubtful = _with_output(survey, subject, subject.output_templates[0])
    for template, _ in subject.input_templates or () if not subject.links else ():
        doubtful |= _absent(survey, subject, template)
    settled = [row for row in rows if row not in doubtful] if doubtful else rows
    facts.never.update(settled)
    facts.reasons.update(dict.fromkeys(settled, NEVER))
    facts.base[:] = bytes((MISSING_ROW,)) * len(rows)
    return sorted(doubtful)


def _is_plain(survey: Survey, subject: Subject) -> bool:
    """Whether each task reads files of its own that nobody makes, or that are made by who it waits for."""
    job = subject.job
    if (job.input_specs and not subject.spells_inputs) or (job.output_specs and not subject.spells_outputs):
        return False
    for template, _ in subject.input_templates or ():
        makers = survey.producers.makers(template)
        if makers is None or not all(subject.waits_for(maker.number) for _, maker in makers):
            return False
    return True


def _with_output(survey: Survey, subject: Subject, template: Template) -> set[int]:
    """The tasks whose output may be there: its directory is listed once."""
    texts = subject.texts(template) or ()
    directory, _, before = template.parts[0].rpartition('/')
    after = [*template.parts[1:]]
    if template.fixed or any('/' in part for part in after):
        return set(range(len(texts)))  # each in a directory of its own
    try:
        names = set(survey.digests.disk.listdir(directory or ('/' if template.parts[0][:1] == '/' else '.')))
    except (FileNotFoundError, NotADirectoryError):
        return set()
    except OSError:
        return set(range(len(texts)))
    if not names:
        return set()
    return {row for row, text in enumerate(texts) if str(text).join((before, *after)) in names}


def _absent(survey: Survey, subject: Subject, template: Template) -> set[int]:
    """The tasks whose input is not to be seen; files are looked at in blocks, so that their names are soon forgotten."""
    texts = subject.texts(template) or ()
    absent: set[int] = set()
    if template.fixed:
        return set(range(len(texts))) if survey.digests.stamps([*template.parts]) == ABSENT else absent
    for first in range(0, len(texts), STEP):
        stamps = survey.digests.stamps(template.paths(texts[first : first + STEP]))
        if ABSENT in stamps:
            places = range(0, len(stamps), STAMP)
            absent.update(first + at // STAMP for at in places if stamps[at : at + STAMP] == ABSENT)
    return absent
