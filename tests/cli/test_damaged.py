"""Looking at a damaged state: what is whole of it is shown, what is wrong is said, nothing is changed."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from awflow.state import reader
from tests.cli.conftest import Workspace

SCRIPT = """
    from awflow import after, job, outputs, schedule

    @outputs('{i}.txt')
    @job(array=3)
    def fit(i):
        print('fitting', i)
        open(f'{i}.txt', 'w').write(str(i))

    @after(fit)
    @job
    def total():
        pass

    schedule(total, workers=1)
"""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for files to come that are not whole."""
    monkeypatch.setattr(reader, 'BRIEF', 0.0)


@pytest.fixture
def torn(workspace: Workspace) -> Path:
    """The journal of a run that lost its last two lines: the end of `fit[2]` and all of `total`, or of that alone."""
    workspace.script(SCRIPT)
    workspace.run()
    (journal,) = (workspace.directory / '.awflow/flow/ledger').glob('*.jsonl')
    lines = journal.read_bytes().splitlines(keepends=True)
    told = [json.loads(line) if line.strip() else {} for line in lines]
    last = next(place for place, record in enumerate(told) if record.get('task') == '2' and record.get('final'))
    journal.write_bytes(b''.join(lines[:last]))
    return journal


def tree(directory: Path) -> dict[str, tuple[int, int]]:
    return {str(path): (path.stat().st_mtime_ns, path.stat().st_size) for path in directory.rglob('*') if path.is_file()}


def test_what_is_whole_of_a_journal_is_shown_and_what_is_not_is_said(torn: Path, workspace: Workspace, awflow: Any) -> None:
    before = tree(workspace.directory / '.awflow')
    shown = awflow('status', '--json', cwd=workspace.directory)
    (flow,) = json.loads(shown.out)['workflows']
    assert {job['job']: job['outcomes'] for job in flow['jobs']}['fit'] == {'succeeded': 2, 'crashed': 1}
    assert [damage['file'] for damage in flow['damaged']] == [str(torn)]
    assert shown.code == 1
    assert shown.err.startswith(f'awflow: flow: damaged: {torn.name}: it has ') and shown.err.endswith(
        'awflow clean mends it\n'
    )
    assert tree(workspace.directory / '.awflow') == before


@pytest.mark.parametrize(
    ('line', 'said'),
    [
        (['status'], '2 succeeded'), (['show', 'fit[0]'], 'fit[0]  succeeded'), (['why', 'fit[2]'], 'fit[2]  crashed'),
        (['graph'], 'total'), (['usage'], 'fit  2 tasks'), (['blame', '1.txt'], 'fit[1], succeeded'), (['status', '--crashed'], 'fit[2]'),
    ],
)  # fmt: skip
def test_every_command_that_looks_does_so_and_exits_with_1(
    torn: Path, workspace: Workspace, awflow: Any, line: list[str], said: str
) -> None:
    shown = awflow(*line, cwd=workspace.directory)
    assert (shown.code, said in shown.out, torn.name in shown.err) == (1, True, True), shown.out


def test_the_exit_code_of_a_damaged_state_is_that_whatever_is_shown(torn: Path, workspace: Workspace, awflow: Any) -> None:
    assert awflow('status', '--exit-code', cwd=workspace.directory).code == 1
    assert awflow('clean', '--yes', cwd=workspace.directory).code == 0
    assert awflow('status', '--exit-code', cwd=workspace.directory).code == 3
    assert json.loads(awflow('status', '--json', cwd=workspace.directory).out)['workflows'][0]['damaged'] == []


@pytest.mark.parametrize('line', [['forget', 'fit', '--yes'], ['cancel'], ['accept', 'fit', '--yes'], ['dump']])
def test_what_would_change_it_is_refused(torn: Path, workspace: Workspace, awflow: Any, line: list[str]) -> None:
    done = awflow(*line, cwd=workspace.directory)
    assert (done.code, 'the state cannot be read' in done.err) == (1, True)


def test_one_workflow_that_cannot_be_read_does_not_hide_the_others(workspace: Workspace, awflow: Any) -> None:
    for name in ('flow', 'other'):
        workspace.script(SCRIPT.replace('{i}', f'{name}-{{i}}').replace("f'{i}", f"f'{name}-{{i}}"), name)
        workspace.run(name)
    (claim,) = (workspace.directory / '.awflow/flow/ledger').glob('1.claim')
    os.truncate(claim, 10)
    shown = awflow('status', '--json', cwd=workspace.directory)
    assert [flow['workflow'] for flow in json.loads(shown.out)['workflows']] == ['other']
    assert (shown.code, 'awflow: flow cannot be read: damaged: 1.claim' in shown.err) == (1, True)
    assert awflow('show', 'fit[1]', cwd=workspace.directory).out.startswith('fit[1]  succeeded')
    alone = awflow('status', '-w', 'flow', cwd=workspace.directory)
    assert (alone.code, alone.out, 'the state cannot be read: 1.claim' in alone.err) == (1, '', True)
