"""Equal values have equal digests, and others have others."""

from __future__ import annotations

import collections
import datetime
import decimal
import enum
import fractions
import functools
import io
import itertools
import logging
import math
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import threading
import types
import uuid
from dataclasses import dataclass

import numpy as np
import pytest

from awflow.errors import FingerprintError
from awflow.fingerprint import digest


class Color(enum.Enum):
    RED = 1
    BLUE = 2


@dataclass
class Point:
    x: int
    y: float = 0.0


class Slots:
    __slots__ = ('a', 'b')

    def __init__(self, a: object, b: object) -> None:
        self.a, self.b = a, b


class Bag:
    def __init__(self, **attributes: object) -> None:
        self.__dict__.update(attributes)

    def method(self) -> None: ...

    def other(self) -> None: ...


class Hooked:
    def __init__(self, said: object) -> None:
        self.said, self.noise = said, object()

    def __awflow_fingerprint__(self) -> object:
        return self.said


DIFFERENT = [
    None, True, False, 0, 1, -1, 255, 256, 2**70, 1.0, 0.0, -0.0, math.inf, math.nan, 1j, complex(0.0, -0.0), '', '1', 'a', b'a',
    bytearray(b'a'), ..., NotImplemented, [], (), {}, set(), frozenset(), [1], (1,), {1}, frozenset([1]), {1: None}, [[1]], [1, 2],
    [2, 1], ['ab'], ['a', 'b'], [['a'], 'b'], {'a': 1}, {'a': 2}, {1: 'a'}, {'a': {'a': 1}}, range(3), range(1, 3), slice(3),
    slice(3, None), [True], [1.0], list(range(20)), tuple(range(20)), [float(i) for i in range(20)], [str(i) for i in range(20)],
    [2**65] * 20, [True] * 20, pathlib.Path('a'), pathlib.Path('b'), Color.RED, Color.BLUE, Point(1), Point(1, 1.0), Slots(1, 2),
    Slots(2, 1), Bag(a=1), Bag(a=2), Bag(b=1), Bag(a=1).method, Bag(a=1).other, Bag(a=2).method, Hooked(1), Hooked(2),
    datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1), datetime.timedelta(1), decimal.Decimal('1.0'), decimal.Decimal('1.00'),
    fractions.Fraction(1, 2), uuid.UUID(int=1), re.compile('a'), re.compile('a', re.I), functools.partial(int, base=2),
    functools.partial(int, '3'), functools.partial(int), len, max, math.sin, int, float, os.path.join, os, sys, [].append, [1].append,
    str.upper, 'a'.upper, itertools.chain, types.SimpleNamespace(a=1), collections.OrderedDict(a=1, b=2),
    collections.OrderedDict(b=2, a=1), collections.defaultdict(int), collections.defaultdict(float), collections.Counter('ab'),
    collections.deque([1]), collections.deque([1], 3), ValueError('a'), ValueError('b'), io.BytesIO(b'a'), io.BytesIO(b'b'),
    np.zeros(3), np.zeros(4), np.zeros((3, 1)), np.zeros(3, 'f4'), np.zeros(3, '>f8'), np.array([1, None], object),
    np.array([2, None], object), np.array('a'), np.array(['a', 'b']), np.float64(1), np.float32(1), np.int64(1), np.bool_(True),
    np.zeros(2, [('a', 'i4')]), np.zeros(2, [('b', 'i4')]), np.zeros(0), np.dtype('f8'), np.dtype('f4'), np.sin, np.cos,
    np.ma.masked_array([1, 2], [True, False]), np.ma.masked_array([1, 2], [False, False]),
]  # fmt: skip


def test_values_that_differ_in_type_or_content_differ() -> None:
    found: dict[str, object] = {}
    for value in DIFFERENT:
        key = digest(value)
        assert re.fullmatch('[0-9a-f]{32}', key)
        assert key not in found, f'{value!r} and {found[key]!r}'
        found[key] = value


def test_a_copy_of_a_value_has_its_digest() -> None:
    import copy

    for value in DIFFERENT:
        if not isinstance(value, (types.ModuleType, types.MethodType, types.BuiltinMethodType, re.Pattern)):
            assert digest(copy.deepcopy(value)) == digest(value), value


def test_the_order_in_which_dicts_and_sets_were_filled_does_not_count() -> None:
    assert digest({'a': 1, 'b': [2]}) == digest({'b': [2], 'a': 1})
    assert digest({8, 0, 16}) == digest({16, 8, 0})
    assert digest({(1, 'x'): {3}, (2, 'y'): {4}}) == digest({(2, 'y'): {4}, (1, 'x'): {3}})


def test_one_object_twice_is_two_equal_objects() -> None:
    part = [1, 2]
    assert digest([part, part]) == digest([[1, 2], [1, 2]])


def test_nan_has_one_digest_whatever_its_bits() -> None:
    other = struct.unpack('<d', bytes.fromhex('010000000000f8ff'))[0]
    assert digest(other) == digest(math.nan)


def test_arrays_count_by_their_elements_not_by_their_layout() -> None:
    array = np.arange(12.0).reshape(3, 4)
    assert digest(np.asfortranarray(array)) == digest(array)
    assert digest(np.arange(24.0).reshape(3, 8)[:, ::2] / 2) == digest(array)


def test_a_value_that_contains_itself_has_a_digest() -> None:
    def ring(n: int) -> list[object]:
        loop: list[object] = [n]
        loop.append({'back': [loop]})
        return loop

    assert digest(ring(1)) == digest(ring(1)) != digest(ring(2))


def test_the_digest_inside_a_cycle_does_not_depend_on_what_was_digested_before() -> None:
    from awflow.fingerprint.fingerprinter import Fingerprinter

    first: list[object] = ['a']
    second: list[object] = ['b', first]
    first.append(second)
    forth, back = (Fingerprinter('/', lambda value: False) for _ in range(2))
    assert (forth.value(first), forth.value(second)) == tuple(reversed((back.value(second), back.value(first))))


def test_shared_parts_are_digested_once() -> None:
    tower: list[object] = [0]
    for _ in range(100):
        tower = [tower, tower]
    digest(tower)  # 2**100 steps otherwise


def test_a_value_nested_too_deep_is_refused_with_its_place() -> None:
    nested: list[object] = []
    for _ in range(5000):
        nested = [nested]
    with pytest.raises(FingerprintError, match='nested more than'):
        digest(nested)


def test_a_value_that_cannot_be_pickled_is_refused_with_its_place_and_a_cure() -> None:
    class Stubborn:
        def __reduce_ex__(self, protocol: int) -> str:
            raise TypeError('I stay')

    with pytest.raises(FingerprintError) as caught:
        digest({'a': [1, Bag(inner=Stubborn())]})
    assert "value['a'][1].inner" in str(caught.value)
    assert 'I stay' in str(caught.value)
    assert 'ignore=' in str(caught.value)
    assert digest({'a': 1})  # nothing is left of it


def test_things_of_the_running_process_count_by_type() -> None:
    assert digest(threading.Lock()) == digest(threading.Lock())
    assert digest(Bag(log=logging.getLogger('a'))) == digest(Bag(log=logging.getLogger('b')))
    assert digest(Bag(log=logging.getLogger('a'))) != digest(Bag(log=threading.Lock()))
    assert digest(i for i in 'ab') == digest(i for i in 'cd')
    with open(os.devnull) as one, open(__file__) as two:
        assert digest(one) == digest(two)


def test_what_a_cached_property_or_lru_cache_remembers_does_not_count() -> None:
    class Lazy:
        def __init__(self) -> None:
            self.n = 3

        @functools.cached_property
        def costly(self) -> int:
            return self.n

    @functools.lru_cache
    def cached(n: int) -> int:
        return n

    lazy, before = Lazy(), digest(Lazy())
    assert lazy.costly == 3
    assert digest(lazy) == before
    before = digest(cached)
    cached(3)
    assert digest(cached) == before


def test_copying_an_instance_does_not_change_the_digest_of_its_class() -> None:
    import copy

    class Fresh:
        pass

    before = digest(Fresh)
    copy.copy(Fresh())  # writes __slotnames__
    assert digest(Fresh) == before


def test_functions_in_values_count_with_their_code_and_captured_values() -> None:
    def adder(n: int) -> object:
        return lambda x: x + n

    assert digest([adder(1)]) == digest([adder(1)]) != digest([adder(2)])
    assert digest([lambda x: x + 1]) != digest([lambda x: x + 2])
    assert digest({'a': lambda: 1, 'b': lambda: 2}) != digest({'a': lambda: 2, 'b': lambda: 1})
    assert digest({lambda: 1, lambda: 2}) == digest({lambda: 2, lambda: 1})


def test_a_function_of_a_module_counts_by_name_although_it_is_a_method_of_a_hidden_object() -> None:
    before = digest([random.random, random.shuffle])
    random.random()
    assert digest([random.random, random.shuffle]) == before
    assert digest(random.Random(3).random) != digest(random.Random(4).random)


def test_digests_are_the_same_in_every_process() -> None:
    program = (
        'import pathlib, datetime; from awflow.fingerprint import digest; from fractions import Fraction\n'
        'print(digest([{"a", "b", "c"}, {"x": 1, "y": {2.5, None, "q"}}, frozenset("hash"), pathlib.Path("p"), Fraction(1, 3),'
        ' datetime.date(2024, 2, 29), (True, 1j, b"x"), range(9), {lambda: 1, lambda: 2, lambda: 3}]))'
    )
    found = set()
    for seed in '123':
        environment = {**os.environ, 'PYTHONHASHSEED': seed}
        found.add(subprocess.run([sys.executable, '-c', program], env=environment, check=True, capture_output=True).stdout)
    assert len(found) == 1


# Computed with Python 3.10 to 3.13: a digest that changes makes every user's tasks run again.
@pytest.mark.parametrize(
    ('value', 'expected'),
    [
        (1, '19b81cea20cb1690d270e2da132ebd2f'),
        (-0.0, 'f6b43928ce5e5192820ab6b29963bd6b'),
        ('π', 'bf17e1781fde7e77f637489c9e0643a6'),
        ((1, 'a', 2.5), '78345c3395b1d00be5fe92b89f7ca548'),
        ([0.5] * 20, '6d6a8fd58bd638023be17e7156388d9b'),
        ({'b': {1, 2, 3}, 'a': None}, '29a3cf585395ef2f3df22f2f1a40afbb'),
        (pathlib.Path('a/b'), '52adea6c48c551c5ee179530c12305da'),
        (decimal.Decimal('1.50'), 'a1aaecdcd782150aced85d14a6d131dd'),
        (np.arange(6.0).reshape(2, 3), 'fc6a951a372b1041e1c29ad24ece7795'),
        (functools.partial(int, base=2), '6ed8f99f72d4856685ccaea139635837'),
        (collections.Counter('aab'), 'd16a260ac75df84c6013fbf5b2aa45ac'),
    ],
)
def test_digests_stay_as_they_are_in_records(value: object, expected: str) -> None:
    assert digest(value) == expected
