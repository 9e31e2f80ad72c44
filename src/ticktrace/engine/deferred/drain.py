"""The drain: the one background thread that does what the trading thread only stamped.

What hurts a trading thread is not work done elsewhere but work done elsewhere *while holding the GIL*: CPython hands it
over only every 5 ms. So sources do their work in small pieces, and between pieces the drain sleeps, which gives the GIL
away at once. Measured on two cores: OTLP encoding without a pause makes a trading thread wake 5.2 ms late, sixteen spans
at a time with pauses of 200 µs 0.11 ms.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Protocol

from ticktrace.engine.barrier import report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Drain", "Source"]

_PERIOD_SECONDS = 0.1
_SLICE_SECONDS = 0.0004
_PAUSE_SECONDS = 0.0001
_PATIENCE_SECONDS = 5.0


class Source(Protocol):
    """Something that is to be drained."""

    def steps(self) -> Iterator[None]:
        """Do the pending work in pieces of at most a few hundred microseconds, yielding after each.

        Two threads may be at it at once. It never raises.
        """


class Drain:
    """Drains its sources every 100 ms, and when it is woken.

    The thread is started by the first `wake` or `start` and is a daemon: what it has not drained when the process ends
    without a shutdown is lost, at most one period's worth.

    Attributes:
        cpu_seconds: CPU time the thread has spent on draining.
    """

    def __init__(self, sources: Sequence[Source], period: float = _PERIOD_SECONDS) -> None:
        self._sources = sources
        self._period = period
        self._woken = threading.Event()
        self._ended = False
        self._lock = threading.Lock()
        self._pass = (
            threading.RLock()
        )  # one pass at a time: who drains now must find nothing half done by another
        self._hurried = 0
        self._thread: threading.Thread | None = None
        self.cpu_seconds: float = 0.0

    def start(self) -> None:
        """Start the thread, once."""
        with self._lock:
            if self._thread is None and not self._ended:
                self._thread = threading.Thread(target=self._run, name="ticktrace-drain", daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Let the thread drain soon. Cheap, and never blocks."""
        self._woken.set()

    def drain_now(self, seconds: float = _PATIENCE_SECONDS) -> bool:
        """Drain everything on the calling thread, without pauses; a pass under way is awaited, and hurried.

        Returns:
            False when the pass under way has not ended within `seconds`, as where a span processor blocks.
        """
        self._hurried += 1
        try:
            if not self._pass.acquire(timeout=seconds):
                return False
            try:
                for source in self._sources:
                    self._exhaust(source, pause=False)
            finally:
                self._pass.release()
        finally:
            self._hurried -= 1
        return True

    def stop(self, seconds: float) -> bool:
        """End the thread; True when it has ended within `seconds`. What is left is the caller's to drain."""
        self._ended = True
        self._woken.set()
        thread = self._thread
        if thread is None or thread is threading.current_thread():
            return True
        thread.join(seconds)
        return not thread.is_alive()

    def _run(self) -> None:
        while not self._ended:
            self._woken.wait(self._period)
            self._woken.clear()
            began = time.thread_time()
            with self._pass:
                for source in self._sources:
                    self._exhaust(source, pause=True)
            self.cpu_seconds += time.thread_time() - began

    def _exhaust(self, source: Source, *, pause: bool) -> None:
        try:
            began = time.perf_counter()
            for _ in source.steps():
                if pause and not self._hurried and time.perf_counter() - began > _SLICE_SECONDS:
                    time.sleep(_PAUSE_SECONDS)
                    began = time.perf_counter()
        except Exception as error:  # noqa: BLE001  a source that breaks its promise must not end the drain
            report("drain", error)
