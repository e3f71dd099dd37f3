"""What is kept of code objects from one process to the next: it saves reading, and never changes what is found."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from awflow.fingerprint import Fingerprint, Fingerprinter, Known, same
from awflow.fingerprint.known import MOST
from tests.fingerprint.conftest import Project
from tests.fingerprint.test_code import functions_of


def kept(known: Known) -> dict[str, Any]:
    """As it comes back from the state."""
    found: dict[str, Any] = json.loads(json.dumps(known.to_dict()))
    return found


def fingerprint(project: Project, text: str, known: Known) -> Fingerprint:
    return Fingerprinter(str(project.root), lambda value: False, known).function(project.load(text).f)


def test_functions_have_the_same_fingerprints_and_nothing_is_read_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    functions = [f for name in ('argparse', 'shutil', 'textwrap') for f in functions_of(importlib.import_module(name))]
    first = Known()
    fingerprinter = Fingerprinter('/', lambda value: False, first)
    before = [fingerprinter.function(function).components for function in functions]
    assert first.learned
    monkeypatch.setattr(Fingerprinter, '_read', None)
    second = Known(kept(first))
    fingerprinter = Fingerprinter('/', lambda value: False, second)
    assert [fingerprinter.function(function).components for function in functions] == before
    assert not second.learned
    assert kept(second) == kept(first)


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('def f(): return 1', 'def f(): return 2'),
        ('def f(): return 1', 'def f(): return 1.0'),
        ('def f(): return -0.0', 'def f(): return 0.0'),
        ('def f(): return a.b\nclass a: b = 1', 'def f(): return a.c\nclass a: c = 1'),
        ('def f():\n    def g(): return 1\n    return g', 'def f():\n    def g(): return 2\n    return g'),
        ('def f(): import re', 'def f(): import os'),
        ('n = 1\ndef f(): return n', 'n = 2\ndef f(): return n'),
        ('def f(): return g()\ndef g(): return 1', 'def f(): return g()\ndef g(): return 2'),
    ],
)
def test_an_edit_is_found_whatever_is_kept(project: Project, old: str, new: str) -> None:
    known = Known()
    before = fingerprint(project, old, known)
    after = fingerprint(project, new, Known(kept(known)))
    assert not same(before.components, after.components)
    assert after.components == fingerprint(project, new, Known()).components


@pytest.mark.parametrize(
    ('old', 'new'),
    [
        ('def f():\n    if 0: print(1)\n    return 2', 'def f():\n    if 0: print(3)\n    return 2'),
        ('def f():\n    # one\n    return 2', 'def f():\n    # two\n    return 2'),
    ],
)
def test_what_the_compiler_drops_may_keep_the_tree_of_a_text_that_does_the_same(project: Project, old: str, new: str) -> None:
    known = Known()
    before = fingerprint(project, old, known)
    after = fingerprint(project, new, Known(kept(known)))
    assert same(before.components, after.components)
    assert same(after.components, fingerprint(project, new, Known()).components)


def test_what_another_version_kept_is_not_believed(project: Project) -> None:
    known = Known()
    fingerprint(project, 'def f(): return 1', known)
    found = kept(known)
    for key in found['codes']:
        found['codes'][key][0] = 'a:0/b:0'
    assert fingerprint(project, 'def f(): return 1', Known(found)).components['code of f'] == 'a:0/b:0'
    assert fingerprint(project, 'def f(): return 1', Known({**found, 'by': 'another'})).components['code of f'] != 'a:0/b:0'


def test_code_whose_text_is_not_to_be_had_is_not_kept() -> None:
    space: dict[str, Any] = {}
    exec(compile('def f(): return 1', '/gone.py', 'exec'), space)
    known = Known()
    Fingerprinter('/', lambda value: False, known).function(space['f'])
    assert known.to_dict()['codes'] == {}


def test_what_is_used_is_kept_and_the_rest_does_not_grow_without_end(project: Project) -> None:
    known = Known()
    fingerprint(project, 'def f(): return 1', known)
    [(key, entry)] = kept(known)['codes'].items()
    crowd = {'by': kept(known)['by'], 'codes': {key: entry, **{f'{n:032x}': entry for n in range(MOST + 5)}}}
    known = Known(crowd)
    fingerprint(project, 'def f(): return 1', known)
    left = kept(known)['codes']
    assert len(left) == MOST + 1
    assert list(left)[-1] == key
    assert f'{4:032x}' not in left
    assert f'{5:032x}' in left
