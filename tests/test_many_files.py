"""Tasks with many files, and surveys that read many: read side by side or not, the verdicts are the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

MANY = """
    @inputs('in/*')
    @outputs(*[f'out/{i}' for i in range(30)])
    @job
    def work():
        for i in range(30):
            with open(f'out/{i}', 'w') as out: out.write(str(i))
        if os.path.exists('meddles'):
            with open('in/7', 'w') as file: file.write('meddled')
    schedule(work)
"""


def test_a_task_that_has_more_to_report_than_a_pipe_holds_ends(workspace: Workspace) -> None:
    workspace.script("""
        @inputs('in/*')
        @job
        def count(): print(len(os.listdir('in')))
        schedule(count)
    """)
    for i in range(2500):
        workspace.write(f'in/{i:060}', '')
    ran = workspace.run()
    assert ran.executed == ['count'] and not ran.failed
    assert len(workspace.attempts()['count'].own) == 2500
    workspace.write(f'in/{7:060}', 'x')
    assert workspace.again() == ['count']


def test_one_of_many_inputs_that_changes_meanwhile_is_noticed(workspace: Workspace) -> None:
    workspace.script(MANY)
    workspace.write('out/.keep', '')
    workspace.write('meddles', '')
    for i in range(40):
        workspace.write(f'in/{i}', f'text {i}')
    ran = workspace.run()
    assert ran.records['work'].inputs_changed == ['in/7']
    assert len(ran.records['work'].outputs) == 30
    workspace.remove('meddles')
    assert workspace.again() == ['work']
    assert workspace.again() == []


FLOW = """
    from awflow import reading
    from awflow.state import ahead
    reading.SLOW, ahead.SLOW = {slow}, {slow}

    @inputs('in/{{i}}')
    @outputs('out/{{i}}')
    @job(array=90, batch=30)
    def work(i):
        with open(f'in/{{i}}') as source, open(f'out/{{i}}', 'w') as target: target.write(source.read())
    schedule(work)
"""


@pytest.mark.parametrize('slow', [-1.0, 1e9])
def test_a_survey_finds_the_same_whether_it_reads_ahead_or_not(workspace: Workspace, slow: float) -> None:
    workspace.script(FLOW.format(slow=slow))
    workspace.write('out/.keep', '')
    for i in range(90):
        workspace.write(f'in/{i}', f'text {i}')
    assert len(workspace.again()) == 90
    for i in range(90):
        workspace.write(f'in/{i}', f'text {i}')  # touched
        workspace.write(f'out/{i}', f'text {i}')
    workspace.write('in/40', 'another')
    workspace.write('out/60', 'edited')
    workspace.remove('out/80')
    assert workspace.again() == ['work[40]', 'work[60]', 'work[80]']
    assert workspace.again() == []
