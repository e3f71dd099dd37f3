from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

pytest.register_assert_rewrite('tests.triggers.table')

from tests.triggers.table import Projects, Row  # noqa: E402  (its assertions are to be shown in full)


@pytest.fixture(scope='session')
def projects(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Projects]:
    """The projects of the rows that were selected."""
    items: list[Any] = request.session.items
    given = [item.callspec.params.get('row') for item in items if hasattr(item, 'callspec')]
    projects = Projects(tmp_path_factory.mktemp('table'), [row for row in given if isinstance(row, Row)])
    yield projects
    projects.pool.shutdown(cancel_futures=True)
