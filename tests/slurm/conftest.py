"""A real Slurm for the tests in this directory, see tests/cluster/README.md."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cluster import hosts
from tests.cluster.lifecycle import missing
from tests.cluster.settings import Settings
from tests.cluster.tested import TestedCluster
from tests.slurm.flow import Flow


def _start(settings: Settings) -> TestedCluster:
    """A cluster; the test is skipped where there cannot be one, or fails if AWFLOW_REQUIRE_SLURM says so."""
    if settings.shared and (reason := hosts.unable()):
        pytest.skip(reason)  # no installation helps
    if lacking := missing(settings):
        reason = f'not installed: {", ".join(lacking)} (see tests/cluster/README.md)'
        if os.environ.get('AWFLOW_REQUIRE_SLURM') == '1':
            pytest.fail(f'AWFLOW_REQUIRE_SLURM is set, but {reason}')
        pytest.skip(reason)
    return TestedCluster(settings)


def _finish(cluster: TestedCluster) -> None:
    if complaints := cluster.close():
        pytest.fail(f'the cluster was not taken down: {complaints}')


@pytest.fixture(scope='session')
def _usual_cluster() -> Iterator[TestedCluster]:
    """Started once, by the first test that wants it."""
    cluster = _start(Settings())
    yield cluster
    _finish(cluster)


@pytest.fixture
def cluster(_usual_cluster: TestedCluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[TestedCluster]:
    """The usual cluster, idle, and the one that scripts of this test use."""
    _adopt(_usual_cluster, monkeypatch)
    yield _usual_cluster
    _usual_cluster.restore()


@pytest.fixture
def make_cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TestedCluster]]:
    """For a test that needs a special one: `make_cluster(max_array_size=5)`. The last one made is the one scripts use."""
    made: list[TestedCluster] = []

    def make(**settings: object) -> TestedCluster:
        made.append(_start(Settings(**settings)))  # type: ignore[arg-type]
        _adopt(made[-1], monkeypatch)
        return made[-1]

    yield make
    for cluster in made:
        _finish(cluster)


def _adopt(cluster: TestedCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(('SLURM', 'SBATCH'))]:
        monkeypatch.delenv(name)
    for name, value in cluster.environ.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def flow(cluster: TestedCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """An empty directory in which scripts are run that submit to the usual cluster."""
    directory = tmp_path / 'work'
    directory.mkdir()
    return Flow(directory, cluster, monkeypatch)
