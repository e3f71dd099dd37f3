"""`awflow doctor --two-hosts` on real nodes: on one machine, and as hosts of their own with a network filesystem."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest


def doctor(directory: Path, *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit status, the parts of --json by name, and what was said on stderr."""
    done = subprocess.run(
        [sys.executable, '-m', 'awflow', 'doctor', '--json', *arguments],
        cwd=directory,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return done.returncode, {part['part']: part for part in json.loads(done.stdout)['parts']}, done.stderr


def test_two_nodes_of_one_machine_exclude_each_other_and_are_told_to_be_one(cluster: Any, flow: Any) -> None:
    status, parts, err = doctor(flow.path, '--two-hosts')
    assert (status, err) == (0, '')
    facts = parts['two hosts']['facts']
    assert facts['hosts'] == [os.uname().nodename] * 2
    for kind in ('create', 'link'):
        races = facts[f'{kind}_races']
        assert (races['rounds'], races['wrong'], races['lost_replies']) == (50, 0, 0)
    assert all(delay is not None and delay < 5 for delay in facts['seen_after_s'].values())
    assert (facts['appends_lost'], facts['flock_excludes']) == (0, True)
    assert parts['two hosts']['verdict'] == 'warning'
    assert 'are one machine with one mount' in parts['two hosts']['findings'][0]['what']
    assert parts['Slurm']['facts']['nodes'] == 4
    assert os.listdir(flow.path) == []
    assert cluster.active() == []


def test_what_srun_refuses_is_told_in_its_words(cluster: Any, flow: Any) -> None:
    status, parts, _ = doctor(flow.path, '--two-hosts', '--srun', '-p nonsense')
    assert status == 1
    (finding,) = parts['two hosts']['findings']
    assert 'invalid partition specified: nonsense' in finding['what']
    assert '--srun' in finding['does']
    assert os.listdir(flow.path) == []


def test_nodes_that_are_not_free_are_not_waited_for_longer_than_was_said(cluster: Any, flow: Any) -> None:
    blocker = cluster.sbatch('sleep 1000', '--nodes=4', '--exclusive')
    cluster.wait_for(blocker, 'RUNNING')
    status, parts, _ = doctor(flow.path, '--two-hosts', '--timeout', '2')
    cluster.scancel(blocker)
    assert status == 1
    assert parts['two hosts']['verdict'] == 'unfit'
    assert os.listdir(flow.path) == []
    cluster.wait_until_empty()


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT])
def test_one_that_is_ended_leaves_neither_files_nor_jobs(cluster: Any, flow: Any, number: int) -> None:
    blocker = cluster.sbatch('sleep 1000', '--nodes=4', '--exclusive')
    cluster.wait_for(blocker, 'RUNNING')
    process = subprocess.Popen(
        [sys.executable, '-m', 'awflow', 'doctor', '--two-hosts'], cwd=flow.path, stdout=subprocess.DEVNULL,
        start_new_session=True,
    )  # fmt: skip
    cluster.wait_until(lambda: [job for job in cluster.active() if job.name.startswith('awflow-doctor')])
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert [job.name for job in cluster.active() if job.id != blocker] == []
    assert os.listdir(flow.path) == []


def test_hosts_with_a_filesystem_that_remembers_absence(make_cluster: Any, tmp_path: Path) -> None:
    shared = tmp_path / 'shared'
    make_cluster(nodes=2, shared=str(shared))
    project = shared / 'project'
    project.mkdir()
    status, parts, _ = doctor(project, '--two-hosts')
    assert status == 0
    facts = parts['two hosts']['facts']
    assert sorted(facts['hosts']) == ['n1', 'n2']
    for kind in ('create', 'link'):
        assert facts[f'{kind}_races']['wrong'] == 0
    delays = facts['seen_after_s']
    assert delays['stat'] > 1.5, 'the mount believes for three seconds that a file is absent'
    assert delays['protocol'] < delays['stat'] / 2
    assert facts['flock_excludes'] is True
    assert parts['filesystem']['facts']['kind'] == 'fuse.glusterfs'
    assert os.listdir(project) == []
