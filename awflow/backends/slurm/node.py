"""What Slurm starts on a node: the tasks of one job or array element, from the first look at the state to the last record.

    read the state -> edges -> unchanged? -> record `started` -> is the claim still ours? -> function -> final record

The order is the protocol's (state/ledger.py): only when `started` is on the disk is it looked whether a later claim took
the task over, so that of two who believe to own it at least one sees the other. What proves to be skipped or unchanged
leaves its record alone and notes that it is settled. Nothing here needs the script, the planner or another process.

Everything is imported as late as it can be: an array of 10,000 starts this 10,000 times.
"""

from __future__ import annotations

import mmap
import os
import signal
import sys
from time import monotonic, sleep, time

from awflow.backends.slurm import manifest
from awflow.backends.slurm.manifest import Manifest
from awflow.identity import with_parts
from awflow.proofs import history_of
from awflow.state import jsontext
from awflow.state.layout import Layout
from awflow.state.record import Record
from awflow.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

    from awflow.backends.context import Tools
    from awflow.backends.payload import Definition, Payload
    from awflow.backends.slurm.attempt import Watched
    from awflow.backends.slurm.cone import Cone
    from awflow.backends.tasklog import TaskLog
    from awflow.state.grant import Grant
    from awflow.state.view import State

PATIENCE: Final = 90.0  # seconds for which what another host wrote may not be visible here
SUSPICIOUS: Final = 3.0  # seconds of that after which Slurm is asked, once
HOLDS: Final = 60.0  # seconds between looks whether the claim still stands
FIRST_SIGN, LAST_SIGN = 30.0, 600.0  # seconds between signs of life: each doubles, for they only inform
SHARES: Final = (0.5, 0.8, 0.95)  # of the memory asked for, at which a sign is left besides
SKIPPED: Final = 75  # exit status of what did not run: no success for what Slurm lets wait for it


class Row:
    """One task of the element."""

    __slots__ = ('fragment', 'id', 'key', 'own', 'produced', 'retry', 'row', 'started', 'succeeded', 'upstream')

    def __init__(self, row: int, key: str, fragment: dict[str, Any]) -> None:
        self.row = row
        self.key = key
        self.fragment = fragment
        self.own: dict[str, str] = {}
        self.upstream: dict[str, str] = {}
        self.produced: dict[str, str] = {}
        self.retry = 0
        self.id = ''
        self.started = 0.0
        self.succeeded = False


class Refused(Exception):
    """Why a task is recorded as failed before it was started."""

    def __init__(self, kind: str, line: str) -> None:
        super().__init__(kind, line)
        self.kind = kind
        self.line = line


class Worker:
    """The process that Slurm started, for the tasks of one element."""

    def __init__(self, root: str, workflow: str, number: int, nonce: str, job: str, piece: int) -> None:
        from awflow.backends.payload import Payload

        self.layout = Layout(root, workflow)
        self.number = number
        self.nonce = nonce
        self.job = job
        self.payload: Payload = Payload(self.layout.payload(number))
        self.manifests: dict[str, Manifest] = {}
        self.manifest = self.manifest_of(job)
        self.rows = [Row(row, self.manifest.key(row), self.manifest.fragment(row)) for row in self._rows(piece)]
        self.slurm = slurm_facts(os.environ)
        self.restart = int(os.environ.get('SLURM_RESTART_COUNT', 0))
        self.output = _output_of(2)
        self.told = False  # to end
        self.near = mmap.mmap(-1, 1)  # whether the end is near; shared with the child
        self.grant: Grant
        self.watched: Watched | None = None
        self._definition: Definition | None = None
        self._tools: Tools | None = None
        self._signs = Signs()

    def manifest_of(self, job: str) -> Manifest:
        """The part of the payload that is about a job."""
        if job not in self.manifests:
            self.manifests[job] = Manifest(self.payload.plan(job))
        return self.manifests[job]

    def _rows(self, piece: int) -> list[int]:
        rows, indexes, batch = self.manifest.head['pieces'][piece]
        if indexes is None:
            return list(manifest.rows_of(rows))
        mine = int(os.environ['SLURM_ARRAY_TASK_ID'])
        place = next(place for place, index in enumerate(manifest.rows_of(indexes)) if index == mine)
        return list(manifest.rows_of(rows))[place * batch : (place + 1) * batch]

    # -- the whole -----------------------------------------------------------------------------------------------------

    def run(self) -> int:
        """Perform what is to be performed; the exit status."""
        self._settle_in()
        state = self._store().read()
        grant = Store(self.layout.root, self.layout.workflow).attach(self.number, state) if self._claimed(state) else None
        if grant is None:
            print('awflow: this claim has been ended or replaced: nothing is run', file=sys.stderr)
            return 1
        self.grant = grant
        wanted = [row for row in self.rows if not self._done(state, row)]
        ready, status = [], 0
        for row in wanted:
            verdict = self._decide(state, row)
            ready += [row] if verdict is None else []
            status = max(status, verdict or 0)
        if ready:
            self._perform(ready)
            status = max(status, *(0 if row.succeeded else 1 for row in ready))
        grant.close()
        return status

    def _settle_in(self) -> None:
        os.chdir(self.payload.cwd)
        sys.path[:] = self.payload.sys_path
        sys.argv[:] = [self.payload.script]
        os.environ['AWFLOW_SCRIPT'] = self.payload.script
        reader, writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.wakeup = reader
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGUSR1, lambda number, frame: self._warned())
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda number, frame: self._told_to_end())

    def _claimed(self, state: State) -> bool:
        claim = state.claims.get(self.number)
        return claim is not None and claim.nonce == self.nonce

    def _store(self, everything: bool = False) -> Store:
        """The state, of which a task among 10,000 reads only the lines about itself and what it waits for."""
        if everything:
            return Store(self.layout.root, self.layout.workflow)
        jobs = [_start({'job': edge[0]}) for edge in self.manifest.head['links'] if edge[3] is None]
        tasks = [_start({'job': self.job, 'task': row.key}) for row in self.rows]
        for upstream, _, _, partners in self.manifest.head['links']:
            if partners is not None:
                of = self.manifest_of(upstream)
                tasks += [_start({'job': upstream, 'task': of.key(partners[row.row])}) for row in self.rows]
        prefixes = (*(job + b',' for job in jobs), *(task + b',' for task in tasks))
        return Store(
            self.layout.root, self.layout.workflow,
            wanted=lambda line: line.startswith(prefixes) or not line.startswith((b'{"job":', b'{"alive":')),
        )  # fmt: skip

    # -- before --------------------------------------------------------------------------------------------------------

    def _done(self, state: State, row: Row) -> bool:
        """Whether an earlier start of this job has brought the task to its end: requeued, and nothing left to do."""
        rows = state.rows(self.job)
        known = rows.row(row.key) if rows is not None else None
        if rows is None or known is None or rows.generation(known) != self.number or not rows.final(known):
            return False
        return rows.outcome(known) == 'succeeded'

    def _decide(self, state: State, row: Row) -> int | None:
        """None if it is to run, otherwise the exit status of what is settled instead."""
        try:
            cone = self._decided(state, row)
            if cone.decision(self.manifest, row.row) is False:
                self._settle(row, 'skipped', cone.skipped(self.manifest, row.row).hex())
                return SKIPPED
            row.upstream, own = cone.outcomes(self.manifest, row.row)
            row.own = with_parts(self._own(row), {}, own)
            self._find_inputs(cone, row)
            if self.manifest.stands(row.row) == manifest.MAYBE and self._unchanged(row, own):
                self._settle(row, 'unchanged', row.fragment['was']['end'])
                return 0
        except Refused as refused:
            self._begin(row)
            self._record(row, True, 'failed', {'error': {'type': refused.kind, 'line': refused.line}, 'exit': 1})
            return 1
        return None

    def _own(self, row: Row) -> dict[str, str]:
        own: dict[str, str] = row.fragment.get('own', {})
        return own

    def _decided(self, state: State, row: Row) -> Cone:
        """What is above the task, once its edges are decided. What is not visible is waited for; Slurm is asked once."""
        from awflow.backends.slurm.cone import Cone

        cone = Cone(self.number, self.manifest_of, state)
        if cone.decision(self.manifest, row.row) is not None:
            return cone
        store = self._store(everything=True)
        began, pause, given_up = monotonic(), 0.05, None
        while True:
            self._freshen()
            cone = Cone(self.number, self.manifest_of, store.read())
            cone.given_up = given_up or frozenset()
            if cone.decision(self.manifest, row.row) is not None:
                return cone
            waited = monotonic() - began
            if given_up is None and waited > SUSPICIOUS:
                given_up = self._lost(cone)
            if waited > PATIENCE:
                names = ', '.join(f'{job}[{key}]' if key != '-' else job for job, key in list(cone.open)[:3])
                raise Refused('Upstream', f'{names}: how it ended is recorded elsewhere, and not visible on this host')
            sleep(pause)
            pause = min(2 * pause, 2.0)

    def _freshen(self) -> None:
        """A change of our own makes a network filesystem's client forget the listing that it has."""
        path = f'{self.layout.ledger}/.tmp-{os.getpid()}-{os.urandom(4).hex()}'
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
            os.unlink(path)
        except OSError:
            return

    def _lost(self, cone: Cone) -> frozenset[tuple[str, str]]:
        """Of tasks whose end is not known, those that Slurm knows to have ended without a word of their own."""
        from awflow.backends.slurm.client import Slurm
        from awflow.backends.slurm.handed import Handed
        from awflow.backends.slurm.reconcile import ENDED, Look
        from awflow.errors import SlurmError

        state = cone.state
        try:
            look = Look(Slurm().queue())
        except SlurmError:
            return frozenset()
        places = {}
        for number in state.claims:
            places.update(Handed(state.claims[number], state.facts(number)).places)
        lines = {task: look.of(*places[task]) for task in cone.open if task in places}
        return frozenset(
            task for task, line in lines.items() if line is not None and line.state in ENDED and line.state != 'COMPLETED'
        )

    def _find_inputs(self, cone: Cone, row: Row) -> None:
        """Digests of inputs that upstreams made, from their records; and the files, which must have become visible here."""
        for path, (job, number, known) in row.fragment.get('made', {}).items():
            digest = self._made(cone, job, number, path) or known
            if digest is not None:
                row.produced[path] = digest
        began, pause = monotonic(), 0.05
        while missing := [path for path in row.produced if not _visible(path)]:
            if monotonic() - began > PATIENCE:
                raise Refused('input', f'{missing[0]} is recorded as made, and not visible on this host')
            sleep(pause)
            pause = min(2 * pause, 2.0)

    def _made(self, cone: Cone, job: str, number: int, path: str) -> str | None:
        of = self.manifest_of(job)
        rows = cone.state.rows(job)
        known = rows.row(of.key(number)) if rows is not None else None
        if rows is None or known is None:  # not among the lines that were read
            rows = self._store(everything=True).read().rows(job)
            known = rows.row(of.key(number)) if rows is not None else None
        if rows is None or known is None:
            return None
        content = rows.record(known).outputs.get(path)
        return str(content[0]) if content else None

    def _unchanged(self, row: Row, own: dict[str, str]) -> bool:
        from awflow.identity import unchanged

        was = Record(own=row.fragment['was']['own'], upstream=row.fragment['was']['upstream'])
        inputs = self._inputs(row)
        return unchanged(self.manifest.head['mode'], was, with_parts(self._own(row), inputs, own), row.upstream)

    def _inputs(self, row: Row) -> dict[str, str]:
        """The digests of its inputs now; one that is absent has none."""
        if not self.manifest.head['inputs']:
            return {}
        definition = self.definition()
        order = self._order(row)
        self.tools().open(order)
        value = None if definition.array is None else definition.array.value(row.row)
        found = {}
        for path, stat in self.tools().inputs(definition, value, order).items():
            content = self.tools().content(path) if not stat else None
            digest = row.produced.get(path) or (self.tools().signature(path) if stat else content and content[0])
            found[path] = str(digest)
        return found

    def _settle(self, row: Row, how: str, end: str) -> None:
        self.grant.journal.append([{'settled': how, 'job': self.job, 'key': row.key, 'end': end}])
        self.grant.sync()

    # -- the attempt ---------------------------------------------------------------------------------------------------

    def definition(self) -> Definition:
        """The job, rebuilt in this process: only where that cannot be left to the child."""
        if self._definition is None:
            self._definition = self.payload.definition(self.job)
        return self._definition

    def tools(self) -> Tools:
        """What performing a task needs."""
        if self._tools is None:
            from awflow.backends.context import Tools

            self._tools = Tools(self.payload, near=lambda: self.near[0] > 0)
        return self._tools

    def _perform(self, rows: list[Row]) -> None:
        """Run the functions, again where they fail and may be tried again."""
        while rows and not self.told:
            self._begin(rows[0])
            if not self.grant.holds(0):
                self._record(rows[0], True, 'cancelled', {'error': {'type': 'Superseded', 'line': 'another run took it over'}})
                return
            rows = self._attempt(rows)

    def _attempt(self, rows: list[Row]) -> list[Row]:
        """One process for these tasks in turn. Those that are still to be done: the rest after a crash, and retries."""
        from awflow.backends.slurm.attempt import Watched

        for row in rows:
            self._put_aside(row)
        reports: dict[int, dict[str, Any]] = {}
        watched = self.watched = Watched(self._load, self.tools(), [self._order(row) for row in rows])
        again: list[Row] = []
        done = 0

        def began(n: int) -> None:
            if n:
                self._begin(rows[n])
                watched.log = self._log(rows[n])

        def reported(n: int, report: dict[str, Any]) -> None:
            nonlocal done
            reports[n] = report
            if n + 1 < len(rows):
                again.extend(self._conclude(watched, rows[n], report, 0))
                done = n + 1

        watched.log = self._log(rows[0])
        watched.start()
        if self.told:
            watched.end(gently=False)
        watched.serve(self.wakeup, began, reported, lambda: self._tick(watched, rows[max(watched.n, 0)]))
        assert watched.status is not None, 'it is served to its end'
        self.watched = None
        if watched.n < done:  # it ended before it began the next
            return [*again, *rows[done:]]
        again += self._conclude(watched, rows[done], reports.get(done), watched.status)
        return [*again, *rows[done + 1 :]]

    def _load(self) -> Definition:
        return self.definition()

    def _put_aside(self, row: Row) -> None:
        """Outputs that somebody edited are kept before the task overwrites them."""
        for path in row.fragment.pop('keep', ()):
            if os.path.lexists(path):
                from awflow.state.layout import safe

                kept = self.layout.kept_dir()
                os.makedirs(kept, exist_ok=True)
                os.rename(path, os.path.join(kept, f'{safe(path)}-{self.number}-{os.urandom(4).hex()}'))

    def _order(self, row: Row) -> dict[str, Any]:
        head = self.manifest.head
        parent = {
            **head['parent'], 'run': head['run'], 'task': self._name(row), 'attempt': row.id, 'workflow': self.layout.workflow,
            'state': self.layout.root,
        }  # fmt: skip
        return {
            'job': self.job, 'task': row.key, 'position': row.row if head['array'] else -1, 'generation': self.number,
            'attempt': [self.restart, row.retry], 'id': row.id, 'outputs': None, 'inputs': [], 'stat': [],
            'produced': row.produced, 'env': {'AWFLOW_PARENT': jsontext.dumps(parent).decode()}, 'cuda': None,
            'cwd': self.payload.cwd, 'results_file': self._results_file(), 'parent': parent, 'state': self.layout.root,
            'workflow': self.layout.workflow, 'limit': head['limit'], 'history': row.fragment.get('history'),
            'lint': head.get('lint') and {**head['lint'], 'upstream': row.fragment.get('upstream', [])},
        }  # fmt: skip

    def _results_file(self) -> str:
        """One for each host: appends of two hosts to one file collide on network filesystems."""
        return f'{self.layout.results_dir(self.job)}/{self.number}-{self.grant.writer}.pickles'

    def _name(self, row: Row) -> str:
        return self.job if row.key == '-' else f'{self.job}[{row.key}]'

    def _log_path(self, row: Row) -> str:
        from awflow.state.layout import safe

        stem = safe(row.key) if self.manifest.head['array'] else 'log'
        attempt = f'{self.restart}.{row.retry}' if self.restart else str(row.retry)
        return f'{self.layout.log_dir(self.job)}/{stem}-{self.number}-{attempt}.log'

    def _log(self, row: Row) -> TaskLog:
        from awflow.backends.tasklog import TaskLog

        return TaskLog(self._log_path(row), lambda line: None)

    # -- records -------------------------------------------------------------------------------------------------------

    def _begin(self, row: Row) -> None:
        """Note, durably, that an attempt starts: without an end on record it counts as crashed."""
        row.id, row.started = os.urandom(16).hex(), time()
        self._put(row, final=False, started=row.started, checks=row.fragment.get('history') or [])

    def _put(self, row: Row, **fields: Any) -> None:
        why = 'the attempt before failed' if row.retry else row.fragment.get('why', self.manifest.head['why'])
        record = Record(**{
            'job': self.job, 'task': row.key, 'generation': self.number, 'run': self.manifest.head['run'], 'id': row.id,
            'attempt': (self.restart, row.retry), 'code': self.manifest.head['code'], 'upstream': row.upstream, 'own': row.own,
            'shown': row.fragment.get('shown', ''), 'note': f'ran because {why}', 'host': os.uname().nodename,
            'slurm': self.slurm, **fields,
        })  # fmt: skip
        self.grant.journal.append([record.to_dict()])
        self.grant.sync()

    def _record(self, row: Row, final: bool, outcome: str, report: dict[str, Any], **usage: Any) -> None:
        own = row.own
        if report.get('inputs'):
            partners = {name: end for name, end in own.items() if name.startswith('upstream ')}
            own = {**with_parts(self._own(row), report['inputs'], {}), **partners}
        row.succeeded = final and outcome == 'succeeded'
        row.own = own
        checks = report.get('checks', row.fragment.get('history') or [])
        row.fragment['history'] = history_of(checks)  # for a retry
        self._put(
            row, final=final, outcome=outcome, end=report.get('end', row.id) if outcome == 'succeeded' else row.id,
            outputs={path: list(content) for path, content in report.get('outputs', {}).items()},
            result=report.get('result'), checks=checks, lint=report.get('lint'), exit=report.get('exit'),
            inputs_changed=report.get('inputs_changed', []), error=report.get('error'), started=row.started, ended=time(),
            **usage,
        )  # fmt: skip

    def _conclude(self, watched: Watched, row: Row, report: dict[str, Any] | None, status: int) -> list[Row]:
        """Record how an attempt ended; the row again if it is to be tried again."""
        if watched.log is not None:
            watched.log.close()
        outcome, told = self._outcome(watched, report, status)
        user, system, rss = watched.usage
        usage: dict[str, Any] = {'user': user, 'system': system, 'rss': max(rss, self._signs.peak), 'pid': watched.pid}
        if watched.log is not None and watched.log.written:
            usage['log'] = os.path.relpath(self._log_path(row), self.layout.directory)
        if os.WIFSIGNALED(status):
            usage['signal'] = os.WTERMSIG(status)
        requeue = outcome == 'requeue'
        again = outcome in ('failed', 'crashed') and not self.told and row.retry < self.manifest.head['retries']
        self._record(row, not (again or requeue), 'cancelled' if requeue else outcome, told, **usage)
        if row.succeeded:
            self._discard_scratch(row)
        if requeue:
            self._requeue(row)
        if not again:
            return []
        row.retry += 1
        return [row]

    def _outcome(self, watched: Watched, report: dict[str, Any] | None, status: int) -> tuple[str, dict[str, Any]]:
        if report is not None and (report['outcome'] in ('succeeded', 'requeue') or watched.told is None):
            return report['outcome'], report
        if watched.told is not None:
            outcome, kind, line = why_ended(self.output, os.environ)
            return outcome, {**(report or {}), 'outputs': {}, 'error': {'type': kind, 'line': line}}
        if os.WIFSIGNALED(status):
            number = os.WTERMSIG(status)
            name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
            hint = f', perhaps out of memory ({self._signs.peak / 2**20:.0f} MiB seen)' if number == signal.SIGKILL else ''
            return 'crashed', {'error': {'type': name, 'line': f'its process was killed by {name}{hint}'}}
        code = os.WEXITSTATUS(status)
        line = f'its process ended with status {code} before the function returned'
        return 'failed', {'exit': code, 'error': {'type': 'Exit', 'line': line}}

    def _discard_scratch(self, row: Row) -> None:
        if self.manifest.head['resume']:
            from awflow.stopping import discarded, place

            discarded(place(self.layout.directory, {'job': self.job, 'task': row.key}))

    def _requeue(self, row: Row) -> None:
        """Give the node back; Slurm starts the job again when it can."""
        from awflow.backends.slurm.client import Slurm
        from awflow.errors import SlurmError

        try:
            Slurm().run('scontrol', 'requeue', os.environ['SLURM_JOB_ID'])
        except SlurmError as error:
            self._record(row, True, 'failed', {'error': {'type': 'Requeue', 'line': str(error).splitlines()[0]}})
            return
        signal.pause()  # Slurm ends this process; an end of its own would be an end of the job

    # -- while it runs -------------------------------------------------------------------------------------------------

    def _warned(self) -> None:
        self.near[0] = 1

    def _told_to_end(self) -> None:
        self.told = True
        self.near[0] = 1
        if self.watched is not None:
            self.watched.end(gently=bool(self.manifest.head['resume']))

    def _tick(self, watched: Watched, row: Row) -> None:
        """Now and then: signs of life, and a look whether the claim still stands."""
        asked = int(self.manifest.head['memory'] or 0)
        if self._signs.due(watched.peak(), asked):
            fact = {'alive': round(time(), 3), 'job': self.job, 'key': row.key, 'rss': self._signs.peak, 'asked': asked}
            self.grant.journal.append([fact])
            self.grant.sync()
        if not self.grant.holds(HOLDS) and watched.told is None:
            print('awflow: another run took this task over: it is stopped here', file=sys.stderr)
            watched.end(gently=False)


class Signs:
    """When a sign of life is due: ever more rarely, and when memory gets short."""

    def __init__(self) -> None:
        self.peak = 0
        self._pause = FIRST_SIGN
        self._next = monotonic() + FIRST_SIGN
        self._shares = list(SHARES)

    def due(self, peak: int, asked: int) -> bool:
        """`peak` is bytes, `asked` MiB."""
        self.peak = max(self.peak, peak)
        short = bool(asked and self._shares and self.peak > self._shares[0] * asked * 2**20)
        while asked and self._shares and self.peak > self._shares[0] * asked * 2**20:
            self._shares.pop(0)
        if not short and monotonic() < self._next:
            return False
        if not short:
            self._pause = min(2 * self._pause, LAST_SIGN)
            self._next = monotonic() + self._pause
        return True


def slurm_facts(environ: Any) -> dict[str, Any]:
    """The ids that every record repeats."""
    found = {'job': environ.get('SLURM_JOB_ID', '')}
    if 'SLURM_ARRAY_JOB_ID' in environ:
        found['array'] = f'{environ["SLURM_ARRAY_JOB_ID"]}_{environ["SLURM_ARRAY_TASK_ID"]}'
    return found


def why_ended(output: str, environ: Any) -> tuple[str, str, str]:
    """Outcome, kind and sentence for a task that Slurm ended by SIGTERM: Slurm says why in the job's output."""
    said = _tail(output)
    mark = f'JOB {environ.get("SLURM_JOB_ID", "")} ON '
    lines = [line for line in said.splitlines() if mark in line and 'CANCELLED AT' in line]
    reason = lines[-1].partition('CANCELLED AT ')[2].partition(' DUE TO ')[2].strip(' *').lower() if lines else ''
    ends = environ.get('SLURM_JOB_END_TIME', '')
    if 'time limit' in reason or (not lines and ends.isdigit() and time() >= int(ends) - 1):
        return 'timeout', 'TimeLimit', 'Slurm ended it at its time limit'
    return 'cancelled', 'Cancelled', f'Slurm ended it, {reason or "as somebody asked (scancel)"}'


def _tail(path: str) -> str:
    try:
        with open(path, 'rb') as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - (1 << 16)))
            return file.read().decode('utf-8', 'replace')
    except OSError:
        return ''


def _output_of(descriptor: int) -> str:
    try:
        return os.readlink(f'/proc/self/fd/{descriptor}')
    except OSError:
        return ''


def _visible(path: str) -> bool:
    """Whether a file is there; asks by listing, for a client may remember that it was not."""
    if os.path.lexists(path):
        return True
    try:
        return os.path.basename(path) in os.listdir(os.path.dirname(path) or '.') and os.path.lexists(path)
    except OSError:
        return False


def _start(fields: dict[str, str]) -> bytes:
    """How the lines of such records begin."""
    return jsontext.dumps(fields)[:-1]


def main(arguments: list[str]) -> NoReturn:
    """Perform one element; ends the process."""
    root, workflow, number, nonce, job, piece = arguments
    sys.setrecursionlimit(100_000)  # the edges of what was skipped lead upwards, however long the chain
    status = Worker(root, workflow, int(number), nonce, job, int(piece)).run()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
