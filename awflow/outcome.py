"""The outcome of a task that declares its outputs, as dependents compare it: equal bytes are an equal outcome."""

from __future__ import annotations

import os

from xxhash import xxh3_128

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


def outcome_digest(outputs: Mapping[str, Sequence[Any]], result: str | None) -> str:
    """One digest of the outputs (path -> [digest, size]) and of the stored result's digest, if there is one."""
    digest = xxh3_128()
    for path, content in sorted(outputs.items()):
        name = os.fsencode(path)
        digest.update(b'%d:%s=%s\n' % (len(name), name, str(content[0]).encode('ascii')))
    if result is not None:
        digest.update(b'result=' + result.encode('ascii'))
    return digest.hexdigest()
