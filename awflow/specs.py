"""Declared inputs and outputs: from paths, globs, templates and callables to the paths of one task.

Paths are relative to the directory in which `schedule` was called, which is where tasks run: a moved project is the same.
"""

from __future__ import annotations

import os

from awflow.elements import SINGLE, template_text
from awflow.errors import DefinitionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from awflow.job import Spec

MAGIC = '*?['


def expand_outputs(specs: Sequence[Spec], value: object, name: object, job: str = '') -> list[str]:
    """The paths that a task makes, each once. `name` fills '{i}': a mapping's key, otherwise the value."""
    if len(specs) == 1:
        paths = _paths(specs[0], value, name, job)
        return paths if len(paths) == 1 else list(dict.fromkeys(paths))
    return list(dict.fromkeys(path for spec in specs for path in _paths(spec, value, name, job)))


def expand_inputs(
    specs: Sequence[Spec], value: object, name: object, job: str = '', made: Iterable[str] = ()
) -> dict[str, bool]:
    """The paths that a task reads -> whether size and time are enough. Globs are matched on disk and against `made`, the
    declared outputs of ancestors, which may be deleted without being forgotten.
    """
    paths: dict[str, bool] = {}
    for spec in specs:
        for path in _paths(spec, value, name, job):
            if any(c in path for c in MAGIC) and not os.path.lexists(path):
                made = list(made)  # an iterator is only run through when there is a glob
                paths.update(dict.fromkeys(_matches(path, made), spec.stat))
            else:
                paths[path] = spec.stat
    return paths


def is_plain(spec: Spec) -> bool:
    """Whether it is a path or a template of one: no callable, and no glob."""
    return isinstance(spec.what, str) and not any(c in spec.what for c in MAGIC)


def is_plain_name(name: object) -> bool:
    """Whether what stands for '{i}' makes no glob of a path."""
    return isinstance(name, int) or name is SINGLE or not any(c in str(name) for c in MAGIC)


def clean(path: str) -> str:
    """A path as it is recorded: relative where it lies below the current directory."""
    if path and path[0] not in './' and '/.' not in path and '//' not in path and path[-1] != '/':
        return path  # as most are
    path = os.path.normpath(path)
    if os.path.isabs(path):
        here = os.getcwd()
        if path == here or path.startswith(here.rstrip('/') + '/'):
            path = os.path.relpath(path, here)
    return path


def _matches(pattern: str, made: Iterable[str]) -> list[str]:
    from glob import glob

    found = {clean(path) for path in glob(pattern, recursive=True)}
    found.update(path for path in made if _fits(path, pattern))
    return sorted(found)


def _fits(path: str, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    parts, patterns = path.split('/'), pattern.split('/')
    if '**' in patterns:
        return fnmatchcase(path, pattern.replace('**/', '*'))
    return len(parts) == len(patterns) and all(map(fnmatchcase, parts, patterns))


def _paths(spec: Spec, value: object, name: object, job: str) -> list[str]:
    what = spec.what
    if isinstance(what, str):
        return [clean(_filled(what, name, job))]
    given = what(value) if spec.takes_value else what()
    listed = [given] if isinstance(given, (str, os.PathLike)) else list(given)  # type: ignore[call-overload]
    return [clean(os.fspath(path)) for path in listed]


def _filled(template: str, name: object, job: str) -> str:
    if '{i' not in template:
        return template
    text = template_text(name) if name is not SINGLE else None
    if text is None:
        raise DefinitionError(
            "job {job!r}: '{{i}}' in a path stands for a number or a text without '/'",
            'Use a callable of the value instead: lambda v: ...', job=job, path=template, element=repr(name),
        )  # fmt: skip
    try:
        plain = name.item() if hasattr(name, 'item') else name
        return template.format(i=plain)
    except (KeyError, IndexError, ValueError):
        return template.replace('{i}', text)
