"""The `console` exporter: the SDK's own, one JSON document a line on standard output."""

from __future__ import annotations

import sys
from os import linesep
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
from opentelemetry.sdk.metrics.export import ConsoleMetricExporter, MetricsData
from opentelemetry.sdk.trace.export import ConsoleSpanExporter

if TYPE_CHECKING:
    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["DESTINATION", "console_log_exporter", "console_metric_exporter", "console_span_exporter"]

DESTINATION = "stdout"


# The SDK binds sys.stdout when its module is imported; a redirection made since then would be missed, so each
# factory passes the stream of now.
def console_span_exporter() -> ConsoleSpanExporter:
    """Return an exporter that prints each span as one line of JSON."""
    return ConsoleSpanExporter(out=sys.stdout, formatter=_span_line)


def console_metric_exporter() -> ConsoleMetricExporter:
    """Return an exporter that prints each collection of all metrics as one line of JSON."""
    return ConsoleMetricExporter(out=sys.stdout, formatter=_metrics_line)


def console_log_exporter() -> ConsoleLogRecordExporter:
    """Return an exporter that prints each log record as one line of JSON."""
    return ConsoleLogRecordExporter(out=sys.stdout, formatter=_log_line)


def _span_line(span: ReadableSpan) -> str:
    return str(span.to_json(indent=None)) + linesep


def _metrics_line(data: MetricsData) -> str:
    return str(data.to_json(indent=None)) + linesep


def _log_line(record: ReadableLogRecord) -> str:
    return str(record.to_json(indent=None)) + linesep
