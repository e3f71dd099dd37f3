"""What a run notes of its jobs, so that commands can draw the graph and compare what was asked for with what was used."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from awflow.subject import Subject

REQUESTS = ('cpus', 'memory', 'gpus', 'timelimit', 'retries', 'throttle', 'batch')


def declared(subjects: Iterable[Subject]) -> dict[str, dict[str, Any]]:
    """By name, upstream first: `tasks`, `after` ([upstream, status, each] for every edge), `waitfor` unless it is 'all', and
    what the job asks for as in `@job` (memory in MiB, time limit in seconds), as far as it does.
    """
    known = list(subjects)
    return {subject.name: _of(subject, known) for subject in known}


def _of(subject: Subject, known: list[Subject]) -> dict[str, Any]:
    found: dict[str, Any] = {'tasks': len(subject.keys)}
    after = [[known[link.upstream].name, link.status, link.partners is not None] for link in subject.links]
    if after:
        found['after'] = after
    if subject.job.mode != 'all':
        found['waitfor'] = subject.job.mode
    asked = {name: value for name in REQUESTS if (value := getattr(subject.job.options, name))}
    return {**found, **asked}


def lines_of(facts: Mapping[str, Any]) -> bytes:
    """The file of a run: JSON with a line for each fact, and for each job."""
    from json import dumps

    lines = []
    for name, fact in facts.items():
        if name == 'declared' and fact:
            jobs = ',\n'.join(f'  {dumps(job)}: {dumps(told)}' for job, told in fact.items())
            lines.append(f' "declared": {{\n{jobs}\n }}')
        else:
            lines.append(f' {dumps(name)}: {dumps(fact)}')
    return ('{\n' + ',\n'.join(lines) + '\n}\n').encode('ascii')
