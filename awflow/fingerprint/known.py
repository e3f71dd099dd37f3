"""What is known of code objects from earlier processes, so that a run without news neither parses files nor reads bytecode.

The text of a component, and the names that code uses, follow from the code object and the text that it was compiled from. The
code object is known by all that is in it, lines and columns too, so any edit that moves or changes something makes another
one. What can be edited without a trace is what the compiler drops, such as the body of `if 0:`. Then the tree that is kept is
that of the old text, which does the same: it compiled to this very code. Nothing is ever taken for the same that is not.

Code without a tree is not kept: its file may come back. The state keeps this beside the digests of files, and like those it
may be lost at any time.
"""

from __future__ import annotations

import marshal
import sys

from xxhash import xxh3_128_hexdigest

from awflow._version import __version__
from awflow.fingerprint.chains import Names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import CodeType
    from typing import Any, Final

MAKER: Final = f'{sys.implementation.cache_tag} {sys.hexversion:x} awflow {__version__} 1'  # the last: of what is found here
MOST: Final = 1000  # codes kept that this schedule has not used: another of the same workflow may
EXACT: Final = 2  # version of marshal: from 3 on, what it writes depends on who else refers to a constant


class Known:
    """Component text and names of code objects, by digest of all that is in them. `learned`: whether some are new."""

    __slots__ = ('_kept', '_used', 'learned')

    def __init__(self, kept: Mapping[str, Any] | None = None) -> None:
        self._kept: Mapping[str, Any] = kept.get('codes', {}) if kept and kept.get('by') == MAKER else {}
        self._used: dict[str, Any] = {}
        self.learned = False

    def of(self, code: CodeType) -> tuple[str, tuple[str, Names] | None]:
        """The key of a code object, '' if it has none, and what is known of it."""
        try:
            key = xxh3_128_hexdigest(marshal.dumps(code, EXACT))
        except ValueError:  # a constant of a kind that no compiler makes
            return '', None
        found = self._kept.get(key)
        if found is None:
            return key, None
        self._used[key] = found
        text, *names = found
        return key, (text, Names.from_lists(*names))

    def learn(self, key: str, text: str, names: Names) -> None:
        """Keep what was found."""
        if key and not text.startswith('a:-'):
            self._used[key] = [text, *names.to_lists()]
            self.learned = True

    def to_dict(self) -> dict[str, Any]:
        """All that is to be kept, for JSON; what was not used for longest is dropped."""
        others = [item for item in self._kept.items() if item[0] not in self._used]
        return {'by': MAKER, 'codes': dict([*others[-MOST:], *self._used.items()])}
