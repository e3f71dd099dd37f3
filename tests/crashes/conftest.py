"""A run held at a known place, and the command line run within this process, where seams can be used."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from awflow.cli.program import run
from tests.conftest import Workspace
from tests.crashes.staging import Command, Held, Said


@pytest.fixture
def held(workspace: Workspace) -> Iterator[Held]:
    held = Held(workspace)
    yield held
    held.close()


@pytest.fixture
def awflow(workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command line in the workspace, or in another directory."""

    def call(*arguments: str, cwd: Path | None = None) -> Said:
        monkeypatch.chdir(cwd or workspace.path)
        monkeypatch.delenv('AWFLOW_STATE', raising=False)
        capsys.readouterr()
        code = run(arguments)
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call
