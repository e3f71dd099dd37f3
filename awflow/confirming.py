"""After a plan or a run: how the files of a big array look that are known to hold what the records say.

Nothing is taken on trust. A task counts if the digests that were taken of its files make the very digests that its record
has of its components and of its outcome, and if those of the files may be trusted for as long as they look the same. So it
does not matter who ran it, or whether something went on in between: what does not fit is left out, and looked at again.
"""

from __future__ import annotations

from awflow.columns import STEP, Records, bonds, known, outline, path_of, paths_of
from awflow.identity import paths_digest, with_parts
from awflow.outcome import WIDTH, outcome_digest
from awflow.state.confirmed import STAMP, UNKNOWN, Confirmed, differing, stamp_of, unknown
from awflow.state.record import own_digest
from awflow.state.table import FINAL, OUTCOMES, RESULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from awflow.columns import Seen
    from awflow.state.view import State
    from awflow.subject import Subject
    from awflow.survey import Survey

    Known = tuple[bytes, str]  # stamp and digest

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
        self.outputs = len(subject.output_templates or ())  # so many of the files come first
        looked_at = {id(template) for template, _ in seen.files}
        self.made = [template for template, _ in subject.input_templates or () if id(template) not in looked_at]

    def keep(self) -> None:
        """Check what is not known to be as it was."""
        doubtful = sorted({*self._doubtful()})
        done: list[str] = []
        for first in range(0, len(doubtful), STEP):  # so that the names of files are soon forgotten
            done += self._check(doubtful[first : first + STEP])
        stamps = [bytes(column) for column in self.stamps]
        if self.bonds != self.before.bonds or stamps != self.before.stamps:
            kept = Confirmed(self.seen.keys, self.seen.paths, bytes(self.bonds), stamps)
            self.survey.digests.keep_confirmed(self.subject.name, kept)
        self.survey.digests.forget(done)

    def _check(self, rows: Sequence[int]) -> list[str]:
        """Note how the files of some tasks look; the paths of those of which that is known."""
        paths = [paths_of(template, self.subject, rows) for template, _ in self.seen.files]
        found = [self._found(each, stat) for each, (_, stat) in zip(paths, self.seen.files, strict=True)]
        done: list[str] = []
        for at, row in enumerate(rows):
            here = slice(STAMP * row, STAMP * row + STAMP)
            checked = self._checked(row, [column[at] for column in paths], [column[at] for column in found])
            if checked is None:
                self.bonds[here] = UNKNOWN
            for number, column in enumerate(self.stamps):
                stamp = UNKNOWN if checked is None else checked[number]
                column[here] = stamp
                if stamp != UNKNOWN:
                    done.append(paths[number][at])
        return done

    def _doubtful(self) -> Iterator[int]:
        """The tasks of which something is not as it was confirmed, or never was."""
        yield from differing(bytes(self.bonds), self.before.bonds)
        for at, column in enumerate(self.before.stamps):
            yield from unknown(column)
            if self.seen.stamps:
                yield from differing(self.seen.stamps[at], column)

    def _checked(self, row: int, paths: Sequence[str], found: list[Known | None]) -> list[bytes] | None:
        """The stamps of a task's files, UNKNOWN for outputs that are not known to make its outcome; None if its inputs, and
        what it waits for alone, are not known to make the components on record.
        """
        columns = self.columns
        if columns.outcome[row] != _SUCCEEDED or not columns.flags[row] & FINAL:
            return None
        inputs = self._inputs(row, paths[self.outputs :], found[self.outputs :])
        if inputs is None:
            return None
        if own_digest(self._own(row, paths, inputs)) != columns.own[WIDTH * row : WIDTH * row + WIDTH]:
            return None
        made = self._made(row, paths[: self.outputs], found[: self.outputs])
        return [
            UNKNOWN if each is None or (number < self.outputs and not made) else each[0] for number, each in enumerate(found)
        ]

    def _own(self, row: int, paths: Sequence[str], inputs: dict[str, str]) -> dict[str, str]:
        """The components on record if the inputs are these: what the subject would say, which would have to make the paths."""
        if self.subject.links or self.outputs != 1:
            return self.subject.own(row, inputs, self._partners(row))
        return with_parts({'output paths': paths_digest(paths[:1])}, inputs, {})

    def _found(self, paths: Sequence[str], stat: bool) -> list[Known | None]:
        """Seen and digest of files."""
        digests = self.survey.digests
        if not stat:
            return digests.trusted(paths)
        signatures = map(digests.signature, paths)
        return [each and (stamp_of(each), digests.digest_of_signature(each)) for each in signatures]

    def _inputs(self, row: int, paths: Sequence[str], found: Sequence[Known | None]) -> dict[str, str] | None:
        """The digests of all inputs, those that are outputs of others from their records; None if one is not known."""
        if None in found:
            return None
        inputs = {path: each[1] for path, each in zip(paths, found, strict=True) if each is not None}
        for template in self.made:
            path = path_of(template, self.subject, row)
            digest = self._produced(path)
            if digest is None:
                return None
            inputs[path] = digest
        return inputs

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

    def _made(self, row: int, paths: Sequence[str], found: Sequence[Known | None]) -> bool:
        """Whether the outputs make the outcome on record."""
        if None in found:
            return False
        contents = {path: [each[1]] for path, each in zip(paths, found, strict=True) if each is not None}
        result = None
        if self.columns.flags[row] & RESULT:
            rows = self.state.rows(self.subject.name)
            place = rows.row(self.subject.keys[row]) if rows is not None else None
            stored = rows.record(place).result if rows is not None and place is not None else None
            result = str(stored['digest']) if stored else None
        end = outcome_digest(contents, result)
        return bytes.fromhex(end) == self.columns.end[WIDTH * row : WIDTH * row + WIDTH]
