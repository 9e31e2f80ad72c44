"""A bot that forks generation after generation; each says which of its threads do OpenTelemetry's batches."""

from __future__ import annotations

import os
import sys
import threading
import time

from ticktrace import setup_telemetry

telemetry = setup_telemetry("forking-bot")


def batching() -> int:
    return sum(thread.name.startswith("OtelBatch") for thread in threading.enumerate())


def generation(number: int) -> None:
    deadline = time.monotonic() + 15
    while batching() > int(sys.argv[1]) and time.monotonic() < deadline:
        time.sleep(0.05)
    print(number, batching(), flush=True)
    if number < 3:
        child = os.fork()
        if child == 0:
            generation(number + 1)
            os._exit(0 if telemetry.shutdown(10) else 1)
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            os._exit(1)


generation(1)
