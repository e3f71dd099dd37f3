"""After a plan or a run: how the files of a big array look that are known to hold what the records say.

Nothing is taken on trust. A task counts if the digests that were taken of its files make the very digests that its record
has of its components and of its outcome, and if those of the files may be trusted for as long as they look the same. So it
does not matter who ran it, or whether something went on in between: what does not fit is left out, and looked at again.
"""

from __future__ import annotations

from awflow.columns import Records, bonds, known, outline, path_of
from awflow.outcome import WIDTH, outcome_digest
from awflow.state.confirmed import STAMP, UNKNOWN, Confirmed, differing, stamp_of, unknown
from awflow.state.record import own_digest
from awflow.state.table import FINAL, OUTCOMES, RESULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from awflow.columns import Seen
    from awflow.state.view import State
    from awflow.subject import Subject
    from awflow.survey import Survey

_SUCCEEDED = OUTCOMES.index('succeeded')


def confirm(survey: Survey, state: State) -> None:
    """Keep what can be confirmed of all jobs, for the next survey."""
    records = Records(lambda subject: state.rows(subject.name))
    for subject in survey.subjects:
        seen = survey.seen.get(subject.number) or outline(survey, subject)
        if seen is not None and (seen.files or seen.makers):
            _Confirmation(survey, subject, seen, records, state).keep()


class _Confirmation:
    """The tasks of one job."""

    def __init__(self, survey: Survey, subject: Subject, seen: Seen, records: Records, state: State) -> None:
        self.survey = survey
        self.subject = subject
        self.seen = seen
        self.records = records
        self.state = state
        self.columns = records.of(subject)
        self.before = known(survey, subject, seen)
        self.bonds = bytearray(bonds(records, subject, seen))
        self.stamps = [bytearray(column) for column in self.before.stamps]

    def keep(self) -> None:
        """Check what is not known to be as it was."""
        doubtful = sorted({*self._doubtful()})
        done: list[str] = []
        for row in doubtful:
            paths = [path_of(template, self.subject, row) for template, _ in self.seen.files]
            checked = self._checked(row, paths)
            if checked is None:
                self.bonds[STAMP * row : STAMP * row + STAMP] = UNKNOWN
            for column, path, found in zip(self.stamps, paths, checked or [UNKNOWN] * len(paths), strict=True):
                column[STAMP * row : STAMP * row + STAMP] = found
                if found != UNKNOWN:
                    done.append(path)
        stamps = [bytes(column) for column in self.stamps]
        if self.bonds != self.before.bonds or stamps != self.before.stamps:
            kept = Confirmed(self.seen.keys, self.seen.paths, bytes(self.bonds), stamps)
            self.survey.digests.keep_confirmed(self.subject.name, kept)
        self.survey.digests.forget(done)

    def _doubtful(self) -> Iterator[int]:
        """The tasks of which something is not as it was confirmed, or never was."""
        yield from differing(bytes(self.bonds), self.before.bonds)
        for at, column in enumerate(self.before.stamps):
            yield from unknown(column)
            if self.seen.stamps:
                yield from differing(self.seen.stamps[at], column)

    def _checked(self, row: int, paths: list[str]) -> list[bytes] | None:
        """The stamps of a task's files, UNKNOWN for outputs that are not known to make its outcome; None if its inputs, and
        what it waits for alone, are not known to make the components on record.
        """
        columns = self.columns
        if columns.outcome[row] != _SUCCEEDED or not columns.flags[row] & FINAL:
            return None
        outputs = len(self.subject.output_templates or ())
        found = [self._found(path, stat) for path, (_, stat) in zip(paths, self.seen.files, strict=True)]
        inputs = self._inputs(row, dict(zip(paths[outputs:], found[outputs:], strict=True)))
        if inputs is None:
            return None
        own = own_digest(self.subject.own(row, inputs, self._partners(row)))
        if own != columns.own[WIDTH * row : WIDTH * row + WIDTH]:
            return None
        if not self._made(row, dict(zip(paths[:outputs], found[:outputs], strict=True))):
            found[:outputs] = [None] * outputs
        return [UNKNOWN if each is None else each[0] for each in found]

    def _found(self, path: str, stat: bool) -> tuple[bytes, str] | None:
        """Seen and digest of a file."""
        digests = self.survey.digests
        if not stat:
            return digests.trusted(path)
        signature = digests.signature(path)
        return None if signature is None else (stamp_of(signature), digests.digest_of_signature(signature))

    def _inputs(self, row: int, found: dict[str, tuple[bytes, str] | None]) -> dict[str, str] | None:
        """The digests of all inputs, those that are outputs of others from their records; None if one is not known."""
        inputs: dict[str, str | None] = {path: each and each[1] for path, each in found.items()}
        for template, _ in self.subject.input_templates or ():
            path = path_of(template, self.subject, row)
            if path not in inputs:
                inputs[path] = self._produced(path)
        known_ones = {path: digest for path, digest in inputs.items() if digest is not None}
        return known_ones if len(known_ones) == len(inputs) else None

    def _produced(self, path: str) -> str | None:
        if path in self.survey.made:
            return self.survey.made[path]
        number, row = self.survey.producers[path]
        maker = self.survey.subjects[number]
        rows = self.state.rows(maker.name)
        place = rows.row(maker.keys[row]) if rows is not None else None
        content = rows.record(place).outputs.get(path) if rows is not None and place is not None else None
        return str(content[0]) if content else None

    def _partners(self, row: int) -> dict[str, str]:
        """The outcomes on record of those that the task waits for alone."""
        found = {}
        for link in self.subject.links:
            if link.partners is not None:
                partner = link.partners[row]
                ends = self.records.of(self.survey.subjects[link.upstream]).end
                found[link.component] = bytes(ends[WIDTH * partner : WIDTH * partner + WIDTH]).hex()
        return found

    def _made(self, row: int, found: dict[str, tuple[bytes, str] | None]) -> bool:
        """Whether the outputs make the outcome on record."""
        contents = {path: [each[1]] for path, each in found.items() if each is not None}
        if len(contents) < len(found):
            return False
        result = None
        if self.columns.flags[row] & RESULT:
            rows = self.state.rows(self.subject.name)
            place = rows.row(self.subject.keys[row]) if rows is not None else None
            stored = rows.record(place).result if rows is not None and place is not None else None
            result = str(stored['digest']) if stored else None
        end = outcome_digest(contents, result)
        return bytes.fromhex(end) == self.columns.end[WIDTH * row : WIDTH * row + WIDTH]
