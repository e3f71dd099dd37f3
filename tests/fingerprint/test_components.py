"""Comparing fingerprints, and showing how they differ."""

from __future__ import annotations

from awflow.fingerprint import Fingerprint, Shared, difference, same, same_component, shown
from awflow.fingerprint.components import display_of

A, B = 'a' * 32, 'b' * 32


def test_code_is_the_same_if_its_tree_or_its_bytecode_of_one_version_is() -> None:
    assert same_component(f'a:{A}/b:311:{A}', f'a:{A}/b:312:{B}')
    assert same_component(f'a:{A}/b:311:{A}', f'a:-/b:311:{A}')
    assert same_component(f'a:{A}/b:311:{A}', f'a:{B}/b:311:{A}')
    assert not same_component(f'a:{A}/b:311:{A}', f'a:-/b:312:{A}')
    assert not same_component(f'a:-/b:311:{A}', f'a:-/b:312:{A}')
    assert not same_component(f'a:{A}/b:311:{A}', f'a:{B}/b:311:{B}')
    assert same_component(f'a:{A}/b:-', f'a:{A}/b:-')
    assert not same_component(f'a:{A}/b:-', f'a:{B}/b:-')


def test_values_are_the_same_if_their_digests_are_whatever_is_shown() -> None:
    assert same_component(f'v:{A} 1', f'v:{A} one')
    assert not same_component(f'v:{A} 1', f'v:{B} 1')
    assert not same_component(f'v:{A}', 'v:unbound')
    assert not same_component(f'v:{A}', f'a:{A}/b:311:{A}')
    assert same_component('installed', 'installed')


def test_the_digest_follows_the_components_not_their_order_nor_what_is_shown() -> None:
    def digest(components: dict[str, str]) -> str:
        return Fingerprint(Shared(components)).digest

    assert digest({'global a': f'v:{A} 1', 'global b': f'v:{B}'}) == digest({'global b': f'v:{B} x', 'global a': f'v:{A}'})
    assert digest({'global a': f'v:{A}'}) != digest({'global b': f'v:{A}'})
    assert digest({'code of f': f'a:{A}/b:310:{A}'}) == digest({'code of f': f'a:{A}/b:313:{B}'})
    assert digest({'code of f': f'a:-/b:310:{A}'}) != digest({'code of f': f'a:-/b:313:{A}'})


def test_differences_name_what_is_nearest_to_the_job_first() -> None:
    kinds = ['package p', 'module m', 'global g', 'default d of f', 'closure c of f', 'class C', 'helper h', 'code of f']
    old = dict.fromkeys(kinds[1:], f'v:{A} 1')
    new = {name: f'v:{B} 2' for name in kinds if name != 'code of f'} | {'global same': f'v:{A}'}
    found = difference({**old, 'global same': f'v:{A} shown'}, new)
    assert [name for name, _, _ in found] == kinds[::-1]
    assert found[0] == ('code of f', f'v:{A} 1', None)
    assert found[-1] == ('package p', None, f'v:{B} 2')
    assert not same(old, new)
    assert same(old, dict(reversed(old.items())))


def test_only_values_are_shown() -> None:
    assert shown(f'v:{A} 10000') == '10000'
    assert shown(f"v:{A} 'a b'") == "'a b'"
    assert shown(f'v:{A}') == shown(f'a:{A}/b:311:{B}') == shown('installed') == ''


def test_small_values_are_displayed_in_at_most_60_characters_the_same_everywhere() -> None:
    assert display_of(10000) == '10000'
    assert display_of({'b', 'a'}) == "{'a', 'b'}"
    assert display_of(set()) == 'set()'
    assert display_of({'a': [1, 2.5, None]}) == "{'a': [1, 2.5, None]}"
    assert len(display_of('x' * 100)) == 60
    assert display_of(object()) == display_of([object()]) == display_of(list(range(1000))) == display_of(10**5000) == ''
