"""`awflow dump`: all of the state as JSON, an object a line."""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

AT_ONCE: Final = 1000  # objects that are spelled at a time


@click.command(epilog='Example: awflow dump | jq \'select(.kind == "record") | .outcome\'')
@state_option
@workflow_option
def dump(root: str, workflow: str | None) -> None:
    """Print all that the state holds as JSON lines.

    The kind of an object is state, entry, code, fact or record.
    """
    from itertools import islice
    from json import JSONEncoder
    from sys import stdout

    from awflow.cli.workflows import chosen
    from awflow.state.store import Store

    spelled = JSONEncoder(check_circular=False).encode
    for name in chosen(root, workflow):
        found = Store(root, name, looking=True).read().dump({'workflow': name})
        while part := list(islice(found, AT_ONCE)):
            stdout.write(_lines(part, spelled))


def _lines(part: list[dict[str, Any]], dumps: Callable[[object], str]) -> str:
    """An object a line. All are spelled at once, and parted where one ends and the next begins: in a string no quote is without
    a backslash, so that is found between two objects, or in a list of objects that have such members.
    """
    begin = '{"workflow": ' + dumps(part[0]['workflow']) + ', "kind": '
    parted = dumps(part)[1:-1].split('}, ' + begin)
    if len(parted) != len(part):
        return ''.join([dumps(each) + '\n' for each in part])
    return ('}\n' + begin).join(parted) + '\n'
