"""Memory: what a candle leaves behind for the drain, and what a series and a waiting trace hold."""

from __future__ import annotations

import contextvars
import gc
import sys
import tracemalloc
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import set_span_in_context
from prometheus_client import CollectorRegistry, Histogram

from bench.discard import DiscardedSpans, discarding_processor, discarding_reader
from bench.ours import candle_of, started
from bench.rivals import rivals
from bench.workload import BOUNDS, SPAN_ATTRIBUTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench.interleaved import Pace, Row

__all__ = ["allocations", "memory"]

# Three spans each, and a batch processor that has 512 of them begins to export.
_TRACES = 150
_SERIES = 1_000
_BUSY_SERIES = 20


@contextmanager
def _counted() -> Iterator[dict[str, float]]:
    """Without the garbage collector: bytes, blocks and containers that exist afterwards and did not before."""
    found: dict[str, float] = {}
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        containers, blocks = gc.get_count()[0], sys.getallocatedblocks()
        before, _ = tracemalloc.get_traced_memory()
        yield found
        after, _ = tracemalloc.get_traced_memory()
        found["blocks"] = sys.getallocatedblocks() - blocks
        found["containers"] = gc.get_count()[0] - containers
        found["bytes"] = after - before
    finally:
        tracemalloc.stop()
        gc.enable()


def _left_behind(function: Callable[[], object], rest: Callable[[], object] | None) -> dict[str, float]:
    """What a call leaves behind until `rest` is done; and, as `peak`, the bytes that one has in use at once."""
    for _ in range(_TRACES):  # whatever is made once is made now
        function()
    if rest is not None:
        rest()
    with _counted() as found:
        for _ in range(_TRACES):
            function()
        tracemalloc.reset_peak()
        before, _ = tracemalloc.get_traced_memory()
        function()
        _, peak = tracemalloc.get_traced_memory()
    if rest is not None:
        rest()
    return {key: value / (_TRACES + 1) for key, value in found.items()} | {"peak": float(peak - before)}


def allocations(_: Pace) -> Iterator[Row]:
    """What a dropped candle leaves behind on the trading thread until the drain has it; counted, not timed."""
    with started(keep="nothing") as ours:
        mine = _left_behind(candle_of(ours.telemetry), ours.settle)
    theirs = {
        name: _left_behind(contestant.names["function"], contestant.rest)
        for name, contestant in rivals("candle").items()
    }
    for what, unit in (("blocks", "blocks"), ("bytes", "B"), ("containers", "objects"), ("peak", "B")):
        # Who aggregates at once and has no spans leaves nothing behind: there is no ratio to it.
        others = {
            name: found[what] for name, found in theirs.items() if what == "peak" or found["blocks"] >= 1
        }
        yield _row(f"candle.allocations.{what}", mine[what], others, unit)


def _row(name: str, ours: float, theirs: Mapping[str, float], unit: str) -> Row:
    ratio = {key: ours / value for key, value in theirs.items() if value > 0}
    return {"name": name, "ours_ns": ours, "unit": unit, "ratio": ratio}


def memory(_: Pace) -> Iterator[Row]:
    """Bytes of a series, of the buffer of a busy one, and of a trace that waits for its verdict."""
    with started(keep="nothing") as ours:
        meter = ours.telemetry.meter_provider.get_meter("bench")
        histogram: Any = meter.create_histogram("series", "s", explicit_bucket_boundaries_advisory=BOUNDS)

        def bind(number: int) -> Any:
            return histogram.bind({"symbol": f"S{number}", "strategy": "momentum", "venue": "binance"})

        def settled(number: int) -> object:
            handle = bind(number)
            handle.record(0.001)
            return handle

        mine = _bytes_each(settled, _SERIES, ours.settle)
        theirs = {"sdk": _sdk_series(), "prometheus_client": _prometheus_series()}
        yield _row("memory.series", mine, theirs, "B")

        busy = [bind(number) for number in range(_BUSY_SERIES)]

        def fill(number: int) -> None:
            for value in range(4_000):
                busy[number].record(value * 1e-6)

        row = _row("memory.buffer", _bytes_each(fill, _BUSY_SERIES), {}, "B")
        row["note"] = "at most, while a series has 4,000 values that wait; the drain frees them"
        yield row
        ours.settle()
    with started(keep="nothing") as ours:
        mine = _bytes_each(_open_stages(ours.telemetry), _TRACES)
        yield _row("memory.trace", mine, {"sdk": _sdk_trace()}, "B")


def _bytes_each(
    make: Callable[[int], object], count: int, settle: Callable[[], object] = lambda: None
) -> float:
    make(0)
    settle()
    with _counted() as found:
        made = [make(number) for number in range(1, count)]
        settle()
    del made
    return found["bytes"] / (count - 1)


def _sdk_series() -> float:
    meters = MeterProvider([discarding_reader()], resource=Resource({}), shutdown_on_exit=False)
    histogram = meters.get_meter("bench").create_histogram(
        "series", "s", explicit_bucket_boundaries_advisory=BOUNDS
    )

    def record(number: int) -> None:
        histogram.record(0.001, {"symbol": f"S{number}", "strategy": "momentum", "venue": "binance"})

    try:
        return _bytes_each(record, _SERIES)
    finally:
        meters.shutdown()


def _prometheus_series() -> float:
    keys = ["symbol", "strategy", "venue"]
    histogram = Histogram("series", "series", keys, buckets=BOUNDS, registry=CollectorRegistry())
    return _bytes_each(
        lambda number: histogram.labels(f"S{number}", "momentum", "binance").observe(0.001), _SERIES
    )


def _open_stages(telemetry: Any) -> Callable[[int], object]:
    """Candles with a signal and an order inside, whose own block is still open."""
    market = telemetry.trading.market(venue="binance", symbol="BTC/USDT", timeframe="1m")

    def inside(number: int) -> object:
        bar = market.candle(close_time=1_700_000_040 + 60 * number).__enter__()
        with bar.signal("momentum") as signal:
            signal.check("volume", value=2, threshold=1)
            with signal.order(side="buy", quantity=1):
                pass
        return bar

    return lambda number: _in_a_context(inside, number)


def _sdk_trace() -> float:
    tracers = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    tracers.add_span_processor(discarding_processor(DiscardedSpans()))
    tracer = tracers.get_tracer("bench")
    span = tracer.start_as_current_span

    def inside(_: int) -> object:
        root = tracer.start_span("candle 1m", attributes=SPAN_ATTRIBUTES)
        otel_context.attach(set_span_in_context(root))
        with (
            span("signal momentum", attributes=SPAN_ATTRIBUTES),
            span("order buy", attributes=SPAN_ATTRIBUTES),
        ):
            pass
        return root

    try:
        return _bytes_each(lambda number: _in_a_context(inside, number), _TRACES)
    finally:
        tracers.shutdown()


def _in_a_context(make: Callable[[int], object], number: int) -> object:
    """Call it in a context of its own, as in a task, so that what it leaves open is not the parent of the next."""
    context = contextvars.Context()
    return context, context.run(make, number)
