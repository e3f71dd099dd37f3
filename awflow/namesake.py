"""The module of Python's own that has the name of the user's script.

Python looks for modules in the script's directory first, for its own too. So a script that is called array.py, or random.py,
would be imported by whoever asks for that module, and schedule its jobs once more in the midst of itself. Nobody wants that;
the module is therefore imported from where it lies before anybody asks.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

SPEAKING: Final = ('antigravity', 'this')  # do something when they are imported


def uncover(script: str) -> None:
    """Import it, if there is one that is not loaded."""
    name = os.path.basename(script).removesuffix('.py')
    if name in sys.modules or name not in sys.stdlib_module_names or name in SPEAKING:
        return
    here = os.path.dirname(os.path.abspath(script))
    kept = sys.path[:]
    sys.path[:] = [path for path in kept if os.path.abspath(path) != here]
    try:
        __import__(name)
    except ImportError:
        pass  # this Python was built without it
    finally:
        sys.path[:] = kept
