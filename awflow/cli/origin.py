"""Where a file came from, as data: the task that made it, its attempt and code, and its inputs with their makers."""

from __future__ import annotations

import os

from awflow.cli.contents import ABSENT, CHANGED, SAME, Contents
from awflow.cli.makers import Made, Makers
from awflow.cli.runs import Runs
from awflow.errors import StateError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from awflow.cli.observed import Workflow

READERS = 3  # tasks named


class Input:
    """One input of a task: its name, the digest that was used, how it is now, and who made it, if a task did."""

    __slots__ = ('digest', 'maker', 'name', 'state')

    def __init__(self, name: str, digest: str, state: str) -> None:
        self.name = name
        self.digest = digest
        self.state = state
        self.maker: Origin | None = None


class Origin:
    """A file, and the task on record that made it by an output of that name: the file itself, or a directory around it.

    `expanded`: the makers of its inputs were looked up too.
    """

    def __init__(self, file: str, made: Made, runs: Runs, contents: Contents) -> None:
        self.file = file
        self.attempt = made.attempt
        self.output = made.name
        self.directory = made.directory
        self.task = made.attempt.name
        self.inputs: list[Input] = []
        self.makers: list[Origin] = []  # of the inputs, of theirs and so on, each once
        self.expanded = False
        self._contents = contents
        self._runs = runs
        record = made.attempt.record
        assert record is not None, 'who made a file is on record'
        self.record = record
        self.run = runs.of(record.run)
        self.digest, self.size = record.outputs[made.name][0], int(record.outputs[made.name][1])
        self.state = contents.compared(made.directory, made.name, self.digest, self.size)

    @property
    def has_inputs(self) -> bool:
        """Whether its record names any."""
        return any(name.startswith('input ') for name in self.record.own)

    @property
    def _output_path(self) -> str:
        return os.path.realpath(os.path.join(self.directory, self.output))

    @property
    def output_is_around(self) -> bool:
        """Whether what is on record is a directory in which the file lies."""
        return os.path.realpath(self.file).startswith(self._output_path + os.sep)

    @property
    def output_is_elsewhere(self) -> bool:
        """Whether the file was named in another way than the record does."""
        return os.path.normpath(self.file) != os.path.normpath(self.output)

    def look_at_inputs(self) -> None:
        """Compare the inputs with what was used."""
        directory = self._runs.directory(self.record.run)
        self.inputs = [
            Input(name[6:], digest, self._contents.compared(directory, name[6:], digest))
            for name, digest in self.record.own.items() if name.startswith('input ')
        ]  # fmt: skip

    # -- in words ------------------------------------------------------------------------------------------------------

    def made_by(self) -> str:
        """Task, attempt, end, place."""
        from time import time

        from awflow.cli.trials import trials
        from awflow.cli.units import moment

        record = self.record
        number = next((trial.number for trial in reversed(trials(self.attempt)) if trial.number), 0)
        attempt = f', attempt {number}' if number > 1 else ''
        if record.adopted:
            return f'nobody known: {self.task} found it in order and adopted it, {moment(record.ended, time())}'
        where = f' on {record.host}' if record.host else ''
        slurm = record.slurm or {}
        job = f', Slurm job {slurm.get("array") or slurm.get("job")}' if slurm else ''
        accepted = '; its bytes were accepted later' if record.accepted else ''
        return f'{self.task}{attempt}, {self.attempt.outcome} {moment(record.ended, time())}{where}{job}{accepted}'

    def now(self) -> str:
        """What the file is now, beside what was recorded."""
        from awflow.cli.units import size

        recorded = f'{size(self.size)}, digest {self.digest[:12]}'
        whole = ' (whole directory)' if self.output_is_around else ''
        if self.state == SAME:
            return f'as recorded: {recorded}{whole}'
        if self.state == CHANGED:
            return f'changed: it was {recorded}{whole}{self._as_it_is()}'
        if self.state == ABSENT:
            return f'absent: it was {recorded}{whole}'
        return f'not compared, as it is big: recorded are {recorded}{whole}; --thorough reads it'

    def _as_it_is(self) -> str:
        """Size and time of a file that is another than was recorded, '' of a directory."""
        from time import time

        from awflow.cli.units import moment, size

        try:
            found = os.stat(self._output_path)
        except OSError:
            return ''
        if os.path.isdir(self._output_path):
            return ''
        return f'; now {size(found.st_size)}, written {moment(found.st_mtime, time())}'

    def code(self) -> Iterator[tuple[str, str]]:
        """The components of the code, and the commit that the project was at."""
        from awflow.fingerprint import shown

        for name, text in self._components().items():
            value = shown(text)
            digest = text.partition(':')[2][:12] if text.startswith('a:') else ''
            yield 'code', f'{name} = {value}' if value else f'{name}  {digest}'.rstrip()
        if self.run.get('git'):
            yield 'commit', str(self.run['git'])

    def _components(self) -> dict[str, str]:
        return self.attempt.workflow.state.codes(self.record.code)

    def run_in_words(self) -> str:
        """By which command, where, with which Python."""
        if not self.record.run:
            return 'not on record'
        if not self.run:
            return f'{self.record.run} (its file is gone)'
        argv = ' '.join(map(str, self.run.get('argv', ())))
        return f'{self.record.run}: {argv}, Python {self.run.get("python", "?")} on {self.run.get("host", "?")}'

    def inputs_in_words(self, most: int) -> Iterator[tuple[str, str]]:
        """Inputs with what became of them, and the upstreams that it waited for."""
        for each in self.inputs[:most]:
            made = f', made by {each.maker.task}' if each.maker is not None else ''
            yield 'input', f'{each.name}  {each.digest[:12]}, {each.state}{made}'
        if len(self.inputs) > most > 0:
            yield 'input', f'... {len(self.inputs) - most} more; --json has all'
        if not self.inputs:
            yield 'input', 'none declared'
        partners = [name[9:] for name in self.record.own if name.startswith('upstream ')]
        if self.record.upstream or partners:
            yield 'after', ', '.join([*self.record.upstream, *partners])

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        record = self.record
        return {
            'file': self.file, 'workflow': self.attempt.workflow.name, 'task': self.task, 'job': self.attempt.job,
            'key': self.attempt.key, 'output': self.output, 'state': self.state, 'digest': self.digest, 'bytes': self.size,
            'outcome': self.attempt.outcome, 'adopted': record.adopted, 'accepted': record.accepted,
            'generation': record.generation, 'attempt': list(record.attempt), 'id': record.id, 'host': record.host,
            'slurm': record.slurm, 'started': record.started, 'ended': record.ended, 'log': self.attempt.log() or None,
            'run': record.run, 'git': self.run.get('git') or None, 'command': self.run.get('command'),
            'python': self.run.get('python'), 'packages': self.run.get('packages'), 'code': self._components(),
            'upstream': record.upstream,
            'inputs': [
                {'path': each.name, 'digest': each.digest, 'state': each.state, 'made_by': each.maker and each.maker.task}
                for each in self.inputs
            ],
            **({'makers': [maker.to_dict() for maker in self.makers]} if self.makers else {}),
        }  # fmt: skip


def origins(workflows: Sequence[Workflow], file: str, whole: bool, thorough: bool) -> list[Origin]:
    """Who made a file, the last first; with `whole` also who made its inputs, and so on. StateError if nobody did."""
    makers = [Makers(workflow) for workflow in workflows]
    for name in (file, *_as_recorded(makers, file)):
        found = _found(makers, name, whole, thorough)
        if found:
            return sorted(found, key=lambda origin: origin.record.ended, reverse=True)
    raise _nobody(makers, file)


def _as_recorded(makers: Sequence[Makers], file: str) -> Iterator[str]:
    """A name as records and `awflow show` tell it: relative to where the run scheduled, not to here."""
    for directory in dict.fromkeys(directory for each in makers for directory in each.directories):
        path = os.path.join(directory, file)
        if path != os.path.abspath(file):
            yield os.path.relpath(path)


def _found(makers: Sequence[Makers], file: str, whole: bool, thorough: bool) -> list[Origin]:
    found = []
    for each in makers:
        contents, runs = Contents(each.workflow, thorough), Runs(each.workflow.store)
        made = each.of(file)
        if made:
            first, *others = [Origin(file, one, runs, contents) for one in made]
            _expand(first, each, runs, contents, whole)
            found += [first, *others]
    return found


def _expand(first: Origin, makers: Makers, runs: Runs, contents: Contents, whole: bool) -> None:
    """Look up who made the inputs: of one file, or (`whole`) level by level of all that led to it."""
    first.expanded = whole
    level, met = [first], {first.task: first}
    while level:
        for origin in level:
            origin.look_at_inputs()
        known = makers.of_names({each.name for origin in level for each in origin.inputs})
        following: list[Origin] = []
        for origin in level:
            for each in origin.inputs:
                attempt = known.get(each.name)
                if attempt is None:
                    continue
                made = Made(attempt, each.name, runs.directory(origin.record.run))
                each.maker = Origin(each.name, made, runs, contents)
                if whole and attempt.name not in met:
                    met[attempt.name] = each.maker
                    each.maker.expanded = True
                    following.append(each.maker)
        first.makers += following
        level = following


def _unfinished(outcome: str) -> str:
    if outcome == 'running':
        return 'is running'
    return f'ended as {outcome} when it ran last, and then outputs are not recorded'


def _nobody(makers: Sequence[Makers], file: str) -> StateError:
    from awflow.cli.console import word

    there = os.path.lexists(file)
    declared = [attempt for each in makers for attempt in each.declaring(file)]
    if declared:
        last = declared[0]
        return StateError(
            'nothing is on record of who made {_file}: {_task}, which declares it, {_how}', 'See `awflow show {_word}`.',
            _file=file, _task=last.name, _word=word(last.name), _how=_unfinished(last.outcome),
        )  # fmt: skip
    readers = [name for each in makers for name in each.readers(file)]
    if readers:
        more = f', ... {len(readers)} in all' if len(readers) > READERS else ''
        return StateError(
            'no task on record made {_file}: it came from outside', 'Who put it there is not known.' if there else '',
            read_by=', '.join(readers[:READERS]) + more, _file=file,
        )  # fmt: skip
    outside = not any(
        os.path.realpath(file).startswith(os.path.realpath(d) + os.sep) for each in makers for d in each.directories
    )
    return StateError(
        'no task on record made {_file}'
        + (', and there is no such file' if not there else ', which lies outside of the project' if outside else ''),
        'Only what tasks declare with @outputs is on record; awflow.schedule(lint=True) says what they write besides.',
        workflows=', '.join(each.workflow.name for each in makers), _file=file,
        directory=', '.join(dict.fromkeys(directory for each in makers for directory in each.directories)),
    )  # fmt: skip
