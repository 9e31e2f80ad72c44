"""The settings of the resource monitor and of memory snapshots."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import model_validator

from .declare import Group, group, setting
from .values import Bool, Count, Duration, FilePath, Names, Rate, Ratio, Whole, choices, wrong

__all__ = [
    "ActionSettings",
    "ActionsSettings",
    "LimitSettings",
    "PruneSettings",
    "ResourcesSettings",
    "SnapshotSettings",
]

Limit = Literal[
    "cpu_percent",
    "host_cpu_percent",
    "memory_percent",
    "memory_bytes",
    "disk_percent",
    "threads",
    "open_files",
]

_SHORTEST_INTERVAL = 0.1


class LimitSettings(Group):
    """What must not be exceeded; null for no limit."""

    cpu_percent: Rate | None = setting(90.0, "CPU time of the process, percent of one core.")
    host_cpu_percent: Rate | None = setting(None, "CPU time of the host, percent of all its cores.")
    memory_percent: Rate | None = setting(
        90.0, "Memory in use, percent of the container's limit, or of the host's memory where there is none."
    )
    memory_bytes: Whole | None = setting(None, "Physical memory of the process, bytes.")
    disk_percent: Rate | None = setting(90.0, "Space in use where `resources.disk` is, percent.")
    threads: Whole | None = setting(80, "Threads of the process, those of libraries included.")
    open_files: Whole | None = setting(800, "File descriptors of the process, sockets included.")


class ActionSettings(Group):
    """One thing to do when a limit is exceeded."""

    on: Annotated[tuple[str, ...], choices(Limit)] = setting(
        (), "The limits that it is done for. When empty: it is never done."
    )
    priority: Count = setting(50, "The lowest number is done first.")
    cool_down: Duration = setting(300.0, "It is not done again for so long.")


class ActionsSettings(Group):
    """What is done when a limit is exceeded; nothing by default. Of the same priority, the first here is done first."""

    memory_snapshot: ActionSettings = group(ActionSettings(), "Write a memory snapshot; it pauses the bot.")
    clear_caches: ActionSettings = group(ActionSettings(), "Clear the caches that were registered.")
    collect_garbage: ActionSettings = group(ActionSettings(), "Collect garbage; it pauses the bot.")
    prune_logs: ActionSettings = group(ActionSettings(), "Remove old log files.")
    rotate_logs: ActionSettings = group(ActionSettings(), "Begin new log files; it pauses who logs.")


class PruneSettings(Group):
    """Which files `prune_logs` may remove."""

    files: Names = setting(
        ("logs/*.log.*",),
        "Paths, with `*` and `?` in the last part. Journals have `diagnostics.journal.keep_…`.",
    )
    keep: Count = setting(2, "So many files of each path stay: the newest.")


class SnapshotSettings(Group):
    """Memory snapshots."""

    directory: FilePath = setting(Path("logs/memory"), "Directory of the files; it is created when needed.")
    keep: Whole = setting(20, "Most files in the directory; the oldest are removed.")
    on_signal: Bool = setting(
        default=False, description="Whether SIGUSR2 makes one, beside what the signal did before."
    )
    types: Whole = setting(
        500, "Most types in a file: the largest and the most frequent. The rest is summed up."
    )
    max_objects: Whole = setting(2_000_000, "Of more objects, only one in two, three, … is looked at.")
    max_time: Duration = setting(30.0, "After so long it ends with what it has, and says so.")


class ResourcesSettings(Group):
    """The resource monitor: what the process takes of CPU, memory, disk, threads and files, and what is done about it."""

    interval: Duration = setting(5.0, "Time between two observations; 100 ms at least.")
    history: Whole = setting(720, "Most observations that are kept, the newest: an hour.")
    disk: FilePath = setting(
        Path(), "A path on the disk that is observed; a local one, since it may hold up observing."
    )
    limits: LimitSettings = group(LimitSettings(), "Limits.")
    observations: Whole = setting(2, "A limit is exceeded when so many observations in a row are beyond it.")
    warn_at: Ratio = setting(0.9, "Health is `warning` at this share of a limit.")
    warn_before: Duration = setting(
        3600.0, "Health is `warning` when the trend reaches a limit within this time."
    )
    actions: ActionsSettings = group(ActionsSettings(), "What is done when a limit is exceeded.")
    dry_run: Bool = setting(default=False, description="Only say and record what would be done.")
    allow_pauses: Bool = setting(
        default=False,
        description="Whether actions may stop the trading thread, as collecting garbage does. When false, they say so instead.",
    )
    prune: PruneSettings = group(PruneSettings(), "What `prune_logs` may remove.")
    snapshots: SnapshotSettings = group(SnapshotSettings(), "Memory snapshots.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.interval < _SHORTEST_INTERVAL:
            raise wrong(f"interval must be 100 ms at least, not {self.interval * 1e3:g} ms")
        for name in ActionsSettings.model_fields:
            for limit in getattr(self.actions, name).on:
                if getattr(self.limits, limit) is None:
                    raise wrong(f"actions.{name}.on names {limit}, which has no limit: set limits.{limit}")
        for path in self.prune.files:
            if any(sign in str(Path(path).parent) for sign in "*?["):
                raise wrong(f'prune.files: "{path}" has a wildcard in a directory; only the last part may')
        return self
