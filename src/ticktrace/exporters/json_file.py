"""The `otlp_json_file` exporter: upstream's, one OTLP/JSON request a line, a file for each signal."""

from __future__ import annotations

import logging
import os
from typing import IO, TYPE_CHECKING, cast

from ticktrace.errors import MissingExtraError, SettingsError
from ticktrace.exporters._explained import (
    ExplainedLogExporter,
    ExplainedMetricExporter,
    ExplainedSpanExporter,
    Explanation,
)
from ticktrace.exporters.otlp import temporality

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

    from ticktrace.exporters._named import Signal

__all__ = ["json_log_exporter", "json_metric_exporter", "json_span_exporter", "signal_file"]

_FEATURE = "the otlp_json_file exporter"
_LOGGERS = tuple(
    f"opentelemetry.exporter.otlp.json.file.{module}"
    for module in ("_internal", "_log_exporter", "metric_exporter", "trace_exporter")
)


def signal_file(directory: Path, signal: Signal) -> Path:
    """Return the file that a signal is appended to: `traces.jsonl`, `metrics.jsonl` or `logs.jsonl`."""
    return directory / f"{signal}.jsonl"


def json_span_exporter(directory: Path) -> SpanExporter:
    """Build the exporter that appends spans to a file in `directory`, which is created when needed.

    Raises:
        MissingExtraError: the package is not installed.
        SettingsError: the file cannot be written.
    """
    try:
        from opentelemetry.exporter.otlp.json.file import FileSpanExporter  # noqa: PLC0415  optional
    except ImportError as error:
        raise MissingExtraError(_FEATURE, "otlp") from error
    return ExplainedSpanExporter(FileSpanExporter(stream=_open(directory, "traces")), _explanation())


def json_metric_exporter(directory: Path) -> MetricExporter:
    """Build the exporter that appends metrics, always cumulative; see `json_span_exporter`."""
    try:
        from opentelemetry.exporter.otlp.json.file import FileMetricExporter  # noqa: PLC0415  optional
    except ImportError as error:
        raise MissingExtraError(_FEATURE, "otlp") from error
    exporter = FileMetricExporter(
        stream=_open(directory, "metrics"), preferred_temporality=temporality("cumulative")
    )
    return ExplainedMetricExporter(exporter, _explanation())


def json_log_exporter(directory: Path) -> LogRecordExporter:
    """Build the exporter that appends log records; see `json_span_exporter`."""
    try:
        from opentelemetry.exporter.otlp.json.file._log_exporter import (  # noqa: PLC0415  optional
            FileLogExporter,
        )
    except ImportError as error:
        raise MissingExtraError(_FEATURE, "otlp") from error
    return ExplainedLogExporter(FileLogExporter(stream=_open(directory, "logs")), _explanation())


def _explanation() -> Explanation:
    """Upstream logs a stack for every batch that does not fit on a full disk; once is enough."""
    return Explanation([logging.getLogger(name) for name in _LOGGERS], ())


class _Appender:
    """A text stream that writes each line in one system call, so that lines of several processes do not mix."""

    closed = True

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        self.closed = False

    def write(self, text: str) -> int:
        data = memoryview(text.encode())
        while data:
            data = data[os.write(self._file, data) :]
        return len(text)

    def flush(self) -> None:
        """Every write has reached the kernel already."""

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self._file)

    def __del__(self) -> None:
        # Upstream leaves a stream that it was given open at shutdown.
        self.close()


def _open(directory: Path, signal: Signal) -> IO[str]:
    path = signal_file(directory, signal)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        appender = _Appender(path)
    except OSError as error:
        raise SettingsError([f"json_file.directory: cannot write {path}: {error.strerror}"]) from error
    return cast("IO[str]", appender)
