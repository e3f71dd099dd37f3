"""Of big journals lines are kept, and told apart by how they are spelled: nobody can tell but by the time it takes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xxhash import xxh3_64_hexdigest

from awflow.state import journal, record, sums
from awflow.state.fold import fold
from awflow.state.journal import Pieces, frame, objects
from awflow.state.overlay import Overlay
from awflow.state.rows import Rows
from awflow.state.table import Table
from tests.state.staging import digest

END = {'outcome': 'succeeded', 'end': digest(7), 'host': 'node1', 'ended': 2.5, 'final': True, 'exit': 0}
ODD: list[dict[str, Any]] = [
    {}, {}, {}, {'attempt': [0, 1]}, {'attempt': [0, 0]}, {'final': False}, {'outcome': 'failed', 'final': False}, {'outcome': ''},
    {'own': {'outcome': digest(1), 'final': digest(2)}}, {'newer': {'id': 'x', 'code': 'y', 'final': True}}, {'note': '"final":true'},
    {'note': ',"code":'}, {'id': ''}, {'id': digest(99)}, {'generation': 2}, {'shown': 'π {['}, {'upstream': {'a': digest(3)}},
]  # fmt: skip


ORDERS = ([], ['job', 'code'], ['final', 'started', 'code', 'id', 'generation', 'task'])  # members that come first


def attempts() -> st.SearchStrategy[list[dict[str, Any]]]:
    """The start and the end of an attempt; of one that runs only the start, and some are odd."""
    odd = st.sampled_from(ODD)
    return st.builds(
        _attempt, st.sampled_from(['fit', 'fit', 'fi"t', 'f{i}', 'f[0]']), st.sampled_from(['0', '0', '1', 'a,"code":']),
        st.integers(0, 2), odd, odd, st.sampled_from([{}, {'attempt': [0, 1]}]), st.booleans(), st.sampled_from(ORDERS),
    )  # fmt: skip


def _attempt(
    job: str, task: str, number: int, odd: dict[str, Any] = ODD[0], odder: dict[str, Any] = ODD[0],
    oddest: dict[str, Any] = ODD[0], ended: bool = True, order: list[str] = ORDERS[0],
) -> list[dict[str, Any]]:  # fmt: skip
    """`odd` is in both lines, `odder` at the end, `oddest` at the start."""
    told = {
        'job': job,
        'task': task,
        'generation': 1,
        'id': digest(number),
        'code': digest(50),
        'run': 'r',
        'started': 1.5,
        **odd,
    }
    lines = [{**told, **oddest}, {**told, **END, **odder}][: 1 + ended]
    return [{**{name: line[name] for name in order if name in line}, **line} for line in lines]


@st.composite
def journals(draw: st.DrawFn) -> bytes:
    """What an orderly or a careless writer may have left, cut and flipped here and there."""
    lines = [line for attempt in draw(st.lists(attempts(), max_size=12)) for line in attempt] + [{'alive': 1.5}]
    frames = [frame(line) for line in lines]
    frames += draw(st.lists(st.sampled_from(frames), max_size=4))
    if draw(st.booleans()):
        random.Random(draw(st.integers(0, 9))).shuffle(frames)
    data = bytearray(b''.join(frames))
    for at in draw(st.lists(st.integers(0, len(data) - 1), max_size=3)):
        data[at] ^= draw(st.sampled_from([1, 0x20, data[at]]))
    return bytes(data[: draw(st.sampled_from([len(data), draw(st.integers(0, len(data)))]))])


def plainly(data: bytes) -> tuple[list[dict[str, Any]], list[int]]:
    """The objects line by line, as the specification says, and where there is none."""
    found: list[dict[str, Any]] = []
    bad: list[int] = []
    at = 0
    for line in data.split(b'\n'):
        body, mark, tail = line.rpartition(b',"sum":"')
        if mark and tail == xxh3_64_hexdigest(body).encode() + b'"}':
            found.append(json.loads(body + b'}'))
        elif line:
            bad.append(at)
        at += len(line) + 1
    return found, bad


def believed(overlay: Overlay) -> dict[str, list[tuple[str, dict[str, Any], list[dict[str, Any]]]]]:
    """The record and the earlier attempts of each task, in the order of the rows, and what a snapshot tells of them."""
    found = {}
    for job in overlay.records:
        rows = Rows(job, None, [overlay.records[job]], ())
        found[job] = [(key, rows.record(row).to_dict(), rows.earlier(row)) for row, key in enumerate(rows.keys)]
    return found


@pytest.fixture(params=[(1 << 20, 1 << 20), (1 << 20, 700), (300, 1 << 20), (1, 64)])
def sizes(request: pytest.FixtureRequest) -> Iterator[None]:
    """Pieces that are read, and parts that are parsed at a time, in bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(journal, '_FEW', 0)
        patch.setattr(journal, 'PIECE', request.param[0])
        patch.setattr(journal, '_PART', request.param[1])
        yield


@pytest.mark.usefixtures('sizes')
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(journals(), st.integers(0, 3000))
def test_what_is_believed_is_what_reading_line_by_line_says(data: bytes, middle: int) -> None:
    objs, bad = plainly(data)
    expected = Overlay().extended(objs)
    whole = Pieces(lambda at, size: data[at : at + size], 0)
    found = whole.onto(Overlay())
    assert believed(found) == believed(expected)
    assert found.facts == expected.facts
    assert (whole.bad, whole.end, whole.holed) == (bad, len(data), any(b'\0' in data[at:].split(b'\n')[0] for at in bad))

    first = Pieces(lambda at, size: data[:middle][at : at + size], 0)  # as one who looks twice at a journal that grows
    overlay = first.onto(Overlay())
    second = Pieces(lambda at, size: data[at : at + size], first.resume)
    again = second.onto(overlay)
    both = Overlay().extended(plainly(data[:middle])[0] + objs)  # a line may be whole only as long as nothing follows it
    assert in_any_order(again) == in_any_order(both)
    assert again.facts == both.facts


def in_any_order(overlay: Overlay) -> dict[str, Any]:
    return {job: sorted(rows, key=str) for job, rows in believed(overlay).items()}


@given(st.lists(attempts(), min_size=1, max_size=12), st.integers(1, 400))
def test_exactly_the_bytes_that_are_named_are_read(told: list[list[dict[str, Any]]], limit: int) -> None:
    data = b''.join(frame(line) for attempt in told for line in attempt)
    named = Pieces(lambda at, size: data[at : at + size], 0, limit)
    assert believed(named.onto(Overlay())) == believed(Overlay().extended(plainly(data[:limit])[0]))
    assert named.end == min(limit, len(data))


def spelled(told: dict[str, Any], then: str = '') -> bytes:
    """A line that another program wrote."""
    body = json.dumps(told, separators=(',', ':'))[:-1].encode() + then.encode()
    return b'\n%b,"sum":"%b"}\n' % (body, xxh3_64_hexdigest(body).encode())


START = {'job': 'fit', 'task': '0', 'generation': 1, 'id': digest(0), 'code': digest(50), 'started': 1.5}


@pytest.mark.parametrize(
    ('start', 'end'),
    [
        pytest.param(spelled(START), spelled({**START, **END, 'attempt': [0, 1]}), id='another attempt ended'),
        pytest.param(spelled({**START, 'attempt': [0, 1]}), spelled({**START, **END}), id='a later attempt started'),
        pytest.param(spelled(START), spelled({**START, **END, 'final': False}), id='a retry follows'),
        pytest.param(spelled({**START, 'final': True}), spelled({**START, **END}), id='what began is final'),
        pytest.param(spelled(START, r',"\u0061ttempt":[0,1]'), spelled({**START, **END}), id='a member in disguise'),
        pytest.param(
            spelled({'job': 'fit', 'code': digest(50), **START}),
            spelled({'job': 'fit', 'code': digest(50), **START, **END, 'task': '1'}),
            id='the end of another task',
        ),
    ],
)
def test_a_start_that_says_more_than_the_end_is_read(start: bytes, end: bytes) -> None:
    objs, _ = plainly(start + end)
    assert len(objs) == 2
    found = Overlay().with_lines([[start.strip()[:-26], end.strip()[:-26]]])
    assert believed(found) == believed(Overlay().extended(objs)) != believed(Overlay().extended(objs[1:]))


def test_of_a_run_as_it_is_written_only_ends_are_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    told = [_attempt('fit', str(task), task, ended=task < 99) for task in range(100)]
    bodies = [frame(line).strip()[:-26] for place in range(2) for lines in told for line in lines[place : place + 1]]
    parsed: list[bytes] = []
    monkeypatch.setattr(journal, 'objects', lambda some: parsed.extend(some) or objects(some))
    found = Overlay().with_lines([bodies]).records['fit']
    assert list(found) == [str(task) for task in range(100)] and not parsed
    assert found['7'].outcome == 'succeeded' and len(parsed) == 1
    assert [record.task for record in found.values()] == list(found)
    assert len(parsed) == 100 and sum(b'"outcome"' in line for line in parsed) == 99


# What runs of this host, and workers of Slurm through a Record, write of an attempt: in the order in which they write it.
PARTS: list[dict[str, Any]] = [
    {}, {'own': {'output paths': digest(1)}}, {'own': {'input a}b': digest(2), 'value': digest(3)}}, {'upstream': {'a?any': digest(4)}},
    {'shown': '["\\"x", {1}]'}, {'shown': 'é'}, {'attempt': [0, 2]}, {'attempt': [1, 0]}, {'why': [{'kind': 'retry'}]}, {'run': 'r"1'},
]  # fmt: skip
ENDS: list[dict[str, Any]] = [
    {}, {'outputs': {'a/b': [digest(5), 3]}}, {'outputs': {'odd "}': [digest(5), 3], 'final': [digest(6), 0]}}, {'exit': 0},
    {'result': {'file': 'f', 'at': 3, 'bytes': 7, 'digest': digest(7)}}, {'error': {'type': 'E', 'line': 'no "a" in {b}'}},
    {'checks': [{'name': 'exists("x[0]}")', 'when': 'after', 'ok': True, 'seconds': 5e-06}]},
    {'checks': [{'name': ',"when":"after"', 'when': 'before', 'ok': True}]}, {'checks': [{'name': 'é', 'error': 'a]}"'}] * 2},
    {'rss': 4096, 'user': 0.25, 'system': 0.0}, {'log': 'logs/a,"pid":3'}, {'pid': 17}, {'signal': 9}, {'adopted': True},
    {'outcome': 'failed'}, {'outcome': 'timeout', 'ended': 1.0}, {'final': False}, {'ended': 0.0}, {'inputs_changed': ['a']},
]  # fmt: skip
IN_ORDER = 'job task generation id code run shown attempt upstream why started own outcome end host ended final outputs result '
IN_ORDER += 'inputs_changed error exit checks user system rss log pid signal adopted'


@st.composite
def told(draw: st.DrawFn) -> list[dict[str, Any]]:
    """The start and the end of an attempt, or one of them, as one of the two writers spells it."""
    start: dict[str, Any] = {
        'job': 'fit', 'task': draw(st.sampled_from(['0', '1', '2', '-', "'a'", 'a"b'])), 'generation': draw(st.integers(1, 2)),
        'id': digest(draw(st.integers(0, 3))), 'code': digest(50), 'run': 'r', 'started': draw(st.sampled_from([1.5, 2.25, 3])),
    }  # fmt: skip
    for part in draw(st.lists(st.sampled_from(PARTS), max_size=2)):
        start |= part
    end = {**start, **END, 'started': draw(st.sampled_from([start['started'], 2.0]))}
    for part in draw(st.lists(st.sampled_from(ENDS), max_size=4)):
        end |= part
    lines = draw(st.sampled_from([[start, end], [start, end], [start], [end], [start, start], [end, end], [end, start]]))
    if draw(st.booleans()):
        return [record.Record.from_dict(line).to_dict() for line in lines]
    return [{name: line[name] for name in IN_ORDER.split() if name in line} for line in lines]


def counted(rows: Rows) -> dict[int, tuple[Any, ...]]:
    briefs = rows.briefs()
    columns = (getattr(briefs, name) for name in briefs.__slots__ if name != 'names')
    return dict(zip(briefs.names, zip(*columns, strict=True), strict=True))


@settings(deadline=None, max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(told(), min_size=1, max_size=12), st.integers(1, 5), st.randoms(use_true_random=False), st.booleans())
def test_tasks_are_counted_as_their_records_say(
    attempts: list[list[dict[str, Any]]], parts: int, shuffle: random.Random, orderly: bool
) -> None:
    lines = [line for attempt in attempts for line in attempt]
    if not orderly:
        shuffle.shuffle(lines)
    bodies = [frame(line).strip()[:-26] for line in lines]
    plain = Overlay().extended(lines)
    kept = Overlay().with_lines(
        [bodies[place::1][: len(bodies) // parts + 1] for place in range(0, len(bodies), len(bodies) // parts + 1)]
    )
    one, other = (Rows('fit', None, [overlay.records['fit']], {2}) for overlay in (plain, kept))
    assert one.keys == other.keys
    assert counted(one) == counted(other)
    assert [{n: each.to_list() for n, each in summed(rows).items()} for rows in (one,)] == [sums_of(other)]
    for row in range(len(one)):
        assert (one.outcome(row), one.final(row), one.generation(row)) == (
            other.outcome(row),
            other.final(row),
            other.generation(row),
        )
    for text in ('a/b', 'odd "}', 'input a}b', 'é'):
        holding = {row for row in range(len(one)) if text in str(one.record(row).to_dict())}
        assert holding <= set(other.mentioning([text, 'nowhere']))
    assert believed(kept) == believed(plain)


def summed(rows: Rows) -> dict[int, sums.Sum]:
    return sums.summed(rows.over.values())


def sums_of(rows: Rows) -> dict[int, list[Any]]:
    return {number: each.to_list() for number, each in sums.of_rows(rows)}


@settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(told(), min_size=1, max_size=8), st.lists(told(), min_size=1, max_size=8), st.booleans())
def test_what_is_kept_as_lines_is_put_together_as_records_are(
    first: list[list[dict[str, Any]]], second: list[list[dict[str, Any]]], folded: bool
) -> None:
    found = []
    for way in ('extended', 'with_lines'):
        overlays = []
        for attempts in (first, second):
            lines = [line for attempt in attempts for line in attempt]
            parts = lines if way == 'extended' else [[frame(line).strip()[:-26] for line in lines]]
            overlays.append(getattr(Overlay(), way)(parts).records['fit'])
        base = Table(fold([Rows('fit', None, overlays[:1], ())], {}, {'live': {}})).base('fit') if folded else None
        rows = Rows('fit', base, overlays[folded:], {2})
        states = [(rows.outcome(row), rows.final(row), rows.generation(row), rows.code(row)) for row in range(len(rows))]
        count = counted(rows)
        found.append((list(rows.keys), states, count, {row: [r.id for r in lower] for row, lower in rows.under.items() if lower},
                      [(rows.record(row).to_dict(), rows.earlier(row)) for row in range(len(rows))]))  # fmt: skip
    assert found[0] == found[1]


def test_lines_as_runs_write_them_are_counted_without_being_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for task in range(200) for line in _attempt('fit', str(task), task, ended=task % 9 > 0)]
    slurm = [record.Record.from_dict({**line, 'task': f'1{line["task"]}', 'slurm': {'job': '7'}}).to_dict() for line in lines]
    for written in (lines, slurm):
        expected = counted(Rows('fit', None, [Overlay().extended(written).records['fit']], ()))
        kept = Overlay().with_lines([[frame(line).strip()[:-26] for line in written]]).records['fit']
        with monkeypatch.context() as patch:
            patch.setattr(journal, 'objects', lambda some: pytest.fail('parsed') if len(some) > 1 else objects(some))
            assert counted(Rows('fit', None, [kept], ())) == expected


def test_a_line_that_is_no_object_is_not_mended_by_its_neighbour() -> None:
    halves = [b'{"job":"fit","task":"0","note":"}', b'","task":"1"']  # right sums over wrong bytes: no writer does so
    with pytest.raises(ValueError, match=r'JSON|Expecting|Unterminated|Invalid'):
        objects([halves[0][:-1], halves[1]])
    assert objects([b'{"a":1', b'{"b":2']) == [{'a': 1}, {'b': 2}]


def test_a_snapshot_keeps_every_member_of_records_that_differ_in_all() -> None:
    full: dict[str, Any] = {
        'job': 'fit', 'generation': 3, 'attempt': [0, 70_000], 'final': True, 'outcome': 'odd', 'id': digest(1), 'end': digest(2),
        'code': digest(3), 'upstream': {'a': digest(4)}, 'own': {'output paths': record.names_digest(['o'])}, 'outputs': {'o': [digest(5), 7]},
        'result': {'file': 'f', 'at': 0, 'bytes': 3}, 'checks': [{'name': 'c', 'when': 'after', 'ok': True}], 'exit': 0, 'lint': {},
        'started': 10.1234, 'ended': 20.5678, 'user': 1.00049, 'why': [{'kind': 'retry'}], 'newer': {'x': 1},
    }  # fmt: skip
    others = [{'job': 'fit', 'task': str(number), 'generation': 3, 'id': digest(number), 'ended': 5.0} for number in (1, 2)]
    overlay = Overlay().extended([{**full, 'task': '0'}, *others])
    rows = Rows('fit', None, [overlay.records['fit']], ())
    base = Table(fold([rows], {}, {'live': {}})).base('fit')
    assert base is not None
    assert [base.record(row).to_dict() for row in range(3)] == [rows.record(row).to_dict() for row in range(3)]
