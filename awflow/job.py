"""Jobs, their edges, their conditions, their files: what the decorators make of what the user writes."""

from __future__ import annotations

from itertools import count

from awflow.arity import arity, demands_value
from awflow.arrays import Array
from awflow.current import CURRENT
from awflow.errors import DefinitionError, ResultError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from awflow.current import TaskContext
    from awflow.resources import Options

STATUSES = ('success', 'failure', 'any')
NOTHING: Any = ()  # for what a job has none of: thousands of empty lists would keep the garbage collector busy
_serial = count()  # order of definition, nothing else


class Edge:
    """One dependency: on which job, on which end of it, and whether element by element."""

    __slots__ = ('each', 'job', 'status')

    def __init__(self, job: Job, status: str, each: bool) -> None:
        self.job = job
        self.status = status
        self.each = each


class Condition:
    """A callable of @ensure."""

    __slots__ = ('_name', 'function', 'takes_value')

    def __init__(self, function: Callable[..., object], takes_value: bool, name: str = '') -> None:
        self.function = function
        self.takes_value = takes_value
        self._name = name

    def __reduce__(self) -> tuple[object, ...]:
        return Condition, (self.function, self.takes_value, self.name)  # the script may be edited while its tasks run

    @property
    def name(self) -> str:
        """Its source line as it was when first asked for, or its name, for humans."""
        if not self._name:
            self._name = _title(self.function)
        return self._name

    def holds(self, value: object) -> bool:
        """Whether it holds for this task; what the user's code raises comes through."""
        return bool(self.function(value) if self.takes_value else self.function())


def _title(function: object) -> str:
    code = getattr(function, '__code__', None)
    if code is None or code.co_name != '<lambda>':
        return str(getattr(function, '__qualname__', repr(function)))
    import linecache

    return linecache.getline(code.co_filename, code.co_firstlineno).strip() or '<lambda>'


class Spec:
    """A declared input or output: a path, a pattern, a '{i}' template or a callable; `stat` digests size and time only."""

    __slots__ = ('stat', 'takes_value', 'what')

    def __init__(self, what: str | Callable[..., object], takes_value: bool, stat: bool) -> None:
        self.what = what
        self.takes_value = takes_value
        self.stat = stat


class Job:
    """A function with its resources, edges and conditions. A plain call of it is a plain call of the function."""

    def __init__(self, function: Callable[..., object], name: str, array: Array | None, options: Options, site: str) -> None:
        self.function = function
        self.name = name
        self.array = array
        self.options = options
        self.site = site
        self.serial = next(_serial)
        self.edges: list[Edge] = NOTHING
        self.dependents: list[Job] = NOTHING
        self.mode = 'all'
        self.before: list[Condition] = NOTHING
        self.postconditions: list[Condition] = NOTHING
        self.input_specs: list[Spec] = NOTHING
        self.output_specs: list[Spec] = NOTHING
        self.declares_outputs = False
        self.pruned = False
        self.scheduled_as: tuple[str, str, str] | None = None  # (state root, workflow, unique name) of the last schedule
        self.__name__ = getattr(function, '__name__', name)
        self.__qualname__ = getattr(function, '__qualname__', name)
        self.__doc__ = getattr(function, '__doc__', None)
        self.__module__ = getattr(function, '__module__', '__main__')

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f'<job {self.name}>' if self.array is None else f'<job {self.name}[{len(self.array)}]>'

    def __reduce__(self) -> tuple[object, ...]:
        return reference, (self.scheduled_as[2] if self.scheduled_as else self.name,)

    def prune(self) -> Job:
        """Mark this job, and all it depends on, to be left out where it is up to date even under `schedule(prune=False)`."""
        self.pruned = True
        return self

    def after(self, *jobs: Job, status: str = 'success', each: bool = False) -> Job:
        """Wait for `jobs` to end with `status`: 'success', 'failure' or 'any'; with `each`, element i waits for element i."""
        if status not in STATUSES:
            raise DefinitionError(
                'job {job!r} cannot wait for status={status!r}', "Use 'success', 'failure' or 'any'.", job=self.name,
                status=status, site=self.site,
            )  # fmt: skip
        for upstream in jobs:
            if isinstance(upstream, JobReference):
                upstream = upstream.resolve()
            if not isinstance(upstream, Job):
                raise DefinitionError(
                    'job {job!r} can only wait for jobs', 'Decorate the function with @job.', job=self.name,
                    given=repr(upstream), site=self.site,
                )  # fmt: skip
            if each and (self.array is None or upstream.array is None):
                raise DefinitionError(
                    'job {job!r} cannot wait for each element of {upstream!r}: both must have an array',
                    'Give both the same array, or drop each=True.', job=self.name, upstream=upstream.name, site=self.site,
                )  # fmt: skip
            if not self._waits_for(upstream, status, each):
                self.edges = _with(self.edges, Edge(upstream, status, each))
                upstream.dependents = _with(upstream.dependents, self)
        return self

    def _waits_for(self, upstream: Job, status: str, each: bool) -> bool:
        """Whether that edge is there already, told from the end at which there are fewer: a job may have thousands."""
        if len(upstream.dependents) < len(self.edges) and self not in upstream.dependents:
            return False
        return any(e.job is upstream and e.status == status and e.each == each for e in self.edges)

    def ensure(self, condition: Callable[..., object], when: str = 'after') -> Job:
        """State what must hold when a task is done, or `when='before'` it starts."""
        if when not in ('after', 'before'):
            raise DefinitionError(
                'job {job!r}: when={when!r}', "Use 'after' or 'before'.", job=self.name, when=when, site=self.site
            )
        made = Condition(condition, self._takes_value(condition, 'a condition'))
        if when == 'after':
            self.postconditions = _with(self.postconditions, made)
        else:
            self.before = _with(self.before, made)
        return self

    def waitfor(self, mode: str) -> Job:
        """Start when 'all' edges say yes, or at the first ('any')."""
        if mode not in ('all', 'any'):
            raise DefinitionError(
                'job {job!r}: waitfor({mode!r})', "Use 'all' or 'any'.", job=self.name, mode=mode, site=self.site
            )
        self.mode = mode
        return self

    def reads(self, specs: Iterable[object], stat: bool = False) -> Job:
        """Declare files that the tasks read."""
        self.input_specs = [*self.input_specs, *(self._spec(spec, stat) for spec in specs)]
        return self

    def makes(self, specs: Iterable[object]) -> Job:
        """Declare files that the tasks write; none at all says: the result is all it makes."""
        self.declares_outputs = True
        self.output_specs = [*self.output_specs, *(self._spec(spec, False) for spec in specs)]
        return self

    def result(self, value: object = None) -> object:
        """What the task of this value returned; without a value for a job without array. Only along a direct edge."""
        context = CURRENT.get()
        if context is not None and self.scheduled_as is None:
            return context.result(self.name, value)
        return self._reader().result(value)

    def results(self) -> list[object]:
        """What the tasks of this job returned, in array order. Only along a direct edge."""
        context = CURRENT.get()
        if context is not None and self.scheduled_as is None:
            return context.results(self.name)
        found: list[object] = self._reader().all()
        return found

    def dependencies(self) -> list[Job]:
        """The jobs that this one waits for, each once, in order of declaration."""
        return list(dict.fromkeys(edge.job for edge in self.edges))

    def _reader(self) -> Any:
        if self.scheduled_as is None:
            raise ResultError('job {job!r} has no results yet', 'Schedule it first.', job=self.name, site=self.site)
        from awflow.results import Reader

        return Reader(*self.scheduled_as, self.array)

    def _takes_value(self, function: object, what: str) -> bool:
        if not callable(function):
            raise DefinitionError(
                'job {job!r}: {_role} must be callable', 'Write a function or a lambda.', job=self.name, _role=what,
                given=repr(function), site=self.site,
            )  # fmt: skip
        least, _ = arity(function)
        takes = self.array is not None and demands_value(function)
        if least > 1 or (least == 1 and self.array is None):
            may = (
                'one parameter (the value of the task) or none'
                if self.array is not None
                else 'no parameter, as the job has no array'
            )
            raise DefinitionError(
                'job {job!r}: {_role} takes too many arguments', 'Give the others defaults: lambda i, p=path: ...',
                job=self.name, _role=what,
                demands=least % 1_000_000 if least < 1_000_000 else 'keywords', accepted=may, site=self.site,
            )  # fmt: skip
        return takes

    def _spec(self, what: object, stat: bool) -> Spec:
        if isinstance(what, str):
            return Spec(what, False, stat)
        if hasattr(what, '__fspath__'):
            return Spec(str(what), False, stat)
        return Spec(what, self._takes_value(what, 'a callable of paths'), stat)  # type: ignore[arg-type]


def _with(known: list[Any], new: object) -> list[Any]:
    """The list with one more, made when there is a first."""
    if known is NOTHING:
        return [new]
    known.append(new)
    return known


class JobReference:
    """A job as seen from within a task of the same workflow: results, a plain call, and a nested schedule."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f'<job {self.name}>'

    def __reduce__(self) -> tuple[object, ...]:
        context = CURRENT.get()
        own = context.scheduled(self.name) if context is not None else None
        return (reference, (self.name,)) if own is None else own.__reduce__()

    def resolve(self) -> Job:
        """The job itself, from the payload of the running task."""
        return self._context().job(self.name)

    def _context(self) -> TaskContext:
        context = CURRENT.get()
        if context is None:
            raise ResultError('job {job!r} is known here by name only', 'Use it inside a task.', job=self.name)
        return context

    def result(self, value: object = None) -> object:
        """As Job.result."""
        context = self._context()
        own = context.scheduled(self.name)
        return context.result(self.name, value) if own is None else own.result(value)

    def results(self) -> list[object]:
        """As Job.results."""
        context = self._context()
        own = context.scheduled(self.name)
        return context.results(self.name) if own is None else own.results()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.resolve().function(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith('__'):
            raise AttributeError(name)
        return getattr(self.resolve(), name)


def reference(name: str) -> JobReference:
    """A job unpickles as a reference, never as the graph behind it."""
    return JobReference(name)
