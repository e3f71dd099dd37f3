"""The jobs of a workflow as its runs declared them: in which order, with which edges, and what each asks for.

A run notes the jobs of its `schedule()` (see declared.py); a script may have several of those, so the last runs are taken
together until every job is known that the state knows. Of runs before there were such notes, edges are told by what the
records of tasks compare: then those of tasks that never ran are missing.
"""

from __future__ import annotations

import os

from awflow.cli.runs import facts_of
from awflow.report.picture import upstream_first

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from awflow.state.rows import Rows
    from awflow.state.store import Store
    from awflow.state.view import State

MOST = 50  # runs looked at


class Edge:
    """What a job waits for."""

    __slots__ = ('each', 'status', 'upstream')

    def __init__(self, upstream: str, status: str = 'success', each: bool = False) -> None:
        self.upstream = upstream
        self.status = status
        self.each = each

    def to_dict(self) -> dict[str, Any]:
        return {'job': self.upstream, 'status': self.status, 'each': self.each}


class Declared:
    """One job; of `tasks` and `asks` nothing is known if no run noted them."""

    __slots__ = ('asks', 'edges', 'job', 'mode', 'noted', 'tasks')

    def __init__(self, job: str, told: Mapping[str, Any] | None = None) -> None:
        self.job = job
        self.noted = told is not None
        self.tasks: int | None = told.get('tasks') if told else None
        self.edges = [Edge(*edge) for edge in (told or {}).get('after', ())]
        self.mode = str((told or {}).get('waitfor', 'all'))
        self.asks: Mapping[str, Any] = told or {}


class Jobs:
    """The jobs of a workflow by name, upstream first: those asked for, and those of the last run that was no task's."""

    __slots__ = ('of',)

    def __init__(self, store: Store, state: State, names: Iterable[str]) -> None:
        wanted = list(names)
        found: dict[str, Declared] = {}
        asked, last = set(wanted), False
        for facts in _noted(store):
            whole = not last and not facts.get('parent')
            last |= whole
            requests = {job: asks for asks, jobs in facts.get('asked', ()) for job in jobs}  # with what the site asks for
            for job, told in facts['declared'].items():
                if job not in found and (whole or job in asked):
                    found[job] = Declared(job, {**told, **requests.get(job, {})})
            if last and all(job in found for job in wanted):
                break
        for job in wanted:
            if job not in found or not found[job].noted:
                found[job] = Declared(job)
                found[job].edges = list(_recorded(state, job))
                for edge in found[job].edges:
                    found.setdefault(edge.upstream, Declared(edge.upstream))
        order = upstream_first(found, {job: [edge.upstream for edge in each.edges] for job, each in found.items()})
        self.of = {job: found[job] for job in order}

    def __iter__(self) -> Iterator[Declared]:
        return iter(self.of.values())


def _noted(store: Store) -> Iterator[dict[str, Any]]:
    """The files of runs that noted their jobs, the newest first."""
    try:
        names = sorted(os.listdir(store.layout.runs), reverse=True)
    except OSError:
        return
    for name in [name for name in names if name.endswith('.json')][:MOST]:
        facts = facts_of(store, name.removesuffix('.json'))
        if isinstance(facts.get('declared'), dict):
            yield facts


def _recorded(state: State, job: str) -> Iterator[Edge]:
    """The edges that the newest record of a job compares."""
    rows = state.rows(job)
    if rows is None:
        return
    record = rows.record(_newest(rows))
    for component in record.upstream:
        yield _edge(component, False)
    for component in record.own:
        if component.startswith('upstream '):
            yield _edge(component.removeprefix('upstream '), True)


def _newest(rows: Rows) -> int:
    return max(range(len(rows)), key=rows.generation) if len(rows) < 1000 else len(rows) - 1


def _edge(component: str, each: bool) -> Edge:
    """As `plan.Link.component` spells it."""
    name, mark, status = component.rpartition('?')
    return Edge(name, status, each) if mark and status in ('failure', 'any') else Edge(component, 'success', each)
