"""`awflow dump`: all of the state as JSON, an object a line."""

from __future__ import annotations

import click

from awflow.cli.options import state_option, workflow_option


@click.command(epilog='Example: awflow dump | jq \'select(.kind == "record") | .outcome\'')
@state_option
@workflow_option
def dump(root: str, workflow: str | None) -> None:
    """Print all that the state holds as JSON lines.

    The kind of an object is state, entry, code, fact or record.
    """
    from json import dumps
    from sys import stdout

    from awflow.cli.workflows import chosen
    from awflow.state.store import Store

    for name in chosen(root, workflow):
        for fields in Store(root, name, looking=True).read().dump():
            stdout.write(dumps({'workflow': name, **fields}) + '\n')
