"""What is loaded, and what is not: importing must stay cheap where it happens often."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

import awflow

DEAR = ('asyncio', 'cloudpickle', 'dataclasses', 'enum', 'hashlib', 'inspect', 'json', 'logging', 'random', 're', 'typing')


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
