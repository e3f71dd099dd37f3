"""Planning without Python's search for cyclic garbage, which looks at all that is alive again and again.

What a plan is made of is alive until the plan is: ten thousand jobs are some hundred thousand objects, and looking for
cycles among them took two fifths of the time of a run that finds nothing to do. Conditions are the user's code, and may
make cycles of big things, so what is new is still looked at, only less often, and once; the rest, which is what costs, is not.
"""

from __future__ import annotations

import gc

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

YOUNG: Final = 10_000  # objects made between two looks at them
NEVER: Final = 100_000  # such looks before the older ones are looked at


class Patience:
    """For the time of a `with`: the collector looks at what is new, and not at everything. Then as it was.

    What may take long, and so make much, has to say after how many looks at what is new the `older` is looked at too.
    """

    __slots__ = ('_before', '_older')

    def __init__(self, older: int = NEVER) -> None:
        self._older = older

    def __enter__(self) -> None:
        self._before = gc.get_threshold()
        young, middle, old = self._before
        if young:  # 0: the user switched it off
            gc.set_threshold(max(young, YOUNG), max(middle, self._older), max(old, self._older))

    def __exit__(self, *_: object) -> None:
        gc.set_threshold(*self._before)
