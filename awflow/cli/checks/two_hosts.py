"""What one node sees of what another does: visibility, exclusion, appends and locks, tried on two nodes through srun.

The nodes are told what to do one thing at a time and answer (host.py). Delays are measured by the clock of this process,
from the answer "it is made" of the one to the answer "I see it" of the other, so no clocks are compared; what the way
there and back takes is measured too, and is the least that can be told.
"""

from __future__ import annotations

import json
import os
import select
import shlex
import shutil
import subprocess
import sys
from time import monotonic, time

from awflow.cli.checks.host import LINE, line_of
from awflow.errors import SlurmError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from awflow.cli.checks.findings import Part

ROUNDS: Final = 50  # of each kind of race
RACING: Final = 30.0  # seconds for all rounds of a kind
APPENDED: Final = 200  # lines by each node
ANSWER: Final = 20.0  # seconds for an answer to what takes no time
PATIENCE: Final = 90.0  # as that of the state's reader: what takes longer to be seen is not waited for
SKEW: Final = 2.0  # seconds
SILENCE: Final = 120  # seconds after which a node gives up to be told anything
SLOW: Final = 0.5  # seconds
WAYS: Final = {  # of looking for a file that was absent at the first look
    'protocol': 'changes the directory, lists it and opens what is listed', 'list': 'lists the directory again and again',
    'open': 'opens it again and again', 'stat': 'asks for its size (stat) again and again',
}  # fmt: skip
REFUSE: Final = (
    'Do not use this place with Slurm: keep the state on another filesystem, with schedule(state=...) or AWFLOW_STATE.'
)


class Silent(Exception):
    """The nodes do not answer (any more); why, as far as srun says."""


class Pair:
    """The two nodes at work."""

    def __init__(self, command: list[str], environ: Mapping[str, str], bound: float) -> None:
        self.end = monotonic() + bound
        self._n = 0
        self._heard: list[dict[str, Any]] = []
        self._rest = b''
        self._process = subprocess.Popen(
            command, env=dict(environ), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    @property
    def left(self) -> float:
        """Seconds that are left for all."""
        return self.end - monotonic()

    def tell(self, do: str, to: int | None = None, **words: Any) -> int:
        """Say what is to be done; the number under which the answers come."""
        self._n += 1
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({'n': self._n, 'to': to, 'do': do, **words}).encode() + b'\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Silent(self._complaint()) from None
        return self._n

    def ask(self, do: str, to: int, patience: float = ANSWER, **words: Any) -> dict[str, Any]:
        """What one node answers."""
        n = self.tell(do, to, **words)
        return self.hear(lambda said: said.get('n') == n, patience)

    def ask_both(self, do: str, patience: float = ANSWER, **words: Any) -> list[dict[str, Any]]:
        """What both answer, in their order."""
        n = self.tell(do, **words)
        found: dict[int, dict[str, Any]] = {}
        while len(found) < 2:
            said = self.hear(lambda said: said.get('n') == n, patience)
            found[said['rank']] = said
        return [found[0], found[1]]

    def hear(self, wanted: Callable[[dict[str, Any]], bool], bound: float = ANSWER) -> dict[str, Any]:
        """The first answer of that kind."""
        deadline = min(self.end, monotonic() + bound)
        while True:
            for at, said in enumerate(self._heard):
                if wanted(said):
                    return self._heard.pop(at)
            self._listen(deadline)

    def _listen(self, deadline: float) -> None:
        assert self._process.stdout is not None
        left = deadline - monotonic()
        if left <= 0 or not select.select([self._process.stdout], [], [], left)[0]:
            raise Silent('they did not answer in time')
        data = os.read(self._process.stdout.fileno(), 1 << 16)
        if not data:
            raise Silent(self._complaint())
        *lines, self._rest = (self._rest + data).split(b'\n')
        for line in lines:
            try:
                self._heard += [said] if isinstance(said := json.loads(line), dict) and 'rank' in said else []
            except ValueError:  # noqa: PERF203  one line at a time
                continue  # what the site or srun says besides

    def _complaint(self) -> str:
        """What srun said, which has ended."""
        try:
            _, said = self._process.communicate(timeout=5)
        except subprocess.TimeoutExpired:
            return 'srun closed its output'
        lines = [line for line in said.decode(errors='replace').splitlines() if line.strip()]
        return '; '.join(lines[-3:]) or f'srun ended with status {self._process.returncode}'

    def close(self) -> None:
        """Let the nodes end, and srun with them; it is made to if it does not."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        for ask in (None, self._process.terminate, self._process.kill):
            if ask is not None:
                ask()
            try:
                self._process.wait(5)
                break
            except subprocess.TimeoutExpired:
                continue
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()


def check(part: Part, probe: str, options: str, bound: float) -> None:
    """Try it in `probe`, a new directory, within so many seconds; `options` are the user's for srun."""
    from awflow.backends.slurm.client import Slurm
    from awflow.cli.checks import filesystem

    inside = int(os.environ.get('SLURM_JOB_NUM_NODES', 1)) > 1  # an allocation that is large enough is used
    environ = dict(os.environ) if inside else Slurm().environ
    if not shutil.which('srun', path=environ.get('PATH')):
        raise SlurmError('this machine has no command srun, which starts the two nodes', 'Run it on a login node of a cluster.')
    os.mkdir(probe)
    pair = Pair(_command(probe, options, bound), environ, bound)
    try:
        try:
            if _greet(part, pair):
                _examine(part, pair)
        except Silent as silent:
            part.unfit(
                f'the nodes were not examined to the end: {silent}',
                'Is a partition or an account needed? --srun "-p PARTITION -A ACCOUNT". Are nodes free? See --timeout.',
            )
    finally:
        pair.close()
        filesystem.remove(probe)


def _command(probe: str, options: str, bound: float) -> list[str]:
    wait = max(1, int(bound / 2))
    return [
        'srun', '--nodes=2', '--ntasks=2', '--ntasks-per-node=1', f'--job-name={_called(probe)}',
        f'--time={int(bound / 60) + 2}', f'--immediate={wait}', f'--chdir={os.path.dirname(probe)}',
        '--unbuffered', *shlex.split(options), sys.executable, '-m', 'awflow.cli.checks.host', probe, str(SILENCE),
    ]  # fmt: skip


def withdraw(probe: str) -> None:
    """End what a check that was given up has left in the queue: an srun that is killed need not take its job along."""
    from awflow.backends.slurm.client import Slurm, user

    Slurm().run('scancel', f'--user={user()}', f'--name={_called(probe)}', patience=1.0)


def _called(probe: str) -> str:
    """The name of the job, that no other has."""
    return f'awflow-doctor-{probe.rpartition("-")[2]}'


def _greet(part: Part, pair: Pair) -> bool:
    """Who they are; whether both see the directory."""
    hosts = pair.ask_both('hello', pair.left, bound=min(PATIENCE, pair.left / 3))
    names = [str(host['host']) for host in hosts]
    part.facts['hosts'] = names
    blind = [host['host'] for host in hosts if not host['device']]
    if blind:
        part.unfit(f'{" and ".join(blind)} cannot see the directory of the test', REFUSE)
        return False
    if hosts[0]['boot'] == hosts[1]['boot'] and hosts[0]['device'] == hosts[1]['device']:
        part.warn(
            f'{names[0]} and {names[1]} are one machine with one mount',
            'What follows says nothing of what happens between machines.',
        )
    else:
        part.ok(f'{names[0]} and {names[1]} see the directory')
    return True


def _examine(part: Part, pair: Pair) -> None:
    for name in ('create', 'link'):
        _race(part, pair, name)
    _visibility(part, pair)
    _growth(part, pair)
    _appends(part, pair)
    _locks(part, pair)
    _clocks(part, pair)


# -- exclusion ---------------------------------------------------------------------------------------------------------


def _race(part: Part, pair: Pair, how: str) -> None:
    """Both try for the same name at the same time. Who has it is what the file says; replies may get lost."""
    called = {'create': 'exclusive create', 'link': 'link'}[how]
    end = min(monotonic() + RACING, pair.end)
    rounds = lost = wins = 0
    wrong: list[str] = []
    while rounds < ROUNDS and monotonic() < end:
        rounds += 1
        name = f'{how}-{rounds}'
        granted = _raced(pair, name, how)
        if isinstance(granted, str):
            part.unfit(f'{called}: {granted}', REFUSE)
            return
        texts = [said['text'] for said in pair.ask_both('read', name=name)]
        winners = [rank for rank in (0, 1) if granted[rank]]
        wins += 0 in winners
        lost += not winners
        if len(winners) > 1 or texts[0] != texts[1] or (winners and texts[0] != f'n{winners[0]}'):
            wrong.append(f'{name}: granted to {len(winners)}, which read {texts[0]!r} and {texts[1]!r}')
    part.facts[f'{how}_races'] = {'rounds': rounds, 'first_won': wins, 'lost_replies': lost, 'wrong': len(wrong)}
    if wrong:
        part.unfit(f'{called} did not exclude in {len(wrong)} of {rounds} races ({wrong[0]})', REFUSE)
    else:
        also = f', {lost} replies were lost' if lost else ''
        part.ok(
            f'{called} was granted to one of them in each of {rounds} races ({wins} to {rounds - wins - lost}{also})',
            'What awflow relies on: the server decides. A lost reply does no harm, as the ledger is read again.'
            if lost
            else '',
        )


def _raced(pair: Pair, name: str, how: str) -> list[bool] | str:
    """Whether it was granted to each; in words what else went wrong."""
    answers = pair.ask_both('race', name=name, how=how, nonce='n')
    errors = [str(said['error']) for said in answers if 'error' in said]
    return errors[0] if errors else [bool(said['granted']) for said in answers]


# -- visibility --------------------------------------------------------------------------------------------------------


def _visibility(part: Part, pair: Pair) -> None:
    """How long the second node does not see a file that the first has made, by each way of looking."""
    began = monotonic()
    pair.ask('clock', 1)
    trip = monotonic() - began
    delays: dict[str, float | None] = {}
    for how in WAYS:
        delays[how] = _seen_after(pair, how)
    part.facts['seen_after_s'] = {how: None if delay is None else round(delay, 3) for how, delay in delays.items()}
    _tell_visible(part, delays, trip)


def _tell_visible(part: Part, delays: Mapping[str, float | None], trip: float) -> None:
    protocol, slow = delays['protocol'], {how: delay for how, delay in delays.items() if delay is None or delay > SLOW}
    if protocol is None:
        part.unfit(f'a new file was not seen by the other node within {PATIENCE:g} s, though it listed the directory', REFUSE)
        return
    if not slow:
        part.ok(f'a new file is seen by the other node after {_seconds(max(filter(None, [trip, *delays.values()])), trip)}')
        return
    part.ok(
        f'a new file is seen by the other node after {_seconds(protocol, trip)} if it lists anew, then opens',
        f'awflow looks in this way, again for up to {PATIENCE:g} s before it says that something is missing.',
    )
    for how, delay in slow.items():
        if how != 'protocol':
            told = f'not for {PATIENCE:g} s' if delay is None else f'only after {_seconds(delay, trip)}'
            part.ok(f'it is seen {told} by a program that {WAYS[how]}', 'awflow does not look in this way.')


def _seconds(delay: float, trip: float) -> str:
    return f'{delay:.1f} s' if delay > 0.05 + trip else f'at most {delay + trip:.2f} s'


def _seen_after(pair: Pair, how: str) -> float | None:
    """Seconds, None if it was not seen while there was time."""
    folder, name = f'see-{how}', f'see-{how}/file'
    pair.ask('folder', 0, name=folder)
    bound = min(PATIENCE, pair.left - 10)
    pair.ask('seek', 1, bound + 5, name=folder, how='list', bound=bound)
    n = pair.tell('seek', 1, name=name, how=how, bound=bound)
    pair.hear(lambda said: said.get('seeking') == name, bound)
    pair.ask('make', 0, name=name, text='made')
    made = monotonic()
    said = pair.hear(lambda said: said.get('n') == n, bound + 5)
    return max(0.0, monotonic() - made) if said.get('seen') else None


def _growth(part: Part, pair: Pair) -> None:
    """How long until the other node reads what was appended to a file that it has read before."""
    pair.ask('make', 0, name='growing', text='1234')
    if not pair.ask('read', 1, name='growing')['text']:
        part.warn('a small file that one node wrote could not be read on the other')
        return
    bound = min(PATIENCE, pair.left - 10)
    n = pair.tell('seek', 1, name='growing', how='protocol', bound=bound, size=8)
    pair.hear(lambda said: said.get('seeking') == 'growing', bound)
    pair.ask('grow', 0, name='growing', text='5678')
    made = monotonic()
    said = pair.hear(lambda said: said.get('n') == n, bound + 5)
    delay = monotonic() - made
    part.facts['grown_after_s'] = round(delay, 3) if said.get('seen') else None
    if said.get('seen'):
        part.ok(f'what is appended to a file is read on the other node after {_seconds(delay, 0.0)}')
    else:
        part.unfit(f'what is appended to a file is not read on the other node within {bound:.0f} s', REFUSE)


# -- appends, locks, clocks --------------------------------------------------------------------------------------------


def _appends(part: Part, pair: Pair) -> None:
    pair.ask_both('append', 30, name='appended', count=APPENDED, mark='x')
    bound = min(15.0, max(1.0, pair.left - 5))
    m = pair.tell('seek', 0, name='appended', how='protocol', bound=bound, size=2 * APPENDED * LINE)
    pair.hear(lambda said: said.get('n') == m, bound + 5)
    text = pair.ask('read', 0, name='appended')['text'].encode()
    wanted = {line_of(f'x{rank}', number).rstrip(b'\n') for rank in (0, 1) for number in range(APPENDED)}
    lost = len(wanted - set(text.split(b'\n')))
    part.facts['appends_lost'] = lost
    if lost:
        part.ok(
            f'of {2 * APPENDED} lines that both appended to one file {lost} were lost or damaged',
            'awflow does not rely on that: every host has a journal of its own.',
        )
    else:
        part.ok(f'{2 * APPENDED} lines that both appended to one file all came through')


def _locks(part: Part, pair: Pair) -> None:
    first, second = pair.ask('hold', 0, name='lock'), pair.ask('hold', 1, name='lock')
    does = 'awflow does not rely on locks: they only make planners queue up. Claims in the ledger decide.'
    part.facts['flock_excludes'] = bool(first['granted'] and not second['granted'] and 'error' not in second)
    if not first['granted'] or 'error' in second:
        part.ok(f'flock does not work there: {first.get("error") or second.get("error") or "it was not granted"}', does)
    elif second['granted']:
        part.ok('flock is local to a node: both were granted the same lock', does)
    else:
        part.ok('flock excludes across the two nodes')


def _clocks(part: Part, pair: Pair) -> None:
    """Each clock against ours, as exactly as the way there and back allows."""
    offsets = []
    for rank in (0, 1):
        before = time()
        told = pair.ask('clock', rank)['time']
        offsets.append(told - (before + time()) / 2)
    skew = abs(offsets[0] - offsets[1])
    part.facts['clock_skew_s'] = round(skew, 2)
    if skew > SKEW:
        part.warn(
            f'the clocks of the two nodes are {skew:.1f} s apart',
            'awflow decides nothing by comparing them, but the times it shows are theirs. Have them set (NTP).',
        )
    else:
        part.ok(f'the clocks of the two nodes agree within {max(skew, 0.1):.1f} s')
