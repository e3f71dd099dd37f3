"""Why tasks run: what a plan shows, what is kept of it, and that both name the thing."""

from __future__ import annotations

from awflow.explain import Account, Group, render_plan
from awflow.facts import Facts
from awflow.plan import Plan
from awflow.reasons import SENTENCES, Reason
from awflow.state.store import Store
from tests.conftest import Workspace

FLOW = """
    n = 10000

    @job(array=3)
    def estimate(i):
        return util.f(i) + n

    @after(estimate)
    @job
    def merge():
        return 1

    @after(merge)
    @job
    def report():
        pass

    schedule(report, dry_run='dry' in sys.argv)
"""


def flow(workspace: Workspace) -> None:
    workspace.write('util.py', 'def f(x):\n    return g(x)\n\ndef g(x):\n    return x + 1\n')
    workspace.script('import util\n' + FLOW.replace('\n    ', '\n'))


def dry(workspace: Workspace) -> list[str]:
    ran = workspace.run('dry')
    assert ran.returncode == 0, ran
    return ran.stdout.splitlines()


def test_a_dry_run_shows_what_changed_and_the_way_from_there_to_every_task(workspace: Workspace) -> None:
    flow(workspace)
    workspace.run()
    workspace.edit('x + 1', 'x + 2', 'util.py')
    workspace.edit('n = 10000', 'n = 20000')
    told = dry(workspace)
    assert '  [0, 1, 2] outdated: helper util.g changed; global n changed: 10000 -> 20000' in told
    for line in ('    --- helper util.g, before', '    -    return x + 1', '    +    return x + 2'):
        assert told.count(line) == 1, line
    at = told.index('report  1 outdated')
    assert told[at + 1 : at + 4] == [
        '  outdated: upstream merge runs',
        '    because merge runs: upstream estimate runs',
        '      because estimate[0, 1, 2] runs: helper util.g changed; global n changed: 10000 -> 20000',
    ]


def test_a_missing_task_is_told_for_whom_it_is_made(workspace: Workspace) -> None:
    flow(workspace)
    told = dry(workspace)
    assert '  [0, 1, 2] missing: never ran; needed by merge' in told
    assert '  missing: never ran' in told


def test_a_missing_task_that_nobody_needs_is_said_not_to_run(workspace: Workspace) -> None:
    workspace.script("""
        @outputs('a')
        @job
        def a(): open('a', 'w').close()

        @after(a)
        @job
        def b(): pass

        schedule(b, dry_run='dry' in sys.argv)
    """)
    workspace.run()
    workspace.remove('a')
    assert '  missing: output a is absent (not run: nothing that runs needs it)' in dry(workspace)


def test_changed_output_paths_and_inputs_are_told_with_old_and_new(workspace: Workspace) -> None:
    workspace.script("""
        @inputs('in')
        @outputs('a')
        @job
        def a(): open(sorted(set(os.listdir('.')) & {'a', 'b'} or ['a'])[0], 'w').close(); open('b', 'w').close()

        schedule(a, dry_run='dry' in sys.argv)
    """)
    workspace.write('in', '1')
    workspace.run()
    workspace.write('in', '2')
    workspace.edit("@outputs('a')", "@outputs('b')")
    (line,) = [line for line in dry(workspace) if 'outdated:' in line]
    assert 'output paths changed: a -> b' in line
    assert 'input in changed: ' in line and ' -> ' in line.partition('input in changed')[2]


def test_the_reasons_of_a_run_are_kept_with_its_claim_once_for_all_tasks_that_share_them(workspace: Workspace) -> None:
    flow(workspace)
    workspace.run()
    workspace.edit('x + 1', 'x + 2', 'util.py')
    workspace.run()
    state = Store(str(workspace.path / '.awflow'), 'flow').read()
    told = state.all_reasons[max(state.all_reasons)]
    ((keys, kind, reasons),) = told['estimate']
    assert (keys, kind, [reason['name'] for reason in reasons]) == ('0-2', 'outdated', ['helper util.g'])
    before, after = state.all_sources['helper util.g'][reasons[0]['was']], state.all_sources['helper util.g'][reasons[0]['now']]
    assert (before, after) == ('def g(x):\n    return x + 1\n', 'def g(x):\n    return x + 2\n')


def test_a_source_that_the_state_holds_is_not_written_again(workspace: Workspace) -> None:
    flow(workspace)
    workspace.run()
    workspace.edit('return 1', 'return 2')
    workspace.run()
    state = Store(str(workspace.path / '.awflow'), 'flow').read()
    sources = [sorted(entry.sources) for entry in state.entries.values() if entry.sources]
    assert sources == [
        ['code of estimate', 'code of merge', 'code of report', 'helper util.f', 'helper util.g'],
        ['code of merge'],
    ]


def test_a_task_that_might_have_been_unchanged_records_what_it_found_changed(workspace: Workspace) -> None:
    workspace.script("""
        k = 1

        @outputs('a')
        @job
        def a(): open('a', 'w').write(str(k))

        @after(a)
        @job
        def b(): pass

        schedule(b)
    """)
    workspace.run()
    workspace.edit('k = 1', 'k = 2')
    ran = workspace.run()
    assert ran.records['b'].why == [{'kind': 'upstream changed', 'name': 'a'}]
    assert ran.records['a'].why == []  # the claim says it


def test_a_retry_says_so(workspace: Workspace) -> None:
    workspace.script("""
        @job(retries=1)
        def a():
            if not os.path.exists('second'):
                open('second', 'w').close()
                raise ValueError

        schedule(a)
    """)
    assert workspace.run().records['a'].why == [{'kind': 'retry'}]


def test_many_groups_are_cut_with_their_number() -> None:
    facts = Facts('fit', [str(i) for i in range(100)], [], 'all')
    for row in range(100):
        facts.base[row] = 2
        facts.reasons[row] = (Reason('changed', f'input {row}'),)
    told = render_plan(Plan([facts])).splitlines()
    assert told[-2:] == ['  ... and 70 more tasks', 'in all: 100 outdated']
    assert len(told) == 33


def test_a_cycle_of_reasons_ends() -> None:
    groups = {
        'a': [Group(['-'], 'outdated', [Reason('upstream runs', 'b')])],
        'b': [Group(['-'], 'outdated', [Reason('upstream runs', 'a')])],
    }
    assert len(list(Account(groups).steps([Reason('upstream runs', 'a')]))) == 2


def test_every_kind_of_reason_survives_json_and_has_a_sentence() -> None:
    for kind in SENTENCES:
        reason = Reason(kind, 'thing', 'old', 'new', 'a:1', 'a:2')
        assert Reason.from_dict(reason.to_dict()) == reason
        assert reason.sentence() and reason.sentence(past=True)
    assert str(Reason.from_dict({'kind': 'from the future', 'name': 'x', 'more': 'y'})) == 'from the future x'
