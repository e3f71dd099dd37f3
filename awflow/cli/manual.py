"""The manual of the command line, made of the commands: `python -m awflow.cli.manual > docs/cli.md`."""

from __future__ import annotations

import re

import click

from awflow.cli.program import ENDS, GROUPS, program

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

HEAD = """\
# The command line

<!-- Made by `python -m awflow.cli.manual > docs/cli.md` from the commands themselves; a test compares. -->

`awflow` looks at the state that runs leave in `.awflow/`, in the current directory or the nearest above, and puts it
right. Looking never changes it, works where it is read-only, and while runs are at work. What a command prints for
people is in colour on a terminal, unless `NO_COLOR` is set, and without anything but ASCII where the locale asks for
that; `--json` is for programs.
"""

SELECTORS = """\
## Naming tasks

| you write | it means |
|---|---|
| `fit` | all tasks of the job |
| `"fit[3]"`, `"fit[abc]"` | the task with that value; quoted, because shells read brackets, too |
| `"fit[0:10]"`, `"fit[::10]"` | values that are whole numbers in that range, of others by their places in the array |
| `"fit[lr=0.1,layers=2]"` | values that show these parts: dicts, named tuples, objects that show their fields |
| `"fit*"`, `"fit[a*]"` | jobs, or values, that fit the pattern |
| `"#3f2a"` in brackets | a value that is shown as a digest, by the digest's beginning |
| `"outer[2]/fit[3]"` | a task of a job that the task `outer[2]` scheduled |

A name means what the state knows by it; what it does not know is an error that lists what there is.
"""

ESTIMATE = """\
## How long it may take

`left` in `awflow status` is an estimate from the state alone. A task is taken to need the median of what the successes
of its job took (of the last runs, until there are five), and a run to go on with as many tasks side by side as run now:
of a job as many as run of it, or of the whole run if none does yet, and never more than its `throttle`. From that:

- a job: open tasks x median / tasks side by side, less what those that run have had of it;
- a job that waits for others begins when the last of them has ended; along an edge with `each` its last task follows
  its partner's;
- a run: its last job, or all its work shared among the tasks side by side, whichever is longer. If a job has no success
  yet it says "at least", and `?` beside the job.

What waits in the queue of a cluster while nothing runs is not foretold. `elapsed` counts from the first start to the
last end under the last claim, and up to now while tasks are open; `memory` is the peak of any task and what a task asks
for, in powers of 1024.
"""

VARIABLES = """\
## Environment

| variable | meaning |
|---|---|
| `AWFLOW_STATE` | the state directory, as `--state` |
| `NO_COLOR` | if it is not empty: no colours |
| `COLUMNS` | the width to draw for, where it is no terminal (80) |
| `LC_ALL`, `LC_CTYPE`, `LANG` | the first that is set: with `C` or `POSIX` only ASCII is drawn |
"""


def manual() -> Iterator[str]:
    """The text, in pieces."""
    yield HEAD
    yield from _overview()
    yield SELECTORS
    yield '## Exit codes\n\n| code | meaning |\n|---|---|\n' + ''.join(f'| {c} | {m} |\n' for c, m in ENDS.items())
    yield ESTIMATE
    yield VARIABLES
    context = click.Context(program, info_name='awflow', **program.context_settings)
    for name in program.list_commands(context):
        command = program.get_command(context, name)
        assert command is not None, 'a command that is listed is there'
        yield _command(name, command, click.Context(command, info_name=name, parent=context))


def _overview() -> Iterator[str]:
    yield '## Commands\n\n| for | command | what it does |\n|---|---|---|'
    for title, commands in GROUPS.items():
        for name, told in commands.items():
            yield f'| {title} | [{name}](#awflow-{name}) | {told} |'
    yield '\n`awflow` alone, or with options of `status`, is `awflow status`.\n'


def _command(name: str, command: click.Command, context: click.Context) -> str:
    usage = ' '.join(['awflow', name, *command.collect_usage_pieces(context)])
    options = [p for p in command.get_params(context) if isinstance(p, click.Option)]
    told = [_cells(record) for option in options if (record := option.get_help_record(context)) is not None]
    table = ''.join(f'| `{names}` | {text} |\n' for names, text in told)
    return (
        f'## awflow {name}\n\n    {usage}\n\n{_prose(command.help or "")}\n\n'
        f'| option | meaning |\n|---|---|\n{table}\n{_examples(command.epilog or "")}'
    )  # fmt: skip


def _cells(record: tuple[str, str]) -> tuple[str, str]:
    return record[0].replace('|', '\\|'), record[1].replace('|', '\\|')


def _examples(epilog: str) -> str:
    """Examples as code, and what follows them as it is."""
    examples, _, rest = epilog.replace('\b', '').strip().partition('\n\n')
    lines = [line.strip() for line in re.sub(r'^Examples?:', '', examples).splitlines()]
    code = ''.join(f'    {line}\n' for line in lines)
    return f'Example{"s" if len(lines) > 1 else ""}:\n\n{code}' + (f'\n{_prose(rest)}\n' if rest.strip() else '')


def _prose(text: str) -> str:
    """Paragraphs, a line each."""
    return '\n\n'.join(' '.join(paragraph.split()) for paragraph in re.split(r'\n\n+', text.strip()))


if __name__ == '__main__':
    print('\n'.join(manual()), end='')
