"""Jobs without array, found in the columns that they share: the verdicts are those of looking at each record."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Workspace

FLOW = """
    import random
    from awflow import alone
    from awflow.errors import AwflowError
    from awflow.state import cached, compaction

    SIZE = 40
    cached.RACY = cached.RACY_FINE = -10**15  # files are as good as old, so that their digests may be trusted at once
    compaction._BYTES, compaction._SHARE = 0, 10**9  # every run is folded into a snapshot
    dice = random.Random({seed})
    state = {{'factor': [1] * SIZE, 'extra': [0] * SIZE, 'strict': False, 'cut': SIZE}}

    def link(i, above):
        factor, more = state['factor'][i], state['extra'][i]
        @outputs(f'out/{{i}}', *[f'more/{{i}}'] * more)
        @inputs(f'in/{{i}}')
        @job(name=f'link-{{i}}')
        def step(size=2):
            with open(f'in/{{i}}') as file, open(f'out/{{i}}', 'w') as out: out.write(file.read()[:size] * factor)
            if more: open(f'more/{{i}}', 'w').close()
        if above is not None: step.after(above).reads([f'out/{{i - 1}}'])
        if i % 3 == 0: step.ensure(lambda: os.path.getsize(f'out/{{i}}') < 99 and not os.path.exists(f'bad/{{i}}'))
        if i % 3 == 1 and state['strict']: step.ensure(lambda: factor < 99)
        return step

    def flow():
        above, ends = None, []
        for i in range(state['cut']):
            above = link(i, above if i % 10 else None)
            if i % 10 == 9: ends.append(above)
        @after(*ends)
        @job
        def merge(): return len(ends)
        return merge

    facts = alone.Alone.facts

    def said(quickly):
        found = []
        def counted(self, subject):
            found.append(facts(self, subject) if quickly else None)
            return found[-1]
        alone.Alone.facts = counted
        try:
            return schedule(flow(), dry_run=True).plan.to_dict(), found
        except AwflowError as error:
            return str(error), found
        finally:
            alone.Alone.facts = facts

    def write(path, text):
        with open(path, 'w') as file: file.write(text)

    def edit():
        i = dice.randrange(state['cut'])
        what = dice.choice(['touch', 'change', 'input', 'delete', 'factor', 'extra', 'strict', 'bad', 'cut', 'lose', 'twice'])
        if what == 'touch': os.utime(f'out/{{i}}')
        elif what == 'change': write(f'out/{{i}}', 'y' * dice.randrange(9))
        elif what == 'input': write(f'in/{{i}}', 'x' * dice.randrange(9))
        elif what == 'delete': os.unlink(f'out/{{i}}')
        elif what == 'factor': state['factor'][i] = dice.randrange(9)
        elif what == 'extra': state['extra'][i] ^= 1
        elif what == 'strict': state['strict'] ^= True
        elif what == 'bad': write(f'bad/{{i}}', '')
        elif what == 'cut': state['cut'] = dice.choice([SIZE, SIZE - 10])
        elif what == 'lose': os.unlink('.awflow/flow/digests')
        elif what == 'twice': edit(); edit()

    for name in ('in', 'out', 'more', 'bad'): os.makedirs(name)
    for i in range(SIZE): write(f'in/{{i}}', f'{{i:04}} of them')
    schedule(flow())
    for step in range(12):
        edit()
        (plainly, none), (quickly, found) = said(False), said(True)
        assert plainly == quickly, (step, plainly, quickly)
        for name in os.listdir('bad'): os.unlink(f'bad/{{name}}')
        schedule(flow())
        run = schedule(flow())
        assert not run.executed and not run.plan, (step, run.plan.to_dict())
        again, found = said(True)
        lacking = sum(bool(planned.kinds) for planned in run.plan.jobs)  # their outputs are gone, and nobody needs them now
        assert sum(each is None for each in found) == 1 + lacking, step  # the merge has a result
    print('done')
"""


@pytest.mark.parametrize('seed', range(4))
def test_whatever_is_edited_the_columns_say_what_each_record_would(workspace: Workspace, seed: int) -> None:
    workspace.script(FLOW.format(seed=seed))
    ran = workspace.run()
    assert ran.stdout.endswith('done\n'), ran.stderr
