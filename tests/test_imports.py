"""What is loaded, and what is not: importing must stay cheap where it happens often."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import awflow

if TYPE_CHECKING:
    from pathlib import Path

DEAR = ('asyncio', 'cloudpickle', 'dataclasses', 'enum', 'hashlib', 'inspect', 'json', 'logging', 'random', 're', 'typing')


# What a run that finds nothing to do needs, and not one module more: each costs everybody a tenth of a millisecond and more at
# every start. What a module of these needs only when something must run or be shown, it imports where it needs it.
NOTHING_TO_DO = """
    _version uncaught decorators arity arrays errors job current resources run facts garbage graph meanwhile plan edges outcome reasons planner
    ancestry place sources subject elements identity specs survey alone producers verdict
    state state.jsontext state.record state.store state.fs state.layout state.snapshot state.ledger state.journal state.liveness
    state.attempts state.reader state.table state.view state.overlay state.rows state.cached state.digests state.confirmed
    fingerprint fingerprint.components fingerprint.fingerprinter fingerprint.known fingerprint.chains fingerprint.closures fingerprint.project
    fingerprint.reach fingerprint.resolve fingerprint.values fingerprint.variants
"""
OF_PYTHON = {
    '__future__', '_contextvars', '_json', '_operator', '_string', '_struct', 'errno', 'gc', 'itertools', 'struct', 'types', 'xxhash', 'xxhash._xxhash',
    'xxhash.version',
}  # fmt: skip
OF_ARRAYS = {'columns', 'templates', 'state.looks', 'state.sidebyside'}


def loaded(statement: str) -> set[str]:
    """The modules that a new interpreter has after a statement and had not before; -S, for site-packages load what they like."""
    program = f'import sys; before = set(sys.modules); {statement}\nprint(*(set(sys.modules) - before))'
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, '-S', '-c', program], env=environment, capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_the_package_alone_loads_nothing_of_what_it_offers():
    ours = {name for name in loaded('import awflow') if name.startswith('awflow.')}
    assert ours == {'awflow._version', 'awflow.uncaught'}


def test_the_start_of_a_task_on_a_node_loads_no_planner_and_nothing_dear():
    found = loaded('import awflow.backends.slurm.node')
    assert found.isdisjoint(f'awflow.{name}' for name in ('decorators', 'run', 'planner', 'plan', 'fingerprint'))
    assert found.isdisjoint((*DEAR, 'pickle', 'signal', 'socket', 'struct', 'zlib'))


def test_the_public_names_load_nothing_dear():
    assert loaded('from awflow import job, schedule').isdisjoint(DEAR)


SCRIPT = """
import os, sys
before = set(sys.modules)
from awflow import after, ensure, inputs, job, outputs, schedule
from awflow.state import cached

cached.RACY = cached.RACY_FINE = -10**15  # files are as good as old: young ones would be read, and that be noted
@outputs('made')
@ensure(lambda: os.path.exists('made'))
@job
def make(): open('made', 'w').close()

@after(make)
@inputs('made')
@job
def use(path='made', times=3): pass

{more}
run = schedule(use, workflow='flow')
if not run.executed:
    print(*sorted(set(sys.modules) - before))
"""
ARRAY = """
@ensure(lambda i: os.path.exists(f'{i}.txt'))
@outputs('{i}.txt')
@job(array=100)
def each(i): open(f'{i}.txt', 'w').close()

each.after(make)
use.after(each)
"""


@pytest.mark.parametrize(('more', 'besides'), [('', set()), (ARRAY, OF_ARRAYS)], ids=['jobs', 'arrays'])
def test_a_run_that_finds_nothing_to_do_loads_what_it_needs_and_nothing_else(
    tmp_path: Path, more: str, besides: set[str]
) -> None:
    (tmp_path / 'flow.py').write_text(SCRIPT.format(more=more))
    environment = {**os.environ, 'PYTHONPATH': os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, '-S', 'flow.py']
    for _ in range(2):
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True)
    found = set(done.stdout.split())
    ours = {name.removeprefix('awflow.') for name in found if name.startswith('awflow.')}
    assert {name for name in found if not name.startswith('awflow')} <= OF_PYTHON
    assert ours <= {*NOTHING_TO_DO.split(), *besides}
    assert more or ours == {*NOTHING_TO_DO.split()}


def test_a_star_import_brings_exactly_the_public_names():
    names: dict[str, object] = {}
    exec('from awflow import *', names)
    assert names.keys() - {'__builtins__'} == set(awflow.__all__) <= set(dir(awflow))


def test_the_decorator_stays_the_decorator_when_the_module_of_its_name_is_loaded():
    import awflow.job

    assert not isinstance(awflow.job, type(sys))
    assert callable(awflow.job)


def test_a_name_that_is_not_there_is_refused_as_by_any_module():
    with pytest.raises(AttributeError, match="module 'awflow' has no attribute 'jobs'"):
        awflow.jobs  # noqa: B018
