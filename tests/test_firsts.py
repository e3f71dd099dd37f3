"""Arrays of which nothing is on record: that they are told of all at once changes nothing of what is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

FLOW = """
    from awflow import subject
    from awflow.errors import AwflowError

    {keys}
    {first}
    @job(array=keys)
    def first(i): pass
    @after(first, each={each})
    @inputs('mid/{{i}}', 'side/{{i}}')
    @outputs('out/{{i}}')
    @job(array=keys)
    def second(i): pass

    def planned(big):
        subject.BIG = big
        try:
            run = schedule(second, dry_run=True, prune={prune})
        except AwflowError as error:
            return str(error)
        return run.plan.to_dict()
    one, other = planned(10**9), planned(10)
    print('same' if one == other else f'{{one}}\\n{{other}}')
    print(other if isinstance(other, str) else other['counts'])
"""
PLAIN = "@inputs('in/{i}')\n    @outputs('mid/{i}')"


def ran(
    workspace: Workspace, first: str = PLAIN, keys: str = 'keys = range(100)', each: bool = True, prune: bool = True
) -> str:
    workspace.script(FLOW.format(first=first, keys=keys, each=each, prune=prune))
    done = workspace.run()
    assert done.returncode == 0, done
    same, said = done.stdout.splitlines()[-2:] if 'same' in done.stdout else (done.stdout, '')
    assert same == 'same', done
    return said


def project(workspace: Workspace) -> None:
    for i in range(100):
        workspace.write(f'in/{i}', 'text')
        workspace.write(f'side/{i}', 'text')


@pytest.mark.parametrize('keys', ['keys = range(100)', 'keys = [str(i) for i in range(100)]'])
@pytest.mark.parametrize('each', [True, False])
def test_new_tasks_are_planned_as_one_by_one(workspace: Workspace, keys: str, each: bool) -> None:
    project(workspace)
    assert "'missing': 200" in ran(workspace, keys=keys, each=each)


def test_tasks_whose_outputs_are_there_are_adopted_the_others_run(workspace: Workspace) -> None:
    project(workspace)
    for i in range(0, 100, 3):
        workspace.write(f'mid/{i}', 'made')
    said = ran(workspace)
    assert "'missing': 166" in said and "'fresh': 34" in said
    assert "'fresh': 0" in ran(workspace, prune=False)


def test_an_input_that_is_not_there_is_told_of(workspace: Workspace) -> None:
    project(workspace)
    workspace.remove('in/57')
    assert refused(workspace, PLAIN).startswith('task first[57] reads in/57, which does not exist')


def test_one_input_for_all_must_be_there_too(workspace: Workspace) -> None:
    project(workspace)
    first = "@inputs('in/{i}', 'config')\n    @outputs('mid/{i}')"
    workspace.write('config', '')
    assert "'missing': 200" in ran(workspace, first=first)
    workspace.remove('config')
    assert refused(workspace, first).startswith('task first[0] reads config, which does not exist')


def refused(workspace: Workspace, first: str) -> str:
    """What both ways of planning say alike of what is wrong."""
    workspace.script(FLOW.format(first=first, keys='keys = range(100)', each=True, prune=True))
    same, said = workspace.run().stdout.split('\n', 1)
    assert same == 'same', said
    return said


def test_postconditions_are_asked_where_there_is_nothing_else_to_adopt_by(workspace: Workspace) -> None:
    project(workspace)
    for i in range(7):
        workspace.write(f'mid/{i}', '')
        workspace.write(f'out/{i}', '')
    said = ran(workspace, first="@ensure(lambda i: os.path.exists(f'mid/{i}'))")
    assert "'missing': 186" in said and "'fresh': 14" in said
