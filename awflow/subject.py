"""One job as a schedule sees it: its name, keys, fingerprint, paths and what the state knows of it."""

from __future__ import annotations

from xxhash import xxh3_128_hexdigest

from awflow.elements import SINGLE, Numbers, keys_of
from awflow.errors import DefinitionError
from awflow.identity import paths_digest, with_parts
from awflow.specs import expand_outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any, Final

    from awflow.fingerprint import Fingerprint, Fingerprinter
    from awflow.job import Job
    from awflow.plan import Link
    from awflow.state.rows import Rows
    from awflow.templates import Template

CONDITION: Final = 'postcondition '  # what the names of components of postconditions begin with
BIG: Final = 1  # tasks from which on an array is looked at by column, not element by element


class Subject:
    """A job of a schedule, by number. `rows` is None if the state knows nothing of it."""

    __slots__ = (
        '_places', '_texts', 'above', 'big', 'code', 'components', 'forced', 'input_templates', 'job', 'keys', 'links',
        'name', 'number', 'output_templates', 'outputs', 'pruning', 'reads', 'rows', 'scheduled',
    )  # fmt: skip

    def __init__(
        self, number: int, job: Job, name: str, print_: Fingerprint, rows: Rows | None, conditions: Mapping[str, str]
    ) -> None:
        self.number = number
        self.job = job
        self.name = name
        self.rows = rows
        self.keys: Sequence[str] = keys_of(name, job.array)
        self.components = {**code_components(job, print_), **conditions}
        self.code = code_digest(self.components)
        self.links: list[Link] = []
        self.above: set[int] = set()  # numbers of all ancestors
        # names of jobs whose results its code reads, as far as their own names go
        self.reads = frozenset(other.name for other, otherwise in print_.jobs.values() if not otherwise)
        self.input_templates: list[tuple[Template, bool]] | None = None  # with whether size and time are enough
        self.output_templates: list[Template] | None = None
        self._texts: dict[str, Sequence[object] | None] = {}  # what stands for '{i}', by format
        self._places: dict[str, dict[object, int]] = {}
        self.scheduled = False
        self.forced = False
        self.pruning = True
        self.big = job.array is not None and len(self.keys) >= BIG
        if self.big:
            self._look_for_templates()
        # row -> declared paths, where there are any
        self.outputs: dict[int, list[str]] | Outputs = {}
        if job.output_specs:
            lazily = self.output_templates is not None
            self.outputs = Outputs(self) if lazily else {row: self.paths(row) for row in range(len(self.keys))}

    def _look_for_templates(self) -> None:
        from awflow.templates import template

        job, array = self.job, self.job.array
        assert array is not None, 'only elements of an array have texts'
        numeric = isinstance(array.values, range) and array.labels is None
        outputs = [template(spec.what, numeric) for spec in job.output_specs]
        inputs = [(template(spec.what, numeric), spec.stat) for spec in job.input_specs]
        if all(found is not None and self.texts(found) is not None for found in outputs):
            self.output_templates = [found for found in outputs if found is not None]
        if all(found is not None and self.texts(found) is not None for found, _ in inputs):
            self.input_templates = [(found, stat) for found, stat in inputs if found is not None]

    def texts(self, template: Template) -> Sequence[object] | None:
        """What stands for '{i}' of a template, by row; None if it cannot be told in general."""
        if template.format not in self._texts:
            from awflow.templates import texts_of

            assert self.job.array is not None, 'only arrays have templates'
            self._texts[template.format] = texts_of(self.job.array, template.format)
        return self._texts[template.format]

    def row_of_text(self, template: Template, text: str) -> int | None:
        """The row of which a template has this text for '{i}', None if there is none."""
        if isinstance(self.keys, Numbers) and not template.format:
            return self.keys.row(text)
        if template.format not in self._places:
            self._places[template.format] = {known: row for row, known in enumerate(self.texts(template) or ())}
        return self._places[template.format].get(text)

    def value(self, row: int) -> object:
        """What the task is called with."""
        return None if self.job.array is None else self.job.array.value(row)

    def title(self, row: int) -> object:
        """What '{i}' stands for in its paths."""
        return SINGLE if self.job.array is None else self.job.array.name(row)

    def paths(self, row: int) -> list[str]:
        """The paths that a task declares to make."""
        return expand_outputs(self.job.output_specs, self.value(row), self.title(row), self.name)

    def own(self, row: int, inputs: Mapping[str, str], upstream: Mapping[str, str]) -> dict[str, str]:
        """The components of this task's identity that are not its job's: value, paths, inputs, partners' outcomes."""
        own: dict[str, str] = {}
        if self.job.array is not None and self.job.array.labels is not None:
            from awflow.fingerprint import digest

            own['value'] = digest(self.value(row))
        if row in self.outputs:
            own['output paths'] = paths_digest(self.outputs[row])
        return with_parts(own, inputs, upstream)


class Outputs:
    """The declared paths of a job's tasks by row, like a dict; each made when it is asked for."""

    __slots__ = ('_last', '_subject')

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._last: tuple[int, list[str]] = (-1, [])

    def __len__(self) -> int:
        return len(self._subject.keys)

    def __contains__(self, row: int) -> bool:
        return 0 <= row < len(self)

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self)))

    def __getitem__(self, row: int) -> list[str]:
        if self._last[0] != row:
            self._last = (row, self._subject.paths(row))
        return self._last[1]

    def get(self, row: int, default: Any = None) -> Any:
        """As of a dict."""
        return self[row] if 0 <= row < len(self) else default

    def items(self) -> Iterator[tuple[int, list[str]]]:
        """As of a dict."""
        return ((row, self[row]) for row in self)


def code_components(job: Job, print_: Fingerprint) -> dict[str, str]:
    """What all tasks of a job share: its code, or in place of it the version it was given, and packages that shall count."""
    version = job.options.version
    components = dict(print_.components)
    if version is not None:
        components = {'version': f'v:{xxh3_128_hexdigest(version.encode())} {version!r}'}
    for name in job.options.packages:
        components[f'package {name}'] = _package(job, name)
    return components


def _package(job: Job, name: str) -> str:
    from awflow.fingerprint.components import version_of

    version = version_of(name)
    if not version:
        raise DefinitionError(
            "job {job!r} counts the package '{package}', which is not installed here",
            'Install it, or leave it out of packages=.',
            job=job.name, package=name, site=job.site,
        )  # fmt: skip
    return f'v:{xxh3_128_hexdigest(version.encode())} {version}'


def condition_components(job: Job, fingerprinter: Fingerprinter) -> dict[str, str]:
    """The code of a job's postconditions, each with all that it reaches as one digest. They are kept beside the code of the
    function but reckoned apart: a change of them makes nothing outdated.
    """
    found = {}
    for number, condition in enumerate(job.postconditions, 1):
        try:
            digest = fingerprinter.function(condition.function, ignore=job.options.ignore).digest
        except Exception:  # noqa: BLE001  FingerprintError, or what a __reduce__ of the user's raises
            digest = '-'  # nobody can tell, so it counts as the same
        found[f'{CONDITION}{number}'] = f'v:{digest}'
    return found


def code_part(components: Mapping[str, str]) -> dict[str, str]:
    """The components that make a task outdated when they change."""
    return {name: text for name, text in components.items() if not name.startswith(CONDITION)}


def code_digest(components: Mapping[str, str]) -> str:
    """The digest that names a set of code components; what is only for display does not count."""
    lines = [f'{name}\0{text.split(" ", 1)[0]}' for name, text in sorted(components.items())]
    return xxh3_128_hexdigest('\n'.join(lines).encode('utf-8', 'surrogatepass'))
