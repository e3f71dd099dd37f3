"""Paths that arrays make of templates are those that expanding each declaration makes."""

from types import SimpleNamespace

import pytest

from awflow import inputs, job, outputs
from awflow.errors import DefinitionError
from awflow.specs import expand_inputs, expand_outputs
from awflow.subject import Subject

CODE = SimpleNamespace(digest='')
STATE = SimpleNamespace(rows=lambda name: None)
PATTERNS = (
    ['out/{i}'], ['out/{i:03}'], ['{i}/{i}.txt'], ['./out//{i}/'], ['../out/{i}'], ['fixed'], ['.{i}'],
    ['x{i}y', '{i}xy'], ['out/{i}', 'out/{i}'], ['{i}/../a{i}'],
)  # fmt: skip
ARRAYS = (range(3), range(-2, 2), ['x', 'y z', '.hidden', 'é'], [0.5, 1.0], {'a': 1, 'b': 2}, [True, False], [(1, 2)])


@pytest.fixture(autouse=True)
def small_arrays_have_templates(monkeypatch):
    monkeypatch.setattr('awflow.subject.BIG', 1)


def subject_of(patterns, array):
    def work(value): ...

    return Subject(0, inputs(*patterns)(outputs(*patterns)(job(array=array)(work))), 'work', CODE, STATE)


def expanded(subject, row):
    of = subject.value(row), subject.title(row), 'work'
    return expand_outputs(subject.job.output_specs, *of), expand_inputs(subject.job.input_specs, *of)


@pytest.mark.parametrize('patterns', PATTERNS)
def test_paths_of_templates_are_the_expanded_ones(patterns):
    spelled = 0
    for array in ARRAYS:
        try:
            subject = subject_of(patterns, array)
            wanted = [expanded(subject, row) for row in range(len(subject.keys))]
        except DefinitionError:  # what cannot be expanded has no paths either
            continue
        for row, (made, read) in enumerate(wanted):
            assert subject.paths(row) == made
            if subject.spells_inputs:
                assert list(dict.fromkeys(subject.input_paths(row))) == list(read)
                spelled += 1
    assert spelled >= 7  # not everything went the long way


def test_absolute_paths_below_the_current_directory_are_expanded(tmp_path, monkeypatch):
    (tmp_path / '1').mkdir()
    monkeypatch.chdir(tmp_path / '1')
    subject = subject_of([f'{tmp_path}/{{i}}/x'], range(2))
    assert not subject.spells_inputs
    assert [subject.paths(row) for row in range(2)] == [[f'{tmp_path}/0/x'], ['x']]
