"""Exporters that take everything and keep nothing: what is measured ends where a network would begin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["DiscardedSpans", "discarding_processor", "discarding_reader"]


class DiscardedSpans(SpanExporter):
    """Counts spans.

    Attributes:
        count: how many there were.
    """

    def __init__(self) -> None:
        self.count: int = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Succeed."""
        self.count += len(spans)
        return SpanExportResult.SUCCESS


class _DiscardedMetrics(MetricExporter):
    def export(
        self,
        metrics_data: Any,  # noqa: ARG002  the protocol has it
        timeout_millis: float = 10_000,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> MetricExportResult:
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:  # noqa: ARG002
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """There is nothing to close."""


def discarding_processor(exporter: SpanExporter) -> BatchSpanProcessor:
    """A batch processor with room for every span of a turn: a full queue is cheaper than one that is served."""
    return BatchSpanProcessor(exporter, max_queue_size=65_536)


def discarding_reader() -> PeriodicExportingMetricReader:
    """A periodic reader that does not come round while something is measured."""
    return PeriodicExportingMetricReader(_DiscardedMetrics(), export_interval_millis=3_600_000)
