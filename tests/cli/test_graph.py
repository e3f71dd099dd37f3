from __future__ import annotations

import json
import shutil
from typing import Any
from xml.etree import ElementTree

import pytest

FLOW = """
    from awflow import after, job, schedule, waitfor

    @job(array=3)
    def gen(i):
        pass

    @after(gen, each=True)
    @job(array=3)
    def fit(i):
        assert i != 1

    @after(fit)
    @job
    def merge():
        pass

    @after(merge, status='failure')
    @job
    def alert():
        pass

    @waitfor('any')
    @after(merge, alert, status='any')
    @job
    def report():
        pass

    schedule(report, check=False)
"""


@pytest.fixture
def flow(workspace: Any) -> Any:
    workspace.script(FLOW)
    workspace.run()
    return workspace


def test_the_graph_is_drawn_with_how_each_job_stands(flow: Any, awflow: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv('LC_ALL', 'C')
    lines = [line.rstrip() for line in awflow('graph', cwd=flow.directory).lines]
    assert lines == [
        'flow',
        'gen                                          3 succeeded',
        '`- fit (each)                                2 succeeded, 1 failed',
        '   `- merge                                  1 not started',
        '      `- alert (on failure)                  1 succeeded',
        '         `- report (any end, one is enough)  1 succeeded',
        '               also after merge (any end)',
    ]


def test_json_has_every_edge(flow: Any, awflow: Any) -> None:
    (found,) = json.loads(awflow('graph', '--json', cwd=flow.directory).out)['workflows']
    jobs = {job['job']: job for job in found['jobs']}
    assert list(jobs) == ['gen', 'fit', 'merge', 'alert', 'report']
    assert jobs['fit']['after'] == [{'job': 'gen', 'status': 'success', 'each': True}]
    assert jobs['fit']['outcomes'] == {'succeeded': 2, 'failed': 1}
    assert jobs['report']['waitfor'] == 'any'
    assert [edge['status'] for edge in jobs['report']['after']] == ['any', 'any']


def test_what_no_run_noted_is_told_by_records(flow: Any, awflow: Any) -> None:
    shutil.rmtree(flow.directory / '.awflow' / 'flow' / 'runs')
    (found,) = json.loads(awflow('graph', '--json', cwd=flow.directory).out)['workflows']
    jobs = {job['job']: job for job in found['jobs']}
    assert jobs['fit']['after'] == [{'job': 'gen', 'status': 'success', 'each': True}]
    assert jobs['alert']['after'] == [{'job': 'merge', 'status': 'failure', 'each': False}]


def test_an_image_is_written_to_a_file_or_printed(flow: Any, awflow: Any) -> None:
    assert awflow('graph', '--svg', 'flow.svg', cwd=flow.directory).out == '5 jobs drawn in flow.svg\n'
    written = (flow.directory / 'flow.svg').read_text(encoding='utf-8')
    assert ElementTree.fromstring(written).tag.endswith('svg')
    assert awflow('graph', '--svg', cwd=flow.directory).out == written
    done = awflow('graph', '--svg', 'no/such/flow.svg', cwd=flow.directory)
    assert done.code == 1
    assert 'no/such/flow.svg' in done.err


def test_other_languages(flow: Any, awflow: Any) -> None:
    assert '"gen" -> "fit" [label="each"];' in awflow('graph', '--dot', cwd=flow.directory).out
    assert awflow('graph', '--mermaid', cwd=flow.directory).lines[0] == 'flowchart TD'


def test_of_several_workflows_one_must_be_named_for_an_image(flow: Any, awflow: Any) -> None:
    flow.script('from awflow import job, schedule\n@job\ndef other(): pass\nschedule(other)\n', 'second')
    flow.run('second')
    assert awflow('graph', '--dot', cwd=flow.directory).code == 2
    assert 'other' in awflow('graph', '--dot', '-w', 'second', cwd=flow.directory).out
    assert {'flow', 'second'} <= set(awflow('graph', cwd=flow.directory).lines)


def test_only_one_form_at_a_time(awflow: Any) -> None:
    assert awflow('graph', '--dot', '--json').code == 2
