"""The table's own machinery: little projects on disk, run as their author would run them, edited, and run again.

A project is a dict of files. Its first run is made once and kept; every row gets a copy of the directory with its state, makes
one edit, and runs the script again. The script writes its plan before it executes it, so a row sees both what ran and the
reason that a user would be shown.
"""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Ran, Workspace

HEAD = 'from awflow import *\n'
TAIL = """
import contextlib as _contextlib, json as _json, os as _os
_jobs = [value for value in list(vars().values()) if isinstance(value, Job)]
with open('plan.json', 'w') as _file, open(_os.devnull, 'w') as _null, _contextlib.redirect_stdout(_null):
    _json.dump(schedule(*_jobs, dry_run=True).plan.to_dict(), _file)
schedule(*_jobs)
"""
ENVIRON = {'PYTHONDONTWRITEBYTECODE': '1'}  # Python takes an edit of the same second and size for none
Edit = Callable[[Workspace], None]


class Row:
    """One edit of a project: what must run afterwards, and what its reason must name."""

    def __init__(
        self, title: str, *edits: str | Edit, file: str = 'flow.py', runs: str = '', names: str = '', **environ: str
    ) -> None:
        self.title = title
        self.edits = edits  # pairs of texts, old and new, or functions
        self.file = file
        self.runs = runs.split()
        self.names = names
        self.environ = environ
        self.project: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return self.title

    def apply(self, workspace: Workspace) -> None:
        texts = [edit for edit in self.edits if isinstance(edit, str)]
        for old, new in zip(texts[::2], texts[1::2], strict=True):
            workspace.edit(old, new, self.file)
        for edit in self.edits:
            if not isinstance(edit, str):
                edit(workspace)


def table(*groups: tuple[Mapping[str, str], Sequence[Row]]) -> Any:
    """The rows of several projects as pytest's parameters, by title."""
    rows = []
    for files, group in groups:
        for row in group:
            row.project = files
            rows.append(row)
    titles = [row.title for row in rows]
    assert len(set(titles)) == len(titles), 'two rows have one title'
    return pytest.mark.parametrize('row', rows, ids=titles)


def project(flow: str, files: Mapping[str, str] | None = None) -> dict[str, str]:
    """A script that schedules all its jobs, and the other files."""
    others = {name: textwrap.dedent(text) for name, text in (files or {}).items()}
    return {**others, 'flow.py': HEAD + textwrap.dedent(flow) + TAIL}


class Projects:
    """Copies of projects that have run once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.ready: dict[int, tuple[Path, Ran]] = {}

    def copy(self, files: Mapping[str, str], to: Path) -> Workspace:
        """A directory in which the project was run, at another place than it ran."""
        if id(files) not in self.ready:
            self.ready[id(files)] = self._made(files)
        path, ran = self.ready[id(files)]
        assert ran.returncode == 0, ran
        shutil.copytree(path, to, symlinks=True)
        return Workspace(to)

    def _made(self, files: Mapping[str, str]) -> tuple[Path, Ran]:
        path = self.root / f'project{len(self.ready)}'
        path.mkdir()
        workspace = Workspace(path)
        for name, text in files.items():
            workspace.write(name, text)
        return path, workspace.run(**ENVIRON)


def run(workspace: Workspace, row: Row) -> Ran:
    """The run after the row's edit."""
    row.apply(workspace)
    ran = workspace.run(**{**ENVIRON, **row.environ})
    assert ran.returncode == 0, ran
    return ran


def reasons(workspace: Workspace) -> dict[str, list[dict[str, str]]]:
    """The plan's reasons by task, as data; tasks that are fresh have none."""
    found = {}
    for job, planned in json.loads(workspace.read('plan.json'))['jobs'].items():
        for key, verdict in planned['verdicts'].items():
            found[job if key == '-' else f'{job}[{key}]'] = verdict['reasons']
    return found


def must_rerun(workspace: Workspace, row: Row) -> None:
    """Exactly the row's tasks run, each for a reason that names what was edited, and then there is nothing left to do."""
    assert sorted(run(workspace, row).executed) == sorted(row.runs)
    why = reasons(workspace)
    for task in row.runs:
        assert any(row.names in reason.get('name', '') for reason in why[task]), why[task]
    assert workspace.run(**ENVIRON).executed == [], 'a run with nothing to do ran something'
