"""One job as a schedule sees it: its name, keys, fingerprint, paths and what the state knows of it."""

from __future__ import annotations

from xxhash import xxh3_128_hexdigest

from awflow.elements import SINGLE, Numbers, keys_of
from awflow.errors import DefinitionError
from awflow.identity import paths_digest, with_parts
from awflow.specs import expand_outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from typing import Any, Final

    from awflow.ancestry import Ancestry
    from awflow.facts import Link
    from awflow.fingerprint import Fingerprint, Fingerprinter, Pattern
    from awflow.job import Job
    from awflow.state.rows import Rows
    from awflow.state.view import State
    from awflow.templates import Template

ALONE: Final = (SINGLE,)  # the keys of a job without array
NOTHING: Any = {}  # where a job has nothing to say: one for all, never filled
CONDITION: Final = 'postcondition '  # what the names of components of postconditions begin with
BIG: Final = 64  # tasks from which on an array is looked at by column, not element by element


class Subject:
    """A job of a schedule, by number. `rows` is None if the state knows nothing of it."""

    __slots__ = (
        '_code', '_components', '_input_texts', '_output_texts', '_places', '_rows', '_state', '_texts', 'ancestry', 'big',
        'code', 'forced', 'input_templates', 'job', 'keys', 'links', 'name', 'number', 'output_templates', 'outputs', 'pruning',
        'scheduled',
    )  # fmt: skip

    def __init__(self, number: int, job: Job, name: str, code: Code, state: State) -> None:
        self.number = number
        self.job = job
        self.name = name
        self.keys: Sequence[str] = ALONE if job.array is None else keys_of(name, job.array)
        self.code = code.digest
        self.links: Sequence[Link] = ()
        self.scheduled = False
        self.forced = False
        self.pruning = True
        self.ancestry: Ancestry  # set when all jobs are numbered, as are the links
        self.input_templates: list[tuple[Template, bool]] | None = None  # with whether size and time are enough
        self.output_templates: list[Template] | None = None
        self._texts: dict[str, Sequence[object] | None] = NOTHING  # what stands for '{i}', by format
        self._places: dict[str, dict[object, int]] = NOTHING
        if job.array is not None:
            self._texts, self._places = {}, {}
        self._output_texts: list[tuple[Template, Sequence[object]]] | None = None  # to make paths without expanding
        self._input_texts: list[tuple[Template, Sequence[object]]] | None = None
        self._code = code
        self._components: dict[str, str] | None = None
        self._state: State | None = state
        self._rows: Rows | None = None
        self.big = job.array is not None and len(self.keys) >= BIG
        if self.big:
            self._look_for_templates()
        # row -> declared paths, where there are any
        self.outputs: dict[int, list[str]] | Outputs = NOTHING
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
        if self.output_templates is not None:
            self._output_texts = self._with_texts(self.output_templates)
        if self.input_templates is not None:
            self._input_texts = self._with_texts([found for found, _ in self.input_templates])

    def _with_texts(self, templates: Sequence[Template]) -> list[tuple[Template, Sequence[object]]] | None:
        """Each with what stands for '{i}'; None if one is absolute: paths below the current directory are written otherwise."""
        if any(found.parts[0].startswith('/') for found in templates):
            return None
        return [(found, self.texts(found) or ()) for found in templates]

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

    @property
    def rows(self) -> Rows | None:
        """What the state knows of its tasks, looked up when first asked for."""
        if self._state is not None:
            self._rows, self._state = self._state.rows(self.name), None
        return self._rows

    @property
    def components(self) -> dict[str, str]:
        """What all its tasks share, by name: code and postconditions; spelled out when first asked for."""
        if self._components is None:
            self._components = self._code.components()
        return self._components

    @property
    def reads(self) -> frozenset[str]:
        """Names of jobs whose results its code reads, as far as their own names go."""
        return frozenset(other.name for other, otherwise in self._code.print.jobs.values() if not otherwise)

    def waits_for(self, upstream: int) -> bool:
        """Whether the job of that number must end before this one starts, as a direct upstream or further up."""
        return self.ancestry.is_above(upstream, self.number)

    def value(self, row: int) -> object:
        """What the task is called with."""
        return None if self.job.array is None else self.job.array.value(row)

    def title(self, row: int) -> object:
        """What '{i}' stands for in its paths."""
        return SINGLE if self.job.array is None else self.job.array.name(row)

    def paths(self, row: int) -> list[str]:
        """The paths that a task declares to make."""
        if self._output_texts is not None:
            paths = [template.path(texts[row]) for template, texts in self._output_texts]
            return paths if len(paths) == 1 else list(dict.fromkeys(paths))
        return expand_outputs(self.job.output_specs, self.value(row), self.title(row), self.name)

    @property
    def spells_inputs(self) -> bool:
        """Whether its inputs are plain paths of plain names: nothing has to be looked for."""
        return self._input_texts is not None

    @property
    def spells_outputs(self) -> bool:
        """Whether its outputs are such."""
        return self._output_texts is not None

    def input_paths(self, row: int) -> list[str] | None:
        """The paths that a task declares to read, in the order of its declarations; None if they have to be expanded."""
        if self._input_texts is None:
            return None
        return [template.path(texts[row]) for template, texts in self._input_texts]

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


class Code:
    """What all tasks of a job share: its fingerprint, that of each postcondition, what its options say; and their digest."""

    __slots__ = ('conditions', 'digest', 'job', 'print')

    def __init__(self, job: Job, print_: Fingerprint, conditions: Sequence[str], patterns: dict[object, Pattern]) -> None:
        self.job = job
        self.print = print_
        self.conditions = conditions  # digests, '-' where nobody can tell
        if not print_.shared.names or job.options.version is not None or job.options.packages:
            self.digest = code_digest(self.components())
            return
        key = (id(print_.shared), len(conditions))
        pattern = patterns.get(key)
        if pattern is None:
            pattern = patterns[key] = self._pattern()
        self.digest = pattern.digest([*print_.digests, *conditions])

    def _pattern(self) -> Pattern:
        from awflow.fingerprint import Pattern

        shared = self.print.shared
        fixed = {name: text.split(' ', 1)[0] for name, text in shared.components.items()}
        return Pattern(fixed, [*shared.names, *_numbered(self.conditions)])

    def components(self) -> dict[str, str]:
        """All of it by name."""
        options = self.job.options
        components = dict(self.print.components)
        if options.version is not None:  # in place of the code
            components = {'version': f'v:{xxh3_128_hexdigest(options.version.encode())} {options.version!r}'}
        for name in options.packages:
            components[f'package {name}'] = _package(self.job, name)
        numbered = zip(_numbered(self.conditions), self.conditions, strict=True)
        components.update((name, f'v:{digest}') for name, digest in numbered)
        return components


def _numbered(conditions: Sequence[str]) -> list[str]:
    """The names of the components of postconditions. They are kept beside the code of the function but reckoned apart: a
    change of them makes nothing outdated.
    """
    return [f'{CONDITION}{number}' for number in range(1, len(conditions) + 1)]


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


def condition_digests(job: Job, fingerprinter: Fingerprinter) -> Sequence[str]:
    """The code of a job's postconditions, each with all that it reaches as one digest."""
    return tuple([_condition_digest(condition.function, job, fingerprinter) for condition in job.postconditions])


def _condition_digest(condition: Callable[..., object], job: Job, fingerprinter: Fingerprinter) -> str:
    try:
        return fingerprinter.function(condition, ignore=job.options.ignore).digest
    except Exception:  # noqa: BLE001  FingerprintError, or what a __reduce__ of the user's raises
        return '-'  # nobody can tell, so it counts as the same


def code_part(components: Mapping[str, str]) -> dict[str, str]:
    """The components that make a task outdated when they change."""
    return {name: text for name, text in components.items() if not name.startswith(CONDITION)}


def code_digest(components: Mapping[str, str]) -> str:
    """The digest that names a set of code components; what is only for display does not count."""
    lines = [f'{name}\0{text.split(" ", 1)[0]}' for name, text in sorted(components.items())]
    return xxh3_128_hexdigest('\n'.join(lines).encode('utf-8', 'surrogatepass'))
