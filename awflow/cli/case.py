"""One task with all that is needed to run it once more by hand: its payload, its record, where it ran, what it waits for."""

from __future__ import annotations

import os

from awflow.errors import InFlightError, StateError
from awflow.state.liveness import DEAD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.backends.payload import Payload
    from awflow.cli.attempts import LastAttempt
    from awflow.state.record import Record

SHOWN = 8
NEVER_RAN_ITSELF = ('forgotten',)  # outcomes of records that were written without an attempt


class Case:
    """The task, as far as this machine needs to know it.

    `root` and `workflow` say which state its upstreams' results are read from; `directory` is where it runs; `moved` is
    where the project was and is, if it was moved; `sources` are texts of source files by the path that they had.
    """

    __slots__ = (
        'directory', 'facts', 'job', 'key', 'moved', 'name', 'notes', 'path', 'record', 'root', 'sources', 'workflow',
    )  # fmt: skip

    def __init__(self, job: str, key: str, path: str, record: Record | None, root: str, workflow: str) -> None:
        from awflow.plan import task_name

        self.job = job
        self.key = key
        self.name = task_name(job, key)
        self.path = path  # of the payload
        self.record = record
        self.root = root
        self.workflow = workflow
        self.directory = os.path.dirname(root)
        self.moved = '', ''
        self.facts: dict[str, Any] = {}  # of the run
        self.notes: list[str] = []
        self.sources: dict[str, str] = {}

    def here(self, path: str) -> str:
        """A path of the run as it is now."""
        before, now = self.moved
        if before != now and (path == before or path.startswith(before.rstrip('/') + '/')):
            return now + path[len(before) :]
        return path


def case_of(root: str, workflow: str | None, text: str) -> Case:
    """The one task that a selector means; StateError if it means several, or nothing to run is left of it."""
    from awflow.cli.runs import directory_of, facts_of, last_of

    attempt = _attempt(root, workflow, text)
    store, record = attempt.workflow.store, attempt.record
    generation, note = _payload_of(attempt)
    case = Case(attempt.job, attempt.key, store.layout.payload(generation), record, store.layout.root, attempt.workflow.name)
    case.notes += [note] if note else []
    case.facts = (facts_of(store, record.run) if record is not None and record.run else {}) or last_of(store)
    case.directory = directory_of(store, case.facts)
    if case.facts.get('state'):
        case.moved = os.path.dirname(case.facts['state']), os.path.dirname(store.layout.root)
    return case


def _attempt(root: str, workflow: str | None, text: str) -> LastAttempt:
    from awflow.cli.attempts import attempts
    from awflow.cli.selection import select_all

    found = [attempt for selection in select_all(root, workflow, [text], planned=True) for attempt in attempts(selection)]
    if len(found) == 1:
        return found[0]
    bad = [attempt.name for attempt in found if attempt.bad]
    names = bad or [attempt.name for attempt in found]
    more = f', ... {len(names)} in all' if len(names) > SHOWN else ''
    raise StateError(
        '{_text} means {_count} tasks; one at a time can be debugged', 'Say which.', _text=text, _count=len(found),
        **{'not succeeded' if bad else 'tasks': ', '.join(names[:SHOWN]) + more},
    )  # fmt: skip


def _payload_of(attempt: LastAttempt) -> tuple[int, str]:
    """The claim from whose payload the task ran, or would have run, and a note if that is not sure."""
    folder = os.path.dirname(attempt.workflow.store.layout.payload(0))
    try:
        there = sorted((int(name) for name in os.listdir(folder) if name.isdecimal()), reverse=True)
    except FileNotFoundError:
        there = []
    record = attempt.record
    if record is not None and record.generation in there:
        return record.generation, ''
    performed = record is not None and not (record.adopted or record.accepted or record.outcome in NEVER_RAN_ITSELF)
    last = record.generation if record is not None else attempt.workflow.state.last
    for number in there if not performed else ():
        if number <= last and _holds(f'{folder}/{number}', attempt.job):
            how = 'was not run under the claim of its record' if record is not None else 'has not run yet'
            return number, f'{attempt.name} {how}: the code is that of claim {number}, the last that is kept'
    raise StateError(
        'of {task} nothing is left that could be run: its payload is gone',
        'Run the script with force=[{_job}], and look at the task then.', task=attempt.name, _job=attempt.job, payloads=folder,
    )  # fmt: skip


def _holds(path: str, job: str) -> bool:
    from awflow.backends.payload import Payload
    from awflow.errors import AwflowError

    try:
        return job in Payload(path).names
    except (OSError, AwflowError):
        return False


def refuse_harm(root: str, workflow: str | None, case: Case) -> None:
    """An error if running the task now may spoil what another process does, or what is on record as succeeded."""
    from awflow.cli.observed import Workflow

    observed = Workflow(root, case.workflow)
    number = observed.state.owner_of(case.job, case.key)
    if number is not None and observed.evidence[number].state != DEAD:
        raise InFlightError(
            '{task} is being executed by run {run}, and would write the same files', 'Wait until it has ended, or say --yes.',
            task=case.name, run=observed.state.claims[number].run, owner=observed.evidence[number].why,
        )  # fmt: skip
    if case.record is not None and case.record.outcome == 'succeeded':
        outputs = ', '.join(list(case.record.outputs)[:SHOWN]) or 'none declared'
        raise StateError(
            '{task} is on record as succeeded, and running it here writes its files again',
            'Say --yes if that is what you want.', task=case.name, outputs=outputs, directory=case.directory,
        )  # fmt: skip


def opened(case: Case) -> Payload:
    """Its payload; StateError if that has gone meanwhile."""
    from awflow.backends.payload import Payload

    try:
        return Payload(case.path)
    except FileNotFoundError:
        raise StateError('the payload of {task} is gone', 'Run the script again.', task=case.name, file=case.path) from None
