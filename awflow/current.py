"""The task that this process performs, if it performs one."""

from __future__ import annotations

from _contextvars import ContextVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from awflow.job import Job

    class TaskContext(Protocol):
        """What a running task may ask about the rest of its workflow."""

        def result(self, job: str, value: object) -> object: ...
        def results(self, job: str) -> list[object]: ...
        def job(self, name: str) -> Job: ...
        def scheduled(self, name: str) -> Job | None: ...
        def near(self) -> bool: ...
        def scratch(self) -> str: ...


CURRENT: ContextVar[TaskContext | None] = ContextVar('awflow_task', default=None)
