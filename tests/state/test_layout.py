from __future__ import annotations

import errno
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from awflow.errors import StateAccessError, StateVersionError
from awflow.state.fs import Disk
from awflow.state.layout import Layout, accessing, check_access, find, prepare, safe
from awflow.state.snapshot import VERSION
from awflow.state.store import Store
from tests.state.staging import succeeded

NAMES = st.text(st.sampled_from('aB1-/[]%.~# é\n'), max_size=8) | st.text('ab/', min_size=110, max_size=130)


@given(st.lists(NAMES, max_size=30))
def test_file_names_are_safe_and_different_for_different_names(names: list[str]) -> None:
    made = {name: safe(name) for name in names}
    assert len(set(made.values())) == len(made)
    for text in made.values():
        assert 0 < len(text) <= 120 and text.isascii() and not set(text) & set('/ []\n#') and text[0] != '.'


def test_ordinary_names_stay_readable() -> None:
    assert [safe(name) for name in ('fit~1a2b3c4d', 'parent[3]/sub', "'a'", '0.1')] == [
        'fit~1a2b3c4d',
        'parent%5B3%5D%2Fsub',
        '%27a%27',
        '0.1',
    ]


def test_the_state_is_found_from_below(root: str) -> None:
    os.makedirs(root)
    below = os.path.join(os.path.dirname(root), 'a', 'b')
    os.makedirs(below)
    assert find(below) == root


def test_what_is_made_says_what_it_is_and_is_for_its_owner_alone(root: str) -> None:
    before = os.umask(0)
    try:
        prepare(Layout(root, 'pi'), Disk())
    finally:
        os.umask(before)
    assert sorted(os.listdir(root)) == ['.gitignore', 'CACHEDIR.TAG', 'FORMAT', 'pi']
    assert stat.S_IMODE(os.stat(f'{root}/pi').st_mode) == stat.S_IMODE(os.stat(root).st_mode) == 0o755
    prepare(Layout(root, 'pi'), Disk())


@pytest.mark.parametrize('mode', [0o775, 0o757])
@pytest.mark.parametrize('below', ['', '/pi'])
def test_a_state_that_others_may_write_to_is_refused_unless_they_are_trusted(
    root: str,
    mode: int,
    below: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    succeeded(Store(root, 'pi'), 'r', '1')
    os.chmod(root + below, mode)
    monkeypatch.setattr('awflow.state.layout._own_group', lambda gid: False)
    with pytest.raises(StateAccessError, match='not yours alone'):
        Store(root, 'pi').read()
    monkeypatch.setenv('AWFLOW_SHARED', '1')
    assert Store(root, 'pi').read().last == 2


def test_a_group_that_bears_its_users_name_is_the_users_own(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    succeeded(Store(root, 'pi'), 'r', '1')
    os.chmod(root, 0o775)
    monkeypatch.setattr('awflow.state.layout._user', lambda uid: 'ada')
    monkeypatch.setattr('awflow.state.layout._group', lambda gid: 'ada')
    assert Store(root, 'pi').read().last == 2
    monkeypatch.setattr('awflow.state.layout._group', lambda gid: 'astro')
    with pytest.raises(StateAccessError, match='group astro'):
        Store(root, 'pi').read()


def test_a_state_of_another_user_is_refused(root: str, monkeypatch: pytest.MonkeyPatch) -> None:
    succeeded(Store(root, 'pi'), 'r', '1')
    owner = os.stat(root).st_uid
    monkeypatch.setattr('awflow.state.layout.os.geteuid', lambda: owner + 1)
    if owner == 0:  # what root made, everybody may trust
        assert Store(root, 'pi').read().last == 2
        os.chown(root, 4711, -1)
    with pytest.raises(StateAccessError, match='belongs to'):
        Store(root, 'pi').read()


def test_a_newer_format_is_refused_and_left_alone(root: str) -> None:
    succeeded(Store(root, 'pi'), 'r', '1')
    with open(f'{root}/FORMAT', 'w') as file:
        file.write(f'{VERSION + 1}\n')
    names = os.listdir(f'{root}/pi/ledger')
    with pytest.raises(StateVersionError, match='Upgrade awflow'):
        Store(root, 'pi').read()
    assert os.listdir(f'{root}/pi/ledger') == names


def test_a_file_where_the_directory_should_be_is_named(root: str) -> None:
    with open(root, 'w'):
        pass
    with pytest.raises(StateAccessError, match='is a file'):
        check_access(Layout(root, 'pi'), Disk())


@pytest.mark.parametrize(
    ('code', 'cure'),
    [(errno.EACCES, 'ls -ld'), (errno.EROFS, 'elsewhere'), (errno.ENOSPC, 'make room'), (errno.EIO, 'answers')],
)
def test_errors_of_the_filesystem_say_what_to_do(code: int, cure: str) -> None:
    with pytest.raises(StateAccessError, match=cure), accessing('write to', '/data/.awflow'):
        raise OSError(code, os.strerror(code), '/data/.awflow/pi')


def test_a_filesystem_without_hard_links_is_refused(root: str) -> None:
    class Linkless(Disk):
        def link(self, source: str, target: str) -> None:
            raise OSError(errno.EPERM, 'Operation not permitted')

    with pytest.raises(StateAccessError, match='hard links'):
        succeeded(Store(root, 'pi', Linkless()), 'r', '1')
