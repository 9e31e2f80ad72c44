"""A process that leaks a thousand objects a second, and writes a memory snapshot before and after.

Arguments: the directory of the snapshots.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
import time
import tracemalloc

from ticktrace import setup_telemetry

faulthandler.dump_traceback_later(40, exit=True)


class Tick:
    """Leaked."""

    def __init__(self, price: float) -> None:
        self.price = price
        self.levels = [price, price + 0.5]


leaked: list[Tick] = []


def leak() -> None:
    """Ten objects every hundredth of a second."""
    while True:
        leaked.extend(Tick(1.5 * number) for number in range(10))
        time.sleep(0.01)


tracemalloc.start()
telemetry = setup_telemetry(
    "bot",
    exporters={"metrics": ["none"]},
    diagnostics={"enabled": False},
    resources={"snapshots": {"directory": sys.argv[1], "max_objects": 30_000}},
)
threading.Thread(target=leak, daemon=True).start()
telemetry.memory_snapshot().result(30)
enough = len(leaked) + 1_100
while len(leaked) < enough:
    time.sleep(0.05)
telemetry.memory_snapshot().result(30)
telemetry.shutdown()
