"""A cluster by hand: `python -m tests.cluster up DIRECTORY`, then `down DIRECTORY`."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
from pathlib import Path

from tests.cluster.lifecycle import down, start_node, up
from tests.cluster.processes import ClusterError, kill
from tests.cluster.settings import Settings, Site


def main() -> int:
    chosen = _parser().parse_args()
    try:
        chosen.action(chosen)
    except (ClusterError, OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='python -m tests.cluster', description=__doc__)
    actions = parser.add_subparsers(required=True, metavar='ACTION')
    for name, action, words in (
        ('up', _up, 'start a cluster in DIRECTORY, new or empty'),
        ('hold', _hold, 'the same, and take it down when standard input ends'),
        ('down', lambda chosen: down(chosen.directory), 'kill all of it and empty DIRECTORY'),
        ('kill', lambda chosen: kill(chosen.directory.resolve(), chosen.node), 'cut the power of NODE'),
        ('boot', lambda chosen: start_node(Site.load(chosen.directory), chosen.node), 'start NODE again'),
    ):
        command = actions.add_parser(name, help=words)
        command.set_defaults(action=action)
        command.add_argument('directory', type=Path, metavar='DIRECTORY')
        if name in ('kill', 'boot'):
            command.add_argument('node', metavar='NODE')
        if name in ('up', 'hold'):
            _add_settings(command)
    return parser


def _add_settings(command: argparse.ArgumentParser) -> None:
    for field in dataclasses.fields(Settings):
        option = '--' + field.name.replace('_', '-')
        if isinstance(field.default, bool):
            command.add_argument(option, action='store_true')
        else:
            command.add_argument(option, type=type(field.default), default=field.default, help='default: %(default)r')


def _up(chosen: argparse.Namespace) -> None:
    chosen.directory.mkdir(parents=True, exist_ok=True)
    settings = Settings(**{field.name: getattr(chosen, field.name) for field in dataclasses.fields(Settings)})
    site = up(chosen.directory, settings)
    print(f'export SLURM_CONF={site.conf}', flush=True)


def _hold(chosen: argparse.Namespace) -> None:
    """Outlive whoever asked for the cluster, however that ends: then the other end of the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _up(chosen)
        sys.stdin.read()
    finally:
        down(chosen.directory)


if __name__ == '__main__':
    sys.exit(main())
