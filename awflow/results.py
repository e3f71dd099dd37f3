"""Stored results, read outside a task: by the script that scheduled the job."""

from __future__ import annotations

from awflow.elements import SINGLE, key_of, keys_of
from awflow.errors import ResultError
from awflow.plan import task_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from awflow.arrays import Array
    from awflow.state.rows import Rows


class Reader:
    """The results of one job of a workflow."""

    def __init__(self, root: str, workflow: str, job: str, array: Array | None) -> None:
        from awflow.state.store import Store

        self.job = job
        self.array = array
        store = Store(root, workflow)
        self._directory = store.layout.directory
        self._rows: Rows | None = store.read().rows(job)

    def result(self, value: object = None) -> object:
        """What the task of this value returned; raises ResultError if it did not succeed."""
        return self._load(SINGLE if self.array is None else key_of(value))

    def all(self) -> list[object]:
        """What all tasks returned, in array order."""
        return [self._load(key) for key in keys_of(self.job, self.array)]

    def _load(self, key: str) -> object:
        from awflow.backends.context import load_result

        row = self._rows.row(key) if self._rows is not None else None
        outcome = self._rows.outcome(row) if self._rows is not None and row is not None else 'never ran'
        if self._rows is None or row is None or outcome != 'succeeded':
            raise ResultError(
                '{task} has no result',
                'Only tasks that succeeded have one.',
                task=task_name(self.job, key),
                outcome=outcome,
            )
        return load_result(self._directory, self._rows.record(row))
