"""What a memory snapshot holds: the schema of ``memory_snapshot_<date>_<time>.json``."""

from __future__ import annotations

from typing import Final

import msgspec

__all__ = [
    "KIND",
    "SCHEMA_VERSION",
    "Chain",
    "Cost",
    "MemorySnapshot",
    "Process",
    "Referrers",
    "Rest",
    "Site",
    "TypeCount",
]

SCHEMA_VERSION: Final = 1
KIND: Final = "ticktrace.memory_snapshot"


class Process(msgspec.Struct, frozen=True):
    """The process as a whole.

    Attributes:
        pid: its id.
        python: version of the interpreter.
        rss_bytes: physical memory; None where the system does not say, as below.
        vms_bytes: virtual memory.
        threads: of libraries included.
        open_files: file descriptors.
        cpu_seconds: used so far.
        uptime_seconds: since it was started.
        allocated_blocks: blocks of memory that the interpreter has handed out.
        gc_enabled: whether garbage is collected by itself.
        gc_waiting: objects of each generation since its last collection.
        gc_collections: collections of each generation so far.
        tracemalloc: whether allocations are traced.
    """

    pid: int
    python: str
    rss_bytes: int | None
    vms_bytes: int | None
    threads: int | None
    open_files: int | None
    cpu_seconds: float | None
    uptime_seconds: float | None
    allocated_blocks: int
    gc_enabled: bool
    gc_waiting: list[int]
    gc_collections: list[int]
    tracemalloc: bool


class TypeCount(msgspec.Struct, frozen=True):
    """Objects of one type.

    Attributes:
        type: module and qualified name.
        count: objects that the collector tracks; exact if `MemorySnapshot.complete` and `step` is 1.
        untracked: objects that it does not, which others refer to: an estimate.
        bytes: shallow size of both together: without what they refer to.
    """

    type: str
    count: int
    untracked: int
    bytes: int

    @property
    def total(self) -> int:
        """Tracked and untracked ones."""
        return self.count + self.untracked


class Rest(msgspec.Struct, frozen=True):
    """The types that are not listed, together."""

    types: int
    count: int
    untracked: int
    bytes: int


class Site(msgspec.Struct, frozen=True):
    """A line that allocated objects which exist: an estimate, as `TypeCount.untracked` is."""

    file: str
    line: int
    count: int
    bytes: int


class Chain(msgspec.Struct, frozen=True):
    """What keeps objects alive, from the top to the object, and how often that was found."""

    path: list[str]
    count: int


class Referrers(msgspec.Struct, frozen=True):
    """What keeps the objects of one type alive.

    Attributes:
        type: as it was asked for.
        instances: how many there are.
        looked_at: for how many of them chains were looked for.
        chains: the most frequent first.
        complete: whether there was time for all of it.
    """

    type: str
    instances: int
    looked_at: int
    chains: list[Chain]
    complete: bool


class Cost(msgspec.Struct, frozen=True):
    """What the snapshot itself took, seconds.

    Attributes:
        seconds: from its beginning to before it was written.
        cpu_seconds: of that, on a core.
        list_pause_seconds: for how long all threads stood still while the interpreter listed its objects, in one call.
        longest_slice_seconds: the longest that anything else held the GIL.
    """

    seconds: float
    cpu_seconds: float
    list_pause_seconds: float
    longest_slice_seconds: float


class MemorySnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """The objects of a process at one time.

    Attributes:
        kind: what the file is.
        schema: version of this form.
        taken: when, ISO 8601 in UTC.
        unix: the same, seconds since the epoch.
        reason: what made it: ``api``, ``signal``, or the limit.
        service: `service.name`.
        process: the process as a whole.
        tracked: objects that the collector tracks.
        walked: of those, so many were looked at, or stand for those that were.
        step: one in so many was looked at; numbers are multiplied by it.
        complete: whether there was time to walk through all of them.
        untracked: objects that the collector does not track: an estimate.
        bytes: shallow size of all of them.
        types: the largest and the most frequent.
        rest: the others.
        sites: where objects were allocated; None where `tracemalloc` was not tracing.
        referrers: what keeps the objects of a type alive, where that was asked for.
        cost: of the snapshot.
    """

    kind: str = KIND
    schema: int = SCHEMA_VERSION
    taken: str
    unix: float
    reason: str
    service: str
    process: Process
    tracked: int
    walked: int
    step: int
    complete: bool
    untracked: int
    bytes: int
    types: list[TypeCount]
    rest: Rest
    sites: list[Site] | None
    referrers: Referrers | None
    cost: Cost
