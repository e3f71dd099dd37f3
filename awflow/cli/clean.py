"""`awflow clean`: put right what crashed runs left. Plan, show with evidence, confirm, apply."""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from awflow.cli.cleaning import Cleaning, Options, Scene, Verdict
    from awflow.cli.damaged import Damage
    from awflow.cli.litter import Removal
    from awflow.cli.mend import Done

UNITS = {'s': 1, 'min': 60, 'm': 60, 'h': 3600, 'd': 86400, 'w': 7 * 86400, 'y': 365 * 86400}
SHOWN = 4  # tasks, files or folders named of a group

EPILOG = """\b
Examples: awflow clean                        # shows what it would do, and asks
          awflow clean --yes --older-than 30d
          awflow clean --force fit            # a run on another host is gone, as you know

Exit status: 0 done, nothing to do, or only shown (--dry-run); 1 not done, in whole or in part: the reason is said.
"""


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """An age as people say it, 30d, 12h or 2w, in seconds."""
    import re

    if value is None:
        return None
    found = re.fullmatch(r'(\d+(?:\.\d*)?)\s*([a-z]+)', value.strip().lower())
    if found is None or found[2] not in UNITS:
        raise click.BadParameter(f'{value!r} is no age; say 30d, 12h or 2w', ctx, param)
    return float(found[1]) * UNITS[found[2]]


@click.command(epilog=EPILOG)
@click.option('--outputs', is_flag=True, help='Also remove what crashed tasks have declared and partly written, one by one.')
@click.option(
    '--orphans', is_flag=True, help='Also remove files of jobs that the script does not schedule any more; it is asked.'
)
@click.option(
    '--older-than', 'older', callback=_seconds, metavar='AGE', help='Also remove logs, payloads and files of runs of that age.'
)
@click.option('--force', metavar='JOB', multiple=True, help='Break the claim on this job though its run is only suspect.')
@click.option('--dry-run', is_flag=True, help='Show what would be done, and do nothing.')
@click.option('--yes', '-y', is_flag=True, help='Do not ask.')
@click.option('--json', 'as_json', is_flag=True, help='Print it for programs; with --yes or --dry-run.')
@state_option
@workflow_option
def clean(
    outputs: bool, orphans: bool, older: float | None, force: Sequence[str], dry_run: bool, yes: bool, as_json: bool,
    root: str, workflow: str | None,
) -> None:  # fmt: skip
    """End the claims of dead runs, and remove files that nobody needs.

    Says of every claim whether its run lives, and how that is known. What dead runs were executing is recorded as crashed and
    runs again; their jobs in Slurm that can never start are cancelled. A claim whose run lives, or may live, is left alone,
    and so is every file that a success vouches for. Asks before anything is changed.
    """
    from awflow.cli.cleaning import Cleaning, Options, refuse_unknown
    from awflow.cli.workflows import chosen

    if as_json and not (yes or dry_run):
        raise click.UsageError('--json does not ask: add --dry-run or --yes')
    options = Options(outputs, orphans, older, force)
    looking = dry_run and not (outputs or orphans)  # for those, code of the user's is asked
    scenes, damaged = _scenes(root, chosen(root, workflow), looking)
    if not damaged:
        refuse_unknown(scenes, force)
    found = [Cleaning(scene, options, patient=not dry_run) for scene in scenes]
    if not as_json:
        _show(found, damaged)
    done = _applied(found, damaged, options, yes, dry_run)
    if as_json:
        _print_json(root, found, damaged, done)
    elif done is not None:
        _tell(done, damaged)
    elif any(found) or damaged:
        click.echo('Nothing was changed.')
    if done is not None and any(each.failures for each in done):
        raise click.exceptions.Exit(1)


def _scenes(root: str, names: Sequence[str], looking: bool) -> tuple[list[Scene], list[Damage]]:
    """The workflows, and those that cannot be read."""
    from awflow.cli.cleaning import Scene
    from awflow.errors import StateCorruptError

    scenes, damaged = [], []
    for name in names:
        try:
            scenes.append(Scene(root, name, looking))
        except StateCorruptError as error:  # noqa: PERF203  a few workflows at most
            from awflow.cli.damaged import Damage

            damaged.append(Damage(root, name, error))
    return scenes, damaged


def _applied(
    found: Sequence[Cleaning], damaged: Sequence[Damage], options: Options, yes: bool, dry_run: bool
) -> list[Done] | None:  # fmt: skip
    """Do it if that is wanted; None if nothing was to be done."""
    from awflow.cli.amend import refuse_unwritable
    from awflow.cli.mend import apply, confirm

    if dry_run or not (any(found) or damaged):
        return None
    for layout in [*(cleaning.scene.store.layout for cleaning in found if cleaning), *(d.salvage.layout for d in damaged)]:
        refuse_unwritable(layout)
    for damage in damaged:
        damage.refuse_living(options.force)
    if not confirm('Do this?', yes):
        raise click.exceptions.Exit(1)
    for damage in damaged:
        damage.mend()
    return [apply(cleaning, options) for cleaning in found if cleaning]


def _print_json(
    root: str, found: Sequence[Cleaning], damaged: Sequence[Damage], done: Sequence[Done] | None
) -> None:  # fmt: skip
    from json import dumps

    workflows = [*(cleaning.to_dict() for cleaning in found), *(damage.to_dict() for damage in damaged)]
    failures = [failure for each in done or () for failure in each.failures]
    result = {'state': root, 'workflows': workflows, 'applied': done is not None, 'failures': failures}
    click.echo(dumps(result, indent=1))


# -- what is shown -----------------------------------------------------------------------------------------------------


def _show(found: Sequence[Cleaning], damaged: Sequence[Damage]) -> None:
    from os.path import relpath

    from awflow.cli.console import console, visible

    out = console()
    for place, cleaning in enumerate(found):
        if place:
            out.print()
        where = relpath(cleaning.scene.store.layout.root)
        out.print(f'{visible(cleaning.scene.name)} in {visible(where)}', style='bold', soft_wrap=True)
        for verdict in cleaning.verdicts:
            _show_claim(out, verdict)
        for job, why in cleaning.blocked.items():
            out.print(f'cancel Slurm job {job}: {visible(why)}', soft_wrap=True)
        _show_removals(out, cleaning.removals)
        for note in cleaning.notes:
            out.print(f'note: {visible(note)}', style='dim', soft_wrap=True)
        if not cleaning:
            out.print('Nothing to do.')
    for damage in damaged:
        out.print(visible(damage.name), style='bold', soft_wrap=True)
        for line in damage.lines():
            out.print(visible(line), soft_wrap=True)


def _show_claim(out: Console, verdict: Verdict) -> None:
    """The evidence, and below it what follows."""
    from time import time

    from rich.text import Text

    from awflow.cli.console import STYLES, visible
    from awflow.cli.units import duration, moment

    sign = f'; last sign of life {duration(max(time() - verdict.sign, 0.0))} ago' if verdict.sign else ''
    head = Text(f'{verdict.state}: ', style=STYLES[verdict.state]).append(f'{visible(verdict.why)}{sign}', style='default')
    out.print(head, soft_wrap=True)
    since = f'run {visible(verdict.run)}, since {moment(verdict.since, time())}'
    out.print(f'  {since}: {verdict.ended} of {verdict.total} tasks ended', soft_wrap=True)
    for line in _consequences(verdict):
        out.print(f'  -> {visible(line)}', soft_wrap=True)


def _consequences(verdict: Verdict) -> list[str]:
    from awflow.cli.cleaning import BREAK, LEAVE

    lines = [f'{_named([task])} {outcome}: {why}' for task, (outcome, why) in list(verdict.told.items())[:SHOWN]]
    if len(verdict.told) > SHOWN:
        lines.append(f'... and {len(verdict.told) - SHOWN} more that left the queue')
    if verdict.action == LEAVE and verdict.missing:
        return ['left alone as yet: without --dry-run the queue is asked once more, half a minute later']
    if verdict.action == LEAVE:
        hint = f', or end it with --force {verdict.jobs[0]} if you know that it is gone' if verdict.state == 'suspect' else ''
        return [f'left alone{hint}']
    if verdict.crashed:
        lines.append(f'crashed: {_named(verdict.crashed)}')
    if verdict.ends:
        rest = f'; {verdict.open} not begun' if verdict.open else ''
        lines.append(f'the claim is {"broken" if verdict.action == BREAK else "ended"}{rest}')
    return lines


def _named(tasks: Sequence[tuple[str, str]]) -> str:
    """Tasks by job, the first of many."""
    from awflow.explain import Group

    jobs: dict[str, list[str]] = {}
    for job, key in tasks:
        jobs.setdefault(job, []).append(key)
    shown = [f'{job}{Group(keys, "", ()).where()}' for job, keys in list(jobs.items())[:SHOWN]]
    return ', '.join(shown) + (f', ... {len(tasks)} tasks in all' if len(jobs) > SHOWN else '')


def _show_removals(out: Console, removals: Sequence[Removal]) -> None:
    """Outputs one by one; of other files those of a kind and a reason together."""
    from os.path import relpath

    from awflow.cli.console import visible
    from awflow.cli.litter import sizes
    from awflow.cli.units import size

    groups: dict[tuple[str, str], list[Removal]] = {}
    for removal in removals:
        if removal.task:
            out.print(f'remove {visible(relpath(removal.path))} ({size(removal.size)}), of {visible(removal.task)}: '
                      f'{visible(removal.why)}', soft_wrap=True)  # fmt: skip
        else:
            groups.setdefault((removal.kind, removal.why), []).append(removal)
    for (kind, why), found in groups.items():
        out.print(f'remove {_counted(kind, found)} ({size(sizes(found))}): {visible(why)}', soft_wrap=True)
        for removal in found[:SHOWN]:
            out.print(f'  {visible(relpath(removal.path))}', style='dim', soft_wrap=True)
        if len(found) > SHOWN:
            out.print(f'  ... {len(found)} in all', style='dim')


def _counted(kind: str, found: Sequence[Removal]) -> str:
    from awflow.cli.console import visible

    return visible(kind) if len(found) == 1 else f'{len(found)} x {visible(kind)}'


def _tell(done: Sequence[Done], damaged: Sequence[Damage]) -> None:
    """What was done."""
    from awflow.cli.console import visible
    from awflow.cli.litter import sizes
    from awflow.cli.units import size

    ended = sum(len(each.ended) for each in done)
    removed = [removal for each in done for removal in each.removed]
    cancelled, recorded = sum(len(each.cancelled) for each in done), sum(each.recorded for each in done)
    parts = [f'ended {ended} claim{"s" * (ended != 1)}'] if ended else []
    parts += [f'recorded {recorded} that left the queue'] if recorded else []
    parts += [f'cancelled {cancelled} in Slurm'] if cancelled else []
    parts += [f'removed {len(removed)} file{"s" * (len(removed) != 1)} ({size(sizes(removed))})'] if removed else []
    parts += (
        [f'mended {len(damaged)} damaged state{"s" * (len(damaged) != 1)}: look again with awflow clean'] if damaged else []
    )
    failures = [failure for each in done for failure in each.failures]
    if parts or not failures:
        click.echo(f'Done: {", ".join(parts) or "others were faster"}.')
    for failure in failures:
        click.echo('\n'.join(visible(line) for line in f'awflow: {failure}'.splitlines()), err=True)
