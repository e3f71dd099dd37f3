"""Of a task without a record: why a run had planned it, and what happened in that run in its stead, or what it waits for."""

from __future__ import annotations

from awflow.plan import task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.jobs import Edge, Jobs
    from awflow.cli.observed import Workflow

SHOWN = 6  # tasks named
FINISHED = 'its run ended'  # as Store.finish notes it


def not_started(attempt: LastAttempt) -> Iterator[str]:
    """Lines for one task."""
    from awflow.cli.history import account_of

    state = attempt.workflow.state
    number = max(n for n, of_jobs in state.all_reasons.items() if attempt.job in of_jobs)
    account = account_of(state, number)
    reasons = account.of(attempt.job, attempt.key)
    yield f'It has not run. It was to run because {"; ".join(reason.sentence(past=True) for reason in reasons)}'
    yield from account.told(reasons, '  ')
    death = _death(attempt.workflow, number)
    in_the_way = list(_in_the_way(attempt))
    if death:
        yield f'That run died before it came to it: {death}.'
    if in_the_way:
        yield from in_the_way
    elif not death:
        yield 'That run ended before it came to it: it was stopped, or what it waits for ended so that it had to be skipped.'


def skipped(attempt: LastAttempt) -> Iterator[str]:
    """The same of one that a run left out, or that was cancelled before it began."""
    yield 'It has not run.'
    yield from _in_the_way(attempt)


def waits(attempt: LastAttempt) -> Iterator[str]:
    """What a task waits for that somebody has claimed."""
    from awflow.cli.observed import NOT_STARTED, RUNNING, WAITING

    workflow = attempt.workflow
    found = False
    for edge in _jobs(workflow).of[attempt.job].edges:
        tasks = [task for task in _tasks(workflow, edge, attempt.key) if task[1] in (RUNNING, WAITING, NOT_STARTED)]
        if tasks:
            yield f'It waits for {edge.upstream}: {_some(tasks)}.'
            found = True
    if not found:
        yield 'What it waits for has ended: it waits for a free place.'


def _jobs(workflow: Workflow) -> Jobs:
    from awflow.cli.jobs import Jobs

    return Jobs(workflow.store, workflow.state, workflow.jobs())


def _death(workflow: Workflow, number: int) -> str:
    """How it is known that the run of an entry was killed; '' if it came to its end."""
    if number in workflow.evidence:
        return workflow.evidence[number].why
    end = workflow.store.end_of(number, workflow.state)
    return '' if end.get('why', FINISHED) == FINISHED else str(end['why'])


def _in_the_way(attempt: LastAttempt) -> Iterator[str]:
    """Of each edge that does not let it start, which tasks are the reason: of the job that it waits for, or further up."""
    workflow = attempt.workflow
    yield from _above(workflow, _jobs(workflow), attempt.job, attempt.key, 'It waits for', {attempt.job})


def _above(workflow: Workflow, jobs: Jobs, job: str, key: str, words: str, seen: set[str]) -> Iterator[str]:
    """The same of a job on the way up. A job that did not start, or that kept a success of before, is not the reason if
    something above it is.
    """
    for edge in jobs.of[job].edges if job in jobs.of else ():
        tasks = _tasks(workflow, edge, key)
        bad = [(name, outcome) for name, outcome in tasks if outcome != 'succeeded']
        ended = any(outcome != 'not started' for _, outcome in bad)
        if edge.status == 'failure' and tasks and not bad:
            yield f'{words} a failure of {edge.upstream}, which succeeded.'
        elif edge.status == 'success' and ended:
            yield f'{words} {edge.upstream}: {_some(bad)}.'
        elif edge.upstream not in seen:
            seen.add(edge.upstream)
            further = f'{words} {edge.upstream}, which waits for'
            found = list(_above(workflow, jobs, edge.upstream, key, further, seen))
            yield from found or ([f'{words} {edge.upstream}: {_some(bad)}.'] if bad and edge.status == 'success' else [])


def _some(tasks: list[tuple[str, str]]) -> str:
    more = f', ... {len(tasks)} in all' if len(tasks) > SHOWN else ''
    return ', '.join(f'{name} {outcome}' for name, outcome in tasks[:SHOWN]) + more


def _tasks(workflow: Workflow, edge: Edge, key: str) -> list[tuple[str, str]]:
    """The tasks at the other end of an edge with how they stand: those first that ran and did not succeed."""
    from awflow.cli.listing import outcomes_of

    keys = workflow.keys(edge.upstream)
    if edge.each and key in keys:
        keys = [key]
    outcomes = outcomes_of(workflow, edge.upstream, keys)
    found = [(task_name(edge.upstream, each), how) for each, how in zip(keys, outcomes, strict=True)]
    return sorted(found, key=lambda task: task[1] == 'not started')
