"""Logs as they grow: `awflow logs -f`.

The problem. The files lie on a filesystem that tells nobody of changes, a retry writes to another file, a task that waits
has none yet, and thousands may run at once.

What this does. Two clocks. Often, the files that are known are read on from where they were left, ever less often while
nothing comes. Now and then the state is read, of which only what is new costs: it tells which attempt runs, where that
writes, and when a task has ended. What a look at the state takes is a small part of the time until the next. A task is
done when its record is final or nobody is left who performs it; then its file is read to the end once more.
"""

from __future__ import annotations

import os
import sys
from time import monotonic, sleep

from awflow.cli.attempts import LastAttempt, expected_log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

    from awflow.cli.observed import Workflow
    from awflow.cli.selection import Selection

SOON, LATE = 0.1, 1.0  # seconds between looks at files: at first, and at last while nothing comes
LOOK = 0.5  # seconds between looks at the state, at least
SHARE = 20  # and this many times what the last look took
PROBE, PROBE_QUEUE = 1.0, 30.0  # seconds between looks whether processes live, and whether a queue still has its jobs
PIECE: Final = 1 << 20


class Tail:
    """One task whose log is followed, from attempt to attempt."""

    __slots__ = ('_offset', '_place', '_rest', 'job', 'key', 'name', 'outcome', 'path', 'said')

    def __init__(self, attempt: LastAttempt) -> None:
        self.job, self.key, self.name = attempt.job, attempt.key, attempt.name
        self.outcome = ''  # once it has ended
        self.said = ''  # its error then
        self.path = ''
        self._place: tuple[object, ...] = ()
        self._offset = 0
        self._rest = b''  # a line that has not ended

    def look(self, workflow: Workflow, show: Show) -> None:
        """Find out which attempt runs now, and whether the task has ended."""
        attempt = LastAttempt(workflow, self.job, self.key)
        record = attempt.record
        owners = [
            number for number, claim in workflow.working().items()
            if claim.covers(self.job, self.key) and not workflow.state.finished(number, self.job, self.key)
        ]  # fmt: skip
        waiting = bool(owners) and (record is None or record.generation < max(owners))
        if record is not None and not waiting:
            place = (record.generation, record.attempt)
            if place != self._place:
                self._begin(place, show)
            self.path = os.path.join(workflow.store.layout.directory, record.log) if record.log else ''
            self.path = self.path or expected_log(attempt, record.to_dict())
        if not owners or (self.job, self.key) in workflow.gone:
            self.outcome, self.said = attempt.outcome, attempt.error()

    def _begin(self, place: tuple[object, ...], show: Show) -> None:
        if self._place:
            self.drain(show)
            self.close(show)
            show.note(f'{self.name} is tried again')
        self._place, self._offset = place, 0

    def drain(self, show: Show) -> bool:
        """Show what came since; whether something did. Opened anew each time: that asks the server of a network filesystem."""
        came = False
        while self.path and (data := self._read()):
            came = True
            self._offset += len(data)
            self._rest = show.output(self.name, self._rest + data)
        return came

    def _read(self) -> bytes:
        try:
            fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b''  # it has written nothing yet
        try:
            return os.pread(fd, PIECE, self._offset)
        finally:
            os.close(fd)

    def close(self, show: Show) -> None:
        """End the line under way."""
        if self._rest:
            show.output(self.name, self._rest + b'\n')
        self._rest = b''


class Show:
    """Where followed logs go: bytes as they are of one task, whole lines with the task's name before them of several."""

    def __init__(self, single: bool) -> None:
        self.single = single

    def output(self, name: str, data: bytes) -> bytes:
        """Show it; what is returned is the start of a line to come."""
        from awflow.cli.console import visible

        out = sys.stdout.buffer
        if self.single:
            out.write(data)
            return b''
        *lines, rest = data.split(b'\n')
        before = visible(name).encode(errors='backslashreplace') + b' | '
        out.writelines(before + line.rstrip(b'\r') + b'\n' for line in lines)
        return rest

    def note(self, text: str) -> None:
        """What is no output of a task."""
        from awflow.cli.console import visible

        sys.stdout.flush()
        print(f'awflow: {visible(text)}', file=sys.stderr, flush=True)


def follow(selections: Sequence[Selection], single: bool) -> bool:
    """Show the logs of tasks that run or wait until all have ended; False if there are none. Of a `single` task also a log
    that is complete.
    """
    tails = {each.workflow: _open_tails(each.workflow, selections, single) for each in selections}
    if not any(tails.values()):
        return False
    show = Show(single)
    try:
        _until_all_ended(tails, show)
    finally:
        sys.stdout.flush()
    return True


def _open_tails(workflow: Workflow, selections: Sequence[Selection], single: bool) -> list[Tail]:
    return [
        Tail(LastAttempt(workflow, selection.job, key))
        for selection in selections if selection.workflow is workflow
        for key in (selection.keys if single else _open(workflow, selection))
    ]  # fmt: skip


def _open(workflow: Workflow, selection: Selection) -> list[str]:
    """The tasks that run or wait."""
    job, state = selection.job, workflow.state
    claimed = [(number, keys) for number, claim in workflow.working().items() if (keys := claim.keys(job))]
    if not claimed:
        return []
    return [
        key for key in selection.keys
        if (job, key) not in workflow.gone
        and any(key in keys and not state.finished(number, job, key) for number, keys in claimed)
    ]  # fmt: skip


def _until_all_ended(tails: dict[Workflow, list[Tail]], show: Show) -> None:
    pause, next_look = SOON, 0.0
    probed = dict.fromkeys(tails, monotonic())
    while any(tails.values()):
        began = monotonic()
        if began >= next_look:
            for workflow, of_workflow in tails.items():
                probed[workflow] = _look(workflow, probed[workflow])
                for tail in of_workflow:
                    tail.look(workflow, show)
            next_look = monotonic() + max(LOOK, SHARE * (monotonic() - began))
        came = [tail.drain(show) for of_workflow in tails.values() for tail in of_workflow]
        for workflow, of_workflow in tails.items():
            for tail in of_workflow:
                if tail.outcome:
                    tail.close(show)
                    _say_end(tail, show)
            tails[workflow] = [tail for tail in of_workflow if not tail.outcome]
        sys.stdout.flush()
        if any(tails.values()):
            pause = SOON if any(came) else min(1.5 * pause, LATE)
            sleep(min(pause, max(next_look - monotonic(), SOON)))


def _look(workflow: Workflow, probed: float) -> float:
    """Read the state, and when it is time find out who lives; when that was done last."""
    state = workflow.store.read()
    queued = any((claim.owner or {}).get('queue') for claim in state.claims.values())
    due = monotonic() - probed >= (PROBE_QUEUE if queued else PROBE)
    if not due and state.claims.keys() == workflow.state.claims.keys():
        workflow.state = state
        return probed
    workflow.look()
    return monotonic()


def _say_end(tail: Tail, show: Show) -> None:
    said = f': {tail.said}' if tail.said else ''
    if not (show.single and tail.outcome == 'succeeded'):
        show.note(f'{tail.name} {tail.outcome}{said}')
