from __future__ import annotations

import os
import subprocess
import sys

import pytest

from awflow.state.liveness import Owner, Proc, myself, probe
from tests.state.staging import Host


def test_a_process_is_alive_while_its_pid_bears_its_start(root: str) -> None:
    host = Host(pid=100)
    owner = myself(proc=host)
    assert probe(owner, host).state == 'alive'
    del host.processes[100]
    assert probe(owner, host).state == 'dead' and 'process 100 has ended' in probe(owner, host).why


def test_a_pid_used_again_is_another_process() -> None:
    host = Host(pid=100)
    owner = myself(proc=host)
    host.processes[100] = ('S', 8)
    found = probe(owner, host)
    assert found.state == 'dead' and 'started at tick 8 instead of 7' in found.why


def test_a_zombie_is_dead() -> None:
    host = Host(pid=100)
    owner = myself(proc=host)
    host.processes[100] = ('Z', 7)
    assert probe(owner, host).state == 'dead'


def test_an_owner_lives_as_long_as_any_process_that_acts_for_it() -> None:
    host = Host(pid=100)
    host.processes[200] = ('S', 9)
    owner = myself(others=[(200, 9)], proc=host)
    del host.processes[100]
    assert probe(owner, host).state == 'alive' and 'process 200' in probe(owner, host).why
    host.processes[200] = ('R', 10)
    assert probe(owner, host).state == 'dead'


def test_a_process_that_hides_its_start_counts_as_alive() -> None:
    host = Host(pid=100)
    owner = myself(proc=host)
    host.processes[100] = ('?', -1)
    assert probe(owner, host).state == 'alive'


def test_nothing_survives_a_reboot() -> None:
    owner = myself(proc=Host(boot='boot-1'))
    found = probe(owner, Host(boot='boot-2'))
    assert found.state == 'dead' and 'started anew' in found.why


@pytest.mark.parametrize('elsewhere', [Host(name='node2', boot='boot-2'), Host(pidns='pid:[2]'), Host(boot='')])
def test_what_cannot_be_seen_from_here_is_suspect(elsewhere: Host) -> None:
    found = probe(myself(proc=Host()), elsewhere)
    assert found.state == 'suspect' and 'cannot be seen' in found.why


def test_two_machines_called_localhost_are_not_taken_for_one() -> None:
    assert probe(myself(proc=Host(name='localhost')), Host(name='localhost', boot='boot-2')).state == 'suspect'


def test_an_owner_comes_back_from_json() -> None:
    owner = myself(others=[(3, 4)], proc=Host())
    assert Owner.from_dict(owner.to_dict()).to_dict() == owner.to_dict()


def test_the_real_kernel_tells_a_running_process_from_one_that_ended() -> None:
    assert probe(myself()).state == 'alive'
    child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)
    found = Proc().stat(child.pid)
    assert found is not None
    owner = Owner(os.uname().nodename, Proc().boot(), Proc().pidns(), child.pid, found[1])
    assert probe(owner).state == 'alive'
    child.communicate()
    assert probe(owner).state == 'dead'
