"""Every exception that awflow raises on purpose.

    AwflowError
    ├── DefinitionError          what the script says cannot be
    │   ├── CycleError           jobs that wait for each other
    │   ├── DuplicateJobError    two jobs that cannot be told apart
    │   ├── OptionError          a bad value of an option
    │   └── FingerprintError     a value that cannot be fingerprinted or sent to a task
    ├── RunError                 what happened while it ran
    │   ├── WorkflowFailed       some tasks failed; carries the run
    │   ├── TaskFailed           one task failed
    │   ├── PostconditionError   a condition does not hold
    │   ├── InFlightError        the task is being executed with other code or inputs
    │   └── ResultError          a stored result that is not there or not to be read here
    ├── BackendError             a backend that is missing or broken
    │   └── SlurmError
    └── StateError               the state directory
        ├── StateLockedError     somebody else writes and does not end
        ├── StateVersionError    written by a newer awflow
        ├── StateCorruptError    bytes that are not what was written
        └── StateAccessError     not readable, not writable, or writable by too many

Each reads: a sentence that names the thing, the facts one a line, what to do. They hold their facts as fields and survive
pickling.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


class AwflowError(Exception):
    """Something the reader can act on: what happened, the facts, what to do.

    A subclass or the caller says `what` and `todo`, which are formatted with the facts; facts whose name starts with an
    underscore are carried but not listed.
    """

    what = 'something went wrong'
    todo = ''

    def __init__(self, what: str = '', todo: str = '', **facts: object) -> None:
        super().__init__(what, todo, facts)
        self.facts: Mapping[str, object] = facts
        if what:
            self.what = what
        if todo:
            self.todo = todo

    def __str__(self) -> str:
        shown = {name.replace('_', ' '): value for name, value in self.facts.items() if not name.startswith('_')}
        width = max(map(len, shown), default=0)
        lines = [_fill(self.what, self.facts)]
        lines += [f'  {name:<{width}}  {_indented(value, width)}' for name, value in shown.items()]
        return '\n'.join([*lines, _fill(self.todo, self.facts)]).rstrip()

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.what, self.todo, dict(self.facts))


def _fill(sentence: str, facts: Mapping[str, object]) -> str:
    """The sentence with its facts; one that was written with other braces stays as it is."""
    try:
        return sentence.format(**facts)
    except (KeyError, IndexError, ValueError, AttributeError):
        return sentence


def _indented(value: object, width: int) -> str:
    return str(value).replace('\n', '\n' + ' ' * (width + 4))


def _rebuild(kind: type[AwflowError], what: str, todo: str, facts: dict[str, object]) -> AwflowError:
    return kind(what, todo, **facts)  # keyword-only arguments do not survive the default __reduce__


class DefinitionError(AwflowError):
    """What the script says cannot be."""


class CycleError(DefinitionError):
    """Jobs that wait for each other. Raised before anything is planned."""

    what = 'these jobs wait for each other, so none can start: {path}'
    todo = 'Remove one of the @after edges on the path.'


class DuplicateJobError(DefinitionError):
    """Two jobs of one workflow that cannot be told apart."""


class OptionError(DefinitionError):
    """A bad value of an option, refused where it is written."""


class FingerprintError(DefinitionError):
    """A value that can be neither fingerprinted nor sent to a task."""


class RunError(AwflowError):
    """What happened while a workflow ran."""


class WorkflowFailed(RunError):
    """Some tasks failed. `.run` is the run, with `.failures`."""

    @property
    def run(self) -> object:
        return self.facts.get('_run')


class TaskFailed(RunError):
    """One task failed."""


class PostconditionError(RunError):
    """A condition of @ensure does not hold."""


class InFlightError(RunError):
    """A task is being executed by somebody else, with other code or inputs."""


class ResultError(RunError):
    """A stored result that is not there, or may not be read from here."""


class BackendError(AwflowError):
    """A backend that is missing or broken."""


class SlurmError(BackendError):
    """Slurm refused or could not be reached."""


class StateError(AwflowError):
    """Something is wrong with the state directory."""


class StateLockedError(StateError):
    """Somebody else writes and does not end."""


class StateVersionError(StateError):
    """The state was written by a newer awflow."""


class StateCorruptError(StateError):
    """Bytes of the state are not what was written."""


class StateAccessError(StateError):
    """The state cannot be read or written, or too many may write it."""
