"""Declaring a task up to date although something differs: what would change in its record. Pure.

What is accepted is the difference between what the record says was used and what there is now, all of it or the parts that
were asked for. The attempt stays the one that it was, so nothing below runs; unless its outputs are accepted as they are now,
which is another outcome.
"""

from __future__ import annotations

import os

from awflow.codechanges import code_reasons
from awflow.outcome import outcome_digest
from awflow.reasons import Reason
from awflow.subject import code_digest
from awflow.verdict import differences

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from awflow.state.record import Record

# Parts that may be asked for, besides the name of any one component.
PARTS: Final = ('code', 'inputs', 'outputs', 'upstreams', 'paths', 'value')


class Acceptance:
    """One task: its record as it would be, what is accepted for that, and what is left and makes it run all the same."""

    __slots__ = ('accepted', 'components', 'left', 'record')

    def __init__(self, record: Record, now: Mapping[str, Any], parts: Sequence[str], declares: bool, codes: Codes) -> None:
        self.accepted: list[Reason] = []
        self.left: list[Reason] = []
        code = codes.mixed(record.code, now['code'], parts)
        self.components = code.components
        self.accepted += code.accepted
        self.left += code.left
        own = self._own(record, now, parts)
        upstream = self._upstream(record, now, parts)
        outputs = self._outputs(record, now, parts)
        changes: dict[str, Any] = {}
        if outputs != record.outputs:
            changes = {'id': os.urandom(16).hex()}
            stored = str(record.result['digest']) if record.result else None
            changes['end'] = outcome_digest(outputs, stored) if declares else changes['id']
        self.record = record.replace(
            code=code.digest, own=own, upstream=upstream, outputs=outputs, accepted=True, why=[], **changes
        )

    def _sort(self, part: str, reason: Reason, parts: Sequence[str], name: str = '') -> bool:
        takes = not parts or part in parts or reason.name in parts or name in parts
        (self.accepted if takes else self.left).append(reason)
        return takes

    def _own(self, record: Record, now: Mapping[str, Any], parts: Sequence[str]) -> dict[str, str]:
        own = dict(record.own)
        for reason in differences(record.own, now['own'], sorted(record.outputs), sorted(now['outputs'])):
            kind = reason.name.partition(' ')[0]
            part = {'input': 'inputs', 'upstream': 'upstreams', 'output': 'paths'}.get(kind, kind)
            if part == 'paths' and any(content is None for content in now['outputs'].values()):
                self.left.append(reason)  # what is not there cannot be accepted
                continue
            shown = Reason('upstream changed', reason.name.partition(' ')[2]) if part == 'upstreams' else reason
            if self._sort(part, shown, parts, reason.name):
                own.pop(reason.name, None)
                own.update({name: digest for name, digest in now['own'].items() if name == reason.name})
        return own

    def _upstream(self, record: Record, now: Mapping[str, Any], parts: Sequence[str]) -> dict[str, str]:
        upstream = dict(record.upstream)
        for reason in differences(record.upstream, now['upstream']):
            named = Reason('upstream changed' if reason.kind == 'changed' else reason.kind, reason.name)
            if self._sort('upstreams', named, parts, f'upstream {reason.name}'):
                upstream.pop(reason.name, None)
                upstream.update({name: end for name, end in now['upstream'].items() if name == reason.name})
        return upstream

    def _outputs(self, record: Record, now: Mapping[str, Any], parts: Sequence[str]) -> dict[str, list[Any]]:
        there = {path: content for path, content in now['outputs'].items() if content is not None}
        if any(reason.name == 'output paths' for reason in self.accepted):
            return there
        outputs = dict(record.outputs)
        for path in record.outputs:
            if path not in there:
                if path in now['outputs']:
                    self.left.append(Reason('output absent', path))
            elif there[path][0] != record.outputs[path][0] and self._sort(
                'outputs', Reason('output changed', path), parts, f'output {path}'
            ):
                outputs[path] = there[path]
        return outputs


class Mixed:
    """Code components of which some are taken as they are now and the others stay as they were."""

    __slots__ = ('accepted', 'components', 'digest', 'left')

    def __init__(self, old: Mapping[str, str], new: Mapping[str, str], parts: Sequence[str]) -> None:
        changes = code_reasons(old, new)
        self.accepted = [reason for reason in changes if not parts or 'code' in parts or reason.name in parts]
        self.left = [reason for reason in changes if reason not in self.accepted]
        taken, stays = {reason.name for reason in self.accepted}, {reason.name for reason in self.left}
        self.components = {name: text for name, text in old.items() if name not in taken}
        self.components.update({name: text for name, text in new.items() if name not in stays})
        self.digest = code_digest(self.components)


class Codes:
    """What digests of code stand for, in the state and in the script; tasks of one job mostly differ in the same way."""

    def __init__(self, *known: Mapping[str, Mapping[str, str]]) -> None:
        self._known = known
        self._mixed: dict[tuple[str, str], Mixed] = {}

    def mixed(self, old: str, new: str, parts: Sequence[str]) -> Mixed:
        """The code of a record after it was accepted."""
        if (old, new) not in self._mixed:
            self._mixed[old, new] = Mixed(self._of(old), self._of(new), parts)
        return self._mixed[old, new]

    def _of(self, digest: str) -> Mapping[str, str]:
        return next((codes[digest] for codes in self._known if digest in codes), {})
