"""Who made a file, by the records: the tasks that declare it, or a directory that it lies in, as an output."""

from __future__ import annotations

import os
from itertools import islice

from awflow.cli.attempts import LastAttempt
from awflow.cli.runs import directories_of
from awflow.identity import paths_digest
from awflow.state import blocks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Final

    from awflow.cli.observed import Workflow
    from awflow.state.rows import Rows

PATHS: Final = 'output paths'  # the component that is the digest of declared paths
SEARCHES: Final = 4  # after so many all names are read
LINKED: Final = 1000  # files of one name that are looked at, whether they are the same by another way


class Made:
    """A task and the output by which it made the file asked for: that file, or a directory around it."""

    __slots__ = ('attempt', 'directory', 'name')

    def __init__(self, attempt: LastAttempt, name: str, directory: str) -> None:
        self.attempt = attempt
        self.name = name
        self.directory = directory  # what the name is relative to


class Makers:
    """The outputs of one workflow. `directories` are those in which its runs scheduled: paths on record start there."""

    def __init__(self, workflow: Workflow) -> None:
        self.workflow = workflow
        self.directories = directories_of(workflow.store)
        self._asked = 0
        self._index: dict[str, list[tuple[str, int]]] | None = None

    def of(self, file: str) -> list[Made]:
        """Who made a file, whatever way leads to it; the last that ended first."""
        forms = self._forms(file)
        found = self._named(forms)
        if not found:
            found = self._linked(os.path.realpath(file))
        return sorted(found, key=lambda made: made.attempt.record.ended if made.attempt.record else 0.0, reverse=True)

    def of_names(self, names: Collection[str]) -> dict[str, LastAttempt]:
        """Who made files that records name so; of several the last that ended.

        Who asks again and again follows a long chain: then all names are looked up once, and kept.
        """
        self._asked += 1
        found: dict[str, LastAttempt] = {}
        for name, attempt in self._tasks(names) if self._asked <= SEARCHES else self._indexed(names):
            known = found.get(name)
            if known is None or _ended(known) < _ended(attempt):
                found[name] = attempt
        return found

    def _indexed(self, names: Collection[str]) -> Iterator[tuple[str, LastAttempt]]:
        if self._index is None:
            self._index = {}
            for name, job, row in self._all():
                self._index.setdefault(name, []).append((job, row))
        for name in names:
            for job, row in self._index.get(name, ()):
                rows = self.workflow.state.rows(job)
                assert rows is not None, 'it was found in them'
                yield name, LastAttempt(self.workflow, job, rows.keys[row])

    def _all(self) -> Iterator[tuple[str, str, int]]:
        """Every output on record, its job and row."""
        for job in self.workflow.state.jobs():
            rows = self.workflow.state.rows(job)
            assert rows is not None, 'a job of the state has rows'
            for row, record in rows.over.items():
                yield from ((name, job, row) for name in record.outputs)
            for row, name in blocks.every(rows.base, 'outputs') if rows.base is not None else ():
                if row not in rows.over:
                    yield name, job, row

    def readers(self, file: str) -> list[str]:
        """Names of tasks that read it."""
        names = {f'input {name}' for name in self._forms(file)}
        return [attempt.name for _, attempt in self._tasks(names, 'own')]

    def declaring(self, file: str) -> list[LastAttempt]:
        """Tasks that declare a file as their only output and have no record of having made it, because they failed or run."""
        digests = {paths_digest([name]) for name in self._forms(file)}
        found = []
        for job in self.workflow.state.jobs():
            rows = self.workflow.state.rows(job)
            assert rows is not None, 'a job of the state has rows'
            hits = [row for row in rows.mentioning(digests) if rows.record(row).own.get(PATHS) in digests]
            hits += blocks.digested(rows.base, 'own', PATHS, digests) if rows.base is not None else ()
            found += [LastAttempt(self.workflow, job, rows.keys[row]) for row in dict.fromkeys(hits)]
        return [attempt for attempt in found if attempt.record is not None and attempt.record.own.get(PATHS) in digests]

    def _forms(self, file: str) -> dict[str, str]:
        """How records may name a file or a directory around it -> the directory that this is relative to."""
        forms: dict[str, str] = {}
        paths = dict.fromkeys((os.path.abspath(file), os.path.realpath(file)))
        for directory in self.directories:
            for top in dict.fromkeys((directory, os.path.realpath(directory))):
                for path in paths:
                    inside = path.startswith(top.rstrip('/') + '/')
                    for inner in _upward(path, top if inside else ''):
                        forms.setdefault(os.path.relpath(inner, top), directory)
                        if not inside:
                            forms.setdefault(inner, '/')
        return forms

    def _named(self, forms: dict[str, str]) -> list[Made]:
        return [Made(attempt, name, forms[name]) for name, attempt in self._tasks(forms)]

    def _linked(self, real: str) -> list[Made]:
        """By outputs whose names lead over symbolic links to the file, or to a directory around it."""
        around = set(_upward(real))
        ends = list(dict.fromkeys(map(os.path.basename, around)))
        return [
            Made(LastAttempt(self.workflow, job, rows.keys[row]), name, directory)
            for name, job, row, rows in islice(self._ending(ends), LINKED)
            for directory in self.directories
            if os.path.realpath(os.path.join(directory, name)) in around
        ]

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _tasks(self, names: Collection[str], member: str = 'outputs') -> Iterator[tuple[str, LastAttempt]]:
        for job in self.workflow.state.jobs():
            rows = self.workflow.state.rows(job)
            assert rows is not None, 'a job of the state has rows'
            for row in rows.mentioning(names):
                for name in getattr(rows.record(row), member):
                    if name in names:
                        yield name, LastAttempt(self.workflow, job, rows.keys[row])
            for row, name in blocks.named(rows.base, member, names) if rows.base is not None else ():
                if row not in rows.over:
                    yield name, LastAttempt(self.workflow, job, rows.keys[row])

    def _ending(self, ends: Sequence[str]) -> Iterator[tuple[str, str, int, Rows]]:
        for job in self.workflow.state.jobs():
            rows = self.workflow.state.rows(job)
            assert rows is not None, 'a job of the state has rows'
            for row in rows.mentioning(ends):
                yield from ((name, job, row, rows) for name in rows.record(row).outputs if os.path.basename(name) in ends)
            for row, name in blocks.ending(rows.base, 'outputs', ends) if rows.base is not None else ():
                if row not in rows.over:
                    yield name, job, row, rows


def _upward(path: str, top: str = '') -> Iterator[str]:
    """The path, and the directories around it below `top`."""
    while path not in (os.path.dirname(path), top):
        yield path
        path = os.path.dirname(path)


def _ended(attempt: LastAttempt) -> float:
    return attempt.record.ended if attempt.record is not None else 0.0
