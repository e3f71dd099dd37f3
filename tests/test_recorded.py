"""What a run keeps of all that it records: the same as its journal says, or nothing, and then the journal is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from awflow.attempt import Attempt
from awflow.lines import Lines
from awflow.state.fs import Disk
from awflow.state.journal import Journal, frame, parse
from awflow.state.written import Written

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Workspace

FLOW = """
    from awflow.state import jsontext
    from awflow.state.journal import parse
    from awflow.state.record import Record
    from awflow.state.written import Written

    plain = Written.overlay
    def overlay(self, journal):
        found = plain(self, journal)
        with open(f'{journal._directory}/{journal.name}', 'rb') as file:
            ends = [Record.from_dict(obj) for obj in parse(file.read()) if 'outcome' in obj]
        told = [] if found is None else [record for job in found.records for record in found.records[job].values()]
        spelled = [sorted(jsontext.dumps(record.to_dict()) for record in records) for records in (told, ends)]
        print('kept nothing' if found is None else 'kept all' if spelled[0] == spelled[1] else 'kept something else')
        return found
    Written.overlay = overlay

    @inputs('in/{i}')
    @outputs('out/{i}')
    @job(array=70, batch=9)
    def many(i):
        print('line', i)
        with open(f'in/{i}') as source, open(f'out/{i}', 'w') as target: target.write(source.read())

    @after(many)
    @ensure(lambda i: os.path.exists(f'other-{i}'))
    @job(array=['a', 'quoted "b"', 'x' * 100])
    def few(i):
        open(f'other-{i}', 'w').close()
        return i

    @after(few)
    @job(retries=1)
    def last():
        if os.path.exists('fails') and not os.path.exists('tried'):
            open('tried', 'w').close()
            raise ValueError('once')

    schedule(last)
"""


def project(workspace: Workspace) -> None:
    workspace.script(FLOW)
    workspace.write('out/.keep', '')
    for i in range(70):
        workspace.write(f'in/{i}', f'text {i}')


def test_what_a_run_keeps_of_its_records_is_what_its_journal_says(workspace: Workspace) -> None:
    project(workspace)
    ran = workspace.run()
    assert 'kept all' in ran.stdout, ran
    assert len(ran.executed) == 74 and not ran.failed
    assert workspace.again() == []
    workspace.write('in/3', 'another')
    ran = workspace.run()
    assert 'kept all' in ran.stdout and set(ran.executed) >= {'many[3]', 'last'}, ran
    assert workspace.again() == []


def test_of_a_run_in_which_a_task_was_tried_twice_the_journal_is_read(workspace: Workspace) -> None:
    project(workspace)
    workspace.write('fails', '')
    ran = workspace.run()
    assert 'kept nothing' in ran.stdout and not ran.failed, ran
    assert workspace.attempts()['last'].attempt == (0, 1)
    assert workspace.again() == []


def test_a_journal_that_somebody_else_wrote_to_is_read(tmp_path: Path) -> None:
    journal, written = Journal(Disk(), str(tmp_path), 'j'), Written()
    start = {'job': 'fit', 'task': '1', 'generation': 1, 'id': 'a'}
    end = {**start, 'final': True, 'outcome': 'succeeded'}
    for told, fields in ((written.start, start), (written.end, end)):
        line = frame(fields)
        told(line, 'fit', '1') if fields is start else told(line, fields)
        journal.put(line)
    sign = {'alive': 1.5}
    written.fact(frame(sign), sign)
    journal.append([sign])
    assert written.overlay(journal) is None  # not on the disk
    journal.sync()
    found = written.overlay(journal)
    assert found is not None and [record.outcome for record in found.records['fit'].values()] == ['succeeded']
    assert [*found.facts.values()] == [sign]
    journal.append([{'job': 'fit', 'task': '2', 'generation': 1, 'id': 'b'}])
    journal.sync()
    assert written.overlay(journal) is None


def test_a_start_that_was_never_noted_is_not_looked_for(tmp_path: Path) -> None:
    journal, written = Journal(Disk(), str(tmp_path), 'j'), Written()
    start = {'job': 'fit', 'task': '1', 'generation': 1, 'id': 'a'}
    end = {**start, 'final': True, 'outcome': 'succeeded'}
    given_back = frame({**start, 'id': 'of another attempt'})
    written.start(given_back, 'fit', '1')
    written.unstart(len(given_back), 'fit', '1')
    written.start(frame(start), 'fit', '1')
    written.end(frame(end), end)
    journal.append([start, end])
    journal.sync()
    found = written.overlay(journal)
    assert found is not None and [record.id for record in found.records['fit'].values()] == ['a']


def test_an_attempt_without_an_end_has_the_journal_read(tmp_path: Path) -> None:
    journal, written = Journal(Disk(), str(tmp_path), 'j'), Written()
    line = frame({'job': 'fit', 'task': '1', 'generation': 1, 'id': 'a'})
    written.start(line, 'fit', '1')
    journal.put(line)
    journal.sync()
    assert written.overlay(journal) is None


class Job:
    """As much of a job in a schedule as its lines are made of."""

    name, code = 'fit "x"', 'c' * 32


def test_the_line_of_a_start_that_is_put_together_is_the_one_that_an_encoder_writes() -> None:
    own = {'output paths': 'd' * 32, 'input caf\udce9/"a"\\b': 'absent'}
    attempt = Attempt('fit[1]', '("a", 1)', (0, 0), 0, {}, own)
    attempt.started = 1795634175.5491234
    lines = Lines('run "1"', [Job()], lambda task: 7)  # type: ignore[list-item]
    line = lines.start(attempt)
    assert line == frame(lines.fields(attempt))
    [said] = parse(line)
    assert said['own'] == own and said['task'] == '("a", 1)' and said['started'] == 1795634175.549
