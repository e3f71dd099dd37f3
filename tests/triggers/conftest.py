from __future__ import annotations

import pytest

pytest.register_assert_rewrite('tests.triggers.table')

from tests.triggers.table import Projects  # noqa: E402  (its assertions are to be shown in full)


@pytest.fixture(scope='package')
def projects(tmp_path_factory: pytest.TempPathFactory) -> Projects:
    """Every project of the table after its first run."""
    return Projects(tmp_path_factory.mktemp('projects'))
