"""What a job asks for, in the usual spellings, parsed once and refused where it is written.

`memory` is MiB, as in Slurm; `timelimit` is seconds of wall clock; `cpus` and `gpus` are per task.
"""

from __future__ import annotations

from awflow.errors import OptionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any, Final

UNITS: Final = {'': 1.0, 'K': 1 / 1024, 'M': 1.0, 'G': 1024.0, 'T': 1024.0**2, 'P': 1024.0**3}
RENAMED: Final = {  # what people type first, from Slurm, Snakemake and dawgz
    'cores': 'cpus',
    'threads': 'cpus',
    'cpus_per_task': 'cpus',
    'mem': 'memory',
    'ram': 'memory',
    'time': 'timelimit',
    'timeout': 'timelimit',
    'walltime': 'timelimit',
    'retry': 'retries',
}
THREAD_VARIABLES: Final = (
    'BLIS_NUM_THREADS',
    'JULIA_NUM_THREADS',
    'MKL_NUM_THREADS',
    'NUMBA_NUM_THREADS',
    'NUMEXPR_MAX_THREADS',
    'NUMEXPR_NUM_THREADS',
    'OMP_NUM_THREADS',
    'OPENBLAS_NUM_THREADS',
    'POLARS_MAX_THREADS',
    'RAYON_NUM_THREADS',
    'VECLIB_MAXIMUM_THREADS',
)

OWN_OPTIONS: Final[Mapping[str, str]] = {  # of sbatch, which awflow gives itself: what to write instead
    'array': 'Write @job(array=...).',
    'chdir': 'Tasks run in the directory in which schedule() was called.',
    'clusters': 'All jobs of a workflow go to the cluster of this machine, or of SLURM_CLUSTERS.',
    'comment': 'awflow marks its jobs by it.',
    'dependency': 'Write @after(...).',
    'error': 'The output of a task goes to its log: see `awflow logs`.',
    'input': 'Tasks have no standard input.',
    'job_name': "Write @job(name='...').",
    'kill_on_invalid_dep': 'What can never start is always ended.',
    'open_mode': 'The output of a task goes to its log: see `awflow logs`.',
    'output': 'The output of a task goes to its log: see `awflow logs`.',
    'parsable': 'awflow reads what sbatch says.',
    'test_only': 'Write schedule(dry_run=True).',
    'wait': 'Write schedule(wait=True).',
    'wrap': 'The function is what runs.',
}


class Options:
    """The options of one job, parsed; immutable."""

    __slots__ = (
        'batch',
        'cpus',
        'env',
        'gpus',
        'ignore',
        'memory',
        'packages',
        'resume',
        'retries',
        'slurm',
        'throttle',
        'timelimit',
        'version',
    )

    cpus: int
    memory: int | None
    gpus: int
    timelimit: float | None
    resume: bool
    retries: int
    throttle: int | None
    batch: int
    version: str | None
    ignore: tuple[str, ...]
    packages: tuple[str, ...]
    env: tuple[str, ...]
    slurm: Mapping[str, object]

    def __init__(self, **values: Any) -> None:
        for name in self.__slots__:
            object.__setattr__(self, name, values[name])

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f'options are immutable: {name}')

    def __reduce__(self) -> tuple[object, ...]:
        return _restore, ({name: getattr(self, name) for name in self.__slots__},)


def _restore(values: dict[str, Any]) -> Options:
    return Options(**values)


def parse(job: str, given: Mapping[str, object], slurm: Mapping[str, object]) -> Options:
    """The options of `job`; raises OptionError naming the job, the option, the value and what is accepted."""
    if not slurm and not given:
        return PLAIN
    for name in slurm:
        if name in RENAMED:
            raise OptionError(
                "job {job!r}: there is no option '{option}'", "Write '{_right}' instead.", job=job, option=name,
                value=repr(slurm[name]), _right=RENAMED[name],
            )  # fmt: skip
        if name in OWN_OPTIONS:
            raise OptionError(
                'job {job!r} cannot have {option}={value}: awflow gives this option to sbatch itself', OWN_OPTIONS[name],
                job=job, option=name, value=repr(slurm[name]),
            )  # fmt: skip
        _passed_through(job, name, slurm[name])
    values = dict(DEFAULTS)
    for name, value in given.items():
        if value is None:
            continue
        reader, _, accepted = READERS[name]
        try:
            values[name] = reader(value)
        except (ValueError, TypeError, OverflowError, AttributeError):
            raise OptionError(
                'job {job!r} cannot have {option}={value}',
                '',
                job=job,
                option=name,
                value=repr(value),
                accepted=accepted,
            ) from None
    return Options(**values, slurm=dict(slurm))


def _passed_through(job: str, name: str, value: object) -> None:
    if not isinstance(value, (str, int, float, bool, type(None))) or (isinstance(value, str) and '\n' in value):
        raise OptionError(
            'job {job!r} cannot have {option}={value}', 'Options that awflow does not know are given to sbatch as they are.',
            job=job, option=name, value=repr(value), accepted='a string of one line, a number, or True for a flag',
        )  # fmt: skip


def asked_for(
    jobs: Iterable[tuple[str, Options]], memory: int | None = None, timelimit: float | None = None
) -> list[tuple[dict[str, float], list[str]]]:
    """What jobs ask for per task, to be noted with a run; those that ask for the same stand together.

    `memory` and `timelimit` are what holds for those that do not say; what nobody says is left out.
    """
    groups: dict[tuple[float | None, ...], list[str]] = {}
    for name, options in jobs:
        asks = (options.cpus, options.memory or memory, options.gpus, options.timelimit or timelimit)
        groups.setdefault(asks, []).append(name)
    return [
        ({name: value for name, value in zip(('cpus', 'memory', 'gpus', 'timelimit'), asks, strict=True) if value}, names)
        for asks, names in groups.items()
    ]


def _whole(least: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if isinstance(value, bool):
            raise TypeError
        number = int(value.strip()) if isinstance(value, str) else value.__index__()  # type: ignore[attr-defined]
        if number < least:
            raise ValueError
        return number

    return read


def memory_mib(value: object) -> int:
    """MiB of '4GB', '4G', '512M', '1.5 GiB' or 4096; at least 1."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str):
        text = value.strip().upper()
        digits = text.rstrip('BIKMGTP ')
        unit = text[len(digits) :].strip()
        letter = unit[:1] if unit[:1] != 'B' else ''
        if unit not in ('', 'B', letter, letter + 'B', letter + 'IB'):
            raise ValueError
        mib = float(digits) * (1 / 1024**2 if unit == 'B' else UNITS[letter])
    else:
        mib = float(value.__index__())  # type: ignore[attr-defined]
    if not 0 < mib < 2**40:
        raise ValueError
    return max(1, int(mib + 0.999999))


def seconds(value: object) -> float:
    """Seconds of 'D-HH:MM:SS', 'D-HH:MM', 'D-HH', 'HH:MM:SS', 'MM:SS', a number of seconds or a timedelta."""
    if isinstance(value, bool):
        raise TypeError
    if isinstance(value, str):
        result = _clock(value.strip())
    elif isinstance(value, (int, float)):
        result = float(value)
    else:
        result = float(value.total_seconds())  # type: ignore[attr-defined]
    if not 0 < result < 1e10:
        raise ValueError
    return result


def _clock(text: str) -> float:
    days, dash, rest = text.rpartition('-')
    fields = [float(field) for field in rest.split(':')]
    if any(field < 0 for field in fields) or len(fields) > 3:
        raise ValueError
    if dash:  # as Slurm reads it: after days come hours
        hours, minutes, secs = [*fields, 0.0, 0.0][:3]
        return int(days) * 86400 + hours * 3600 + minutes * 60 + secs
    total = 0.0
    for field in fields:
        total = total * 60 + field
    return total


def _text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        raise TypeError
    return str(value)


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _names(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    names = tuple(value)  # type: ignore[arg-type, var-annotated]
    if not all(isinstance(name, str) for name in names):
        raise TypeError
    return names


READERS: Final[Mapping[str, tuple[Callable[[object], object], object, str]]] = {
    'cpus': (_whole(1), 1, "a whole number of at least 1, such as 4 or '4'"),
    'memory': (memory_mib, None, "'4GB', '4G', '512MB' or a whole number of MiB"),
    'gpus': (_whole(0), 0, 'a whole number of at least 0'),
    'timelimit': (seconds, None, "'D-HH:MM:SS', 'HH:MM:SS', 'MM:SS', a number of seconds or a timedelta, more than 0"),
    'retries': (_whole(0), 0, 'a whole number of at least 0'),
    'throttle': (_whole(1), None, 'a whole number of at least 1: how many tasks of the array may run at once'),
    'batch': (_whole(1), 1, 'a whole number of at least 1: how many tasks one process runs in turn'),
    'version': (_text, None, "a short text or a number, such as '2'"),
    'ignore': (_names, (), "names that do not count in the fingerprint, such as ['rng']"),
    'packages': (_names, (), "names of installed packages whose version counts, such as ['numpy']"),
    'resume': (_flag, False, 'True or False: a task that raises awflow.Requeue goes on later, where it stopped'),
    'env': (_names, (), "shell lines that run before the task on a cluster, such as ['module load gcc']"),
}
DEFAULTS: Final[Mapping[str, Any]] = {name: default for name, (_, default, _) in READERS.items()}
PLAIN: Final = Options(**DEFAULTS, slurm={})  # of a job that asks for nothing: one for all
