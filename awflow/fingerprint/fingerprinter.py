"""The fingerprints of one planning, which share what they have in common: files, code, names, values."""

from __future__ import annotations

from types import FunctionType

from xxhash import xxh3_128_hexdigest

from awflow.fingerprint.closures import Closures
from awflow.fingerprint.known import Known
from awflow.fingerprint.project import Project, module_of
from awflow.fingerprint.reach import Walk
from awflow.fingerprint.resolve import CAPTURED, Resolver, Use, label_of
from awflow.fingerprint.values import Hasher, scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import CodeType
    from typing import Any

    from awflow.fingerprint.chains import Names
    from awflow.fingerprint.excerpts import Excerpts
    from awflow.fingerprint.modules import Modules
    from awflow.fingerprint.source import Sources
    from awflow.fingerprint.values import Node
    from awflow.fingerprint.variants import Fingerprint


class Fingerprinter:
    """Fingerprints functions, remembering what it has seen for the time of one planning."""

    def __init__(self, root: str, is_job: Callable[[object], bool], known: Known | None = None) -> None:
        self.project = Project(root)
        self.hasher = Hasher(self.project, is_job)
        self._known = known or Known()
        self._sources: Sources | None = None
        self._modules: Modules | None = None
        self._resolver = Resolver(self.hasher)
        self._codes: dict[int, tuple[CodeType, str, Names]] = {}  # with the code, lest its id be given to another
        self._uses: dict[tuple[int, int], tuple[FunctionType, list[Use]]] = {}
        self._opened: dict[int, tuple[type, Node]] = {}
        self._excerpts: Excerpts | None = None
        self._closures: dict[tuple[int, int, str, frozenset[str]], tuple[FunctionType, Closures]] = {}

    def function(self, f: Callable[..., Any], *, ignore: Iterable[str] = ()) -> Fingerprint:
        """The fingerprint of a callable, leaving out what `ignore` names; raises FingerprintError."""
        left_out = frozenset(ignore)
        if type(f) is not FunctionType:
            return Walk(self, module_of(getattr(f, 'func', f)), left_out).callable_object(f)  # of a partial: of its function
        key = (id(f.__code__), id(f.__globals__), f.__name__, left_out)
        known = self._closures.get(key)
        if known is None:
            self.project.trust(f)
            walk = Walk(self, label_of(f)[0], left_out)
            walk.code_of(f)
            known = self._closures[key] = (f, Closures(walk))
        return known[1].of(f)

    def value(self, value: object) -> str:
        """One digest of a value and of all code that it reaches."""
        node = self.hasher.named('value').node(value)
        if not node.refs:
            return node.hex
        walk = Walk(self, '__main__', frozenset())
        walk.value('value', 'value', value)
        return walk.finished().digest

    def code(self, code: CodeType) -> tuple[str, Names]:
        """The component text of a code object, and the names it uses."""
        seen = self._codes.get(id(code))
        if seen is None:
            key, found = self._known.of(code)
            if found is None:
                found = self._read(code)
                self._known.learn(key, *found)
            seen = self._codes[id(code)] = (code, *found)
        return seen[1], seen[2]

    def _read(self, code: CodeType) -> tuple[str, Names]:
        from awflow.fingerprint.bytecode import TAG, code_digest
        from awflow.fingerprint.names import names_of

        bytecode = code_digest(code)
        return f'a:{self.sources.digest(code, bytecode)}/b:{TAG}:{bytecode}', names_of(code)

    @property
    def sources(self) -> Sources:
        """The files that functions come from, for those of which nothing is known."""
        if self._sources is None:
            from awflow.fingerprint.source import Sources

            self._sources = Sources()
        return self._sources

    @property
    def modules(self) -> Modules:
        """The modules that count whole."""
        if self._modules is None:
            from awflow.fingerprint.modules import Modules

            self._modules = Modules(self.project, self.sources)
        return self._modules

    def opened(self, cls: type, label: str) -> Node:
        """The digest of what is in a class."""
        known = self._opened.get(id(cls))
        if known is None:
            from awflow.fingerprint.classes import open_class

            known = self._opened[id(cls)] = (cls, open_class(self.hasher.named(label), cls))
        return known[1]

    def known_codes(self) -> Iterable[tuple[CodeType, str, Names]]:
        """Every code object seen, with its component text."""
        return self._codes.values()

    def known_classes(self) -> list[type]:
        """Every class that was looked into."""
        return [cls for cls, _ in self._opened.values()]

    def excerpt(self, component: str, text: str) -> str:
        """The source of a component of a fingerprint taken here, '' if it has none. Takes milliseconds a file."""
        if self._excerpts is None:
            from awflow.fingerprint.excerpts import Excerpts

            self._excerpts = Excerpts(self)
        return self._excerpts.of(component, text)

    def uses(self, function: FunctionType) -> list[Use]:
        """What the globals that a function names stand for."""
        key = (id(function.__code__), id(function.__globals__))
        known = self._uses.get(key)
        if known is None:
            names = self.code(function.__code__)[1]
            uses = list(self._resolver.of_globals(names, function.__globals__))
            known = self._uses[key] = (function, uses + self._imports(function, names))
        return known[1]

    def _imports(self, function: FunctionType, names: Names) -> list[Use]:
        if not names.imports:
            return []
        scope = function.__globals__
        name = str(scope.get('__name__') or '')
        package = scope.get('__package__') or (name if '__path__' in scope else name.rpartition('.')[0])
        found = self.modules.resolve(names.imports, str(package))
        return [Use('imported', module.name, '', module.name, module) for module in found]

    def attributes(self, value: Any, name: str, chains: Iterable[tuple[str, ...]]) -> list[Use]:
        """What is used of a captured variable, given the attributes that are read from it."""
        return [use for chain in chains for use in self._resolver.follow(value, CAPTURED, (name, *chain))]


def digest(value: object) -> str:
    """Digest of any value as 32 hexadecimal digits, the same in every process; raises FingerprintError.

    Functions and classes in it count with all that they reach, wherever their files are.
    """
    plain = scalar(value)
    return xxh3_128_hexdigest(plain) if plain is not None else Fingerprinter('/', _never).value(value)


def _never(value: object) -> bool:
    return False
