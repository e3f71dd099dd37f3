"""All that is on record of one task, as data: what `show` prints."""

from __future__ import annotations

from awflow.cli.runs import asked_by
from awflow.cli.trials import trials

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.cli.attempts import LastAttempt
    from awflow.cli.contents import Contents
    from awflow.cli.runs import Runs
    from awflow.state.record import Record

MIB = 2**20
RUN = ('run', 'time', 'host', 'argv', 'command', 'directory', 'python', 'git', 'packages', 'parent', 'plan')


class File:
    """An input or an output: digest on record, bytes where they are known, and what became of it."""

    __slots__ = ('digest', 'path', 'size', 'state')

    def __init__(self, path: str, digest: str, size: int | None, state: str) -> None:
        self.path = path
        self.digest = digest
        self.size = size
        self.state = state

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {'path': self.path, 'digest': self.digest, 'bytes': self.size, 'state': self.state}


class Used:
    """What an attempt used beside what its job had asked for; None is what is not known.

    `seconds` and `cpu_seconds` are seconds, `memory` bytes at the peak; of what was asked for, memory is MiB and the time
    limit seconds. `efficiency` is the part of the cpus asked for that was busy.
    """

    __slots__ = ('asked', 'cpu_seconds', 'memory', 'seconds')

    def __init__(self, record: Record, asked: dict[str, Any] | None) -> None:
        self.asked = asked
        ran = bool(record.started and record.ended and not record.adopted)
        self.seconds = max(record.ended - record.started, 0.0) if ran else None
        self.cpu_seconds = record.user + record.system if record.user or record.system else None
        self.memory = record.rss or None

    @property
    def efficiency(self) -> float | None:
        """Between 0 and 1, or more for a task that used cpus which it had not asked for."""
        if self.cpu_seconds is None or not self.seconds or self.asked is None:
            return None
        return self.cpu_seconds / self.seconds / float(self.asked.get('cpus', 1))

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            'seconds': None if self.seconds is None else round(self.seconds, 3),
            'cpu_seconds': None if self.cpu_seconds is None else round(self.cpu_seconds, 3), 'memory_bytes': self.memory,
            'cpu_efficiency': None if self.efficiency is None else round(self.efficiency, 4), 'asked': self.asked,
        }  # fmt: skip


class Dossier:
    """One task. `record` is None while it waits for its first attempt."""

    def __init__(self, attempt: LastAttempt, runs: Runs, contents: Contents) -> None:
        self.attempt = attempt
        self.record = attempt.record
        self.trials = trials(attempt)
        self.run: dict[str, Any] = {}
        self.inputs: list[File] = []
        self.outputs: list[File] = []
        self.code: dict[str, str] = {}
        self.used: Used | None = None
        if self.record is not None:
            self.run = runs.of(self.record.run)
            self.used = Used(self.record, asked_by(self.run, attempt.job))
            self.code = attempt.workflow.state.codes(self.record.code)
            self._files(self.record, runs.directory(self.record.run), contents)

    def _files(self, record: Record, directory: str, contents: Contents) -> None:
        files = [(name[6:], digest, None) for name, digest in record.own.items() if name.startswith('input ')]
        self.inputs = [File(*file, contents.compared(directory, *file)) for file in files]
        made = [(path, str(digest), int(size)) for path, (digest, size) in record.outputs.items()]
        self.outputs = [File(*file, contents.compared(directory, *file)) for file in made]

    @property
    def own(self) -> dict[str, str]:
        """The components of its identity that are its alone, but for inputs and partners."""
        own = self.record.own if self.record is not None else {}
        return {name: digest for name, digest in own.items() if not name.startswith(('input ', 'upstream '))}

    @property
    def upstream(self) -> dict[str, str]:
        """What it waited for -> the outcome that it met, as a digest."""
        if self.record is None:
            return {}
        partners = {name[9:]: end for name, end in self.record.own.items() if name.startswith('upstream ')}
        return {**self.record.upstream, **partners}

    def owner(self) -> dict[str, str]:
        """The run that has claimed it and not finished it, and what is known of that."""
        workflow = self.attempt.workflow
        number = workflow.state.owner_of(self.attempt.job, self.attempt.key)
        if number is None:
            return {}
        found = workflow.evidence[number]
        return {'run': workflow.state.claims[number].run, 'state': found.state, 'why': found.why}

    def to_dict(self) -> dict[str, Any]:
        """For JSON: nothing is left out."""
        attempt, record = self.attempt, self.record
        told = {
            'workflow': attempt.workflow.name, 'job': attempt.job, 'key': attempt.key, 'task': attempt.name,
            'outcome': attempt.outcome, 'error': attempt.error() or None, 'log': attempt.log() or None,
            'owner': self.owner() or None,
        }  # fmt: skip
        if record is None:
            return {**told, 'record': None, 'attempts': []}
        return {
            **told, 'record': record.to_dict(), 'code': self.code,
            'inputs': [file.to_dict() for file in self.inputs], 'outputs': [file.to_dict() for file in self.outputs],
            'upstream': self.upstream, 'used': self.used.to_dict() if self.used is not None else None,
            'attempts': [trial.to_dict() for trial in self.trials],
            'run': {name: self.run[name] for name in RUN if name in self.run} or None,
        }  # fmt: skip
