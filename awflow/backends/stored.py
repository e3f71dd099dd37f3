"""How results are pickled: like functions, except that classes of the script find themselves again.

The script's classes have no module to be imported from, so they travel by value. Read back in a later run, such a class
would be a twin of the script's: `isinstance` and `is` would be false, an enum's member would not equal itself. So a class
of the script is stored with its name, and the reader takes the one of that name in `__main__`, if there is one.
"""

from __future__ import annotations

import io
import pickle
import sys

from awflow.backends.pickling import Transport, dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class StoredResult(Transport):
    """The pickler of results."""

    def reducer_override(self, value: Any) -> Any:
        """A class of the script as its name and, for readers without the script, by value."""
        if isinstance(value, type) and value.__module__ == '__main__' and '<locals>' not in value.__qualname__:
            return script_class, (value.__qualname__, dumps(value, {}))
        return super().reducer_override(value)


def dump_result(value: object) -> bytes:
    """The pickle of a result. Raises whatever the value's own reducers raise."""
    file = io.BytesIO()
    StoredResult(file, {}).dump(value)
    return file.getvalue()


def script_class(qualname: str, by_value: bytes) -> type:
    """The script's class of that name, otherwise the stored copy."""
    found: Any = sys.modules.get('__main__')
    for name in qualname.split('.'):
        found = getattr(found, name, None)
    if isinstance(found, type):
        return found
    copy: type = pickle.loads(by_value)
    return copy
