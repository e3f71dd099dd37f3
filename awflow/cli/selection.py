"""Which tasks the user means: `fit`, `fit[3]`, `fit['abc']`, `fit[abc]`, `fit[0.1]`, `outer[2]/fit[3]`.

Shells eat quotes and names of jobs may hold brackets, so nothing is parsed by rule: a text means what the state knows
by it. The longest name of a job wins, and a value is taken as it stands, then as Python reads it, then as a string.
"""

from __future__ import annotations

from awflow.cli.observed import Workflow
from awflow.cli.workflows import chosen
from awflow.errors import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOWN = 8  # names listed in an error


class Selection:
    """Tasks of one job of one workflow, by key."""

    __slots__ = ('job', 'keys', 'workflow')

    def __init__(self, workflow: Workflow, job: str, keys: Sequence[str]) -> None:
        self.workflow = workflow
        self.job = job
        self.keys = keys


def select(root: str, workflow: str | None, text: str) -> Selection:
    """The tasks that a selector means; StateError if none, or if several workflows have such a job."""
    workflows = [Workflow(root, name) for name in chosen(root, workflow)]
    found = [selection for each in workflows if (selection := _in(each, text))]
    if len(found) > 1:
        raise StateError(
            'several workflows have {_text}', 'Say which with --workflow.', _text=text,
            workflows=', '.join(selection.workflow.name for selection in found),
        )  # fmt: skip
    if not found:
        raise _unknown(workflows, text)
    return found[0]


def _in(workflow: Workflow, text: str) -> Selection | None:
    jobs = set(workflow.jobs())
    if text in jobs:
        return Selection(workflow, text, workflow.keys(text))
    for job, value in _readings(text):
        if job in jobs and (key := _key(workflow.keys(job), value)):
            return Selection(workflow, job, [key])
    return None


def _readings(text: str) -> Iterator[tuple[str, str]]:
    """Every way to read a text as `job[value]`, the longest name first."""
    at = text.rfind('[')
    while at > 0 and text.endswith(']'):
        yield text[:at], text[at + 1 : -1]
        at = text.rfind('[', 0, at)


def _key(keys: Sequence[str], value: str) -> str | None:
    known = set(keys)
    for key in _spellings(value):
        if key in known:
            return key
    begins = [key for key in keys if key.startswith(value)] if value.startswith('#') else []
    return begins[0] if len(begins) == 1 else None  # the digest of a value may be cut like a git hash


def _spellings(value: str) -> Iterator[str]:
    """The keys that a value may stand for, as they are in the state."""
    from ast import literal_eval

    from awflow.elements import key_of

    yield value
    try:
        yield key_of(literal_eval(value))
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        pass  # no literal: a string whose quotes the shell took
    yield key_of(value)


def _unknown(workflows: Sequence[Workflow], text: str) -> StateError:
    for workflow in workflows:
        for job, value in _readings(text):
            if job in workflow.jobs():
                return StateError(
                    'nothing is on record of a task {_value} of job {_job!r}', 'Use one of those, or the job alone.',
                    known=_some(workflow.keys(job)), workflow=workflow.name, _value=value, _job=job,
                )  # fmt: skip
    jobs = list(dict.fromkeys(job for workflow in workflows for job in workflow.jobs()))
    from difflib import get_close_matches

    close = get_close_matches(text.partition('[')[0], jobs, n=1)
    todo = f'Did you mean {close[0]}?' if close else 'A job is known when a run has started or claimed a task of it.'
    return StateError('nothing is on record of a job {_text!r}', '{_todo}', known=_some(jobs), _text=text, _todo=todo)


def _some(names: Sequence[str]) -> str:
    if list(names) == ['-']:
        return 'one task; the job has no array'
    more = f', ... {len(names)} in all' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more or 'none'
