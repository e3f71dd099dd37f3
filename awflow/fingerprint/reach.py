"""What a function's code can reach, by name: the components of a fingerprint.

Components lie side by side, not nested in one another's digests: the walk is a worklist, so cycles of helpers need no care,
the order of visits cannot count, and a change is named by the very thing that changed.
"""

from __future__ import annotations

import builtins
import sys
from time import perf_counter
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType

from xxhash import xxh3_128_hexdigest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

from awflow.fingerprint import bytecode
from awflow.fingerprint.components import comparable
from awflow.fingerprint.project import Project, package_of
from awflow.fingerprint.source import Sources
from awflow.fingerprint.values import Values

LAZY_ATTRIBUTES = frozenset(
    [
        '__dict__', '__weakref__', '__module__', '__doc__', '__qualname__', '__slotnames__', '__annotations__', '__firstlineno__',
        '__static_attributes__', '__abstractmethods__', '_abc_impl', '__annotate__', '__annotate_func__', '__annotations_cache__',
        '__parameters__', '__orig_bases__', '__match_args__', '__dataclass_params__', '__name__', '__hash__', '__type_params__',
    ]
)  # fmt: skip
RESULT_READS = frozenset(['result', 'results', 'name'])
DYNAMIC = frozenset(['eval', 'exec', '__import__', 'compile'])
LARGE, SLOW = 10_000_000, 0.05  # bytes and seconds from which a value is worth a warning


class Note:
    """Something that the user should know of a fingerprint: its kind, the name it is about, and the cure."""

    __slots__ = ('cure', 'kind', 'name')

    def __init__(self, kind: str, name: str, cure: str) -> None:
        self.kind = kind
        self.name = name
        self.cure = cure

    def __str__(self) -> str:
        return f'{self.name}: {self.kind}. {self.cure}'


class Fingerprint:
    """What a job's code depends on, by name, and what it means for others.

    `jobs` maps a name to (job, whether it is used otherwise than for its results); `modules` are the project's own that are
    reached; `captured` tells variants of one loop apart.
    """

    __slots__ = ('_tops', 'captured', 'components', 'jobs', 'modules', 'notes')

    def __init__(self) -> None:
        self.components: dict[str, str] = {}
        self.captured = ''
        self.notes: list[Note] = []
        self.jobs: dict[str, tuple[object, bool]] = {}
        self.modules: list[ModuleType] = []
        self._tops: set[str] = set()

    @property
    def digest(self) -> str:
        """One digest of all components."""
        lines = [f'{name}\0{comparable(text)}' for name, text in sorted(self.components.items())]
        return str(xxh3_128_hexdigest('\n'.join(lines).encode('utf-8', 'surrogatepass')))

    @property
    def packages(self) -> dict[str, str]:
        """The versions of the installed packages reached; recorded, not compared."""
        from importlib.metadata import PackageNotFoundError, version

        found = {}
        for top in sorted(self._tops):
            try:
                found[top] = version(top)
            except PackageNotFoundError:
                found[top] = getattr(sys.modules.get(top), '__version__', '?')
        return found


class Fingerprinter:
    """The memo of one planning: each file is parsed and each code object digested once."""

    def __init__(self, root: str, is_job: Callable[[object], bool] = lambda value: False) -> None:
        self.project = Project(root)
        self.is_job = is_job
        self.sources = Sources()
        self._texts: dict[int, tuple[CodeType, str, bytecode.Names]] = {}

    def function(self, f: object, *, ignore: Iterable[str] = ()) -> Fingerprint:
        """The fingerprint of a job's function."""
        return Reach(self, frozenset(ignore)).of(f)

    def code(self, code: CodeType) -> tuple[str, bytecode.Names]:
        """The text of a code object, and the names that it loads."""
        known = self._texts.get(id(code))
        if known is None:
            node = self.sources.node(code)
            if node is None:
                tree = '-'
            else:
                from awflow.fingerprint import canonical

                tree = canonical.digest(node)
            text = f'a:{tree}/b:{bytecode.TAG}:{bytecode.digest(code)}'
            known = self._texts[id(code)] = (code, text, bytecode.names(code))
        return known[1], known[2]


class Reach:
    """One walk: what is still to be visited, and what was found."""

    def __init__(self, memo: Fingerprinter, ignore: frozenset[str]) -> None:
        self.memo = memo
        self.project = memo.project
        self.ignore = ignore
        self.found = Fingerprint()
        self._texts: dict[str, list[str]] = {}
        self._seen: dict[int, object] = {}
        self._todo: list[tuple[str, object]] = []
        self._subject = ''  # the name of the value being digested, for notes
        self._values = Values(self._named, self._noted)

    def of(self, f: object) -> Fingerprint:
        """All components of a function."""
        name = getattr(f, '__name__', type(f).__name__)
        self._visit(f'code of {name}', f, name)
        self.found.captured = self._captured(f)
        while self._todo:
            label, value = self._todo.pop()
            self._visit(label, value, _short_name(value))
        self.found.components = {label: '+'.join(sorted(set(texts))) for label, texts in self._texts.items()}
        return self.found

    def _put(self, label: str, text: str) -> None:
        self._texts.setdefault(label, []).append(text)

    # -- code ----------------------------------------------------------------------------------------------------------

    def _visit(self, label: str, value: object, name: str) -> None:
        """One function, class or callable object."""
        if id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, type):
            self._class(label, value)
        elif isinstance(value, FunctionType):
            self._function(label, value, name)
        elif isinstance(value, MethodType):
            self._visit(label, value.__func__, name)
            self._value(f'instance of {name}', value.__self__)
        elif type(value).__qualname__ == 'partial' and hasattr(value, 'func'):
            self._visit(label, value.func, name)
            self._value(f'arguments of {name}', [value.args, value.keywords])  # type: ignore[attr-defined]
        elif callable(wrapped := getattr(value, '__wrapped__', None)):
            self._visit(label, wrapped, name)
        elif isinstance(value, BuiltinFunctionType):
            self._package(value)
        else:  # a callable object: its class, and its state
            self._value(label, value)

    def _function(self, label: str, f: FunctionType, name: str) -> None:
        own = self.project.has_code(f.__code__)
        for wrapped in _wrapped(f):
            self._reach(wrapped)
        if not own:
            self._package(f)
            for cell in f.__closure__ or ():
                if isinstance(content := _content(cell), (FunctionType, type)):
                    self._reach(content)
            return
        self._module_of(f)
        text, names = self.memo.code(f.__code__)
        self._put(label, text)
        for variable, cell in zip(f.__code__.co_freevars, f.__closure__ or (), strict=False):
            self._name(f'closure {variable} of {name}', variable, _content(cell), names.free.get(variable, {()}))
        positional = f.__code__.co_varnames[: f.__code__.co_argcount]
        defaults = dict(zip(reversed(positional), reversed(f.__defaults__ or ()), strict=False))
        for variable, value in {**defaults, **(f.__kwdefaults__ or {})}.items():
            self._name(f'default {variable} of {name}', variable, value, {()})
        self._globals(f, names, name)

    def _globals(self, f: FunctionType, names: bytecode.Names, name: str) -> None:
        scope = f.__globals__
        prefix = '' if scope.get('__name__', '__main__') == '__main__' else f'{scope["__name__"]}.'
        for variable, chains in names.loaded.items():
            if variable in names.assigned:
                self._note('is assigned by the function itself, so its value does not count', variable, 'Pass it as an argument.')
            elif variable in scope:
                self._name(f'global {prefix}{variable}', variable, scope[variable], chains)
            elif variable in DYNAMIC:
                self._note(f'{name} calls it, and what that runs does not count', variable, "Name what it depends on: version='1'.")
            elif not hasattr(builtins, variable) and variable not in ('__class__', '__name__', '__file__'):
                self._put(f'global {prefix}{variable}', 'v:unbound')
        for module, taken in names.imported.items():
            self._import(module, taken, scope)

    def _import(self, name: str, taken: set[str], scope: dict[str, object]) -> None:
        """An import inside a function."""
        package = str(scope.get('__package__') or '')
        module = sys.modules.get(name) or sys.modules.get(f'{package}.{name}')
        if module is None and name:
            import importlib

            if name.partition('.')[0] in sys.stdlib_module_names:
                return
            try:
                module = importlib.import_module(name)
            except Exception:  # noqa: BLE001  the task will meet the same error, and say so in its log
                return
        if module is not None:
            chains: set[tuple[str, ...]] = {(n,) for n in taken} or {()}
            self._name(f'module {name}', name, module, chains)

    # -- names ---------------------------------------------------------------------------------------------------------

    def _name(self, label: str, variable: str, value: object, chains: set[tuple[str, ...]]) -> None:
        """What a name is bound to, and how the code uses it."""
        if variable in self.ignore:
            return
        if self.memo.is_job(value):
            self._job(variable, value, chains)
        elif isinstance(value, ModuleType):
            self._module(value, chains)
        elif _is_code(value):
            self._reach(value)
        else:
            self._value(label, value)

    def _job(self, variable: str, job: object, chains: set[tuple[str, ...]]) -> None:
        otherwise = any(not chain or chain[0] not in RESULT_READS for chain in chains)
        known = self.found.jobs.get(variable)
        self.found.jobs[variable] = (job, otherwise or (known is not None and known[1]))
        if otherwise:
            self._reach(getattr(job, 'function', None))

    def _module(self, module: ModuleType, chains: set[tuple[str, ...]]) -> None:
        if not self.project.has_module(module):
            self._package(module)
            return
        self._note_module(module)
        for chain in chains:
            if not chain:
                self._whole(module)
                continue
            attribute, rest = chain[0], chain[1:]
            if not hasattr(module, attribute):
                self._put(f'global {module.__name__}.{attribute}', 'v:unbound')
            else:
                self._name(f'global {module.__name__}.{attribute}', attribute, getattr(module, attribute), {rest})

    def _whole(self, module: ModuleType) -> None:
        """A module that is used as a value: all of its source counts."""
        if id(module) in self._seen or module.__name__ == '__main__':
            return
        self._seen[id(module)] = module
        source = self.memo.sources.file(getattr(module, '__file__', None) or '')
        if source is not None:
            from awflow.fingerprint import canonical

            self._put(f'module {module.__name__}', f'v:{canonical.digest(source.tree)}')

    def _reach(self, value: object) -> None:
        """Visit code later, under the name it has by itself."""
        if value is None or id(value) in self._seen:
            return
        name = _full_name(value)
        if _short_name(value) in self.ignore or name in self.ignore:
            return
        if isinstance(value, type):
            if self.project.has_class(value):
                self._todo.append((f'class {name}', value))
            else:
                self._package(value)
        else:
            self._todo.append((f'helper {name}', value))

    def _package(self, value: object) -> None:
        if top := package_of(value):
            self._texts.setdefault(f'package {top}', ['v:installed'])
            self.found._tops.add(top)

    def _module_of(self, value: object) -> None:
        module = sys.modules.get(getattr(value, '__module__', None) or '')
        if module is not None and module.__name__ != '__main__' and self.project.has_module(module):
            self._note_module(module)

    def _note_module(self, module: ModuleType) -> None:
        if module not in self.found.modules and module.__name__ != '__main__':
            self.found.modules.append(module)

    # -- classes -------------------------------------------------------------------------------------------------------

    def _class(self, label: str, kind: type) -> None:
        self._module_of(kind)
        for base in kind.__bases__:
            self._reach(base)
        generated = '__dataclass_fields__' in vars(kind)
        state: dict[str, object] = {'bases': [_full_name(base) for base in kind.__bases__]}
        for name, item in vars(kind).items():
            if name in LAZY_ATTRIBUTES or (name.startswith('_') and name.endswith('_map_')) or name == '_member_names_':
                continue
            if name == '__dataclass_fields__':
                fields = vars(kind)[name].values()
                state[name] = [(f.name, f.default, f.default_factory, f.init, f.compare, f.kw_only) for f in fields]
                continue
            if isinstance(item, FunctionType) and item.__code__.co_filename.startswith('<string') and generated:
                continue  # written by dataclasses from the fields
            if type(item).__name__ in ('member_descriptor', 'getset_descriptor'):
                item = 'slot'
            if hasattr(kind, '__members__') and isinstance(item, kind):
                item = item._value_  # type: ignore[attr-defined]
            state[name] = item
        self._value(label, state, display=False)

    # -- values --------------------------------------------------------------------------------------------------------

    def _value(self, label: str, value: object, display: bool = True) -> None:
        outer, self._subject = self._subject, label.split(' ')[1] if ' ' in label else label
        began = perf_counter()
        text = f'v:{xxh3_128_hexdigest(self._values.encode(value))}'
        if perf_counter() - began > SLOW or getattr(value, 'nbytes', 0) > LARGE:
            self._note('takes long to digest at every start', self._subject, 'Pass it through a file declared with @inputs.')
        self._subject = outer
        self._put(label, text + _display(value) if display else text)

    def _named(self, value: object) -> bytes:
        """How a function or class inside a value is named; the user's own is visited too."""
        if isinstance(value, type) and not self.project.has_class(value):
            self._package(value)
        else:
            self._reach(value)
        return _full_name(value).encode('utf-8', 'surrogatepass')

    def _noted(self, kind: str, value: object) -> None:
        if kind == 'random':
            what, cure = 'is a random generator whose state is new at every start, so the job always reruns', 'Seed it, or'
            self._note(what, self._subject, f'{cure} leave it out: @job(ignore=[{self._subject!r}]).')
        else:
            self._note(f'is a {type(value).__name__}, of which only the type counts', self._subject, 'Create it inside the function.')

    def _note(self, kind: str, name: str, cure: str) -> None:
        if not any(note.kind == kind and note.name == name for note in self.found.notes):
            self.found.notes.append(Note(kind, name, cure))

    def _captured(self, f: object) -> str:
        prefixes = ('closure ', 'default ', 'arguments ', 'instance ')
        lines = [f'{label}={comparable(text)}' for label, texts in sorted(self._texts.items()) for text in texts if label.startswith(prefixes)]
        return str(xxh3_128_hexdigest('\n'.join(lines).encode('utf-8', 'surrogatepass')))


def digest(value: object) -> str:
    """The typed digest of a value, 32 hex digits; raises FingerprintError for one that cannot be walked."""
    reach = Reach(Fingerprinter('/'), frozenset())
    encoded = reach._values.encode(value)
    if not reach._todo:
        return str(xxh3_128_hexdigest(encoded))
    while reach._todo:
        label, code = reach._todo.pop()
        reach._visit(label, code, _short_name(code))
    lines = [f'{label}\0{comparable(text)}' for label, texts in sorted(reach._texts.items()) for text in sorted(texts)]
    return str(xxh3_128_hexdigest(encoded + '\n'.join(lines).encode('utf-8', 'surrogatepass')))


def _is_code(value: object) -> bool:
    if isinstance(value, (FunctionType, BuiltinFunctionType, MethodType, type)):
        return True
    return callable(getattr(value, '__wrapped__', None)) or (type(value).__qualname__ == 'partial' and hasattr(value, 'func'))


def _wrapped(f: FunctionType) -> list[object]:
    """What a wrapper stands for: the function it wraps, and a singledispatch's implementations."""
    found = [f.__dict__['__wrapped__']] if '__wrapped__' in f.__dict__ else []
    registry = f.__dict__.get('registry')
    if registry is not None and 'dispatch' in f.__dict__:
        found += list(registry.values())
    return found


def _content(cell: object) -> object:
    try:
        return cell.cell_contents  # type: ignore[attr-defined]
    except ValueError:
        return None  # not assigned yet


def _short_name(value: object) -> str:
    return str(getattr(value, '__name__', type(value).__name__))


def _full_name(value: object) -> str:
    inner = getattr(value, 'func', None) or getattr(value, '__func__', None) or value
    module = getattr(inner, '__module__', None) or ''
    name = str(getattr(inner, '__qualname__', type(inner).__qualname__))
    return name if module in ('__main__', '', 'builtins') else f'{module}.{name}'


def _display(value: object) -> str:
    if type(value) not in (int, float, str, bool, type(None), tuple, list, dict, range, complex, bytes):
        return ''
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001  only for show
        return ''
    return f' {text}' if len(text) <= 60 and '\n' not in text else ''
