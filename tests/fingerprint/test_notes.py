"""What a user is told about a fingerprint that may not mean what it seems to."""

from __future__ import annotations

from typing import Any

import pytest

NOTES = {
    'assigned': ('n = 0\ndef f():\n    global n\n    n += 1', 'global n'),
    'opaque': ('import logging\nlog = logging.getLogger("a")\ndef f(): log.info("")', 'global log (logging.Logger)'),
    'rng': ('import random\nrng = random.Random()\ndef f(): return rng.random()', 'global rng'),
    'dynamic': ('def f(): return eval("1")', 'eval in f'),
    'big': ('n = bytes(10_000_001)\ndef f(): return n', 'global n'),
}


@pytest.mark.parametrize('kind', NOTES)
def test_notes(project: Any, kind: str) -> None:
    text, name = NOTES[kind]
    notes = project.print_of(text).notes
    assert [(note.kind, note.name) for note in notes] == [(kind, name)]
    assert notes[0].cure


@pytest.mark.parametrize(
    'text',
    [
        'def f(): return exec("")',
        'def f(): return __import__("os")',
        'import importlib\ndef f(): return importlib.import_module("os")',
        'from importlib import import_module\ndef f(): return import_module("os")',
    ],
)
def test_code_that_runs_what_cannot_be_seen_is_noted(project: Any, text: str) -> None:
    assert [note.kind for note in project.print_of(text).notes] == ['dynamic']


def test_a_generator_is_noted_unless_it_shows_that_it_was_seeded(project: Any) -> None:
    text = 'import numpy as np\nrng = np.random.default_rng({})\ndef f(): return rng.random()'
    assert [note.kind for note in project.print_of(text.format('')).notes] == ['rng']
    assert project.print_of(text.format('7')).notes == []
    assert project.changes(text.format('7'), text.format('8')) == ['global rng']


def test_an_array_of_many_megabytes_is_noted_for_every_function_that_uses_it(project: Any) -> None:
    flow = project.load('import numpy as np\nx = np.zeros(2_000_000)\ndef f(): return x\ndef g(): return x.sum()')
    printer = project.fingerprinter()
    assert [[note.kind for note in printer.function(f).notes] for f in (flow.f, flow.g)] == [['big'], ['big']]


def test_an_ordinary_function_has_no_notes(project: Any) -> None:
    assert project.print_of('n = 1\ndef g(x): return x\ndef f(): return g(n)').notes == []
