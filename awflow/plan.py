"""The plan: which tasks run, which may, and why. Pure: all that is asked of the world is in the arguments.

Tasks are rows of their job, never objects. A survey of the world says of every task whether it is fresh, missing (what it
should make is not there) or outdated (it must run) as far as the task alone can tell. What the plan adds is demand: the
tasks that run, or may, are the least set that holds

    every outdated task,
    every missing task that is scheduled,
    every task with an upstream in the set, or in flight elsewhere, or with another outcome than the one it used,
    every missing task with a dependent in the set (along a failure edge only if it never ran),

without those whose edges are decided and say no. The set only ever grows, and growing only ever undoes such a no, so
sweeping down and up the graph until nothing changes finds it.
"""

from __future__ import annotations

from awflow.edges import answer, decide
from awflow.facts import (
    ELSEWHERE_ROW,
    FRESH_ROW,
    MISSING_ROW,
    OUTDATED_ROW,
    SETTLED,
    TOLD,
    Facts,
    Link,
    places_of,
)
from awflow.outcome import job_end, skipped_end
from awflow.reasons import FRESH, IN_FLIGHT, MAYBE, MISSING, OUTDATED, SKIPPED, Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

OUT, IN, SKIP, ELSEWHERE = range(4)  # where the plan puts a row (Planned.mark)


class Planned:
    """The plan for one job: where each row is, its verdict, and the outcomes known now."""

    __slots__ = ('facts', 'kinds', 'mark', 'reasons', 'stood', 'wanted')

    def __init__(self, facts: Facts) -> None:
        self.facts = facts
        self.mark = bytearray(len(facts.keys))
        self.kinds: dict[int, str] = {}  # rows that are not simply fresh
        self.reasons: dict[int, Sequence[Reason]] = {}
        self.stood: dict[int, bytes] = {}  # of skipped rows: the outcome on record
        self.wanted = ''  # the dependent for which missing rows were taken in

    def kind(self, row: int) -> str:
        """The class of the verdict on a row."""
        return self.kinds.get(row, FRESH)

    def rows(self, mark: int = IN) -> Iterator[int]:
        """The rows marked so."""
        return places_of(self.mark, mark)

    def told(self) -> Iterable[int]:
        """The rows of which there is something to say, in order."""
        facts = self.facts
        if self.untouched and not facts.reasons and MISSING_ROW not in facts.base:
            return ()
        return [row for row, marks in enumerate(zip(self.mark, facts.base, strict=True)) if any(marks) or row in facts.reasons]

    @property
    def untouched(self) -> bool:
        """Whether no row is marked."""
        return self.mark.count(OUT) == len(self.mark)

    def succeeded(self, row: int) -> bool | None:
        """How a row counts for edges while nothing runs; None if undecided."""
        mark = self.mark[row]
        if mark == SKIP:
            return False
        if mark != OUT:
            return None
        return None if row in self.facts.never and self.facts.base[row] != FRESH_ROW else True


class Plan:
    """What must run, what may, and why, for all jobs of a schedule, upstream first."""

    def __init__(self, jobs: list[Facts]) -> None:
        self.jobs = [Planned(facts) for facts in jobs]
        self._whole: list[tuple[bool | None, bool, bytes]] = []  # of each job: succeeded, running, outcome
        self._sure: list[bool] = []  # of each job: whether some of it surely runs
        for planned in self.jobs:
            if ELSEWHERE_ROW in planned.facts.base:
                for row in places_of(planned.facts.base, ELSEWHERE_ROW):
                    planned.mark[row] = ELSEWHERE
        while self._down() | self._up():
            pass
        self._explain()

    # -- the least set -------------------------------------------------------------------------------------------------

    def _down(self) -> bool:
        """Upstream first: edges decided, tasks below the set taken in. Whether anything changed."""
        changed = False
        self._whole = []
        for planned in self.jobs:
            facts, mark = planned.facts, planned.mark
            for row in self._in_question(planned):
                if mark[row] in (IN, ELSEWHERE):
                    continue
                new = self._place(facts, row)
                changed |= new != mark[row]
                if mark[row] == SKIP:
                    facts.ends[row] = planned.stood.pop(row)
                mark[row] = new
                if new == SKIP:
                    planned.stood[row] = facts.ends[row]
                    facts.ends[row] = skipped_end([self.end_of(link, row) for link in facts.links])
            running = IN in mark or ELSEWHERE in mark
            self._whole.append((self._job_succeeded(planned), running, job_end(facts.ends)))
        return changed

    def _in_question(self, planned: Planned) -> Iterable[int]:
        """The rows whose place has to be found one by one: all, but for settled ones that stay where they are."""
        facts = planned.facts
        if not facts.links and facts.base.count(FRESH_ROW) == len(facts.base):
            return ()
        if facts.settled is None or SKIP in planned.mark:
            return range(len(planned.mark))
        alike = bytearray(facts.settled)
        for link in facts.links:
            if link.partners is not None:
                self._set_apart(alike, link.partners, self.jobs[link.upstream])
        if facts.links:
            leaving = {number for row, number in facts.used.examples(alike) if self._place(facts, row) != OUT}
            for row in places_of(facts.settled, SETTLED) if leaving else ():
                if facts.used.column[row] in leaving:
                    alike[row] = 0
        return [row for other in (0, TOLD) for row in places_of(alike, other)]

    def _set_apart(self, alike: bytearray, partners: Sequence[int], upstream: Planned) -> None:
        """Rows whose partner is not settled and out are not like the others."""
        settled = upstream.facts.settled
        if settled is not None and upstream.untouched and settled.count(SETTLED) == len(settled):
            return
        for row, partner in enumerate(partners):
            if upstream.mark[partner] != OUT or settled is None or settled[partner] != SETTLED:
                alike[row] = 0

    def _job_succeeded(self, planned: Planned) -> bool | None:
        facts, mark = planned.facts, planned.mark
        if IN in mark or ELSEWHERE in mark:
            return None
        if any(mark[row] == OUT and facts.base[row] != FRESH_ROW for row in facts.never):
            return None
        return SKIP not in mark

    def _place(self, facts: Facts, row: int) -> int:
        links = facts.links
        if links:
            answers = [answer(link.status, self.succeeded(link, row)) for link in links]
            if decide(facts.mode, answers) is False:
                return SKIP
            if None in answers and any(self.running(link, row) for link in links):
                return IN
        base = facts.base[row]
        if base == OUTDATED_ROW or (base == MISSING_ROW and facts.scheduled):
            return IN
        return IN if links and (row in facts.late or self._moves(facts, row)) else OUT

    def _up(self) -> bool:
        """Dependents first: what they miss is taken in. Whether anything changed."""
        changed = False
        for planned in reversed(self.jobs):
            for link in planned.facts.links:
                upstream = self.jobs[link.upstream]
                if MISSING_ROW not in upstream.facts.base or IN not in planned.mark:
                    continue
                wanted = range(len(upstream.mark)) if link.partners is None else [link.partners[row] for row in planned.rows()]
                for row in wanted:
                    if upstream.facts.base[row] != MISSING_ROW or upstream.mark[row] != OUT:
                        continue
                    if link.status != 'failure' or row in upstream.facts.never:
                        upstream.mark[row] = IN
                        upstream.wanted = upstream.wanted or planned.facts.name
                        changed = True
        return changed

    # -- questions about an edge ---------------------------------------------------------------------------------------

    def succeeded(self, link: Link, row: int) -> bool | None:
        """Whether the upstream of an edge succeeded, as long as nothing runs; None if that is open."""
        if link.partners is None:
            return self._whole[link.upstream][0]
        return self.jobs[link.upstream].succeeded(link.partners[row])

    def running(self, link: Link, row: int) -> bool:
        """Whether the upstream of an edge runs, may run, or is in flight."""
        if link.partners is None:
            return self._whole[link.upstream][1]
        return self.jobs[link.upstream].mark[link.partners[row]] in (IN, ELSEWHERE)

    def end_of(self, link: Link, row: int) -> bytes:
        """The outcome of the upstream of an edge, as known now."""
        if link.partners is None:
            return self._whole[link.upstream][2]
        return self.jobs[link.upstream].facts.ends[link.partners[row]]

    def _moves(self, facts: Facts, row: int) -> list[Reason]:
        """The edges whose upstream has another outcome than the one on record, or that came or went."""
        used = facts.used.get(row)
        if used is None:
            return []
        now = {link.component: link for link in facts.links}
        reasons = [Reason('removed', f'the edge to {name}') for name in used if name not in now]
        for name, link in now.items():
            if name not in used:
                if facts.mode == 'all':
                    reasons.append(Reason('added', f'the edge to {link.name}'))
            elif bytes.fromhex(used[name]) != self.end_of(link, row):
                reasons.append(Reason('upstream changed', self.named(link, row)))
        return reasons

    def named(self, link: Link, row: int) -> str:
        """The upstream of an edge as a reason names it."""
        upstream = self.jobs[link.upstream].facts
        return link.name if link.partners is None else task_name(upstream.name, upstream.keys[link.partners[row]])

    # -- verdicts ------------------------------------------------------------------------------------------------------

    def _explain(self) -> None:
        for planned in self.jobs:
            facts = planned.facts
            for row in planned.told():
                mark = planned.mark[row]
                if mark == IN:
                    planned.kinds[row], planned.reasons[row] = self._verdict(planned, row)
                elif mark == SKIP:
                    planned.kinds[row], planned.reasons[row] = SKIPPED, self._no(facts, row)
                elif mark == ELSEWHERE:
                    planned.kinds[row], planned.reasons[row] = IN_FLIGHT, facts.reasons.get(row, ())
                elif facts.base[row] == MISSING_ROW:
                    planned.kinds[row], planned.reasons[row] = MISSING, facts.reasons.get(row, ())
                elif row in facts.reasons:
                    planned.reasons[row] = facts.reasons[row]  # adopted
            self._sure.append(any(planned.kind(row) != MAYBE for row in planned.rows()))

    def _verdict(self, planned: Planned, row: int) -> tuple[str, Sequence[Reason]]:
        facts = planned.facts
        base = facts.base[row]
        if base == OUTDATED_ROW:
            return OUTDATED, facts.reasons[row]
        running = [link for link in facts.links if self.running(link, row)]
        if base == MISSING_ROW or row in facts.never:
            found = facts.reasons.get(row) or (Reason('never ran'),)
            return MISSING, [*found, Reason('demanded', planned.wanted)] if planned.wanted else found
        if not running:
            return OUTDATED, [*facts.late.get(row, ()), *self._moves(facts, row)]
        for link in running:
            if facts.mode == 'any' and link.component not in facts.used.get(row, ()):
                continue  # it started without this one, and may again
            if self._surely_runs(link, row) and not self.jobs[link.upstream].facts.declares_outputs:
                return OUTDATED, (Reason('upstream runs', self.named(link, row)),)
        return MAYBE, [Reason('upstream may run', self.named(link, row)) for link in running]

    def _surely_runs(self, link: Link, row: int) -> bool:
        if link.partners is None:
            return self._sure[link.upstream]
        upstream = self.jobs[link.upstream]
        return upstream.mark[link.partners[row]] == IN and upstream.kind(link.partners[row]) != MAYBE

    def _no(self, facts: Facts, row: int) -> Sequence[Reason]:
        for link in facts.links:
            if answer(link.status, self.succeeded(link, row)) is False:
                how = 'did not succeed' if link.status == 'success' else 'succeeded'
                return (Reason('edge', f'{self.named(link, row)} {how}'),)
        return ()

    # -- what others ask -----------------------------------------------------------------------------------------------

    def __bool__(self) -> bool:
        """Whether anything runs, may run, or is in flight."""
        return any(IN in planned.mark or ELSEWHERE in planned.mark for planned in self.jobs)

    def tasks(self, mark: int = IN) -> dict[str, list[str]]:
        """The keys of the tasks marked so, by job."""
        found = {p.facts.name: [p.facts.keys[row] for row in p.rows(mark)] for p in self.jobs if mark in p.mark}
        return {name: keys for name, keys in found.items() if keys}

    def counts(self) -> dict[str, int]:
        """How many tasks have each class of verdict."""
        totals = dict.fromkeys((OUTDATED, MISSING, MAYBE, IN_FLIGHT, SKIPPED, FRESH), 0)
        for planned in self.jobs:
            for kind in planned.kinds.values():
                totals[kind] += 1
            totals[FRESH] += len(planned.mark) - len(planned.kinds)
        return totals

    def to_dict(self) -> dict[str, object]:
        """For JSON: every task that is not fresh, with its reasons."""
        jobs = {}
        for planned in self.jobs:
            jobs[planned.facts.name] = {
                'tasks': len(planned.mark),
                'verdicts': {
                    planned.facts.keys[row]: {
                        'class': kind, 'runs': planned.mark[row] == IN,
                        'reasons': [reason.to_dict() for reason in planned.reasons.get(row, ())],
                    }
                    for row, kind in planned.kinds.items()
                },
            }  # fmt: skip
        return {'counts': self.counts(), 'jobs': jobs}


def task_name(job: str, key: str) -> str:
    """What a task is called: `merge`, `estimate[3]`."""
    return job if key == '-' else f'{job}[{key}]'
