"""Outcomes as dependents compare them. Of a task that declares its outputs: equal bytes are an equal outcome."""

from __future__ import annotations

import os

from xxhash import xxh3_128, xxh3_128_digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

UNKNOWN: Final = bytes(16)  # the outcome of a task that never ran: equal only to itself


def outcome_digest(outputs: Mapping[str, Sequence[Any]], result: str | None) -> str:
    """One digest of the outputs (path -> [digest, size]) and of the stored result's digest, if there is one."""
    digest = xxh3_128()
    for path, content in sorted(outputs.items()):
        name = os.fsencode(path)
        digest.update(b'%d:%s=%s\n' % (len(name), name, str(content[0]).encode('ascii')))
    if result is not None:
        digest.update(b'result=' + result.encode('ascii'))
    return digest.hexdigest()


def job_end(ends: Sequence[bytes]) -> bytes:
    """The outcome of a job: its elements' in array order; of a single task, its own."""
    return ends[0] if len(ends) == 1 else xxh3_128_digest(b''.join(ends))


def skipped_end(upstreams: Sequence[bytes]) -> bytes:
    """The outcome of a skipped task."""
    return xxh3_128_digest(b'skipped' + b''.join(upstreams))
