"""logfire, which sends nowhere: the same discarding processor and reader as the SDK that it is built on."""

from __future__ import annotations

from importlib import import_module
from time import perf_counter
from typing import Any

from bench.discard import DiscardedSpans, discarding_processor, discarding_reader
from bench.interleaved import Contestant, Threads, calling
from bench.workload import CHECKED, LABELS, SPAN_ATTRIBUTES, draw

__all__ = ["contestants"]


def contestants() -> dict[str, Contestant]:
    """What a bot with logfire does. Its histograms have exponential buckets, as it chooses them."""
    threads = Threads()
    logfire: Any = import_module("logfire")
    instance = logfire.configure(
        local=True,  # leave OTel's globals alone
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        additional_span_processors=[discarding_processor(DiscardedSpans())],
        metrics=logfire.MetricsOptions(additional_readers=[discarding_reader()]),
    )
    span = instance.span
    processing, generation, prepare = (
        instance.metric_histogram(name, unit="s").record
        for name in ("candle.duration", "signal.duration", "order.duration")
    )
    processed, evaluated, submitted = (
        instance.metric_counter(name).add for name in ("candles", "evaluations", "orders")
    )

    def candle() -> None:
        began = perf_counter()
        with span("candle 1m", **SPAN_ATTRIBUTES):
            looked = perf_counter()
            with span("signal momentum", **SPAN_ATTRIBUTES):
                instance.info("checked", **CHECKED)
                evaluated(1, LABELS)
                ordered = perf_counter()
                with span("order buy", **SPAN_ATTRIBUTES):
                    pass
                prepare(perf_counter() - ordered, LABELS)
                submitted(1, LABELS)
            generation(perf_counter() - looked, LABELS)
        processing(perf_counter() - began, LABELS)
        processed(1, LABELS)

    names = {
        "add": instance.metric_counter("counter").add,
        "record": instance.metric_histogram("histogram", unit="s").record,
        "labels": LABELS,
        "draw": draw,
        "span": span,
        "attributes": SPAN_ATTRIBUTES,
    }
    add, record = Contestant("add(1, labels)", names), Contestant("record(draw(), labels)", names)
    return {
        "counter.bound": add,
        "counter": add,
        "histogram.bound": record,
        "histogram": record,
        "span": Contestant(
            'with span("candle", **attributes): pass', names, instance.force_flush, threads, 10_000
        ),
        "candle": calling(candle, rest=instance.force_flush, elsewhere=threads, most=10_000),
    }
