"""May others write where pickles are read from? Who can, can run code as whoever starts a run."""

from __future__ import annotations

import os
import stat

from awflow.errors import StateAccessError
from awflow.state.layout import Layout, check_access

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Final

    from awflow.cli.checks.findings import Part
    from awflow.state.fs import Disk

SHOWN: Final = 5
READ_AS_CODE: Final = ('ledger', 'payload', 'results')  # below a workflow's directory


def check(part: Part, root: str, workflows: Sequence[str], disk: Disk) -> None:
    """The state directory and all in it that is unpickled, or says what is."""
    trusted = os.environ.get('AWFLOW_SHARED') == '1'
    part.facts['shared'] = trusted
    _above(part, root, disk)
    for name in workflows:
        layout = Layout(root, name)
        try:
            check_access(layout, disk)
        except StateAccessError as error:
            first, *rest = str(error).splitlines()
            part.unfit(first, rest[-1].strip() if rest else '')
            return
        loose = list(_loose(layout, disk))
        if loose and not trusted:
            more = f', ... {len(loose)} in all' if len(loose) > SHOWN else ''
            part.unfit(
                f'others may write to {", ".join(loose[:SHOWN])}{more}',
                f'Whoever writes there can run code as you: chmod -R go-w {layout.directory}',
            )
    if trusted:
        part.warn('AWFLOW_SHARED=1: who else may write to the state is not looked at', 'All who may are trusted as yourself.')
    elif not any(finding.verdict == 'unfit' for finding in part.findings):
        part.ok(f'nobody else may write to {root}')
    if not os.access(root, os.W_OK):
        part.warn(f'{root} cannot be written to by you', 'You can look at the state; a run by you would be refused.')


def _above(part: Part, root: str, disk: Disk) -> None:
    """Who may write to the directory above may move the state away and put another one there."""
    above = os.path.dirname(root)
    found = disk.stat(above)
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        part.warn(
            f'everybody may write to {above}, so may replace the state in it',
            'awflow refuses a state that belongs to somebody else. chmod o-w, or keep it elsewhere: schedule(state=...).',
        )


def _loose(layout: Layout, disk: Disk) -> Iterator[str]:
    """Directories and files that the wrong people may write to."""
    todo = [f'{layout.directory}/{name}' for name in READ_AS_CODE]
    while todo:
        path = todo.pop()
        try:
            found = disk.lstat(path)
        except OSError:
            continue
        if stat.S_ISLNK(found.st_mode):
            continue
        if found.st_uid not in (0, os.geteuid(), disk.stat(layout.root).st_uid) or found.st_mode & stat.S_IWOTH:
            yield os.path.relpath(path, os.path.dirname(layout.root))
        if stat.S_ISDIR(found.st_mode):
            try:
                todo += [f'{path}/{name}' for name in disk.listdir(path)]
            except OSError:
                continue
