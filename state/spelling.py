r"""What lines of journals say, told from how they are spelled.

To parse 100,000 ends and to make records of them takes the better part of a second, and most who read a journal ask for one
task, or for counts. Lines are spelled by our own writers: their members come in one of two orders, that of a run of this host
or that of a `Record`. A pattern of such an order tells where each member is, in a tenth of the time; what is spelled in any
other way is parsed.

What a pattern fits it reads as a parser does. Members are told apart by `,"` and a letter, and within a string there is no quote
without a backslash before it. So if a part of the pattern stopped within a string, at the `\"` of `"a\",...`, or at a brace in
it, then what the pattern finds next, `,"` and a letter, would end that string in the wrong place: such a line is no JSON.
"""

from __future__ import annotations

import re

from itertools import repeat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from awflow.state.record import Record

    Lines = bytes | tuple[bytes | Record, ...] | Record  # what is said of a task: as it was read, or what it says
    _Order = tuple[bytes, bytes, Sequence[int]]
    _Fits = Callable[[bytes], re.Match[bytes] | None]

    # Generation, whether it is final, outcome, start and end, peak of memory, whether more than its return vouches for it,
    # whether it was adopted: what is counted of tasks. As in a Record.
    Brief = tuple[int, bool, str, float, float, int, bool, bool]

_NAMED = rb'\{"job":"([^"\\]*)","task":"([^"\\]*)"'
_JOBS = 8  # that are looked for one after the other
_ODD = 16  # lines, likewise

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_PLAIN, _OBJECT, _NUMBER = rb'"[^"]*"', rb'\{[^}]*\}', rb'[-+.0-9e]+'
_CHECKS = rb'\[((?:\{"name":' + _TEXT + rb'[^}]*\},?)*)\]'
_ERROR = rb'\{"type":"[^"\\]*","line":' + _TEXT + rb'\}'


def _optional(*members: tuple[str, bytes]) -> bytes:
    return b''.join(b'(?:,"%b":%b)?' % (name.encode(), value) for name, value in members)


_BEGIN = rb'\{"job":"[^"]*","task":"[^"]*"'
_RUN_START = (
    _BEGIN + rb',"generation":([^,]*),"id":"([^"]*)","code":"[^"]*","run":"[^"]*"'
    + _optional(('shown', _TEXT), ('upstream', _OBJECT)) + rb',"started":([^,]*)' + _optional(('own', _OBJECT))
)  # fmt: skip
_RUN_END = (
    _RUN_START + rb',"outcome":"([^"]*)","end":"[^"]*","host":"[^"]*","ended":([^,]*),"final":true'
    + _optional(('outputs', rb'(\{[^}]*\})'), ('result', _OBJECT), ('error', _ERROR), ('exit', _NUMBER), ('checks', _CHECKS),
                ('user', _NUMBER), ('system', _NUMBER), ('rss', rb'([-+.0-9e]+)'), ('log', _PLAIN), ('pid', _NUMBER))
)  # fmt: skip
_RECORD_BEGIN = _BEGIN + _optional(('shown', _TEXT)) + rb',"generation":([^,]*)'
_RECORD_START = (
    _RECORD_BEGIN + rb',"id":"([^"]*)","code":"[^"]*"'
    + _optional(('upstream', _OBJECT), ('own', _OBJECT), ('host', _PLAIN), ('pid', _NUMBER), ('slurm', _OBJECT))
    + rb',"started":([-+.0-9e]+)' + _optional(('log', _PLAIN), ('run', _PLAIN))
)  # fmt: skip
_RECORD_END = (
    _RECORD_BEGIN + rb',"final":true,"outcome":"([^"]*)","id":"([^"]*)","end":"[^"]*","code":"[^"]*"'
    + _optional(('upstream', _OBJECT), ('own', _OBJECT), ('outputs', rb'(\{[^}]*\})'), ('result', _OBJECT), ('checks', _CHECKS),
                ('exit', _NUMBER), ('error', _ERROR), ('host', _PLAIN), ('pid', _NUMBER), ('slurm', _OBJECT))
    + rb',"started":([^,]*),"ended":([-+.0-9e]+)'
    + _optional(('user', _NUMBER), ('system', _NUMBER), ('rss', rb'([-+.0-9e]+)'), ('log', _PLAIN), ('run', _PLAIN))
)  # fmt: skip
# Of each order the patterns of a start and an end, and where the end has generation, id, start, outcome, end, outputs, checks and
# memory; the start has the first three in this order.
_ORDERS = (
    (_RUN_START, _RUN_END, (0, 1, 2, 3, 4, 5, 6, 7)),
    (_RECORD_START, _RECORD_END, (0, 2, 5, 1, 6, 3, 4, 7)),
)


def by_job(bodies: list[bytes]) -> tuple[list[tuple[str, list[str], list[bytes]]], list[bytes]] | None:
    """Lines by job, with the keys of their tasks, and those that name no task; None if that is not to be seen at once."""
    named, groups, odd, rest = re.compile(_NAMED).match, [], [], bodies
    while rest:
        first = named(rest[0])
        if first is None:
            odd.append(rest[0])
            rest = rest[1:]
        else:
            begin = first[0][: first.start(2)]
            at = len(begin)
            mine = [body for body in rest if body.startswith(begin)]
            spelled = b'\n'.join([body[at : body.find(b'"', at)] for body in mine])
            if b'\\' in spelled:
                return None
            groups.append((str(first[1], 'ascii'), str(spelled, 'ascii').split('\n'), mine))
            rest = [body for body in rest if not body.startswith(begin)] if len(mine) < len(rest) else []
        if len(groups) > _JOBS or len(odd) > _ODD:
            return None
    return groups, odd


def name_of(body: bytes) -> tuple[str, str] | None:
    """Job and key of the task that a line is about; None if that is not to be seen."""
    found = re.match(_NAMED, body)
    return (str(found[1], 'ascii'), str(found[2], 'ascii')) if found else None


def only(lines: Sequence[bytes | Record]) -> bytes | None:
    """Of lines about a task the one that says all that the others do: the end of an attempt whose start is the other."""
    if len(lines) != 2 or type(lines[1]) is not bytes:
        return None
    start, end = lines
    for begun, ended, places in _ORDERS:
        match = re.compile(ended).fullmatch(end)
        if match is not None:
            return end if _begins(start, end, re.compile(begun).fullmatch, match, places) else None
    return None


def briefs(told: Mapping[str, Lines]) -> tuple[dict[str, Brief], list[str]]:
    """What is counted of tasks, by key, as their lines say it; and the keys of those whose lines must be parsed."""
    found: dict[str, Brief] = {}
    rest: Collection[str] = told.keys()
    for order in _ORDERS:
        if rest:
            try:
                rest = _fitting(told, rest, order, found)
            except ValueError:  # a number that is none
                continue
    return found, list(rest)


def _fitting(told: Mapping[str, Lines], keys: Collection[str], order: _Order, found: dict[str, Brief]) -> list[str]:
    """Add what lines tell of which the members have this order; return the keys of the others."""
    starts, ends = re.compile(order[0]).fullmatch, re.compile(order[1]).fullmatch
    rest: list[str] = []
    over: list[str] = []
    said: list[tuple[bytes | None, ...]] = []
    for key in keys:
        lines = told[key]
        start, end = lines if type(lines) is tuple and len(lines) == 2 else (None, lines)
        match = ends(end) if type(end) is bytes else None
        if match is not None and (start is None or _begins(start, end, starts, match, order[2])):  # type: ignore[arg-type]
            over.append(key)
            said.append(match.groups())
        elif start is None and type(end) is bytes and (match := starts(end)):
            found[key] = (int(match[1]), False, '', float(match[3]), 0.0, 0, False, False)
        else:
            rest.append(key)
    columns = list(zip(*said, strict=True))
    if columns:
        found.update(zip(over, _ended(*(columns[place] for place in order[2])), strict=True))
    return rest


def _begins(start: bytes | Record, end: bytes, starts: _Fits, match: re.Match[bytes], places: Sequence[int]) -> bool:
    """Whether a line is the start of the attempt that the other ends, and so tells nothing that the other does not. Mostly the
    end begins as the start does, but for its last letter, a brace.
    """
    if type(start) is not bytes:
        return False
    if end.startswith(start[:-1]) and b'"final"' not in start:
        return True
    before = starts(start)
    return before is not None and before.group(1, 2) == match.group(places[0] + 1, places[1] + 1)


def _ended(
    generations: Sequence[bytes], _: Sequence[bytes], starts: Sequence[bytes], outcomes: Sequence[bytes], ends: Sequence[bytes],
    outputs: Sequence[bytes | None], checks: Sequence[bytes | None], peaks: Sequence[bytes | None],
) -> Iterator[Brief]:  # fmt: skip
    """What is counted of attempts that ended, by columns of what lines say."""
    words = {outcome: str(outcome, 'ascii') for outcome in set(outcomes)}
    numbers = {number: int(number) for number in set(generations)}
    vouched = [
        bool(made and made != b'{}') or bool(check and b',"when":"after"' in check)
        for made, check in zip(outputs, checks, strict=True)
    ]  # fmt: skip
    return zip(
        map(numbers.__getitem__, generations), repeat(True), map(words.__getitem__, outcomes), map(float, starts),
        map(float, ends), [int(peak or 0) for peak in peaks], vouched, repeat(False), strict=False,
    )  # fmt: skip
