"""Where a schedule happens: the script, the project, the state directory, the workflow's name, and the task around it."""

from __future__ import annotations

import os
import sys

from awflow.errors import DefinitionError, OptionError
from awflow.state import jsontext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.job import Job

PARENT = 'AWFLOW_PARENT'  # in the environment of a task: who it is, as JSON
STATE = 'AWFLOW_STATE'


class Place:
    """`root` is the state directory, `project` where code counts as the user's own, `prefix` of job names inside a task."""

    __slots__ = ('ancestors', 'cpus', 'directory', 'parent', 'prefix', 'project', 'root', 'script', 'workflow')

    def __init__(self, root: str, workflow: str, project: str, script: str, parent: dict[str, Any] | None) -> None:
        self.root = root
        self.workflow = workflow
        self.project = project
        self.script = script
        self.parent = parent
        self.prefix = f'{parent["task"]}/' if parent else ''
        self.directory = os.getcwd()  # where tasks run and what paths are relative to
        self.ancestors: list[str] = parent['ancestors'] if parent else []  # where the jobs of the tasks around it are defined
        self.cpus: int | None = parent['cpus'] if parent else None  # those of the task around it

    @property
    def script_name(self) -> str:
        """The script as seen from where the state lies: a project that moves as a whole stays the same."""
        return os.path.relpath(self.script, os.path.dirname(self.root)) if self.script else ''

    def commit(self) -> str:
        """The git commit of the project, '' if there is none to be read."""
        git = os.path.join(self.project, '.git')
        if link := _text(git).removeprefix('gitdir: '):  # of a worktree or a submodule
            git = os.path.join(self.project, link)
        shared = os.path.join(git, _text(os.path.join(git, 'commondir')))  # refs of a worktree lie with the others
        head = _text(os.path.join(git, 'HEAD'))
        if not head.startswith('ref: '):
            return head
        found = _text(os.path.join(git, head[5:])) or _text(os.path.join(shared, head[5:]))
        packed = (line.split(' ') for line in _text(os.path.join(shared, 'packed-refs')).splitlines())
        return found or next((words[0] for words in packed if words[1:] == [head[5:]]), '')


def place_of(jobs: list[Job], workflow: str | None, root: Any) -> Place:
    """Where these jobs are scheduled."""
    parent = jsontext.loads(os.environ[PARENT].encode()) if os.environ.get(PARENT) else None
    script = parent['script'] if parent else _script()
    if _stem(script) in sys.stdlib_module_names:
        from awflow.namesake import uncover

        uncover(script)
    if workflow is None:
        workflow = parent['workflow'] if parent else _stem(script)
    if not workflow or '/' in workflow or workflow.startswith('.') or '\0' in workflow:
        raise OptionError('schedule() cannot have workflow={value!r}', '', value=workflow, accepted="a name without '/'")
    if root is None:
        root = parent['state'] if parent else os.environ.get(STATE) or '.awflow'
    return Place(os.path.abspath(os.fspath(root)), workflow, project_of(script), script, parent)


def _text(path: str) -> str:
    """What a file says, '' if it is not there."""
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read().strip()
    except OSError:
        return ''


def _script() -> str:
    """The main script's path, '' if there is none."""
    path = getattr(sys.modules.get('__main__'), '__file__', None) or ''
    return os.path.abspath(path) if path and not path.startswith('<') else ''


def _stem(script: str) -> str:
    stem = os.path.splitext(os.path.basename(script))[0]
    if stem == '__main__':  # python -m package
        stem = os.path.basename(os.path.dirname(script))
    return stem.lstrip('.') or 'interactive'


def project_of(script: str) -> str:
    """The directory of the script or, if higher, of the git repository or state directory around it."""
    start = os.path.realpath(os.path.dirname(script) if script else os.getcwd())
    top = directory = start
    home = os.path.realpath(os.path.expanduser('~'))
    while True:
        if directory != home and any(os.path.lexists(os.path.join(directory, mark)) for mark in ('.git', '.awflow')):
            top = directory
        above = os.path.dirname(directory)
        if above == directory:
            return top
        directory = above


def definition_site(function: object) -> str:
    """Where a function is defined, as far as it says."""
    code = getattr(function, '__code__', None)
    return f'{code.co_filename}:{code.co_firstlineno}' if code is not None else repr(type(function))


def refuse_foreign(place: Place, recorded: str) -> None:
    """Two scripts of one stem may not share a workflow's records. They are told apart as seen from the state directory."""
    if recorded and place.script_name and recorded != place.script_name:
        raise DefinitionError(
            'two scripts use the workflow {workflow!r} of one state directory', "Give one of them schedule(workflow='...').",
            workflow=place.workflow, recorded=recorded, this=place.script_name, state=place.root,
        )  # fmt: skip
