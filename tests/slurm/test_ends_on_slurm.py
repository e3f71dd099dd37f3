"""How a task ended is on record, in plain words, whatever ended it; and a rerun does only that again."""

from __future__ import annotations

import os
import re
import signal
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from tests.slurm.flow import Flow

ENDS = """
    def told(name):
        with open(name + '.pids', 'w') as file: print(os.getpid(), os.getppid(), file=file)
        while not os.path.exists('mended'): time.sleep(0.05)

    @job
    def fine(): open('fine', 'a').write('x')
    @job
    def raises():
        if not os.path.exists('mended'): raise ValueError('of my own')
    @job
    def leaves():
        if not os.path.exists('mended'): sys.exit(3)
    @job
    def exits():
        if not os.path.exists('mended'): os._exit(4)
    @job
    def killed(): told('killed')
    @job
    def step_killed(): told('step_killed')
    @job
    def told_first(): told('told_first')
    @job(memory='200MB')
    def hungry():
        if not os.path.exists('mended'): hoard = bytearray(os.urandom(1 << 20) * 600); told('hungry')
    @job(timelimit='00:10:00')
    def late(): told('late')
    @job(array=3)
    def element(i):
        told(f'element-{i}')
    @job(begin='now+1hour')
    def pending(): open('pending', 'a').write('x')
    @ensure(lambda: os.path.exists('made'))
    @job
    def forgets():
        if os.path.exists('mended'): open('made', 'w').close()
    @ensure(lambda i: i != 1 or os.path.exists('mended'))
    @job(array=2)
    def half_met(i): pass
    @job(env=['[ -e mended ] || { echo no such module: gcc; exit 7; }'])
    def unprepared(): pass

    made = [fine, raises, leaves, exits, killed, step_killed, told_first, hungry, late, element, pending, forgets, half_met, unprepared]
    for one in made[:]:
        def below(): pass
        made.append(job(name=f'below_{one.name}')(below).after(one))
    run = schedule(*made, backend='slurm', wait=True, check=False)
    for failure in run.failures: print(failure)
    print(run.status())
"""
WORDS = {  # outcome and sentence
    'raises': ('failed', 'of my own'),
    'leaves': ('failed', 'the function exited with code 3 instead of returning'),
    'exits': ('failed', 'its process ended with status 4 before the function returned'),
    'killed': ('crashed', r'its process was killed by SIGKILL, perhaps out of memory \(\d+ MiB seen\)'),
    'step_killed': ('crashed', 'it was killed, perhaps out of memory'),
    'told_first': ('cancelled', r'Slurm ended it, as somebody asked \(scancel\)'),
    'hungry': ('failed', r'it used more memory than it had asked for \(\d+ MiB seen, 200 MiB asked for\)'),
    'late': ('timeout', 'Slurm ended it at its time limit'),
    'element[0]': ('cancelled', r'Slurm ended it, as somebody asked \(scancel\)'),
    'element[1]': ('cancelled', r'Slurm ended it, as somebody asked \(scancel\)'),
    'forgets': ('failed', r"postcondition @ensure\(lambda: os.path.exists\('made'\)\) does not hold"),
    'half_met[1]': ('failed', r'postcondition @ensure\(lambda i: .*\) does not hold'),
    'unprepared': ('failed', 'its batch script failed before Python reached the task: no such module: gcc'),
}
ENDED_JOBS = sorted({name.partition('[')[0] for name in WORDS})


def test_every_end_is_recorded_in_words_and_only_what_did_not_succeed_runs_again(flow: Flow) -> None:
    flow.script(ENDS)
    cluster = flow.cluster
    process = flow.start()
    names = ['killed', 'step_killed', 'told_first', 'late', 'element-0', 'element-1', 'element-2']
    cluster.wait_until(lambda: all(flow.lines(f'{name}.pids') for name in names))
    pids = {name: [int(pid) for pid in flow.read(f'{name}.pids').split()] for name in names}
    ids = {job.name: job.number for job in cluster.jobs()}
    cluster.end_in(ids['late'], 1)
    os.kill(pids['killed'][0], signal.SIGKILL)
    for pid in reversed(pids['step_killed']):  # first the one that would say what became of the other
        os.kill(pid, signal.SIGKILL)
    task, watching = pids['told_first']  # of the processes of a job one is the first to get the signal that all get
    os.kill(task, signal.SIGTERM)
    cluster.wait_until(lambda: not psutil.pid_exists(task))
    os.kill(watching, signal.SIGTERM)
    cluster.scancel(f'{ids["element"]}_0', f'{ids["element"]}_1', ids['pending'])
    cluster.wait_for(ids['late'], 'TIMEOUT', bound=90)
    flow.write('mended', '')  # lets the last element succeed
    ran = flow.finish(process, {})
    assert ran.returncode == 0, ran

    for name, (outcome, words) in WORDS.items():
        record = ran.records[name]
        assert record.outcome == outcome, (name, record.error)
        assert re.fullmatch(words, record.error['line']), (name, record.error)
        assert re.search(f'{re.escape(name)}  {outcome}: .*{words}', ran.stdout), ran
    assert re.search('pending  cancelled: Slurm says cancelled', ran.stdout), ran
    assert ran.records['hungry'].slurm['state'] == 'FAILED'
    good = {'fine', 'below_fine', 'element[2]'}
    assert set(ran.executed) == {*good, *WORDS}, 'neither what was cancelled before it began nor what is below a failure'
    cluster.wait_until_empty()
    below = {job.name: job.state for job in cluster.jobs() if job.name.startswith('below_')}
    assert len(below) == 14
    assert {state for name, state in below.items() if name != 'below_fine'} == {'CANCELLED'}, 'and none of that waits for ever'

    cluster.forget_commands()
    flow.edit("begin='now+1hour'", "begin='now'")
    again = flow.run()
    assert again.returncode == 0, again
    others = {'pending', *(f'below_{name}' for name in (*ENDED_JOBS, 'pending'))}
    assert set(again.executed) == {*WORDS, *others}, again
    assert set(again.outcomes.values()) == {'succeeded'}, again
    assert flow.read('fine') == flow.read('pending') == 'x'
    assert sorted(flow.asked('array')) == ['0-1', '1'], 'of the arrays only what did not succeed'


NODES = """
    def told(name):
        with open(name + '.tries', 'a') as file: print(os.environ['SLURMD_NODENAME'], file=file, flush=True)
        while not os.path.exists('mended'): time.sleep(0.05)

    @job(nodelist='n2', no_requeue=True)
    def lost(): told('lost')
    @job(nodelist='n2', requeue=True)
    def moved(): told('moved')
    @job(nodelist='n1', requeue=True)
    def requeued(): told('requeued')
    @after(moved, requeued)
    @job
    def last(): pass
    @after(lost, status='failure')
    @job
    def cleans(): pass
    run = schedule(last, lost, cleans, backend='slurm', wait=True, check=False)
    for failure in run.failures: print(failure)
"""


def test_a_dead_node_is_named_and_what_slurm_starts_again_is_another_attempt(flow: Flow) -> None:
    flow.script(NODES)
    cluster = flow.cluster
    process = flow.start()
    cluster.wait_until(lambda: all(flow.lines(f'{name}.tries') for name in ('lost', 'moved', 'requeued')))
    ids = {job.name: job.number for job in cluster.jobs()}
    cluster.kill_node('n2')
    cluster.wait_for(ids['lost'], 'NODE_FAIL')
    cluster.boot_node('n2')
    cluster.ask('scontrol', 'requeue', ids['requeued'])
    cluster.wait_until(lambda: all(len(flow.lines(f'{name}.tries')) == 2 for name in ('moved', 'requeued')))
    flow.write('mended', '')
    ran = flow.finish(process, {})
    assert ran.returncode == 0, ran
    lost = ran.records['lost']
    assert (lost.outcome, lost.error['line'], lost.slurm['state']) == ('crashed', f'its node {lost.host} failed', 'NODE_FAIL')
    assert {name: ran.records[name].attempt for name in ('lost', 'moved', 'requeued')} == {
        'lost': (0, 0), 'moved': (1, 0), 'requeued': (1, 0),
    }  # fmt: skip
    assert ran.failed == ['lost']
    assert set(ran.executed) == {'lost', 'moved', 'requeued', 'last', 'cleans'}
    cluster.wait_until_empty()
    assert flow.run().executed == ['lost'], 'which succeeds now, so that nothing is to be cleaned'
