"""Which outputs tasks declare: asked of the payload that they ran from, in a process of its own.

The record of an attempt without an end does not say it. The payload does, but paths may be given by functions of the user's,
and rebuilding those may import anything; so this process is started for it, and says what it found as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

PATIENCE = 60.0  # seconds for what the user's modules do when they are imported


def declared(payload: str, directory: str, tasks: Mapping[str, Sequence[str]]) -> tuple[dict[str, dict[str, list[str]]], str]:
    """The declared paths by job and key, and why some are not known ('' if all are)."""
    request = json.dumps({'payload': payload, 'directory': directory, 'tasks': tasks})
    try:
        done = subprocess.run(
            [sys.executable, '-m', __name__], input=request, capture_output=True, text=True, check=False, timeout=PATIENCE,
            cwd='/', errors='replace', env={**os.environ, 'PYTHONSAFEPATH': '1'},
        )  # fmt: skip
        found: dict[str, Any] = json.loads(done.stdout.rpartition('\n')[2])
    except subprocess.TimeoutExpired:
        return {}, f'importing what its tasks need took over {PATIENCE:.0f} s'
    except ValueError:
        return {}, (done.stderr.strip().splitlines() or [f'it ended with status {done.returncode}'])[-1]
    return found['paths'], found['trouble']


def answer(request: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked for."""
    paths: dict[str, dict[str, list[str]]] = {}
    trouble = ''
    try:
        from awflow.backends.payload import Payload

        payload = Payload(request['payload'])
        sys.path[:] = payload.sys_path
        os.chdir(request['directory'])
        for job, keys in request['tasks'].items():
            paths[job] = _of_job(payload, job, keys)
    except BaseException as error:  # noqa: BLE001  the user's code may raise anything, SystemExit too
        trouble = ' '.join(f'{type(error).__name__}: {error}'.split())
    return {'paths': paths, 'trouble': trouble}


def _of_job(payload: Any, job: str, keys: Sequence[str]) -> dict[str, list[str]]:
    from awflow.elements import SINGLE, keys_of
    from awflow.specs import expand_outputs

    definition = payload.definition(job)
    array = definition.array
    places = {key: place for place, key in enumerate(keys_of(job, array))}
    found = {}
    for key in keys:
        place = places[key]
        value, title = (None, SINGLE) if array is None else (array.value(place), array.name(place))
        found[key] = expand_outputs(definition.outputs, value, title, job)
    return found


if __name__ == '__main__':
    says = sys.stdout
    sys.stdout = sys.stderr  # what the user's modules print is not the answer
    reply = answer(json.load(sys.stdin))
    print('\n' + json.dumps(reply), end='', file=says)
