"""What one observation of the process holds, and how it is read."""

from __future__ import annotations

import os
import stat
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psutil

from ticktrace.engine import report
from ticktrace.runtime.container import find_container

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.runtime.container import Container

__all__ = ["Figures", "Observer", "in_words", "open_files_of"]

_DESCRIPTORS: Final = Path("/proc/self/fd")
_CONNECTIONS_SECONDS: Final = 60.0  # each descriptor has to be asked what it is


class Figures(NamedTuple):
    """One observation; a figure that could not be read is None.

    Attributes:
        unix: when, seconds since the epoch.
        at: when, on a clock that only goes on, seconds.
        cpu_percent: CPU time of the process since the last observation, percent of one core; None in the first.
        host_cpu_percent: the host's, percent of all cores; None in the first.
        memory_percent: memory in use, percent of the container's limit, or of the host's where there is none.
        memory_bytes: physical memory of the process (RSS).
        memory_available_bytes: what is left of the container's limit, or what the host has available.
        disk_percent: space in use on the disk, percent of what its users may have.
        disk_free_bytes: what is left of it.
        threads: of the process, those of libraries included.
        open_files: its file descriptors, sockets included; handles on Windows.
        connections: its open sockets, counted once a minute.
    """

    unix: float
    at: float
    cpu_percent: float | None = None
    host_cpu_percent: float | None = None
    memory_percent: float | None = None
    memory_bytes: int | None = None
    memory_available_bytes: int | None = None
    disk_percent: float | None = None
    disk_free_bytes: int | None = None
    threads: int | None = None
    open_files: int | None = None
    connections: int | None = None


def in_words(figure: str, value: float | None) -> str:
    """A figure with its unit: ``91.3 %``, ``512.0 MB``, ``81``.

    Args:
        figure: its name in `Figures`.
        value: None is ``unknown``.
    """
    if value is None:
        return "unknown"
    if figure.endswith("_percent"):
        return f"{value:.1f} %"
    return f"{value / 1e6:,.1f} MB" if figure.endswith("_bytes") else f"{value:,.0f}"


class Observer:
    """Reads the figures; some 150 µs. One thread at a time.

    Args:
        disk: a path on the disk that is observed.
    """

    def __init__(self, disk: Path) -> None:
        self._disk = str(disk)
        self._process = psutil.Process()
        self._container: Container | None = find_container(psutil.virtual_memory().total)
        self._cpu: tuple[float, float] | None = None
        self._host: tuple[float, float] | None = None
        self._connections: int | None = None
        self._connections_at = float("-inf")

    def read(self) -> Figures:
        """All figures, now."""
        at = time.monotonic()
        found: dict[str, Any] = {}
        with self._process.oneshot():
            for read in (
                self._of_process,
                self._of_host,
                self._of_memory,
                self._of_disk,
                self._of_connections,
            ):
                self._try(read, found)
        return Figures(time.time(), at, **found)

    def now(self, figure: str) -> float | None:
        """One figure that can be read at once: None for shares of CPU time, which need a while.

        Args:
            figure: its name in `Figures`.
        """
        reader = {
            "memory_bytes": self._of_process,
            "threads": self._of_process,
            "open_files": self._of_process,
            "memory_percent": self._of_memory,
            "disk_percent": self._of_disk,
        }.get(figure)
        if reader is None:
            return None
        found: dict[str, Any] = {}
        self._try(reader, found)
        value: float | None = found.get(figure)
        return value

    def _try(self, read: Callable[[dict[str, Any]], None], found: dict[str, Any]) -> None:
        try:
            read(found)
        except Exception as error:  # noqa: BLE001  no permission, no such disk, a psutil that does not know the system
            report(f"resources.{read.__name__.removeprefix('_of_')}", error)

    def _of_process(self, found: dict[str, Any]) -> None:
        process = self._process
        found["memory_bytes"] = process.memory_info().rss
        found["threads"] = process.num_threads()
        found["open_files"] = open_files_of(process)

    def _of_host(self, found: dict[str, Any]) -> None:
        now = time.perf_counter()
        times = self._process.cpu_times()
        spent = times.user + times.system
        if self._cpu is not None and now > self._cpu[0]:
            found["cpu_percent"] = 100.0 * max(0.0, spent - self._cpu[1]) / (now - self._cpu[0])
        self._cpu = (now, spent)
        host = psutil.cpu_times()
        idle = host.idle + getattr(host, "iowait", 0.0)
        # Guests are counted within user and nice already.
        total = sum(host) - getattr(host, "guest", 0.0) - getattr(host, "guest_nice", 0.0)
        if self._host is not None and total > self._host[0]:
            share = (idle - self._host[1]) / (total - self._host[0])
            found["host_cpu_percent"] = 100.0 * min(1.0, max(0.0, 1.0 - share))
        self._host = (total, idle)

    def _of_memory(self, found: dict[str, Any]) -> None:
        room = self._container.room() if self._container is not None else None
        if room is not None and room.limit > 0:
            found["memory_percent"] = 100.0 * room.used / room.limit
            found["memory_available_bytes"] = max(0, room.limit - room.used)
        else:
            memory = psutil.virtual_memory()
            found["memory_percent"] = 100.0 * (memory.total - memory.available) / memory.total
            found["memory_available_bytes"] = memory.available

    def _of_disk(self, found: dict[str, Any]) -> None:
        usage = psutil.disk_usage(self._disk)
        found["disk_percent"] = usage.percent
        found["disk_free_bytes"] = usage.free

    def _of_connections(self, found: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - self._connections_at >= _CONNECTIONS_SECONDS:
            self._connections_at = now
            self._connections = None
            self._connections = (
                _sockets() if sys.platform == "linux" else len(self._process.net_connections())
            )
        found["connections"] = self._connections


def open_files_of(process: psutil.Process) -> int:
    """File descriptors of a process; on Windows, handles.

    Raises:
        psutil.Error: the system does not say.
    """
    if sys.platform == "win32":
        return process.num_handles()
    return process.num_fds()


def _sockets() -> int:
    """Descriptors that are sockets. psutil would read the whole host's tables of connections."""
    number = 0
    for name in os.listdir(_DESCRIPTORS):  # noqa: PTH208  names are enough, and there may be many
        try:
            number += stat.S_ISSOCK(os.fstat(int(name)).st_mode)
        except OSError:  # closed meanwhile
            continue
    return number
