"""The source of a component is the text of what was fingerprinted, or none."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from awflow.fingerprint import Fingerprinter
from awflow.fingerprint.excerpts import LONGEST

MODULE = '''
import functools
import textwrap as installed


class Model:
    """A class."""

    size = 3

    def fit(self):
        # counts
        return self.size


def logged(function):
    @functools.wraps(function)
    def inner(*a):
        return function(*a)
    return inner


@logged
def helper(x):
    """Doc."""
    return x + Model().fit()


def same(x):
    return x


def other(x):
    return x


square = lambda x: x * x


def f(i):
    return helper(i) + square(i) + same(i) + other(i)
'''


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(str(tmp_path))

    def load(text: str, name: str = 'excerpted') -> ModuleType:
        (tmp_path / f'{name}.py').write_text(text, encoding='utf-8')
        sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module(name)

    yield load
    sys.modules.pop('excerpted', None)


def excerpts(tmp_path: Path, f: Any) -> dict[str, str]:
    printer = Fingerprinter(str(tmp_path), lambda value: False)
    return {name: printer.excerpt(name, text) for name, text in printer.function(f).components.items()}


def test_functions_classes_and_lambdas_are_shown_as_they_are_written_without_decorators(tmp_path: Path, load: Any) -> None:
    found = excerpts(tmp_path, load(MODULE).f)
    assert found['code of f'] == 'def f(i):\n    return helper(i) + square(i) + same(i) + other(i)\n'
    assert found['helper helper'] == 'def helper(x):\n    """Doc."""\n    return x + Model().fit()\n'
    assert found['helper inner of helper'] == 'def inner(*a):\n    return function(*a)\n'
    assert found['helper Model.fit'] == 'def fit(self):\n    # counts\n    return self.size\n'
    assert found['class Model'].startswith('class Model:\n    """A class."""\n')
    assert found['helper square'] == 'square = lambda x: x * x\n'


def test_functions_of_the_same_code_are_told_apart_by_name(tmp_path: Path, load: Any) -> None:
    found = excerpts(tmp_path, load(MODULE).f)
    assert found['helper same'] == 'def same(x):\n    return x\n'
    assert found['helper other'] == 'def other(x):\n    return x\n'


def test_a_file_that_was_edited_since_its_import_has_no_excerpt_of_what_is_not_there_any_more(
    tmp_path: Path, load: Any
) -> None:
    module = load(MODULE)
    printer = Fingerprinter(str(tmp_path), lambda value: False)
    components = printer.function(module.f).components
    (tmp_path / 'excerpted.py').write_text(MODULE.replace('x + Model', 'x - Model'), encoding='utf-8')
    assert printer.excerpt('helper helper', components['helper helper']) == ''
    assert printer.excerpt('code of f', components['code of f']).startswith('def f(i):')


def test_what_is_no_code_has_none(tmp_path: Path, load: Any) -> None:
    found = excerpts(tmp_path, load('n = 3\ndef f(): return n\n').f)
    assert found['global n'] == ''


def test_a_module_that_counts_whole_is_shown_whole(tmp_path: Path, load: Any) -> None:
    (tmp_path / 'whole.py').write_text('n = 1\n\n\ndef g(): pass\n')
    found = excerpts(tmp_path, load('def f():\n    import whole\n    return whole\n').f)
    assert found['module whole'] == 'n = 1\n\n\ndef g(): pass\n'


def test_a_long_source_is_cut_and_says_so(tmp_path: Path, load: Any) -> None:
    long = 'def f():\n' + '    print("a rather long line of no interest")\n' * 2000
    found = excerpts(tmp_path, load(long).f)['code of f']
    assert len(found) < LONGEST + 100
    assert found.endswith(f'# ... {len(long) - LONGEST} more characters\n')


def test_form_feeds_and_other_odd_line_ends_do_not_shift_lines(tmp_path: Path, load: Any) -> None:
    text = 'x = "\\u2028 \u2028 \x1c"\n\x0c\ndef f():\n    return 1\n'
    assert excerpts(tmp_path, load(text).f)['code of f'] == 'def f():\n    return 1\n'
