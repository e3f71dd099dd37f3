"""The graph of jobs: who is reachable, in which order, under which name. No recursion, as chains may be 10,000 jobs long."""

from __future__ import annotations

from awflow.errors import CycleError, DefinitionError, DuplicateJobError
from awflow.job import Job, JobReference

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


def jobs_of(given: Iterable[object], where: str) -> list[Job]:
    """The jobs that a user handed over, each once; raises DefinitionError for anything else."""
    found: dict[Job, None] = {}
    for job in given:
        if isinstance(job, JobReference):
            job = job.resolve()
        if not isinstance(job, Job):
            raise DefinitionError('{_where} takes jobs', 'Decorate the function with @job.', _where=where, given=repr(job))
        found[job] = None
    return list(found)


def ordered(jobs: Iterable[Job]) -> list[Job]:
    """The given jobs and all they depend on, upstream first, otherwise in order of definition; raises CycleError."""
    result: list[Job] = []
    done: set[Job] = set()
    path: dict[Job, None] = {}  # the branch being walked, in order
    for start in sorted(jobs, key=lambda job: job.serial):
        if start in done:
            continue
        stack = [(start, iter(start.edges))]
        path[start] = None
        while stack:
            job, rest = stack[-1]
            for edge in rest:
                if edge.job not in done:
                    break
            else:
                stack.pop()
                del path[job]
                done.add(job)
                result.append(job)
                continue
            upstream = edge.job
            if upstream in path:
                names = [j.name for j in path]
                cycle = [*names[list(path).index(upstream) :], upstream.name]
                raise CycleError(path=' -> '.join(reversed(cycle)))
            path[upstream] = None
            stack.append((upstream, iter(upstream.edges)))
    return result


def terminal_nodes(*jobs: Job, prune: bool = False) -> list[Job]:
    """The jobs at the end of every path from the given ones, in order of definition; with `prune` each is marked by
    `Job.prune()`.
    """
    seen: set[Job] = set()
    stack = jobs_of(jobs, 'terminal_nodes()')
    leaves = []
    while stack:
        job = stack.pop()
        if job in seen:
            continue
        seen.add(job)
        if not job.dependents:
            leaves.append(job)
        stack += job.dependents
    if seen and not leaves:
        ordered(seen)  # only a cycle has no end: it says which
    for job in leaves:
        if prune:
            job.prune()
    return sorted(leaves, key=lambda job: job.serial)


def unique_names(jobs: list[Job], captured: Callable[[Job], str]) -> dict[Job, str]:
    """The name of each job in its workflow. Variants of one name, as a loop makes them, are told apart by a digest of what
    they captured; raises DuplicateJobError for two that cannot be.
    """
    names = {job: job.name for job in jobs}
    if len(set(names.values())) == len(names):
        return names
    groups: dict[str, list[Job]] = {}
    for job in jobs:
        groups.setdefault(job.name, []).append(job)
    for name, group in groups.items():
        if len(group) == 1:
            continue
        taken: dict[str, Job] = {}
        for job in group:
            label = f'{name}~{captured(job)[:8]}'
            if label in taken:
                raise DuplicateJobError(
                    'two jobs are called {job!r} and capture the same values, so their records cannot be told apart',
                    "Name them: @job(name=f'{_name}_...'), or give the function the loop's variable as a default: def f(p=p).",
                    job=name, first=taken[label].site, second=job.site, _name=name,
                )  # fmt: skip
            taken[label] = job
            names[job] = label
    return names


def refuse_stale(jobs: list[Job]) -> None:
    """Refuse an edge to a job that a notebook has redefined since: its new cell would silently not count."""
    for job in jobs:
        for edge in job.edges:
            upstream = edge.job
            scope = getattr(upstream.function, '__globals__', {})
            if '__file__' in scope:
                continue
            now = scope.get(getattr(upstream.function, '__name__', ''))
            if isinstance(now, Job) and now is not upstream and now.name == upstream.name and _edited(now, upstream):
                raise DefinitionError(
                    'job {job!r} waits for an earlier definition of {upstream!r}', 'Run the cell that defines {job!r} again.',
                    job=job.name, upstream=upstream.name, earlier=upstream.site, now=now.site,
                )  # fmt: skip


def _edited(one: Job, other: Job) -> bool:
    return getattr(one.function, '__code__', None) != getattr(other.function, '__code__', None)
