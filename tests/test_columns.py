"""Big arrays, looked at by column: whatever happens to their files, the verdicts are those of looking at each task alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

FLOW = """
    import json, random
    from awflow import subject
    from awflow.errors import AwflowError
    from awflow.state import cached

    SIZE = 200
    cached.RACY = cached.RACY_FINE = -10**15  # files are as good as old, so that columns may be trusted at once
    dice = random.Random({seed})

    def made(keys):
        @ensure(lambda i: os.path.exists(f'flag/{{i}}'))
        @inputs('in/{{i}}', 'config')
        @outputs('mid/{{i}}')
        @job(array=keys, batch=50)
        def first(i):
            with open(f'in/{{i}}') as file, open(f'mid/{{i}}', 'w') as out: out.write(file.read()[:3])
            open(f'flag/{{i}}', 'a').close()
        @after(first, each=True)
        @inputs('mid/{{i}}')
        @outputs('out/{{i}}', 'log/{{i}}.txt')
        @job(array=keys, batch=50)
        def second(i):
            with open(f'mid/{{i}}') as file, open(f'out/{{i}}', 'w') as out: out.write(file.read()[:2])
            open(f'log/{{i}}.txt', 'w').close()
        @after(second, each=True)
        @job(array=keys, batch=50)
        def third(i): return str(i)
        @after(second)
        @outputs('merged')
        @job
        def merge(): open('merged', 'w').close()
        return third, merge

    def said(keys, big):
        subject.BIG = big
        try:
            run = schedule(*made(keys), dry_run=True)
        except AwflowError as error:
            return str(error)
        finally:
            subject.BIG = 10
        return run.plan.to_dict()

    def write(path, text):
        with open(path, 'w') as file: file.write(text)

    def again(path):  # the same bytes in another file
        with open(path) as file: text = file.read()
        write(path + '~', text)
        os.replace(path + '~', path)

    def edit(keys):
        i = dice.choice(keys)
        what = dice.choice(['touch', 'change', 'delete', 'swap', 'again', 'config', 'order', 'grow', 'shrink', 'lose', 'twice', 'results'])
        path = dice.choice([f'in/{{i}}', f'mid/{{i}}', f'out/{{i}}', f'log/{{i}}.txt'])
        if what == 'touch': os.utime(path)
        elif what == 'change': write(path, 'x' * dice.randrange(9))
        elif what == 'delete': os.unlink(dice.choice([f'mid/{{i}}', f'out/{{i}}', f'flag/{{i}}', f'log/{{i}}.txt']))
        elif what == 'swap': again(f'in/{{i}}'); again(f'out/{{i}}')
        elif what == 'again': again(path)
        elif what == 'config': write('config', 'c' * dice.randrange(5))
        elif what == 'order' and not isinstance(keys, range): dice.shuffle(keys)
        elif what == 'grow': keys = range(len(keys) + 3) if isinstance(keys, range) else [*keys, *map(str, range(len(keys), len(keys) + 3))]
        elif what == 'shrink': keys = keys[:-2]
        elif what == 'lose': os.unlink('.awflow/flow/digests')
        elif what == 'results':
            for name in os.listdir('.awflow/flow/results/third'): os.unlink(f'.awflow/flow/results/third/{{name}}')
        elif what == 'twice': return edit(edit(keys))
        return keys

    for name in ('in', 'mid', 'out', 'flag', 'log'): os.makedirs(name)
    for i in range(2 * SIZE): write(f'in/{{i}}', f'{{i:04}} of them')
    write('config', '')
    keys = {keys}
    subject.BIG = 10
    schedule(*made(keys))
    settled = 0
    for step in range(6):
        keys = edit(keys)
        alone, together = said(keys, 10**9), said(keys, 10)
        assert alone == together, (step, alone, together)
        if isinstance(together, str):
            print('refused', together)
            break
        schedule(*made(keys))
        run = schedule(*made(keys))
        assert not run.executed and not run.plan, (step, run.plan.to_dict())
        for planned in run.plan.jobs[:3]:  # none was looked at alone, but those that lack a file that nobody needs now
            assert planned.facts.settled.count(1) == len(keys) - len(planned.kinds), (step, planned.facts.name, planned.kinds)
    print('done')
"""


@pytest.mark.parametrize('keys', ['range(SIZE)', '[str(i) for i in range(SIZE)]'])
@pytest.mark.parametrize('seed', range(3))
def test_whatever_happens_to_files_columns_say_what_each_task_alone_would(workspace: Workspace, seed: int, keys: str) -> None:
    workspace.script(FLOW.format(seed=seed, keys=keys))
    ran = workspace.run()
    assert ran.stdout.endswith('done\n') or 'refused' in ran.stdout, ran.stderr


DECLARED = """
    from awflow import subject
    from awflow.errors import AwflowError
    from awflow.state import cached

    cached.RACY = cached.RACY_FINE = -10**15
    SIZE = 70

    def plain(f): return outputs('a/{i}')(inputs('in/{i}')(f))
    def stat(f): return outputs('a/{i}')(inputs('in/{i}', hash='stat')(f))
    def read(f): return inputs('a/{i}', 'in/{i}')(f)
    def both(f): return outputs('a/{i}', 'in/{i}')(f)
    def none(f): return f
    def shared(f): return outputs('a/{i}')(inputs('in/0')(f))
    def padded(f): return outputs('a/{i:02}')(inputs('in/{i}')(f))
    def wide(f): return outputs('a/{i:02}', 'b/{i:<3}')(inputs('in/{i}')(f))
    def called(f): return outputs('a/{i}')(inputs(lambda i: f'in/{i}')(f))

    def above(status):
        def declare(f):
            @outputs('in/{i}')
            @job(array=SIZE, batch=70)
            def maker(i): open(f'in/{i}', 'a').close()
            return outputs('a/{i}')(inputs('in/{i}')(after(maker, each=True, status=status)(f)))
        return declare

    def made(declare):
        @declare
        @job(array=SIZE, batch=70)
        def work(i):
            open(f'a/{i}', 'a').close()
            open(f'a/{i:02}', 'a').close()
            open(f'b/{i:<3}', 'a').close()
        return work

    def said(declare, big):
        subject.BIG = big
        try:
            return schedule(made(declare), dry_run=True).plan.to_dict()
        except AwflowError as error:
            return str(error)
        finally:
            subject.BIG = 10

    os.makedirs('a'); os.makedirs('b'); os.makedirs('in')
    for i in range(SIZE): open(f'in/{i}', 'w').close()
    ways = [plain, stat, read, both, none, shared, padded, wide, called, above('success'), above('any')]
    for way in ways:
        run = schedule(made(way))
        run = schedule(made(way))
        assert not run.executed, way
        for other in ways:
            alone, together = said(other, 10**9), said(other, 10)
            assert alone == together, (way, other, alone, together)
    print('done')
"""


def test_what_is_declared_otherwise_is_outdated_by_column_too(workspace: Workspace) -> None:
    workspace.script(DECLARED)
    ran = workspace.run()
    assert ran.stdout.endswith('done\n'), ran.stderr
