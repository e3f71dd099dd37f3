"""A state as read at one moment: what the ledger, its journals and the snapshot said together."""

from __future__ import annotations

from awflow.state.rows import Rows

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any

    from awflow.state.ledger import Entry
    from awflow.state.overlay import Overlay
    from awflow.state.record import Record
    from awflow.state.table import Table


class State:
    """One moment of a workflow's state. Immutable; ask the store to read again for a later one.

    `last` is the number of the highest entry (0: nothing was ever written), `claims` the live claims by number,
    `damage` says where bytes were found that are no record (a killed writer leaves some, and they do no harm).
    """

    __slots__ = (
        '_codes',
        '_facts',
        '_live',
        '_moved',
        '_reasons',
        '_rows',
        '_settled',
        '_settlements',
        '_sources',
        'claims',
        'damage',
        'entries',
        'floor',
        'journals',
        'last',
        'table',
        'unfolded',
    )

    def __init__(
        self,
        *,
        last: int = 0,
        floor: int = 0,
        table: Table | None = None,
        entries: Mapping[int, Entry] | None = None,
        claims: Mapping[int, Entry] | None = None,
        settled: Iterable[Overlay] = (),
        live: Mapping[int, list[Overlay]] | None = None,
        journals: Mapping[int, dict[str, int]] | None = None,
        damage: Iterable[str] = (),
        unfolded: int = 0,
    ) -> None:
        self.last = last
        self.floor = floor  # the entry up to which the snapshot goes
        self.table = table
        self.entries = dict(entries or {})  # those above the snapshot
        self.claims = dict(claims or {})
        self.journals = dict(journals or {})  # live claim -> {journal: bytes read}
        self.damage = list(damage)
        self.unfolded = unfolded  # bytes of ended journals and of entries above the snapshot
        self._settled = list(settled)
        self._live = dict(live or {})
        self._rows: dict[str, Rows | None] = {}
        self._moved: frozenset[str] | None = None  # jobs of which something lies above the snapshot
        self._codes: dict[str, dict[str, str]] | None = None
        self._sources: dict[str, dict[str, str]] | None = None
        self._reasons: dict[int, dict[str, list[Any]]] | None = None
        self._facts: dict[int, list[dict[str, Any]]] | None = None
        self._settlements: dict[int, dict[tuple[str, str], dict[str, Any]]] = {}

    def jobs(self) -> list[str]:
        """Every job of which a task has a record."""
        names = dict.fromkeys(self.table.jobs() if self.table else ())
        for overlay in self._overlays():
            names.update(dict.fromkeys(overlay.records))
        return list(names)

    def rows(self, job: str) -> Rows | None:
        """What is known of a job's tasks; None if nothing is."""
        if job not in self._rows:
            self._rows[job] = self._merged(job, self._overlays())
        return self._rows[job]

    def alone(self, job: str) -> int | None:
        """The row in the snapshot's columns of a job's only task, if that is the one of a job without array and nothing
        came since; None says nothing.
        """
        if self._moved is None:
            self._moved = frozenset(name for overlay in self._overlays() for name in overlay.records)
        return None if self.table is None or job in self._moved else self.table.alone(job)

    def settled_rows(self) -> Iterator[Rows]:
        """The rows of every job as ended claims and entries leave them: what a snapshot folds."""
        names = dict.fromkeys(self.table.jobs() if self.table else ())
        for overlay in self._settled:
            names.update(dict.fromkeys(overlay.records))
        for job in names:
            rows = self._merged(job, self._settled)
            if rows:
                rows.read()
                yield rows

    def _overlays(self) -> list[Overlay]:
        return [*self._settled, *(overlay for number in sorted(self._live) for overlay in self._live[number])]

    def _merged(self, job: str, overlays: Sequence[Overlay]) -> Rows | None:
        base = self.table.base(job) if self.table else None
        newer = [overlay.records[job] for overlay in overlays if job in overlay.records]
        return Rows(job, base, newer, self.claims) if base or newer else None

    @property
    def all_codes(self) -> dict[str, dict[str, str]]:
        if self._codes is None:
            self._codes = dict(self.table.codes) if self.table else {}
            for entry in [*self.claims.values(), *self.entries.values()]:
                self._codes.update(entry.codes)
        return self._codes

    def codes(self, digest: str) -> dict[str, str]:
        """The components that a digest of code stands for, {} if it was never said."""
        return self.all_codes.get(digest, {})

    @property
    def all_sources(self) -> dict[str, dict[str, str]]:
        """Source texts of code, {component: {text of the component: source}}; unpacked when first asked for."""
        if self._sources is None:
            self._sources = self.table.told('sources') if self.table else {}
            for entry in self.entries.values():
                for component, texts in entry.sources.items():
                    self._sources.setdefault(component, {}).update(texts)
        return self._sources

    @property
    def all_reasons(self) -> dict[int, dict[str, list[Any]]]:
        """Why tasks were to run, by number of the entry and job; unpacked when first asked for."""
        if self._reasons is None:
            told = self.table.told('reasons') if self.table else {}
            self._reasons = {int(number): of_jobs for number, of_jobs in told.items()}
            self._reasons.update((number, entry.reasons) for number, entry in self.entries.items() if entry.reasons)
        return self._reasons

    def owner_of(self, job: str, key: str) -> int | None:
        """The live claim that may execute this task and has not finished it."""
        for number in sorted(self.claims, reverse=True):
            if self.claims[number].covers(job, key):
                return None if self.finished(number, job, key) else number
        return None

    def finished(self, number: int, job: str, key: str) -> bool:
        """Has the live claim a final record of a task that it covers, or did a later entry record its end?

        The claim's own journals are asked first: a later claim on a task that this one finished is in order, and its
        records must not make the task look unfinished here.
        """
        told = [overlay.records[job] for overlay in self._live.get(number, ()) if job in overlay.records]
        own = [found for each in told if (found := each.get(key))]
        if own and max(own, key=_rank).final:
            return True
        if (job, key) in self.settlements(number):
            return True
        rows = self.rows(job)
        row = rows.row(key) if rows else None
        return rows is not None and row is not None and rows.generation(row) >= number and rows.final(row)

    def started(self, number: int) -> list[Record]:
        """The last records of tasks that were started under a claim and have not ended since."""
        entry = self.claims.get(number)
        found = []
        for job in entry.tasks if entry else self.jobs():
            rows = self.rows(job)
            if rows is not None:
                told = rows.briefs()
                open_rows = [row for row, generation, final in told.ends() if generation == number and not final]
                found += [rows.record(row) for row in sorted(open_rows)]
                if entry is None and rows.base is not None:  # a snapshot holds nothing of claims that live
                    places = [row for row in range(rows.base.count) if row not in rows.over]
                    found += [rows.record(row) for row in places if rows.generation(row) == number and not rows.final(row)]
        return found

    def facts(self, number: int) -> list[dict[str, Any]]:
        """What was noted about a live claim that is no record of a task: submissions, signs of life."""
        found = list(self.noted.get(number, ()))
        for overlay in self._live.get(number, ()):
            found += overlay.facts.values()
        return found

    def settlements(self, number: int) -> dict[tuple[str, str], dict[str, Any]]:
        """Tasks of a live claim that ended without an attempt of theirs, so that no record may say so: facts by job and key."""
        if number not in self._settlements:
            self._settlements[number] = {
                (fact['job'], fact['key']): fact for fact in self.facts(number) if 'settled' in fact
            }  # fmt: skip
        return self._settlements[number]

    @property
    def noted(self) -> dict[int, list[dict[str, Any]]]:
        """What entries and the snapshot note about claims that still live."""
        if self._facts is None:
            self._facts = {}
            carried = self.table.meta.get('facts', []) if self.table else []
            for fact in [*carried, *(fact for entry in self.entries.values() for fact in entry.facts)]:
                if fact.get('claim') in self.claims:
                    self._facts.setdefault(fact['claim'], []).append(fact)
        return self._facts

    def dump(self, head: Mapping[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """All of it, as JSON-able objects that begin with `head`: claims, records, what codes stand for and why, damage."""
        from awflow.state.listing import listed

        first = dict(head or {})
        yield {**first, 'kind': 'state', 'last': self.last, 'snapshot': self.floor, 'damage': self.damage}
        for number, entry in sorted({**self.entries, **self.claims}.items()):
            yield {**first, 'kind': 'entry', 'number': number, 'live': number in self.claims, **entry.to_dict()}
        for digest, components in sorted(self.all_codes.items()):
            yield {**first, 'kind': 'code', 'digest': digest, 'components': components}
        for component, texts in sorted(self.all_sources.items()):
            for text, source in sorted(texts.items()):
                yield {**first, 'kind': 'source', 'component': component, 'text': text, 'source': source}
        for number, of_jobs in sorted(self.all_reasons.items()):
            yield {**first, 'kind': 'reasons', 'number': number, 'jobs': of_jobs}
        for number in sorted(self.claims):
            for fact in self.facts(number):
                yield {**first, 'kind': 'fact', 'claim': number, **fact}
        for job in self.jobs():
            rows = self.rows(job)
            if rows is not None:
                yield from listed(rows, {**first, 'kind': 'record'})


def _rank(record: Record) -> tuple[int, tuple[int, int], bool, str]:
    return record.rank
