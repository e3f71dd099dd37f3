"""What a shell is offered, asked as shells ask."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.program import COMMANDS
from tests.cli.conftest import Workspace


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


def test_strings_are_offered_without_quotes_unless_that_means_another(workspace: Any) -> None:
    workspace.script("""
        from awflow import job, schedule

        @job(array=['a b', '3', 3, 'x'])
        def fit(x): pass

        schedule(fit)
    """)
    workspace.run()
    assert offered(workspace, 'show', 'fit[') == ['fit[a b]', "fit['3']", 'fit[3]', 'fit[x]']
    for task in offered(workspace, 'show', 'fit['):
        assert workspace.awflow('show', task).returncode == 0


def test_jobs_that_were_planned_and_did_not_start_are_offered_too(made: Any) -> None:
    assert offered(made, 'why', 'nev') == ['never']


@pytest.mark.skipif(not shutil.which('bash'), reason='there is no bash')
@pytest.mark.parametrize(
    ('typed', 'completed'),
    [
        ('fit[b', [r'fit\[b\ c\]']),  # as bash takes it: what it reads is one word
        ("'fit[b", ['fit[b c]']),
        ('"fit[x', ['fit[x,y]']),
        ('"fit[d', [r'fit[do\$lar]']),
        ("'fit[d", ['fit[do$lar]']),
        ("'fit[i", [r"fit[it'\''s]"]),
    ],
)
def test_bash_is_given_words_that_it_reads_back_as_the_task(odd: Any, typed: str, completed: list[str]) -> None:
    assert in_bash(odd, typed) == completed


@pytest.mark.skipif(not shutil.which('fish'), reason='there is no fish')
def test_fish_is_given_whole_names_and_whole_descriptions(odd: Any) -> None:
    script = odd.awflow('completion', 'fish').stdout
    asked = f"{script}\ncomplete -C 'awflow show fit[x'\ncomplete -C 'awflow clean --older'\n"
    done = subprocess.run(['fish', '--no-config', '-c', asked], capture_output=True, text=True, timeout=60, **here(odd))
    name, described = done.stdout.splitlines()
    assert name == 'fit[x,y]'
    assert described == '--older-than\tAlso remove logs, payloads and files of runs of that age.'


@pytest.fixture(scope='module')
def odd(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Values with what shells and the answers to them treat in a way of their own."""
    workspace = Workspace(tmp_path_factory.mktemp('odd'))
    workspace.script("""
        from awflow import job, schedule

        @job(array=['b c', 'x,y', "it's", 'do$lar'])
        def fit(x): pass

        schedule(fit)
    """)
    workspace.run()
    return workspace


def here(workspace: Workspace) -> dict[str, Any]:
    """Where and with which `awflow` a shell is started."""
    folder = workspace.directory / 'bin'
    folder.mkdir(exist_ok=True)
    command = folder / 'awflow'
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m awflow "$@"\n')
    command.chmod(0o755)
    return {'cwd': workspace.directory, 'env': {**workspace.environ, 'PATH': f'{folder}:{os.environ["PATH"]}'}}


def in_bash(workspace: Workspace, typed: str) -> list[str]:
    """What bash is given to complete a word of `awflow show`."""
    script = workspace.awflow('completion', 'bash').stdout
    asked = f"""{script}
        COMP_WORDS=(awflow show "$1") COMP_CWORD=2
        _awflow_completion awflow
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ['bash', '--norc', '-c', asked, 'bash', typed], capture_output=True, text=True, timeout=60, **here(workspace)
    )
    assert done.stderr == ''
    return done.stdout.splitlines()


@pytest.mark.parametrize('shell', ['bash', 'zsh', 'fish'])
def test_the_script_for_a_shell_is_one_that_it_takes(made: Any, shell: str) -> None:
    script = made.awflow('completion', shell)
    assert script.returncode == 0
    assert '_AWFLOW_COMPLETE' in script.stdout
    if shutil.which(shell):
        subprocess.run([shell, '-n'], input=script.stdout, text=True, check=True, timeout=60)
