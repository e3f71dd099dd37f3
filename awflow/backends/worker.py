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

from awflow.outcome import outcome_digest
from awflow.proofs import remembered
from awflow.state import jsontext
from awflow.stopping import Requeue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager
    from typing import Any, Final

    from awflow.backends.context import Tools
    from awflow.backends.lint import Watch
    from awflow.backends.payload import Definition
    from awflow.job import Condition

    Report = dict[str, Any]

HERE: Final = os.path.dirname(__file__) + os.sep
LINE: Final = 500  # characters of an error that a record keeps


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
    """Performs one task in this process and reports. Returns for every end but that of the process."""
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
    performance.report['ended'] = time.time()
    return performance.report


def blank(order: dict[str, Any]) -> Report:
    """The report of a task that has just begun."""
    return {
        'outcome': 'succeeded',
        'error': None,
        'checks': list(order.get('history') or []),
        'inputs': {},
        'inputs_changed': [],
        'outputs': {},
        'result': None,
        'end': order['id'],
        'started': time.time(),
        'ended': time.time(),
        'exit': 0,
    }


def refused(order: dict[str, Any], outcome: str, error: BaseException) -> Report:
    """The report of a task whose function was not reached."""
    if outcome == 'failed':
        show(error)
    return {**blank(order), 'outcome': outcome, 'error': {'type': kind_of(error), 'line': last_line(error)}, 'exit': 1}


class Performance:
    """One task on its way through the steps. What is known so far stands in the report."""

    def __init__(self, definition: Definition, order: dict[str, Any], tools: Tools) -> None:
        self.definition = definition
        self.order = order
        self.tools = tools
        self.stat_only: set[str] = set()
        self.report = blank(order)
        self.held: list[dict[str, Any]] = []  # what the report says of each postcondition
        self.watch: Watch | None = None  # sees which files are used, if the order asks for it

    def requeued(self, error: Requeue) -> None:
        if self.definition.options.resume:
            self.ends('requeue', 'Requeue', str(error) or 'it goes on later', 0)
        else:
            self.ends('failed', 'Requeue', 'it raised awflow.Requeue without @job(resume=True)', 1)

    def ends(self, outcome: str, kind: str, line: str, code: int) -> None:
        self.report.update(outcome=outcome, error={'type': kind, 'line': line}, exit=code)

    def steps(self) -> None:
        order, definition = self.order, self.definition
        os.environ.update(environment(order))
        directory = os.path.abspath(order.get('cwd') or '.')
        os.chdir(directory)
        for place in ('state', 'results_file'):
            if order.get(place):
                order[place] = os.path.abspath(order[place])
        value = self._value()
        self._demand(definition.before, value)
        if order['inputs'] or order.get('outputs') or definition.inputs or definition.outputs:
            self.tools.open(order)
        self.report['inputs'] = self._inputs(value)
        self._ask_before(value)
        os.chdir(directory)
        self.watch = self.tools.watch(order)
        with self.tools.context(definition, order), self._seen('function'):
            result = _call(definition.function, *([] if definition.array is None else [value]))
        os.chdir(directory)  # conditions and paths are relative to it, wherever the function went
        self.report['inputs_changed'] = self._changed()
        with self._seen('conditions'):
            self._ask_after(value)
        self.report['outputs'] = self._outputs(value)
        if result is not None:
            self.report['result'] = self._store(result)
        if definition.declares_outputs:
            stored = self.report['result']
            self.report['end'] = outcome_digest(self.report['outputs'], stored and stored['digest'])
        if self.watch is not None:
            self.report['lint'] = self.watch.findings(self.report['inputs'], self.report['outputs'])

    def _seen(self, what: str) -> AbstractContextManager[None]:
        return Unseen() if self.watch is None else self.watch.during(what)

    def _value(self) -> object:
        return None if self.definition.array is None else self.definition.array.value(self.order['position'])

    def _demand(self, conditions: Sequence[Condition], value: object) -> None:
        """Preconditions: the first that does not hold ends the task."""
        for condition in conditions:
            check = {'name': condition.name, **_asked(condition, value), 'when': 'before'}
            self.report['checks'].append(check)
            if not check['ok']:
                raise _unmet(check)

    def _ask_before(self, value: object) -> None:
        """Which postconditions hold already: those say nothing about the function."""
        conditions = self.definition.after
        known = remembered([condition.name for condition in conditions], self.order.get('history', ()))
        for condition, was_false in zip(conditions, known, strict=True):
            answer = _asked(condition, value, quietly=True)
            check = {'name': condition.name, 'when': 'after', 'before': answer['ok'], 'before_seconds': answer['seconds']}
            if was_false is not None or not answer['ok']:
                check['was_false'] = not answer['ok'] or was_false
            self.held.append(check)
        self.report['checks'] = [check for check in self.report['checks'] if check['when'] == 'before'] + self.held

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
        listed = {path: path in order.get('stat', ()) for path in order['inputs']}
        if definition.inputs:
            listed = self.tools.inputs(definition, value, order)
        self.stat_only = {path for path, stat in listed.items() if stat}
        found = {}
        for path in listed:
            digest = order['produced'].get(path) or self._input(path)
            if digest is None:
                raise _said('input', f'the input {path} does not exist')
            found[path] = digest
        return found

    def _input(self, path: str) -> str | None:
        if path in self.stat_only:
            return self.tools.signature(path)
        content = self.tools.content(path)
        return content and content[0]

    def _changed(self) -> list[str]:
        known = self.report['inputs'].items()
        changed = [path for path, digest in known if path not in self.order['produced'] and self._input(path) != digest]
        for path in changed:
            print(f'awflow: the input {path} changed while the task was running', file=sys.stderr)
        return changed

    def _outputs(self, value: object) -> dict[str, tuple[str, int]]:
        paths = self.order.get('outputs')
        if paths is None:
            paths = self.tools.outputs(self.definition, value, self.order)
        found = {path: self.tools.content(path) for path in paths}
        for path, content in found.items():
            if content is None:
                raise _said('output', f'the function returned, but the output {path} does not exist')
        return {path: content for path, content in found.items() if content is not None}

    def _store(self, result: object) -> dict[str, object]:
        try:
            data = self.tools.pickled(result)
        except Exception as error:
            cause = f'{kind_of(error)}: {last_line(error)}'
            raise _said('result', f'the returned {type(result).__name__} cannot be pickled ({cause})') from error
        return self.tools.store(self.order, data, self.tools.digest(result, data))


def environment(order: dict[str, Any]) -> dict[str, str]:
    """What the order adds to the environment; no device list means that the machine's own stays."""
    added = dict(order.get('env') or {})
    if order.get('parent'):
        added['AWFLOW_PARENT'] = jsontext.dumps(order['parent']).decode()  # whose task a schedule within it belongs to
    if order.get('cuda') is not None:
        added['CUDA_VISIBLE_DEVICES'] = order['cuda']
    return added


def _call(function: Callable[..., Any], *values: object) -> object:
    """Runs the user's function. A process that it forked, and that comes back here, has nothing to report."""
    me, status = os.getpid(), 1
    try:
        result = _guarded(function, *values)
        status = 0
    finally:
        if os.getpid() != me:
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
