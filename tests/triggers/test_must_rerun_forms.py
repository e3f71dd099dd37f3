"""Edits of rarer forms of code: how a helper is called, wrapped, patched or put away."""

from __future__ import annotations

from tests.triggers.table import Projects, Row, must_rerun, project, table

CALLED = project('''
    import functools, operator, types

    def by_map(x): return x + 1
    def passed(x): return x + 2
    def compared(x): return x % 3
    def handed(f, x): return f(x)
    def in_list(x): return x + 4
    def in_dict(x): return x + 5
    STEPS = [in_list]
    TABLE = {'step': in_dict}
    def delegated(): yield from inner_steps()
    def inner_steps(): yield 6
    def tagged(x): return x
    tagged.unit = 'metre'
    class Decorator:
        def __init__(self, f): self.f = f
        def __call__(self, x): return self.f(x) * 7
    @Decorator
    def by_class(x): return x + 70
    def registered(cls):
        cls.kind = 'registered'
        return cls
    @registered
    class Plain: pass
    class Patched:
        def go(self): return 'original'
    def patch(self): return 'patched'
    Patched.go = patch
    def counter():
        n = 8
        def step():
            nonlocal n
            n += 9
            return n
        return step
    def variadic(*args, sep=',', **more): return sep.join(map(str, args)), more
    def spread(*args, sep=' '): return sep.join(map(str, args))
    def fallback(x, default=None): return default or wide(x)
    def wide(x): return x + 10
    def compose(*fs): return functools.reduce(lambda f, g: lambda x: g(f(x)), fs)
    def inc(x): return x + 11
    def double(x): return x * 12
    both = compose(inc, double)
    nested = functools.partial(functools.partial(spread, 1), sep=';')
    upper = str.upper
    joined = '-'.join
    getter = operator.attrgetter('real')
    caller = operator.methodcaller('split', ',')
    async def ticks():
        for i in range(2): yield i * 13
    async def ticking(): return [i async for i in ticks()]
    class Managed:
        def __enter__(self): return 14
        def __exit__(self, *_): return False
    def made(name): return type(name, (), {'n': 15})
    Dynamic = made('Dynamic')
    def guarded():
        try: raise KeyError('16')
        except KeyError: return 'group'
    def typed(kind: type = int): return kind('17')
    def sliced(s): return s[1:18]
    def unpacked():
        (a, b), *c = (1, 19), 20
        return a, b, c
    method = types.MethodType(lambda self: self * 21, 2)
    pipeline = [functools.partial(spread, sep='|'), by_map]
    def outer_default(f=lambda x: x + 22): return f(1)
    class Base:
        def template(self): return self.part()
        def part(self): return 23
    class Leaf(Base):
        def part(self): return super().part() + 24
    leaf = Leaf()

    @job
    def maps(): print(list(map(by_map, [1])))
    @job
    def passes(): print(handed(passed, 1))
    @job
    def sorts(): print(sorted([5, 3], key=compared))
    @job
    def lists(): print([step(1) for step in STEPS])
    @job
    def looks_up(): print(TABLE['step'](1))
    @job
    def delegates(): print(list(delegated()))
    @job
    def reads_attribute(): print(tagged.unit, tagged(1))
    @job
    def calls_object(): print(by_class(1))
    @job
    def class_decorated(): print(Plain().kind)
    @job
    def patches(): print(Patched().go())
    @job
    def counts(): print(counter()())
    @job
    def varies(): print(variadic(1, 2, x=3))
    @job
    def falls_back(): print(fallback(1))
    @job
    def composes(): print(both(1))
    @job
    def partial_of_partial(): print(nested(2))
    @job
    def binds_builtins(): print(upper('a'), joined('ab'))
    @job
    def gets(): print(getter(1), caller('a,b'))
    @job
    def ticked(): print(ticking())
    @job
    def enters():
        with Managed() as m: print(m)
    @job
    def makes_class(): print(Dynamic().n)
    @job
    def groups(): print(guarded())
    @job
    def types_(): print(typed())
    @job
    def slices(): print(sliced('abc'))
    @job
    def unpacks(): print(unpacked())
    @job
    def bound(): print(method())
    @job
    def pipes(): print([f(1) for f in pipeline])
    @job
    def defaults(): print(outer_default())
    @job
    def inherits(): print(leaf.template())
''')  # fmt: skip

MORE = project('''
    import abc, dataclasses, enum, typing
    from dataclasses import InitVar, dataclass, field
    @dataclass
    class Described:
        length: float = field(default=1.0, metadata={'unit': 'm'})
    @dataclass
    class Derived:
        base: int = 2
        scale: InitVar[int] = 3
        total: int = field(init=False, default=0)
        def __post_init__(self, scale): self.total = self.base * scale + 4
    @dataclass(frozen=True)
    class Settings:
        rate: float = 0.5
        names: tuple = ('a',)
    settings = Settings(rate=0.25)
    class Auto(enum.Enum):
        ONE = enum.auto()
        TWO = enum.auto()
        @classmethod
        def _missing_(cls, value): return cls.ONE
    class Stated:
        def __init__(self, n): self.n, self.cache = n, object()
        def __getstate__(self): return {'n': self.n}
    stated = Stated(5)
    class Slotted:
        __slots__ = ('a', 'b')
    slotted = Slotted()
    slotted.a = 6
    class Lazy:
        def __getattr__(self, name): return name + '7'
        def __getitem__(self, key): return key + 8
        def __class_getitem__(cls, key): return key
    class Named:
        def __set_name__(self, owner, name): self.name = name + '9'
        def __get__(self, instance, owner=None): return self.name
    class Owner:
        field = Named()
    class Shape(abc.ABC):
        @property
        @abc.abstractmethod
        def area(self): ...
        def double(self): return self.area * 10
    class Square(Shape):
        @property
        def area(self): return 11
    class Late: rate = 1
    Late.rate = 12
    class Mixin:
        def mixed(self): return 13
    class Mixed(Mixin, dict): pass
    class Failure(ValueError):
        code = 14
        def __init__(self, what): super().__init__(f'{what} failed')
    class Point(typing.NamedTuple):
        x: int = 15
        def norm(self): return abs(self.x)
    class Proto(typing.Protocol):
        def run(self) -> int: return 16
    class Impl(Proto): pass
    T = typing.TypeVar('T')
    class Box(typing.Generic[T]):
        def __init__(self, item: T): self.item = item
        def open(self): return self.item, 17
    class Reduced:
        def __init__(self, n): self.n = n
        def __reduce__(self): return Reduced, (self.n,)
    reduced = Reduced(18)
    class Hooked:
        def __init__(self, n, noise): self.n, self.noise = n, noise
        def __awflow_fingerprint__(self): return self.n
    hooked = Hooked(19, object())
    class Registry(dict):
        def __missing__(self, key): return key * 20
    registry = Registry(a=1)
    def factory():
        class Local:
            n = 21
            def get(self): return self.n
        return Local
    LocalClass = factory()

    @job
    def described(): print(dataclasses.fields(Described)[0].metadata['unit'])
    @job
    def derived(): print(Derived())
    @job
    def set_up(): print(settings)
    @job
    def auto(): print(Auto.TWO, Auto(7))
    @job
    def with_state(): print(stated.n)
    @job
    def in_slots(): print(slotted.a)
    @job
    def lazily(): print(Lazy().name, Lazy()[1], Lazy[int])
    @job
    def named(): print(Owner().field)
    @job
    def shaped(): print(Square().double())
    @job
    def late(): print(Late.rate)
    @job
    def mixed(): print(Mixed().mixed())
    @job
    def fails():
        try: raise Failure('it')
        except ValueError as error: print(error, error.code)
    @job
    def points(): print(Point().norm())
    @job
    def protocols(): print(Impl().run())
    @job
    def boxes(): print(Box(1).open())
    @job
    def reduces(): print(reduced.n)
    @job
    def hooks(): print(hooked.n)
    @job
    def misses(): print(registry['b'])
    @job
    def local_class(): print(LocalClass().get())
''')  # fmt: skip


@table(
    (CALLED, [
        Row('a helper given to map', 'return x + 1\n', 'return x + 100\n', runs='maps pipes', names='by_map'),
        Row('a helper given to another helper', 'return x + 2\n', 'return x + 200\n', runs='passes', names='helper passed'),
        Row('a helper that is a sort key', 'x % 3', 'x % 4', runs='sorts', names='helper compared'),
        Row('a helper in a list', 'x + 4', 'x + 40', runs='lists', names='helper in_list'),
        Row('a helper in a dict', 'x + 5', 'x + 50', runs='looks_up', names='helper in_dict'),
        Row('which helper is in a list', '[in_list]', '[in_dict]', runs='lists', names='STEPS'),
        Row('a generator behind yield from', 'yield 6', 'yield 60', runs='delegates', names='helper inner_steps'),
        Row("a function's attribute", "'metre'", "'foot'", runs='reads_attribute', names='tagged.unit'),
        Row("a decorator's class", '* 7', '* 8', runs='calls_object', names='Decorator.__call__'),
        Row('what a class wraps', 'x + 70', 'x + 71', runs='calls_object', names='by_class'),
        Row('what a class decorator sets', "= 'registered'", "= 'noted'", runs='class_decorated', names='class Plain'),
        Row('a method that was patched in', "'patched'", "'mended'", runs='patches', names='patch'),
        Row('a patch that goes', '    Patched.go = patch\n'.removeprefix('    '), '', runs='patches', names='Patched'),
        Row('what a nonlocal starts at', 'n = 8', 'n = 80', runs='counts', names='helper counter'),
        Row('what is added to a nonlocal', 'n += 9', 'n += 90', runs='counts', names='helper counter'),
        Row('a keyword-only default of a variadic function', "sep=',',", "sep=':',", runs='varies', names='default sep of variadic'),
        Row('a helper after a short circuit', 'x + 10', 'x - 10', runs='falls_back', names='helper wide'),
        Row('a part of a composition', 'x + 11', 'x - 11', runs='composes', names='helper inc'),
        Row('the order of a composition', 'compose(inc, double)', 'compose(double, inc)', runs='composes', names=''),
        Row('an argument of a partial of a partial', 'spread, 1)', 'spread, 2)', runs='partial_of_partial', names='nested'),
        Row('a method of a builtin type', 'str.upper', 'str.lower', runs='binds_builtins', names='upper'),
        Row('the text that a method is bound to', "'-'.join", "'+'.join", runs='binds_builtins', names='joined'),
        Row('the argument of an attrgetter', "attrgetter('real')", "attrgetter('imag')", runs='gets', names='getter'),
        Row('the argument of a methodcaller', "'split', ','", "'split', ';'", runs='gets', names='caller'),
        Row('an async generator', 'i * 13', 'i * 14', runs='ticked', names='helper ticks'),
        Row('what a context manager enters', 'return 14', 'return 15', runs='enters', names='Managed.__enter__'),
        Row('a class that a function makes', "'n': 15", "'n': 16", runs='makes_class', names='Dynamic'),
        Row('what an exception is raised with', "KeyError('16')", "KeyError('17')", runs='groups', names='helper guarded'),
        Row('a type as a default', 'type = int', 'type = float', runs='types_', names='default kind of typed'),
        Row('the end of a slice', '1:18', '1:17', runs='slices', names='helper sliced'),
        Row('a nested unpacking', '(a, b), *c =', '(b, a), *c =', runs='unpacks', names='helper unpacked'),
        Row('a lambda bound to a value', 'self * 21', 'self * 22', runs='bound', names='method'),
        Row('the value that a lambda is bound to', '21, 2)', '21, 3)', runs='bound', names='method'),
        Row('an argument of a partial in a list', "sep='|'", "sep='/'", runs='pipes', names='pipeline'),
        Row('the steps of a list in another order', "sep='|'), by_map]", "sep='|'), passed]", runs='pipes', names='pipeline'),
        Row('a lambda as a default', 'x + 22', 'x + 23', runs='defaults', names='helper f'),
        Row('a method that a base class calls', '+ 24', '+ 25', runs='inherits', names='Leaf.part'),
        Row('a template method', 'return self.part()', 'return -self.part()', runs='inherits', names='Base.template'),
    ]),
    (MORE, [
        Row("a field's metadata", "'unit': 'm'", "'unit': 'ft'", runs='described', names='class Described'),
        Row('__post_init__', '+ 4', '+ 5', runs='derived', names='Derived.__post_init__'),
        Row("an InitVar's default", 'InitVar[int] = 3', 'InitVar[int] = 4', runs='derived', names='class Derived'),
        Row('a field that is not given', 'init=False, default=0', 'init=False, default=1', runs='derived', names='class Derived'),
        Row('a frozen instance', 'rate=0.25', 'rate=0.75', runs='set_up', names='global settings'),
        Row("a default of a frozen instance's class", "('a',)", "('b',)", runs='set_up', names='settings'),
        Row('an automatic value', '    ONE = enum.auto()\n', '    ZERO = enum.auto()\n    ONE = enum.auto()\n', runs='auto', names='class Auto'),
        Row('what an enum does with other values', 'return cls.ONE', 'return cls.TWO', runs='auto', names='Auto._missing_'),
        Row('what __getstate__ tells', 'Stated(5)', 'Stated(50)', runs='with_state', names='global stated'),
        Row('a value in a slot', 'slotted.a = 6', 'slotted.a = 60', runs='in_slots', names='global slotted'),
        Row("a class's __getattr__", "name + '7'", "name + '8'", runs='lazily', names='Lazy.__getattr__'),
        Row("a class's __getitem__", 'key + 8', 'key + 9', runs='lazily', names='Lazy.__getitem__'),
        Row("a class's __class_getitem__", 'return key\n', 'return [key]\n', runs='lazily', names='Lazy.__class_getitem__'),
        Row("a descriptor's __set_name__", "name + '9'", "name + '10'", runs='named', names='Named'),
        Row('an inherited method of an abstract class', '* 10', '* 11', runs='shaped', names='Shape.double'),
        Row('a property that overrides an abstract one', 'return 11', 'return 12', runs='shaped', names='Square.area'),
        Row('a class attribute set later', 'Late.rate = 12', 'Late.rate = 13', runs='late', names='class Late'),
        Row("a mixin's method", 'return 13', 'return 14', runs='mixed', names='Mixin.mixed'),
        Row('another base from the library', '(Mixin, dict)', '(Mixin, list)', runs='mixed', names='class Mixed'),
        Row("an exception's attribute", 'code = 14', 'code = 15', runs='fails', names='class Failure'),
        Row("an exception's constructor", 'failed', 'broke', runs='fails', names='Failure.__init__'),
        Row("another base of an exception", 'Failure(ValueError)', 'Failure(UnicodeError)', runs='fails', names='class Failure'),
        Row("a NamedTuple's method", 'abs(self.x)', '-abs(self.x)', runs='points', names='Point.norm'),
        Row('a method of a protocol', 'return 16', 'return 17', runs='protocols', names='Proto.run'),
        Row('a method of a generic class', 'self.item, 17', 'self.item, 18', runs='boxes', names='Box.open'),
        Row('what __reduce__ tells', 'Reduced(18)', 'Reduced(19)', runs='reduces', names='global reduced'),
        Row('what __awflow_fingerprint__ tells', 'Hooked(19,', 'Hooked(20,', runs='hooks', names='global hooked'),
        Row('an item of a dict of a class', 'Registry(a=1)', 'Registry(a=2)', runs='misses', names='global registry'),
        Row("a dict's __missing__", 'key * 20', 'key * 21', runs='misses', names='Registry.__missing__'),
        Row('a class made in a function', 'n = 21', 'n = 22', runs='local_class', names='Local'),
    ]),
)  # fmt: skip
def test_the_jobs_that_use_it_run_again_and_name_it(row: Row, projects: Projects) -> None:
    must_rerun(projects.after(row), row)
