"""Ctrl-C and SIGTERM while tasks run: counted, so that the loop can end its tasks and record them before it goes."""

from __future__ import annotations

import signal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """While entered, the two signals only count. Outside the main thread, where Python allows no handlers, it does nothing."""

    def __init__(self) -> None:
        self.count = 0
        self.number = 0
        self._old: dict[int, Any] = {}

    @property
    def name(self) -> str:
        """The signal, for humans."""
        return 'Ctrl-C' if self.number == signal.SIGINT else signal.Signals(self.number).name

    def __enter__(self) -> Interrupt:
        try:
            for number in SIGNALS:
                self._old[number] = signal.signal(number, self._note)
        except ValueError:
            pass  # not the main thread
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self.count += 1
        self.number = number

    def reraise(self) -> None:
        """Pass on the signal that stopped the loop."""
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        if self.number:
            raise SystemExit(128 + self.number)
