"""A process that forks while it is observed: the child observes itself, with a history of its own.

Arguments: the engine, a directory for snapshots.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import time
from typing import TYPE_CHECKING

from ticktrace import setup_telemetry

if TYPE_CHECKING:
    from ticktrace.runtime import ResourceMonitor

faulthandler.dump_traceback_later(40, exit=True)

telemetry = setup_telemetry(
    "bot",
    engine=sys.argv[1],
    exporters={"metrics": ["none"]},
    diagnostics={"enabled": False},
    resources={
        "interval": 0.1,
        "observations": 1,
        "limits": {"memory_bytes": 1},
        "snapshots": {"directory": sys.argv[2]},
    },
)
done: list[int] = []
monitor = telemetry.watch_resources()
monitor.add_action("note", lambda: done.append(os.getpid()), on=["memory_bytes"])


def wait(observed: ResourceMonitor) -> None:
    end = time.monotonic() + 20
    while not observed.records and time.monotonic() < end:
        time.sleep(0.01)


wait(monitor)
telemetry.memory_snapshot().result(20)
forked = time.time()
child = os.fork()
if child == 0:
    wait(monitor)
    taken = telemetry.memory_snapshot().result(20)
    good = (
        monitor.running
        and monitor.history[0].unix >= forked
        and done[-1] == os.getpid()
        and len(monitor.records) == 1
        and taken.snapshot is not None
        and taken.snapshot.process.pid == os.getpid()
    )
    telemetry.shutdown()
    print("child", "ok" if good and not monitor.running else "failed", flush=True)
    os._exit(0)
os.waitpid(child, 0)
count = len(monitor.history)
time.sleep(0.3)
print("parent", "ok" if len(monitor.history) > count and done == [os.getpid()] else "failed")
telemetry.shutdown()
