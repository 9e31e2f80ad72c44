"""Waiting for room: what makes a backtest complete, and what a live bot never does.

A bounded buffer that is full either loses something or holds up who fills it. Live, it loses (and counts): trading must
not wait for telemetry. A backtest makes more telemetry in a second than a live bot in an hour, nothing depends on its
clock, and a result with holes is worth little: there the producer waits, as long as the other side gets on.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from ticktrace.engine.attendant import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CALLED", "Patience", "Stall", "is_exporting"]

_FAILING_SECONDS = 1.0  # who has failed lately gets this long to change its mind
_NEVER = Deadline(float("inf"))


class _OfThisThread(threading.local):
    limit: Deadline | None = None


class _Called(threading.local):
    """What the calling thread is in the middle of.

    Attributes:
        on_start: a span processor's `on_start`; it may hold a lock that its `on_end` needs, on the thread that would be
            waited for.
    """

    on_start: bool = False


CALLED = _Called()


class Patience:
    """How long the threads of one engine may wait for room.

    Args:
        seconds: how long something may get nowhere before nobody waits for it any more; 0 for never waiting.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds: float = seconds
        self._end = _NEVER
        self._mine = _OfThisThread()

    def limit(self) -> float:
        """Seconds that the calling thread may wait at most, whatever it waits for."""
        mine = self._mine.limit or _NEVER
        return min(self._end.remaining(), mine.remaining())

    def end(self, deadline: Deadline) -> None:
        """From now on nobody waits beyond `deadline`: the engine shuts down."""
        self._end = deadline

    @contextmanager
    def within(self, deadline: Deadline) -> Iterator[None]:
        """In this block the calling thread does not wait beyond `deadline`."""
        before, self._mine.limit = self._mine.limit, deadline
        try:
            yield
        finally:
            self._mine.limit = before


class Stall:
    """Something that others wait for, and since when it has got nowhere meanwhile.

    So a peer that hangs holds its producers up once, not once for each item.

    Args:
        patience: of those who wait.
        seconds: how long it may get nowhere before nobody waits for it any more; as the patience has it, or this if that
            is longer.
    """

    __slots__ = ("_patience", "_seconds", "_since")

    def __init__(self, patience: Patience, seconds: float = 0.0) -> None:
        self._patience = patience
        self._seconds = max(patience.seconds, seconds)
        self._since: float | None = None

    def over(self) -> None:
        """It gets on."""
        self._since = None

    def remaining(self, *, failing: bool = False) -> float:
        """Seconds that the calling thread may still wait; 0 when it must not.

        Args:
            failing: what is waited for has failed lately, so there is less hope.
        """
        if self._seconds <= 0 or is_exporting():
            return 0.0
        now = monotonic()
        since = self._since
        if since is None:
            self._since = since = now
        seconds = min(self._seconds, _FAILING_SECONDS) if failing else self._seconds
        return min(max(0.0, since + seconds - now), self._patience.limit())


def is_exporting() -> bool:
    """Whether this thread is sending a batch: then it must not wait for room that only it can make.

    The SDK's processors mark the context of an export, so that it is not instrumented itself.
    """
    return bool(get_value(_SUPPRESS_INSTRUMENTATION_KEY))
