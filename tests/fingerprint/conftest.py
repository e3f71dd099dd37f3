from __future__ import annotations

import importlib
import sys
import textwrap
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from awflow.fingerprint import Fingerprint, Fingerprinter, difference


class FakeJob:
    """What a decorator returns: stands for the function, which it keeps."""

    def __init__(self, function: Any) -> None:
        self.function = function
        self.name = function.__name__

    def __call__(self, *args: Any) -> Any:
        return self.function(*args)

    def result(self, value: Any = None) -> Any: ...


class Project:
    """A folder of modules that are edited, imported afresh and fingerprinted."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules: set[str] = set()

    def write(self, name: str, text: str) -> None:
        path = self.root / (name.replace('.', '/') + '.py')
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def load(self, text: str | None = None, **others: str) -> ModuleType:
        """Import `flow` anew after writing it and the other modules."""
        for name, source in {**others, **({} if text is None else {'flow': text})}.items():
            self.write(
                name.replace('__', '.') if not name.endswith('__init__') else name.replace('__init__', '/__init__'), source
            )
        for name in list(sys.modules):
            file = getattr(sys.modules[name], '__file__', None)
            if file and str(file).startswith(str(self.root)):
                del sys.modules[name]
        importlib.invalidate_caches()
        return importlib.import_module('flow')

    def print_of(self, text: str | None = None, ignore: tuple[str, ...] = (), **others: str) -> Fingerprint:
        """The fingerprint of `flow.f`."""
        module = self.load(text, **others)
        return self.fingerprinter().function(module.f, ignore=ignore)

    def fingerprinter(self) -> Fingerprinter:
        return Fingerprinter(str(self.root), lambda value: isinstance(value, FakeJob))

    def changes(self, old: str, new: str, **others: Any) -> list[str]:
        """Names of the components that differ after an edit; a module given as a pair is edited too."""
        before = self.print_of(old, **{k: v[0] if isinstance(v, tuple) else v for k, v in others.items()})
        after = self.print_of(new, **{k: v[1] if isinstance(v, tuple) else v for k, v in others.items()})
        found = [name for name, _, _ in difference(before.components, after.components)]
        assert (before.digest != after.digest) == bool(found)
        return found


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Project(tmp_path)
    for name in [name for name, m in sys.modules.items() if str(getattr(m, '__file__', None) or '').startswith(str(tmp_path))]:
        del sys.modules[name]
