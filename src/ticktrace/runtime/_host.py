"""What OpenTelemetry names and its psutil instrumentation does not record: uptime, and space on disks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import psutil

from ticktrace import semconv
from ticktrace.engine import report

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ticktrace.engine import Instruments

__all__ = ["watch_host"]


class _Disk:
    """The space of the file system that a path is on."""

    def __init__(self, instruments: Instruments, path: str) -> None:
        self._path = path
        self._usage = {
            state: instruments.up_down_counter("system.filesystem.usage", self._labels(state))
            for state in ("used", "free", "reserved")
        }
        self._told = dict.fromkeys(self._usage, 0)
        self._utilization = instruments.gauge("system.filesystem.utilization", self._labels("used"))

    def _labels(self, state: str) -> dict[str, str]:
        return {semconv.SYSTEM_FILESYSTEM_MOUNTPOINT: self._path, semconv.SYSTEM_FILESYSTEM_STATE: state}

    def tell(self) -> None:
        """Read and record the space, bytes."""
        found = psutil.disk_usage(self._path)
        space = {"used": found.used, "free": found.free, "reserved": found.total - found.used - found.free}
        for state, size in space.items():
            self._usage[state].add(size - self._told[state])
            self._told[state] = size
        self._utilization.set(found.used / found.total if found.total else 0.0)


def watch_host(
    instruments: Instruments, disks: Sequence[str], mine: Callable[[], bool] = lambda: True
) -> Callable[[], None]:
    """Tell the uptime, and the space of the file systems of these paths, at each collection; returns what ends it.

    Args:
        instruments: records it.
        disks: mount points. One that does not answer, as a network's may, holds up the collection: name local ones.
        mine: whether this process tells of its host.
    """
    uptime = instruments.gauge("system.uptime", {})
    watched = [_Disk(instruments, path) for path in disks]
    on = True

    def tell() -> None:
        if not on or not mine():
            return
        uptime.set(time.time() - psutil.boot_time())
        for disk in watched:
            try:
                disk.tell()
            except OSError as error:  # unmounted, or never there
                report("runtime.disk", error)

    def undo() -> None:
        nonlocal on
        on = False

    instruments.before_collection(tell)
    return undo
