"""Processes that die, are stopped, or only seem to be there: what is said of them, and that nothing is done twice."""

from __future__ import annotations

import os
import shutil
import signal

import pytest

from awflow.state.liveness import Proc
from tests.conftest import Workspace
from tests.crashes.staging import DONE, LIMIT, REST, Command, Held, Said, outcomes, ran, rewrite_owner, store, tree


def verdict(said: Said) -> dict[str, object]:
    (found,) = said.workflow['claims']
    return found


def recorded(found: dict[str, object]) -> list[str]:
    return [each['task'] for each in found['recorded']]  # type: ignore[attr-defined]


def assert_dead(awflow: Command, workspace: Workspace, evidence: str) -> None:
    """What is to be said of a dead run, and that saying it changes nothing."""
    before = tree(workspace.path)
    status = awflow('status', '--json')
    assert outcomes(status) == {'hold': {'succeeded': 1, 'crashed': 1}}, status
    assert [claim['state'] for claim in status.workflow['claims']] == ['dead']
    found = verdict(awflow('clean', '--dry-run', '--json'))
    assert (found['state'], found['action'], recorded(found)) == ('dead', 'end', ['hold[1]']), found
    assert (found['total'], found['ended'], found['open']) == (5, 1, 3)
    assert evidence in str(found['why'])
    shown = awflow('clean', '--dry-run').out
    assert f'dead: {found["why"]}' in shown
    assert '-> crashed: hold[1]' in shown
    assert tree(workspace.path) == before, 'looking changed something'


def assert_mended(awflow: Command, workspace: Workspace) -> None:
    """Cleaning ends the claim, finds nothing to do then, and a rerun does the rest, each task once."""
    done = awflow('clean', '--yes')
    assert (done.code, done.out.splitlines()[-1].startswith('Done: ended 1 claim')) == (0, True), done
    assert store(workspace.path).read().claims == {}
    assert outcomes(awflow('status', '--json')) == {'hold': {'succeeded': 1, 'crashed': 1}}
    again = awflow('clean', '--yes')
    assert (again.code, again.out.splitlines()[-1]) == (0, 'Nothing to do.')
    assert_rerun(workspace)


def assert_rerun(workspace: Workspace) -> None:
    workspace.write('go', '')
    assert sorted(workspace.again()) == REST
    assert ran(workspace) == {'hold[0]': 1, 'hold[1]': 2, 'hold[2]': 1, 'hold[3]': 1, 'last': 1}
    assert workspace.read('out-1') == 'half and whole'
    assert workspace.again() == []


@pytest.mark.parametrize('group', [False, True], ids=['the driver alone', 'its whole group'])
def test_a_killed_run_is_dead_by_proof_and_cleaning_ends_its_claim(
    held: Held, workspace: Workspace, awflow: Command, group: bool
) -> None:
    pid = held.process.pid
    held.kill(group=group)
    assert_dead(awflow, workspace, f'process {pid} has ended')
    assert_mended(awflow, workspace)


def test_how_the_run_of_a_crashed_task_was_known_to_be_dead_stays_on_record(
    held: Held, workspace: Workspace, awflow: Command
) -> None:
    pid = held.process.pid
    held.kill()
    assert awflow('clean', '--yes').code == 0
    store(workspace.path).compact(force=True)
    assert f'Its run died: on {os.uname().nodename} process {pid} has ended' in awflow('why', 'hold[1]').out


def test_without_cleaning_the_next_run_goes_on_by_itself(held: Held, workspace: Workspace) -> None:
    held.kill()
    assert_rerun(workspace)


def test_a_killed_task_is_recorded_by_its_run_and_leaves_no_claim(held: Held, workspace: Workspace, awflow: Command) -> None:
    os.kill(held.task, signal.SIGKILL)
    held.process.communicate(timeout=LIMIT)
    status = awflow('status', '--json')
    assert outcomes(status) == {'hold': {'succeeded': 3, 'crashed': 1}}
    assert status.workflow['claims'] == []
    assert awflow('clean', '--yes').out.splitlines()[-1] == 'Nothing to do.'
    assert awflow('clean', '--yes', '--outputs').code == 0
    assert not workspace.exists('out-1')
    workspace.write('go', '')
    assert workspace.again() == ['hold[1]', 'last']


def test_a_stopped_run_lives_and_is_left_alone_by_cleaning_and_by_a_second_run(
    held: Held, workspace: Workspace, awflow: Command
) -> None:
    os.kill(held.process.pid, signal.SIGSTOP)
    os.waitpid(held.process.pid, os.WUNTRACED)  # returns when it has stopped
    before = tree(workspace.path)
    found = verdict(awflow('clean', '--dry-run', '--json', '--outputs'))
    assert (found['state'], found['action'], found['recorded']) == ('alive', 'leave', [])
    assert outcomes(awflow('status', '--json'))['hold'] == {'succeeded': 1, 'running': 1, 'waiting': 2}
    assert awflow('clean', '--yes', '--outputs').out.splitlines()[-1] == 'Nothing to do.'
    forced = awflow('clean', '--yes', '--force', 'hold')
    assert (forced.code, 'its run lives' in forced.err) == (1, True), forced
    assert tree(workspace.path) == before

    os.mkfifo(workspace.path / 'second')
    workspace.edit('schedule(last', "@job\ndef beacon(): open('second', 'w').close()\nschedule(last, beacon")
    second = workspace.start()
    os.close(os.open(workspace.path / 'second', os.O_RDONLY))  # returns when it has planned, and executes what is its own
    os.kill(held.process.pid, signal.SIGCONT)
    held.release()
    assert held.process.wait(LIMIT) == 0, held.process.communicate()
    _, err = second.communicate(timeout=LIMIT)
    assert second.returncode == 0, err
    assert ran(workspace) == dict.fromkeys([*DONE, *REST], 1)


# -- owners that are not what they seem: the claim says what another boot, process or host would have written ---------------


def test_a_run_of_before_a_reboot_is_dead(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    rewrite_owner(workspace.path, boot='another-boot', pid=os.getpid())  # the pid is in use again, which says nothing
    assert_dead(awflow, workspace, f'{os.uname().nodename} was started anew since')
    assert_mended(awflow, workspace)


def test_a_reboot_is_seen_by_the_boot_of_this_host(
    held: Held, workspace: Workspace, awflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.kill()
    monkeypatch.setattr(Proc, 'boot', lambda _: 'another-boot')
    assert_dead(awflow, workspace, f'{os.uname().nodename} was started anew since')
    assert awflow('clean', '--yes').code == 0
    assert_rerun(workspace)


def test_a_pid_that_another_process_has_now_is_told_by_its_start(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    found = Proc().stat(os.getpid())
    assert found is not None
    rewrite_owner(workspace.path, pid=os.getpid(), ticks=found[1] - 1, others=[])
    assert_dead(awflow, workspace, f'pid {os.getpid()} now belongs to another process, started at tick {found[1]}')
    assert_mended(awflow, workspace)


def elsewhere(held: Held, workspace: Workspace) -> None:
    """The killed run is one of another host, as far as anybody can tell here."""
    held.kill()
    rewrite_owner(workspace.path, host='elsewhere', boot='boot-of-elsewhere')


def test_a_claim_of_another_host_is_suspect_and_only_force_ends_it(held: Held, workspace: Workspace, awflow: Command) -> None:
    elsewhere(held, workspace)
    assert outcomes(awflow('status', '--json'))['hold'] == {'succeeded': 1, 'running': 1, 'waiting': 2}
    before = tree(workspace.path)
    found = verdict(awflow('clean', '--dry-run', '--json'))
    assert (found['state'], found['action'], found['recorded']) == ('suspect', 'leave', [])
    assert f'cannot be seen from {os.uname().nodename}' in str(found['why'])
    left = awflow('clean', '--yes')
    assert 'left alone, or end it with --force hold if you know that it is gone' in left.out
    assert left.out.splitlines()[-1] == 'Nothing to do.'
    assert tree(workspace.path) == before

    shown = awflow('clean', '--force', 'last', '--dry-run').out
    assert ('-> crashed: hold[1]' in shown, '-> the claim is broken; 3 not begun' in shown) == (True, True), shown
    assert tree(workspace.path) == before
    assert awflow('clean', '--force', 'hold', '--yes').code == 0
    state = store(workspace.path).read()
    (end,) = [end for entry in state.entries.values() for end in entry.ends.values()]
    assert (state.claims, 'awflow clean --force' in end['why'], 'elsewhere' in end['why']) == ({}, True, True)
    assert_rerun(workspace)


def test_force_names_a_job_that_somebody_has_claimed(held: Held, workspace: Workspace, awflow: Command) -> None:
    elsewhere(held, workspace)
    said = awflow('clean', '--yes', '--force', 'fold')
    assert (said.code, 'hold, last' in said.err, 'fold' in said.err) == (1, True, True), said
    assert store(workspace.path).read().claims


def test_a_heartbeat_that_stopped_proves_nothing(held: Held, workspace: Workspace, awflow: Command) -> None:
    long_ago = 1.0e9
    for name in (workspace.path / '.awflow' / 'flow' / 'ledger').glob('*.jsonl'):
        os.utime(name, (long_ago, long_ago))
    assert verdict(awflow('clean', '--dry-run', '--json'))['state'] == 'alive', 'its process is there'
    elsewhere(held, workspace)
    ((number, claim),) = store(workspace.path).read().claims.items()
    claim.time = long_ago
    (workspace.path / '.awflow' / 'flow' / 'ledger' / f'{number}.claim').write_bytes(claim.to_bytes())
    shown = awflow('clean', '--yes').out
    assert 'suspect: ' in shown
    assert 'last sign of life ' in shown and ' d ' in shown
    assert number in store(workspace.path).read().claims


def test_a_run_leaves_signs_of_life_though_its_task_says_nothing(workspace: Workspace) -> None:
    workspace.script("""
        from awflow.backends import local
        local.SIGN = local.RAREST = 0.0
        @job
        def silent(): pass
        schedule(silent)
    """)
    assert workspace.again() == ['silent']
    (name,) = (workspace.path / '.awflow' / 'flow' / 'ledger').glob('*.jsonl')
    assert '{"alive":' in name.read_text()


# -- a copy ------------------------------------------------------------------------------------------------------------


def test_in_a_copy_of_the_state_the_run_is_suspect_and_what_is_done_there_does_not_reach_it(
    held: Held, workspace: Workspace, awflow: Command
) -> None:
    copy = Workspace(workspace.path.parent / 'copy')
    shutil.copytree(workspace.path, copy.path, ignore=shutil.ignore_patterns('fifo'))
    before = tree(workspace.path)
    status = awflow('status', '--json', cwd=copy.path)
    assert [claim['state'] for claim in status.workflow['claims']] == ['suspect']
    found = verdict(awflow('clean', '--dry-run', '--json', cwd=copy.path))
    assert (found['state'], found['action']) == ('suspect', 'leave')
    assert f'in {workspace.path}/.awflow, of which this is a copy' in str(found['why'])
    assert awflow('clean', '--yes', cwd=copy.path).out.splitlines()[-1] == 'Nothing to do.'
    assert awflow('cancel', cwd=copy.path).code == 1, 'it would stop the run of the original'

    assert awflow('clean', '--yes', '--force', 'hold', cwd=copy.path).code == 0
    assert_rerun(copy)
    assert verdict(awflow('clean', '--dry-run', '--json'))['state'] == 'alive'
    assert tree(workspace.path) == before
    held.release()
    assert held.process.wait(LIMIT) == 0
    assert ran(workspace) == dict.fromkeys([*DONE, *REST], 1)


def test_the_same_directory_under_another_name_is_no_copy(held: Held, workspace: Workspace, awflow: Command) -> None:
    other = workspace.path.parent / 'other'
    other.symlink_to(workspace.path)
    assert verdict(awflow('clean', '--dry-run', '--json', '--state', str(other / '.awflow')))['state'] == 'alive'


def test_a_project_that_was_moved_is_no_copy(held: Held, workspace: Workspace, awflow: Command) -> None:
    moved = workspace.path.parent / 'moved'
    held.kill()
    workspace.path.rename(moved)
    assert verdict(awflow('clean', '--dry-run', '--json', cwd=moved))['state'] == 'dead'
