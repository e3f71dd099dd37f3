"""A task in a zip file, for a colleague: what it needs to be run, but its input files, and what is known of how it went.

    bundle.json        which task of which workflow; its record; paths of the run
    payload            functions and values, as pickles
    upstream/          records and stored results of the jobs that it waits for directly
    sources/           the files of the script and of the project's modules, so that tracebacks show lines
    log.txt  inputs.json  environment.json  README.txt

Nothing is unpickled to make one, or before its user has agreed. Of the environment only versions are told: no variables,
and not the command line.
"""

from __future__ import annotations

import json
import os
import sys
import zipfile
from contextlib import suppress
from time import time

from awflow._version import __version__
from awflow.cli.case import Case, opened
from awflow.errors import StateAccessError, StateError
from awflow.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, Final

FORMAT: Final = 1
LOG: Final = 10 << 20  # bytes of a log, from its end, that are packed
RESULTS: Final = 256 << 20  # bytes of results in all
SHOWN: Final = 10

README: Final = """\
{name} of workflow {workflow}: {outcome}

This is one task of an awflow workflow, packed to be run by somebody else:

    python{python} -m pip install "awflow=={awflow}"
    cd DIRECTORY                 # with the input files that inputs.json lists
    awflow debug --from {file} --pdb

It must be Python {python}, as functions travel as its bytecode. environment.json says which packages were there.

RUNNING IT RUNS CODE. `payload` and `upstream` hold pickles: whoever made this file can run code as you. Look at the rest
with any program that opens zip files; run it only if you trust where it comes from.

What is in here: functions of the project and every value that they use (payload), stored results of the jobs that the
task waits for (upstream), source files, the task's record and log, names, sizes and digests of its input files. Not in
here: the input files themselves, variables of the environment, the command line. Look whether anything secret is among
it before you pass it on.
"""


class About:
    """What a bundle says of itself, read without unpickling anything."""

    __slots__ = ('environment', 'fields', 'file', 'inputs')

    def __init__(self, file: str, fields: dict[str, Any], inputs: list[dict[str, Any]], environment: dict[str, Any]) -> None:
        self.file = file
        self.fields = fields
        self.inputs = inputs
        self.environment = environment

    def lines(self) -> Iterator[str]:
        """What its user should know before running it."""
        record = self.fields.get('record') or {}
        how = record.get('outcome') or 'never ended'
        error = (record.get('error') or {}).get('line', '')
        yield f'{self.fields["name"]} of workflow {self.fields["workflow"]}, which {_verb(how)}{f" ({error})" if error else ""}'
        missing = [found['path'] for found in self.inputs if not os.path.lexists(found['path'])]
        if missing:
            more = f', ... {len(missing)} in all' if len(missing) > SHOWN else ''
            yield f'of its inputs these are not here: {", ".join(missing[:SHOWN])}{more}'
        sizes = {found['path']: (os.path.getsize(found['path']), found.get('bytes')) for found in self.inputs
                 if os.path.isfile(found['path'])}  # fmt: skip
        others = [f'{path} ({now} bytes, not {then})' for path, (now, then) in sizes.items() if then not in (None, now)]
        if others:
            yield f'of its inputs these are others: {", ".join(others[:SHOWN])}'
        yield from self._versions()

    def _versions(self) -> Iterator[str]:
        from importlib import metadata

        different = []
        for name, then in self.environment.get('used', {}).items():
            try:
                now = metadata.version(name)
            except metadata.PackageNotFoundError:
                now = 'not installed'
            if now != then:
                different.append(f'{name} {then} -> {now}')
        if different:
            yield f'packages that it uses were others there: {", ".join(different)}'


def _verb(outcome: str) -> str:
    return outcome if outcome in ('succeeded', 'failed', 'crashed', 'never ended') else f'ended as {outcome}'


# -- packing -----------------------------------------------------------------------------------------------------------


def pack(case: Case, file: str) -> str:
    """Write the file, which must not be there, and say what is in it."""
    payload = opened(case)
    record = case.record.to_dict() if case.record is not None else None
    python = '.'.join(map(str, sys.version_info[:2]))
    upstream, stored, notes = _upstream(case)
    sources = dict(_sources(case, [payload.script, *payload.files]))
    fields = {
        'format': FORMAT, 'awflow': __version__, 'workflow': case.workflow, 'job': case.job, 'task': case.key,
        'name': case.name, 'made': round(time(), 3), 'python': python, 'record': record, 'directory': case.directory,
        'upstream': [found.to_dict() for found in upstream],
        'sources': {path: f'sources/{n}.py' for n, path in enumerate(sources)},
    }  # fmt: skip
    outcome = case.record.outcome if case.record is not None else 'has not run'
    members: dict[str, bytes] = {
        'README.txt': README.format(
            name=case.name, workflow=case.workflow, outcome=outcome or 'no end on record', python=python, awflow=__version__,
            file=os.path.basename(file),
        ).encode(),
        'bundle.json': _json(fields), 'inputs.json': _json(list(_inputs(case))), 'environment.json': _json(_environment(case)),
        **{f'upstream/{name}': data for name, data in stored.items()},
        **{f'sources/{n}.py': text for n, text in enumerate(sources.values())},
    }  # fmt: skip
    if log := _log(case):
        members['log.txt'] = log
    _write(file, case.path, members)
    inputs = len(json.loads(members['inputs.json']))
    counts = f'inputs named: {inputs}, results of other jobs: {len(stored)}, source files: {len(sources)}'
    return '\n'.join(
        [
            f'{file}: {case.name} ({counts})',
            *notes,
            'It holds code and values of yours: see its README.txt before you pass it on.',
        ]
    )


def _json(value: object) -> bytes:
    return json.dumps(value, indent=1).encode('ascii') + b'\n'


def _write(file: str, payload: str, members: dict[str, bytes]) -> None:
    try:
        with open(file, 'xb') as stream, zipfile.ZipFile(stream, 'w', zipfile.ZIP_DEFLATED) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
            archive.write(payload, 'payload')
    except FileExistsError:
        raise StateAccessError('{file} is there already', 'Give another name, or remove it.', file=file) from None
    except OSError as error:
        if error.filename != file:
            with suppress(OSError):
                os.unlink(file)
        raise StateAccessError('{_file} cannot be written', '', _file=file, cause=error.strerror or str(error)) from error


def _upstream(case: Case) -> tuple[list[Record], dict[str, bytes], list[str]]:
    """The records of the jobs that the task waits for directly, the parts of files that hold their results, and notes."""
    from awflow.state.store import Store

    if case.record is None:
        return [], {}, []
    store = Store(case.root, case.workflow)
    state = store.read()
    known = set(state.jobs())
    named = [*case.record.upstream, *(n.removeprefix('upstream ') for n in case.record.own if n.startswith('upstream '))]
    jobs = dict.fromkeys(job for name in named for job in (name, name.rpartition('?')[0]) if job in known)
    records: list[Record] = []
    parts: dict[str, bytes] = {}
    total = 0
    for job in jobs:
        rows = state.rows(job)
        assert rows is not None, 'a job of the state has rows'
        for row in range(len(rows)):
            record = rows.record(row)
            stored = record.result
            if stored is not None:
                total += stored['bytes']
                if total > RESULTS:
                    return records, parts, [f'More than {RESULTS >> 20} MiB of results: the rest was left out.']
                name = f'{len(parts)}.pickle'
                try:
                    parts[name] = store.disk.read(
                        os.path.join(store.layout.directory, stored['file']), stored['at'], stored['bytes']
                    )
                except OSError:
                    continue  # gone: a task that reads it is told so
                record = record.replace(result={**stored, 'file': name, 'at': 0})
            records.append(record)
    return records, parts, []


def _sources(case: Case, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
    """The files of the script and of the project's modules that travel in the payload."""
    for path in dict.fromkeys(paths):
        with suppress(OSError), open(case.here(path), 'rb') as file:  # gone: its lines cannot be shown
            yield path, file.read()


def _inputs(case: Case) -> Iterator[dict[str, Any]]:
    """Input files by path: bytes as they are now, and the digest with which the task ran; those seen undeclared too."""
    record = case.record
    declared = {name.removeprefix('input '): d for name, d in record.own.items() if name.startswith('input ')} if record else {}
    undeclared = (record.lint or {}).get('read', []) if record is not None else []
    for path in [*declared, *(path for path in undeclared if path not in declared)]:
        at = os.path.join(case.directory, path)
        size = os.path.getsize(at) if os.path.isfile(at) else None
        yield {'path': path, 'bytes': size, 'digest': declared.get(path), 'declared': path in declared}


def _environment(case: Case) -> dict[str, Any]:
    """Versions, then and here; no variables, no command line."""
    import platform
    from importlib import metadata

    installed = {str(d.metadata['Name']): d.version for d in metadata.distributions() if d.metadata['Name']}
    return {
        'python': case.facts.get('python', ''), 'used': case.facts.get('packages', {}), 'host': case.facts.get('host', ''),
        'git': case.facts.get('git', ''), 'packed_with': platform.python_version(), 'system': platform.platform(),
        'installed': dict(sorted(installed.items())),
    }  # fmt: skip


def _log(case: Case) -> bytes:
    """The log of the last attempt, the end of it if it is long."""
    from awflow.state.layout import Layout

    if case.record is None or not case.record.log:
        return b''
    path = os.path.join(Layout(case.root, case.workflow).directory, case.record.log)
    try:
        with open(path, 'rb') as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - LOG))
            return file.read()
    except OSError:
        return b''


# -- unpacking ---------------------------------------------------------------------------------------------------------


def about(file: str) -> About:
    """What the bundle says of itself; StateError if it is none."""
    try:
        with zipfile.ZipFile(file) as archive:
            fields, inputs, environment = (
                json.loads(archive.read(name)) for name in ('bundle.json', 'inputs.json', 'environment.json')
            )
            if fields['format'] > FORMAT:
                raise StateError(
                    '{file} was packed by a newer awflow', 'Upgrade awflow.', file=file, packed_by=fields['awflow']
                )
            _refuse_nonsense(fields, inputs, environment)
            return About(file, fields, inputs, environment)
    except OSError as error:
        raise StateAccessError('{_file} cannot be read', '', _file=file, cause=error.strerror or str(error)) from None
    except (zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError) as error:
        raise StateError(
            '{_file} is no task that `awflow debug --bundle` packed, or is damaged', 'Have it packed again.', _file=file,
            cause=f'{type(error).__name__}: {error}',
        ) from None  # fmt: skip


def _refuse_nonsense(fields: Any, inputs: Any, environment: Any) -> None:
    """TypeError or KeyError if these are not what a bundle tells, which anybody may have written."""
    kinds: list[tuple[object, type]] = [(fields[name], str) for name in ('name', 'workflow', 'job', 'task', 'directory')]
    kinds += [(fields['record'] or {}, dict), (fields['upstream'], list), (fields['sources'], dict), (inputs, list)]
    kinds += [(found['path'], str) for found in inputs] + [(environment['used'], dict)]
    for found, kind in kinds:
        if not isinstance(found, kind):
            raise TypeError(f'{found!r:.40} is not {kind.__name__}')


def unpack(file: str, told: About, folder: str) -> Case:
    """The task, with a state below `folder` that holds what it waits for."""
    from awflow.state.layout import Layout

    fields = told.fields
    root = os.path.join(folder, '.awflow')
    layout = Layout(root, fields['workflow'])
    path = os.path.join(folder, 'payload')
    case = Case(
        fields['job'], fields['task'], path, Record.from_dict(fields['record']) if fields['record'] else None, root,
        fields['workflow'],
    )  # fmt: skip
    with zipfile.ZipFile(file) as archive:
        with open(path, 'xb') as out:
            out.write(archive.read('payload'))
        _restore(archive, layout, [Record.from_dict(record) for record in fields['upstream']])
        names = set(archive.namelist())
        case.sources = {
            path: archive.read(name).decode('utf-8', 'replace') for path, name in fields['sources'].items() if name in names
        }
    case.directory = os.getcwd()
    case.moved = fields['directory'], case.directory
    return case


def _restore(archive: zipfile.ZipFile, layout: Any, records: Iterable[Record]) -> None:
    """Records and results of upstreams, as in the state that they come from."""
    from awflow.state.store import Store

    store = Store(layout.root, layout.workflow)
    kept = []
    names = set(archive.namelist())
    for record in records:
        if record.result is not None:
            name = str(record.result['file'])
            if f'upstream/{name}' in names and name.removesuffix('.pickle').isdecimal():
                os.makedirs(f'{layout.directory}/results', exist_ok=True)
                with open(f'{layout.directory}/results/{name}', 'wb') as out:
                    out.write(archive.read(f'upstream/{name}'))
            record = record.replace(result={**record.result, 'file': f'results/{name}'}, host='')
        kept.append(record)
    store.publish(run='bundle', expected=store.read(), tasks={}, records=kept)
