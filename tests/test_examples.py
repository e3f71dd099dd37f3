"""The examples, run as their readers run them: in an empty directory, and once more."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Ran, Workspace

EXAMPLES = Path(__file__).resolve().parent.parent / 'examples'
MADE = {
    'pi.py': {'pi.npy', *(f'pi-{i}.npy' for i in range(10))},
    'dynamic.py': set(),
    'files.py': {
        'data/bergen.txt', 'data/lisbon.txt', 'data/zagreb.txt', 'tidy/bergen.csv', 'tidy/lisbon.csv', 'tidy/zagreb.csv', 'report.csv',
    },
    'sweep.py': {'sweep.csv', 'sweep.png'},
}  # fmt: skip
TASKS = {'pi.py': 11, 'dynamic.py': 20, 'files.py': 4, 'sweep.py': 63}


def example(workspace: Workspace, name: str, *arguments: str) -> Ran:
    """One run of an example; matplotlib keeps its caches in a directory of its own."""
    ran = workspace.run(*arguments, name=str(EXAMPLES / name), MPLCONFIGDIR=str(workspace.path.parent))
    assert ran.returncode == 0, ran
    return ran


def products(workspace: Workspace) -> dict[str, tuple[int, int, int]]:
    """The files below the directory that are not awflow's."""
    return {path: facts for path, facts in workspace.files().items() if path[0] != '.' and (workspace.path / path).is_file()}


def append(workspace: Workspace, name: str, line: str) -> None:
    with open(workspace.path / name, 'a') as file:
        print(line, file=file)


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob('*.py')} == set(MADE)


@pytest.mark.parametrize('name', MADE)
def test_an_example_makes_its_files_from_nothing_and_a_second_run_runs_nothing(workspace: Workspace, name: str) -> None:
    first = example(workspace, name)
    made = products(workspace)
    assert len(first.executed) == TASKS[name]
    assert set(made) == MADE[name]
    second = example(workspace, name)
    assert second.executed == []
    assert second.stdout == ''
    assert products(workspace) == made


def test_pi_takes_the_backend_from_the_command_line_and_refuses_one_that_is_not_there(workspace: Workspace) -> None:
    assert len(example(workspace, 'pi.py', '--backend', 'local').executed) == 11
    refused = workspace.run('--backend', 'nowhere', name=str(EXAMPLES / 'pi.py'))
    assert refused.returncode == 2
    assert 'local' in refused.stderr


def test_in_files_a_remark_in_the_data_stops_at_the_task_that_drops_it(workspace: Workspace) -> None:
    example(workspace, 'files.py')
    append(workspace, 'data/bergen.txt', '# sensor cleaned')
    assert example(workspace, 'files.py').executed == ["tidy['bergen']"]


def test_in_files_a_new_measurement_reaches_the_report(workspace: Workspace) -> None:
    example(workspace, 'files.py')
    append(workspace, 'data/bergen.txt', '2024-06-30 17.5')
    assert example(workspace, 'files.py').executed == ["tidy['bergen']", 'report']


def test_in_files_what_is_only_read_on_the_way_may_be_deleted_until_somebody_needs_it(workspace: Workspace) -> None:
    example(workspace, 'files.py')
    for name in ('bergen', 'lisbon', 'zagreb'):
        workspace.remove(f'tidy/{name}.csv')
    assert example(workspace, 'files.py').executed == []
    workspace.remove('report.csv')
    again = example(workspace, 'files.py').executed
    assert sorted(again) == ['report', "tidy['bergen']", "tidy['lisbon']", "tidy['zagreb']"]


def test_in_sweep_values_that_are_added_are_all_that_is_computed(workspace: Workspace) -> None:
    text = (EXAMPLES / 'sweep.py').read_text()
    cache = str(workspace.path.parent)
    workspace.write('sweep.py', text)
    workspace.run(name='sweep.py', MPLCONFIGDIR=cache)
    workspace.edit('range(61)', 'range(-2, 1)', name='sweep.py')
    assert workspace.run(name='sweep.py', MPLCONFIGDIR=cache).executed == ['exponent[2.76]', 'exponent[2.78]', 'table', 'plot']
