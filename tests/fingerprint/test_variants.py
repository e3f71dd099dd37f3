"""The many functions of one `def`: put together from what they share, they are what each would be by itself."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from awflow.fingerprint import Fingerprint, Fingerprinter, Shared
from awflow.job import Job
from awflow.resources import parse
from awflow.subject import Code, code_digest
from tests.fingerprint.conftest import FakeJob, Project

TEXT = """
size = 3

def helper(): return '100%'

def closure(a, zz):
    def f(b=a, *, c=zz, last=5): return helper(), size, a, b, c, zz
    return f

def later(a):
    def f(): return a, missing
    if a == 'never': missing = 1
    return f

def partly(a, listed):
    def f(x=a): return helper(), listed
    return f
"""
VALUES: list[Any] = [1, 1.0, True, None, '%', '%s\n\0', 'é\udc80', -0.0, 0.0, b'%d', 2j, 10**30, 'x' * 2000]

CONTAINERS: list[Any] = [
    [1, 2],
    (1, [2.0, {'a': None}]),
    {'a': {1, 2}},
    frozenset('xy'),
    Path('a/b'),
    [len],
    [pairwise],
    (str,),
]


@pytest.fixture
def module(project: Project) -> Any:
    return project.load(TEXT)


def by_itself(print_: Fingerprint) -> str:
    return Fingerprint(Shared(print_.components)).digest


@pytest.mark.parametrize('ignore', [(), ('c',), ('a', 'last')])
def test_variants_have_the_digests_of_their_components(project: Project, module: Any, ignore: tuple[str, ...]) -> None:
    prints = project.fingerprinter()
    for value, other in pairwise([*VALUES, *CONTAINERS]):
        for function in (module.closure(value, other), module.later(value), module.partly(value, other)):
            found = prints.function(function, ignore=ignore)
            alone = project.fingerprinter().function(function, ignore=ignore)
            assert found.components == alone.components
            assert found.digest == by_itself(found) == alone.digest
            assert found.captured == alone.captured


def test_variants_that_differ_in_a_value_are_told_apart(project: Project, module: Any) -> None:
    prints = project.fingerprinter()
    found = [prints.function(module.closure(value, 0)) for value in VALUES]
    assert len({print_.captured for print_ in found}) == len({print_.digest for print_ in found}) == len(VALUES)


def test_a_container_counts_as_it_was_when_it_was_looked_at(project: Project, module: Any) -> None:
    prints, held = project.fingerprinter(), [1, 2]
    found = prints.function(module.closure(0, held))
    before = dict(found.components), found.digest, found.captured
    held.append(3)
    assert (found.components, found.digest, found.captured) == before
    assert project.fingerprinter().function(module.closure(0, held)).digest != found.digest


def test_jobs_that_call_the_one_before_them_are_followed_without_recursion(project: Project) -> None:
    module = project.load("""
        def made(above, i):
            def f(): return above() if above else i
            return f
    """)
    job = None
    for i in range(400):
        job = FakeJob(module.made(job, i))
    found = project.fingerprinter().function(job.function)
    assert sum(' i of ' in name for name in found.components) == 400


@pytest.mark.parametrize('options', [{}, {'version': '2%'}, {'packages': ['pytest']}])
def test_the_digest_of_a_job_is_that_of_all_its_components(project: Project, module: Any, options: dict[str, Any]) -> None:
    prints: Fingerprinter = project.fingerprinter()
    patterns: dict[object, Any] = {}
    for count in (0, 1, 12):
        for value in VALUES:
            function = module.closure(value, 0)
            job = Job(function, 'f', None, parse('f', options, {}), 'here')
            code = Code(job, prints.function(function), [f'{n:032x}' for n in range(count)], patterns)
            assert code.digest == code_digest(code.components())
            assert len(code.components()) >= count
