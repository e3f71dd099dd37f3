"""What a task can reach while it runs: stored results of its direct upstreams, and through tools the layers below."""

from __future__ import annotations

import os

import xxhash

from awflow.backends import unpickling
from awflow.current import CURRENT
from awflow.errors import FingerprintError, ResultError, StateCorruptError
from awflow.state.smallfiles import small_file
from awflow.stopping import before, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextvars import Token
    from typing import Any

    from awflow.backends.lint import Watch
    from awflow.backends.payload import Definition, Payload
    from awflow.job import Job
    from awflow.state.cached import Signature
    from awflow.state.digests import Digests
    from awflow.state.record import Record
    from awflow.state.rows import Rows

    Content = tuple[str, int, Signature | None]

MANY = 16  # files that may be worth more than one thread


class TaskContext:
    """The running task, as `job.result(...)` inside its function sees it; entered while the function runs."""

    __slots__ = ('_jobs', '_state', '_token', 'definition', 'near', 'order', 'payload')

    def __init__(
        self, definition: Definition, order: dict[str, Any], payload: Payload, near: Callable[[], bool] | None = None
    ) -> None:
        self.definition = definition
        self.order = order
        self.payload = payload
        self.near = near or before(order.get('limit'))  # whether the task's end is
        self._state: Any = None
        self._jobs: dict[str, Job] | None = None

    def __enter__(self) -> TaskContext:
        self._token: Token[Any] = CURRENT.set(self)
        return self

    def __exit__(self, *_: object) -> None:
        CURRENT.reset(self._token)

    def scratch(self) -> str:
        """Where what survives attempts of the task belongs."""
        return place(workflow_directory(self.order), self.order)

    def job(self, name: str) -> Job:
        """A job that the task's function refers to, with those of its edges whose other end the payload knows."""
        if self._jobs is None:
            self._jobs = {}
        if name not in self._jobs:
            definition = self.payload.definition(name)
            self._jobs[name] = job = _job_of(definition)
            for upstream, status, each in definition.edges:
                if upstream in self.payload.names:
                    job.after(self.job(upstream), status=status, each=each)
        return self._jobs[name]

    def scheduled(self, name: str) -> Job | None:
        """The job, if this task has scheduled it itself: then its results are this task's to read."""
        job = (self._jobs or {}).get(name)
        return job if job is not None and job.scheduled_as is not None else None

    def function(self, name: str) -> Callable[..., Any]:
        """The plain function of such a job: inside a task, `estimate(3)` is a call."""
        return self.job(name).function

    def result(self, name: str, value: object = None) -> object:
        """What the upstream's task of that value returned. Along an `each` edge only the own partner has one."""
        from awflow.elements import SINGLE, key_of

        each, own = self._edge(name), self.order['task']
        rows = self._rows(name)
        key = own if each and value is None else SINGLE if rows.row(SINGLE) is not None else key_of(value)
        if each and key != own:
            raise self._only_partner(name, asked=value)
        row = rows.row(key)
        if row is None:
            raise ResultError(
                '{upstream!r} has no task for {asked}', 'Use a value of its array.', upstream=name, asked=repr(value),
                job=self.definition.name,
            )  # fmt: skip
        return self._load(name, rows.record(row))

    def results(self, name: str) -> list[object]:
        """What all tasks of the upstream returned, in the order of its array."""
        from awflow.elements import keys_of

        if self._edge(name):
            raise self._only_partner(name, asked='all results')
        keys = keys_of(name, self.payload.definition(name).array)
        if not keys:
            return []  # of an empty array nothing is on record
        rows = self._rows(name)
        found = []
        for key in keys:
            row = rows.row(key)
            if row is None:
                raise ResultError('{upstream!r} has no result of {task}', '', upstream=name, task=key)
            found.append(self._load(name, rows.record(row)))
        return found

    def _only_partner(self, name: str, asked: object) -> ResultError:
        return ResultError(
            'job {job!r} waits for the partner of its own task in {upstream!r} alone',
            'Use .result() without a value, or @after without each=True.',
            job=self.definition.name, upstream=name, task=self.order['task'], asked=asked,
        )  # fmt: skip

    def _edge(self, name: str) -> bool:
        for upstream, _, each in self.definition.edges:
            if upstream == name:
                return bool(each)
        raise ResultError(
            'job {job!r} may not read results of {upstream!r}: it does not wait for it', 'Add @after({upstream}).',
            job=self.definition.name, upstream=name,
        )  # fmt: skip

    def _rows(self, name: str) -> Rows:
        from awflow.state.store import Store

        if self._state is None:
            self._state = Store(self.order['state'], self.order['workflow']).read()
        rows: Rows | None = self._state.rows(name)
        if rows is None:
            raise ResultError('nothing of {upstream!r} has run yet', '', upstream=name, job=self.definition.name)
        return rows

    def _load(self, name: str, record: Record) -> object:
        if record.outcome != 'succeeded':
            raise ResultError(
                '{upstream!r} has no result of {task}', 'Only tasks that succeeded have one.',
                upstream=name, task=record.task, outcome=record.outcome or 'running',
            )  # fmt: skip
        return load_result(workflow_directory(self.order), record)


def _job_of(definition: Definition) -> Job:
    """The job as the script declared it, for a schedule within a task."""
    from awflow.job import Job

    code = getattr(definition.function, '__code__', None)
    site = f'{code.co_filename}:{code.co_firstlineno}' if code else ''
    job = Job(definition.function, definition.name, definition.array, definition.options, site)
    job.before, job.postconditions = definition.before, definition.after
    job.input_specs, job.output_specs = definition.inputs, definition.outputs
    job.declares_outputs, job.mode = definition.declares_outputs, definition.mode
    return job


def workflow_directory(order: dict[str, Any]) -> str:
    """Where the state of the order's workflow lies."""
    from awflow.state.layout import Layout

    directory: str = Layout(order['state'], order['workflow']).directory
    return directory


def load_result(directory: str, record: Record) -> object:
    """A stored result of the workflow whose state lies in the directory. What another host stored is waited for a while."""
    stored = record.result
    if stored is None:
        return None
    path = os.path.join(directory, stored['file'])
    if record.host not in ('', os.uname().nodename):
        from awflow.backends.visibility import awaited, visible

        awaited(lambda: visible(path) and len(_stored(path, stored)) == stored['bytes'])
    try:
        data = _stored(path, stored)
    except FileNotFoundError:
        raise ResultError('a stored result is gone', 'Run its task again.', file=path) from None
    if len(data) != stored['bytes'] or ('sum' in stored and xxhash.xxh3_64_hexdigest(data) != stored['sum']):
        raise StateCorruptError('a stored result is damaged', 'Run its task again.', file=path, at=stored['at'])
    return unpickling.loads(data)


def _stored(path: str, stored: dict[str, Any]) -> bytes:
    with open(path, 'rb') as file:
        file.seek(stored['at'])
        return file.read(int(stored['bytes']))


class Tools:
    """What performing a task needs of the layers below. Digests are shared by the tasks that are forked after them."""

    def __init__(self, payload: Payload, near: Callable[[], bool] | None = None) -> None:
        self._payload = payload
        self._near = near  # tells whether the task's end is near; otherwise its time limit does
        self._digests: Digests | None = None
        self._place: tuple[str, str] | None = None
        self._watch: Watch | None = None

    def open(self, order: dict[str, Any]) -> None:
        """Says whose cache of digests is asked for what is big, or a directory; it is read when that happens."""
        self._place = order['state'], order['workflow']

    def _cache(self) -> Digests:
        if self._digests is None:
            from awflow.state.digests import Digests
            from awflow.state.fs import Disk
            from awflow.state.layout import Layout

            assert self._place is not None, 'open() comes first'
            self._digests = Digests(Layout(*self._place).digests, Disk())
        return self._digests

    def context(self, definition: Definition, order: dict[str, Any]) -> TaskContext:
        """While it lasts (with ...:), references to jobs find the task that uses them."""
        return TaskContext(definition, order, self._payload, self._near)

    def watch(self, order: dict[str, Any]) -> Watch | None:
        """What will see the files that the task uses, if its order asks for that. One a process: it cannot be removed."""
        if order.get('lint') is None:
            return None
        if self._watch is None:
            from awflow.backends.lint import Watch

            self._watch = Watch()
            self._watch.install()
        self._watch.begin(order)
        return self._watch

    def inputs(self, definition: Definition, value: object, order: dict[str, Any]) -> dict[str, bool]:
        """The paths that the declared inputs name now -> whether size and time are enough."""
        from awflow.specs import expand_inputs

        return expand_inputs(definition.inputs, value, _label(definition, order), definition.name, order['produced'])

    def outputs(self, definition: Definition, value: object, order: dict[str, Any]) -> list[str]:
        """The paths that the declared outputs name."""
        if not definition.outputs:
            return []
        from awflow.specs import expand_outputs

        return expand_outputs(definition.outputs, value, _label(definition, order), definition.name)

    def content(self, path: str) -> Content | None:
        """Digest and size of a file or directory, None if it is not there; and of a small file the signature it had."""
        small = small_file(path)
        if small is not None:
            digest, signature = small
            return digest, signature[0], signature
        content = self._cache().of(path)
        return None if content is None else (content.digest, content.size, None)

    def contents(self, paths: Sequence[str]) -> Iterator[Content | None]:
        """The same of many, which are read side by side where that helps."""
        if len(paths) < MANY:
            yield from map(self.content, paths)
            return
        from awflow.state.ahead import read_all

        small = read_all(small_file, paths)
        rest = self._cache().of_all([path for path, found in zip(paths, small, strict=True) if found is None])
        for path, found in zip(paths, small, strict=True):
            if found is not None:
                yield found[0], found[1][0], found[1]
            else:
                content = rest[path]
                yield None if content is None else (content.digest, content.size, None)

    def signature(self, path: str) -> str | None:
        """What stands for the content of a file too big to read."""
        content = self._cache().stat_only(path)
        return None if content is None else content.digest

    def pickled(self, result: object) -> bytes:
        """The result as it is stored. Classes of the project's modules travel by name, those of the script by value."""
        from awflow.backends.stored import dump_result

        return dump_result(result)

    def digest(self, result: object, data: bytes) -> str:
        """The result as dependents compare it; of its pickle where the value itself cannot be digested."""
        from awflow.fingerprint import digest

        try:
            return str(digest(result))
        except FingerprintError:
            return str(xxhash.xxh3_128_hexdigest(data))

    def store(self, order: dict[str, Any], data: bytes, digest: str) -> dict[str, object]:
        """Appends to the order's results file, in one write so that tasks which share it do not mix, and syncs it."""
        path = order['results_file']
        os.makedirs(os.path.dirname(path), exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            if os.write(descriptor, data) != len(data):
                raise OSError(f'{path}: only a part of the result could be written')
            at = os.lseek(descriptor, 0, os.SEEK_CUR) - len(data)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        return {
            'file': os.path.relpath(path, workflow_directory(order)),
            'at': at,
            'bytes': len(data),
            'digest': digest,
            'sum': xxhash.xxh3_64_hexdigest(data),
        }


def _label(definition: Definition, order: dict[str, Any]) -> object:
    """What the task is called in paths: a mapping's key, otherwise its value."""
    from awflow.elements import SINGLE

    return SINGLE if definition.array is None else definition.array.name(order['position'])
