"""Work in short slices with rests in between, so that the trading thread never waits long for the GIL."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Pace"]

_SLICE_SECONDS: Final = 0.0002  # what is begun within it is finished, which takes as long again at worst
_REST_SECONDS: Final = 0.0003
_RELEASED_AT_ONCE: Final = 500


class Pace:
    """Keeps to slices, and to a time limit.

    Args:
        seconds: for everything.
        stopped: asked between slices; True ends the work.

    Attributes:
        longest: CPU seconds of the longest slice so far.
        ended: whether time is up, or somebody wants an end.
    """

    def __init__(self, seconds: float, stopped: Callable[[], bool]) -> None:
        self._deadline = time.perf_counter() + seconds
        self._stopped = stopped
        self.longest: float = 0.0
        self.ended: bool = False
        self._begin()

    def _begin(self) -> None:
        self._spent = time.thread_time()
        self._ends = time.perf_counter() + _SLICE_SECONDS

    def turn(self) -> bool:
        """Go on: rests when the slice is used up. False when the work must end."""
        if time.perf_counter() < self._ends:
            return not self.ended
        return self.rest()

    def rest(self) -> bool:
        """Let others run, whatever is left of the slice. False when the work must end."""
        self.longest = max(self.longest, time.thread_time() - self._spent)
        time.sleep(_REST_SECONDS)
        self._begin()
        if self._ends > self._deadline or self._stopped():
            self.ended = True
        return not self.ended

    def release(self, objects: list[Any]) -> None:
        """Let go of a long list, piece by piece, also when time is up: all at once would take milliseconds."""
        while objects:
            del objects[-_RELEASED_AT_ONCE:]
            if time.perf_counter() >= self._ends:
                self.rest()
