"""What telemetry's own threads cost: their CPU time as a share of one core, the one that trading needs for itself.

Under the GIL no more than one core runs Python, so a tenth of one core is a tenth of what the bot could ever have had.
What the application's own threads spend on recording is not in here; bench/ measures that.
"""

from __future__ import annotations

import sys
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Overhead"]

_NAMES = ("ticktrace-", "OtelBatch", "OtelPeriodic")  # ours, and those that the SDK starts for us
_SHORTEST_SECONDS = 1.0  # several readers may ask, each in its own rhythm


def _cpu_seconds(native_id: int) -> float | None:
    """CPU time of another thread of this process, None where it has ended or nobody tells.

    The clock's id is made as glibc's ``pthread_getcpuclockid`` makes it. Python's function of that name may not be asked
    about a thread that has ended meanwhile; this number may, and the kernel says that there is no such thread.
    """
    try:
        return time.clock_gettime(~native_id << 3 | 6)
    except OSError:
        return None


class Overhead:
    """The share of one core that telemetry's own threads take.

    Args:
        inline: CPU seconds that other threads have spent on telemetry's work so far.
        drain: CPU seconds of the drain so far; where the system does not tell about single threads, all that is known.
    """

    def __init__(self, inline: Callable[[], float], drain: Callable[[], float]) -> None:
        self._inline = inline
        self._drain = drain
        self._seen: dict[int, float] = {}
        self._total = 0.0
        self._ratio = 0.0
        self._lock = threading.Lock()
        self._look()
        self._at = time.perf_counter()
        self._before = self._spent()

    def ratio(self) -> float:
        """The share since it was last asked for, at least a second ago: 0 to 1, or more with several cores."""
        with self._lock:
            now = time.perf_counter()
            if now - self._at >= _SHORTEST_SECONDS:
                self._look()
                spent = self._spent()
                self._ratio = (spent - self._before) / (now - self._at)
                self._at, self._before = now, spent
            return self._ratio

    def _spent(self) -> float:
        if sys.platform != "linux":
            return self._drain()
        return self._total + self._inline()

    def _look(self) -> None:
        """Add what telemetry's threads have spent since the last look; what they spent after it and ended is not seen."""
        if sys.platform != "linux":
            return
        seen: dict[int, float] = {}
        for thread in threading.enumerate():
            native_id = thread.native_id
            if native_id is None or not thread.name.startswith(_NAMES):
                continue
            seconds = _cpu_seconds(native_id)
            if seconds is not None:
                before = self._seen.get(native_id, 0.0)
                self._total += seconds - before if seconds >= before else seconds  # ids are used again
                seen[native_id] = seconds
        self._seen = seen
