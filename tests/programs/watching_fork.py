"""Forked in the middle of a block of the event loop: the child is told of its own pauses, and not of its parent's loop."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import os
import sys
import threading
import time
from typing import Any

from ticktrace import Telemetry, setup_telemetry


def names(telemetry: Telemetry) -> list[str]:
    data = telemetry.memory.metrics
    return sorted(
        metric.name
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


class Lines(logging.Handler):
    """What was said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def state(telemetry: Telemetry, said: Lines) -> dict[str, Any]:
    market = telemetry.trading.market(venue="x", symbol="S", timeframe="1m")
    garbage: list[list[object]] = []
    longest = 0.0
    with market.candle():
        while longest < 0.015 and len(garbage) < 10_000_000:
            garbage += [[] for _ in range(300_000)]
            before = time.perf_counter()
            gc.collect()
            longest = time.perf_counter() - before
    deadline = time.monotonic() + 20
    while not any("garbage" in line for line in said.lines) and time.monotonic() < deadline:
        time.sleep(0.01)
    (span,) = telemetry.memory.spans
    return {
        "jitter": sorted(key for key in span.attributes or {} if key.startswith("trading.jitter")),
        "said": [line for line in said.lines if "garbage" in line][:1],
        "host": [name for name in names(telemetry) if name.startswith("system.")],
        "process": "process.memory.usage" in names(telemetry),
        "threads": sorted(
            thread.name for thread in threading.enumerate() if thread.name == "ticktrace-jitter"
        ),
    }


async def main() -> None:
    said = Lines()
    logging.getLogger("ticktrace").addHandler(said)
    telemetry = setup_telemetry(
        "watching",
        exporters={"traces": ["memory"], "metrics": ["memory"], "logs": ["none"]},
        process={"system_metrics": True, "host_lock": sys.argv[1]},
    )
    telemetry.watch_process()
    telemetry.watch_event_loop(slow=0.01)
    await asyncio.sleep(0.02)
    told_of_the_host = "system.memory.usage" in names(telemetry)
    interruptions = telemetry._recorder.interruptions
    assert interruptions is not None
    while not any(ask(time.perf_counter_ns()) for ask in interruptions.unfinished):
        time.sleep(0.005)  # noqa: ASYNC251  this is the block
    child = os.fork()
    if child:
        status = os.waitpid(child, 0)[1]  # noqa: ASYNC222  nothing else is to run
        telemetry.shutdown()
        assert told_of_the_host
        assert status == 0
    else:
        print(json.dumps(state(telemetry, said)), flush=True)
        os._exit(0)


asyncio.run(main())
