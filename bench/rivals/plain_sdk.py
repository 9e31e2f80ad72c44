"""The plain OpenTelemetry SDK: every span sampled into a batch processor, one periodic reader, both export to nowhere."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from bench.discard import DiscardedSpans, discarding_processor, discarding_reader
from bench.interleaved import Contestant, Threads, calling
from bench.workload import BOUNDS, CHECKED, LABELS, SPAN_ATTRIBUTES, draw

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter
    from opentelemetry.trace import Tracer

__all__ = ["by_hand", "contestants"]


# As one writes it: the numbers are new ones each time.
_EVENT = """event("trading.filter.evaluated", {
    "trading.filter.name": "volume",
    "trading.filter.result": "pass" if value >= 1.0 else "fail",
    "trading.filter.value": value,
    "trading.filter.threshold": 1.0,
    "trading.filter.comparison": ">=",
})"""


def by_hand(tracer: Tracer, meter: Meter) -> Callable[[], None]:
    """The candle pipeline as one writes it with the OTel API.

    Without what ticktrace.trading does besides: gaps, delays, freshness, near misses, rejections, late fills.
    """
    span = tracer.start_as_current_span
    processing, generation, prepare = (
        meter.create_histogram(name, "s", explicit_bucket_boundaries_advisory=BOUNDS).record
        for name in ("candle.duration", "signal.duration", "order.duration")
    )
    processed, evaluated, submitted = (
        meter.create_counter(name).add for name in ("candles", "evaluations", "orders")
    )

    def candle() -> None:
        began = perf_counter()
        with span("candle 1m", attributes=SPAN_ATTRIBUTES):
            looked = perf_counter()
            with span("signal momentum", attributes=SPAN_ATTRIBUTES) as signal:
                signal.add_event("trading.filter.evaluated", CHECKED)
                evaluated(1, LABELS)
                ordered = perf_counter()
                with span("order buy", attributes=SPAN_ATTRIBUTES):
                    pass
                prepare(perf_counter() - ordered, LABELS)
                submitted(1, LABELS)
            generation(perf_counter() - looked, LABELS)
        processing(perf_counter() - began, LABELS)
        processed(1, LABELS)

    return candle


def contestants() -> dict[str, Contestant]:
    """The SDK's way. It has no bound instruments: with labels each time is all there is."""
    threads = Threads()
    tracers = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    tracers.add_span_processor(discarding_processor(DiscardedSpans()))
    meters = MeterProvider([discarding_reader()], resource=Resource({}), shutdown_on_exit=False)
    tracer, meter = tracers.get_tracer("bench"), meters.get_meter("bench")
    histogram = meter.create_histogram("histogram", "s", explicit_bucket_boundaries_advisory=BOUNDS)
    names = {
        "add": meter.create_counter("counter").add,
        "record": histogram.record,
        "labels": LABELS,
        "draw": draw,
        "span": tracer.start_as_current_span,
        "attributes": SPAN_ATTRIBUTES,
    }
    add, record = Contestant("add(1, labels)", names), Contestant("record(draw(), labels)", names)
    return {
        "counter.bound": add,
        "counter": add,
        "histogram.bound": record,
        "histogram": record,
        "span": Contestant(
            'with span("candle", attributes=attributes): pass', names, tracers.force_flush, threads, 10_000
        ),
        "event": Contestant(_EVENT, {"event": tracer.start_span("signal").add_event, "value": 2.5}),
        "candle": calling(by_hand(tracer, meter), rest=tracers.force_flush, elsewhere=threads, most=10_000),
    }
