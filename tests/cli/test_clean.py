"""What `awflow clean` removes, and what it never touches. Crashes themselves are staged in tests/crashes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from awflow.cli.callsites import called_once
from awflow.state.layout import Layout
from awflow.state.store import Store
from tests.conftest import Workspace
from tests.crashes.conftest import awflow as awflow
from tests.crashes.staging import Command, Held, rewrite_owner, store

DAY = 86400.0


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    directory = tmp_path / 'work'
    directory.mkdir()
    return Workspace(directory)


@pytest.fixture
def held(workspace: Workspace) -> Any:
    held = Held(workspace)
    yield held
    held.close()


def removed(awflow: Command, *options: str) -> dict[str, str]:
    """What a dry run would remove, by path below the workspace: of which kind."""
    said = awflow('clean', '--dry-run', '--json', *options)
    assert said.code == 0, said
    here = os.getcwd() + '/'
    return {each['path'].removeprefix(here): each['kind'] for each in said.workflow['remove']}


def notes(awflow: Command, *options: str) -> list[str]:
    return list(awflow('clean', '--dry-run', '--json', *options).workflow['notes'])


def left(workspace: Workspace, name: str, days: float = 1.0, text: str = 'x' * 10) -> Path:
    """A file below the workflow's state that was last written so many days ago."""
    path = workspace.write(f'.awflow/flow/{name}', text)
    aged(path, days)
    return path


def aged(path: Path, days: float) -> None:
    then = time.time() - days * DAY
    os.utime(path, (then, then))


FITS = """
    @outputs('out-{i}')
    @job(array=2)
    def fit(i):
        print('fitting', i)
        with open(f'out-{i}', 'w') as out: out.write(str(i))
        return i
    @after(fit)
    @job
    def merge(): print(sum(fit.results()))
    schedule(merge)
"""


def finished(workspace: Workspace, script: str = FITS) -> Layout:
    workspace.script(script)
    assert workspace.again()
    return store(workspace.path).layout


# -- what nobody needs -------------------------------------------------------------------------------------------------


def test_after_a_run_that_ended_there_is_nothing_to_do(workspace: Workspace, awflow: Command) -> None:
    finished(workspace)
    for options in ([], ['--yes'], ['--dry-run'], ['--outputs', '--orphans', '--older-than', '1d', '--yes']):
        said = awflow('clean', *options)
        assert (said.code, said.out.splitlines()[-1]) == (0, 'Nothing to do.'), said


def test_temporary_files_go_when_they_are_old(workspace: Workspace, awflow: Command) -> None:
    finished(workspace)
    old = [left(workspace, name) for name in ('ledger/.tmp-1', '.tmp-2', 'digests.tmp-3', 'payload/.tmp-4')]
    new = left(workspace, 'ledger/.tmp-5', days=0.01)
    assert removed(awflow) == {str(path.relative_to(workspace.path)): 'temporary file' for path in old}
    done = awflow('clean', '--yes')
    assert done.out.splitlines()[-1] == 'Done: removed 4 files (40 bytes).'
    assert ([path.exists() for path in old], new.exists()) == ([False] * 4, True)


def test_payloads_and_results_that_newer_attempts_replaced_go(workspace: Workspace, awflow: Command) -> None:
    layout = finished(workspace)
    state = store(workspace.path).read()
    ended = state.last  # the number of an entry that is no claim, so no payload is named so
    assert os.listdir(f'{layout.directory}/payload') == ['1']
    left(workspace, f'payload/{ended}')
    left(workspace, f'results/fit/{ended}.pickles')
    left(workspace, f'payload/{ended + 1}')  # of a claim that this reader does not know yet
    assert removed(awflow) == {
        f'.awflow/flow/payload/{ended}': 'payload', f'.awflow/flow/results/fit/{ended}.pickles': 'stored results',
    }  # fmt: skip
    assert awflow('clean', '--yes').code == 0
    assert sorted(os.listdir(f'{layout.directory}/payload')) == ['1', str(ended + 1)]
    assert workspace.again() == []


def test_scratch_of_a_task_that_has_succeeded_goes(workspace: Workspace, awflow: Command) -> None:
    finished(workspace)
    left(workspace, 'scratch/fit/1/half-way')
    left(workspace, 'scratch/fit/7/half-way')  # of no task on record: its first attempt may be under way
    assert removed(awflow) == {'.awflow/flow/scratch/fit/1': 'scratch'}
    assert awflow('clean', '--yes').code == 0
    assert os.listdir(workspace.path / '.awflow/flow/scratch/fit') == ['7']


def test_a_payload_and_a_log_that_a_live_run_needs_stay(held: Held, workspace: Workspace, awflow: Command) -> None:
    for path in (workspace.path / '.awflow').rglob('*'):
        aged(path, 99.0)
    assert removed(awflow, '--older-than', '1d', '--orphans', '--outputs') == {}


def test_what_slurm_wrote_goes_unless_it_may_say_why_a_task_did_not_succeed(
    workspace: Workspace, awflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', '')  # no squeue: what is in the queue cannot be known
    finished(workspace)
    there = store(workspace.path)
    rows = there.read().rows('fit')
    assert rows is not None
    failed = rows.record(0).replace(outcome='failed', slurm={'job': '41', 'array': '41_0'})
    assert there.publish(run='r', expected=there.read(), tasks={}, records=[failed])
    for number in (40, 41, 42):
        left(workspace, f'slurm/{number}.out')
    gone = {f'.awflow/flow/slurm/{number}.out': 'output of Slurm' for number in (40, 42)}
    assert removed(awflow) == gone
    queue = {'kind': 'slurm', 'cluster': 'c', 'pieces': {'merge': [{'keys': '-'}]}}
    grant = there.publish(run='s', expected=there.read(), tasks={'merge': ['-']}, queue=queue)
    assert grant is not None
    assert removed(awflow) == {}, 'its submitter may have handed in what is not noted yet'
    grant.journal.append([{'submitted': '42', 'job': 'merge', 'piece': 0}, {'complete': True}])
    grant.close()
    said = awflow('clean', '--dry-run', '--json').workflow
    (claim,) = said['claims']
    assert (claim['state'], claim['action']) == ('suspect', 'leave')
    assert "the queue could not be asked: this machine has no command 'scontrol'" in claim['why']
    assert [Path(each['path']).name for each in said['remove']] == ['40.out']


# -- outputs of crashed tasks ------------------------------------------------------------------------------------------


def test_partial_outputs_are_listed_one_by_one_and_only_with_outputs(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    assert removed(awflow) == {}
    shown = awflow('clean', '--dry-run', '--outputs').out
    assert 'remove out-1 (4 bytes), of hold[1]: begun ' in shown
    assert removed(awflow, '--outputs') == {'out-1': 'output'}
    assert awflow('clean', '--yes', '--outputs').code == 0
    assert (workspace.exists('out-0'), workspace.exists('out-1')) == (True, False)
    assert store(workspace.path).read().claims == {}


def test_outputs_of_a_crash_that_another_run_has_ended_are_found_too(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    assert awflow('clean', '--yes').code == 0
    assert removed(awflow, '--outputs') == {'out-1': 'output'}
    assert awflow('clean', '--yes', '--outputs').out.splitlines()[-1] == 'Done: removed 1 file (4 bytes).'


def test_an_output_older_than_the_attempt_that_crashed_stays(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    aged(workspace.path / 'out-1', 1.0)
    assert removed(awflow, '--outputs') == {}
    (note,) = notes(awflow, '--outputs')
    assert note.startswith('out-1 of hold[1] stays: it is older than the attempt, which began ')


def test_an_output_that_a_success_vouches_for_stays(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    workspace.write('other.py', """
from awflow import *
@outputs('out-1')
@job
def mine(): open('out-1', 'w').write('mine')
schedule(mine, workflow='other', prune=False)
""")  # fmt: skip
    assert workspace.run(name='other.py').executed == ['mine']
    said = awflow('clean', '--dry-run', '--json', '--outputs', '--workflow', 'flow').workflow
    assert said['remove'] == []
    assert said['notes'] == ['out-1 of hold[1] stays: mine succeeded and vouches for it']
    assert awflow('clean', '--yes', '--outputs').code == 0
    assert workspace.read('out-1') == 'mine'


@pytest.mark.parametrize(
    ('declared', 'made'),
    [
        ('latest', 'os.symlink("out-1", "latest")'),  # what it declares is a link
        ('all', 'os.mkdir("all"); os.symlink("../out-1", "all/link")'),  # or holds one
        ('all', 'os.makedirs("deep/er"); os.symlink("../../out-1", "deep/er/link"); os.symlink("deep", "all")'),
    ],
)
def test_an_output_to_which_a_success_leads_by_a_link_stays(
    held: Held, workspace: Workspace, awflow: Command, declared: str, made: str
) -> None:
    held.kill()
    workspace.write(
        'other.py',
        f"""
from awflow import *
import os
@outputs({declared!r})
@job
def mine(): {made}
schedule(mine, workflow='other', prune=False)
""",
    )
    assert workspace.run(name='other.py').executed == ['mine']
    said = awflow('clean', '--dry-run', '--json', '--outputs', '--workflow', 'flow').workflow
    assert said['remove'] == []
    assert said['notes'] == ['out-1 of hold[1] stays: mine succeeded and vouches for it']


def test_a_file_that_was_put_there_after_the_crash_stays(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    assert awflow('clean', '--yes').code == 0
    assert removed(awflow, '--outputs') == {'out-1': 'output'}
    later = time.time() + 60.0
    os.utime(workspace.path / 'out-1', (later, later))
    assert removed(awflow, '--outputs') == {}
    (note,) = notes(awflow, '--outputs')
    assert note.startswith('out-1 of hold[1] stays: it was written ') and note.endswith('when the attempt was over')


def test_outputs_of_a_task_that_somebody_has_claimed_again_stay(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    assert awflow('clean', '--yes').code == 0
    there = store(workspace.path)
    assert there.publish(run='r', expected=there.read(), tasks={'hold': ['1']})  # by this process, which lives
    assert removed(awflow, '--outputs') == {}


def test_a_directory_that_is_declared_goes_as_a_whole(workspace: Workspace, awflow: Command) -> None:
    workspace.script("""
        @outputs(lambda: ['made', 'sure'])
        @job
        def make():
            os.mkdir('made')
            open('made/part', 'w').write('half')
            open('undeclared', 'w').write('x')
            os.kill(os.getpid(), signal.SIGKILL)
        schedule(make)
    """)
    assert workspace.run().outcomes == {'make': 'crashed'}
    assert removed(awflow, '--outputs') == {'made': 'output'}
    assert awflow('clean', '--yes', '--outputs').code == 0
    assert (workspace.exists('made'), workspace.exists('undeclared')) == (False, True)


def test_of_a_directory_that_held_files_before_only_what_the_attempt_wrote_goes(workspace: Workspace, awflow: Command) -> None:
    (workspace.path / 'made').mkdir()
    aged(workspace.write('made/mine', 'of the user'), 1.0)
    workspace.script("""
        @outputs('made')
        @job
        def make():
            os.makedirs('made/deep')
            open('made/deep/part', 'w').write('half')
            os.kill(os.getpid(), signal.SIGKILL)
        schedule(make, prune=False)
    """)
    assert workspace.run().outcomes == {'make': 'crashed'}
    assert removed(awflow, '--outputs') == {'made/deep/part': 'output'}
    assert notes(awflow, '--outputs') == ['made of make: what was not written by it stays (1 file)']
    assert awflow('clean', '--yes', '--outputs').code == 0
    assert (workspace.read('made/mine'), workspace.exists('made/deep/part')) == ('of the user', False)


@pytest.mark.parametrize('path', ['.', '..', '.awflow', '.awflow/flow/ledger'])
def test_whatever_is_declared_neither_the_state_nor_the_project_is_removed(
    workspace: Workspace, awflow: Command, path: str
) -> None:
    workspace.script(f"""
        @outputs({path!r})
        @job
        def make(): os.kill(os.getpid(), signal.SIGKILL)
        schedule(make, prune=False)
    """)
    assert workspace.run().outcomes == {'make': 'crashed'}
    assert removed(awflow, '--outputs') == {}
    (note,) = notes(awflow, '--outputs')
    assert note.endswith(('stays: the state or the project lies in it', 'stays: it lies in the state'))


def test_of_a_link_the_link_goes_and_not_what_it_leads_to(workspace: Workspace, awflow: Command) -> None:
    workspace.write('precious', 'x')
    workspace.script("""
        @outputs('link')
        @job
        def make():
            os.symlink('precious', 'link')
            os.kill(os.getpid(), signal.SIGKILL)
        schedule(make)
    """)
    assert workspace.run().outcomes == {'make': 'crashed'}
    assert awflow('clean', '--yes', '--outputs').code == 0
    assert (workspace.exists('precious'), os.path.lexists(workspace.path / 'link')) == (True, False)


def test_where_the_payload_is_gone_it_is_said_that_outputs_are_not_known(
    held: Held, workspace: Workspace, awflow: Command
) -> None:
    held.kill()
    (workspace.path / '.awflow/flow/payload/1').unlink()
    assert notes(awflow, '--outputs') == ['what hold[1] declares is not known: its payload is gone']


# -- old files ---------------------------------------------------------------------------------------------------------


def test_old_logs_payloads_and_runs_go_and_it_is_said_where_they_are_of_last_attempts(
    workspace: Workspace, awflow: Command
) -> None:
    finished(workspace)
    workspace.edit("print('fitting', i)", "print('fitting again', i)")
    assert len(workspace.again()) == 2, 'the outputs are the same'
    files = [path for folder in ('logs', 'payload', 'runs') for path in (workspace.path / '.awflow/flow' / folder).rglob('*')]
    for path in files:
        aged(path, 40.0)
    assert removed(awflow, '--older-than', '41d') == {}
    assert removed(awflow) == {}
    said = awflow('clean', '--dry-run', '--json', '--older-than', '39d').workflow['remove']
    why = {str(Path(each['path']).relative_to(workspace.path / '.awflow/flow')): each['why'] for each in said}
    assert why['logs/fit/0-1-0.log'] == 'old, of an earlier attempt'
    assert why['logs/fit/0-3-0.log'] == 'old, though of a last attempt'
    assert why['logs/merge/log-1-0.log'] == 'old, though of a last attempt'
    assert 'old, though last attempts were made from it' in why['payload/3']
    assert len([path for path in why if path.startswith('runs/')]) == 1, 'that of the last start stays'
    done = awflow('clean', '--yes', '--older-than', '5w')
    assert done.code == 0
    assert workspace.again() == []


@pytest.mark.parametrize('age', ['30', 'd', '3 fortnights', '-3d', ''])
def test_an_age_that_is_none_is_refused(workspace: Workspace, awflow: Command, age: str) -> None:
    finished(workspace)
    said = awflow('clean', '--older-than', age)
    assert (said.code, 'is no age; say 30d, 12h or 2w' in said.err) == (2, True), said


# -- jobs that are gone ------------------------------------------------------------------------------------------------

TWO = """
    @outputs('a')
    @job
    def stays(): print('a'); open('a', 'w').write('a'); return 1
    @outputs('b')
    @job(name='fit/x')
    def goes(): print('b'); open('b', 'w').write('b'); return 2
    schedule(stays)
    schedule(goes)
"""


def test_files_of_jobs_that_the_script_has_lost_go_and_their_records_stay(workspace: Workspace, awflow: Command) -> None:
    finished(workspace, TWO)
    workspace.write('b', 'edited')
    assert workspace.again() == ['fit/x'], 'the edit was moved to kept/'
    assert removed(awflow, '--orphans') == {}
    workspace.edit('schedule(goes)', '')
    assert workspace.again() == []
    found = removed(awflow, '--orphans')
    (kept,) = (workspace.path / '.awflow/flow/kept').iterdir()
    assert found == {
        '.awflow/flow/logs/fit%2Fx': 'logs of fit/x', '.awflow/flow/results/fit%2Fx': 'stored results of fit/x',
        '.awflow/flow/payload/5': 'payload', str(kept.relative_to(workspace.path)): 'kept file',
    }  # fmt: skip
    assert removed(awflow) == {}
    assert notes(awflow, '--orphans')[0].startswith('no longer in the workflow: fit/x; what is on record of them stays')
    assert awflow('clean', '--yes', '--orphans').code == 0
    assert removed(awflow, '--orphans') == {}
    assert workspace.read('b') == 'b', 'a success vouches for it'
    assert {job['job'] for job in awflow('status', '--json').workflow['jobs']} >= {'stays', 'fit/x'}


def test_what_the_script_schedules_when_it_is_called_otherwise_belongs_to_it(workspace: Workspace, awflow: Command) -> None:
    workspace.script("""
        @job
        def one(): print(1)
        @job
        def other(): print(2)
        schedule(one if sys.argv[1:] else other)
    """)
    assert workspace.run('x').executed == ['one']
    assert workspace.run().executed == ['other']
    assert removed(awflow, '--orphans') == {}
    assert workspace.run('x').executed == []
    assert removed(awflow, '--orphans') == {}


def test_jobs_that_tasks_schedule_belong_to_the_workflow_as_long_as_those_do(workspace: Workspace, awflow: Command) -> None:
    workspace.script("""
        @job
        def inner(): print(1)
        @job(array=2)
        def outer(i): schedule(inner)
        schedule(outer)
    """)
    assert len(workspace.again()) == 4
    assert removed(awflow, '--orphans') == {}


def test_a_job_that_came_back_belongs_again(workspace: Workspace, awflow: Command) -> None:
    finished(workspace, TWO)
    workspace.edit('schedule(goes)', '')
    assert '.awflow/flow/logs/fit%2Fx' in removed(awflow, '--orphans')
    workspace.edit('schedule(stays)', 'schedule(stays, goes)')
    assert workspace.again() == []
    assert removed(awflow, '--orphans') == {}


def test_a_script_that_has_work_to_do_in_its_only_schedule_has_told_all(workspace: Workspace, awflow: Command) -> None:
    finished(workspace, TWO)
    workspace.edit('schedule(goes)', '')
    workspace.edit("print('a')", "print('other')")
    assert '.awflow/flow/logs/fit%2Fx' in removed(awflow, '--orphans')
    assert notes(awflow, '--orphans')[0].startswith('no longer in the workflow: fit/x')


@pytest.mark.parametrize(
    'more', ['schedule(last)', 'for each in [last]: schedule(each)', 'import more', 'again = schedule; again(last)']
)
def test_a_script_that_has_work_to_do_before_another_schedule_is_not_followed_and_no_job_taken_as_lost(
    workspace: Workspace, awflow: Command, more: str
) -> None:
    finished(workspace, TWO)
    (workspace.path / 'more.py').write_text('from awflow import schedule\n')
    workspace.edit('schedule(goes)', f'last = job(name="last")(print)\n{more}')
    workspace.edit("print('a')", "print('other')")
    assert removed(awflow, '--orphans') == {}
    (note,) = notes(awflow, '--orphans')
    assert note.startswith('which jobs are no longer in the workflow is not known: the script has work to do (stays)')


@pytest.mark.parametrize(
    ('source', 'once'),
    [
        ('schedule(a)', True),
        ('import awflow\nrun = awflow.schedule(a)', True),
        ('def main():\n    schedule(a)\nif __name__ == "__main__":\n    main()', True),
        ('with place() as p:\n    if p:\n        schedule(a)', True),
        ('from beside import jobs\nschedule(*jobs)', True),
        ('import numpy\nschedule(a)', True),
        ('schedule(a)\nschedule(b)', False),
        ('for x in y:\n    schedule(x)', False),
        ('[schedule(x) for x in y]', False),
        ('def main(x):\n    schedule(x)\nmain(a)\nmain(b)', False),
        ('def main(x):\n    schedule(x)\nfor x in y:\n    main(x)', False),
        ('def main(x):\n    schedule(x)\nlist(map(main, y))', False),
        ('def main(x):\n    schedule(x)\n    main(x)\n', False),
        ('class A:\n    def go(self):\n        schedule(a)\nA().go()\nA().go()', False),
        ('go = schedule\ngo(a)', False),
        ('from awflow import schedule as go\ngo(a)\ngo(b)', False),
        ('from stages import second\nschedule(a)\nsecond()', False),
        ('from package.stages import second\nschedule(a)\nsecond()', False),
        ('from through import second\nschedule(a)\nsecond()', False),
        ('schedule(a', False),
    ],
)
def test_whether_a_script_calls_schedule_once_is_seen_from_its_source(tmp_path: Path, source: str, once: bool) -> None:
    (tmp_path / 'package').mkdir()
    for name in ('stages', 'package/stages'):
        (tmp_path / f'{name}.py').write_text('from awflow import schedule\ndef second():\n    schedule(b)\n')
    (tmp_path / 'through.py').write_text('from stages import second\n')
    (tmp_path / 'beside.py').write_text('jobs = []\n')
    script = tmp_path / 'flow.py'
    script.write_text(source)
    assert called_once(str(script)) is once


def test_a_script_that_fails_is_not_taken_as_one_without_jobs(workspace: Workspace, awflow: Command) -> None:
    finished(workspace, TWO)
    workspace.script('raise SystemExit("not today")')
    assert removed(awflow, '--orphans') == {}
    (note,) = notes(awflow, '--orphans')
    assert note.endswith('the script ended with status 1: not today')


def test_another_way_to_call_the_script_that_did_not_note_its_jobs_leaves_it_open(
    workspace: Workspace, awflow: Command
) -> None:
    finished(workspace)
    (file,) = (workspace.path / '.awflow/flow/runs').iterdir()
    facts = json.loads(file.read_text())
    del facts['jobs']
    facts['argv'].append('otherwise')
    (file.parent / '20200101-000000-00000000.json').write_text(json.dumps(facts))
    assert removed(awflow, '--orphans') == {}
    (note,) = notes(awflow, '--orphans')
    assert "an earlier awflow did not note which it has when called with 'otherwise'" in note


# -- the command -------------------------------------------------------------------------------------------------------


def test_it_asks_and_changes_nothing_without_a_yes(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    process = subprocess.run(
        [sys.executable, '-m', 'awflow', 'clean'], cwd=workspace.path, input='n\n', capture_output=True, text=True
    )
    assert (process.returncode, process.stdout.splitlines()[-1]) == (1, 'Nothing was changed.'), process
    assert 'Do this? [y/N]' in process.stderr
    assert store(workspace.path).read().claims


def test_json_says_what_was_done_and_does_not_ask(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    assert awflow('clean', '--json').code == 2
    planned = awflow('clean', '--json', '--dry-run').json
    done = awflow('clean', '--json', '--yes').json
    assert (planned['applied'], done['applied'], done['failures']) == (False, True, [])
    assert planned['workflows'][0]['claims'][0]['recorded'] == done['workflows'][0]['claims'][0]['recorded']


def test_only_the_workflow_that_is_named_is_cleaned(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    other = Store(str(workspace.path / '.awflow'), 'other')
    assert other.publish(run='r', expected=other.read(), tasks={'f': ['-']})
    assert awflow('clean', '--yes', '--workflow', 'other').out.splitlines()[-1] == 'Nothing to do.'
    assert store(workspace.path).read().claims
    assert awflow('clean', '--yes', '--workflow', 'flow').code == 0
    assert (bool(store(workspace.path).read().claims), bool(other.read().claims)) == (False, True)


def test_a_job_whose_claim_is_to_be_broken_in_several_workflows_is_asked_for(
    held: Held, workspace: Workspace, awflow: Command
) -> None:
    other = Store(str(workspace.path / '.awflow'), 'other')
    assert other.publish(run='r', expected=other.read(), tasks={'hold': ['-']})
    said = awflow('clean', '--yes', '--force', 'hold')
    assert (said.code, 'Say which with --workflow' in said.err, 'flow, other' in said.err) == (1, True, True), said


def test_it_is_found_from_a_directory_below(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    (workspace.path / 'below').mkdir()
    assert 'dead: ' in awflow('clean', '--dry-run', cwd=workspace.path / 'below').out
    assert 'remove ../out-1' in awflow('clean', '--dry-run', '--outputs', cwd=workspace.path / 'below').out


def test_a_claim_that_somebody_else_takes_over_meanwhile_is_no_error(
    held: Held, workspace: Workspace, awflow: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from awflow.cli import mend

    held.kill()
    workspace.write('go', '')
    publish = mend.publish

    def late(*arguments: Any, **options: Any) -> None:
        monkeypatch.setattr(mend, 'publish', publish)
        assert len(workspace.again()) == 4
        publish(*arguments, **options)

    monkeypatch.setattr(mend, 'publish', late)
    done = awflow('clean', '--yes', '--outputs')
    assert done.code == 0, done
    assert workspace.read('out-1') == 'half and whole', 'it belongs to a success now'
    assert workspace.again() == []


def test_force_reaches_one_claim_and_not_what_lives_beside_it(held: Held, workspace: Workspace, awflow: Command) -> None:
    held.kill()
    rewrite_owner(workspace.path, host='elsewhere', boot='another')
    there = store(workspace.path)
    assert there.publish(run='r', expected=there.read(), tasks={'extra': ['-']})
    assert awflow('clean', '--yes', '--force', 'hold').code == 0
    assert [list(claim.tasks) for claim in there.read().claims.values()] == [['extra']]
