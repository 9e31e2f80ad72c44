"""A bot that measures on both sides of a fork: with an object from before it, with a token that it had open."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ticktrace import Telemetry, measure, record_end, record_start, setup_telemetry

timer = measure("work", symbol="BTC/USDT")


def told(telemetry: Telemetry, ended: float | None) -> dict[str, Any]:
    data = telemetry.memory.metrics
    assert data is not None
    counts = {}
    for scope in data.resource_metrics[0].scope_metrics:
        for metric in scope.metrics:
            for point in metric.data.data_points:
                name = (point.attributes or {}).get("ticktrace.measure.name")
                if metric.name == "ticktrace.measure.duration":
                    counts[str(name)] = point.count  # type: ignore[union-attr]
                if metric.name == "ticktrace.dropped":
                    counts["dropped"] = point.value  # type: ignore[union-attr]
    return {"metrics": counts, "statistics": telemetry.stats("work").count, "ended": ended is not None}


telemetry = setup_telemetry("measuring-bot", exporters={"metrics": ["memory"], "traces": ["none"]})
with timer:
    token = record_start("token")
read, write = os.pipe()
child = os.fork()
if child == 0:
    for _ in range(3):
        with timer:
            pass
    os.write(write, json.dumps(told(telemetry, record_end(token))).encode())
    os._exit(0 if telemetry.shutdown(10) else 1)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
of_child = json.loads(os.read(read, 65536))
with timer:
    pass
print(json.dumps({"child": of_child, "parent": told(telemetry, record_end(token))}))
sys.exit(code or (0 if telemetry.shutdown(10) else 1))
