"""The steps of a task: conditions, inputs, outputs, results, and the outcome that follows."""

from __future__ import annotations

import hashlib
import os
import re

import pytest

from awflow.arrays import array_of
from awflow.backends.context import load_result
from awflow.backends.pool import Exited
from awflow.job import Spec
from awflow.state.record import Record


def performed(bench, definition, **given):
    bench.load(definition)
    bench.launch(bench.order(definition.name, **given))
    bench.until(Exited)
    return bench.reports[0, 0]


def digest_of(path):
    from awflow.state.digests import Digests
    from awflow.state.fs import Disk

    return Digests('', Disk()).of(str(path)).digest


def test_a_precondition_that_is_false_fails_the_task_before_its_function(bench, ensure):
    check = bench.script('def ready(): return False')['ready']
    report = performed(bench, bench.define('def f(): print("ran")', before=[ensure(check)]))
    assert report['outcome'] == 'failed'
    assert report['error'] == {'type': 'precondition', 'line': 'precondition ready does not hold'}
    assert [(c['name'], c['when'], c['ok']) for c in report['checks']] == [('ready', 'before', False)]
    assert 'ran' not in bench.text()


def test_a_postcondition_is_checked_for_the_tasks_own_value(bench, ensure):
    names = bench.script('import os\ndef made(i): return os.path.exists(f"out-{i}")')
    source = 'import os\ndef f(i): os.chdir("/"); i == 20 or open(os.environ["HERE"] + f"/out-{i}", "w").close()'
    definition = bench.define(source, array=[10, 20], after=[ensure(names['made'], takes_value=True)])
    bench.load(definition)
    for n in range(2):
        order = bench.order(task=str(10 * (n + 1)), position=n, env={'HERE': str(bench.directory)})
        bench.launch(order, slot=n)
    bench.until(lambda event: len(bench.exits) == 2)
    assert [bench.reports[n, 0]['outcome'] for n in range(2)] == ['succeeded', 'failed']
    assert bench.reports[1, 0]['error']['line'] == 'postcondition made does not hold'


@pytest.mark.parametrize('how', ['raise OSError("no such luck")', 'import sys; sys.exit("no such luck")'])
def test_a_postcondition_that_raises_does_not_hold(bench, ensure, how):
    check = bench.script(f'def made(): {how}')['made']
    report = performed(bench, bench.define('def f(): pass', after=[ensure(check)]))
    assert report['outcome'] == 'failed'
    assert re.fullmatch(r'postcondition made raised \w+: no such luck', report['error']['line'])
    assert report['checks'][0]['error'].endswith('no such luck')


def test_a_declared_output_that_is_absent_is_named(bench):
    report = performed(bench, bench.define('def f(): pass'), outputs=['there.txt'])
    assert report['error']['type'] == 'output'
    assert 'there.txt' in report['error']['line']


def test_outputs_are_digested_and_equal_bytes_are_an_equal_outcome(bench):
    definition = bench.define('def f(i): open("out", "w").write("same")', array=2, outputs=[Spec('out', False, False)])
    bench.load(definition)
    for n in range(2):
        bench.launch(bench.order(task=str(n), position=n, outputs=['out']), slot=n)
        bench.until(lambda event, n=n: n in bench.exits)
    first, second = (bench.reports[n, 0] for n in range(2))
    assert first['outputs'] == {'out': [digest_of(bench.directory / 'out'), 4]}
    assert first['end'] == second['end'] != ''


def test_the_outcome_of_a_job_that_declares_no_outputs_is_the_attempt(bench):
    assert 'end' not in performed(bench, bench.define('def f(): pass'), id='ab' * 16)


def test_an_empty_declaration_of_outputs_makes_the_outcome_that_of_the_result(bench):
    definition = bench.define('def f(i): return None', array=2, declares_outputs=True)
    bench.load(definition)
    for n in range(2):
        bench.launch(bench.order(task=str(n), position=n), slot=n)
    bench.until(lambda event: len(bench.exits) == 2)
    assert bench.reports[0, 0]['end'] == bench.reports[1, 0]['end']


def test_inputs_are_digested_at_the_start_and_those_of_a_producer_are_not_read(bench):
    (bench.directory / 'a.csv').write_text('1')
    produced = hashlib.md5(b'recorded', usedforsecurity=False).hexdigest()
    report = performed(bench, bench.define('def f(): pass'), inputs=['a.csv', 'b.csv'], produced={'b.csv': produced})
    assert report['inputs'] == {'a.csv': digest_of(bench.directory / 'a.csv'), 'b.csv': produced}
    assert report['inputs_changed'] == []


def test_a_glob_is_expanded_again_at_the_start(bench):
    definition = bench.define('def f(): pass', inputs=[Spec('*.csv', False, False)])
    (bench.directory / 'late.csv').write_text('1')
    assert list(performed(bench, definition, inputs=[])['inputs']) == ['late.csv']


def test_an_input_that_is_absent_fails_the_task_before_its_function(bench):
    report = performed(bench, bench.define('def f(): print("ran")'), inputs=['a.csv'])
    assert report['error'] == {'type': 'input', 'line': 'the input a.csv does not exist'}
    assert 'ran' not in bench.text()


def test_an_input_that_changes_while_the_task_runs_is_told(bench):
    (bench.directory / 'a.csv').write_text('1')
    report = performed(bench, bench.define('def f(): open("a.csv", "w").write("22")'), inputs=['a.csv'])
    assert report['outcome'] == 'succeeded'
    assert report['inputs_changed'] == ['a.csv']


def test_a_result_is_stored_and_read_back(bench):
    report = performed(bench, bench.define('class P:\n    x = 3\ndef f(): return [1, P(), "π"]'))
    assert report['outcome'] == 'succeeded', bench.text()
    stored = report['result']
    assert stored['file'] == os.path.join('results', 'f', '1.pickles')
    one, point, text = load_result(str(bench.state / 'w'), Record(result=stored))
    assert (one, point.x, text) == (1, 3, 'π')


def test_results_of_many_tasks_share_a_file(bench):
    bench.load(bench.define('def f(i): return [i] * 1000', array=40))
    for n in range(40):
        if n >= 8:
            bench.until(lambda event, n=n: n % 8 in bench.exits)
            del bench.exits[n % 8]
        bench.launch(bench.order(task=str(n), position=n), slot=n % 8)
    bench.until(lambda event: len(bench.exits) == 8)
    stored = [event.report['result'] for event in bench.events if hasattr(event, 'report')]
    values = [load_result(str(bench.state / 'w'), Record(result=result))[0] for result in stored]
    assert sorted(values) == list(range(40))


@pytest.mark.parametrize('value', ["open('/dev/null', 'w')", '(x for x in ())', '__import__("socket").socket()'])
def test_a_result_that_cannot_be_pickled_fails_the_task_in_a_clear_sentence(bench, value):
    report = performed(bench, bench.define(f'def f(): return {value}'))
    assert report['outcome'] == 'failed'
    assert re.match(r'the returned \w+ cannot be pickled', report['error']['line'])


def test_a_mapping_names_its_tasks_by_key_and_calls_with_the_value(bench):
    definition = bench.define('def f(v): print(v)', outputs=[Spec('{i}.txt', False, False)])
    definition.array = array_of('f', {'low': 0.1})
    bench.load(definition)
    bench.launch(bench.order(task="'low'", position=0, outputs=None))
    bench.until(Exited)
    assert bench.text().startswith('0.1\n')
    assert 'low.txt' in bench.reports[0, 0]['error']['line']


def test_a_task_without_a_zygote_is_performed_the_same_way(bench, monkeypatch):
    from awflow.backends.context import Tools
    from awflow.backends.payload import Payload
    from awflow.backends.worker import perform

    (bench.directory / 'a.csv').write_text('1')
    payload = Payload(str(bench.pack(bench.define('def f(): open("out", "w").close()'))))
    monkeypatch.chdir(bench.directory)
    report = perform(payload.definition('f'), bench.order(inputs=['a.csv'], outputs=['out']), Tools(payload))
    assert report['outcome'] == 'succeeded'
    assert list(report['outputs']) == ['out']


def test_what_tasks_that_share_a_process_use_is_told_apart(bench):
    for name in ('a-0', 'a-1'):
        (bench.directory / name).write_text('1')
    bench.load(bench.define('import os\ndef f(i):\n    open(f"a-{i}").read()\n    open(f"b-{i}", "w").close()', array=2))
    lint = {'project': str(bench.directory)}
    bench.launch(*(bench.order(task=str(n), position=n, lint=lint) for n in range(2)))
    bench.until(lambda event: getattr(event, 'n', 0) == 0 and hasattr(event, 'report'))
    bench.pool.go(0)
    bench.until(Exited)
    found = [bench.reports[0, n]['lint'] for n in range(2)]
    assert found == [{'read': [f'a-{n}'], 'wrote': [f'b-{n}']} for n in range(2)]
