"""Random little projects, random edits of known meaning, and whether the fingerprint says so.

A project is a list of definitions in two modules, each with a number of its own and the names of some that come before it. What a
job reaches is known from this list alone, so an edit of a number is known to count or not; edits of the text count never.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from awflow.fingerprint import Fingerprint, Fingerprinter, difference

FORMS = {  # how a definition says its number n and what it uses; ~ stands for the uses, as terms of a sum
    'function': 'def {name}(x=0):\n    """Doc."""\n    return x + {n}~\n',
    'nested': 'def {name}(x=0):\n    def inner():\n        return {n}~\n    return inner() + x\n',
    'lambda': '{name} = lambda x=0: x + {n}~\n',
    'default': 'def {name}(x={n}):\n    return x~\n',
    'generator': 'def {name}(x=0):\n    return sum(i + {n} for i in [x])~\n',
    'comprehension': 'def {name}(x=0):\n    return [i for i in range({n} + 1)][-1]~\n',
    'f-string': "def {name}(x=0):\n    return len(f'{{x}} {n}')~\n",
    'branch': 'def {name}(x=0):\n    if x > {n}:\n        return 1~\n    else:\n        return 2\n',
    'loop': 'def {name}(x=0):\n    for i in range(3):\n        x += {n}\n    return x~\n',
    'match': 'def {name}(x=0):\n    match x:\n        case {n}: return 1\n        case _: return 0~\n',
    'exception': 'def {name}(x=0):\n    try:\n        return x / {n}\n    except ArithmeticError:\n        return 0~\n',
    'factory': 'def make_{name}(k):\n    def inner(x=0): return x + k~\n    return inner\n{name} = make_{name}({n})\n',
    'cached': '@functools.lru_cache(maxsize=None)\ndef {name}(x=0): return x + {n}~\n',
    'wrapped': '@traced\ndef {name}(x=0): return x + {n}~\n',
    'partial': 'def base_{name}(k, x=0): return k + x~\n{name} = functools.partial(base_{name}, {n})\n',
    'class': 'class {name}:\n    """Doc."""\n    rate = {n}\n    def __new__(cls, x=0): return cls.rate~\n',
    'method': 'class K{name}:\n    def go(self, x=0): return x + {n}~\n    @property\n    def size(self): return 1\n{name} = K{name}().go\n',
    'dataclass': '@dataclasses.dataclass\nclass {name}:\n    size: int = {n}\n    def __call__(self): return self.size~\n    def __radd__(self, x): return x\n',
    'number': '{name} = {n}\n',
    'table': "{name} = {{'a': {n}, 'b': {{1, 2}}, 'c': [3, 4]}}\n",
    'enum': 'class {name}(enum.Enum):\n    A = {n} + 1000\n    def __radd__(self, x): return x\n',
}
HEAD = """import dataclasses, enum, functools
def traced(f):
    @functools.wraps(f)
    def run(*args, **more): return f(*args, **more)
    return run
"""
VALUES = ('number', 'table')


class Definition:
    def __init__(self, name: str, form: str, module: str, number: int, uses: list[Definition]) -> None:
        self.name, self.form, self.module, self.number, self.uses = name, form, module, number, uses

    def text(self) -> str:
        terms = ''.join(f' + {use.spelled(self.module)}' for use in self.uses)
        form = FORMS[self.form].replace('~', terms)
        return form.format(name=self.name, n=self.number)

    def __repr__(self) -> str:
        return f'{self.module}: {self.text()!r}'

    def spelled(self, module: str) -> str:
        name = self.name if module == self.module else f'{self.module}.{self.name}'
        if self.form == 'number':
            return name
        if self.form == 'table':
            return f"{name}['a']"
        return f'{name}.A.value' if self.form == 'enum' else f'{name}()'


def reached(definition: Definition) -> set[str]:
    return {definition.name}.union(*map(reached, definition.uses))


@st.composite
def projects(draw: st.DrawFn) -> list[Definition]:
    """Definitions that use some of those before them; the last is the job."""
    found: list[Definition] = []
    count = draw(st.integers(3, 8))
    for i in range(count):
        form = 'function' if i == count - 1 else draw(st.sampled_from(sorted(FORMS)))
        module = 'flow' if i == count - 1 or draw(st.booleans()) else 'util'
        known = [d for d in found if module == 'flow' or d.module == 'util']
        uses = (
            draw(st.lists(st.sampled_from(known), max_size=3, unique_by=id)) if known and form not in (*VALUES, 'enum') else []
        )
        found.append(Definition('f' if i == count - 1 else f'd{i}', form, module, 10 + i, uses))
    return found


Texts = dict[str, str]


def rendered(project: list[Definition]) -> Texts:
    texts = {'util': HEAD, 'flow': HEAD + 'import util\n'}
    for definition in project:
        texts[definition.module] += definition.text()
    return texts


# Edits of the text that leave the meaning alone.


def with_comments(text: str) -> str:
    return '# first\n' + re.sub(r':\n', ':  # why\n\n', text) + '# last\n'


def written_anew(text: str) -> str:
    return ast.unparse(ast.parse(text))


def without_docstrings(text: str) -> str:
    return re.sub(r' +"""Doc."""\n', '', text)


def with_other_docstrings(text: str) -> str:
    return text.replace('Doc.', 'Another.\n    \n    Longer.')


def annotated(text: str) -> str:
    return re.sub(r'^def (\w+)\(x=', r'def \1(x: "float" = ', text, flags=re.MULTILINE)


def with_something_unused(text: str) -> str:
    return 'import json\nUNUSED = 5\ndef unused(): return UNUSED\nclass Unused: pass\n' + text


def indented_otherwise(text: str) -> str:
    return text.replace('    ', '\t')


def parenthesised(text: str) -> str:
    return re.sub(r'return (.+)$', r'return (\1)', text, flags=re.MULTILINE)


def reordered(text: str) -> str:
    return text.replace("'b': {1, 2}, 'c': [3, 4]}", "'c': [3, 4], 'b': {2, 1}}")


def with_windows_ends(text: str) -> str:
    return text.replace('\n', '\r\n')


PRESERVING = [
    with_comments, written_anew, without_docstrings, with_other_docstrings, annotated, with_something_unused, indented_otherwise,
    parenthesised, reordered, with_windows_ends,
]  # fmt: skip


class Loader:
    def __init__(self, root: Path) -> None:
        self.root = root

    def fingerprint(self, texts: Texts) -> Fingerprint:
        """That of the job, in modules that are imported afresh."""
        for name, text in texts.items():
            (self.root / f'{name}.py').write_text(text, newline='')
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return Fingerprinter(str(self.root), lambda value: False).function(importlib.import_module('flow').f)


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loader]:
    monkeypatch.setattr(sys, 'dont_write_bytecode', True)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield Loader(tmp_path)
    for name in ('flow', 'util'):
        sys.modules.pop(name, None)


def check(maximum: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=maximum, derandomize=True, deadline=None, database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )  # fmt: skip


@check(300)
@given(project=projects(), edits=st.lists(st.sampled_from(PRESERVING), min_size=1, max_size=4))
def test_edits_that_preserve_the_meaning_are_no_difference(
    loader: Loader, project: list[Definition], edits: list[Callable[[str], str]]
) -> None:
    before, after = rendered(project), rendered(project)
    for edit in edits:
        after = {name: edit(text) for name, text in after.items()}
    old = loader.fingerprint(before).components
    assert difference(old, loader.fingerprint(after).components) == []


@check(300)
@given(project=projects(), data=st.data())
def test_an_edit_of_a_number_is_a_difference_if_the_job_reaches_it_and_is_named(
    loader: Loader, project: list[Definition], data: st.DataObject
) -> None:
    old = loader.fingerprint(rendered(project)).components
    changed = data.draw(st.sampled_from(project))
    changed.number += 100
    noise = data.draw(st.sampled_from(PRESERVING))
    found = difference(old, loader.fingerprint({k: noise(text) for k, text in rendered(project).items()}).components)
    if changed.name in reached(project[-1]):
        assert any(re.search(rf'\b(K|make_|base_)?{changed.name}\b', name) for name, _, _ in found), found
    else:
        assert found == []


@check(150)
@given(project=projects(), data=st.data())
def test_using_another_definition_is_a_difference(loader: Loader, project: list[Definition], data: st.DataObject) -> None:
    users = [d for d in project if d.uses and d.name in reached(project[-1])]
    if not users:
        return
    old = loader.fingerprint(rendered(project)).components
    changed = data.draw(st.sampled_from(users))
    changed.uses.pop(data.draw(st.integers(0, len(changed.uses) - 1)))
    assert difference(old, loader.fingerprint(rendered(project)).components)
