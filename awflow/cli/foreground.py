"""A task performed in this process, with the terminal's input and output, and nothing of it recorded.

The steps are those of a worker (backends/worker.py); what differs is where they lead. A result is shown, not stored. The
cache of digests is read, not written. What a schedule within the task records goes to a state of its own, that is removed
afterwards, and so does what the task keeps for later attempts. Files that the function writes are real.
"""

from __future__ import annotations

import errno
import os
import sys
from time import perf_counter

from awflow.backends.context import TaskContext, Tools
from awflow.backends.worker import HERE, Failure, Performance, full, kind_of, last_line, show
from awflow.state.fs import Disk
from awflow.stopping import Requeue, never

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType
    from typing import Any, NoReturn

    from awflow.backends.payload import Definition, Payload
    from awflow.cli.case import Case
    from awflow.job import Condition

ARRAY = ('SLURM_ARRAY_', 'SLURM_RESTART_COUNT')  # of a job around this process: the task is no element of it
CPUS = 'AWFLOW_DEBUG_CPUS'  # from this program to itself, see `with_threads`
LONGEST = 400  # characters of a result that is shown


class Anew(BaseException):
    """The program must begin anew, with that in its environment: what is open is closed on the way to who does it."""

    def __init__(self, interpreter: str, **added: str) -> None:
        super().__init__(interpreter, added)
        self.interpreter = interpreter
        self.added = added


class Untouched(Disk):
    """A disk on which nothing is created: for what would be kept if it could."""

    __slots__ = ()

    def create(self, path: str, data: bytes) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)


class Asked:
    """A condition that remembers what it raised."""

    def __init__(self, condition: Condition) -> None:
        self.name = condition.name
        self.raised: BaseException | None = None
        self._condition = condition

    def holds(self, value: object) -> bool:
        """As the condition says."""
        self.raised = None
        try:
            return self._condition.holds(value)
        except BaseException as error:
            self.raised = error
            raise


class InTheForeground(TaskContext):
    """The running task, which keeps what is for later attempts in a copy."""

    def __init__(self, definition: Definition, order: dict[str, Any], payload: Payload, scratch: str) -> None:
        super().__init__(definition, order, payload, never)
        self._scratch = scratch

    def __enter__(self) -> TaskContext:
        from shutil import copytree

        kept = super().scratch()
        if os.path.isdir(kept):
            copytree(kept, self._scratch, dirs_exist_ok=True)
        return super().__enter__()

    def scratch(self) -> str:
        """The copy."""
        return self._scratch


class Looking(Tools):
    """Tools that leave the state as it is."""

    def __init__(self, payload: Payload, scratch: str) -> None:
        super().__init__(payload)
        self.result: object = None
        self._scratch = scratch

    def open(self, order: dict[str, Any]) -> None:
        """Digests that are not kept."""
        if self._digests is None:
            from awflow.state.digests import Digests
            from awflow.state.layout import Layout

            self._digests = Digests(Layout(order['state'], order['workflow']).digests, Untouched())

    def context(self, definition: Definition, order: dict[str, Any]) -> TaskContext:
        """As for any task, but for what survives it."""
        return InTheForeground(definition, order, self._payload, self._scratch)

    def pickled(self, result: object) -> bytes:
        """As it would be stored; the value is kept, to be shown."""
        self.result = result
        return super().pickled(result)

    def store(self, order: dict[str, Any], data: bytes, digest: str) -> dict[str, object]:
        """Nowhere."""
        return {'bytes': len(data), 'digest': digest}


class Played:
    """How it went: the report, seconds, the result, and what was raised, if anything was."""

    __slots__ = ('raised', 'report', 'result', 'seconds')

    def __init__(self, report: dict[str, Any], result: object, raised: BaseException | None, seconds: float) -> None:
        self.report = report
        self.result = result
        self.raised = raised
        self.seconds = seconds


def prepared(case: Case, payload: Payload) -> tuple[Definition, int]:
    """The job rebuilt, as in a task's process, and the place of the task in its array.

    The number of threads of numerical libraries is that of the job's cpus, as it is in a run. They read it when they are
    loaded, which is before the job tells its number: if it is not one, this program begins anew, with the number.
    """
    from awflow.backends.child import appear_as_main
    from awflow.elements import keys_of
    from awflow.resources import THREAD_VARIABLES

    cpus, directory = os.environ.pop(CPUS, '1'), os.getcwd()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, cpus))
    for name in [name for name in os.environ if name.startswith(ARRAY)]:
        del os.environ[name]
    sys.path[:] = [case.here(path) for path in payload.sys_path]
    sys.argv[:] = [case.here(payload.script)]
    os.environ['AWFLOW_SCRIPT'] = case.here(payload.script)
    os.chdir(case.directory)
    definition = payload.definition(case.job)
    wanted = str(definition.options.cpus)
    if wanted != cpus:
        os.chdir(directory)
        raise Anew(sys.executable, **{CPUS: wanted})
    appear_as_main(definition.function)
    if definition.array is None:
        return definition, -1
    return definition, list(keys_of(case.job, definition.array)).index(case.key)


def begin(anew: Anew) -> NoReturn:
    """Replace this process by the same command, whose questions have been answered."""
    sys.stdout.flush()
    sys.stderr.flush()
    arguments = sys.orig_argv[sys.orig_argv.index('debug') :]
    os.execve(  # noqa: S606  itself
        anew.interpreter, [anew.interpreter, '-m', 'awflow', *arguments, '--yes'], {**os.environ, **anew.added}
    )


def play(case: Case, payload: Payload, definition: Definition, position: int, folder: str) -> Played:
    """Perform the task. `folder` is not there, and takes what must not lie in the state."""
    tools = Looking(payload, os.path.join(folder, 'scratch'))
    conditions = [Asked(condition) for condition in (*definition.before, *definition.after)]
    middle = len(definition.before)
    definition.before, definition.after = conditions[:middle], conditions[middle:]  # type: ignore[assignment]
    performance = Performance(definition, _order(case, payload, definition, position, folder), tools)
    began = perf_counter()
    raised: BaseException | None = None
    try:
        performance.steps()
    except Failure as failure:
        performance.ends('failed', failure.kind, failure.line, failure.code)
        raised = failure.__cause__ or failure.__context__ or _raised_by(conditions)
    except KeyboardInterrupt as error:
        performance.ends('cancelled', 'KeyboardInterrupt', 'interrupted', 130)
        raised = error
    except Requeue as error:
        performance.requeued(error)
    except Exception as error:  # noqa: BLE001  what the user's values and files raise, as in a worker
        show(error)
        performance.ends('failed', kind_of(error), last_line(error), 1)
        raised = error
    return Played(full(performance.report), tools.result, raised, perf_counter() - began)


def _raised_by(conditions: Sequence[Asked]) -> BaseException | None:
    return next((condition.raised for condition in reversed(conditions) if condition.raised is not None), None)


def _order(case: Case, payload: Payload, definition: Definition, position: int, folder: str) -> dict[str, Any]:
    """What a worker is told: as in the run, with another place for what is recorded within the task."""
    from awflow.place import PARENT, definition_site
    from awflow.state import jsontext

    number = os.urandom(16).hex()
    parent = {
        'run': 'debug', 'task': case.name, 'attempt': number, 'workflow': case.workflow,
        'state': os.path.join(folder, 'state', '.awflow'), 'script': case.here(payload.script), 'cpus': definition.options.cpus,
        'ancestors': [definition_site(definition.function)],
    }  # fmt: skip
    return {
        'job': case.job, 'task': case.key, 'position': position, 'attempt': [0, 0], 'id': number,
        'generation': case.record.generation if case.record is not None else 0, 'outputs': None, 'inputs': [], 'stat': [],
        'produced': {}, 'env': {PARENT: jsontext.dumps(parent).decode()}, 'cuda': None, 'cwd': case.directory,
        'results_file': '', 'parent': parent, 'state': case.root, 'workflow': case.workflow, 'limit': None, 'history': None,
        'lint': None,
    }  # fmt: skip


def look_into(error: BaseException) -> bool:
    """The debugger, where it was raised; False if that is not in code of the user."""
    import pdb

    trace: TracebackType | None = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    if trace is None:
        return False
    sys.stdout.flush()
    pdb.post_mortem(trace)
    return True


def shown_result(result: object) -> str:
    """A result in a line or a few."""
    try:
        text = repr(result)
    except Exception as error:  # noqa: BLE001  a __repr__ of the user's
        return f'{type(result).__name__}, which cannot be shown ({kind_of(error)})'
    return text if len(text) <= LONGEST else f'{text[:LONGEST]}... ({len(text)} characters)'
