"""The table's own machinery: little projects on disk, run as their author would run them, edited, and run again.

A project is a dict of files. Its first run is made once and kept; every row gets a copy of the directory with its state, makes
one edit, and runs the script again. The script writes its plan before it executes it, so a row sees both what ran and the
reason that a user would be shown. Rows are performed ahead of their tests, several at once: the table is long.
"""

from __future__ import annotations

import json
import os
import shutil
import textwrap
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
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
        self, title: str, *edits: str | Edit, file: str = 'flow.py', runs: str = '', names: str = '',
        cures: Sequence[str] = (), **environ: str,
    ) -> None:  # fmt: skip
        self.title = title
        self.edits = edits  # pairs of texts, old and new, or functions
        self.file = file
        self.runs = runs.split()
        self.names = names  # what a reason, or a warning, must contain
        self.cures = cures  # words that the warning must contain too
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


class After:
    """A project after a row's edit and the run that followed, with the plan's reasons by task; fresh tasks have none."""

    def __init__(self, workspace: Workspace, ran: Ran) -> None:
        self.workspace = workspace
        self.ran = ran
        self.reasons: dict[str, list[dict[str, str]]] = {}
        self.told = [line for line in ran.stderr.splitlines() if line.startswith('awflow: ')]
        if ran.returncode:
            return
        for job, planned in json.loads(workspace.read('plan.json'))['jobs'].items():
            for key, verdict in planned['verdicts'].items():
                self.reasons[job if key == '-' else f'{job}[{key}]'] = verdict['reasons']


class Projects:
    """Performs rows ahead of their tests, as many at once as there are processors: rows know nothing of each other."""

    def __init__(self, root: Path, rows: Sequence[Row]) -> None:
        self.root = root
        self.pool = ThreadPoolExecutor(os.cpu_count())
        projects = {id(row.project): row.project for row in rows}
        self.ready = {key: self.pool.submit(self._made, files, n) for n, (key, files) in enumerate(projects.items())}
        self.performed = {row: self.pool.submit(self._perform, row, n) for n, row in enumerate(rows)}

    def after(self, row: Row) -> After:
        """The project after the row's edit and a run that must have succeeded."""
        after = self.performed[row].result()
        assert after.ran.returncode == 0, after.ran
        return after

    def _made(self, files: Mapping[str, str], number: int) -> Path:
        """The project after its first run."""
        workspace = Workspace(self.root / f'project{number}')
        for name, text in files.items():
            workspace.write(name, text)
        ran = workspace.run(**ENVIRON)
        assert ran.returncode == 0, ran
        return workspace.path

    def _perform(self, row: Row, number: int) -> After:
        """Edit and run a copy, which lies at another place than the project ran."""
        path = self.root / f'row{number}' / 'work'
        shutil.copytree(self.ready[id(row.project)].result(), path, symlinks=True)
        workspace = Workspace(path)
        row.apply(workspace)
        return After(workspace, workspace.run(**{**ENVIRON, **row.environ}))


def must_rerun(after: After, row: Row) -> None:
    """Exactly the row's tasks run, each for a reason that names what was edited."""
    assert sorted(after.ran.executed) == sorted(row.runs), after.reasons
    for task in row.runs:
        assert any(row.names in reason.get('name', '') for reason in after.reasons[task]), after.reasons[task]


def must_not_rerun(after: After) -> None:
    """Nothing runs, and the plan agrees."""
    assert after.ran.executed == [], after.reasons
    assert after.reasons == {}


def must_warn(after: After, row: Row) -> None:
    """The run that followed said this of the job, once, with what to do about it."""
    assert len(after.told) == 1, after.told
    assert row.names in after.told[0]
    assert all(cure in after.told[0] for cure in row.cures), after.told


def must_not_warn(after: After) -> None:
    """The run that followed ran the job and said nothing."""
    assert after.ran.executed == ['uses']
    assert after.ran.stderr == ''
