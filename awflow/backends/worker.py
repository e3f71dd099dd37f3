"""How one task is performed, whoever asks for it: a driver on this machine or a batch job on a node.

    preconditions -> inputs -> postconditions, to know -> function -> inputs again -> postconditions, to decide
    -> outputs -> result -> report

The report is data (JSON), its reader decides what is recorded. A task succeeded if the function returned, every
postcondition holds and every declared output exists. Whatever the user's code raises ends the task, never the worker.

A postcondition that held before the function ran says nothing about the function, so each is asked then too, and the
answer is told in the report. It decides nothing: raising means that it did not hold.
"""

from __future__ import annotations

import os
import sys
import time
from posix import getpid

from awflow.backends.surroundings import environment, settle_lightly
from awflow.outcome import outcome_digest
from awflow.proofs import remembered
from awflow.state.smallfiles import is_small_file
from awflow.stopping import Requeue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Final

    from awflow.backends.context import Tools
    from awflow.backends.lint import Watch
    from awflow.backends.payload import Definition
    from awflow.job import Condition

    Report = dict[str, Any]

HERE: Final = os.path.dirname(__file__) + os.sep
LINE: Final = 500  # characters of an error that a record keeps


USUAL: Final[Mapping[str, Any]] = {  # what a report says of a task at which there is nothing to be said
    'outcome': 'succeeded',
    'error': None,
    'checks': [],
    'inputs': {},
    'inputs_changed': [],
    'outputs': {},
    'signatures': {},  # of outputs that are small files, as they were digested
    'result': None,
    'exit': 0,
}


NOTHING: Final[Mapping[str, Any]] = {}


class Terminated(BaseException):
    """SIGTERM reached the task. Not an Exception, so that `except Exception` in a task does not swallow it."""


class Failure(Exception):
    """Why the task failed: a kind, a line for the record, and the exit code to go with it."""

    def __init__(self, kind: str, line: str, code: int = 1) -> None:
        super().__init__(kind, line, code)
        self.kind, self.line, self.code = kind, line, code


class Unseen:
    """A context in which nobody looks."""

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...


def perform(definition: Definition, order: dict[str, Any], tools: Tools) -> Report:
    """Performs one task in this process and reports all there is to say. Returns for every end but that of the process."""
    began = time.time()
    report = performed(definition, order, tools)
    return {**USUAL, 'end': order['id'], 'started': began, 'ended': time.time(), **report}


def performed(definition: Definition, order: dict[str, Any], tools: Tools) -> Report:
    """Performs one task in this process and reports what is not usual about it."""
    performance = Performance(definition, order, tools)
    try:
        performance.steps()
    except Failure as failure:
        performance.ends('failed', failure.kind, failure.line, failure.code)
    except (KeyboardInterrupt, Terminated) as error:
        performance.ends('cancelled', type(error).__name__, str(error), 1)
    except Requeue as error:
        performance.requeued(error)
    except Exception as error:  # noqa: BLE001  the disk, or a value of the user's that nobody can digest
        show(error)
        performance.ends('failed', kind_of(error), last_line(error), 1)
    return performance.report


def full(report: Report) -> Report:
    """A report that arrived, made whole again. What it shares with others is not to be changed."""
    return {**USUAL, **report}


def refused(order: dict[str, Any], outcome: str, error: BaseException) -> Report:
    """The report of a task whose function was not reached."""
    if outcome == 'failed':
        show(error)
    said = {'type': kind_of(error), 'line': last_line(error)}
    return {'checks': list(order.get('history') or []), 'outcome': outcome, 'error': said, 'exit': 1}


class Performance:
    """One task on its way through the steps. What is known so far stands in the report, as far as it is not usual.

    A driver on this machine digests small files itself (`order['digested']`): it does so in a moment, while every page that a
    forked process touches for it has to be copied. It also names then which inputs are left to be digested here.
    """

    __slots__ = ('definition', 'held', 'order', 'report', 'stat_only', 'tools', 'watch')

    def __init__(self, definition: Definition, order: dict[str, Any], tools: Tools) -> None:
        self.definition = definition
        self.order = order
        self.tools = tools
        self.report: Report = {'checks': list(order['history'])} if order.get('history') else {}
        self.watch: Watch | None = None  # sees which files are used, if the order asks for it

    def ends(self, outcome: str, kind: str, line: str, code: int) -> None:
        """Note an end that is no success."""
        self.report.update(outcome=outcome, error={'type': kind, 'line': line}, exit=code)

    def requeued(self, error: Requeue) -> None:
        """It asks to go on later."""
        if self.definition.options.resume:
            self.ends('requeue', 'Requeue', str(error) or 'it goes on later', 0)
        else:
            self.ends('failed', 'Requeue', 'it raised awflow.Requeue without @job(resume=True)', 1)

    def steps(self) -> None:
        order, definition, tools = self.order, self.definition, self.tools
        telling = order.get('telling')
        if telling is None:
            self._settle()
        elif telling:  # () says that it is done
            settle_lightly(order, telling)
        directory = order['cwd']
        value = None if definition.array is None else definition.array.value(order['position'])
        if definition.before:
            self._demand(definition.before, value)
        if order['inputs'] or (definition.inputs and not order.get('digested')):
            self.report['inputs'] = self._inputs(value)
        if definition.after:
            self._ask_before(value)
            os.chdir(directory)
        if order.get('lint') is not None:
            self.watch = tools.watch(order)
        with tools.context(definition, order):
            if self.watch is not None:
                with self.watch.during('function'):
                    result = _call(definition, value)
            else:
                result = _call(definition, value)
        os.chdir(directory)  # conditions and paths are relative to it, wherever the function went
        if 'inputs' in self.report:
            self._look_for_changes()
        if definition.after:
            with self._seen('conditions'):
                self._ask_after(value)
        self._outputs(value)
        if result is not None:
            self.report['result'] = self._store(result)
        if definition.declares_outputs and not order.get('digested'):
            stored = self.report.get('result')
            self.report['end'] = outcome_digest(self.report.get('outputs', {}), stored and stored['digest'])
        if self.watch is not None:
            self.report['lint'] = self.watch.findings(self.report.get('inputs', {}), self.report.get('outputs', {}))

    def _settle(self) -> None:
        """The environment and the directory that the order names."""
        order = self.order
        os.environ.update(environment(order))
        for place in ('cwd', 'state', 'results_file'):
            if order.get(place) or place == 'cwd':
                order[place] = os.path.abspath(order.get(place) or '.')
        os.chdir(order['cwd'])

    def _seen(self, what: str) -> AbstractContextManager[None]:
        return Unseen() if self.watch is None else self.watch.during(what)

    def _demand(self, conditions: Sequence[Condition], value: object) -> None:
        """Preconditions: the first that does not hold ends the task."""
        for condition in conditions:
            check = {'name': condition.name, **_asked(condition, value), 'when': 'before'}
            self.report['checks'] = [*self.report.get('checks', ()), check]
            if not check['ok']:
                raise _unmet(check)

    def _ask_before(self, value: object) -> None:
        """Which postconditions hold already: those say nothing about the function."""
        conditions = self.definition.after
        self.held = []  # what the report says of each postcondition
        known = remembered([condition.name for condition in conditions], self.order.get('history', ()))
        for condition, was_false in zip(conditions, known, strict=True):
            answer = _asked(condition, value, quietly=True)
            check = {'name': condition.name, 'when': 'after', 'before': answer['ok'], 'before_seconds': answer['seconds']}
            if was_false is not None or not answer['ok']:
                check['was_false'] = not answer['ok'] or was_false
            self.held.append(check)
        self.report['checks'] = [c for c in self.report.get('checks', ()) if c['when'] == 'before'] + self.held

    def _ask_after(self, value: object) -> None:
        """Postconditions: the first that does not hold fails the task."""
        for condition, check in zip(self.definition.after, self.held, strict=True):
            answer = _asked(condition, value)
            if not answer['ok'] and _forget_calls():
                answer = _asked(condition, value)
            check.update(answer)
            if not check['ok']:
                check['was_false'] = True
                raise _unmet(check)

    def _inputs(self, value: object) -> dict[str, str]:
        """Digests at the start. The files that an upstream made are taken from its record, not read again."""
        definition, order = self.definition, self.order
        listed = order['inputs']
        stat_only = set(order.get('stat', ()))
        self.tools.open(order)
        if definition.inputs and 'known' not in order:  # globs and callables are asked again, the rest the driver has listed
            expanded = self.tools.inputs(definition, value, order)
            listed, stat_only = list(expanded), {path for path, stat in expanded.items() if stat}
        self.stat_only = stat_only
        produced = order['produced']
        found = {path: produced.get(path) for path in listed}
        found.update(self._digests([path for path in listed if not found[path]]))
        for path, digest in found.items():
            if digest is None:
                raise _said('input', f'the input {path} does not exist')
        return found

    def _digests(self, paths: Sequence[str]) -> dict[str, str | None]:
        """The digests of files now. What was not touched since the driver took one, long after its last change, is not read."""
        found: dict[str, str | None] = {}
        unread = []
        known = self.order.get('known') or NOTHING
        for path in paths:
            if path in self.stat_only:
                found[path] = self.tools.signature(path)
            elif path in known and known[path][1:] == _signature(path):
                found[path] = str(known[path][0])
            else:
                unread.append(path)
        for path, content in zip(unread, self.tools.contents(unread), strict=True) if unread else ():
            found[path] = content and content[0]
        return found

    def _look_for_changes(self) -> None:
        produced, before = self.order['produced'], self.report['inputs']
        now = self._digests([path for path in before if path not in produced])
        changed = [path for path in now if now[path] != before[path]]
        for path in changed:
            print(f'awflow: the input {path} changed while the task was running', file=sys.stderr)
        if changed:
            self.report['inputs_changed'] = changed

    def _outputs(self, value: object) -> None:
        """That all of them are there; and their digests, but for small files that are left to the driver."""
        paths = self.order.get('outputs')
        if paths is None:
            paths = self.tools.outputs(self.definition, value, self.order)
        if self.order.get('digested'):
            paths = [path for path in paths if not is_small_file(path)]
        if not paths:
            return
        self.tools.open(self.order)
        for path, content in zip(paths, self.tools.contents(paths), strict=True):
            if content is None:
                raise _said('output', f'the function returned, but the output {path} does not exist')
            self.report.setdefault('outputs', {})[path] = content[:2]
            if content[2] is not None:
                self.report.setdefault('signatures', {})[path] = content[2]

    def _store(self, result: object) -> dict[str, object]:
        try:
            data = self.tools.pickled(result)
        except Exception as error:
            cause = f'{kind_of(error)}: {last_line(error)}'
            raise _said('result', f'the returned {type(result).__name__} cannot be pickled ({cause})') from error
        return self.tools.store(self.order, data, self.tools.digest(result, data))


def _signature(path: str) -> list[int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino]


def _call(definition: Definition, value: object) -> object:
    """Runs the user's function. A process that it forked, and that comes back here, has nothing to report."""
    me, status = getpid(), 1
    try:
        result = _guarded(definition.function) if definition.array is None else _guarded(definition.function, value)
        status = 0
    finally:
        if getpid() != me:
            sys.stdout.flush()
            os._exit(status)
    return result


def _guarded(function: Callable[..., Any], *values: object) -> object:
    """Calls the user's function, telling its ends apart."""
    try:
        return function(*values)
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        said = '' if error.code is None or isinstance(error.code, int) else f', saying: {error.code}'
        raise _said('SystemExit', f'the function exited with code {code} instead of returning{said}', code) from None
    except (KeyboardInterrupt, Terminated, Requeue):
        raise
    except BaseException as error:
        show(error)
        raise Failure(kind_of(error), last_line(error)) from error


def _asked(condition: Condition, value: object, *, quietly: bool = False) -> dict[str, Any]:
    """Whether a condition holds, the seconds that it took, and what it raised; the traceback is shown unless `quietly`."""
    began = time.perf_counter()
    answer: dict[str, Any] = {}
    try:
        answer['ok'] = bool(condition.holds(value))
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:  # noqa: BLE001  whatever it raises, it does not hold
        if not quietly:
            show(error)
        answer.update(ok=False, error=f'{kind_of(error)}: {last_line(error)}')
    answer['seconds'] = round(time.perf_counter() - began, 6)
    return answer


def _forget_calls() -> bool:
    """Empty every functools.cache, one of which may have kept an answer from before the function ran; False if none did."""
    import functools
    import gc

    gc.unfreeze()  # what the zygote loaded is hidden from get_objects() otherwise
    kind = type(functools.cache(_unmet))
    caches = [found for found in gc.get_objects() if type(found) is kind and found.cache_info().currsize]
    for cache in caches:
        cache.cache_clear()
    return bool(caches)


def _unmet(check: dict[str, Any]) -> Failure:
    kind = {'before': 'precondition', 'after': 'postcondition'}[check['when']]
    how = f'raised {check["error"]}' if 'error' in check else 'does not hold'
    return _said(kind, f'{kind} {check["name"]} {how}')


def _said(kind: str, line: str, code: int = 1) -> Failure:
    """A failure that stands in the log too, where people look first."""
    print(f'awflow: {line}', file=sys.stderr)
    return Failure(kind, line[:LINE], code)


def kind_of(error: BaseException) -> str:
    """The exception's class as Python's tracebacks name it."""
    kind = type(error)
    prefix = '' if kind.__module__ in ('builtins', '__main__') else f'{kind.__module__}.'
    return prefix + kind.__qualname__


def last_line(error: BaseException) -> str:
    """Where most exceptions say what matters; those of awflow say it in the first."""
    from awflow.errors import AwflowError

    try:
        lines = str(error).strip().splitlines() or ['']
    except Exception:  # noqa: BLE001  a __str__ of the user's
        return f'<{type(error).__name__} that cannot be shown>'
    return (lines[0] if isinstance(error, AwflowError) else lines[-1])[:LINE]


def show(error: BaseException) -> None:
    """The traceback as the script alone would have shown it: without the frames that called the function."""
    import traceback

    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(HERE):
        trace = trace.tb_next
    traceback.print_exception(type(error), error, trace)
