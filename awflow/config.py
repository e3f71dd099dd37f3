"""The user's own defaults: `config.toml` in `~/.config/awflow/` (or below $XDG_CONFIG_HOME, or named by $AWFLOW_CONFIG)."""

from __future__ import annotations

import os
import sys

from awflow.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def path() -> str:
    """Where the file is looked for."""
    if named := os.environ.get('AWFLOW_CONFIG'):
        return named
    home = os.environ.get('XDG_CONFIG_HOME') or os.path.join(os.path.expanduser('~'), '.config')
    return os.path.join(home, 'awflow', 'config.toml')


def section(name: str) -> dict[str, Any]:
    """One table of the file, {} if there is none; raises OptionError for a file that cannot be understood."""
    file = path()
    try:
        with open(file, 'rb') as stream:
            data = stream.read()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise OptionError('the configuration {_file} cannot be read', '', _file=file, cause=str(error)) from error
    found = _parsed(file, data).get(name, {})
    if not isinstance(found, dict):
        raise OptionError('{_file}: [{_name}] should be a table', '', _file=file, _name=name, found=repr(found))
    return found


def _parsed(file: str, data: bytes) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        found: dict[str, Any] = tomllib.loads(data.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise OptionError('the configuration {_file} is no TOML', '', _file=file, cause=str(error)) from error
    return found
