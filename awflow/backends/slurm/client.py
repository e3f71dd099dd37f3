"""Slurm's commands: counted, run without what a surrounding job left in the environment, tried again while the
controller does not answer. What they say comes back as text or as data, what they refuse as a SlurmError with their words.
"""

from __future__ import annotations

import os
import subprocess
from time import monotonic, sleep

from awflow.errors import SlurmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

PATIENCE: Final = 60.0  # seconds for which a controller that does not answer is asked again
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0
CHUNK: Final = 500  # ids on one command line
INHERITED: Final = ('SLURM_', 'SBATCH_', 'PMIX_', 'PMI_')  # of the job around, if there is one; not for another job
KEPT: Final = ('SLURM_CONF', 'SLURM_CONF_SERVER')
# What makes squeue and scancel see less than there is (a job that is not listed counts as gone), and sbatch hand in another
# thing than it is told to.
MISLEADING: Final = ('SQUEUE_', 'SCANCEL_', 'SBATCH_ARRAY_INX', 'SBATCH_CLUSTERS', 'SBATCH_WAIT')
TRANSIENT: Final = (  # what the commands say while the controller is away or too busy
    'unable to contact slurm controller',
    'socket timed out',
    'connection refused',
    'connection timed out',
    'zero bytes were transmitted',
    'temporarily unable',
    'transport endpoint is not connected',
    'slurm backup controller in standby',
    'slurmctld communication',
    'communication connection failure',
    'unexpected message received',
)
QUEUE: Final = '%A|%F|%K|%T|%r|%u|%k'


class Queued:
    """One line of the queue: a job, an element of an array, or those of its elements that wait.

    `job` is the id by which Slurm knows the array (or the job), `elements` the indexes ('' without array), `state` and
    `reason` Slurm's own words.
    """

    __slots__ = ('comment', 'elements', 'job', 'reason', 'state', 'user')

    def __init__(self, job: str, elements: str, state: str, reason: str, user: str, comment: str) -> None:
        self.job = job
        self.elements = elements
        self.state = state
        self.reason = reason
        self.user = user
        self.comment = comment

    def indexes(self) -> list[int | None]:
        """The elements that it speaks of; [None] for a job without array. Slurm spells waiting ones '[1,3-5%2]'."""
        if not self.elements:
            return [None]
        found: list[int | None] = []
        for span in self.elements.partition('%')[0].strip('[]').split(','):
            first, _, last = span.partition('-')
            if first.isdecimal():
                stop, _, step = (last or first).partition(':')
                found += range(int(first), int(stop) + 1, int(step or 1))
        return found


class Slurm:
    """The commands of the cluster that this machine submits to. `counts` says how often each was run."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self.environ = scrubbed(os.environ if environ is None else environ)
        self.counts: dict[str, int] = {}

    def run(self, *command: str, text: str = '', patience: float = PATIENCE) -> str:
        """What a command prints. Raises SlurmError with what it said if it refuses."""
        deadline, pause = monotonic() + patience, FIRST_PAUSE
        while True:
            done = self._once(command, text)
            if done.returncode == 0:
                return done.stdout
            said = (done.stderr or done.stdout).strip()
            if not transient(said) or monotonic() + pause > deadline:
                raise _refused(command, said, done.returncode)
            sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _once(self, command: Sequence[str], text: str) -> subprocess.CompletedProcess[str]:
        name = command[0]
        self.counts[name] = self.counts.get(name, 0) + 1
        try:
            return subprocess.run(
                command, input=text, capture_output=True, text=True, env=self.environ, check=False, errors='replace',
                start_new_session=True,  # Ctrl-C is for us: a command that it broke off might have been carried out
            )  # fmt: skip
        except FileNotFoundError:
            raise SlurmError(
                'this machine has no command {_command!r}',
                'Run it where jobs are submitted, usually a login node; or with backend=\'local\'.', _command=name,
                PATH=self.environ.get('PATH', ''),
            ) from None  # fmt: skip

    def submit(self, arguments: Sequence[str], script: str, comment: str) -> str:
        """Hand in a batch script; the id of the job. `comment` is unique to it: should the answer get lost, the queue is
        searched for it before it is handed in again.
        """
        deadline, pause = monotonic() + PATIENCE, FIRST_PAUSE
        command = ['sbatch', '--parsable', f'--comment={comment}', *arguments]
        while True:
            done = self._once(command, script)
            if done.returncode == 0:
                return done.stdout.strip().splitlines()[-1].partition(';')[0]
            said = done.stderr.strip()
            if not transient(said) or monotonic() + pause > deadline:
                raise _refused(command, said, done.returncode)
            sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            if found := [line.job for line in self.queue([user()]) if line.comment == comment]:
                return found[0]

    def queue(self, users: Iterable[str]) -> list[Queued]:
        """All jobs of users that the controller knows, ended ones too for as long as it remembers them. Never filtered by
        id: a filter that hides an id and an id that is gone look the same; so `--all`, for partitions may be hidden.
        """
        of = '--user=' + ','.join(sorted(users))
        lines = self.run('squeue', '--noheader', '--all', '--states=all', of, f'--format={QUEUE}').splitlines()
        found = []
        for line in lines:
            fields = line.split('|', 6)
            if len(fields) == 7:
                job, array, elements, state, reason, user, comment = fields
                alone = elements in ('N/A', '')
                name = job if alone else array
                found.append(
                    Queued(name, '' if alone else elements, state, reason, user, '' if comment == '(null)' else comment)
                )
        return found

    def cancel(self, ids: Sequence[str]) -> None:
        """Cancel jobs or elements, in few commands; ids that are unknown or have ended do no harm."""
        for first in range(0, len(ids), CHUNK):
            self._cancel(ids[first : first + CHUNK])

    def _cancel(self, ids: Sequence[str]) -> None:
        try:
            self.run('scancel', *ids)
        except SlurmError as error:
            if 'invalid job id' not in str(error).lower():
                raise


def user() -> str:
    """Whose jobs this process submits, as Slurm's commands take it."""
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def scrubbed(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without filters, and without what a surrounding job put there. Outside of jobs SBATCH_* are the
    user's own defaults.
    """
    dropped = (*MISLEADING, *(INHERITED if 'SLURM_JOB_ID' in environ else ()))
    return {name: value for name, value in environ.items() if name in KEPT or not name.startswith(dropped)}


def transient(said: str) -> bool:
    """Whether a command failed for reasons that pass."""
    text = said.lower()
    return any(words in text for words in TRANSIENT)


def _refused(command: Sequence[str], said: str, status: int) -> SlurmError:
    name = command[0]
    return SlurmError(
        '{_name} refused: {_said}', '', _name=name, _said=_own_words(name, said) or f'it ended with status {status}',
    )  # fmt: skip


def _own_words(name: str, said: str) -> str:
    """What the command printed, without its own name before every line."""
    lines = [line.removeprefix(f'{name}: ').removeprefix('error: ') for line in said.splitlines()]
    return '; '.join(line for line in lines if line)
