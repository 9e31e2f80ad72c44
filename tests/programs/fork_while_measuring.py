"""A bot that forks while another thread holds every lock that measuring and collecting take."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import threading
from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View

from ticktrace.engine.deferred.meter import DeferredMeterProvider

A = {"venue": "a"}
held, done = threading.Event(), threading.Event()

reader = InMemoryMetricReader()
provider: Any = DeferredMeterProvider(
    metric_readers=[reader],
    buffer_size=100,
    views=[View(instrument_name="e", aggregation=ExponentialBucketHistogramAggregation())],
)
meter = provider.get_meter("bot")
counter, timer, other = meter.create_counter("c"), meter.create_histogram("t"), meter.create_histogram("e")
handles = [counter.bind(A).add, timer.bind(A).record, other.bind(A).record]


def read() -> dict[str, Any]:
    data: Any = reader.get_metrics_data()
    found = [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics]
    points = {m.name: m.data.data_points[0] for m in found}
    return {name: getattr(point, "count", getattr(point, "value", None)) for name, point in points.items()}


for record in handles:
    record(1)
timer.bind(A).offer_exemplar(1, 1, 1, 1)
assert read() == {"c": 1, "t": 1, "e": 1}
for record in handles:
    record(1)

registry = provider._registry
(storage,) = registry.storages.values()
matches = [match for found in storage._instrument_view_instrument_matches.values() for match in found]
aggregations = [one for match in matches for one in match._attributes_aggregation.values()]
locked = [
    provider,
    provider._measurement_consumer,
    registry,
    registry._invalid,
    storage,
    *registry._series,
    *registry._sets.values(),
    *matches,
    *aggregations,
]
registration = [one._instrument_registration_lock for one in provider._deferred_meters.values()]


def hold() -> None:
    with contextlib.ExitStack() as stack:
        for lock in (*registration, *(one._lock for one in locked)):
            stack.enter_context(lock)
        registry._feeding.inside.enter()
        held.set()
        done.wait(30)


threading.Thread(target=hold, daemon=True).start()
assert held.wait(10)
child = os.fork()
if child == 0:
    faulthandler.dump_traceback_later(20, exit=True)
    for record in handles:
        for _ in range(1000):
            record(1)
        record(-1)
    timer.bind(A).offer_exemplar(1, 2, 2, 2)
    timer.record(1, {"venue": "new"})
    provider.get_meter("bot").create_counter("new").add(1)
    for _ in provider.steps():
        pass
    assert read() == {"c": 1002, "t": 1002, "e": 1002, "new": 1}, read()
    assert provider.rejected == 3
    provider.shutdown()
    os._exit(0)
code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
done.set()
sys.exit(code)
