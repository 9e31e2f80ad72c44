"""A bot in whose process another SDK holds one of the globals: set-up fails, and nothing of it goes on."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from ticktrace import AlreadyConfiguredError, setup_telemetry

trace.set_tracer_provider(TracerProvider())
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
settings: dict[str, Any] = {
    "exporters": {"traces": ["memory"], "metrics": ["prometheus"]},
    "prometheus": {"host": "127.0.0.1", "port": port, "serve": "always"},
}
try:
    setup_telemetry("bot", **settings)
except AlreadyConfiguredError as error:
    print(error)
with contextlib.suppress(ConnectionRefusedError):
    socket.create_connection(("127.0.0.1", port), 5).close()
    raise SystemExit("the port is still served")
deadline = time.monotonic() + 10
while threading.active_count() > 1 and time.monotonic() < deadline:
    time.sleep(0.01)
print(threading.active_count(), "thread")
theirs = MeterProvider()
metrics.set_meter_provider(theirs)  # still free to be taken
print(metrics.get_meter_provider() is theirs)
with setup_telemetry("bot", set_global=False, **settings):
    socket.create_connection(("127.0.0.1", port), 5).close()
