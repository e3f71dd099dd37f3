"""Which task makes which path: the declared outputs of all jobs of a schedule, without a name for each of 100,000."""

from __future__ import annotations

from awflow.errors import DefinitionError
from awflow.plan import task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awflow.subject import Subject
    from awflow.templates import Template


class Producers:
    """Path -> number of the job and row of the task that makes it. Raises DefinitionError for a path that two make."""

    __slots__ = ('_patterns', '_single')

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._single: dict[str, tuple[int, int]] = {}
        self._patterns: list[tuple[Template, Subject]] = []  # no path of one is a path of another, or in `_single`
        named = [subject for subject in subjects if subject.outputs and not self._by_pattern(subject)]
        for subject in named:
            self._enter(subject, subjects)
        for template, subject in list(self._patterns):
            if any(template.text(path) is not None for path in self._single):
                self._patterns = [pair for pair in self._patterns if pair[1] is not subject]
                self._enter(subject, subjects)

    def _by_pattern(self, subject: Subject) -> bool:
        """Take a job in by its templates, if nothing else can be meant by them."""
        templates = subject.output_templates
        if templates is None or any(template.fixed for template in templates):
            return False
        for at, template in enumerate(templates):
            known = [*(other for other, _ in self._patterns), *templates[:at]]
            if any(other.may_hold(template) and template.may_hold(other) for other in known):
                return False
        self._patterns += [(template, subject) for template in templates]
        return True

    def _enter(self, subject: Subject, subjects: Sequence[Subject]) -> None:
        for row, paths in subject.outputs.items():
            for path in paths:
                found = self.get(path)
                if found is not None and found != (subject.number, row):
                    raise DefinitionError(
                        'two tasks declare the same output {path}', "Give each its own path, for example with '{{i}}'.",
                        path=path, first=_task(subjects[found[0]], found[1]), second=_task(subject, row),
                    )  # fmt: skip
                self._single[path] = (subject.number, row)

    def get(self, path: str) -> tuple[int, int] | None:
        """The task that makes a path, None if nobody declares it."""
        found = self._single.get(path)
        if found is None:
            for template, subject in self._patterns:
                text = template.text(path)
                row = subject.row_of_text(template, text) if text is not None else None
                if row is not None:
                    return subject.number, row
        return found

    def __contains__(self, path: object) -> bool:
        return isinstance(path, str) and self.get(path) is not None

    def __getitem__(self, path: str) -> tuple[int, int]:
        found = self.get(path)
        if found is None:
            raise KeyError(path)
        return found

    def __bool__(self) -> bool:
        return bool(self._single or self._patterns)

    def items(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """Every declared path with its task."""
        yield from self._single.items()
        for template, subject in self._patterns:
            for row, path in enumerate(template.paths(subject.texts(template) or ())):
                yield path, (subject.number, row)

    def around(self, path: str) -> str | None:
        """The declared output that is this path, or the declared directory that it lies in."""
        while path and path not in self:
            path = path.rpartition('/')[0]
        return path or None

    def makers(self, template: Template) -> list[tuple[Template, Subject]] | None:
        """Whose outputs paths of a template may be, or lie in: those that make just these paths; None if it is not so plain."""
        if any(_holds(path, template) for path in self._single):
            return None
        found = [pair for pair in self._patterns if pair[0].may_hold(template)]
        return found if all(other.alike(template) for other, _ in found) else None


def _holds(path: str, template: Template) -> bool:
    from awflow.templates import Template

    return Template([path]).may_hold(template)


def _task(subject: Subject, row: int) -> str:
    return f'{task_name(subject.name, subject.keys[row])}  ({subject.job.site})'
