"""No lock, for a test that starts one run at a time: recent versions of filelock need Python 3.11."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any


class Timeout(TimeoutError):
    pass


class FileLock(nullcontext[None]):
    def __init__(self, path: str, **_: Any) -> None:
        super().__init__()

    def acquire(self, **_: Any) -> None: ...

    def release(self) -> None: ...


UnixFileLock = SoftFileLock = FileLock
