"""One execution of one task, and what the driver sees of its files at its start and end."""

from __future__ import annotations

import os

from awflow.errors import AwflowError
from awflow.outcome import outcome_digest
from awflow.place import definition_site
from awflow.specs import is_plain, is_plain_name
from awflow.state import jsontext
from awflow.state.smallfiles import LITTLE, SMALL, small_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from awflow.frontier import Row
    from awflow.place import Place
    from awflow.state.cached import Signature
    from awflow.state.digests import Digests
    from awflow.state.layout import Layout
    from awflow.subject import Subject
    from awflow.survey import Survey


class Attempt:
    """One execution of one task: its identity as it starts, and the history of its postconditions."""

    __slots__ = (
        'fields', 'found', 'history', 'id', 'key', 'name', 'noted', 'number', 'own', 'retry', 'row', 'started', 'task',
        'upstream', 'why',
    )  # fmt: skip

    def __init__(self, name: str, key: str, task: Row, retry: int, upstream: dict[str, str], own: dict[str, str]) -> None:
        self.name = name
        self.key = key  # of the task
        self.task = task  # its place in the plan
        self.number, self.row = task
        self.retry = retry
        self.id = os.urandom(16).hex()
        self.upstream = upstream
        self.own = own
        self.found: dict[str, Found] = {}  # inputs that the driver has digested for the start
        self.fields: dict[str, Any] = {}  # of its records
        self.started = 0.0
        self.noted = 0  # length of the line that says so, if its process is to write that
        self.why: list[dict[str, str]] = []  # where the plan, which the entry keeps, does not say it
        self.history: list[dict[str, Any]] | None = None


class Found:
    """An input at the start: its digest, and how it is told later whether it is the same."""

    __slots__ = ('digest', 'signature', 'stat', 'vouched')

    def __init__(self, digest: str, signature: Signature | None = None, *, vouched: bool = False, stat: bool = False) -> None:
        self.digest = digest
        self.signature = signature  # None: made by an upstream, whose record says what it is
        self.vouched = vouched  # old enough for the signature to tell
        self.stat = stat  # by size and time alone

    def changed(self, path: str, digests: Digests) -> bool:
        """Whether the file is another now."""
        if self.signature is None:
            return False
        if self.stat:
            content = digests.stat_only(path)
            return content is None or content.digest != self.digest
        if self.vouched:
            return digests.signature(path) != self.signature
        found = small_file(path)
        return found is None or found[0] != self.digest


def telling(run: str, subject: Subject, place: Place, layout: Layout) -> list[str]:
    """What a schedule inside a task is told of where it is, as JSON around the name and the id of the task."""
    told = jsontext.dumps({
        'run': run, 'workflow': layout.workflow, 'state': layout.root, 'script': place.script,
        'cpus': subject.job.options.cpus, 'ancestors': [*place.ancestors, definition_site(subject.job.function)],
    }).decode()  # fmt: skip
    return [f'{told[:-1]},"task":', ',"attempt":"', '"}']


def told_of_inputs(attempt: Attempt, subject: Subject, survey: Survey, alone: bool) -> dict[str, Any]:
    """The inputs in an order. For a task that starts at once, `alone`, what can be digested in a moment is, here: a child
    would have to copy every page that it needs for it. What upstreams made need not be read by anybody.
    """
    if not alone and survey.reads_files(subject):
        plain_paths = subject.input_paths(attempt.row) or []
        return {'inputs': plain_paths, 'known': _known(plain_paths, survey.digests)}
    paths = survey.input_paths(subject, attempt.row)
    made = {path: digest for path in paths if path in survey.producers and (digest := survey.produced(path))}
    told: dict[str, Any] = {'produced': made} if made else {}
    plain = subject.spells_inputs or (all(map(is_plain, subject.job.input_specs)) and is_plain_name(subject.title(attempt.row)))
    if plain and alone:
        attempt.found = {path: Found(digest) for path, digest in made.items()}
        for path, stat in paths.items():
            if path not in made and (found := _found(path, stat, survey.digests)) is not None:
                attempt.found[path] = found
        paths = {path: stat for path, stat in paths.items() if path not in attempt.found}
    elif plain:
        told['known'] = _known([path for path, stat in paths.items() if not (stat or path in made)], survey.digests)
    if not plain:
        told['digested'] = False
    if paths:
        told['inputs'] = list(paths)
        if plain:
            told.setdefault('known', {})
    if any(paths.values()):
        told['stat'] = [path for path, stat in paths.items() if stat]
    return told


def _found(path: str, stat: bool, digests: Digests) -> Found | None:
    if stat:
        content = digests.stat_only(path)
        return Found(content.digest, (0, 0, 0, 0), stat=True) if content is not None else None
    known, signature = digests.vouched(path), digests.signature(path)
    if known is not None and signature is not None and tuple(known[1:]) == signature:
        return Found(str(known[0]), signature, vouched=True)
    found = digests.small(path, SMALL)
    return Found(found[0], found[1], vouched=found[2]) if found is not None else None


def _known(paths: list[str], digests: Digests) -> dict[str, list[object]]:
    """Of these files the digests that may be trusted for as long as they look the same. Small files that were never digested
    are, unless others had to be waited for: several tasks can do that at a time, the driver cannot.
    """
    told = {}
    for path in paths:
        known = digests.vouched(path)
        if known is None and not digests.slow and (found := digests.small(path, LITTLE)) is not None and found[2]:
            known = [found[0], *found[1]]
        if known is not None:
            told[path] = known
    return told


def completed(
    attempt: Attempt, subject: Subject, survey: Survey, report: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """The report of a task of which the driver digests what is small; and what is to be said of it in its log."""
    report = dict(report)
    said = []
    if attempt.found:
        report['inputs'] = {**{path: found.digest for path, found in attempt.found.items()}, **report.get('inputs', {})}
        changed = [path for path, found in attempt.found.items() if found.changed(path, survey.digests)]
        if changed:
            report['inputs_changed'] = [*changed, *report.get('inputs_changed', ())]
            said += [f'the input {path} changed while the task was running' for path in changed]
    if report['outcome'] != 'succeeded':
        return report, said
    outputs, signatures = dict(report['outputs']), dict(report['signatures'])
    for path in subject.outputs.get(attempt.row, ()):
        if path in outputs:
            continue
        small = small_file(path)
        content = survey.digests.of(path) if small is None else None
        if small is not None:
            outputs[path], signatures[path] = (small[0], small[1][0]), small[1]
        elif content is not None:
            outputs[path] = (content.digest, content.size)
        else:
            line = f'the function returned, but the output {path} does not exist'
            report.update(outcome='failed', error={'type': 'output', 'line': line}, exit=1)
            return report, [*said, line]
    report.update(outputs=outputs, signatures=signatures)
    if subject.job.declares_outputs:
        stored = report.get('result')
        report['end'] = outcome_digest(outputs, stored and stored['digest'])
    return report, said


def note_inputs(attempt: Attempt, subject: Subject, survey: Survey, report: Mapping[str, Any]) -> None:
    """What the task found when it began becomes part of its identity; of one that could not say, what is there now."""
    inputs = report.get('inputs')
    if not inputs and subject.job.input_specs and report.get('outcome') != 'succeeded':
        try:
            inputs = survey.inputs(subject, attempt.row)
        except AwflowError:  # it is gone: why it failed
            return
    if inputs:
        own = {name: digest for name, digest in attempt.own.items() if not name.startswith('input ')}
        attempt.own = {**own, **{f'input {path}': digest for path, digest in inputs.items()}}
