r"""Lines of journals that need not be read: the start of an attempt of which the end is there too.

Every task leaves two lines, and once it has ended the first says nothing that the second does not: it has the same job, task,
generation, attempt and id, ranks lower, and is no attempt of its own that anybody is told of. Half the time that it takes
to read a big journal would go into such starts. So one is passed over when its bytes tell enough. Both lines of a run begin

    {"job":"estimate","task":"0","generation":1,"id":"<attempt id>","code":

and what is before `,"code":` is called the head here. Names of members stand between quotes, and a quote within a string has
a backslash before it; so in a line without backslashes `"final"` and the like can be searched for, and are found wherever they
are. That the head holds just these members is seen in the end, which is parsed. What is spelled in any other way is read.
"""

from __future__ import annotations

from itertools import islice

from awflow.state.journal import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CODE = b',"code":'
_HEAD = ['job', 'task', 'generation', 'id', 'code']


def without_starts(bodies: list[bytes]) -> list[dict[str, Any]]:
    """What lines say, but for starts of attempts that are seen to have ended.

    The end stands where its start did, so that tasks are met in the order in which they were started.
    """
    starts: dict[bytes, int] = {}
    ends: dict[int, int] = {}  # place of an end -> of its start
    for place, body in enumerate(bodies):
        head, code, rest = body.partition(_CODE)
        if b'"outcome"' in rest:
            start = starts.pop(head, None)
            if start is not None:
                ends[place] = start
        elif code and _is_start(body, rest):
            starts.setdefault(head, place)
    if not ends:
        return objects(bodies)
    passed = set(ends.values())
    read = [place for place in range(len(bodies)) if place not in passed]
    found: list[dict[str, Any] | None] = [None] * len(bodies)
    for place, obj in zip(read, objects([bodies[place] for place in read]), strict=True):
        start = ends.get(place)
        if start is None:
            found[place] = obj
        elif obj.get('final') is True and 'attempt' not in obj and list(islice(obj, len(_HEAD))) == _HEAD:
            found[start] = obj
        else:
            found[start], found[place] = objects([bodies[start]])[0], obj
    return [obj for obj in found if obj is not None]


def _is_start(body: bytes, rest: bytes) -> bool:
    """Whether it surely is the start of a first attempt, if there is an end with its head."""
    return b'"final"' not in rest and b'"attempt"' not in rest and b'\\' not in body
