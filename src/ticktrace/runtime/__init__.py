"""The process that the bot runs in: garbage collections, the event loop, uptime and disks; its resources and its memory."""

from ticktrace.runtime._garbage import watch_garbage
from ticktrace.runtime._host import watch_host
from ticktrace.runtime._loop import watch_loop
from ticktrace.runtime.actions import ActionRecord
from ticktrace.runtime.diff import Diff, diff
from ticktrace.runtime.figures import Figures
from ticktrace.runtime.health import Health, Reason
from ticktrace.runtime.host_lock import HostLock, lock_path
from ticktrace.runtime.memory_model import MemorySnapshot
from ticktrace.runtime.monitor import ResourceMonitor
from ticktrace.runtime.signals import snapshot_on_signal
from ticktrace.runtime.snapshot import MemorySnapshots, SnapshotTaken, take_snapshot
from ticktrace.runtime.snapshot_file import load_snapshot, store_snapshot
from ticktrace.runtime.summary import Summary
from ticktrace.runtime.system import instrument_system
from ticktrace.runtime.trend import Trend

__all__ = [
    "ActionRecord",
    "Diff",
    "Figures",
    "Health",
    "HostLock",
    "MemorySnapshot",
    "MemorySnapshots",
    "Reason",
    "ResourceMonitor",
    "SnapshotTaken",
    "Summary",
    "Trend",
    "diff",
    "instrument_system",
    "load_snapshot",
    "lock_path",
    "snapshot_on_signal",
    "store_snapshot",
    "take_snapshot",
    "watch_garbage",
    "watch_host",
    "watch_loop",
]
