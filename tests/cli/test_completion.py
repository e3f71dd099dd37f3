"""What a shell is offered, asked as shells ask."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.program import COMMANDS


def offered(workspace: Any, *words: str, cwd: Path | None = None) -> list[str]:
    """The words offered for the last one."""
    environ = {
        **workspace.environ, '_AWFLOW_COMPLETE': 'bash_complete', 'COMP_CWORD': str(len(words)),
        'COMP_WORDS': ' '.join(f"'{word}'" for word in ['awflow', *words]),
    }  # fmt: skip
    done = workspace.awflow(env=environ, cwd=cwd or workspace.directory)
    assert done.stderr == ''
    return [line.partition(',')[2] for line in done.stdout.splitlines() if line]


def test_commands_and_the_options_of_status(made: Any) -> None:
    assert offered(made, '') == list(COMMANDS)
    assert offered(made, 'wh') == ['why']
    assert {'--version', '--watch', '--json'} <= set(offered(made, '--'))


def test_jobs_and_their_tasks(made: Any) -> None:
    assert offered(made, 'why', 'f') == ['fit']
    assert offered(made, 'logs', '--failed', 'sum') == ['sum/all']
    assert offered(made, 'status', 'count[1') == ['count[1]', 'count[10]', 'count[11]']
    assert offered(made, 'forget', 'nosuch[') == []


def test_workflows(made: Any) -> None:
    assert offered(made, 'why', '--workflow', '') == ['flow']


def test_tasks_that_only_wait_are_offered(workspace: Any, held: Any) -> None:
    assert offered(workspace, 'why', 'hold[') == ['hold[0]', 'hold[1]', 'hold[2]']


def test_without_a_state_nothing_is_offered_or_said(made: Any, tmp_path: Path) -> None:
    assert offered(made, 'why', 'f', cwd=tmp_path) == []
    assert offered(made, 'why', '-w', '', cwd=tmp_path) == []


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_the_script_for_a_shell_is_one_that_it_takes(made: Any, shell: str) -> None:
    script = made.awflow('completion', shell)
    assert script.returncode == 0
    assert '_AWFLOW_COMPLETE' in script.stdout
    if shutil.which(shell):
        subprocess.run([shell, '-n'], input=script.stdout, text=True, check=True, timeout=60)
