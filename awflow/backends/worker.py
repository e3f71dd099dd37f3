"""How one task is performed, whoever asks for it: a driver on this machine or a batch job on a node.

    preconditions -> inputs -> function -> inputs again -> postconditions -> outputs -> result -> report

The report is data (JSON), its reader decides what is recorded. A task succeeded if the function returned, every
postcondition holds and every declared output exists. Whatever the user's code raises ends the task, never the worker.
"""

from __future__ import annotations

import json
import os
import sys
import time

from awflow.outcome import outcome_digest
from awflow.stopping import Requeue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Final

    from awflow.backends.context import Tools
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
        'checks': [],
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
        self._check(definition.before, 'before', value)
        if order['inputs'] or order.get('outputs') or definition.inputs or definition.outputs:
            self.tools.open(order)
        self.report['inputs'] = self._inputs(value)
        with self.tools.context(definition, order):
            result = _call(definition.function, *([] if definition.array is None else [value]))
        os.chdir(directory)  # conditions and paths are relative to it, wherever the function went
        self.report['inputs_changed'] = self._changed()
        self._check(definition.after, 'after', value)
        self.report['outputs'] = self._outputs(value)
        if result is not None:
            self.report['result'] = self._store(result)
        if definition.declares_outputs:
            stored = self.report['result']
            self.report['end'] = outcome_digest(self.report['outputs'], stored and stored['digest'])

    def _value(self) -> object:
        return None if self.definition.array is None else self.definition.array.value(self.order['position'])

    def _check(self, conditions: Sequence[Condition], when: str, value: object) -> None:
        for condition in conditions:
            check = _checked(condition, value)
            self.report['checks'].append({**check, 'when': when})
            if not check['ok']:
                raise _unmet(check, when)

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
        added['AWFLOW_PARENT'] = json.dumps(order['parent'])  # whose task a schedule within it belongs to
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


def _checked(condition: Condition, value: object) -> dict[str, Any]:
    began = time.perf_counter()
    check: dict[str, Any] = {'name': condition.name}
    try:
        check['ok'] = bool(condition.holds(value))
    except (KeyboardInterrupt, Terminated):
        raise
    except BaseException as error:  # noqa: BLE001  whatever it raises, it does not hold
        show(error)
        check.update(ok=False, error=f'{kind_of(error)}: {last_line(error)}')
    check['seconds'] = round(time.perf_counter() - began, 6)
    return check


def _unmet(check: dict[str, Any], when: str) -> Failure:
    kind = {'before': 'precondition', 'after': 'postcondition'}[when]
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
