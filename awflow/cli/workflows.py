"""Which state is meant, and which workflows it holds."""

from __future__ import annotations

import os
from urllib.parse import unquote

from awflow.errors import StateAccessError, StateError
from awflow.state.layout import accessing, find, safe

CUT = '%%'  # in the name of a directory: the workflow's name was too long to be spelled out


def root_of(given: str | None) -> str:
    """The state directory that was named, else the nearest `.awflow` at or above the current directory."""
    with accessing('find', os.curdir):
        found = given or find(os.curdir)
    if found is None:
        raise StateError(
            'there is no .awflow here or in any directory above: no workflow has run here yet',
            'Run a script that calls schedule(), or say where its state is: --state DIR or AWFLOW_STATE.',
            directory=os.getcwd(),
        )
    with accessing('read', found):
        if not os.path.exists(found):
            raise StateError('there is no state directory {_path}', 'Look at --state and AWFLOW_STATE.', _path=found)
        if not os.path.isdir(found):
            raise StateAccessError('{_path} should be a state directory, but is a file', '', _path=found)
    return os.path.abspath(found)


def names(root: str) -> list[str]:
    """The workflows in a state directory, sorted; those whose name cannot be told must be asked for by name."""
    with accessing('read', root):
        folders = [entry.name for entry in os.scandir(root) if os.path.isdir(os.path.join(entry.path, 'ledger'))]
        found = [_name(root, folder) for folder in folders]
    return sorted(name for name in found if name is not None)


def _name(root: str, folder: str) -> str | None:
    """The workflow of a folder, which spells its name. Of a long one only a part stands there; but most workflows are
    named after their script, which the first entry of the ledger knows.
    """
    if CUT not in folder:
        return unquote(folder, errors='surrogatepass')
    from awflow.state.ledger import Entry, claim_name
    from awflow.state.snapshot import Damaged

    try:
        with open(os.path.join(root, folder, 'ledger', claim_name(1)), 'rb') as file:
            script = Entry.from_bytes(file.read()).script
    except (FileNotFoundError, Damaged):
        return None
    stem = os.path.splitext(os.path.basename(script))[0]
    return stem if safe(stem) == folder else None


def chosen(root: str, workflow: str | None) -> list[str]:
    """The workflow of that name, or all; StateError if there is none."""
    if workflow is not None:
        with accessing('read', root):
            if os.path.isdir(os.path.join(root, safe(workflow), 'ledger')):
                return [workflow]
    known = names(root)
    if workflow is None and known:
        return known
    if not known:
        raise StateError('no workflow has run with this state yet', 'Run a script that calls schedule().', state=root)
    raise StateError('there is no workflow {_name!r}', 'Use one of those.', known=', '.join(known), state=root, _name=workflow)
