"""prometheus_client: metrics without spans. Bound is what its documentation recommends: `labels` called once."""

from __future__ import annotations

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram

from bench.interleaved import Contestant, calling
from bench.workload import BOUNDS, LABELS, draw

__all__ = ["contestants"]

_KEYS = [key.replace(".", "_") for key in LABELS]
_CANDLE_SECONDS, _SIGNAL_SECONDS, _ORDER_SECONDS = 0.002, 0.0006, 0.0003
_VALUES = tuple(LABELS.values())


def contestants() -> dict[str, Contestant]:
    """What a bot with `prometheus_client` does."""
    registry = CollectorRegistry()

    def histogram(name: str) -> Histogram:
        return Histogram(name, name, _KEYS, buckets=BOUNDS, registry=registry)

    def counter(name: str) -> Counter:
        return Counter(name, name, _KEYS, registry=registry)

    loose_histogram, loose_counter = histogram("histogram"), counter("counter")
    processing, generation, prepare = (
        histogram(name).labels(*_VALUES).observe
        for name in ("candle_duration", "signal_duration", "order_duration")
    )
    processed, evaluated, submitted = (
        counter(name).labels(*_VALUES).inc for name in ("candles", "evaluations", "orders")
    )

    def candle() -> None:
        # As if the blocks did something: `observe` looks through the buckets in order, so that what it costs depends on
        # the value, and empty blocks would all fall into the first. Ours costs the same for every value.
        began = perf_counter() - _CANDLE_SECONDS
        looked = perf_counter() - _SIGNAL_SECONDS
        evaluated()
        ordered = perf_counter() - _ORDER_SECONDS
        prepare(perf_counter() - ordered)
        submitted()
        generation(perf_counter() - looked)
        processing(perf_counter() - began)
        processed()

    names = {
        "observe": loose_histogram.labels(*_VALUES).observe,
        "increment": loose_counter.labels(*_VALUES).inc,
        "histogram": loose_histogram,
        "counter": loose_counter,
        "values": _VALUES,
        "draw": draw,
    }
    return {
        "counter.bound": Contestant("increment()", names),
        "counter": Contestant("counter.labels(*values).inc()", names),
        "histogram.bound": Contestant("observe(draw())", names),
        "histogram": Contestant("histogram.labels(*values).observe(draw())", names),
        "candle": calling(candle),
    }
