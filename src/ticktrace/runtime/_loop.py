"""How late the event loop runs what is due (``python.event_loop.lag``)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

    from ticktrace.engine import Instruments

__all__ = ["watch_loop"]


class _Lag:
    """A callback that is due every `period` seconds and notes how late it is. Works with any loop; nothing is patched."""

    def __init__(self, instruments: Instruments, loop: AbstractEventLoop, period: float) -> None:
        self._record = instruments.histogram("python.event_loop.lag", {})
        self._loop = loop
        self._period = period
        self._due = 0.0
        self._handle: TimerHandle | None = None
        self._over = False
        loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if not self._over:
            self._due = self._loop.time() + self._period
            self._handle = self._loop.call_at(self._due, self._tick)

    def _tick(self) -> None:
        self._record.record(max(0.0, self._loop.time() - self._due))
        self._begin()

    def end(self) -> None:
        """Stop; from any thread."""
        self._over = True
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:  # it was closed meanwhile
                return

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


def watch_loop(instruments: Instruments, loop: AbstractEventLoop, period: float) -> Callable[[], None]:
    """Measure how late `loop` is, every `period` seconds, until the function that is returned is called.

    A callback that blocks for longer than a period is seen as one lag of about its length, less up to a period.
    """
    return _Lag(instruments, loop, period).end
