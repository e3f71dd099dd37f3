"""Another minor version of Python reruns nothing, and sees edits as well.

What awflow needs is installed for one Python. Most of it runs on any, so other interpreters of the machine borrow the packages,
and for the others there are stand-ins; both sides take digests by one of the standard library. Which digests the real one gives, whatever the
version, is in `tests/fingerprint`.
"""

from __future__ import annotations

import glob
import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Workspace
from tests.triggers.table import project

BORROWED = ('awflow', 'click', 'cloudpickle', 'psutil')
MINORS = [minor for minor in range(10, 20) if minor != sys.version_info[1]]
STAND_INS = str(Path(__file__).with_name('stand_ins'))
SCRIPT = project('''
    import contextlib, datetime, decimal, enum, functools, operator, pathlib, re, typing, uuid
    from collections import Counter, OrderedDict, defaultdict, deque, namedtuple
    from dataclasses import dataclass, field
    import util
    from util import *

    class Kind(enum.Enum):
        A = 'a'
        B = 'b'
        def shout(self): return self.value
    class Bits(enum.IntFlag):
        R = 1
        W = 2
    class Word(str, enum.Enum):
        X = 'x'
    @dataclass(frozen=True, order=True)
    class Config:
        width: int = 3
        names: list = field(default_factory=list, compare=False)
        def area(self): return self.width ** 2
    class Point(typing.NamedTuple):
        x: int
        y: int = 1
    Pair = namedtuple('Pair', 'l r', defaults=[1])
    class Slotted:
        __slots__ = ('a',)
        def __init__(self, a): self.a = a
    class Model(typing.Generic[typing.TypeVar('T')]):
        rate = 0.5
        def __init__(self, n): self.n = n
        @property
        def size(self): return self.n
        @staticmethod
        def fixed(): return 1
        @classmethod
        def made(cls): return cls(1)
        @functools.cached_property
        def slow(self): return [i * 2 for i in range(3) if i]
    values = [
        1, 2.5, 'text', b'bytes', None, ..., (1, 2), {'a': {1, 2}}, frozenset({'x', 'y'}), range(3), slice(1, 2), 1 << 70, 1j,
        pathlib.Path('a/b'), datetime.date(2024, 1, 1), datetime.timedelta(1), decimal.Decimal('1.5'), re.compile('a+', re.I),
        uuid.UUID(int=5), Counter('aab'), OrderedDict(a=1), defaultdict(list, a=[1]), deque([1], maxlen=2), Kind.A, Bits.R | Bits.W,
        Word.X, Config(), Point(1), Pair(1), Slotted(1), Model(1), operator.itemgetter(0), functools.partial(max, 1),
        lambda x: x + 1, max, len, str.upper, Exception('e'), datetime.timezone.utc, bytearray(b'a'), typing.Any,
    ]
    @functools.lru_cache(maxsize=None)
    def cached(x): return x
    @contextlib.contextmanager
    def managed(): yield 1
    @functools.singledispatch
    def shown(x): return 'any'
    @shown.register
    def _(x: int): return 'int'

    @job
    def of_values(): print(len(values))
    @job
    def of_classes(): print(Kind.A.shout(), Bits.R, Word.X, Config().area(), Point(1), Pair(1), Slotted(1).a, Model(1).slow)
    @job
    def of_helpers(): print(cached(1), shown(1), util.twice(2), STARS, managed())
    @job
    def of_body(n=3, *rest, flag=True, **more):
        def inner(x): return x + n
        match [1, 2]:
            case [a, *_]: print(a)
        try: print(f'{inner(1):>{n}} {flag!r}', [x for x in range(3)], {k: v for k, v in more.items()})
        except (ValueError, KeyError) as error: raise RuntimeError from error
        finally: print(super, *rest, 1 < n <= 3, not n, n if n else -n, lambda: n)
        while n:
            n -= 1
            if n == 1: continue
        with open('out.txt', 'w') as f: f.write('out')
        assert n == 0, 'message'
        del n
    @job(array=[1, 2])
    def element(i): print(i, np_free(i))
    def np_free(i): return sum(j for j in range(i))
''', {'util.py': "__all__ = ['STARS']\nSTARS = 5\ndef twice(x): return x * 2\n"})  # fmt: skip


def interpreters() -> list[str]:
    """One interpreter of each other minor version that is installed here."""
    found = []
    for minor in MINORS:
        candidates = [
            shutil.which(f'python3.{minor}'),
            *glob.glob(os.path.expanduser(f'~/.pyenv/versions/3.{minor}.*/bin/python3')),
        ]
        found += [path for path in candidates if path and _version(path) == f'3.{minor}'][-1:]
    return found


def _version(path: str) -> str:
    command = [path, '-c', 'import sys, _ctypes; print("%d.%d" % sys.version_info[:2])']
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ''


class Elsewhere:
    """A project that other interpreters run too."""

    def __init__(self, workspace: Workspace, packages: Path) -> None:
        self.workspace = workspace
        self.path = os.pathsep.join([STAND_INS, str(packages)])
        packages.mkdir()
        for name in BORROWED:
            os.symlink(os.path.dirname(str(importlib.import_module(name).__file__)), packages / name)
        for name, text in SCRIPT.items():
            workspace.write(name, text)

    def run(self, python: str) -> list[str]:
        """The tasks that print something in a run with that interpreter; this one cannot read the state, for its digests."""
        environ = {'PYTHONPATH': self.path, 'PYTHONDONTWRITEBYTECODE': '1', 'PYTHONNOUSERSITE': '1', 'AWFLOW_PROGRESS': '0'}
        done = subprocess.run(
            [python, 'flow.py'],
            cwd=self.workspace.path,
            env={**os.environ, **environ},
            text=True,
            capture_output=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return sorted({line.partition(' | ')[0] for line in done.stdout.splitlines()})


@pytest.mark.parametrize('python', interpreters() or [sys.executable])
def test_another_python_reruns_nothing_and_notices_edits(python: str, workspace: Workspace, tmp_path: Path) -> None:
    project = Elsewhere(workspace, tmp_path / 'packages')
    assert project.run(sys.executable) == ['element[1]', 'element[2]', 'of_body', 'of_classes', 'of_helpers', 'of_values']
    assert project.run(python) == []
    workspace.edit('x * 2', 'x * 3', 'util.py')
    workspace.edit('def shout(self): return', 'def shout(self):\n        # a comment\n        return')
    assert project.run(python) == ['of_helpers']
