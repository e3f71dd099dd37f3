"""What the tasks of a submission are told: the writing side of manifest.py."""

from __future__ import annotations

from awflow.advice import Linter
from awflow.backends.slurm import manifest
from awflow.backends.slurm.manifest import spans
from awflow.failure import shown
from awflow.place import definition_site
from awflow.plan import ELSEWHERE, OUT
from awflow.proofs import history_of
from awflow.reasons import MAYBE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from awflow.backends.slurm.request import Site
    from awflow.backends.slurm.shape import Shape
    from awflow.facts import Link
    from awflow.frontier import Row
    from awflow.plan import Plan
    from awflow.planner import Planner
    from awflow.subject import Subject


class Briefing:
    """One submission. `claim_of` is the claim under which another run performs a task."""

    def __init__(
        self, planner: Planner, plan: Plan, shape: Shape, site: Site, run: str, claim_of: Callable[[Row], int]
    ) -> None:
        self.planner = planner
        self.plan = plan
        self.shape = shape
        self.site = site
        self.run = run
        self.claim_of = claim_of
        self.linter = Linter(planner.survey, planner.place) if planner.lint else None

    def manifests(self) -> dict[str, bytes]:
        """The part of every job."""
        return {subject.name: self._manifest(subject) for subject in self.planner.subjects}

    def _manifest(self, subject: Subject) -> bytes:
        number = subject.number
        planned = self.plan.jobs[number]
        keys, options = subject.keys, subject.job.options
        pieces = self.shape.of[number]
        submitted = {row for piece in pieces for row in piece.rows}
        marks = [self._mark(number, row, submitted) for row in range(len(keys))]
        head = {
            'job': subject.name, 'rows': len(keys), 'keys': None if _counted(keys) else list(keys),
            'marks': manifest.joined(marks), 'mode': subject.job.mode, 'code': subject.code,
            'links': [self._edge(link) for link in subject.links],
            'ends': {row: end.hex() for row, end in enumerate(planned.facts.ends) if row not in submitted and any(end)},
            'claims': self._claims(subject), 'array': subject.job.array is not None, 'run': self.run,
            'pieces': [[spans(p.rows), None if p.indexes is None else spans(p.indexes), p.batch] for p in pieces],
            'inputs': bool(subject.job.input_specs), 'parent': self._parent(subject), 'retries': options.retries,
            'lint': self.linter and self.linter.scope(),
            'resume': options.resume, 'memory': options.memory or self.site.memory, 'limit': options.timelimit,
        }  # fmt: skip
        fragments = {row: found for row in submitted if (found := self._fragment(subject, row, marks[row]))}
        return manifest.packed(head, fragments)

    def _edge(self, link: Link) -> list[Any]:
        partners = None if link.partners is None else list(link.partners)
        return [self.planner.subjects[link.upstream].name, link.status, link.component, partners]

    def _parent(self, subject: Subject) -> dict[str, Any]:
        """What a schedule inside one of its tasks is told of where it is, as far as that is the same for all."""
        place = self.planner.place
        ancestors = [*place.ancestors, definition_site(subject.job.function)]
        return {'script': place.script, 'cpus': subject.job.options.cpus, 'ancestors': ancestors}

    def _mark(self, number: int, row: int, submitted: set[int]) -> str:
        planned = self.plan.jobs[number]
        if row in submitted:
            return manifest.MAYBE if planned.kind(row) == MAYBE else manifest.RUNS
        if planned.mark[row] == ELSEWHERE:
            return manifest.ELSEWHERE
        return manifest.DONE if planned.mark[row] == OUT and planned.succeeded(row) else manifest.OPEN

    def _claims(self, subject: Subject) -> dict[int, int]:
        """Of rows that another run performs: the number of its claim."""
        return {row: self.claim_of((subject.number, row)) for row in self.plan.jobs[subject.number].rows(ELSEWHERE)}

    def _fragment(self, subject: Subject, row: int, mark: str) -> dict[str, Any]:
        survey = self.planner.survey
        found: dict[str, Any] = {}
        kept = [r.name for r in self.plan.jobs[subject.number].reasons.get(row, ()) if r.kind == 'output changed']
        if kept:
            found['keep'] = kept
        if own := subject.own(row, {}, {}):
            found['own'] = own
        if text := shown(subject, row):
            found['shown'] = text
        if subject.job.input_specs:
            paths = survey.input_paths(subject, row)
            made = {path: self._maker(path) for path in paths if path in survey.producers}
            if made:
                found['made'] = made
        known = subject.rows.row(subject.keys[row]) if subject.rows is not None else None
        if self.linter is not None and (upstream := self.linter.upstream(subject, row)):
            found['upstream'] = upstream
        if known is not None and subject.rows is not None and subject.job.postconditions:
            found['history'] = history_of(subject.rows.record(known).checks)
        if mark == manifest.MAYBE and known is not None and subject.rows is not None:
            record = subject.rows.record(known)
            found['was'] = {'own': record.own, 'upstream': record.upstream, 'end': record.end}
        return found

    def _maker(self, path: str) -> list[Any]:
        """Who makes an input: job and row, and the digest on record should it not run."""
        number, row = self.planner.survey.producers[path]
        return [self.planner.subjects[number].name, row, self.planner.survey.produced(path)]


def _counted(keys: Sequence[str]) -> bool:
    return len(keys) > 0 and keys[-1] == str(len(keys) - 1) and all(key == str(row) for row, key in enumerate(keys))
