"""What a shell is offered when a word is completed: jobs, tasks and workflows, from the state alone, and quietly.

Nothing is asked of processes or of a queue, and where there is no state there is nothing to offer.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import click
    from click.shell_completion import CompletionItem

    from awflow.state.view import State

MOST = 200  # tasks offered


def offer(param: click.Parameter, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
    """What a parameter that takes tasks offers."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(task) for task in tasks(ctx, incomplete)]


def tasks(ctx: click.Context, incomplete: str) -> list[str]:
    """Jobs that begin so; once a bracket is open, tasks of the job."""
    job, bracket, value = incomplete.partition('[')
    found: dict[str, None] = {}
    for state in _states(ctx):
        if bracket:
            found.update(dict.fromkeys(f'{job}[{key}]' for key in _spelled(state, job) if key.startswith(value)))
        else:
            found.update(dict.fromkeys(name for name in _jobs(state) if name.startswith(incomplete)))
    return list(found)[:MOST]


def workflows(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Workflows that begin so."""
    from awflow.cli.workflows import names
    from awflow.errors import AwflowError

    try:
        return [name for name in names(_root(ctx)) if name.startswith(incomplete)]
    except AwflowError:
        return []


def _root(ctx: click.Context) -> str:
    from awflow.cli.workflows import root_of

    return root_of(ctx.params.get('root') or os.environ.get('AWFLOW_STATE'))


def _states(ctx: click.Context) -> Iterator[State]:
    from awflow.cli.workflows import chosen
    from awflow.errors import AwflowError
    from awflow.state.store import Store

    try:
        root = _root(ctx)
        for name in chosen(root, ctx.params.get('workflow')):
            yield Store(root, name).read()
    except AwflowError:
        return


def _jobs(state: State) -> dict[str, None]:
    planned = (job for of_jobs in state.all_reasons.values() for job in of_jobs)
    return dict.fromkeys([*state.jobs(), *(job for claim in state.claims.values() for job in claim.tasks), *planned])


def _spelled(state: State, job: str) -> Iterator[str]:
    """The values of a job as they are written with least trouble: strings without their quotes, unless that means another."""
    keys = list(_keys(state, job))
    known = set(keys)
    for key in keys:
        bare = key[1:-1]
        plain = key[:1] in ('"', "'") and key[-1:] == key[:1] and '\\' not in bare and bare not in known
        yield bare if plain else key


def _keys(state: State, job: str) -> Iterator[str]:
    rows = state.rows(job)
    known = rows.keys if rows is not None else ()
    yield from known
    for claim in state.claims.values():
        yield from (key for key in sorted(claim.keys(job)) if rows is None or rows.row(key) is None)
