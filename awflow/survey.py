"""The survey: asks the disk, the conditions and the state what the plan wants to know."""

from __future__ import annotations

import os

from awflow.alone import Alone
from awflow.errors import DefinitionError, InFlightError
from awflow.facts import ELSEWHERE_ROW, FRESH_ROW, MISSING_ROW, OUTDATED_ROW, Facts, places_of
from awflow.identity import local_part, upstream_part
from awflow.outcome import outcome_digest
from awflow.plan import task_name
from awflow.producers import Producers
from awflow.reasons import FRESH, MISSING, Reason
from awflow.specs import expand_inputs
from awflow.subject import CONDITION, Subject, code_part
from awflow.verdict import HOLD, Checks, differences, recorded

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from awflow.columns import Records, Seen
    from awflow.sources import Sources
    from awflow.state.digests import Digests
    from awflow.state.record import Record
    from awflow.state.view import State

ABSENT = 'absent'  # the digest of an input that is not there (yet)
NEVER = (Reason('never ran'),)  # one for all: what shares reasons is told together
ADOPTED = (Reason('adopted'),)
MANY = 32  # tasks from which on it is asked whether their files have to be waited for
BASES = {FRESH: FRESH_ROW, MISSING: MISSING_ROW}


class Survey:
    """What is known of the world at one moment, for the jobs of one schedule, upstream first."""

    def __init__(
        self, subjects: list[Subject], state: State, digests: Digests, directory: str, dead: Container[int] = ()
    ) -> None:
        self.subjects = subjects
        self.state = state
        self.digests = digests
        self.directory = directory  # of the workflow's state
        self.producers = Producers(subjects)
        self.dead = dead  # claims whose owners are known to be dead: their tasks are free
        self.ahead: dict[str, str | None] = {}  # digests that were taken for the tasks to be looked at next
        self.made: dict[str, str] = {}  # outputs of this run -> digest; they replace what records say
        self.sources: Sources  # set by who fingerprinted the jobs
        self.drafts: dict[tuple[int, int], dict[str, list[object]]] = {}  # of what may be adopted: its outputs
        self.rechecked: list[tuple[int, int]] = []  # tasks that are fresh by other postconditions than those on record
        self.records: Records  # of big arrays by column, and what was seen of them
        self.seen: dict[int, Seen] = {}
        self.unconfirmed = False  # whether a task of a big array was found fresh only by looking at it alone
        self._same_code: dict[tuple[int, str], tuple[Sequence[Reason], Sequence[Reason]]] = {}
        self._result_files: dict[str, frozenset[str]] = {}
        self._reads_files: dict[int, bool] = {}
        self._named: frozenset[str] | None = None
        self._recorded: dict[str, str] = {}  # outputs that were found to be as recorded -> digest
        self._read: frozenset[str] | None = None  # names of jobs whose results others read

    def facts(self) -> list[Facts]:
        """What the plan is made of. Calls the postconditions of tasks for which they can matter."""
        alone = Alone(self, self._recorded)
        return [alone.facts(subject) or self._job(subject) for subject in self.subjects]

    # -- one job -------------------------------------------------------------------------------------------------------

    def _job(self, subject: Subject) -> Facts:
        facts = Facts(subject.name, subject.keys, subject.links, subject.job.mode)
        facts.scheduled = subject.scheduled
        facts.declares_outputs = subject.job.declares_outputs
        must = self._must(subject)
        seen = self._by_column(subject, facts) if subject.big and must is None else None
        for row in self._rows(subject, facts, must):
            key = subject.keys[row]
            base, reasons = self._row(subject, facts, row, key, must, seen)
            facts.base[row] = base
            if reasons:
                facts.reasons[row] = reasons
            self.unconfirmed |= seen is not None and base == FRESH_ROW
        return facts

    def _rows(self, subject: Subject, facts: Facts, must: Reason | None) -> Iterable[int]:
        rows = self._alone(subject, facts, must)
        if len(rows) < MANY:
            return rows
        from awflow.reading import read_ahead

        return read_ahead(self, subject, rows)

    def _alone(self, subject: Subject, facts: Facts, must: Reason | None) -> Sequence[int]:
        """The tasks that have to be looked at by themselves."""
        if facts.settled is not None:
            return [*places_of(facts.settled, 0)]
        if not subject.big or subject.rows is not None:
            return range(len(subject.keys))
        from awflow.firsts import settle_firsts

        return settle_firsts(self, subject, facts, must is None and not self._read_by_dependents(subject))

    def _by_column(self, subject: Subject, facts: Facts) -> Seen | None:
        from awflow.columns import Records, settle  # only big arrays need it

        if not hasattr(self, 'records'):
            self.records = Records(lambda each: each.rows)
        seen = settle(self, subject, facts)
        if seen is not None:
            self.seen[subject.number] = seen
        return seen

    def _must(self, subject: Subject) -> Reason | None:
        if subject.forced:
            return Reason('forced')
        return None if subject.pruning else Reason('prune=False')

    def _row(
        self, subject: Subject, facts: Facts, row: int, key: str, must: Reason | None, seen: Seen | None
    ) -> tuple[int, Sequence[Reason]]:
        known = subject.rows.row(key) if subject.rows is not None else None
        claim = self.state.owner_of(subject.name, key) if self.state.claims else None
        if claim is not None and claim not in self.dead:
            return self._elsewhere(subject, row, key, claim, must)
        if known is None:
            facts.never.add(row)
            inputs = self.inputs(subject, row)
            if must is None and self._adoptable(subject, row, inputs):
                facts.ends[row] = self._adoption(subject, row)
                return FRESH_ROW, ADOPTED
            return MISSING_ROW, NEVER
        rows = subject.rows
        assert rows is not None, 'a known row has rows'
        facts.ends[row] = rows.end(known) or bytes(16)
        outcome = rows.outcome(known) if rows.final(known) else 'crashed'
        if seen is not None:
            seen.lend(self, subject, row, known)
        inputs = self.inputs(subject, row)  # a missing input is an error whatever else is true
        changes = self._changes(subject, row, known, inputs) if outcome == 'succeeded' else ()
        if changes and all(self._unsettled(change) for change in changes):
            facts.late[row], changes = changes, ()
        verdict, reasons = recorded(outcome, changes, lambda: self._checks(subject, row, known), must)
        if verdict == FRESH and (reasons := self._compared_code(subject, rows.code(known))[1]):
            self.rechecked.append((subject.number, row))
        facts.used[row] = self._used(subject, known)
        return BASES.get(verdict, OUTDATED_ROW), reasons

    def used(self, subject: Subject, row: int) -> Mapping[str, str]:
        """The upstream outcomes that a task that has a record says were used."""
        known = subject.rows.row(subject.keys[row]) if subject.rows is not None else None
        assert known is not None, 'it has a record'
        return self._used(subject, known)

    def _used(self, subject: Subject, known: int) -> Mapping[str, str]:
        """The upstream outcomes that the record says were used."""
        assert subject.rows is not None
        used = subject.rows.upstream(known)
        if any(link.partners is not None for link in subject.links):
            own = upstream_part(subject.rows.record(known).own)
            used = {**used, **{name.removeprefix('upstream '): end for name, end in own.items()}}
        return used

    # -- identity ------------------------------------------------------------------------------------------------------

    def inputs(self, subject: Subject, row: int) -> dict[str, str]:
        """The digests of a task's inputs now; of what an ancestor makes, from its record."""
        if not subject.job.input_specs:
            return {}
        return {path: self._input(subject, row, path, stat) for path, stat in self.input_paths(subject, row).items()}

    def input_paths(self, subject: Subject, row: int) -> dict[str, bool]:
        """The paths of a task's inputs as they expand now -> whether size and time are enough."""
        specs = subject.job.input_specs
        plain = subject.input_paths(row)
        if plain is not None:
            return {path: spec.stat for path, spec in zip(plain, specs, strict=True)}
        made = (path for path, (number, _) in self.producers.items() if subject.waits_for(number))
        return expand_inputs(specs, subject.value(row), subject.title(row), subject.name, made)

    def reads_files(self, subject: Subject) -> bool:
        """Whether all that its tasks read are files of plain paths that nobody makes, each its own."""
        known = self._reads_files.get(subject.number)
        if known is None:
            found = subject.input_templates if subject.spells_inputs else None
            known = self._reads_files[subject.number] = found is not None and len(found) == 1 and not (
                found[0][1] or self.producers.makers(found[0][0]) != []
            )  # fmt: skip
        return known

    def produced(self, path: str) -> str | None:
        """The digest of a declared output as its producer's record says."""
        if path in self.made:
            return self.made[path]
        if path in self._recorded:
            return self._recorded[path]
        number, row = self.producers[path]
        producer = self.subjects[number]
        known = producer.rows.row(producer.keys[row]) if producer.rows is not None else None
        if known is None or producer.rows is None:
            return None
        content = producer.rows.record(known).outputs.get(path)
        return str(content[0]) if content else None

    def _input(self, subject: Subject, row: int, path: str, stat: bool) -> str:
        output = self.producers.around(path) if self.producers else None
        maker = self.producers[output] if output is not None else None
        task = task_name(subject.name, subject.keys[row])
        if maker is not None:
            if maker == (subject.number, row) and output == path:
                raise DefinitionError('task {task} declares {path} as its input and its output', '', task=task, path=path)
            if maker != (subject.number, row) and not subject.waits_for(maker[0]):
                other = self.subjects[maker[0]].name
                raise DefinitionError(
                    'task {task} reads {path}, which {producer!r} makes, but does not wait for it', 'Add @after({producer}).',
                    task=task, path=path, producer=other, site=subject.job.site,
                )  # fmt: skip
            if output == path and (recorded_digest := self.produced(path)) is not None:
                return recorded_digest
        if stat:
            signature = self.digests.stat_only(path)
            digest = signature.digest if signature else None
        else:
            digest = self._digest(path)
        if digest is None:
            if not subject.links:
                raise DefinitionError(
                    'task {task} reads {path}, which does not exist', 'Make the file, or add @after the job that makes it.',
                    task=task, path=path, directory=os.getcwd(), site=subject.job.site,
                )  # fmt: skip
            return self._of_cleared(subject, row, path, output) or ABSENT
        return digest

    def _digest(self, path: str) -> str | None:
        return self.ahead[path] if path in self.ahead else self.digests.digest_of(path)

    def _of_cleared(self, subject: Subject, row: int, path: str, output: str | None) -> str | None:
        """The digest on the task's record of what lay in a directory that its producer made and somebody deleted since."""
        known = subject.rows.row(subject.keys[row]) if subject.rows is not None else None
        if output is None or output == path or known is None or os.path.lexists(output) or self.produced(output) is None:
            return None
        assert subject.rows is not None, 'a known row has rows'
        return subject.rows.record(known).own.get(f'input {path}')

    def code_changes(self, subject: Subject, old: str) -> Sequence[Reason]:
        """How the code on record differs from the code now, component by component; nothing if it does not count."""
        return self._compared_code(subject, old)[0]

    def same_code(self, subject: Subject, old: str) -> bool:
        """Whether the code on record, that of the postconditions too, counts as the code now."""
        function, conditions = self._compared_code(subject, old)
        return not function and not conditions

    def _compared_code(self, subject: Subject, old: str) -> tuple[Sequence[Reason], Sequence[Reason]]:
        """How the function differs from the one on record, and which postconditions do. One comparison for all tasks."""
        if old == subject.code:
            return (), ()
        known = self._same_code.get((subject.number, old))
        if known is None:
            from awflow.codechanges import code_reasons

            found = code_reasons(self.state.codes(old), subject.components)
            conditions = tuple(
                Reason('rechecked', r.name) for r in found if r.name.startswith(CONDITION) and r.kind != 'removed'
            )
            changes = [reason for reason in found if not reason.name.startswith(CONDITION)]
            known = self._same_code[subject.number, old] = changes, conditions
        return known

    def _changes(self, subject: Subject, row: int, known: int, inputs: Mapping[str, str]) -> Sequence[Reason]:
        rows = subject.rows
        assert rows is not None
        changes = list(self.code_changes(subject, rows.code(known)))
        own = subject.own(row, inputs, {})
        if own or any(rows.own(known)):
            record = rows.record(known)
            record_own = local_part(record.own)
            changes += differences(record_own, own, sorted(record.outputs), subject.outputs.get(row, ()))
        return changes

    def _unsettled(self, change: Reason) -> bool:
        """Whether a change is of an input that an ancestor will make anew: it did not succeed, or its directory was edited."""
        path = change.name.removeprefix('input ')
        output = self.producers.around(path) if path != change.name and change.kind == 'changed' else None
        if output is None or (made := self.produced(output)) is None:
            return output is not None
        content = self.digests.of(output) if output != path else None
        return content is not None and content.digest != made  # edited: its producer runs again

    # -- checks --------------------------------------------------------------------------------------------------------

    def _checks(self, subject: Subject, row: int, known: int) -> Checks:
        rows = subject.rows
        assert rows is not None
        changed, absent = [], []
        if row in subject.outputs:
            for path, (digest, _) in rows.record(known).outputs.items():
                now = self._digest(path)
                if now is None:
                    absent.append(path)
                elif now != digest:
                    changed.append(path)
        gone = rows.has_result(known) and not self._has_result(rows.record(known))
        unmet = self._unmet(subject, row)
        return Checks(changed, absent, gone, unmet) if changed or absent or gone or unmet else HOLD

    def standing_end(self, subject: Subject, row: int) -> bytes | None:
        """The outcome on record of a task that is fresh if its inputs and upstreams prove to be what they were."""
        rows, key = subject.rows, subject.keys[row]
        known = rows.row(key) if rows is not None else None
        if rows is None or known is None or not rows.final(known) or rows.outcome(known) != 'succeeded':
            return None
        if self.code_changes(subject, rows.code(known)) or not self._checks(subject, row, known).hold:
            return None
        return rows.end(known)

    def _has_result(self, record: Record) -> bool:
        assert record.result is not None
        return self.is_stored(record.result['file'])

    def is_stored(self, file: str) -> bool:
        """Whether a file of results is there. Its directory is listed once, for all tasks."""
        folder, _, name = os.path.join(self.directory, file).rpartition('/')
        if folder not in self._result_files:
            try:
                self._result_files[folder] = frozenset(os.listdir(folder))
            except FileNotFoundError:
                self._result_files[folder] = frozenset()
        return name in self._result_files[folder]

    def _unmet(self, subject: Subject, row: int) -> list[str]:
        """The postconditions that do not hold; one that raises does not hold."""
        unmet = []
        for condition in subject.job.postconditions:
            try:
                holds = condition.holds(subject.value(row))
            except Exception:  # noqa: BLE001  the user's code; at planning, raising means that it does not hold
                holds = False
            if not holds:
                unmet.append(condition.name)
        return unmet

    # -- adoption ------------------------------------------------------------------------------------------------------

    def _adoptable(self, subject: Subject, row: int, inputs: Mapping[str, str]) -> bool:
        """Whether a task without record may be taken as done: the job is new to the state, it says what it makes, all of
        that is there, nobody else claims to have made it, and nobody needs a result that was never stored.
        """
        job = subject.job
        if (subject.rows is not None and len(subject.rows)) or not (job.postconditions or subject.outputs):
            return False
        if ABSENT in inputs.values() or self._read_by_dependents(subject):
            return False
        contents: dict[str, list[object]] = {}
        for path in subject.outputs.get(row, ()):
            content = self.digests.of(path)
            if content is None or path in self._recorded_paths():
                return False
            contents[path] = [content.digest, content.size]
        if self._unmet(subject, row):
            return False
        self.drafts[subject.number, row] = contents
        return True

    def _read_by_dependents(self, subject: Subject) -> bool:
        if self._read is None:
            self._read = frozenset(name for other in self.subjects for name in other.reads)
        return subject.name in self._read

    def _recorded_paths(self) -> frozenset[str]:
        """The outputs that any record names."""
        if self._named is None:
            rows = [found for name in self.state.jobs() if (found := self.state.rows(name)) is not None]
            self._named = frozenset(path for r in rows for known in range(len(r)) for path in r.record(known).outputs)
        return self._named

    def _adoption(self, subject: Subject, row: int) -> bytes:
        """The outcome of an adoption: of its declared outputs, otherwise an id of its own."""
        if subject.job.declares_outputs:
            return bytes.fromhex(outcome_digest(self.drafts[subject.number, row], None))
        return os.urandom(16)

    # -- in flight -----------------------------------------------------------------------------------------------------

    def _elsewhere(self, subject: Subject, row: int, key: str, claim: int, must: Reason | None) -> tuple[int, Sequence[Reason]]:
        """A live claim covers the task: attach to it, or refuse if it runs something else than what is wanted."""
        entry = self.state.claims[claim]
        differing: list[Reason] = [must] if must is not None else []
        if entry.codes and subject.code not in entry.codes:
            from awflow.codechanges import code_reasons

            now = code_part(subject.components)
            mine = next((then for c in entry.codes.values() if (then := code_part(c)).keys() & now.keys()), {})
            differing += code_reasons(mine, now)
        if differing:
            raise InFlightError(
                'task {task} is in flight with other code or inputs: {_why}', 'Wait until it has ended, or stop that run.',
                task=task_name(subject.name, key), run=entry.run, _why='; '.join(map(str, differing)),
            )  # fmt: skip
        return ELSEWHERE_ROW, (Reason('in flight', entry.run),)
