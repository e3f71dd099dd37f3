"""What a node writes of its tasks: that they begin, how they end, and what settles those that do not run."""

from __future__ import annotations

import os
from time import time

from awflow.identity import with_parts
from awflow.proofs import history_of
from awflow.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from awflow.backends.slurm.element import Element, Row
    from awflow.state.grant import Grant


class Chronicle:
    """The journal of a claim, as one element writes it. Everything is on the disk when a call returns."""

    def __init__(self, element: Element, grant: Grant, slurm: dict[str, Any]) -> None:
        self.element = element
        self.grant = grant
        self.slurm = slurm  # the ids that every record repeats

    def settle(self, row: Row, how: str, end: str) -> None:
        """A task ends without an attempt: its record stays as it is."""
        self._write({'settled': how, 'job': self.element.job, 'key': row.key, 'end': end})

    def sign(self, row: Row, rss: int, asked: int) -> None:
        """A sign of life. `rss` is bytes, `asked` MiB."""
        self._write({'alive': round(time(), 3), 'job': self.element.job, 'key': row.key, 'rss': rss, 'asked': asked})

    def begin(self, row: Row) -> None:
        """An attempt starts: without an end on record it counts as crashed."""
        row.started = time()
        self._put(row, final=False, started=row.started, checks=row.fragment.get('history') or [])

    def end(self, row: Row, final: bool, outcome: str, report: dict[str, Any], **usage: Any) -> None:
        """An attempt ended; `final` if no other follows."""
        if report.get('inputs'):
            partners = {name: end for name, end in row.own.items() if name.startswith('upstream ')}
            row.own = {**with_parts(row.planned_own, report['inputs'], {}), **partners}
        row.succeeded = final and outcome == 'succeeded'
        checks = report.get('checks', row.fragment.get('history') or [])
        row.fragment['history'] = history_of(checks)  # for a retry
        self._put(
            row, final=final, outcome=outcome, end=report.get('end', row.id) if outcome == 'succeeded' else row.id,
            outputs={path: list(content) for path, content in report.get('outputs', {}).items()},
            result=report.get('result'), checks=checks, lint=report.get('lint'), exit=report.get('exit'),
            inputs_changed=report.get('inputs_changed', []), error=report.get('error'), started=row.started, ended=time(),
            **usage,
        )  # fmt: skip

    def _put(self, row: Row, **fields: Any) -> None:
        element = self.element
        self._write(Record(**{
            'job': element.job, 'task': row.key, 'generation': element.number, 'run': element.head['run'], 'id': row.id,
            'attempt': (element.restart, row.retry), 'code': element.head['code'], 'upstream': row.upstream, 'own': row.own,
            'shown': row.fragment.get('shown', ''), 'why': [{'kind': 'retry'}] if row.retry else row.why,
            'host': os.uname().nodename, 'slurm': self.slurm, **fields,
        }).to_dict())  # fmt: skip

    def _write(self, fields: dict[str, Any]) -> None:
        self.grant.journal.append([fields])
        self.grant.sync()
