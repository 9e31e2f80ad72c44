"""Two clocks and how they meet: durations come from the monotonic clock, span times from the wall clock.

A span's start and end must be wall-clock times (OTel Trace API, "Timestamp"), yet a duration must not jump when
NTP steps the wall clock. So every trace reads an *offset* (wall minus monotonic) once, at its root, and places all
its spans by adding it to monotonic readings.
"""

from __future__ import annotations

from time import perf_counter_ns, time_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["NANOSECONDS", "Clock"]

NANOSECONDS = 1_000_000_000


class Clock:
    """The clock of one engine: monotonic readings and the offset that turns them into wall-clock times."""

    __slots__ = ("now", "wall")

    def __init__(self) -> None:
        self.now: Callable[[], int] = perf_counter_ns
        """Read the monotonic clock, in nanoseconds."""
        self.wall: Callable[[], int] = time_ns
        """Read the wall clock, in nanoseconds since the Unix epoch."""

    def offset(self) -> int:
        """Nanoseconds to add to a monotonic reading to get wall-clock time, as of now."""
        return self.wall() - self.now()
