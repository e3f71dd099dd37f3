"""Which tasks the user means: `fit`, `fit[3]`, `fit['abc']`, `fit[abc]`, `fit[0:10]`, `fit[lr=0.1]`, `fit*`, `outer[2]/fit[3]`.

Shells eat quotes and names of jobs may hold brackets, so nothing is parsed by rule: a text means what the state knows
by it. The longest name of a job wins, and a value is taken as it stands, then as Python reads it, then as a string. Only
what names nothing in this way is read as a pattern: a slice of numbers, parts of a value, or a glob.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from awflow.cli.observed import BAD, CRASHED, Workflow
from awflow.cli.workflows import chosen
from awflow.errors import StateError
from awflow.state.table import OUTCOMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHOWN = 8  # names listed in an error
CUT = 80  # letters of a value that its record keeps


class Selection:
    """Tasks of one job of one workflow, by key."""

    __slots__ = ('job', 'keys', 'workflow')

    def __init__(self, workflow: Workflow, job: str, keys: Sequence[str]) -> None:
        self.workflow = workflow
        self.job = job
        self.keys = keys


def select(root: str, workflow: str | None, text: str) -> Selection:
    """The tasks of one job that a selector means; StateError if none, or of several jobs or workflows."""
    found = _selected([Workflow(root, name) for name in chosen(root, workflow)], text)
    if len(found) > 1:
        raise StateError('{_text} means several jobs', 'Say which.', _text=text, jobs=_some([each.job for each in found]))
    return found[0]


def select_all(
    root: str, workflow: str | None, texts: Sequence[str], planned: bool = False, looking: bool = False
) -> list[Selection]:
    """The tasks that any of these selectors means, once each; StateError for one that means none. Without any, all.

    `planned`: also tasks of which nothing is on record but that a run had planned. `looking`: see Workflow; then of damaged
    states what is whole.
    """
    workflows = _looked_at(root, workflow) if looking else [Workflow(root, name) for name in chosen(root, workflow)]
    for each in workflows:
        each.with_planned = planned
    if not texts:
        return [Selection(each, job, each.keys(job)) for each in workflows for job in each.jobs()]
    merged: dict[tuple[str, str], Selection] = {}
    for text in texts:
        for found in _selected(workflows, text):
            known = merged.setdefault((found.workflow.name, found.job), found)
            if known is not found:
                known.keys = list(dict.fromkeys([*known.keys, *found.keys]))
    return list(merged.values())


def _looked_at(root: str, workflow: str | None) -> list[Workflow]:
    from awflow.cli.salvaged import observed

    return observed(root, chosen(root, workflow))


def narrowed(selections: Sequence[Selection], failed: bool, crashed: bool) -> list[Selection]:
    """Of these tasks those that did not succeed (`failed`) or that crashed (`crashed`); all if neither is asked for.

    Jobs of which nothing is left are left out.
    """
    if not (failed or crashed):
        return list(selections)
    wanted = BAD if failed else (CRASHED,)
    found = [Selection(each.workflow, each.job, _ended(each, wanted)) for each in selections]
    return [each for each in found if each.keys]


def _ended(selection: Selection, wanted: Sequence[str]) -> list[str]:
    """The tasks whose last attempt ended in one of these ways. Most of 100,000 succeeded: those are seen by a number."""
    workflow, job = selection.workflow, selection.job
    rows = workflow.state.rows(job)
    found = [key for key in workflow.dropped(job) if workflow.gone[job, key] in wanted]
    if rows is not None:
        base = rows.base.outcome if rows.base is not None else b''
        well = OUTCOMES.index('succeeded')
        bad = [row for row, code in enumerate(base) if code != well or row in rows.over]
        bad += range(len(base), len(rows))
        found += [rows.keys[row] for row in bad if workflow.outcome(rows, row) in wanted]
    known = set(found)
    return [key for key in selection.keys if key in known] if known else []


def _selected(workflows: Sequence[Workflow], text: str) -> list[Selection]:
    found = [selections for each in workflows if (selections := _in(each, text))]
    if len(found) > 1:
        raise StateError(
            'several workflows have {_text}', 'Say which with --workflow.', _text=text,
            workflows=', '.join(selections[0].workflow.name for selections in found),
        )  # fmt: skip
    if not found:
        raise _unknown(workflows, text)
    return found[0]


def _in(workflow: Workflow, text: str) -> list[Selection]:
    jobs = set(workflow.jobs())
    if text in jobs:
        return [Selection(workflow, text, workflow.keys(text))]
    for job, value in _readings(text):
        if job in jobs and (key := _known(workflow, job, value) or _key(workflow.keys(job), value)) is not None:
            return [Selection(workflow, job, [key])]
    return _matching(workflow, text)


def _known(workflow: Workflow, job: str, value: str) -> str | None:
    """The key that a value stands for if such a task is on record or claimed: for one of 100,000 not all are looked through."""
    return next((key for key in _spellings(value) if workflow.has(job, key)), None)


def _matching(workflow: Workflow, text: str) -> list[Selection]:
    """The tasks that a pattern means: of jobs named so, all or those whose values fit."""
    for pattern, value in [*_readings(text), (text, None)]:
        found = []
        for job in workflow.jobs():
            if job == pattern or (_is_glob(pattern) and fnmatchcase(job, pattern)):
                keys = workflow.keys(job) if value is None else _fitting(workflow, job, value)
                found += [Selection(workflow, job, keys)] if keys else []
        if found:
            return found
    return []


def _fitting(workflow: Workflow, job: str, value: str) -> list[str]:
    """The keys of a job that a slice, parts of a value (`lr=0.1`) or a glob mean."""
    keys = workflow.keys(job)
    key = _key(keys, value)
    if key is not None:
        return [key]
    bounds = _bounds(value)
    if bounds is not None:
        return _sliced(keys, *bounds)
    if '=' in value:
        shown = _all_shown(workflow, job)
        return [key for key in keys if _has_parts(shown.get(key, ''), key, value)]
    return [key for key in keys if fnmatchcase(key, value) or fnmatchcase(key.strip('\'"'), value)] if _is_glob(value) else []


def _is_glob(text: str) -> bool:
    return any(letter in text for letter in '*?[')


def _bounds(value: str) -> tuple[int | None, int | None, int] | None:
    """`0:10`, `:5`, `3:`, `0:100:10` as start, stop and step; None for what is no slice."""
    parts = value.split(':')
    if not 2 <= len(parts) <= 3:
        return None
    try:
        start, stop, step = (int(part) if part.strip() else None for part in [*parts, ''][:3])
    except ValueError:
        return None
    return None if step is not None and step < 1 else (start, stop, step or 1)


def _sliced(keys: Sequence[str], start: int | None, stop: int | None, step: int) -> list[str]:
    """Of tasks whose values are whole numbers those from start to before stop; of others, by their places."""
    try:
        numbers = [int(key) for key in keys]
    except ValueError:
        return list(keys)[start:stop:step]
    if any(bound is not None and bound < 0 for bound in (start, stop)) and all(number >= 0 for number in numbers):
        return [str(number) for number in sorted(numbers)[start:stop:step]]
    first = min(numbers, default=0) if start is None else start
    wanted = range(first, max(numbers, default=0) + 1 if stop is None else stop, step)
    return [key for key, number in zip(keys, numbers, strict=True) if number in wanted]


def _has_parts(shown: str, key: str, value: str) -> bool:
    """Whether a value, as it is shown, has all these parts: of a dict, a named tuple, an object that shows its fields."""
    if len(shown) >= CUT:
        shown = shown.rpartition(',')[0]  # the last part may be cut
    return all(_has_part(shown or key, *part.strip().partition('=')[::2]) for part in value.split(','))


def _all_shown(workflow: Workflow, job: str) -> dict[str, str]:
    """The values of a job's tasks, by key, as far as their keys do not spell them."""
    from awflow.state.members import having

    rows = workflow.state.rows(job)
    return {rows.keys[row]: str(members['shown']) for row, members in having(rows, ('shown',))} if rows is not None else {}


def _has_part(shown: str, name: str, wanted: str) -> bool:
    """Whether a part of that name is spelled so, or is the same number: `lr=1e-3` also means 0.001 and np.float64(0.001)."""
    if name not in shown:
        return False
    for found in re.finditer(rf'(?<!\w)(?:{re.escape(name)}=|["\']{re.escape(name)}["\']: )', shown):
        rest = shown[found.end() :]
        if re.match(rf'["\']?{re.escape(wanted)}["\']?(?![\w.])', rest):
            return True
        inner = re.match(r'(?:[\w.]+\()?["\']?([^,()\[\]{}"\']*)', rest)  # without what wraps it
        if inner is not None and (inner[1] == wanted or _number(inner[1]) == _number(wanted) is not None):
            return True
    return False


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
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
                if '=' in value and any(len(shown) >= CUT for shown in _all_shown(workflow, job).values()):
                    return _behind_the_cut(job, value)
                return StateError(
                    'nothing is on record of a task {_value} of job {_job!r}', 'Use one of those, or the job alone.',
                    known=_some(workflow.keys(job)), workflow=workflow.name, _value=value, _job=job,
                )  # fmt: skip
    jobs = list(dict.fromkeys(job for workflow in workflows for job in workflow.jobs()))
    from difflib import get_close_matches

    close = get_close_matches(text.partition('[')[0], jobs, n=1)
    todo = f'Did you mean {close[0]}?' if close else 'A job is known when a run has started or claimed a task of it.'
    return StateError('nothing is on record of a job {_text!r}', '{_todo}', known=_some(jobs), _text=text, _todo=todo)


def _behind_the_cut(job: str, value: str) -> StateError:
    return StateError(
        'no task of job {_job!r} is on record with {_value}, as far as its values are: of long ones only the beginning is',
        'Name the task by its digest: awflow status {_job} shows them.', _job=job, _value=value,
    )  # fmt: skip


def _some(names: Sequence[str]) -> str:
    if list(names) == ['-']:
        return 'one task; the job has no array'
    more = f', ... {len(names)} in all' if len(names) > SHOWN else ''
    return ', '.join(names[:SHOWN]) + more or 'none'
