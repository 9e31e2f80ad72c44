"""A handle's resource monitor and memory snapshots, made when they are first asked for."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from ticktrace.runtime import MemorySnapshots, ResourceMonitor, SnapshotTaken, snapshot_on_signal
from ticktrace.scrubbing import scrubber_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.settings import Settings

__all__ = ["Resources"]


class Resources:
    """What a handle knows of its process's resources.

    Args:
        settings: all of them.
        undo_at_shutdown: takes what ends something.

    Attributes:
        monitor: the resource monitor; None until `watch` made it.
    """

    def __init__(self, settings: Settings, undo_at_shutdown: Callable[[Callable[[], None]], None]) -> None:
        self._settings = settings
        self._undo_at_shutdown = undo_at_shutdown
        self._lock = threading.RLock()
        self._snapshots: MemorySnapshots | None = None
        self.monitor: ResourceMonitor | None = None

    def start_afresh(self) -> None:
        """In a forked child, where a thread that held the lock does not exist; the monitor sees to itself."""
        self._lock = threading.RLock()

    def watch(self, *, enabled: bool) -> ResourceMonitor:
        """The monitor; it is started with the first call, if telemetry is enabled then."""
        with self._lock:
            if self.monitor is None:
                settings = self._settings.resources
                snapshots = self._made()
                self.monitor = ResourceMonitor(settings, snapshots, scrub=scrubber_of(self._settings).text)
                if enabled:
                    self._undo_at_shutdown(self.monitor.stop)
                    if settings.snapshots.on_signal:
                        self._undo_at_shutdown(snapshot_on_signal(snapshots))
                    self.monitor.start()
            return self.monitor

    def snapshot(self, reason: str, referrers: str | None, *, enabled: bool) -> Future[SnapshotTaken]:
        """Have a memory snapshot taken; where telemetry is off, the result says so."""
        if not enabled:
            future: Future[SnapshotTaken] = Future()
            future.set_result(SnapshotTaken(None, None, "telemetry is off"))
            return future
        with self._lock:
            snapshots = self._made()
        return snapshots.request(reason, referrers=referrers)

    def _made(self) -> MemorySnapshots:
        if self._snapshots is None:
            self._snapshots = MemorySnapshots(
                self._settings.resources.snapshots,
                self._settings.service.name,
                scrub=scrubber_of(self._settings).text,
            )
            self._undo_at_shutdown(self._snapshots.close)
        return self._snapshots
