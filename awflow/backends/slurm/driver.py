"""A schedule on Slurm: plan, try out, claim, hand in. Whether somebody waits for it afterwards is another matter."""

from __future__ import annotations

from awflow.backends.slurm.briefing import Briefing
from awflow.backends.slurm.client import Slurm
from awflow.backends.slurm.handed import Handed, layout
from awflow.backends.slurm.limits import limits_of
from awflow.backends.slurm.reconcile import adopt
from awflow.backends.slurm.request import Site
from awflow.backends.slurm.shape import Shape
from awflow.backends.slurm.submit import Submission, try_out
from awflow.errors import InFlightError, SlurmError
from awflow.frontier import Frontier
from awflow.plan import IN, Plan, task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from awflow.display import Display
    from awflow.frontier import Row
    from awflow.planner import Planner
    from awflow.state.grant import Grant
    from awflow.state.view import State

FEW: Final = 50  # elements of a foreign array that are waited for one by one


class Driver:
    """One schedule: what it submits, and to whose tasks it attaches."""

    def __init__(self, run: str, planner: Planner, options: Mapping[str, Any], display: Display) -> None:
        from awflow.config import section

        self.run = run
        self.planner = planner
        self.site = Site(section('slurm'), options)
        self.display = display
        self.slurm: Slurm = planner.queue.slurm
        self.plan = Plan([])
        self.frontier = Frontier(self.plan)
        self.shape: Shape | None = None
        self.grant: Grant | None = None
        self._facts: dict[str, Any] = {}  # on the run

    def submit(self) -> None:
        """Until what the plan runs is handed in. Raises SlurmError if Slurm refuses, and then leaves nothing queued."""
        tried = False
        while True:
            state, dead = self.planner.read(self.run)
            self.plan = plan = self.planner.plan(state, dead)
            self.frontier = Frontier(plan)
            adopted = self.planner.adoptions(plan)
            self.shape = self._shape(state) if any(IN in planned.mark for planned in plan.jobs) else None
            if self.shape is not None and not tried:
                try_out(self.slurm, self.planner.subjects, self.shape, self.site)
                tried = True
            if not (self._tasks() or adopted or dead):
                return
            tasks = self._tasks()
            queue = self._queue() if tasks else None
            with self.planner.store.turn(notify=self.display.note):
                self.grant = self.planner.publish(self.run, plan, state, dead, adopted, [], tasks=tasks, queue=queue)
            if self.grant is not None:
                break
        if self.shape is not None and self._tasks():
            self._hand_in()

    def claim_of(self, task: Row) -> int:
        """The claim under which a task is performed as far as the plan knew: records and notes of older ones do not count."""
        if self.grant is not None and task not in self.frontier.elsewhere:
            return self.grant.number
        subject = self.planner.subjects[task[0]]
        return self.planner.survey.state.owner_of(subject.name, subject.keys[task[1]]) or 0

    def announce(self) -> None:
        """Say what was submitted, and how to see what becomes of it."""
        if self.grant is None or self.shape is None:
            elsewhere = len(self.frontier.elsewhere)
            if elsewhere:
                self.display.note(f'nothing new to submit; {_tasks(elsewhere)} of other runs are under way')
            return
        tasks = sum(len(piece.rows) for piece in self.shape.pieces)
        commands = self.slurm.counts.get('sbatch', 0)
        self.display.note(
            f'submitted {_tasks(tasks)} in {len(self.shape.pieces)} Slurm jobs ({commands} sbatch); `awflow status` shows them'
        )

    def cancel(self) -> None:
        """Cancel what of this run is in the queue."""
        if self.grant is None:
            return
        state = self.planner.store.read()
        number = self.grant.number
        if number in state.claims:
            self.slurm.cancel(list(Handed(state.claims[number], state.facts(number)).ids))

    def _hand_in(self) -> None:
        assert self.grant is not None and self.shape is not None, 'only what is claimed is handed in'
        planner, store = self.planner, self.planner.store
        submission = Submission(self.slurm, self.grant, store.layout, planner.subjects, self.shape, self.site)
        try:
            briefing = Briefing(planner, self.plan, self.shape, self.site, self.run, self.claim_of)
            planner.write_payload(store.layout.payload(self.grant.number), briefing.manifests())
            submission.hand_in(meanwhile=self._prepare_note)
        except SlurmError:
            self._await_end()
            store.finish(self.run)
            raise
        except BaseException:
            if not submission.began:  # this process may live on, and then the claim would stand
                store.finish(self.run)
            raise
        finally:
            if self._facts:
                planner.note_run({**self._facts, 'commands': dict(self.slurm.counts)})
        self.grant.close()
        planner.digests.catch_up()
        planner.digests.save()

    def _prepare_note(self) -> None:
        """While Slurm works: what takes time of what is noted of the run at last, with the number of Slurm's commands."""
        self._facts = self.planner.run_facts(self.run, self.plan, self.site.memory, self.site.timelimit)
        for text in self.planner.notes(self.plan):
            self.display.note(text)

    def _await_end(self) -> None:
        """What was cancelled may be writing still; it gets some seconds to say how it ended."""
        assert self.grant is not None
        pause = 0.2
        while pause < 5:
            state = self.planner.store.read()
            if not state.started(self.grant.number):
                return
            self.planner.store.disk.sleep(pause)
            pause *= 2

    # -- the claim -----------------------------------------------------------------------------------------------------

    def _tasks(self) -> dict[str, list[str]]:
        if self.shape is None:
            return {}
        subjects = self.planner.subjects
        rows = {
            subjects[n].name: [subjects[n].keys[row] for p in pieces for row in p.rows]
            for n, pieces in enumerate(self.shape.of)
        }
        return {name: keys for name, keys in rows.items() if keys}

    def _queue(self) -> dict[str, Any]:
        """Where the claim goes on when this process has gone, and in which pieces."""
        assert self.shape is not None
        subjects = self.planner.subjects
        pieces = {
            subjects[n].name: [layout(p, subjects[n]) for p in pieces] for n, pieces in enumerate(self.shape.of) if pieces
        }
        return {'kind': 'slurm', 'cluster': limits_of(self.slurm).name, 'pieces': pieces}

    def _shape(self, state: State) -> Shape:
        arrays = any(subject.job.array is not None for subject in self.planner.subjects)
        limit = limits_of(self.slurm).piece if arrays else 1
        return Shape(
            self.plan, self.frontier, self.planner.subjects, limit, lambda number, rows: self._foreign(state, number, rows)
        )

    def _foreign(self, state: State, number: int, rows: Sequence[int]) -> tuple[list[str], bool]:
        """The ids in the queue of tasks that another run has submitted, and whether these perform no others.

        The elements of an array one by one only if they are few: a command line ends somewhere.
        """
        subject = self.planner.subjects[number]
        claims: dict[int, list[tuple[str, str]]] = {}
        for row in rows:
            claim = state.owner_of(subject.name, subject.keys[row])
            if claim is not None:  # otherwise it has ended since
                claims.setdefault(claim, []).append((subject.name, subject.keys[row]))
        ids: list[str] = []
        alone = True
        for claim, tasks in claims.items():
            handed = self._handed(state, claim, tasks[0])
            wanted: dict[str, dict[str, None]] = {}  # of every id the elements, as they are spelled
            for task in tasks:
                if task in handed.places:
                    wanted.setdefault(handed.places[task][0], {})[handed.spelled(*task)] = None
            for id, spelled in wanted.items():
                whole = len({place for place in handed.places.values() if place[0] == id})
                ids += [id] if len(spelled) == whole or len(spelled) > FEW else spelled
                alone &= len(spelled) == whole or len(spelled) <= FEW
        return ids, alone

    def _handed(self, state: State, claim: int, task: tuple[str, str]) -> Handed:
        if not (state.claims[claim].owner or {}).get('queue'):
            raise InFlightError(
                'task {task} is being executed by a run on {host}, which a job on Slurm cannot wait for',
                'Wait until that run has ended, then submit again.', task=task_name(*task),
                run=state.claims[claim].run, host=(state.claims[claim].owner or {}).get('host', 'another machine'),
            )  # fmt: skip
        handed = Handed(state.claims[claim], state.facts(claim))
        if self.planner.queue.looked is not None:
            adopt(handed, self.planner.queue.looked)
        return handed


def _tasks(number: int) -> str:
    return '1 task' if number == 1 else f'{number} tasks'
