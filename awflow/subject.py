"""One job as a schedule sees it: its name, keys, fingerprint, paths and what the state knows of it."""

from __future__ import annotations

from xxhash import xxh3_128_hexdigest

from awflow.elements import SINGLE, keys_of
from awflow.errors import DefinitionError
from awflow.identity import paths_digest, with_parts
from awflow.specs import expand_outputs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Final

    from awflow.fingerprint import Fingerprint, Fingerprinter
    from awflow.job import Job
    from awflow.plan import Link
    from awflow.state.rows import Rows

CONDITION: Final = 'postcondition '  # what the names of components of postconditions begin with


class Subject:
    """A job of a schedule, by number. `rows` is None if the state knows nothing of it."""

    __slots__ = (
        'above', 'code', 'components', 'forced', 'job', 'keys', 'links', 'name', 'number', 'outputs', 'pruning', 'reads',
        'rows', 'scheduled',
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
        self.outputs: dict[int, list[str]] = {}  # row -> declared paths, where there are any
        self.scheduled = False
        self.forced = False
        self.pruning = True
        if job.output_specs:
            self.outputs = {row: self._outputs(row) for row in range(len(self.keys))}

    def value(self, row: int) -> object:
        """What the task is called with."""
        return None if self.job.array is None else self.job.array.value(row)

    def title(self, row: int) -> object:
        """What '{i}' stands for in its paths."""
        return SINGLE if self.job.array is None else self.job.array.name(row)

    def _outputs(self, row: int) -> list[str]:
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


def producers(subjects: list[Subject]) -> dict[str, tuple[int, int]]:
    """Which task makes which declared path; raises DefinitionError for a path that two make."""
    found: dict[str, tuple[int, int]] = {}
    for subject in subjects:
        for row, paths in subject.outputs.items():
            for path in paths:
                if path in found:
                    number, other = found[path]
                    raise DefinitionError(
                        'two tasks declare the same output {path}', "Give each its own path, for example with '{{i}}'.",
                        path=path, first=_task(subjects[number], other), second=_task(subject, row),
                    )  # fmt: skip
                found[path] = (subject.number, row)
    return found


def _task(subject: Subject, row: int) -> str:
    from awflow.plan import task_name

    return f'{task_name(subject.name, subject.keys[row])}  ({subject.job.site})'
