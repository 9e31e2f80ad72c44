"""How long something kept every other thread from running, as one of them sees it."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Pulse"]

_PERIOD: Final = 0.0005
_ENDING_SECONDS: Final = 1.0


class Pulse:
    """A thread that wants to run every half a millisecond, and notes how late it does: a trading thread fares likewise.

    It measures the wait for the GIL, whoever holds it, and for a core where the machine has none to spare: so no less
    than what the block is to blame for.

    Attributes:
        longest: the longest wait so far, seconds; None where no thread was to be had.
    """

    def __init__(self) -> None:
        self.longest: float | None = None
        self._over = False
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        thread = threading.Thread(target=self._beat, name="ticktrace-pulse", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # too many threads, which may be the very limit that was exceeded
            return self
        self._thread = thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over = True
        if self._thread is not None:
            self._thread.join(_ENDING_SECONDS)

    def _beat(self) -> None:
        longest = 0.0
        while not self._over:
            before = time.perf_counter()
            time.sleep(_PERIOD)
            longest = max(longest, time.perf_counter() - before - _PERIOD)
            self.longest = longest
