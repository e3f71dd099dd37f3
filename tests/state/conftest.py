from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def root(tmp_path: Path) -> str:
    """Where a state may be made; the directory above it is there, itself it is not."""
    tmp_path.chmod(0o755)
    return str(tmp_path / '.awflow')
