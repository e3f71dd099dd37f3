"""What the user writes: the decorators."""

from __future__ import annotations

import sys
from types import FunctionType

from awflow.arity import arity
from awflow.arrays import Array, array_of
from awflow.errors import DefinitionError
from awflow.job import Job, JobReference
from awflow.resources import parse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def job(
    f: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    array: object = None,
    cpus: int | str | None = None,
    memory: int | str | None = None,
    gpus: int | str | None = None,
    timelimit: object = None,
    retries: int | str | None = None,
    throttle: int | str | None = None,
    batch: int | str | None = None,
    version: object = None,
    ignore: object = None,
    packages: object = None,
    env: object = None,
    resume: bool | None = None,
    inputs: object = None,
    outputs: object = None,
    **slurm_options: object,
) -> Any:
    """Declare a function as a job: `@job` or `@job(cpus=4, memory='4GB', array=100)`.

    `array` is a number n (tasks 0..n-1), a range, or a sequence, set or mapping of values; each task is called with its
    value. `memory` is in MiB unless it says ('4GB'), `timelimit` in seconds unless it says ('1-12:00:00'). Options that
    are not listed here are given to `sbatch`. Raises OptionError or DefinitionError.
    """
    options: dict[str, object] = {}
    if not (
        cpus is memory is gpus is timelimit is retries is throttle is batch is version is ignore is packages is env is None
    ):
        options = {
            'cpus': cpus, 'memory': memory, 'gpus': gpus, 'timelimit': timelimit, 'retries': retries, 'throttle': throttle,
            'batch': batch, 'version': version, 'ignore': ignore, 'packages': packages, 'env': env,
        }  # fmt: skip
    if resume is not None:
        options['resume'] = resume
    site = _site()

    def declare(function: Callable[..., Any]) -> Job:
        if isinstance(function, (Job, JobReference)):
            raise DefinitionError('job {job!r} is decorated with @job twice', 'Keep one of them.', job=function.name, site=site)
        if not callable(function):
            raise DefinitionError(
                '@job decorates functions', 'Write @job or @job(cpus=4) above a def.', given=repr(function), site=site
            )
        label = _name(function, name, site)
        elements = None if array is None else array_of(label, array)
        _check_signature(function, label, elements, site)
        result = Job(function, label, elements, parse(label, options, slurm_options), site)
        if inputs is not None:
            result.reads(_listed(inputs))
        if outputs is not None:
            result.makes(_listed(outputs))
        return result

    return declare if f is None else declare(f)


def _listed(specs: object) -> list[object]:
    return list(specs) if isinstance(specs, (list, tuple, set, frozenset)) else [specs]


def _site() -> str:
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get('__name__') == __name__:
        frame = frame.f_back
    return f'{frame.f_code.co_filename}:{frame.f_lineno}'


def _name(function: Callable[..., Any], name: str | None, site: str) -> str:
    label = getattr(function, '__name__', '') if name is None else name
    if not isinstance(label, str) or not label.strip() or '\n' in label or '\0' in label:
        raise DefinitionError('a job needs a name of one line', "Write @job(name='...').", name=repr(label), site=site)
    if label == '<lambda>':
        raise DefinitionError('a lambda has no name to call the job by', "Write job(name='...')(lambda: ...).", site=site)
    return label


def _check_signature(function: Callable[..., Any], name: str, array: Array | None, site: str) -> None:
    least, most = arity(function)
    if isinstance(function, FunctionType) and function.__code__.co_varnames[:1] == ('self',) and '.' in function.__qualname__:
        raise DefinitionError(
            'job {job!r} is a method, and nobody gives it its `self`',
            'Declare a function that creates the object.',
            job=name,
            site=site,
        )
    fits = least == 0 if array is None else least <= 1 <= most
    if not fits:
        todo = (
            'Give every parameter a default, or the job an array=.'
            if array is None
            else 'Let it take one argument: the value of the task.'
        )
        taken = f'at least {least}' if least < 1_000_000 else 'keyword-only ones without default'
        raise DefinitionError(
            'job {job!r} would be called with {given}, which its function does not take', todo, job=name,
            given='no argument' if array is None else 'one argument', demanded=taken, site=site,
        )  # fmt: skip


def _declared(decorator: str, target: object) -> Job:
    if isinstance(target, JobReference):
        return target.resolve()
    if not isinstance(target, Job):
        raise DefinitionError(
            '@{decorator} stands below @job, or without one', 'Write it above @job.', decorator=decorator,
            target=getattr(target, '__qualname__', repr(target)), site=_site(),
        )  # fmt: skip
    return target


def after(*jobs: Any, status: str = 'success', each: bool = False) -> Callable[[Any], Any]:
    """Order a job after others: `@after(a, b)`, `@after(a, status='failure')`, `@after(a, each=True)`.

    A failure edge is satisfied only if the job did not succeed, so a handler that need not run is skipped, and so is what
    waits for its success.
    """
    return lambda target: _declared('after', target).after(*jobs, status=status, each=each)


def ensure(condition: Callable[..., object], when: str = 'after') -> Callable[[Any], Any]:
    """State what must hold when a task is done (or `when='before'` it starts).

    A condition with one required parameter gets the value of the task, one with none is called without.
    """
    return lambda target: _declared('ensure', target).ensure(condition, when)


def waitfor(mode: str) -> Callable[[Any], Any]:
    """Start when 'all' edges say yes (the default), or at the first that does ('any')."""
    return lambda target: _declared('waitfor', target).waitfor(mode)


def inputs(*specs: object, hash: str = 'content') -> Callable[[Any], Any]:
    """Declare files that tasks read: paths, globs, '{i}' templates or callables of the task's value.

    `hash='stat'` compares size and time only, for files too big to read.
    """
    if hash not in ('content', 'stat'):
        raise DefinitionError('inputs(hash={hash!r})', "Use 'content' or 'stat'.", hash=hash, site=_site())
    return lambda target: _declared('inputs', target).reads(specs, hash == 'stat')


def outputs(*specs: object) -> Callable[[Any], Any]:
    """Declare files that tasks write: paths, '{i}' templates or callables. None at all: the result is all they make."""
    return lambda target: _declared('outputs', target).makes(specs)
