"""A telemetry handle on the plain OpenTelemetry SDK: what `instrument_fastapi` needs, and nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from ticktrace.exporters.exposition import Exposition

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan


@dataclass
class Recorded:
    """One data point, whatever its kind."""

    attributes: dict[str, Any]
    value: float
    count: int


class Handle:
    """Fits `ticktrace.web.TelemetryHandle`; remembers what was asked of it."""

    def __init__(self, *, enabled: bool = True, page: bytes | None = b"# EOF\n", sampler: Any = None) -> None:
        self.enabled = enabled
        self.calls: list[str] = []
        self.accepts: list[str | None] = []
        self._page = page
        self._spans = InMemorySpanExporter()
        self._reader = InMemoryMetricReader()
        self.tracer_provider = TracerProvider(sampler=sampler, shutdown_on_exit=False)
        self.tracer_provider.add_span_processor(SimpleSpanProcessor(self._spans))
        self.meter_provider = MeterProvider([self._reader], shutdown_on_exit=False)

    def exposition(self, accept: str | None = None) -> Exposition | None:
        self.accepts.append(accept)
        if self._page is None:
            return None
        return Exposition(self._page, "application/openmetrics-text; version=1.0.0; charset=utf-8")

    def flush(self, timeout: float | None = None) -> bool:
        self.calls.append("flush")
        return True

    def shutdown(self, timeout: float | None = None) -> bool:
        self.calls.append("shutdown")
        return True

    @property
    def spans(self) -> tuple[ReadableSpan, ...]:
        return self._spans.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def points(self, name: str) -> list[Recorded]:
        """The data points of one instrument."""
        data = self._reader.get_metrics_data()
        if data is None:
            return []
        return [
            Recorded(
                dict(point.attributes or {}),
                getattr(point, "sum", getattr(point, "value", 0.0)),
                getattr(point, "count", 0),
            )
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def metric_names(self) -> set[str]:
        data = self._reader.get_metrics_data()
        if data is None:
            return set()
        return {m.name for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}


__all__ = ["Handle", "Recorded"]
