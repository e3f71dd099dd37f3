"""Results of upstreams, as a task may read them, and what it is told when it may not."""

from __future__ import annotations

import pytest

from awflow.arrays import array_of
from awflow.backends.context import TaskContext, Tools
from awflow.backends.payload import Payload
from awflow.errors import ResultError
from awflow.state.record import Record
from awflow.state.store import Store


class Made:
    """A state in which `up` (an array) and `one` have run."""

    def __init__(self, bench):
        self.bench = bench
        self.up = bench.define('def up(i): return i', 'up', array=[10, 20, 30])
        self.one = bench.define('def one(): return 1', 'one')
        self.path = bench.pack(self.up, self.one, bench.define('def f(): pass'))
        self.records = []

    def ran(self, job, task, value, outcome='succeeded'):
        order = self.bench.order(job)
        payload = Payload(str(self.path))
        from awflow.backends.pickling import dumps

        stored = None if value is None else Tools(payload).store(order, dumps(value, {}), '0' * 32)
        self.records.append(Record(job=job, task=task, outcome=outcome, id='0' * 32, result=stored))

    def context(self, *edges, task='-'):
        store = Store(str(self.bench.state), 'w')
        assert store.publish(run='r', expected=store.read(), tasks={}, records=self.records) is not None
        definition = self.bench.define('def f(): pass', edges=list(edges))
        return TaskContext(definition, self.bench.order(task=task), Payload(str(self.path)))


@pytest.fixture
def made(bench):
    return Made(bench)


def test_results_come_in_array_order_and_by_value(made):
    for value in (30, 10, 20):
        made.ran('up', str(value), {'value': value})
    context = made.context(('up', 'success', False))
    assert context.results('up') == [{'value': 10}, {'value': 20}, {'value': 30}]
    assert context.result('up', 20) == {'value': 20}


def test_a_job_without_array_has_one_result(made):
    made.ran('one', '-', 'text')
    context = made.context(('one', 'success', False))
    assert context.result('one') == 'text'
    assert context.results('one') == ['text']


def test_a_task_that_returned_nothing_has_none_as_its_result(made):
    made.ran('one', '-', None)
    assert made.context(('one', 'success', False)).result('one') is None


def test_a_job_that_is_not_waited_for_is_refused(made):
    made.ran('one', '-', 1)
    with pytest.raises(ResultError, match='@after\\(one\\)'):
        made.context(('up', 'success', False)).result('one')


def test_along_each_only_the_own_partner_may_be_read(made):
    for value in (10, 20, 30):
        made.ran('up', str(value), value)
    context = made.context(('up', 'success', True), task='20')
    assert context.result('up') == context.result('up', 20) == 20
    with pytest.raises(ResultError, match='partner'):
        context.result('up', 10)
    with pytest.raises(ResultError, match='partner'):
        context.results('up')


def test_a_value_that_the_upstream_does_not_have_is_refused(made):
    made.ran('up', '10', 1)
    with pytest.raises(ResultError, match="no task for 'x'"):
        made.context(('up', 'success', False)).result('up', 'x')


def test_a_task_that_failed_has_no_result(made):
    made.ran('one', '-', None, outcome='failed')
    with pytest.raises(ResultError, match='failed'):
        made.context(('one', 'any', False)).result('one')


def test_a_job_is_rebuilt_as_it_was_declared(made):
    job = made.context().job('up')
    assert (job.name, len(job.array), job(5)) == ('up', 3, 5)


def test_a_function_reads_through_a_job_that_it_names(made):
    bench = made.bench
    made.ran('up', '10', 'ten')
    made.context()
    names = bench.script("""
        from awflow.decorators import job
        @job(array=[10, 20, 30])
        def up(i): return i
        def f(): print(up.result(10), up(7))
    """)
    definition = bench.define('f = None', edges=[('up', 'success', False)])
    definition.function = names['f']
    bench.load(definition, made.up)
    bench.launch(bench.order())
    bench.until(lambda event: bench.exits)
    assert bench.text() == 'ten 7\n'


def test_an_array_of_mappings_is_asked_by_key(made):
    made.up.array = array_of('up', {'b': 1, 'a': 2})
    made.path = made.bench.pack(made.up)
    made.ran('up', "'a'", 'A')
    made.ran('up', "'b'", 'B')
    context = made.context(('up', 'success', False))
    assert (context.results('up'), context.result('up', 'b')) == (['A', 'B'], 'B')
