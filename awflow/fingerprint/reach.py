"""Everything that a function's code can reach, as the named components of a fingerprint.

The problem. A task must run again when a helper of a helper changes, or a number in another module, and the user wants to be
told which. It must not run again because a job was fingerprinted before another, or because two helpers call each other.

What does not work. One digest per function made from the digests of what it calls: with mutual recursion it depends on which
of the two is entered first, and a cache of such digests on everything that was done before.

What this does. Components are flat. Reached functions, classes and modules form a set that is walked breadth-first, each adding
the text of its own code only, so cycles and the order of entry do not matter and chains of thousands of helpers cost no
recursion. What names stand for is looked up once per code object and module; values are digested once per planning.

Names are as seen from the module of the job: `n` of its own module is `global n`, that of another is `global util.n`. A name
that stands for something of another name (`from util import g as h`) gets a component that says for what, or swapping two such
names would go unnoticed. A lambda is called by the name that it was found under. Two things of one name are numbered in the
order of discovery, which follows the code.
"""

from __future__ import annotations

from time import perf_counter
from types import FunctionType, ModuleType

from xxhash import xxh3_128_hexdigest

from awflow.fingerprint.components import Note, comparable, scalar_text, with_display
from awflow.fingerprint.project import LOCAL, package_of
from awflow.fingerprint.resolve import CAPTURED, Use, is_nameless, label_of, loaded_module, short
from awflow.fingerprint.values import BIG, SCALARS, SLOW, is_big, ref_key, scalar
from awflow.fingerprint.variants import UNBOUND, Fingerprint, Shared, held_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, Final

    from awflow.fingerprint.fingerprinter import Fingerprinter
    from awflow.fingerprint.modules import Found
    from awflow.fingerprint.values import Node

WHOLE: Final = ((),)  # chains of a variable that is used as it is


class Walk:
    """The components of one function, while they are gathered."""

    __slots__ = (
        'captured', 'components', 'counts', 'holders', 'home', 'ignore', 'jobs', 'memo', 'modules', 'names', 'notes',
        'packages', 'queue', 'seen',
    )  # fmt: skip

    def __init__(self, memo: Fingerprinter, home: str, ignore: frozenset[str]) -> None:
        self.memo = memo
        self.home = home  # the module from which names are seen
        self.ignore = ignore
        self.components: dict[str, str] = {}
        self.captured: list[bytes] = []
        self.notes: dict[tuple[str, str], Note] = {}
        self.jobs: dict[str, tuple[Any, bool]] = {}
        self.modules: dict[int, ModuleType] = {}
        self.packages: dict[str, None] = {}
        self.names: dict[object, str] = {}  # component of each thing that was reached
        self.counts: dict[str, int] = {}  # how many have the same name
        self.seen: dict[int, tuple[FunctionType, str]] = {}  # whose captured values are components, and of what name
        self.queue: list[tuple[str, Any]] = []  # what is to be looked into
        self.holders: list[tuple[FunctionType, str, bool]] = []  # functions whose captured values are to be added

    def _fork(self) -> Walk:
        """A walk that goes on from here, leaving this one as it is."""
        other = Walk.__new__(Walk)
        other.memo, other.home, other.ignore, other.queue, other.holders = self.memo, self.home, self.ignore, [], []
        other.components, other.captured, other.notes = self.components.copy(), [], self.notes.copy()
        other.jobs, other.modules, other.packages = self.jobs.copy(), self.modules.copy(), self.packages.copy()
        other.names, other.counts, other.seen = self.names.copy(), self.counts.copy(), self.seen.copy()
        return other

    def code_of(self, f: FunctionType) -> None:
        """Gather what depends on the function's code alone, not on its closure and defaults."""
        component = self.names[ref_key(f)] = f'code of {f.__name__}'
        self.queue.append((component, f))
        self._drain()

    def finished_with(self, f: FunctionType) -> Fingerprint:
        """The fingerprint of a function of this code; this walk stays as it is, for others."""
        walk = self._fork()
        walk._captured(f, f.__name__, keep=True)
        return walk.finished()

    def callable_object(self, f: Any) -> Fingerprint:
        """The fingerprint of a callable that is no function."""
        label = short(str(getattr(f, '__qualname__', None) or type(f).__qualname__))
        self._keep(label, f)
        self.value(f'code of {label}', label, f)
        return self.finished()

    def finished(self) -> Fingerprint:
        """Follow all that is left, and put it together."""
        self._drain()
        return Fingerprint(self.shared(self.components, captured=b''.join(self.captured)))

    def shared(self, components: dict[str, str], names: Sequence[str] = (), captured: bytes = b'') -> Shared:
        """What was gathered, with these components."""
        notes, modules = list(self.notes.values()), list(self.modules.values())
        return Shared(components, names, captured, notes, self.jobs, modules, self.packages)

    def _drain(self) -> None:
        while self.holders or self.queue:
            holders, self.holders = self.holders, []
            for holder in holders:
                self._hold(*holder)
            if not holders:
                queue, self.queue = self.queue, []
                for component, target in queue:
                    self._look_into(component, target)

    def _look_into(self, component: str, target: Any) -> None:
        if type(target) is FunctionType:
            self._function(component, target)
        elif isinstance(target, type):
            self._through(loaded_module(target.__module__))
            self.components[component] = self._text(component, self.memo.opened(target, component.partition(' ')[2]))
        else:
            self._whole_module(component, target)

    def _function(self, component: str, function: FunctionType) -> None:
        self.components[component] = self.memo.code(function.__code__)[0]
        module = loaded_module(function.__globals__.get('__name__'))
        if module is not None and vars(module) is function.__globals__:
            self._through(module)
        for use in self.memo.uses(function):
            self._follow(use, component.rpartition(' ')[2])

    def _whole_module(self, component: str, name: str) -> None:
        text = self.memo.modules.text(name)
        if text:
            self.components[component] = text
        self._through(loaded_module(name))
        for found in self.memo.modules.imported_by(name):
            self._imported(found)

    def _through(self, module: ModuleType | None) -> None:
        if module is None or id(module) in self.modules or module.__name__ == '__main__':
            return
        if self.memo.project.of_module(module) == LOCAL:
            self.modules[id(module)] = module

    # What a name stands for, by kind. `where` is the component that tells what the name is bound to.

    def _follow(self, use: Use, owner: str, captured_as: str = '') -> None:
        where = captured_as if use.module == CAPTURED else f'global {self._seen_as(use.module, use.name)}'
        if use.kind == 'through':
            self._through(use.target)
        elif use.kind == 'job':
            self._job(use, owner, where)
        elif not self.ignored(where, use.spelling, use.name):
            FOLLOW[use.kind](self, use, where, owner)

    def _job(self, use: Use, owner: str, where: str) -> None:
        _, before = self.jobs.get(use.spelling, (None, False))
        self.jobs[use.spelling] = (use.target, before or use.otherwise)
        if use.otherwise and not self.ignored(where, use.spelling, use.name):
            function = getattr(use.target, 'function', None)
            for inner in self.memo.attributes(function, use.name, WHOLE) if function is not None else ():
                inner.module = use.module
                self._follow(inner, owner, where)

    def _use_function(self, use: Use, where: str, owner: str) -> None:
        label = self._seen_as(use.module, use.name) if is_nameless(use.target) else self._seen_as(*label_of(use.target))
        component = self._register(ref_key(use.target), f'helper {label}', use.target)
        if component == f'helper {label}' and _names_it(where, label, use):
            self._captured(use.target, label)
        elif component.startswith('code of '):  # recursion; the name may stand for another variant of the function
            self._captured(use.target, where)
        else:
            first = self._captured(use.target, where.removeprefix('global '))
            self._bind(where, component, first)

    def _use_class(self, use: Use, where: str, owner: str) -> None:
        label = self._seen_as(use.target.__module__, short(use.target.__qualname__))
        component = self._refer(use.target)
        if component != f'class {label}' or not _names_it(where, label, use):
            self._bind(where, component)

    def _use_module(self, use: Use, where: str, owner: str) -> None:
        component = self._refer(use.target)
        if use.name and use.name != use.target.__name__.rpartition('.')[2]:
            self._bind(where, component)

    def _use_value(self, use: Use, where: str, owner: str) -> None:
        self.value(where, use.spelling, use.target)

    def _use_unbound(self, use: Use, where: str, owner: str) -> None:
        self.components[where] = 'v:unbound'

    def _use_package(self, use: Use, where: str, owner: str) -> None:
        self._package(use.name)

    def _use_imported(self, use: Use, where: str, owner: str) -> None:
        self._imported(use.target)

    def _use_assigned(self, use: Use, where: str, owner: str) -> None:
        self._note('assigned', where, f'{owner} assigns it, so its value does not count; pass it as an argument if it should')

    def _use_dynamic(self, use: Use, where: str, owner: str) -> None:
        self._note('dynamic', f'{use.name} in {owner}', 'what it runs is not seen; import or call it by name, or set version=')

    def _bind(self, where: str, component: str, captured: str = '') -> None:
        self.components[where] = f'v:{_hex(component, captured.encode())} <{component}>'

    def _imported(self, found: Found) -> None:
        if found.origin != LOCAL:
            self._package(package_of(found.name))
        else:
            self._register(found.name, f'module {found.name}', found.name)

    def _package(self, name: str) -> None:
        if not self.ignored(f'package {name}', name, name):
            self.components[f'package {name}'] = 'installed'
            self.packages[name] = None

    # What a function captured.

    def _captured(self, f: FunctionType, label: str, keep: bool = False) -> str:
        """Add what a function captured, once; the name under which that was done tells it from others of the same code."""
        if id(f) in self.seen and not keep:
            return self.seen[id(f)][1]
        self.seen[id(f)] = (f, label)
        self.holders.append((f, label, keep))  # not looked into here: each may hold another, thousands deep
        return label

    def _hold(self, f: FunctionType, label: str, keep: bool) -> None:
        free = self.memo.code(f.__code__)[1].free
        for component, name, value in held_by(f, label):
            if value is UNBOUND:
                self.components[component] = 'v:unbound'
            elif not self.ignored(component, name, name):
                self._held(component, name, value, free.get(name) or WHOLE, keep)

    def _held(self, component: str, name: str, value: Any, chains: Iterable[tuple[str, ...]], keep: bool) -> None:
        if keep:
            self._keep(component, value)
        if type(value) in SCALARS:
            self.value(component, name, value)
        else:
            for use in self.memo.attributes(value, name, chains):
                self._follow(use, component.rpartition(' ')[2], component)

    def _keep(self, name: str, value: object) -> None:
        """Remember a captured value for what tells variants apart: names stand for code, save where there is none."""
        encoded = scalar(value)
        if encoded is None:
            node = self.memo.hasher.named(name).node(value)
            encoded = node.code + b''.join([self._anonymous(ref) for _, ref in node.refs.values()])
        self.captured.append(name.encode() + b'=' + encoded)

    def _anonymous(self, ref: Any) -> bytes:
        if type(ref) is FunctionType and '<lambda>' in ref.__qualname__:
            return comparable(self.memo.code(ref.__code__)[0]).encode()
        if isinstance(ref, type) and '<locals>' in ref.__qualname__:
            return self.memo.opened(ref, ref.__qualname__).code
        return b''

    # Values, and the code inside them.

    def value(self, component: str, spelling: str, value: object) -> None:
        """Add a value as a component."""
        encoded = scalar(value)
        if encoded is not None:
            if is_big(value):
                self._note_big(component)
            self.components[component] = scalar_text(value, encoded)
            return
        started = perf_counter()
        node = self.memo.hasher.named(spelling).node(value)
        if perf_counter() - started > SLOW:
            node.size = max(node.size, BIG + 1)  # said of every function that uses it, not of the first alone
        self.components[component] = with_display(self._text(component, node), value)

    def _text(self, component: str, node: Node) -> str:
        for kind, name in node.marks:
            if kind == 'package':
                self._package(name)
            elif kind == 'opaque':
                self._note('opaque', f'{component} ({name})', f'only its type counts, not what it does; {_cure(component)}')
            else:
                self._note('rng', component, f'an unseeded generator is another at every start; seed it, {_cure(component)}')
        if node.size > BIG:
            self._note_big(component)
        if not node.refs:
            return f'v:{node.hex}'
        names = '\0'.join([self._refer(ref, component) for _, ref in node.refs.values()])
        return f'v:{_hex(names, node.code)}'

    def _refer(self, ref: Any, within: str = '') -> str:
        """The component of a piece of code, which is followed if this is its first appearance."""
        if type(ref) is FunctionType:
            label = self._seen_as(*label_of(ref))
            if within and is_nameless(ref):
                label += f' of {within.partition(" ")[2]}'
            return self._register(ref_key(ref), f'helper {label}', ref)
        if isinstance(ref, type):
            return self._register(id(ref), f'class {self._seen_as(ref.__module__, short(ref.__qualname__))}', ref)
        if isinstance(ref, ModuleType):
            self._through(ref)
            return self._register(ref.__name__, f'module {ref.__name__}', ref.__name__)
        spelling = f'{within.partition(" ")[2]}[{ref.name}]'
        self._job(Use('job', CAPTURED, str(ref.name), spelling, ref), spelling, f'global {spelling}')
        return f'job {ref.name}'

    def _register(self, key: object, component: str, target: Any) -> str:
        known = self.names.get(key)
        if known is not None:
            return known
        plain = component.partition(' ')[2]
        if self.ignored(component, plain, plain):
            return component
        count = self.counts[component] = self.counts.get(component, 0) + 1
        numbered = component if count == 1 else f'{component} #{count}'
        self.names[key] = numbered
        self.queue.append((numbered, target))
        return numbered

    def _seen_as(self, module: str, name: str) -> str:
        return name if module in (self.home, CAPTURED) else f'{module}.{name}' if name else module

    def ignored(self, component: str, spelling: str, name: str) -> bool:
        """Whether it was said not to count."""
        left_out = self.ignore
        return bool(left_out) and (
            component in left_out or spelling in left_out or name in left_out or component.partition(' ')[2] in left_out
        )

    def _note(self, kind: str, name: str, cure: str) -> None:
        self.notes.setdefault((kind, name), Note(kind, name, cure))

    def _note_big(self, component: str) -> None:
        self._note('big', component, 'it is over 10 MB or slow to digest at every start; load it in the function instead')


def _hex(names: str, before: bytes = b'') -> str:
    return str(xxh3_128_hexdigest(before + names.encode('utf-8', 'surrogatepass')))


def _cure(component: str) -> str:
    name = f'{component} {component}'.split()[1]
    return f"create it in the function, or leave it out with ignore=['{name}']"


def _names_it(where: str, label: str, use: Use) -> bool:
    """Whether a name says by itself what it stands for, as that of a `def` does."""
    return where == f'global {label}' or (use.module == CAPTURED and label == use.name)


FOLLOW: Final[Mapping[str, Callable[[Walk, Use, str, str], None]]] = {
    'assigned': Walk._use_assigned,
    'class': Walk._use_class,
    'dynamic': Walk._use_dynamic,
    'function': Walk._use_function,
    'imported': Walk._use_imported,
    'module': Walk._use_module,
    'package': Walk._use_package,
    'unbound': Walk._use_unbound,
    'value': Walk._use_value,
}
