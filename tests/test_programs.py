"""The two programs of the introduction, verbatim: what runs, and above all what does not run again."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

PI = """\
import glob
import numpy as np
import os

from awflow import after, ensure, job, schedule

n = 10000
tasks = 10

@ensure(lambda i: os.path.exists(f'pi-{i}.npy'))
@job(cpus='4', memory='4GB', array=tasks)
def estimate(i: int):
    print(f'Executing task {i + 1} / {tasks}.')
    x = np.random.random(n)
    y = np.random.random(n)
    pi_estimate = (x**2 + y**2 <= 1)
    np.save(f'pi-{i}.npy', pi_estimate)

@after(estimate)
@ensure(lambda: os.path.exists('pi.npy'))
@job(cpus='4')
def merge():
    files = glob.glob('pi-*.npy')
    stack = np.vstack([np.load(f) for f in files])
    pi_estimate = stack.sum() / (n * tasks) * 4
    print('π ≅', pi_estimate)
    np.save('pi.npy', pi_estimate)

merge.prune()  # Prune jobs whose postconditions have been satisfied

schedule(merge, backend='local')  # Executes merge and its dependencies
"""

DYNAMIC = '''\
from awflow import after, job, schedule, terminal_nodes

@job(cpus='2', memory='4GB', array=5)
def generate(i: int):
    print(f'Generating data block {i}.')

@after(generate)
@job(cpus='1', memory='2GB', array=5)
def postprocess(i: int):
    print(f'Postprocessing data block {i}.')

def do_experiment(parameter):
    r"""This method allocates a `fit` and `make_plot` job
    based on the specified parameter."""

    @after(postprocess)
    @job(name=f'fit_{parameter}')  # By default, the name is equal to the function name
    def fit():
        print(f'Fit {parameter}.')

    @after(fit)
    @job(name=f'plt_{parameter}')  # Simplifies the identification of the logfile
    def make_plot():
        print(f'Plot {parameter}.')

# Programmatically build workflow
for parameter in [0.1, 0.2, 0.3, 0.4, 0.5]:
    do_experiment(parameter)

leafs = terminal_nodes(generate, prune=True)  # Find terminal nodes of workflow graph
schedule(*leafs, backend='local')
'''

ESTIMATES = [f'estimate[{i}]' for i in range(10)]
PRODUCTS = ['pi.npy', *(f'pi-{i}.npy' for i in range(10))]


@pytest.fixture
def pi(workspace: Workspace) -> Workspace:
    """A directory in which the first program has run once."""
    pytest.importorskip('numpy')
    workspace.write('pi.py', PI)
    first = workspace.run(name='pi.py')
    assert first.returncode == 0, first
    assert sorted(first.executed) == sorted([*ESTIMATES, 'merge']), first
    assert 'π ≅ 3.1' in first.stdout
    return workspace


def nothing_runs(workspace: Workspace, **environ: str) -> None:
    """A run of the first program that starts no task, prints nothing and leaves every product as it is."""
    before = {name: stat for name, stat in workspace.files().items() if name in PRODUCTS}
    ran = workspace.run(name='pi.py', **environ)
    assert (ran.returncode, ran.executed, ran.stdout) == (0, [], ''), ran
    assert {name: stat for name, stat in workspace.files().items() if name in PRODUCTS} == before


def test_a_second_run_starts_nothing(pi: Workspace) -> None:
    nothing_runs(pi)
    nothing_runs(pi)


def test_deleting_the_product_alone_runs_its_task_alone(pi: Workspace) -> None:
    pi.remove('pi.npy')
    assert pi.run(name='pi.py').executed == ['merge']
    nothing_runs(pi)


def test_deleting_a_product_and_an_intermediate_runs_both_and_nothing_else(pi: Workspace) -> None:
    pi.remove('pi.npy')
    pi.remove('pi-3.npy')
    assert pi.run(name='pi.py').executed == ['estimate[3]', 'merge']
    nothing_runs(pi)


def test_deleting_only_an_intermediate_runs_nothing_because_it_is_not_needed(pi: Workspace) -> None:
    pi.remove('pi-3.npy')
    nothing_runs(pi)
    assert not pi.exists('pi-3.npy')


def test_deleting_the_state_adopts_what_the_postconditions_vouch_for(pi: Workspace) -> None:
    shutil.rmtree(pi.path / '.awflow')
    nothing_runs(pi)
    assert {record.outcome for record in pi.attempts().values()} == {'succeeded'}
    nothing_runs(pi)


def test_what_was_adopted_is_tracked_from_then_on(pi: Workspace) -> None:
    shutil.rmtree(pi.path / '.awflow')
    nothing_runs(pi)
    pi.edit('n = 10000', 'n = 20000', name='pi.py')
    assert sorted(pi.run(name='pi.py').executed) == sorted([*ESTIMATES, 'merge'])


def test_a_changed_global_runs_all_that_reaches_it(pi: Workspace) -> None:
    pi.edit('n = 10000', 'n = 20000', name='pi.py')
    ran = pi.run(name='pi.py')
    assert sorted(ran.executed) == sorted([*ESTIMATES, 'merge'])
    assert ran.executed[-1] == 'merge'
    nothing_runs(pi)


def test_a_change_of_the_last_function_runs_it_alone(pi: Workspace) -> None:
    pi.edit("print('π ≅', pi_estimate)", "print('π =', pi_estimate)", name='pi.py')
    ran = pi.run(name='pi.py')
    assert ran.executed == ['merge']
    assert 'π = 3.1' in ran.stdout


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('n = 10000', '# how many points\nn = 10000'),
        ('    x = np.random.random(n)', '\n\n    # the abscissae\n    x = np.random.random(n)  # in [0, 1)'),
        ('    x = np.random.random(n)', '    """Throw darts."""\n    x = np.random.random( n )'),
        ('def estimate(i: int):', 'def estimate(i: "int") -> None:'),
        ("cpus='4', memory='4GB'", 'cpus=2, memory=8192, timelimit=600'),
        ("schedule(merge, backend='local')", "unrelated = 7\nschedule(merge, backend='local')"),
    ],
    ids=['comment', 'blank lines', 'docstring', 'annotation', 'resources', 'another global'],
)
def test_what_does_not_change_the_meaning_runs_nothing(pi: Workspace, old: str, new: str) -> None:
    pi.edit(old, new, name='pi.py')
    nothing_runs(pi)


@pytest.mark.parametrize('seed', ['0', '1', '12345'])
def test_the_hash_seed_does_not_count(pi: Workspace, seed: str) -> None:
    nothing_runs(pi, PYTHONHASHSEED=seed)


def test_the_directory_does_not_count(pi: Workspace) -> None:
    elsewhere = pi.path.parent / 'moved to' / 'a näher place'
    elsewhere.parent.mkdir()
    os.rename(pi.path, elsewhere)
    pi.path = elsewhere
    nothing_runs(pi)


def test_a_copy_of_the_directory_starts_nothing_either(pi: Workspace) -> None:
    copy = pi.path.parent / 'copy'
    shutil.copytree(pi.path, copy)
    pi.path = copy
    nothing_runs(pi)


def test_the_second_program_runs_every_job_of_the_loop_once(workspace: Workspace) -> None:
    workspace.write('dynamic.py', DYNAMIC)
    first = workspace.run(name='dynamic.py')
    parameters = (0.1, 0.2, 0.3, 0.4, 0.5)
    expected = [f'{job}[{i}]' for job in ('generate', 'postprocess') for i in range(5)]
    expected += [f'{job}_{parameter}' for job in ('fit', 'plt') for parameter in parameters]
    assert first.returncode == 0, first
    assert sorted(first.executed) == sorted(expected)
    order = first.executed.index
    assert max(order(f'generate[{i}]') for i in range(5)) < min(order(f'postprocess[{i}]') for i in range(5))
    assert all(order(f'fit_{parameter}') < order(f'plt_{parameter}') for parameter in parameters)
    assert {f'Plot {parameter}.' in first.stdout for parameter in parameters} == {True}
    second = workspace.run(name='dynamic.py')
    assert (second.returncode, second.executed, second.stdout) == (0, [], ''), second


def test_one_more_parameter_in_the_loop_runs_its_jobs_alone(workspace: Workspace) -> None:
    workspace.write('dynamic.py', DYNAMIC)
    workspace.run(name='dynamic.py')
    workspace.edit('[0.1, 0.2, 0.3, 0.4, 0.5]', '[0.5, 0.6, 0.4, 0.2, 0.1, 0.3]', name='dynamic.py')
    assert workspace.run(name='dynamic.py').executed == ['fit_0.6', 'plt_0.6']


def test_a_task_may_use_the_package_by_its_name(workspace: Workspace) -> None:
    workspace.script("""
        import awflow
        @awflow.job(resume=True)
        def careful():
            print(awflow.should_stop(), os.path.isdir(awflow.scratch()))
            return issubclass(awflow.Requeue, Exception)
        awflow.schedule(careful)
        print(careful.result())
    """)
    ran = workspace.run()
    assert ran.returncode == 0, ran
    assert 'True' in ran.stdout.split(), ran
