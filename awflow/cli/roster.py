"""Which jobs a script schedules that is called with certain arguments, as far as its runs have noted it.

A script may call `schedule` several times, and what it schedules may depend on how it is called. So the last start counts of
every command line, with all its runs. A start with nothing to do notes nothing; so what the script schedules *now* is asked of
the script itself (`awflow clean --orphans`), and this tells of the ways to call it that are not tried.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from awflow.state.layout import Layout


class Start:
    """The last start of the script with certain arguments; `jobs` is None if an awflow noted it that did not name them yet."""

    __slots__ = ('arguments', 'files', 'jobs', 'process', 'time')

    def __init__(self, facts: dict[str, Any]) -> None:
        self.arguments: list[str] = facts.get('argv', [])[1:]
        self.process = _process(facts)
        self.time = float(facts.get('time', 0.0))
        self.jobs: set[str] | None = set()
        self.files: list[str] = []

    def add(self, name: str, facts: dict[str, Any]) -> None:
        """One more run of it."""
        self.files.append(name)
        if 'jobs' not in facts or self.jobs is None:
            self.jobs = None
        else:
            self.jobs |= set(facts['jobs'])


def last_starts(layout: Layout) -> list[Start]:
    """The last start with every set of arguments, newest first."""
    found: dict[tuple[str, ...], Start] = {}
    for name, facts in _newest_first(layout):
        start = found.setdefault(tuple(facts.get('argv', [])[1:]), Start(facts))
        if start.process == _process(facts):
            start.add(name, facts)
    return list(found.values())


def belongs(job: str, jobs: Collection[str]) -> bool:
    """Whether a job is one of these, or one that a task of theirs may schedule: `outer[2]/fit` of `outer`."""
    if job in jobs:
        return True
    places = [at for at, letter in enumerate(job) if letter in '[/']
    return any(job[:at] in jobs and '/' in job[at:] for at in places)


def _process(facts: dict[str, Any]) -> tuple[object, ...]:
    return (facts.get('host'), *facts.get('process', [facts.get('run')]))


def _newest_first(layout: Layout) -> Iterator[tuple[str, dict[str, Any]]]:
    """The files of runs that were no task's, which are named by the second in which the run began."""
    try:
        names = sorted(os.listdir(layout.runs), reverse=True)
    except OSError:
        return
    for name in names:
        try:
            with open(os.path.join(layout.runs, name), encoding='utf-8') as file:
                facts = json.load(file)
        except (OSError, ValueError):
            continue
        if isinstance(facts, dict) and not facts.get('parent'):
            yield name, facts
