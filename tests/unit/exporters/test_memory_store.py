"""What the memory exporter keeps, and what it counts as dropped."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from ticktrace.exporters import MemoryStore

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData


def value(data: MetricsData | None) -> float:
    assert data is not None
    point = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points[0]
    return point.value  # type: ignore[union-attr]


def test_the_newest_spans_are_kept_and_the_others_counted() -> None:
    store = MemoryStore(max_spans=3)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(store.span_exporter()))
    for number in range(5):
        provider.get_tracer("test").start_span(f"candle {number}").end()
    provider.shutdown()
    assert [span.name for span in store.spans] == ["candle 2", "candle 3", "candle 4"]
    assert store.dropped_spans == 2


def test_a_batch_larger_than_the_store_counts_what_it_drops_of_itself() -> None:
    filled, small = MemoryStore(), MemoryStore(max_spans=2)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(filled.span_exporter()))
    for number in range(5):
        provider.get_tracer("test").start_span(f"candle {number}").end()
    small.span_exporter().export(filled.spans)
    assert [span.name for span in small.spans] == ["candle 3", "candle 4"]
    assert small.dropped_spans == 3


def test_log_records_are_kept_likewise_and_stay_after_shutdown() -> None:
    store = MemoryStore(max_logs=1)
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(store.log_exporter()))
    for number in range(2):
        provider.get_logger("test").emit(LogRecord(body=f"message {number}"))
    provider.shutdown()
    assert [record.log_record.body for record in store.logs] == ["message 1"]
    assert store.dropped_logs == 1


def test_metrics_are_collected_when_looked_at_and_the_last_ones_stay_after_shutdown() -> None:
    store = MemoryStore()
    assert store.metrics is None
    reader = store.metric_reader()
    assert store.metrics is None
    provider = MeterProvider([reader], shutdown_on_exit=False)
    counter = provider.get_meter("test").create_counter("hits")
    assert store.metrics is None
    counter.add(1)
    assert value(store.metrics) == 1
    counter.add(1)
    assert provider.force_flush()
    assert value(store.metrics) == 2
    provider.shutdown()
    counter.add(1)
    assert value(store.metrics) == 2
    assert value(store.metrics) == 2


def test_clear_forgets_all_but_metrics() -> None:
    store = MemoryStore(max_spans=1)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(store.span_exporter()))
    for _ in range(2):
        provider.get_tracer("test").start_span("candle").end()
    store.clear()
    assert (store.spans, store.logs, store.dropped_spans) == ((), (), 0)


def test_spans_of_many_threads_are_all_kept_or_counted() -> None:
    store = MemoryStore(max_spans=100)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(store.span_exporter()))
    tracer = provider.get_tracer("test")

    def trade() -> None:
        for _ in range(100):
            tracer.start_span("candle").end()

    threads = [threading.Thread(target=trade) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.spans) + store.dropped_spans == 400
    assert len(store.spans) == 100
