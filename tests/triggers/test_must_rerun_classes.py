"""Edits of classes and their instances, after which exactly the jobs that use them must run again."""

from __future__ import annotations

from tests.triggers.table import Projects, Row, must_rerun, project, table

CLASSES = project('''
    import abc, enum, functools, typing
    from collections import namedtuple
    from dataclasses import dataclass, field
    from typing import NamedTuple

    class Root:
        depth = 1
        def far(self): return 'far'
        def near(self): return 'near'
    class Model(Root):
        rate = 0.1
        _scale = 2.5
        def __init__(self, n): self.n = n
        def fit(self): return self.n + 41
        def near(self): return super().near() + 'er'
        @property
        def size(self): return self.n * 6
        @property
        def scale(self): return self._scale
        @scale.setter
        def scale(self, value): self._scale = value * 8
        @staticmethod
        def fixed(): return 'static'
        @classmethod
        def made(cls): return cls(17)
        @functools.cached_property
        def slow(self): return 'slow value'
        step = functools.partialmethod(lambda self, by: by, 19)
    class Slotted:
        __slots__ = ('a',)
        def __init__(self): self.a = 'slot'
    class Point(NamedTuple):
        x: int
        y: int = 70
    Pair = namedtuple('Pair', 'left right', defaults=[80])
    class Color(enum.Enum):
        RED = 'red'
        GREEN = 'green'
        def shout(self): return self.value.upper()
    class Bits(enum.IntFlag):
        READ = 1
        WRITE = 2
    @dataclass
    class Config:
        width: int = 90
        names: list = field(default_factory=list)
        kind: typing.ClassVar[str] = 'config'
        def area(self): return self.width * 91
    @dataclass(order=True)
    class Ordered:
        key: int = 1
    class Counting:
        def __init__(self, by): self.by = by
        def __call__(self, x): return x + self.by
    count = Counting(5)
    model = Model(3)
    bound = model.fit
    class Meta(type):
        def tag(cls): return 'tagged'
    class Tagged(metaclass=Meta): pass
    class Abstract(abc.ABC):
        @abc.abstractmethod
        def name(self): ...
        def hello(self): return 'hello ' + self.name()
    class Concrete(Abstract):
        def name(self): return 'concrete'
    class Celsius:
        def __get__(self, instance, owner=None): return 36.6
    class Body:
        heat = Celsius()
    class Sized:
        def __len__(self): return 7
        def __enter__(self): return 'entered'
        def __exit__(self, *_): pass
    class Outer:
        class Inner:
            n = 'inner'
    class Registry:
        known = []
        def __init_subclass__(cls): cls.known.append(cls.__name__)
    class Plugin(Registry): pass

    @job
    def constructed(): print(Model(1).fit())
    @job
    def by_instance(): print(model.size)
    @job
    def by_bound(): print(bound())
    @job
    def slotted(): print(Slotted().a)
    @job
    def pointed(): print(Point(1))
    @job
    def paired(): print(Pair(1))
    @job
    def colored(): print(Color.RED, Color.GREEN.shout())
    @job
    def flagged(): print(Bits.READ | Bits.WRITE)
    @job
    def configured(): print(Config().area())
    @job
    def compared(): print(Ordered() == Ordered())
    @job
    def counted(): print(count(1))
    @job
    def tagged(): print(Tagged.tag())
    @job
    def abstracted(): print(Concrete().hello())
    @job
    def heated(): print(Body().heat)
    @job
    def sized(): print(len(Sized()))
    @job
    def inner(): print(Outer.Inner().n)
    @job
    def registered(): print(Registry.known, Plugin)
''')  # fmt: skip
OF_MODEL = 'constructed by_instance by_bound'


@table(
    (CLASSES, [
        Row('a method', 'self.n + 41', 'self.n + 42', runs=OF_MODEL, names='Model.fit'),
        Row('a method of a base class', "return 'far'", "return 'farther'", runs=OF_MODEL, names='Root.far'),
        Row('an attribute of a base class', 'depth = 1', 'depth = 2', runs=OF_MODEL, names='class Root'),
        Row('what super() leads to', "return 'near'", "return 'close'", runs=OF_MODEL, names='Root.near'),
        Row('a method that overrides', "+ 'er'", "+ 'est'", runs=OF_MODEL, names='Model.near'),
        Row('an overriding method that goes', "    def near(self): return super().near() + 'er'\n", '', runs=OF_MODEL, names='Model'),
        Row('another base class', 'class Model(Root)', 'class Model(object)', "super().near() + 'er'", "'er'", runs=OF_MODEL, names='Model'),
        Row('a property', 'self.n * 6', 'self.n * 7', runs=OF_MODEL, names='Model.size'),
        Row("a property's setter", 'value * 8', 'value * 9', runs=OF_MODEL, names='Model.scale'),
        Row('a class attribute', 'rate = 0.1', 'rate = 0.2', runs=OF_MODEL, names='class Model'),
        Row('a private class attribute', '_scale = 2.5', '_scale = 2.6', runs=OF_MODEL, names='class Model'),
        Row('a static method', "'static'", "'fixed'", runs=OF_MODEL, names='Model.fixed'),
        Row('a class method', 'cls(17)', 'cls(18)', runs=OF_MODEL, names='Model.made'),
        Row('a cached property', "'slow value'", "'fast value'", runs=OF_MODEL, names='Model.slow'),
        Row('the argument of a partialmethod', 'by, 19)', 'by, 20)', runs=OF_MODEL, names='class Model'),
        Row('a static method becomes a class method', '@staticmethod\n    def fixed()', '@classmethod\n    def fixed(cls)', runs=OF_MODEL, names='Model'),
        Row("an instance's state", 'model = Model(3)', 'model = Model(4)', runs='by_instance by_bound', names='global'),
        Row('the method that was bound', 'bound = model.fit', 'bound = model.near', runs='by_bound', names='bound'),
        Row("a slotted class's constructor", "= 'slot'", "= 'slots'", runs='slotted', names='Slotted'),
        Row('another slot', "('a',)", "('a', 'b')", runs='slotted', names='class Slotted'),
        Row("a NamedTuple's default", 'y: int = 70', 'y: int = 71', runs='pointed', names='class Point'),
        Row("a NamedTuple's field", 'x: int\n', 'z: int\n', runs='pointed', names='class Point'),
        Row("a namedtuple's default", 'defaults=[80]', 'defaults=[81]', runs='paired', names='class Pair'),
        Row("an enum's value", "RED = 'red'", "RED = 'rouge'", runs='colored', names='class Color'),
        Row("an enum's method", 'self.value.upper()', 'self.value.lower()', runs='colored', names='Color.shout'),
        Row("an enum's new member", "GREEN = 'green'", "GREEN = 'green'\n    BLUE = 'blue'", runs='colored', names='class Color'),
        Row("an enum's members in another order", "    RED = 'red'\n    GREEN = 'green'\n", "    GREEN = 'green'\n    RED = 'red'\n", runs='colored', names='class Color'),
        Row("a flag's value", 'WRITE = 2', 'WRITE = 4', runs='flagged', names='class Bits'),
        Row("a dataclass's default", 'width: int = 90', 'width: int = 92', runs='configured', names='class Config'),
        Row("a dataclass's default factory", 'default_factory=list', 'default_factory=set', runs='configured', names='class Config'),
        Row("a dataclass's method", 'self.width * 91', 'self.width * 92', runs='configured', names='Config.area'),
        Row('a class variable of a dataclass', "= 'config'", "= 'configuration'", runs='configured', names='class Config'),
        Row('a field that becomes a class variable', 'width: int', 'width: typing.ClassVar[int]', runs='configured', names='class Config'),
        Row('a parameter of @dataclass', 'order=True', 'frozen=True', runs='compared', names='class Ordered'),
        Row("a callable object's state", 'Counting(5)', 'Counting(6)', runs='counted', names='global count'),
        Row("a callable object's __call__", 'x + self.by', 'x - self.by', runs='counted', names='Counting.__call__'),
        Row("a metaclass's method", "return 'tagged'", "return 'labelled'", runs='tagged', names='Meta'),
        Row('an inherited method of an abstract class', "'hello '", "'hi '", runs='abstracted', names='Abstract.hello'),
        Row('a descriptor', '36.6', '37.5', runs='heated', names='Celsius'),
        Row('a special method', 'return 7', 'return 8', runs='sized', names='Sized.__len__'),
        Row('a class inside a class', "n = 'inner'", "n = 'inward'", runs='inner', names='Outer.Inner'),
        Row('another subclass that registers itself', 'class Plugin(Registry): pass', 'class Plugin(Registry): pass\nclass More(Registry): pass',
            runs='registered', names='class Registry'),
    ]),
)  # fmt: skip
def test_the_jobs_that_use_the_class_run_again_and_say_why(row: Row, projects: Projects) -> None:
    must_rerun(projects.after(row), row)
