"""Taking a memory snapshot: off the trading thread, in slices, within a time limit.

One thing cannot be done in slices: `gc.get_objects` lists all objects in one call, which holds the GIL for 5 to 60 ms with
700,000 objects, as fast as the machine reaches its memory. Each snapshot says how long that was.
"""

from __future__ import annotations

import gc
import logging
import os
import platform
import sys
import threading
import time
import tracemalloc
import weakref
from concurrent.futures import Future
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import psutil

from ticktrace.engine import report, text_of
from ticktrace.engine.attendant import Attendant
from ticktrace.runtime.census import Census
from ticktrace.runtime.figures import open_files_of
from ticktrace.runtime.memory_model import Cost, MemorySnapshot, Process
from ticktrace.runtime.pace import Pace
from ticktrace.runtime.referrers import referrers_of
from ticktrace.runtime.snapshot_file import store_snapshot
from ticktrace.runtime.tables import rows_of, sites_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ticktrace.settings import SnapshotSettings

__all__ = ["MemorySnapshots", "SnapshotTaken", "listing_pauses", "take_snapshot"]

_log = logging.getLogger("ticktrace")

_LISTED_AT: Final = 2e-8  # seconds a block of memory; 5 to 60 ms were measured on heaps of 2.5 million
_NOTICEABLE_SECONDS: Final = 0.0005
_MOST_WAITING: Final = 4
_REST_SECONDS: Final = 0.001


class SnapshotTaken(NamedTuple):
    """What became of a snapshot.

    Attributes:
        snapshot: what it found; None where none was taken.
        path: its file; None where it was not written.
        error: why not; None where all went well.
    """

    snapshot: MemorySnapshot | None
    path: Path | None
    error: str | None


def listing_pauses() -> float:
    """For how long a snapshot stops all threads, about, seconds; 0 when not to speak of."""
    seconds = sys.getallocatedblocks() * _LISTED_AT
    return seconds if seconds >= _NOTICEABLE_SECONDS else 0.0


def take_snapshot(
    settings: SnapshotSettings,
    service: str,
    reason: str,
    *,
    referrers: str | None = None,
    stopped: Callable[[], bool] = bool,
    scrub: Callable[[str], str] = str,
) -> MemorySnapshot:
    """Look at all objects, on the calling thread, which rests between slices; no trading thread should do it.

    Args:
        settings: how many types, objects and seconds.
        service: `service.name`.
        reason: what made it.
        referrers: a type whose referrers are looked for, with its module or without.
        stopped: asked between slices; True ends it with what there is.
        scrub: takes secrets out of names.
    """
    unix, began, spent = time.time(), time.perf_counter(), time.thread_time()
    process = _process()
    listing = time.perf_counter()
    objects = gc.get_objects()
    _make_old()
    listed = time.perf_counter() - listing
    time.sleep(_REST_SECONDS)
    pace = Pace(settings.max_time, stopped)
    tracked = len(objects)
    step = -(-tracked // settings.max_objects) if tracked else 1
    census = Census(tracked)
    try:
        census.walk(objects, step, pace, keep=referrers is not None)
        complete = not pace.ended
        found = None if referrers is None else referrers_of(objects, referrers, pace, scrub)
    finally:
        pace.release(objects)
    types, rest = rows_of(census, settings.types, pace)
    return MemorySnapshot(
        taken=datetime.fromtimestamp(unix, UTC).isoformat(timespec="milliseconds"),
        unix=unix,
        reason=reason,
        service=service,
        process=process,
        tracked=tracked,
        walked=min(census.walked, tracked),
        step=step,
        complete=complete,
        untracked=rest.untracked + sum(row.untracked for row in types),
        bytes=rest.bytes + sum(row.bytes for row in types),
        types=types,
        rest=rest,
        sites=None if census.sites is None else sites_of(census.sites),
        referrers=found,
        cost=Cost(
            seconds=time.perf_counter() - began,
            cpu_seconds=time.thread_time() - spent,
            list_pause_seconds=listed,
            longest_slice_seconds=pace.longest,
        ),
    )


def _make_old() -> None:
    """Have the collector take the list for an old object.

    It goes through young ones every few hundred allocations; through this one, that would take longer than listing did.
    All else that is young gets old, too, some thousand objects, which only means that they are looked at less often. Where
    the application has frozen objects itself, they must stay frozen, and a collection may take those milliseconds.
    """
    if gc.get_freeze_count() == 0:
        gc.freeze()
        gc.unfreeze()


def _process() -> Process:
    rss = vms = threads = files = cpu = uptime = None
    try:
        process = psutil.Process()
        memory, times = process.memory_info(), process.cpu_times()
        rss, vms, cpu = memory.rss, memory.vms, times.user + times.system
        threads = process.num_threads()
        uptime = max(0.0, time.time() - process.create_time())
        files = open_files_of(process)
    except (psutil.Error, OSError) as error:
        report("memory.process", error)
    return Process(
        pid=os.getpid(),
        python=platform.python_version(),
        rss_bytes=rss,
        vms_bytes=vms,
        threads=threads,
        open_files=files,
        cpu_seconds=cpu,
        uptime_seconds=uptime,
        allocated_blocks=sys.getallocatedblocks(),
        gc_enabled=gc.isenabled(),
        gc_waiting=list(gc.get_count()),
        gc_collections=[generation["collections"] for generation in gc.get_stats()],
        tracemalloc=tracemalloc.is_tracing(),
    )


class MemorySnapshots:
    """Takes snapshots on a thread of its own, which begins with the first one.

    Args:
        settings: of snapshots.
        service: `service.name`.
        scrub: takes secrets out of names.
    """

    def __init__(
        self, settings: SnapshotSettings, service: str, *, scrub: Callable[[str], str] = str
    ) -> None:
        self._settings = settings
        self._service = service
        self._scrub = scrub
        self._closed = False
        self.start_afresh()
        _all.add(self)

    def start_afresh(self) -> None:
        """In a forked child, where the thread does not exist: the next request starts another."""
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()
        self._attendant: Attendant | None = None
        self._waiting = 0

    def prepare(self) -> None:
        """Start the thread now, so that a signal handler need not."""
        with self._lock:
            if self._attendant is None:
                self._attendant = Attendant("memory")

    def request(self, reason: str, *, referrers: str | None = None) -> Future[SnapshotTaken]:
        """Have one taken. Nobody waits, except who asks the future for its result; it has one, whatever happens.

        Args:
            reason: for the file.
            referrers: a type whose referrers are looked for.
        """
        self.prepare()
        return self.request_prepared(reason, referrers=referrers)

    def request_prepared(self, reason: str, *, referrers: str | None = None) -> Future[SnapshotTaken]:
        """The same after `prepare`: takes no lock, so that a signal handler may."""
        future: Future[SnapshotTaken] = Future()
        attendant = self._attendant
        if self._closed or attendant is None or self._waiting >= _MOST_WAITING:
            why = "telemetry has ended" if self._closed else f"{_MOST_WAITING} snapshots wait already"
            future.set_result(SnapshotTaken(None, None, why))
            return future
        self._waiting += 1  # a count that two threads may get wrong by one is good enough for a bound

        def take() -> bool:
            taken = self.take(reason, referrers=referrers)
            self._waiting = max(0, self._waiting - 1)
            future.set_result(taken)
            return taken.error is None

        attendant.insist(take)
        return future

    def take(self, reason: str, *, referrers: str | None = None) -> SnapshotTaken:
        """Take one on this thread and write it; what goes wrong is said and returned, never raised."""
        snapshot: MemorySnapshot | None = None
        try:
            with self._one_at_a_time:
                if self._closed:
                    return SnapshotTaken(None, None, "telemetry has ended")
                snapshot = take_snapshot(
                    self._settings,
                    self._service,
                    reason,
                    referrers=referrers,
                    stopped=lambda: self._closed,
                    scrub=self._scrub,
                )
                path = store_snapshot(snapshot, self._settings.directory, self._settings.keep)
        except OSError as error:
            why = f"cannot be written to {self._settings.directory}: {error.strerror or error}"
            _log.warning("ticktrace: a memory snapshot %s", why)
            return SnapshotTaken(snapshot, None, why)
        except Exception as error:  # noqa: BLE001  the barrier
            report("memory.snapshot", error)
            return SnapshotTaken(snapshot, None, f"{type(error).__name__}: {text_of(error)}")
        _log.info(
            "ticktrace: memory snapshot %s of %d objects (%s); it stopped all threads for %.1f ms",
            path,
            snapshot.tracked,
            reason,
            1e3 * snapshot.cost.list_pause_seconds,
        )
        return SnapshotTaken(snapshot, path, None)

    def close(self) -> None:
        """End what is being taken, with what there is, and take no more. Does not wait."""
        self._closed = True
        if self._attendant is not None:
            self._attendant.dismiss()


_all: weakref.WeakSet[MemorySnapshots] = weakref.WeakSet()


def _start_afresh_in_child() -> None:
    for snapshots in list(_all):
        snapshots.start_afresh()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_start_afresh_in_child)
