"""One call of `schedule()`: survey, plan, claim, execute, end."""

from __future__ import annotations

import os
from time import localtime, strftime

from awflow.errors import BackendError, OptionError, WorkflowFailed
from awflow.garbage import Patience
from awflow.graph import jobs_of, ordered, refuse_stale
from awflow.plan import Plan
from awflow.planner import Planner
from awflow.state.store import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from awflow.backends.slurm.driver import Driver
    from awflow.backends.slurm.follow import Follower
    from awflow.display import Display
    from awflow.failure import Failure
    from awflow.job import Job
    from awflow.session import Session
    from awflow.state.grant import Grant

BACKENDS = ('local', 'slurm')
LOCAL_OPTIONS = ('fail_fast',)
OLDER = 10  # see Patience: of a run, which may last for days


def available_backends() -> list[str]:
    """The backends that this version has, by name."""
    return list(BACKENDS)


class Run:
    """What one `schedule()` did: `id`, `plan`, `failures`, and the results of its jobs."""

    def __init__(self, planner: Planner) -> None:
        self.id = strftime('%Y%m%d-%H%M%S', localtime()) + '-' + os.urandom(4).hex()
        self.plan = Plan([])
        self.failures: list[Failure] = []
        self.executed: list[str] = []
        self.counts: dict[str, int] = {}
        self._planner = planner
        self._driver: Driver | None = None  # of a run on Slurm
        self._follower: Follower | None = None

    def __repr__(self) -> str:
        return f'<run {self.id}: {self.status()}>'

    def status(self) -> dict[str, int]:
        """How many tasks ended how in this run; those that were up to date count as fresh, those under way as open."""
        self._look()
        fresh = sum(len(job.mark) - len(job.kinds) for job in self.plan.jobs)
        under_way = len(self._follower.frontier.open) if self._follower is not None else 0
        return {**self.counts, **({'fresh': fresh} if fresh else {}), **({'open': under_way} if under_way else {})}

    def wait(self, timeout: float | None = None) -> Run:
        """Until it has ended, or for `timeout` seconds; a local run has when `schedule` returns. See `failures` then."""
        if self._follower is not None and self._follower.follow(timeout):
            from awflow.leftovers import sweep

            self._planner.store.finish(self.id)
            if self._driver is not None and self._driver.grant is not None:
                sweep(self._planner.store)
        self._look()
        return self

    def cancel(self) -> None:
        """Cancel what of it is in the queue; of a local run nothing runs any more."""
        if self._driver is not None:
            self._driver.cancel()
        if self._follower is not None:
            self._follower.expect_silence()

    def advice(self) -> list[str]:
        """What the tasks of a run on Slurm that was watched (`lint=True`) should declare."""
        linter = self._follower.linter if self._follower is not None else None
        return linter.lines() if linter is not None else []

    def _submitted(self, driver: Driver) -> None:
        from awflow.backends.slurm.follow import Follower

        self.plan = driver.plan
        self._driver = driver
        self._follower = Follower(driver)

    def _look(self) -> None:
        if self._follower is not None:
            self._follower.look()
            self.failures, self.executed = self._follower.failures, self._follower.executed
            self.counts = dict(self._follower.counts)

    def result(self, job: Job, value: object = None) -> object:
        """What a task returned; without a value for a job without array."""
        return job.result(value)

    def to_dict(self) -> dict[str, object]:
        """For JSON."""
        return {
            'id': self.id,
            'plan': self.plan.to_dict(),
            'status': self.status(),
            'executed': self.executed,
            'failures': [failure.to_dict() for failure in self.failures],
            **({'commands': dict(self._driver.slurm.counts)} if self._driver is not None else {}),
        }


def schedule(
    *jobs: Job,
    backend: str = 'local',
    prune: bool = True,
    check: bool = True,
    dry_run: bool = False,
    force: Iterable[object] = (),
    workers: int | None = None,
    wait: bool | None = None,
    workflow: str | None = None,
    state: str | os.PathLike[str] | None = None,
    progress: bool | None = None,
    lint: bool | None = None,
    **backend_options: object,
) -> Run:
    """Run what of these jobs and all they depend on is not up to date.

    `workers` is how many cpus may be used (default: those of this process). `force` names jobs to run whatever is known.
    `dry_run` prints the plan with its reasons and changes nothing. With `check` a failed task raises WorkflowFailed at the
    end, which carries the run; without, see `Run.failures`. `fail_fast=True` starts nothing new after the first failure.
    `lint` (or AWFLOW_LINT=1) has tasks watch which files they use, and advises what to declare.

    With `backend='slurm'` everything is submitted, and the call returns unless `wait=True`; further options are given to
    `sbatch` for every job. What Slurm refuses raises SlurmError, and then nothing is left in its queue.
    """
    fail_fast = _options(backend, backend_options, workers)
    with Patience():
        given = jobs_of(jobs, 'schedule()')
        order = ordered(given)
        refuse_stale(order)
        forced = jobs_of(force if isinstance(force, (list, tuple, set, frozenset)) else [force], 'schedule(force=...)')
        planner = Planner(order, given, forced, prune=prune, workflow=workflow, root=state)
    planner.lint = lint_wanted(lint)
    run = Run(planner)
    if 'AWFLOW_PLANNING' in os.environ:
        from awflow.proposal import hand_over

        run.plan = hand_over(planner)
        return run
    if dry_run:
        from awflow.explain import render_plan

        with Patience():
            run.plan = planner.plan(*planner.read())
        print(render_plan(run.plan, planner.survey.sources.of))
        return run
    if backend == 'slurm':
        _submit(run, planner, backend_options, progress, bool(wait))
    else:
        _execute(run, planner, workers, fail_fast, progress)
        planner.release()
    if check and run.failures:
        raise _failed(run)
    return run


def lint_wanted(said: bool | None) -> bool:
    """Whether tasks watch which files they use: as said, else by AWFLOW_LINT, else no."""
    if said is not None:
        return bool(said)
    return os.environ.get('AWFLOW_LINT', '0').lower() not in ('', '0', 'false', 'no', 'off')


def _options(backend: str, options: Mapping[str, object], workers: object) -> bool:
    if backend not in BACKENDS:
        raise BackendError(
            'there is no backend {backend!r}',
            'Use one of those available.',
            backend=backend,
            available=', '.join(BACKENDS),
        )
    if backend == 'slurm' and 'fail_fast' in options:
        raise OptionError(
            'schedule() has no option {option!r} with the Slurm backend',
            'What depends on a failed task never starts; the rest has been submitted already.', option='fail_fast',
        )  # fmt: skip
    for name in options if backend == 'local' else ():
        if name not in LOCAL_OPTIONS:
            raise OptionError(
                'schedule() has no option {option!r} with the local backend',
                '',
                option=name,
                accepted=', '.join(LOCAL_OPTIONS),
            )
    if workers is not None and (isinstance(workers, bool) or not isinstance(workers, int) or workers < 1):
        raise OptionError(
            'schedule() cannot have workers={value!r}', '', value=workers, accepted='a whole number of at least 1'
        )
    return bool(options.get('fail_fast', False))


def _execute(run: Run, planner: Planner, workers: int | None, fail_fast: bool, progress: bool | None) -> None:
    """Plan and claim until a claim is granted or nothing is to be done; then run it."""
    pool = None
    try:
        while True:
            with Patience():
                state, dead = planner.read(run.id)
                run.plan = plan = planner.plan(state, dead)
                adopted = planner.adoptions(plan)
            if plan and pool is None:
                pool = _pool(planner, plan, workers)
            if not (plan.tasks() or adopted or dead):
                grant = None  # nothing to claim: all is up to date, or others are at it
                break
            from awflow.display import Display

            with planner.store.turn(notify=Display().note):
                grant = planner.publish(run.id, plan, state, dead, adopted, pool.pids if pool is not None else [])
            if grant is not None:
                break
        if pool is not None:
            with Patience(older=OLDER):
                _drive(run, planner, plan, grant, pool, workers, fail_fast, progress)
        else:
            if grant is not None:
                planner.store.compact()  # thousands may have been adopted at once
            if planner.survey.unconfirmed:
                planner.confirm(planner.store.read() if adopted else state)
    finally:
        if pool is not None:
            pool.close()
    planner.digests.save()


def _submit(run: Run, planner: Planner, options: Mapping[str, object], progress: bool | None, wait: bool) -> None:
    """Hand in what the plan runs, and with `wait` follow it to its end."""
    from awflow.backends.slurm.driver import Driver
    from awflow.display import make
    from awflow.leftovers import sweep

    display: Display = make(progress)
    driver = Driver(run.id, planner, options, display)
    driver.submit()
    run._submitted(driver)
    planner.digests.save()
    if not wait:
        if driver.grant is not None:
            sweep(planner.store)
        driver.announce()
        return
    if driver.frontier.open:
        display.begin(run.plan, len(driver.frontier.open))
    try:
        run.wait()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            'stopped watching; what was submitted goes on: `awflow` shows it, `awflow cancel` ends it'
        ) from None
    finally:
        if driver.frontier.skipped or run.counts:
            display.close()
            for text in run.advice():
                display.note(text)


def _pool(planner: Planner, plan: Plan, workers: int | None) -> Any:
    from awflow.backends.meter import machine
    from awflow.backends.pool import Pool

    cpus = workers or planner.place.cpus or machine()[0]
    wanted = {min(planner.subjects[n].job.options.cpus, cpus) for n, job in enumerate(plan.jobs) if any(job.mark)}
    return Pool(cpus, sorted(wanted), environ=dict(os.environ), cwd=os.getcwd())


def _drive(
    run: Run,
    planner: Planner,
    plan: Plan,
    grant: Grant | None,
    pool: Any,
    workers: int | None,
    fail_fast: bool,
    progress: bool | None,
) -> None:
    from awflow.backends.budget import Budget
    from awflow.backends.local import LocalBackend
    from awflow.backends.meter import machine
    from awflow.display import make
    from awflow.frontier import Frontier
    from awflow.leftovers import sweep
    from awflow.session import Session
    from awflow.state.liveness import myself

    store: Store = planner.store
    owner = myself(pool.pids, store.proc)

    def equip(granted: Grant) -> None:
        path = store.layout.payload(granted.number)
        planner.write_payload(path)
        planner.digests.catch_up()
        planner.digests.save()  # what was hashed for the plan is not hashed again by the tasks
        pool.load(path)

    session = Session(run.id, store, planner.survey, plan, Frontier(plan), owner, planner.place, equip, planner.settle)
    planner.calm()
    if planner.lint:
        from awflow.advice import Linter

        session.linter = Linter(planner.survey, planner.place)
    display: Display = make(progress)
    try:
        if grant is not None:
            planner.note_run(planner.run_facts(run.id, plan))
            session.claimed(grant)
        cpus, memory, gpus = machine()
        cpus = workers or planner.place.cpus or cpus
        budget = Budget(cpus, memory // 2**20, gpus)
        for text in planner.notes(plan):
            display.note(text)
        display.begin(plan, len(session.frontier.open))
        LocalBackend(session, pool, budget, cpus, display, fail_fast).run()
    finally:
        display.close()
        pool.close()
        _collect(run, session)
        store.finish(run.id)
        sweep(store)
        planner.digests.confirm(planner.survey.made)
        planner.confirm(store.read())
        for text in session.linter.lines() if session.linter is not None else ():
            display.note(text)


def _collect(run: Run, session: Session) -> None:
    run.failures = session.failures
    run.executed = session.executed
    skipped = {'skipped': len(session.frontier.skipped)} if session.frontier.skipped else {}
    run.counts = {**session.counts, **skipped}


def _failed(run: Run) -> WorkflowFailed:
    shown = run.failures[:20]
    lines = [str(failure) + (f'\n    log: {failure.log}' if failure.log else '') for failure in shown]
    if len(run.failures) > 20:
        lines.append(f'... and {len(run.failures) - 20} more')
    number = len(run.failures)
    return WorkflowFailed(
        '{_number} of the tasks did not succeed:\n  {_list}',
        'Mend the cause and run again: what succeeded does not run again.', _number=number, _list='\n  '.join(lines), _run=run,
    )  # fmt: skip
