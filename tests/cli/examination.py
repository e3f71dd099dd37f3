"""What `awflow doctor` says, taken apart."""

from __future__ import annotations

import json
from typing import Any

from awflow.cli.checks.findings import Part
from tests.cli.conftest import Result


def parts(done: Result) -> dict[str, Any]:
    """The parts of --json by name."""
    return {part['part']: part for part in json.loads(done.out)['parts']}


def text_of(done: Result, part: str) -> str:
    """What is printed of one part, in one line."""
    lines = done.out.splitlines()
    first = lines.index(part) + 1
    last = next((at for at in range(first, len(lines)) if not lines[at].startswith(' ')), len(lines))
    return ' '.join(' '.join(lines[first:last]).split())


def said(part: Part, verdict: str) -> str:
    return '; '.join(f'{finding.what} {finding.does}' for finding in part.findings if finding.verdict == verdict)
