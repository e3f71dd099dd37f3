"""What a run noted of itself: with which command, where, and with which packages."""

from __future__ import annotations

import json
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from awflow.state.record import Record
    from awflow.state.store import Store


SECOND = len('20260314-092653')
LOOKED = 30  # runs whose directories are asked for


def facts_of(store: Store, run: str) -> dict[str, Any]:
    """The file of a run, {} if it is not there (any more)."""
    try:
        with open(store.layout.run_file(run), encoding='utf-8') as file:
            found = json.load(file)
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


class Runs:
    """The files of a workflow's runs, each read once; most tasks share one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._known: dict[str, dict[str, Any]] = {'': {}}

    def of(self, run: str) -> dict[str, Any]:
        """The file of a run, {} if it is not there (any more)."""
        if run not in self._known:
            self._known[run] = facts_of(self.store, run)
        return self._known[run]

    def directory(self, run: str) -> str:
        """Where it scheduled."""
        return directory_of(self.store, self.of(run))


def last_of(store: Store) -> dict[str, Any]:
    """The last run that was no task's; {} if none is known."""
    folder = os.path.dirname(store.layout.run_file('x'))
    try:
        names = sorted(os.listdir(folder), reverse=True)
    except OSError:
        return {}
    newest: list[dict[str, Any]] = []
    second = ''
    for name in names:
        if newest and name[:SECOND] != second:
            break  # names begin with the second in which the run began; the file knows the rest
        facts = facts_of(store, name.removesuffix('.json')) if name.endswith('.json') else {}
        if facts and not facts.get('parent'):
            newest.append(facts)
            second = name[:SECOND]
    return max(newest, key=lambda facts: float(facts.get('time', 0.0)), default={})


def directory_of(store: Store, facts: dict[str, Any]) -> str:
    """Where a run scheduled, which is what paths are relative to; if the project was moved since, where that is now."""
    above = os.path.dirname(store.layout.root)
    if not facts.get('directory'):
        return above
    if os.path.realpath(facts.get('state', store.layout.root)) == os.path.realpath(store.layout.root):
        return str(facts['directory'])
    return os.path.normpath(os.path.join(above, os.path.relpath(facts['directory'], os.path.dirname(facts['state']))))


def directories_of(store: Store) -> list[str]:
    """The directories in which the last runs scheduled, each once; where no run is known, the one that the state lies in."""
    try:
        names = sorted(os.listdir(store.layout.runs), reverse=True)[:LOOKED]
    except OSError:
        names = []
    found = [facts for name in names if (facts := facts_of(store, name.removesuffix('.json')))]
    return list(dict.fromkeys([*(directory_of(store, facts) for facts in found), os.path.dirname(store.layout.root)]))


def asked_by(facts: dict[str, Any], job: str) -> dict[str, Any] | None:
    """What a job asked for per task in a run, None if that is unknown: cpus, memory (MiB), gpus, timelimit (seconds)."""
    for asked, jobs in facts.get('asked', ()):
        if job in jobs:
            return dict(asked)
    return None


def packages_since(store: Store, record: Record, used: Iterator[str]) -> Iterator[tuple[str, str, str]]:
    """Packages that the code uses and whose version is not the one that the task ran with: name, then, now.

    Now is what is installed here, if this is where the last run's Python looks for packages, and otherwise what that run had.
    """
    wanted = list(used)
    if not wanted:
        return
    from importlib import metadata

    then, last = facts_of(store, record.run).get('packages', {}), last_of(store)
    for name in wanted:
        try:
            now = metadata.version(name) if last.get('prefix') == sys.prefix else last.get('packages', {}).get(name, '')
        except metadata.PackageNotFoundError:
            now = last.get('packages', {}).get(name, '')
        if then.get(name) and now and then[name] != now:
            yield name, then[name], now
