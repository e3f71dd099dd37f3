"""The file from which tasks get their functions: one for all jobs of a claim, of which a reader loads only its part.

    8 bytes   magic: `awflow` and the format's number
    8 bytes   size of the index, little-endian
    8 bytes   xxh3_64 of the index
    index     JSON: python, cloudpickle, sys_path, cwd, script, by_value, by_reference, parts {name: [offset, size, xxh3_64]}
    parts     pickles: the modules that travel (part ''), and every job's Definition
    plans     what tasks are told of each job besides, if their backend has something to say; placed by the index too

Offsets count from the end of the index. Written once, under a new name, and synced: a task on another host may be
reading it as soon as it can be seen.
"""

from __future__ import annotations

import os
import sys
import types

import xxhash

from awflow.backends import unpickling
from awflow.errors import BackendError, FingerprintError, RunError, StateAccessError, StateCorruptError
from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Final

    from awflow.job import Condition

MAGIC: Final = b'awflow\x00\x01'
FIRST: Final = 1 << 16  # bytes read at once, of most payloads all: every file opened is dear on a shared filesystem
WORD: Final = 8  # bytes of the magic, the size and the digest
MODULES: Final = ''  # no job has an empty name


class Definition:
    """One job as its tasks need it.

    `array` has `.value(position)`, or is None. `edges` are (job, status, each). `declares_outputs` is true of an empty
    @outputs too.
    """

    __slots__ = (
        'after',
        'array',
        'before',
        'declares_outputs',
        'edges',
        'function',
        'inputs',
        'mode',
        'name',
        'options',
        'outputs',
    )

    def __init__(
        self,
        name: str,
        function: Any,
        *,
        array: Any = None,
        before: Sequence[Condition] = (),
        after: Sequence[Condition] = (),
        edges: Sequence[tuple[str, str, bool]] = (),
        outputs: Sequence[Any] = (),
        inputs: Sequence[Any] = (),
        options: Any = None,
        declares_outputs: bool | None = None,
        mode: str = 'all',
    ) -> None:
        self.mode = mode
        self.name = name
        self.function = function
        self.array = array
        self.before = list(before)
        self.after = list(after)
        self.edges = list(edges)
        self.outputs = list(outputs)
        self.inputs = list(inputs)
        self.options = options
        self.declares_outputs = bool(outputs) if declares_outputs is None else declares_outputs


def write(
    path: str,
    jobs: Mapping[str, Definition],
    *,
    sys_path: Sequence[str],
    cwd: str,
    script: str,
    modules: Iterable[types.ModuleType] = (),
    plans: Mapping[str, bytes] | None = None,
) -> None:
    """Writes a new file. `modules` are the project's own that the jobs reach; `plans` is what a backend tells its tasks
    of each job besides.

    Raises FingerprintError, which names the variable that cannot travel, and StateAccessError.
    """
    from awflow.backends.pickling import VERSION, dump_modules

    found = {module.__name__: module for module in modules}
    carried, by_value = dump_modules(found)
    parts = {MODULES: carried} if carried else {}
    parts.update((name, _dump_job(definition, by_value)) for name, definition in jobs.items())
    index = {
        'python': list(sys.version_info[:2]),
        'cloudpickle': VERSION,
        'sys_path': list(sys_path),
        'cwd': cwd,
        'script': script,
        'by_value': {name: _whereabouts(module) for name, module in by_value.items()},
        'by_reference': {name: digest for name, module in found.items() if (digest := source_digest(module))},
        'parts': _placed(parts),
    }
    if plans:
        index['plans'] = _placed(plans, sum(map(len, parts.values())))
    body = jsontext.dumps(index)
    head = [MAGIC, *(number.to_bytes(WORD, 'little') for number in (len(body), xxhash.xxh3_64_intdigest(body)))]
    _create(path, [*head, body, *parts.values(), *(plans or {}).values()])


def _placed(parts: Mapping[str, bytes], offset: int = 0) -> dict[str, tuple[int, int, str]]:
    places = {}
    for name, part in parts.items():
        places[name] = (offset, len(part), xxhash.xxh3_64_hexdigest(part))
        offset += len(part)
    return places


def _whereabouts(module: types.ModuleType) -> list[object]:
    return [getattr(module, '__file__', None), list(getattr(module, '__path__', None) or []) or None]


def source_digest(module: types.ModuleType) -> str:
    """Digest of the bytes of a module's source, '' if it has none."""
    return file_digest(getattr(module, '__file__', None) or '')


def file_digest(path: str) -> str:
    try:
        with open(path, 'rb') as file:
            return xxhash.xxh3_128_hexdigest(file.read())
    except OSError:
        return ''


def _dump_job(definition: Definition, modules: Mapping[str, types.ModuleType]) -> bytes:
    from awflow.backends.pickling import dumps

    try:
        return dumps(definition, modules)
    except Exception as error:
        raise _refusal(definition, modules, error) from error


def _refusal(definition: Definition, modules: Mapping[str, types.ModuleType], error: Exception) -> FingerprintError:
    from awflow.backends.pickling import culprit

    conditions = [*definition.before, *definition.after]
    functions = [definition.function, *(condition.function for condition in conditions)]
    found = next((hit for function in functions if (hit := culprit(function, modules))), None)
    cause = f'{type(error).__name__}: {error}'
    if found is None:
        return FingerprintError(
            'job {job!r} cannot be sent to its tasks', 'Create inside the function what cannot be pickled.',
            job=definition.name, cause=cause,
        )  # fmt: skip
    return FingerprintError(
        'job {job!r} cannot be sent to its tasks: {variable!r} cannot be pickled', 'Create it inside the function.',
        job=definition.name, variable=found[0], type=type(found[1]).__name__, cause=cause,
    )  # fmt: skip


def _create(path: str, pieces: Iterable[bytes]) -> None:
    try:
        with open(path, 'xb') as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StateAccessError('the payload cannot be written', '', file=path, cause=str(error)) from error


class Payload:
    """A reader. Nothing of a job is loaded before it is asked for."""

    def __init__(self, path: str) -> None:
        self.path = path
        index = self._index()
        if tuple(index['python']) != sys.version_info[:2]:
            raise BackendError(
                'the tasks were submitted by another Python', 'Use the interpreter that submitted them.',
                submitted='.'.join(map(str, index['python'])), here='.'.join(map(str, sys.version_info[:2])),
            )  # fmt: skip
        self._loads = unpickling.reader_of(index['cloudpickle'])
        self.sys_path: list[str] = index['sys_path']
        self.cwd: str = index['cwd']
        self.script: str = index['script']
        self._by_value: dict[str, list[Any]] = index['by_value']
        self._sources: dict[str, str] = index['by_reference']
        self._parts: dict[str, tuple[int, int, str]] = index['parts']
        self._plans: dict[str, tuple[int, int, str]] = index.get('plans', {})
        self._guard: SourceGuard | None = None

    @property
    def names(self) -> list[str]:
        return [name for name in self._parts if name != MODULES]

    @property
    def files(self) -> list[str]:
        """Where the modules were that travel in it."""
        return [str(file) for file, _ in self._by_value.values() if file]

    def definition(self, name: str) -> Definition:
        """Rebuilds one job, with the project's modules the first time. Raises whatever their imports raise."""
        if self._guard is None:
            self._guard = SourceGuard(self._sources)
            sys.meta_path.insert(0, self._guard)
            self._restore_modules()
        definition: Definition = self._loads(self._part(name))
        return definition

    def plan(self, name: str) -> bytes:
        """What the backend that wrote the payload tells the tasks of a job."""
        return self._bytes(name, self._plans.get(name))

    def _restore_modules(self) -> None:
        """Modules that turn out not to be loadable are imported when needed, if they are still what they were."""
        if not self._by_value:
            return
        sys.modules.update((name, _empty(name, *place)) for name, place in self._by_value.items())
        try:
            for name, state in self._loads(self._part(MODULES)).items():
                vars(sys.modules[name]).update(state)
        except Exception:  # noqa: BLE001  a value of the user's that pickles but does not unpickle
            for name in self._by_value:
                sys.modules.pop(name, None)

    def _index(self) -> dict[str, Any]:
        with open(self.path, 'rb') as file:
            self._first = file.read(FIRST)
            size, digest = (int.from_bytes(self._first[at : at + WORD], 'little') for at in (WORD, 2 * WORD))
            self._start = 3 * WORD + size
            intact = self._first.startswith(MAGIC)
            self._first += file.read(self._start - len(self._first)) if intact and self._start > len(self._first) else b''
        body = self._first[3 * WORD : self._start]
        if not intact or xxhash.xxh3_64_intdigest(body) != digest:
            raise StateCorruptError('the payload is damaged', 'Schedule again.', file=self.path)
        index: dict[str, Any] = jsontext.loads(body)
        return index

    def _part(self, name: str) -> bytes:
        return self._bytes(name, self._parts.get(name))

    def _bytes(self, name: str, place: tuple[int, int, str] | None) -> bytes:
        if place is None:
            raise BackendError('the payload does not hold job {job!r}', '', job=name, file=self.path)
        offset, size, digest = place
        part = self._first[self._start + offset : self._start + offset + size]
        if len(part) < size:
            with open(self.path, 'rb') as file:
                file.seek(self._start + offset)
                part = file.read(size)
        if xxhash.xxh3_64_hexdigest(part) != digest:
            raise StateCorruptError('the payload is damaged', 'Schedule again.', file=self.path, job=name)
        return part


def damage_of(data: bytes) -> str:
    """What is wrong with the bytes of a payload, '' if nothing is. Nothing of it is loaded."""
    size, digest = (int.from_bytes(data[at : at + WORD], 'little') for at in (WORD, 2 * WORD))
    start = 3 * WORD + size
    body = data[3 * WORD : start]
    if not data.startswith(MAGIC):
        return 'it holds something else, or the payload of another version'
    if len(body) < size or xxhash.xxh3_64_intdigest(body) != digest:
        return 'it is cut short, or its checksum does not fit'
    index = jsontext.loads(body)
    for name, (offset, length, expected) in [*index['parts'].items(), *index.get('plans', {}).items()]:
        if xxhash.xxh3_64_hexdigest(data[start + offset : start + offset + length]) != expected:
            return f'it is cut short, or the checksum of job {name!r} does not fit' if name else 'its modules are damaged'
    return ''


def _empty(name: str, file: str | None, path: list[str] | None) -> types.ModuleType:
    """A module without contents that knows where its source lies."""
    from importlib.machinery import ModuleSpec, SourceFileLoader

    module = types.ModuleType(name)
    if file is not None:
        module.__spec__ = ModuleSpec(name, SourceFileLoader(name, file), origin=file, is_package=path is not None)
        module.__spec__.submodule_search_locations = path
        module.__loader__ = module.__spec__.loader
    return module


class SourceGuard:
    """An import hook that lets no module of the project in whose source is not the planned one."""

    def __init__(self, sources: Mapping[str, str]) -> None:
        self._sources = sources

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: Any = None) -> None:
        """Finds nothing: looks at what the next finders will find."""
        if name not in self._sources:
            return
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin and file_digest(spec.origin) != self._sources[name]:
            raise RunError(
                '{_file} changed since submission', 'Schedule again.', module=name, source=spec.origin,
                _file=os.path.basename(spec.origin),
            )  # fmt: skip
