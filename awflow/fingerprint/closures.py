"""The fingerprints of functions of one code, of which a loop may make thousands: each digests what it captured, and no more."""

from __future__ import annotations

from time import perf_counter

from xxhash import xxh3_128_hexdigest

from awflow.fingerprint.components import with_display
from awflow.fingerprint.values import BIG, SCALARS, SLOW, is_big, scalar
from awflow.fingerprint.variants import UNBOUND, Fingerprint, Held, held_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FunctionType
    from typing import Any, Final

    from awflow.fingerprint.reach import Walk
    from awflow.fingerprint.variants import Shared

CONTAINERS: Final = frozenset({list, tuple, dict, set, frozenset})


class Closures:
    """Functions of the code that a walk has gathered, with the same globals. What they captured is told apart here if it is
    small and holds no code; other functions are walked each by itself.
    """

    __slots__ = ('_shared', '_walk')

    def __init__(self, walk: Walk) -> None:
        self._walk = walk
        self._shared: dict[object, tuple[Shared, Sequence[int] | None]] = {}  # by number and names of defaults

    def of(self, f: FunctionType) -> Fingerprint:
        """The fingerprint of one of them."""
        if getattr(f, '__wrapped__', UNBOUND) is not UNBOUND:
            return self._walk.finished_with(f)
        defaults, keywords = f.__defaults__ or (), f.__kwdefaults__
        key = (len(defaults), *sorted(keywords)) if keywords else len(defaults)
        variant = self._shared.get(key)
        if variant is None:
            variant = self._shared[key] = self._shared_by(f)
        shared, taken = variant
        try:
            values = [cell.cell_contents for cell in f.__closure__ or ()]
            if defaults or keywords:
                values = [*defaults, *[value for _, value in sorted((keywords or {}).items())], *values]
            if taken is not None:
                values = [values[place] for place in taken]
            digests = tuple([xxh3_128_hexdigest(SCALARS[type(value)](value)) for value in values])
        except KeyError:  # a value that holds others
            return self._holding(shared, values) or self._walk.finished_with(f)
        except ValueError:  # a cell that holds no value yet
            return self._walk.finished_with(f)
        if any(map(is_big, values)):
            return self._walk.finished_with(f)
        return Fingerprint(shared, tuple(values), digests)  # thousands of closures of one `def` come this way

    def _holding(self, shared: Shared, values: list[Any]) -> Fingerprint | None:
        """The same if the values that hold others are plain containers or paths without code in them; None if not."""
        digests, found = [], []
        for component, value in zip(shared.names, values, strict=True):
            encoded = scalar(value)
            if encoded is None:
                if self._walk.ignore or not (type(value) in CONTAINERS or type(value).__name__ == 'PosixPath'):
                    return None
                started = perf_counter()
                node = self._walk.memo.hasher.named(component.split(' ', 2)[1]).node(value)
                if node.refs or node.marks or node.size > BIG or perf_counter() - started > SLOW:
                    return None
                found.append(Held(node.code, with_display(f'v:{node.hex}', value)))
                encoded = node.code
            elif is_big(value):
                return None
            else:
                found.append(value)
            digests.append(xxh3_128_hexdigest(encoded))
        return Fingerprint(shared, tuple(found), tuple(digests))

    def _shared_by(self, f: FunctionType) -> tuple[Shared, Sequence[int] | None]:
        """What the functions have in common that hold values of the same names, and which of these count, if not all do."""
        held, code = held_by(f, f.__name__), f.__code__
        total = len(f.__defaults__ or ()) + len(f.__kwdefaults__ or ())
        places = [*range(total), *[total + n for n, name in enumerate(code.co_freevars) if name != '__class__']]
        kept = [n for n, (component, name, _) in enumerate(held) if not self._walk.ignored(component, name, name)]
        taken = [places[n] for n in kept]
        names = tuple(held[n][0] for n in kept)
        components = {name: text for name, text in self._walk.components.items() if name not in names}
        return self._walk.shared(components, names), None if taken == list(range(total + len(code.co_freevars))) else taken
