"""The plan as it would be now: the script is started once more, plans, and is ended before anything runs."""

from __future__ import annotations

import json
import os
import sys

import click

from awflow.cli.callsites import called_once
from awflow.cli.runs import directory_of, last_of
from awflow.errors import RunError
from awflow.explain import Account
from awflow.proposal import PLANNING
from awflow.state.ledger import encode_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from typing import Any

    from awflow.cli.observed import Workflow

TAIL = 20  # lines of what the script said


class Replanned:
    """What the script, as it is now, says of the jobs that were asked for."""

    def __init__(self, workflow: Workflow, replies: list[dict[str, Any]]) -> None:
        self.last = min((reply['last'] for reply in replies), default=0)  # the entry up to which the state was known
        self.script = next((reply['script'] for reply in replies), '')
        self.codes: dict[str, dict[str, str]] = {}
        self.sources: dict[str, dict[str, str]] = {}
        self.tasks: dict[str, dict[str, Any]] = {}
        self.declares: set[str] = set()
        told: dict[str, Any] = {}
        for reply in replies:
            self.codes.update(reply['codes'])
            self.tasks.update(reply['tasks'])
            self.declares.update(reply['declares_outputs'])
            told.update(reply['account'])
            for component, texts in reply['sources'].items():
                self.sources.setdefault(component, {}).update(texts)
        self._held = workflow.state
        self.account = Account.from_json(told, self.source)

    def source(self, component: str, text: str) -> str:
        """The source of a component, now or as the state holds it."""
        now = self.sources.get(component, {}).get(text, '')
        return now or self._held.all_sources.get(component, {}).get(text, '')


def replanned(workflow: Workflow, tasks: Mapping[str, Collection[str]], script: str | None) -> Replanned:
    """Start the script as its last run did, or that file, and take what it says of these tasks; RunError if it does not."""
    command, directory = _command(workflow, script)
    wanted = {job: encode_keys(keys) for job, keys in tasks.items()}
    status, said, replies = _asked(workflow, command, directory, {'tasks': wanted})
    answered = [found for found in replies if 'tasks' in found]
    if not any(found['tasks'] for found in answered):
        raise _silent(list(tasks), replies, status, said, command, directory)
    return Replanned(workflow, answered)


def scheduled_now(workflow: Workflow) -> tuple[set[str], str]:
    """All jobs that the script schedules now, called as in its last run; and why they may not be all, '' if they are.

    They are all as well if the script has work to do in the one place where it calls `schedule`.
    """
    command, directory = _command(workflow, None)
    status, said, replies = _asked(workflow, command, directory, {'tasks': {}, 'roster': True})
    jobs = {job for found in replies for job in found.get('roster', ())}
    stopped = [found['stopped'] for found in replies if 'stopped' in found]
    if stopped and len([found for found in replies if 'roster' in found]) == 1 and called_once(_script(command, directory)):
        return jobs, ''
    if stopped:
        work = f' ({", ".join(stopped[0][:3])})' if stopped[0] else ''
        return jobs, f'the script has work to do{work}, and what it schedules after that is not known'
    if status or not jobs:
        last = said.splitlines()[-1:] or ['it scheduled nothing in this state']
        return jobs, f'the script ended with status {status}: {last[0]}'
    return jobs, ''


def _asked(
    workflow: Workflow, command: list[str], directory: str, question: Mapping[str, Any]
) -> tuple[int, str, list[dict[str, Any]]]:  # fmt: skip
    """Start the script to plan: how it ended, what it said, and what its schedules replied."""
    from tempfile import TemporaryDirectory

    click.echo(f'awflow: asking the script, which runs no task: {" ".join(command)}', err=True)
    with TemporaryDirectory(prefix='awflow-') as folder:
        request = os.path.join(folder, 'request')
        layout, reply = workflow.store.layout, os.path.join(folder, 'reply')
        with open(request, 'w', encoding='ascii') as file:
            json.dump({'root': layout.root, 'workflow': layout.workflow, 'reply': reply, **question}, file)
        status, said = _start(command, directory, {PLANNING: request, 'AWFLOW_STATE': layout.root}, folder)
        return status, said, _replies(reply)


def _command(workflow: Workflow, script: str | None) -> tuple[list[str], str]:
    facts = last_of(workflow.store)
    directory = directory_of(workflow.store, facts)
    if script is not None:
        return [sys.executable, os.path.abspath(script)], directory
    command = facts.get('command') or [sys.executable, *facts.get('argv', [])]
    if len(command) < 2 or 'ipykernel' in ' '.join(command) or command[1] in ('-c', '-i', '-'):
        raise RunError(
            'how the script of workflow {workflow!r} is started is not known', 'Say which it is: --script FILE.',
            workflow=workflow.name,
        )  # fmt: skip
    return [str(part) for part in command], directory


def _script(command: list[str], directory: str) -> str:
    """The file that a command starts."""
    return os.path.join(directory, command[1])


def _start(command: list[str], directory: str, environ: Mapping[str, str], folder: str) -> tuple[int, str]:
    """Exit status of the script and the end of what it said."""
    import subprocess

    with open(os.path.join(folder, 'said'), 'w+', errors='replace') as said:
        try:
            done = subprocess.run(
                command, cwd=directory, env={**os.environ, 'AWFLOW_PROGRESS': '0', **environ}, stdin=subprocess.DEVNULL,
                stdout=said, stderr=subprocess.STDOUT, check=False,
            )  # fmt: skip
        except OSError as error:
            return 127, f'{error.strerror}: {error.filename}'
        said.seek(0)
        return done.returncode, ''.join(said.readlines()[-TAIL:]).rstrip()


def _replies(path: str) -> list[dict[str, Any]]:
    try:
        with open(path, encoding='ascii') as file:
            return [json.loads(line) for line in file]
    except FileNotFoundError:
        return []


def _silent(
    jobs: list[str], replies: list[dict[str, Any]], status: int, said: str, command: list[str], directory: str
) -> RunError:
    facts = {'command': ' '.join(command), 'directory': directory, **({'said': said} if said else {})}
    stopped = [found for found in replies if 'stopped' in found]
    if stopped:
        return RunError(
            'the script has work to do in a schedule() before that of {_jobs}: {_first}',
            'Run the script, or accept those first.', _jobs=', '.join(jobs), _first=', '.join(stopped[0]['stopped']),
            workflow=stopped[0]['workflow'], **facts,
        )  # fmt: skip
    if status:
        return RunError(
            'the script failed with status {_status} before it scheduled {_jobs}', 'Mend it first.',
            _status=status, _jobs=', '.join(jobs), **facts,
        )  # fmt: skip
    return RunError(
        'the script does not schedule {_jobs} in this state directory', 'If it is another script now: --script FILE.',
        _jobs=', '.join(jobs), **facts,
    )  # fmt: skip
