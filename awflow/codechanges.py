"""How the code of a job differs from the code on record, component by component."""

from __future__ import annotations

from awflow.fingerprint import difference, shown
from awflow.fingerprint.components import WITH_SOURCE
from awflow.reasons import Reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def code_reasons(old: Mapping[str, str], new: Mapping[str, str]) -> Sequence[Reason]:
    """How two sets of code components differ; of code with what it was and is."""
    reasons = []
    for name, before, after in difference(dict(old), dict(new)):
        kind = 'changed' if before is not None and after is not None else 'added' if before is None else 'removed'
        reason = Reason(kind, name, shown(before or '') or None, shown(after or '') or None)
        if name.startswith(WITH_SOURCE):
            reason.was, reason.now = before or '', after or ''
        reasons.append(reason)
    return reasons
