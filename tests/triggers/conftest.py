from __future__ import annotations

import pytest

from tests.triggers.table import Projects


@pytest.fixture(scope='package')
def projects(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Every project of the table after its first run."""
    return Projects(tmp_path_factory.mktemp('projects'))
