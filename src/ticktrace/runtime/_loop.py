"""How late the event loop runs what is due (``python.event_loop.lag``), and what has blocked it."""

from __future__ import annotations

import sys
import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from ticktrace.runtime._blocks import BlockWatch
from ticktrace.runtime._frames import depth_of

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop, TimerHandle
    from collections.abc import Callable

    from ticktrace.engine import Instruments, Interruptions

__all__ = ["watch_loop"]

_MOST_LAGS: Final = 10_000  # that wait to be read: a quarter of an hour, usually


class _Lag:
    """A callback that is due every `period` seconds and notes how late it is. Works with any loop; nothing is patched."""

    def __init__(
        self, instruments: Instruments, loop: AbstractEventLoop, period: float, blocks: BlockWatch | None
    ) -> None:
        self._histogram = instruments.histogram("python.event_loop.lag", {})
        self._waiting: deque[float] = deque(maxlen=_MOST_LAGS)
        self._loop = loop
        self._period = period
        self._blocks = blocks
        self._due = 0.0
        self._handle: TimerHandle | None = None
        self._over = False
        instruments.before_collection(self._record)
        loop.call_soon_threadsafe(self._begin)

    def _record(self) -> None:
        waiting = self._waiting
        for _ in range(len(waiting)):
            try:
                lag = waiting.popleft()
            except IndexError:  # another reader collects, too
                return
            self._histogram.record(lag)

    def _begin(self) -> None:
        if self._over:
            return
        self._look_down(1)
        self._schedule()

    def _tick(self) -> None:
        # Recorded where metrics are read: here it would cost the loop as much again.
        self._waiting.append(max(0.0, self._loop.time() - self._due))
        self._look_down(1)
        self._schedule()

    def _schedule(self) -> None:
        if not self._over:
            self._due = self._loop.time() + self._period
            self._handle = self._loop.call_at(self._due, self._tick)

    def _look_down(self, above: int) -> None:
        """See how deep the loop's own frames go here: what is beyond belongs to a callback."""
        blocks = self._blocks
        if blocks is not None:
            blocks.depth = depth_of(sys._getframe(above)) - 1  # noqa: SLF001  without that of the callback
            blocks.runs_on(threading.get_ident())

    def end(self) -> None:
        """Stop; from any thread."""
        self._over = True
        if self._blocks is not None:
            self._blocks.end()
        if not self._loop.is_closed():
            try:
                self._loop.call_soon_threadsafe(self._cancel)
            except RuntimeError:  # it was closed meanwhile
                return

    def _cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()


def watch_loop(
    instruments: Instruments,
    loop: AbstractEventLoop,
    period: float,
    slow: float = 0.0,
    interruptions: Interruptions | None = None,
) -> Callable[[], None]:
    """Measure how late `loop` is, every `period` seconds, until the function that is returned is called.

    A callback that blocks for longer than a period is seen as one lag of about its length, less up to a period.

    Args:
        instruments: records it.
        loop: whichever.
        period: seconds.
        slow: a callback that blocks the loop for so many seconds is told and said; see `BlockWatch`.
        interruptions: is told of it; without, nobody is.
    """
    blocks = None if interruptions is None or slow <= 0 else BlockWatch(loop, slow, interruptions)
    return _Lag(instruments, loop, period, blocks).end
