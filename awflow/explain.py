"""Why tasks run, or ran, as text: one renderer for `schedule(dry_run=True)` and for `awflow why`.

What it draws is an account: by job, groups of tasks with one verdict and its reasons. A plan gives one of what is going to
run; the entry of a claim gives one of what a run that is over had found; and both lead to the cause by the same steps.
"""

from __future__ import annotations

from awflow.plan import IN
from awflow.reasons import MISSING, RUNS, Reason
from awflow.state.ledger import decode_keys, encode_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Final

    from awflow.plan import Plan, Planned

SHOWN: Final = 6  # tasks of a group, reasons of a task
GROUPS: Final = 30  # groups of a job
DEEP: Final = 20  # steps from a task to the cause
LONG: Final = 200  # lines of a difference
UPSTREAM: Final = ('upstream runs', 'upstream may run', 'upstream changed')


class Group:
    """Tasks of one job of which the same was found, for the same reasons."""

    __slots__ = ('keys', 'kind', 'reasons', 'runs')

    def __init__(self, keys: list[str], kind: str, reasons: Sequence[Reason], runs: bool = True) -> None:
        self.keys = keys
        self.kind = kind
        self.reasons = reasons
        self.runs = runs

    def of(self, key: str) -> Group:
        """One task of it."""
        return Group([key], self.kind, self.reasons, self.runs)

    def where(self) -> str:
        """Which tasks, in brackets; '' for the task of a job without array."""
        if self.keys == ['-']:
            return ''
        shown = ', '.join(self.keys[:SHOWN]) + (f', ... {len(self.keys)} in all' if len(self.keys) > SHOWN else '')
        return f'[{shown}]'

    def why(self, past: bool = False) -> str:
        """The reasons as one text."""
        told = '; '.join(reason.sentence(past) for reason in self.reasons[:SHOWN])
        return told + (f'; ... {len(self.reasons)} in all' if len(self.reasons) > SHOWN else '')


def no_source(component: str, text: str) -> str:
    """Where no sources are known."""
    return ''


class Account:
    """What was found of tasks, by job, and where to look up the source of code that a reason names."""

    def __init__(
        self, groups: Mapping[str, list[Group]], source: Callable[[str, str], str] = no_source, past: bool = False
    ) -> None:
        self.groups = groups
        self.source = source
        self.past = past
        self._places: dict[str, dict[str, Group]] = {}

    @classmethod
    def of_plan(cls, plan: Plan, source: Callable[[str, str], str] = no_source) -> Account:
        """What a plan found of all tasks that are not simply fresh."""
        return cls({planned.facts.name: _grouped(planned) for planned in plan.jobs}, source)

    @classmethod
    def from_json(cls, told: Mapping[str, list[Any]], source: Callable[[str, str], str] = no_source) -> Account:
        """From `to_json`."""
        groups = {
            job: [
                Group(decode_keys(keys), kind, [Reason.from_dict(reason) for reason in reasons], runs)
                for keys, kind, reasons, runs in found
            ]
            for job, found in told.items()
        }
        return cls(groups, source)

    def to_json(self) -> dict[str, list[Any]]:
        """All of it, for another process."""
        return {
            job: [[encode_keys(g.keys), g.kind, [reason.to_dict() for reason in g.reasons], g.runs] for g in groups]
            for job, groups in self.groups.items()
        }

    def named(self) -> set[tuple[str, str]]:
        """Component and text of all code that a reason names as the one before or after."""
        reasons = [reason for groups in self.groups.values() for group in groups for reason in group.reasons]
        return {(reason.name, text) for reason in reasons for text in (reason.was, reason.now) if text}

    @classmethod
    def of_entry(
        cls, told: Mapping[str, list[Any]], source: Callable[[str, str], str] = no_source, past: bool = True
    ) -> Account:
        """What an entry of the ledger says of its tasks."""
        groups = {
            job: [
                Group(decode_keys(keys), kind, [Reason.from_dict(reason) for reason in reasons])
                for keys, kind, reasons in found
            ]
            for job, found in told.items()
        }
        return cls(groups, source, past)

    def for_entry(self) -> dict[str, list[Any]]:
        """What an entry keeps: the tasks that run, or may, with their reasons."""
        told = {
            job: [[encode_keys(g.keys), g.kind, [reason.to_dict() for reason in g.reasons]] for g in groups if g.runs]
            for job, groups in self.groups.items()
        }
        return {job: groups for job, groups in told.items() if groups}

    def group(self, job: str, key: str) -> Group | None:
        """The group that a task is in."""
        if job not in self._places:
            self._places[job] = {each: group for group in self.groups.get(job, ()) for each in group.keys}
        return self._places[job].get(key)

    def of(self, job: str, key: str) -> Sequence[Reason]:
        """The reasons of a task, none if it is in no group."""
        found = self.group(job, key)
        return found.reasons if found is not None else ()

    def _cause(self, name: str) -> tuple[str, Group, int] | None:
        """Of the upstream that a reason names: its job, the tasks that surely run, and how many groups there are."""
        job, key = name, ''
        while job not in self.groups and '[' in job:
            job = job[: job.rindex('[')]
            key = name[len(job) + 1 : -1]
        found = [group for group in self.groups.get(job, ()) if group.runs and (not key or key in group.keys)]
        if not found:
            return None
        first = min(found, key=lambda group: RUNS.index(group.kind) if group.kind in RUNS else len(RUNS))
        return job, first.of(key) if key else first, len(found)

    def steps(self, reasons: Sequence[Reason]) -> Iterator[tuple[str, Sequence[Reason]]]:
        """From reasons that name an upstream to the cause: a line for each step, and the reasons that it found."""
        seen: set[str] = set()
        while reasons and len(seen) < DEEP:
            name = next((reason.name for reason in reasons if reason.kind in UPSTREAM), None)
            cause = self._cause(name) if name is not None and name not in seen else None
            if name is None or cause is None:
                return
            seen.add(name)
            job, group, number = cause
            more = f' (and {number - 1} more for other reasons)' if number > 1 else ''
            verb = 'ran' if self.past else 'runs' if group.kind in RUNS[:2] else 'may run'
            yield f'because {job}{group.where()} {verb}: {group.why(self.past)}{more}', group.reasons
            reasons = group.reasons

    def told(self, reasons: Sequence[Reason], indent: str, seen: set[object] | None = None) -> Iterator[str]:
        """The lines below a verdict: the way to the cause, and what changed in code that is named on it."""
        found = [*reasons]
        for depth, (line, step) in enumerate(self.steps(reasons)):
            yield f'{indent}{"  " * depth}{line}'
            found += step
        seen = set() if seen is None else seen
        for reason in found:
            if (reason.was or reason.now) and reason not in seen:
                seen.add(reason)
                yield from (f'{indent}{line}' for line in self.difference(reason))

    def difference(self, reason: Reason) -> Iterator[str]:
        """What changed in a piece of code, as a unified diff."""
        from difflib import unified_diff

        old = self.source(reason.name, reason.was) if reason.was else ''
        new = self.source(reason.name, reason.now) if reason.now else ''
        if (reason.was and not old) or (reason.now and not new):
            yield f'({reason.name}: its source {"before" if not old and reason.was else "now"} is not known)'
            return
        before, after = f'{reason.name}, before', f'{reason.name}, {"then" if self.past else "now"}'
        lines = list(unified_diff(_lines_of(old), _lines_of(new), before, after, lineterm=''))
        yield from lines[:LONG]
        if len(lines) > LONG:
            yield f'... {len(lines) - LONG} more lines'
        if not lines:
            yield f'({reason.name}: the text is the same; what it compiles to, or the names in it stand for, is not)'


def _lines_of(source: str) -> list[str]:
    return source.expandtabs(4).split('\n')[:-1]  # `splitlines` would cut at form feeds, too


def _grouped(planned: Planned) -> list[Group]:
    """The tasks that are not fresh, those of one verdict together."""
    found: dict[tuple[str, bool, tuple[Reason, ...]], list[str]] = {}
    reasons_of: dict[int, tuple[Reason, ...]] = {}  # most rows share one sequence of reasons: made a tuple once
    for row, kind in sorted(planned.kinds.items()):
        reasons = planned.reasons.get(row, ())
        shared = reasons_of.setdefault(id(reasons), tuple(reasons))
        found.setdefault((kind, planned.mark[row] == IN, shared), []).append(planned.facts.keys[row])
    return [Group(keys, kind, reasons, runs) for (kind, runs, reasons), keys in found.items()]


def visible(text: str) -> str:
    """A text of the user's on one line, with what would steer the terminal spelled out."""
    return ''.join(letter if letter.isprintable() else letter.encode('unicode_escape').decode() for letter in text)


def render_plan(plan: Plan, source: Callable[[str, str], str] = no_source) -> str:
    """The plan as text: every job in a line, below it the tasks in question with their reasons."""
    account = Account.of_plan(plan, source)
    lines: list[str] = []
    seen: set[object] = set()
    for planned in plan.jobs:
        counts: dict[str, int] = {}
        for row in range(len(planned.mark)):
            counts[planned.kind(row)] = counts.get(planned.kind(row), 0) + 1
        summary = ', '.join(f'{count} {kind}' for kind, count in counts.items()) or 'empty array'
        lines.append(f'{planned.facts.name}  {summary}')
        groups = account.groups[planned.facts.name]
        for group in groups[:GROUPS]:
            lines += lines_of(account, group, seen)
        lines += [f'  ... and {sum(len(g.keys) for g in groups[GROUPS:])} more tasks'] if len(groups) > GROUPS else []
    totals = ', '.join(f'{count} {kind}' for kind, count in plan.counts().items() if count) or 'nothing'
    return '\n'.join(map(visible, [*lines, f'in all: {totals}']))


def lines_of(account: Account, group: Group, seen: set[object] | None = None) -> Iterator[str]:
    """A group with its verdict, the way to the cause, and what changed in code that `seen` does not hold yet."""
    where, why = group.where(), group.why(account.past)
    idle = ' (not run: nothing that runs needs it)' if group.kind == MISSING and not group.runs else ''
    yield f'  {where + " " if where else ""}{group.kind}{": " + why if why else ""}{idle}'
    yield from account.told(group.reasons, '    ', seen)
