r"""What lines of journals say, told from how they are spelled.

To parse 100,000 ends and to make records of them takes the better part of a second, and most who read a journal ask for one
task, or for counts. Lines are spelled by our own writers: their members come in one of two orders, that of a run of this host
or that of a `Record`. A pattern of such an order tells where each member is, in a tenth of the time; what is spelled in any
other way is parsed.

What a pattern fits it reads as a parser does. Members are told apart by `,"` and a letter, and within a string there is no
quote without a backslash before it. So if a part of the pattern stopped within a string, at the `\"` of `"a\",...`, or at a
brace in it, then what the pattern finds next, `,"` and a letter, would end that string in the wrong place: that is no JSON.
"""

from __future__ import annotations

import re

from awflow.state.briefs import Briefs
from awflow.state.journal import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from awflow.state.record import Record

    Lines = bytes | tuple[bytes | Record, ...] | Record  # what is said of a task: as it was read, or what it says
    Fits = Callable[[bytes], re.Match[bytes] | None]

_NAMED = rb'\{"job":"([^"\\]*)","task":"([^"\\]*)"'
_JOBS = 8  # that are looked for one after the other
_ODD = 16  # lines, likewise
FINAL = b'"final"'
_SAMPLED = 64  # lines among which one is looked for that is spelled as most
_SHAPES = 3  # sets of members that are looked for by themselves, which takes two thirds of the time

_TEXT = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_PLAIN, _OBJECT, _NUMBER = rb'"[^"]*"', rb'\{"[^}]*\}', rb'[-+.0-9e]+'
_CHECKS = rb'\[(?:\{"name":' + _TEXT + rb'[^}]*\},?)*\]'
_ERROR = rb'\{"type":"[^"\\]*","line":' + _TEXT + rb'\}'

_ALWAYS = ('job', 'task', 'generation', 'id', 'code', 'started', 'final', 'outcome', 'end', 'ended')
_COUNTED = ('generation', 'outcome', 'started', 'ended', 'outputs', 'checks', 'rss')
_VALUES = {
    'upstream': _OBJECT, 'own': _OBJECT, 'outputs': _OBJECT, 'result': _OBJECT, 'slurm': _OBJECT, 'checks': _CHECKS,
    'error': _ERROR, 'shown': _TEXT, 'final': b'true', 'generation': _NUMBER, 'started': _NUMBER, 'ended': _NUMBER,
    'exit': _NUMBER, 'user': _NUMBER, 'system': _NUMBER, 'rss': _NUMBER, 'pid': _NUMBER, 'signal': _NUMBER,
}  # fmt: skip
_ORDERS = (  # of the members of a start, and of an end
    ('job task generation id code run shown upstream started own',
     'job task generation id code run shown upstream started own outcome end host ended final outputs result error exit checks '
     'user system rss log pid signal'),
    ('job task shown generation id code upstream own host pid slurm started log run',
     'job task shown generation final outcome id end code upstream own outputs result checks exit signal error host pid slurm '
     'started ended user system rss log run'),
)  # fmt: skip


def _pattern(order: str, present: Collection[str] | None = None) -> re.Pattern[bytes]:
    """Of lines with the members of this order that are always there, and perhaps others; or with exactly those `present`. What
    is counted is a group of the member's name.
    """
    parts = []
    for name in order.split():
        if present is None or name in present:
            value = _VALUES.get(name, _PLAIN)
            if name in _COUNTED:
                value = (b'(?P<%b>)%b' if name == 'outputs' else b'(?P<%b>%b)') % (name.encode(), value)
            part = b',"%b":%b' % (name.encode(), value)
            parts.append(part if present is not None or name in _ALWAYS else b'(?:%b)?' % part)
    return re.compile(rb'\{' + b''.join(parts)[1:])


def by_job(bodies: list[bytes]) -> tuple[list[tuple[str, list[str], list[bytes]]], list[bytes]] | None:
    """Lines by job, with the keys of their tasks, and those that name no task; None if that is not to be seen at once."""
    groups: list[tuple[str, list[str], list[bytes]]] = []
    odd: list[bytes] = []
    rest = bodies
    while rest:
        first = re.match(_NAMED, rest[0])
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


def orders() -> list[tuple[Fits, Fits]]:
    """What fits a start, and an end, in each of the orders."""
    return [(_pattern(begun).fullmatch, _pattern(ended).fullmatch) for begun, ended in _ORDERS]


def only(lines: Sequence[bytes | Record], known: Sequence[tuple[Fits, Fits]]) -> bytes | None:
    """Of lines about a task the one that says all that the others do: the end of an attempt whose start is the other."""
    if len(lines) == 2:
        start, end = lines
        if type(start) is bytes and type(end) is bytes:
            for starts, ends in known:
                if ends(end):
                    return end if _begins(start, end, starts) else None
    return None


def _begins(start: bytes, end: bytes, starts: Fits) -> bool:
    """Whether a line is the start of the attempt that the other ends, and so tells nothing that the other does not. Mostly the
    end begins as the start does, but for its last letter, a brace.
    """
    if end.startswith(start[:-1]) and FINAL not in start:
        return True
    if not starts(start):
        return False
    at, then, last = (start.find(name) for name in (b',"generation":', b',"id":', b',"code":'))
    generation, attempt = start[at : then + 1], start[then : last + 1]
    return end.startswith(generation, end.find(b',"generation":')) and end.startswith(attempt, end.find(b',"id":'))


def briefs(told: Mapping[str, Lines]) -> tuple[Briefs, list[str]]:
    """What is counted of tasks, by key, as their lines say it; and the keys of those whose lines must be parsed."""
    found = Briefs()
    rest = list(told.items())
    for begun, ended in _ORDERS:
        starts, ends = _pattern(begun), _pattern(ended)
        for _ in range(_SHAPES):
            lines = [_last(told) for _, told in rest[:_SAMPLED]]
            sample = next((line for line in lines if type(line) is bytes and ends.fullmatch(line)), None)
            if sample is not None:
                rest = _ended(rest, _pattern(ended, objects([sample])[0]), starts.fullmatch, found)
        rest = _running(_ended(rest, ends, starts.fullmatch, found), starts, found)
    return found, [key for key, _ in rest]


def _last(lines: Lines) -> bytes | Record:
    return lines[-1] if type(lines) is tuple else lines  # type: ignore[return-value]


def _ended(told: list[tuple[str, Lines]], pattern: re.Pattern[bytes], starts: Fits, found: Briefs) -> list[tuple[str, Lines]]:
    """Add what is told of attempts that ended, of lines that fit the pattern; return the others."""
    ends = pattern.fullmatch
    rest: list[tuple[str, Lines]] = []
    keys: list[str] = []
    over: list[re.Match[bytes]] = []
    for key, lines in told:
        start, end = lines if type(lines) is tuple and len(lines) == 2 else (None, lines)
        match = ends(end) if type(end) is bytes else None
        if match is not None and (start is None or (type(start) is bytes and (
            (end.startswith(start[:-1]) and FINAL not in start) or _begins(start, end, starts)  # type: ignore[union-attr,arg-type]
        ))):  # fmt: skip
            keys.append(key)
            over.append(match)
        else:
            rest.append((key, lines))
    try:
        _add(found, keys, _columns(pattern, over))
    except ValueError:  # a number that is none
        return told
    return rest


def _running(told: list[tuple[str, Lines]], pattern: re.Pattern[bytes], found: Briefs) -> list[tuple[str, Lines]]:
    """The same of attempts that did not end."""
    begun = [(key, match) for key, lines in told if type(lines) is bytes and (match := pattern.fullmatch(lines))]
    keys = [key for key, _ in begun]
    try:
        _add(found, keys, _columns(pattern, [match for _, match in begun]))
    except ValueError:
        return told
    known = set(keys)
    return [(key, lines) for key, lines in told if key not in known]


def _columns(pattern: re.Pattern[bytes], matches: list[re.Match[bytes]]) -> dict[str, Sequence[bytes | None]]:
    """What the groups hold, by name."""
    found = zip(*[match.groups() for match in matches], strict=True)
    return {name: column for (name, _), column in zip(sorted(pattern.groupindex.items(), key=_place), found, strict=False)}


def _place(group: tuple[str, int]) -> int:
    return group[1]


def _add(found: Briefs, keys: list[str], told: dict[str, Sequence[bytes | None]]) -> None:
    """Append what columns of numbers and words say."""
    nothing = [None] * len(keys)
    outcomes, generations = told.get('outcome', nothing), told.get('generation', nothing)
    words = {word: str(word, 'ascii')[1:-1] if word else '' for word in set(outcomes)}
    numbers = {number: int(number or 0) for number in set(generations)}
    started = list(map(float, told.get('started', ())))  # type: ignore[arg-type]
    ended = list(map(float, told['ended'])) if 'ended' in told else [0.0] * len(keys)  # type: ignore[arg-type]
    rss = [int(peak or 0) for peak in told['rss']] if 'rss' in told else [0] * len(keys)
    vouched = [made is not None for made in told.get('outputs', nothing)]
    for place, check in enumerate(told.get('checks', ())):
        vouched[place] |= check is not None and b',"when":"after"' in check
    found.names += keys
    found.generation += map(numbers.__getitem__, generations)
    found.final += ['outcome' in told] * len(keys)
    found.outcome += map(words.__getitem__, outcomes)
    found.started += started
    found.ended += ended
    found.rss += rss
    found.vouched += vouched
    found.adopted += [False] * len(keys)
