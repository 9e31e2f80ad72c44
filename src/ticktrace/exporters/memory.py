"""The `memory` exporter: the newest spans and log records of this process, and its metrics as they are now."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["MemoryStore"]


class MemoryStore:
    """Holds the newest telemetry of this process; what no longer fits is dropped, oldest first, and counted.

    Args:
        max_spans: how many spans are kept.
        max_logs: how many log records are kept.

    Attributes:
        dropped_spans: spans that made room for newer ones.
        dropped_logs: log records that made room for newer ones.
        settle: called before spans are looked at, so that an engine hands on what it still holds.
    """

    def __init__(self, max_spans: int = 10_000, max_logs: int = 10_000) -> None:
        self._lock = threading.Lock()
        self._spans: deque[ReadableSpan] = deque(maxlen=max_spans)
        self._logs: deque[ReadableLogRecord] = deque(maxlen=max_logs)
        self._reader: _MemoryReader | None = None
        self.settle: Callable[[], object] = lambda: None
        self.dropped_spans: int = 0
        self.dropped_logs: int = 0

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        """The kept spans, in the order in which they ended."""
        self.settle()
        with self._lock:
            return tuple(self._spans)

    @property
    def logs(self) -> tuple[ReadableLogRecord, ...]:
        """The kept log records, in the order in which they were emitted."""
        with self._lock:
            return tuple(self._logs)

    @property
    def metrics(self) -> MetricsData | None:
        """All metrics, collected now; after shutdown, as they were then. None when there are none."""
        reader = self._reader
        return None if reader is None else reader.current()

    def clear(self) -> None:
        """Forget spans, log records and the counts of dropped ones; metrics are cumulative and stay."""
        with self._lock:
            self._spans.clear()
            self._logs.clear()
            self.dropped_spans = 0
            self.dropped_logs = 0

    def add_spans(self, spans: Sequence[ReadableSpan]) -> None:
        """Keep `spans`, dropping the oldest where there is no room."""
        with self._lock:
            self.dropped_spans += _overflow(self._spans, len(spans))
            self._spans.extend(spans)

    def add_logs(self, records: Sequence[ReadableLogRecord]) -> None:
        """Keep `records`, dropping the oldest where there is no room."""
        with self._lock:
            self.dropped_logs += _overflow(self._logs, len(records))
            self._logs.extend(records)

    def span_exporter(self) -> SpanExporter:
        """Return an exporter that fills this store."""
        return _MemorySpanExporter(self)

    def log_exporter(self) -> LogRecordExporter:
        """Return an exporter that fills this store."""
        return _MemoryLogExporter(self)

    def metric_reader(self) -> InMemoryMetricReader:
        """Return the reader that `metrics` asks from now on; it serves one MeterProvider."""
        self._reader = _MemoryReader()
        return self._reader


def _overflow(kept: deque[Any], incoming: int) -> int:
    capacity = kept.maxlen if kept.maxlen is not None else 0
    return max(0, len(kept) + incoming - capacity)


class _MemorySpanExporter(SpanExporter):
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._store.add_spans(spans)
        return SpanExportResult.SUCCESS


class _MemoryLogExporter(LogRecordExporter):
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        self._store.add_logs(batch)
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Keep what there is: it is looked at after the end, too."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002  the SDK's signature
        return True


class _MemoryReader(InMemoryMetricReader):
    def __init__(self) -> None:
        super().__init__()
        self._final: MetricsData | None = None
        self._ended = False

    def current(self) -> MetricsData | None:
        if self._ended:
            return self._final
        # Not registered yet: the SDK would log a warning about its own internals.
        return None if self._collect is None else self.get_metrics_data()

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002  the SDK's signature
        return True  # nothing is under way: metrics are collected when someone looks

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:  # noqa: ARG002  the SDK's signature
        if not self._ended:
            self._final = self.current()
            self._ended = True
