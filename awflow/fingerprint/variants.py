"""Fingerprints, and what those of the many functions share that one `def` in a loop makes: all but small captured values.

What they share is walked once. Of each only its captured values are digested, and put into a pattern of all the other lines
where a digest of everything is wanted; its components are spelled out when somebody asks for them.
"""

from __future__ import annotations

from xxhash import xxh3_128_hexdigest

from awflow.fingerprint.components import comparable, scalar_text, version_of
from awflow.fingerprint.values import scalar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import CellType, FunctionType, ModuleType
    from typing import Any, Final

    from awflow.fingerprint.components import Note


class Pattern:
    """A digest of named texts of which some are values' digests, given later: `name NUL text`, sorted, one a line."""

    __slots__ = ('_form', '_order')

    def __init__(self, fixed: Mapping[str, str], varying: Sequence[str]) -> None:
        lines = {name: f'{name}\0{text}'.replace('%', '%%') for name, text in fixed.items()}
        lines.update((name, name.replace('%', '%%') + '\0v:%s') for name in varying)
        names = sorted(lines)
        places = {name: place for place, name in enumerate(varying)}
        order = [places[name] for name in names if name in places]
        self._form = '\n'.join([lines[name] for name in names])
        self._order = order if order != sorted(order) else None

    def digest(self, values: Sequence[str]) -> str:
        """The digest of all lines, with these in the places of what varies, in the order in which that was named."""
        if self._order is not None:
            values = [values[place] for place in self._order]
        return str(xxh3_128_hexdigest((self._form % tuple(values)).encode('utf-8', 'surrogatepass')))


UNBOUND: Final = object()  # in place of the value of a variable that has none yet
NO_JOBS: Final[Mapping[str, tuple[Any, bool]]] = {}


class Shared:
    """What variants have in common: all components but those of the captured values, whose names these are."""

    __slots__ = ('_pattern', 'captured', 'components', 'jobs', 'modules', 'names', 'notes', 'packages')

    def __init__(
        self,
        components: dict[str, str],
        names: Sequence[str] = (),
        captured: bytes = b'',
        notes: Sequence[Note] = (),
        jobs: Mapping[str, tuple[Any, bool]] = NO_JOBS,
        modules: Sequence[ModuleType] = (),
        packages: Iterable[str] = (),
    ) -> None:
        self.components = components
        self.names = names
        self.captured = captured  # what is known to be captured besides
        self.notes = notes
        self.jobs = jobs
        self.modules = modules
        self.packages = packages
        self._pattern: Pattern | None = None

    @property
    def pattern(self) -> Pattern:
        """That of `Fingerprint.digest`."""
        if self._pattern is None:
            self._pattern = Pattern({name: comparable(text) for name, text in self.components.items()}, self.names)
        return self._pattern


class Held:
    """A captured value that holds others, but no code: as its bytes and its text, since it may change."""

    __slots__ = ('code', 'text')

    def __init__(self, code: bytes, text: str) -> None:
        self.code = code
        self.text = text


class Fingerprint:
    """What the result of a function depends on, as far as code and values go."""

    __slots__ = ('digests', 'shared', 'values')

    def __init__(self, shared: Shared, values: Sequence[Any] = (), digests: Sequence[str] = ()) -> None:
        self.shared = shared
        self.values = values  # those that vary: one for each of shared.names, scalars or Held
        self.digests = digests  # theirs

    @property
    def components(self) -> dict[str, str]:
        """What it depends on by name, as text; not to be changed."""
        shared = self.shared
        if not shared.names:
            return shared.components
        found = shared.components.copy()
        for name, value in zip(shared.names, self.values, strict=True):
            found[name] = value.text if type(value) is Held else scalar_text(value, _bytes(value))
        return found

    @property
    def digest(self) -> str:
        """Digest of all components, whatever their order; of code, the bytecode counts only where there is no tree."""
        return self.shared.pattern.digest(self.digests)

    @property
    def captured(self) -> str:
        """Digest of closure and defaults alone: tells the functions apart that one `def` in a loop made."""
        pairs = zip(self.shared.names, self.values, strict=True)
        own = [name.encode() + b'=' + _bytes(value) for name, value in pairs]
        return str(xxh3_128_hexdigest(self.shared.captured + b''.join(own)))

    @property
    def notes(self) -> Sequence[Note]:
        """What the user should know of it."""
        return self.shared.notes

    @property
    def jobs(self) -> Mapping[str, tuple[Any, bool]]:
        """The jobs that its code names, by spelling, each with whether it is used for more than its results."""
        return self.shared.jobs

    @property
    def modules(self) -> Sequence[ModuleType]:
        """The modules of the project that its code leads through."""
        return self.shared.modules

    @property
    def packages(self) -> dict[str, str]:
        """Versions of the installed packages, by the name that is imported; '' where unknown. Takes milliseconds."""
        return {name: version_of(name) for name in sorted(self.shared.packages)}


def _bytes(value: Any) -> bytes:
    return value.code if type(value) is Held else scalar(value) or b''


def held_by(f: FunctionType, label: str) -> list[tuple[str, str, Any]]:
    """Defaults and closure of a function: component, name and value of each."""
    code, held = f.__code__, []
    if f.__defaults__:
        names = code.co_varnames[code.co_argcount - len(f.__defaults__) : code.co_argcount]
        held += [(f'default {name} of {label}', name, value) for name, value in zip(names, f.__defaults__, strict=True)]
    if f.__kwdefaults__:
        held += [(f'default {name} of {label}', name, value) for name, value in sorted(f.__kwdefaults__.items())]
    for name, cell in zip(code.co_freevars, f.__closure__ or (), strict=True):
        if name != '__class__':  # where `super()` finds it: the class is reached through its instances
            held.append((f'closure {name} of {label}', name, _content(cell)))
    wrapped = f.__dict__.get('__wrapped__', UNBOUND)
    if all(value is not wrapped for _, _, value in held) and wrapped is not UNBOUND:  # else the wrapper's closure has it
        held.append((f'closure __wrapped__ of {label}', '__wrapped__', wrapped))
    return held


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:
        return UNBOUND
