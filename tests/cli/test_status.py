from __future__ import annotations

import json
import os
import pty
from typing import Any


def rows(text: str) -> dict[str, str]:
    """The lines of the table by job."""
    return {line.split()[0]: line for line in text.splitlines() if line.strip()}


def test_each_job_is_counted_by_outcome(awflow: Any) -> None:
    lines = rows(awflow('status').out)
    assert '1 succeeded (unverified), 1' in lines['fit']
    assert '12 succeeded (verified)' in lines['count']


def test_a_success_that_nothing_vouches_for_is_unverified(awflow: Any) -> None:
    lines = rows(awflow('status').out)
    assert '(verified)' in lines['count']
    assert '(unverified)' in lines['silent']


def test_without_a_command_it_is_status(awflow: Any) -> None:
    assert awflow().out == awflow('status').out
    assert json.loads(awflow('--json').out) == json.loads(awflow('status', '--json').out)


def test_a_job_that_was_skipped_is_shown_as_not_started(awflow: Any) -> None:
    assert rows(awflow('status').out)['never'].split() == ['never', '0/1', '1', 'not', 'started']


def test_json_has_counts_times_and_claims(awflow: Any) -> None:
    (flow,) = json.loads(awflow('status', '--json').out)['workflows']
    jobs = {job['job']: job for job in flow['jobs']}
    assert flow['workflow'] == 'flow'
    assert flow['claims'] == []
    assert jobs['fit']['outcomes'] == {'succeeded': 1, 'failed': 1, 'crashed': 1}
    assert jobs['count']['tasks'] == 12
    assert (jobs['count']['unverified'], jobs['silent']['unverified']) == (0, 1)
    assert jobs['count']['last_ended'] > jobs['count']['seconds'] > 0


def test_an_adopted_success_is_verified(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        import os
        from awflow import ensure, job, schedule

        @ensure(lambda: os.path.exists('there'))
        @job
        def make():
            raise RuntimeError

        schedule(make)
    """)
    (workspace.directory / 'there').touch()
    workspace.run()
    assert '(verified)' in rows(awflow('status', cwd=workspace.directory).out)['make']
    assert '  Adopted: nothing was on record' in awflow('why', 'make', cwd=workspace.directory).out


def test_a_run_at_work_is_shown_with_what_runs_and_what_waits(workspace: Any, held: Any, awflow: Any) -> None:
    shown = awflow('status', cwd=workspace.directory).out
    assert 'hold    1/3  1 succeeded (unverified), 1 running, 1' in shown
    assert '1/3 ended, 1 running, 1 waiting' in shown
    (flow,) = json.loads(awflow('status', '--json', cwd=workspace.directory).out)['workflows']
    (claim,) = flow['claims']
    assert (claim['state'], claim['done'], claim['running'], claim['total']) == ('alive', 1, 1, 3)
    assert claim['host'] == os.uname().nodename
    assert f'run {claim["run"]}  alive' in shown


def test_what_a_killed_run_left_is_crashed_before_anybody_ends_its_claim(workspace: Any, held: Any, awflow: Any) -> None:
    held.kill()
    shown = awflow('status', cwd=workspace.directory).out
    assert '1 succeeded (unverified), 1 crashed' in shown
    assert 'waiting' not in shown
    (flow,) = json.loads(awflow('status', '--json', cwd=workspace.directory).out)['workflows']
    assert [claim['state'] for claim in flow['claims']] == ['dead']
    explained = awflow('why', 'hold[1]', cwd=workspace.directory).out
    assert 'the last attempt crashed. Its run died: on ' in explained
    assert 'has ended' in explained
    assert awflow('logs', '--failed', cwd=workspace.directory).out.splitlines()[1:] == ['holding 1']


def test_a_log_can_be_read_while_its_task_runs(workspace: Any, held: Any, awflow: Any) -> None:
    assert awflow('why', 'hold[1]', cwd=workspace.directory).lines[0] == 'hold[1]  running'
    assert awflow('why', 'hold[2]', cwd=workspace.directory).lines[0] == 'hold[2]  waiting'
    assert 'holding 0' in awflow('logs', 'hold', cwd=workspace.directory).out
    assert 'has not started yet' in awflow('logs', 'hold[2]', cwd=workspace.directory).err


def test_long_names_stay_within_80_columns_and_are_not_cut(workspace: Any, awflow: Any) -> None:
    name = 'x' * 150 + '[bold]'
    workspace.script(f"""
        from awflow import job, schedule

        @job(name={name!r}, array=2)
        def f(i):
            assert i

        schedule(f, check=False)
    """)
    workspace.run()
    shown = workspace.awflow('status').stdout
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count('x') == 150
    assert '[bold]' in ''.join(shown.split())


def terminal(workspace: Any, **environ: str) -> bytes:
    """What `awflow status` writes to a terminal."""
    ours, theirs = pty.openpty()
    workspace.awflow('status', env=workspace.environ | {'TERM': 'xterm'} | environ, capture_output=False, stdout=theirs)
    os.close(theirs)
    shown = os.read(ours, 1 << 16)
    os.close(ours)
    return shown


def test_colours_are_for_terminals_that_want_them(made: Any) -> None:
    assert b'\x1b[' in terminal(made)
    assert b'\x1b[' not in terminal(made, NO_COLOR='1')
    piped = made.awflow('status', env=made.environ | {'FORCE_COLOR': '1', 'TERM': 'xterm'})
    assert '\x1b[' not in piped.stdout


def test_looking_changes_nothing_on_disk(made: Any, awflow: Any) -> None:
    def everything() -> dict[str, int]:
        return {str(path): path.stat().st_mtime_ns for path in made.directory.rglob('*')}

    before = everything()
    for command in (['status'], ['why', 'fit'], ['logs', '--failed'], ['dump']):
        assert awflow(*command).code == 0
    assert everything() == before


PROOFS = """
    import os
    from awflow import ensure, inputs, job, schedule

    @ensure(lambda: True)
    @ensure(lambda i: os.path.exists(f'out-{i}'))
    @job(array=3)
    def proved(i):
        open(f'out-{i}', 'w').close()
        open('notes', 'a').close()

    @ensure(lambda: os.path.exists('there'))
    @job
    def adopted():
        raise RuntimeError

    schedule(proved, adopted, lint=True)
"""


def test_verbose_flags_a_postcondition_that_never_was_false(workspace: Any, awflow: Any) -> None:
    workspace.script(PROOFS)
    (workspace.directory / 'there').touch()
    workspace.run()
    lines = awflow('status', '-v', cwd=workspace.directory).lines
    at = lines.index('  postcondition @ensure(lambda: True) never was false: it proves nothing')
    assert lines[at + 1].startswith('    held for 3; held at every start on record; took ')
    at = lines.index("  postcondition @ensure(lambda i: os.path.exists(f'out-{i}'))")
    assert lines[at + 1].startswith('    held for 3; was false before for 3; took ')
    assert "  lint: proved writes notes, which nothing asks for: @outputs('notes') or an @ensure that asks for it" in lines
    assert 'postcondition' not in awflow('status', cwd=workspace.directory).out


def test_verbose_json_has_what_each_postcondition_showed(workspace: Any, awflow: Any) -> None:
    workspace.script(PROOFS)
    (workspace.directory / 'there').touch()
    workspace.run()
    (flow,) = json.loads(awflow('--json', '-v', cwd=workspace.directory).out)['workflows']
    jobs = {job['job']: job for job in flow['jobs']}
    shown = {condition['name']: condition for condition in jobs['proved']['postconditions']}
    always = shown['@ensure(lambda: True)']
    assert (always['proves'], always['asked'], always['held'], always['never_false']) == (False, 3, 3, 3)
    assert shown["@ensure(lambda i: os.path.exists(f'out-{i}'))"]['proves'] is True
    assert always['seconds'] >= always['longest'] > 0
    assert jobs['proved']['lint'] == {str(i): {'wrote': ['notes']} for i in range(3)}
    assert jobs['adopted']['postconditions'] == []
    assert 'postconditions' not in json.loads(awflow('--json', cwd=workspace.directory).out)['workflows'][0]['jobs'][0]


def test_a_postcondition_that_was_false_for_one_task_is_not_flagged_for_the_others(workspace: Any, awflow: Any) -> None:
    workspace.script(PROOFS)
    for name in ('there', 'out-0', 'out-1'):
        (workspace.directory / name).touch()
    workspace.run()
    lines = awflow('status', '-v', cwd=workspace.directory).lines
    assert "  postcondition @ensure(lambda i: os.path.exists(f'out-{i}'))" in lines


def test_of_many_jobs_those_are_shown_of_which_there_is_something_to_tell(workspace: Any, awflow: Any) -> None:
    workspace.script("""
        from awflow import job, schedule

        def declare(i):
            @job(name=f'step_{i:03}')
            def step():
                assert i != 90
            return step

        schedule(*[declare(i) for i in range(100)], check=False)
    """)
    workspace.run()
    shown = rows(awflow('status', cwd=workspace.directory).out)
    assert '1 failed' in shown['step_090']
    assert len([job for job in shown if job.startswith('step_')]) == 60
    assert shown['40'].split()[:6] == ['40', 'more', '(--all)', '40', '40', 'succeeded']
    assert len([job for job in rows(awflow('status', '--all', cwd=workspace.directory).out) if job.startswith('step_')]) == 100


def test_on_a_narrow_terminal_the_last_columns_are_left_out(awflow: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv('COLUMNS', '40')
    lines = awflow('status').lines
    table = lines[[line.split()[:1] for line in lines].index(['job']) :]
    assert table[0].split() == ['job', 'tasks', 'outcome']
    assert max(map(len, table)) <= 40
    assert any('12 succeeded' in line for line in table)
