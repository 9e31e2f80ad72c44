"""ddtrace: its tracer without an agent (finished spans are dropped), its StatsD client sending to a socket of ours."""

from __future__ import annotations

import os
import socket
from importlib import import_module
from time import perf_counter
from typing import Any

from bench.interleaved import Contestant, calling
from bench.workload import LABELS, SPAN_ATTRIBUTES, draw

__all__ = ["contestants"]

_QUIET = (
    "DD_CRASHTRACKING_ENABLED",
    "DD_INSTRUMENTATION_TELEMETRY_ENABLED",
    "DD_REMOTE_CONFIGURATION_ENABLED",
    "DD_TRACE_STARTUP_LOGS",
)


def _silent_tracer() -> Any:
    """The tracer of ddtrace, with a writer that drops."""
    for name in _QUIET:
        os.environ.setdefault(name, "false")
    tracer: Any = import_module("ddtrace.trace").tracer
    writer: Any = import_module("ddtrace.internal.writer.writer").TraceWriter

    class Silent(writer):  # type: ignore[misc]
        def recreate(self, *_: Any, **__: Any) -> Silent:
            return self

        def stop(self, timeout: float | None = None) -> None:
            """Nothing runs."""

        def write(self, spans: Any = None) -> None:
            """Drop them."""

        def flush_queue(self, raise_exc: bool = False) -> None:
            """Nothing waits."""

        def before_fork(self) -> None:
            """Nothing is shared."""

    tracer._span_aggregator.writer = Silent()  # noqa: SLF001  there is no public way to a tracer without agent
    return tracer


def contestants() -> dict[str, Contestant]:
    """What a bot with ddtrace does; its metrics are StatsD's, formatted and sent in the calling thread."""
    tracer = _silent_tracer()
    sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sink.bind(("127.0.0.1", 0))
    client: Any = import_module("ddtrace.vendor.dogstatsd.base").DogStatsd
    statsd = client(
        host="127.0.0.1", port=sink.getsockname()[1], disable_buffering=False, disable_telemetry=True
    )
    statsd.sink = sink  # lives as long as its client
    tags = [f"{key}:{value}" for key, value in LABELS.items()]
    trace, observe, increment = tracer.trace, statsd.histogram, statsd.increment

    def candle() -> None:
        began = perf_counter()
        with trace("candle") as outer:
            outer.set_tags(SPAN_ATTRIBUTES)
            looked = perf_counter()
            with trace("signal") as signal:
                signal.set_tags(SPAN_ATTRIBUTES)
                statsd.event("checked", "volume 2 >= 1", tags=tags)
                increment("evaluations", 1, tags)
                ordered = perf_counter()
                with trace("order") as order:
                    order.set_tags(SPAN_ATTRIBUTES)
                observe("order.duration", perf_counter() - ordered, tags)
                increment("orders", 1, tags)
            observe("signal.duration", perf_counter() - looked, tags)
        observe("candle.duration", perf_counter() - began, tags)
        increment("candles", 1, tags)

    names = {
        "increment": increment,
        "observe": observe,
        "tags": tags,
        "draw": draw,
        "trace": trace,
        "attributes": SPAN_ATTRIBUTES,
    }
    add = Contestant('increment("counter", 1, tags)', names)
    record = Contestant('observe("histogram", draw(), tags)', names)
    return {
        "counter.bound": add,
        "counter": add,
        "histogram.bound": record,
        "histogram": record,
        "span": Contestant('with trace("candle") as span: span.set_tags(attributes)', names),
        "candle": calling(candle),
    }
