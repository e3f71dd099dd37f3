"""Whether a task runs, decided on its node: its edges from the records, its identity beside the one on record."""

from __future__ import annotations

from time import monotonic, sleep

from awflow.backends.slurm import manifest
from awflow.backends.slurm.cone import Cone, edges
from awflow.backends.visibility import PATIENCE, awaited, freshen, visible
from awflow.identity import local_part, unchanged, upstream_part, with_parts
from awflow.state.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from awflow.backends.slurm.element import Element, Row
    from awflow.state.view import State

SUSPICIOUS: Final = 3.0  # seconds without the record of an upstream after which Slurm is asked, once


class Refused(Exception):
    """Why a task is recorded as failed before it was started."""

    def __init__(self, kind: str, line: str) -> None:
        super().__init__(kind, line)
        self.kind = kind
        self.line = line


class Decision:
    """What is found out of one task at its start: `how` is 'run', or what settles it, with its outcome `end`."""

    def __init__(self, element: Element, state: State, row: Row) -> None:
        self.element = element
        self.state = state
        self.row = row
        self.how = 'run'
        self.end = ''

    def make(self) -> None:
        """Find out. Raises Refused."""
        of, row = self.element.manifest, self.row
        cone = self._decided()
        if cone.decision(of, row.row) is False:
            self.how, self.end = 'skipped', cone.skipped(of, row.row).hex()
            return
        row.upstream, partners = cone.outcomes(of, row.row)
        row.own = with_parts(row.planned_own, {}, partners)
        self._find_inputs(cone)
        if of.stands(row.row) == manifest.MAYBE:
            self._compare(partners)

    # -- edges ---------------------------------------------------------------------------------------------------------

    def _decided(self) -> Cone:
        """What is above the task, once its edges are decided. What is not visible is waited for; Slurm is asked once."""
        of, row = self.element.manifest, self.row.row
        cone = Cone(self.element.number, self.element.manifest_of, self.state, self.element.store().settled_by)
        if cone.decision(of, row) is not None:
            return cone
        store = self.element.store(everything=True)
        began, pause, lost = monotonic(), 0.05, None
        while True:
            freshen(self.element.layout.ledger)
            cone = Cone(self.element.number, self.element.manifest_of, store.read(), store.settled_by, lost or frozenset())
            if cone.decision(of, row) is not None:
                return cone
            waited = monotonic() - began
            if lost is None and waited > SUSPICIOUS:
                lost = lost_of(cone)
            if waited > PATIENCE:
                names = ', '.join(f'{job}[{key}]' if key != '-' else job for job, key in list(cone.open)[:3])
                raise Refused('Upstream', f'{names}: how it ended is recorded elsewhere, and not visible on this host')
            sleep(pause)
            pause = min(2 * pause, 2.0)

    # -- inputs --------------------------------------------------------------------------------------------------------

    def _find_inputs(self, cone: Cone) -> None:
        """Digests of inputs that upstreams made, from their records; and the files, which must have become visible here."""
        for path, (job, number, known) in self.row.fragment.get('made', {}).items():
            digest = self._made(cone, job, number, path) or known
            if digest is not None:
                self.row.produced[path] = digest
        for path in self.row.produced:
            if not awaited(lambda path=path: visible(path)):  # type: ignore[misc]
                raise Refused('input', f'{path} is recorded as made, and not visible on this host')

    def _made(self, cone: Cone, job: str, number: int, path: str) -> str | None:
        key = self.element.manifest_of(job).key(number)
        rows = cone.state.rows(job)
        known = rows.row(key) if rows is not None else None
        if known is None:  # not among the lines that were read
            rows = self.element.store(everything=True).read().rows(job)
            known = rows.row(key) if rows is not None else None
        if rows is None or known is None:
            return None
        content = rows.record(known).outputs.get(path)
        return str(content[0]) if content else None

    def _inputs(self) -> dict[str, str]:
        """The digests of its inputs now; one that is absent has none."""
        if not self.element.head['inputs']:
            return {}
        definition, tools = self.element.definition(), self.element.tools()
        order = self.element.order(self.row, '')
        tools.open(order)
        value = None if definition.array is None else definition.array.value(self.row.row)
        found = {}
        for path, stat in tools.inputs(definition, value, order).items():
            content = None if stat else tools.content(path)
            digest = self.row.produced.get(path) or (tools.signature(path) if stat else content and content[0])
            found[path] = str(digest)
        return found

    # -- identity ------------------------------------------------------------------------------------------------------

    def _compare(self, partners: dict[str, str]) -> None:
        """Settle a task that would do what it did, or note what moved."""
        row, mode = self.row, self.element.head['mode']
        was = Record(own=row.fragment['was']['own'], upstream=row.fragment['was']['upstream'])
        own = with_parts(row.planned_own, self._inputs(), partners)
        if unchanged(mode, was, own, row.upstream):
            self.how, self.end = 'unchanged', row.fragment['was']['end']
        else:
            row.why = self._moved(was, own)

    def _moved(self, was: Record, own: dict[str, str]) -> list[dict[str, str]]:
        from awflow.reasons import Reason
        from awflow.verdict import differences

        now = {**self.row.upstream, **upstream_part(own)}
        used = {**was.upstream, **upstream_part(was.own)}
        moved = []
        for edge in edges(self.element.manifest):
            name = f'upstream {edge.component}' if edge.each else edge.component
            if now.get(name) != used.get(name):
                key = self.element.manifest_of(edge.upstream).key(edge.partner(self.row.row)) if edge.each else ''
                moved.append(Reason('upstream changed', f'{edge.upstream}[{key}]' if key else edge.upstream))
        return [reason.to_dict() for reason in [*moved, *differences(local_part(was.own), local_part(own))]]


def lost_of(cone: Cone) -> frozenset[tuple[str, str]]:
    """Of tasks whose end is not known, those that Slurm knows to have ended without a word of their own."""
    from awflow.backends.slurm.client import Slurm, user
    from awflow.backends.slurm.handed import Handed
    from awflow.backends.slurm.look import ENDED, Look
    from awflow.errors import SlurmError

    state = cone.state
    try:
        look = Look(Slurm().queue([user()]))
    except SlurmError:
        return frozenset()
    places = {}
    for number in state.claims:
        places.update(Handed(state.claims[number], state.facts(number)).places)
    lines = {task: look.of(*places[task]) for task in cone.open if task in places}
    return frozenset(t for t, line in lines.items() if line is not None and line.state in ENDED and line.state != 'COMPLETED')
