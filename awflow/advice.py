"""What the lint found, as advice: for each job the files that its tasks use without saying so, and what to write.

The tasks of an array use files of their own, so paths are put together: by the task's value where that stands in the
path (`data-{i}.csv`), which is also how one declares them, and by pattern where there are many (`data-*.csv`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any, Final

    from awflow.place import Place
    from awflow.subject import Subject
    from awflow.survey import Survey

    Findings = Mapping[str, Any]  # what a task's report and record say: Watch.findings()

NAMED: Final = 6  # paths or patterns of a kind that a line names
MANY: Final = 4  # paths that differ in their numbers only, or in their names, from which they become a pattern


class Linter:
    """Tells tasks to watch what they use, and collects what they saw."""

    def __init__(self, survey: Survey, place: Place) -> None:
        self._survey = survey
        self._place = place
        self._found: dict[str, dict[str, Findings]] = {}

    def order(self, subject: Subject, row: int) -> dict[str, Any]:
        """What a task must be told: whose files count, and what it may read because it waits for who made it."""
        return {**self.scope(), 'upstream': self.upstream(subject, row)}

    def scope(self) -> dict[str, Any]:
        """The part that is the same for all."""
        return {'project': self._place.project, 'script': self._place.script}

    def upstream(self, subject: Subject, row: int) -> list[str]:
        """The declared outputs of what a task directly waits for."""
        found: list[str] = []
        for link in subject.links:
            outputs = self._survey.subjects[link.upstream].outputs
            rows = outputs if link.partners is None else [link.partners[row]]
            found += [path for other in rows for path in outputs.get(other, ())]
        return found

    def learn(self, job: str, key: str, findings: Findings) -> None:
        """What a task that succeeded saw."""
        self._found.setdefault(job, {})[key] = findings

    def lines(self) -> list[str]:
        """The advice for all jobs, upstream first."""
        makers = {path: self._survey.subjects[number].name for path, (number, _) in self._survey.producers.items()}
        found = [(s.name, self._found[s.name]) for s in self._survey.subjects if s.name in self._found]
        lines = [line for job, by_key in found for line in advise(job, by_key, makers)]
        watched = sum(len(by_key) for _, by_key in found)
        tasks = '1 task was' if watched == 1 else f'{watched} tasks were'
        return [f'lint: {line}' for line in lines] or [f'lint: {tasks} watched, and used no file without declaring it']


def advise(job: str, found: Mapping[str, Findings], makers: Mapping[str, str] | None = None) -> list[str]:
    """The lines for one job, given what each of its tasks, by key, saw. `makers` says which job declares which output."""
    makers = makers or {}
    lines: list[str] = []
    made = sorted({makers[path] for findings in found.values() for path in findings.get('read', ()) if path in makers})
    for maker in made:
        theirs = _put_together(found, 'read', lambda path, maker=maker: makers.get(path) == maker)
        lines += _said(f'{job} reads {{}}, an output of {maker}, to which it has no edge', theirs, f'@after({maker})')
    reads = _put_together(found, 'read', lambda path: path not in makers)
    lines += _said(f'{job} reads {{}} undeclared: a change there reruns nothing', reads, _cure('inputs', reads))
    wrote = _put_together(found, 'wrote')
    lines += _said(
        f'{job} writes {{}}, which nothing asks for', wrote, _cure('outputs', wrote) + ' or an @ensure that asks for it'
    )
    shared = [(path, 1) for path, keys in _users(found, 'wrote').items() if len(keys) > 1]
    lines += _said(f'{job}: several of its tasks write {{}}, and may do so at the same time', shared)
    lines += _said(f'{job} removes or renames {{}}, which it did not make', _put_together(found, 'removed'))
    lines += _said(f'{job} runs {{}}: which files that uses is not seen', [(name, 1) for name in _users(found, 'programs')])
    lines += _said(
        f'{job} connects to {{}}: what comes from there is not compared', [(n, 1) for n in _users(found, 'connected')]
    )
    return lines


def _said(sentence: str, things: Sequence[tuple[str, int]], cure: str = '') -> list[str]:
    if not things:
        return []
    shown = [f'{name} ({count} files)' if count > 1 else name for name, count in things[:NAMED] if name]
    rest = sum(count for name, count in things if name not in dict(things[:NAMED]) or not name)
    text = ', '.join(shown) + (f' and {rest} more' if rest else '')
    return [sentence.format(text) + (f': {cure}' if cure else '')]


def _cure(decorator: str, things: Sequence[tuple[str, int]]) -> str:
    """What to write above the job. Outputs must be named: a pattern will not do for them."""
    usable = [name for name, _ in things[:NAMED] if name and (decorator == 'inputs' or '*' not in name)]
    more = [] if len(usable) == len(things) else ['...']
    return f'@{decorator}({", ".join([repr(name) for name in usable] + more)})'


# -- putting paths together --------------------------------------------------------------------------------------------


def _put_together(found: Mapping[str, Findings], kind: str, wanted: Any = None) -> list[tuple[str, int]]:
    """Paths and patterns, each with the number of files that it stands for, in the order in which they were met. Those that
    were counted only come last, under no name.
    """
    users = _users(found, kind)
    things = _by_pattern(_by_value({path: keys for path, keys in users.items() if wanted is None or wanted(path)}))
    more = sum((findings.get('more') or {}).get(kind, 0) for findings in found.values())
    return [*things, ('', more)] if more and things else things


def _users(found: Mapping[str, Findings], kind: str) -> dict[str, list[str]]:
    """Of each thing of a kind the tasks that use it."""
    users: dict[str, list[str]] = {}
    for key, findings in found.items():
        for thing in findings.get(kind, ()):
            users.setdefault(thing, []).append(key)
    return users


def _by_value(users: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """Paths that hold the value of the one task that uses them, as one template; template or path -> what it stands for."""
    templates: dict[str, list[str]] = {}
    for path, keys in users.items():
        template = templated(path, keys[0]) if len(keys) == 1 else ''
        if template:
            templates.setdefault(template, []).append(path)
    found: dict[str, list[str]] = {}
    for path, keys in users.items():
        template = templated(path, keys[0]) if len(keys) == 1 else ''
        shared = len(templates.get(template, ())) > 1
        found.setdefault(template if shared else path, []).append(path)
    return found


def templated(path: str, key: str) -> str:
    """The path with '{i}' for the value of the task of that key, where it stands alone; '' if it does not."""
    value = _value(key)
    if not value or '{' in path:
        return ''
    import re

    before, after = (_boundary(value[at]) for at in (0, -1))
    text = re.sub(f'(?<!{before}){re.escape(value)}(?!{after})', '{i}', path)
    return text if text != path else ''


def _boundary(letter: str) -> str:
    """What may not stand beside a letter of a value: more of a number, or of a word."""
    return r'\d' if letter.isdigit() else r'[^\W\d_]' if letter.isalpha() else r'\0'


def _value(key: str) -> str:
    """How the value of a task is spelled in paths, '' if it cannot be."""
    if key == '-' or key.startswith('#'):
        return ''
    if key[0] in '\'"':
        from ast import literal_eval

        return str(literal_eval(key))
    return key


def _by_pattern(found: Mapping[str, Sequence[str]]) -> list[tuple[str, int]]:
    """Many single files that differ in their numbers only, then many of one kind in one directory, as patterns."""
    things = {name: len(paths) for name, paths in found.items()}
    for pattern_of in (_without_numbers, _without_name):
        groups: dict[str, list[str]] = {}
        for name, count in things.items():
            if count == 1 and '*' not in name:
                groups.setdefault(pattern_of(name), []).append(name)
        for pattern, names in groups.items():
            if len(names) >= MANY and pattern:
                things = {pattern if n == names[0] else n: len(names) if n == names[0] else c for n, c in things.items()}
                things = {n: c for n, c in things.items() if n not in names[1:]}
    return list(things.items())


def _without_numbers(path: str) -> str:
    """With '*' for every number of its last name: patterns of directories would match too much."""
    folder, slash, name = path.rpartition('/')
    text = ''
    for letter in name:
        if not letter.isdigit():
            text += letter
        elif not text.endswith('*'):
            text += '*'
    return f'{folder}{slash}{text}' if '*' in text else ''


def _without_name(path: str) -> str:
    folder, slash, name = path.rpartition('/')
    _, dot, suffix = name.rpartition('.')
    return f'{folder}{slash}*{dot}{suffix if dot else ""}' if dot or folder else ''


def linted(records: Iterable[Any]) -> dict[str, Findings]:
    """Of records those that tell what their tasks saw, by key."""
    return {record.task: record.lint for record in records if record.lint is not None}
