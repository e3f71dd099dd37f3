"""Edits of other modules of the project, however they were imported."""

from __future__ import annotations

from tests.conftest import Workspace
from tests.triggers.table import Projects, Row, must_rerun, project, table

MODULES = project('''
    import alone, sys, util
    import chosen
    import dotted.part as part
    import pkg.sub.deep
    import util as renamed
    import viaself
    import wide.one, wide.two
    from chosen import pick
    from pkg import shape
    from pkg.sub import siblings
    from starred import *
    from util import twice as doubled, TABLE
    if len(sys.argv) >= 0: import conditional
    else: conditional = None

    @job
    def sibling(): print(util.once(1))
    @job
    def aliased_module(): print(renamed.constant)
    @job
    def aliased_function(): print(doubled(1))
    @job
    def imported_table(): print(TABLE['a'])
    @job
    def two_levels_down(): print(pkg.sub.deep.dig(1))
    @job
    def through_init(): print(shape(1))
    @job
    def relative(): print(siblings.both())
    @job
    def star(): print(starlight(1), STARS)
    @job
    def submodule_alias(): print(part.piece())
    @job
    def conditional_import(): print(conditional.when())
    @job
    def imports_inside():
        import lazy
        print(lazy.late())
    @job
    def imports_name_inside():
        from lazier import later
        print(later())
    @job
    def by_getattr(): print(getattr(alone, 'answer'))
    @job
    def module_getattr(): print(util.made_up)
    @job
    def reexported(): print(pick(1))
    @job
    def two_submodules(): print(wide.one.A, wide.two.B)
    @job
    def own_global(): print(viaself.state())
    @job
    def mutated(): print(util.FILLED)
    @job
    def shadowed(): print(util.shadow())
''', {
    'util.py': '''
        import starred
        constant = 'constant'
        TABLE = {'a': 1, 'b': [2]}
        FILLED = []
        def once(x): return x * factor()
        def factor(): return 2
        def twice(x): return x + x
        def shadow():
            len = lambda x: 5
            return len(''), starred.shaded()
        def __getattr__(name): return 'made up ' + name
        for _i in range(3): FILLED.append(_i)
        ''',
    'starred.py': '''
        __all__ = ['starlight', 'STARS']
        STARS = 9
        def starlight(x): return x + _hidden()
        def _hidden(): return 11
        def shaded(): return 'shade'
        ''',
    'alone.py': "answer = 42\ndef unused(): return 'unused'\n",
    'conditional.py': "def when(): return 'when'\n",
    'lazy.py': "import below\ndef late(): return 'late', below.x\n",
    'below.py': 'x = 1\n',
    'lazier.py': "def later(): return 'later'\n",
    'dotted/__init__.py': '',
    'dotted/part.py': "def piece(): return 'piece'\n",
    'pkg/__init__.py': "from .shapes import shape\n",
    'pkg/shapes.py': "from . import sizes\ndef shape(x): return x, sizes.WIDTH\n",
    'pkg/sizes.py': 'WIDTH = 55\nHEIGHT = 56\n',
    'pkg/sub/__init__.py': '',
    'pkg/sub/deep.py': "from ..sizes import HEIGHT\ndef dig(x): return x + HEIGHT + 100\n",
    'pkg/sub/siblings.py': "from . import deep as d\nfrom .. import sizes\ndef both(): return d.dig(2)\n",
    'chosen/__init__.py': 'from chosen.inner import choose as pick\n',
    'chosen/inner.py': "def choose(x): return 'chosen'\n",
    'wide/__init__.py': '',
    'wide/one.py': "A = 'one'\n",
    'wide/two.py': "B = 'two'\n",
    'viaself.py': "import sys\nlevel = 3\ndef state(): return sys.modules[__name__].level, level\n",
})  # fmt: skip

LOOPS = project('''
    import ring_a, decorators, settings, shapes
    from decorators import scale, log
    @scale(3)
    def scaled(x): return x
    @log
    def logged(x): return x

    @job
    def ringed(): print(ring_a.a(3))
    @job
    def by_factory(): print(scaled(2))
    @job
    def by_decorator(): print(logged(2))
    @job
    def by_settings(): print(settings.get('depth'))
    @job
    def by_attribute(): print(settings.options.depth)
    @job
    def by_base(): print(shapes.Square().area())
    @job
    def by_instance(): print(shapes.unit.area())
''', {
    'ring_a.py': 'import ring_b\ndef a(n): return n and ring_b.b(n - 1)\n',
    'ring_b.py': 'import ring_a\ndef b(n): return n and ring_a.a(n - 1) or 77\n',
    'decorators.py': '''
        import functools
        BASE = 1000
        def scale(factor):
            def decorate(f):
                @functools.wraps(f)
                def run(*args): return f(*args) * factor + BASE
                return run
            return decorate
        def log(f):
            def run(*args): return 'logged', f(*args)
            return run
        ''',
    'settings.py': '''
        from types import SimpleNamespace
        _values = {'depth': 5}
        options = SimpleNamespace(depth=6)
        def get(name): return _values[name]
        ''',
    'shapes/__init__.py': 'from shapes.square import Square, unit\n',
    'shapes/base.py': "class Shape:\n    sides = 0\n    def area(self): return self.side ** 2\n",
    'shapes/square.py': "from shapes.base import Shape\nclass Square(Shape):\n    side = 4\nunit = Square()\nunit.side = 1\n",
})  # fmt: skip


def twice_moves(workspace: Workspace) -> None:
    workspace.edit('def twice(x): return x + x\n', '', 'util.py')
    workspace.write('alone.py', workspace.read('alone.py') + 'def twice(x): return x + x\n')
    workspace.edit('from util import twice as doubled, TABLE', 'from util import TABLE\nfrom alone import twice as doubled')


@table(
    (MODULES, [
        Row('a helper that moves to another module', twice_moves, runs='aliased_function by_getattr', names='alone'),
        Row('a helper in a sibling module', 'x * factor()', 'factor() * x', file='util.py', runs='sibling', names='helper util.once'),
        Row('a helper of a helper in a sibling module', 'return 2', 'return 3', file='util.py', runs='sibling', names='helper util.factor'),
        Row('a constant through an aliased module', "'constant'", "'variable'", file='util.py', runs='aliased_module', names='util.constant'),
        Row('a helper imported under another name', 'x + x', '2 * x', file='util.py', runs='aliased_function', names='helper util.twice'),
        Row('another helper imported under the same name', 'import twice as doubled', 'import once as doubled', runs='aliased_function', names='doubled'),
        Row('a table that was imported', "{'a': 1,", "{'a': 2,", file='util.py', runs='imported_table', names='TABLE'),
        Row('a helper in a package two levels down', '+ 100', '+ 101', file='pkg/sub/deep.py', runs='two_levels_down relative', names='helper pkg.sub.deep.dig'),
        Row('a constant that was imported from two levels up', 'HEIGHT = 56', 'HEIGHT = 57', file='pkg/sizes.py', runs='two_levels_down relative', names='HEIGHT'),
        Row('a constant through `from . import`', 'WIDTH = 55', 'WIDTH = 54', file='pkg/sizes.py', runs='through_init', names='pkg.sizes.WIDTH'),
        Row("a helper that a package's __init__ offers", 'return x, sizes', 'return [x], sizes', file='pkg/shapes.py', runs='through_init', names='helper pkg.shapes.shape'),
        Row('which of two modules offers the helper', 'from .shapes import shape', 'from .sub.deep import dig as shape', file='pkg/__init__.py', runs='through_init', names='shape'),
        Row('a helper through a relative import', 'd.dig(2)', 'd.dig(3)', file='pkg/sub/siblings.py', runs='relative', names='helper pkg.sub.siblings.both'),
        Row('a function through a star import', 'x + _hidden()', 'x - _hidden()', file='starred.py', runs='star', names='helper starred.starlight'),
        Row('what __all__ does not name, called by what it names', 'return 11', 'return 12', file='starred.py', runs='star', names='helper starred._hidden'),
        Row('a constant through a star import', 'STARS = 9', 'STARS = 8', file='starred.py', runs='star', names='STARS'),
        Row('a helper through an aliased submodule', "'piece'", "'part'", file='dotted/part.py', runs='submodule_alias', names='helper dotted.part.piece'),
        Row('a module imported under a condition', "return 'when'", "return 'then'", file='conditional.py', runs='conditional_import', names='helper conditional.when'),
        Row('a module imported inside the job', "'late',", "'too late',", file='lazy.py', runs='imports_inside', names='module lazy'),
        Row('a module below one imported inside the job', 'x = 1', 'x = 2', file='below.py', runs='imports_inside', names='module below'),
        Row('a module of which a name is imported inside the job', "'later'", "'latest'", file='lazier.py', runs='imports_name_inside', names='module lazier'),
        Row('a constant that is read by getattr', '42', '43', file='alone.py', runs='by_getattr', names='module alone'),
        Row("a module's __getattr__", "'made up '", "'invented '", file='util.py', runs='module_getattr', names='util'),
        Row('a helper offered by another module', "'chosen'", "'picked'", file='chosen/inner.py', runs='reexported', names='helper chosen.inner.choose'),
        Row('the second of two submodules', "'two'", "'three'", file='wide/two.py', runs='two_submodules', names='wide.two.B'),
        Row('a global of the module that looks itself up', 'level = 3', 'level = 4', file='viaself.py', runs='own_global', names='viaself.level'),
        Row('a list that is filled at import time', 'range(3)', 'range(4)', file='util.py', runs='mutated', names='util.FILLED'),
        Row('a local name that hides a builtin', 'x: 5', 'x: 6', file='util.py', runs='shadowed', names='helper util.shadow'),
        Row('a helper that a helper calls in a third module', "'shade'", "'shadow'", file='starred.py', runs='shadowed', names='helper starred.shaded'),
        Row('a name defined that was found in builtins', 'STARS = 9', 'STARS = 9\ndef print(*a): pass\n__all__.append("print")', file='starred.py',
            runs='sibling aliased_module aliased_function imported_table two_levels_down through_init relative star submodule_alias '
            'conditional_import imports_inside imports_name_inside by_getattr module_getattr reexported two_submodules own_global '
            'mutated shadowed', names='print'),
    ]),
    (LOOPS, [
        Row('one of two modules that import each other', 'or 77', 'or 78', file='ring_b.py', runs='ringed', names='helper ring_b.b'),
        Row('the argument of a decorator from a sibling module', '@scale(3)', '@scale(4)', runs='by_factory', names='factor'),
        Row("a sibling module's decorator", '* factor', '- factor', file='decorators.py', runs='by_factory', names='decorators.run of'),
        Row('a constant that a decorator uses', 'BASE = 1000', 'BASE = 1001', file='decorators.py', runs='by_factory', names='decorators.BASE'),
        Row('a decorator without wraps', "'logged'", "'noted'", file='decorators.py', runs='by_decorator', names='decorators.run'),
        Row('a private table behind a function', "'depth': 5", "'depth': 4", file='settings.py', runs='by_settings', names='settings._values'),
        Row('an attribute of a namespace', 'depth=6', 'depth=7', file='settings.py', runs='by_attribute', names='settings.options'),
        Row('a base class in another module', 'side ** 2', 'side * 2', file='shapes/base.py', runs='by_base by_instance', names='shapes.base.Shape.area'),
        Row('a class attribute in another module', 'side = 4', 'side = 5', file='shapes/square.py', runs='by_base by_instance', names='class shapes.square.Square'),
        Row('the state of an instance of another module', 'unit.side = 1', 'unit.side = 2', file='shapes/square.py', runs='by_instance', names='shapes.unit'),
    ]),
)  # fmt: skip
def test_the_jobs_that_reach_it_run_again_and_say_why(row: Row, projects: Projects) -> None:
    must_rerun(projects.after(row), row)
