"""Exporters that say why they failed, once, to whoever asks, instead of logging each attempt.

The upstream OTLP exporters return a bare FAILURE and log the reason, a line for each retry. Here the log records of an
export of ours become its reason, and do not reach the log; exports of other people's exporters log as ever.
"""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult, MetricsData
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

__all__ = ["ExplainedLogExporter", "ExplainedMetricExporter", "ExplainedSpanExporter", "Explanation"]


_SHORTEST_SECRET = 4  # masking a header's "1" would garble every address


class _Listening(threading.local):
    explanation: Explanation | None = None


_listening = _Listening()


class _Listener(logging.Filter):
    """Takes the records of the current thread's export out of the log; passes all others."""

    def filter(self, record: logging.LogRecord) -> bool:
        explanation = _listening.explanation
        if explanation is None:
            return True
        explanation.heard(record)
        return False


_listener = _Listener()


class Explanation:
    """Why an exporter's last export failed.

    Args:
        loggers: those on which the exporter reports.
        secrets: texts to be masked in the reason.

    Attributes:
        last_error: one line; empty when the last export succeeded.
    """

    def __init__(self, loggers: Iterable[logging.Logger], secrets: Sequence[str]) -> None:
        self.last_error: str = ""
        self._secrets = [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET]
        self._reasons: list[str] = []
        for logger in loggers:
            if _listener not in logger.filters:
                # First of all: upstream's own filter drops repetitions, but a repeated failure has a reason, too.
                logger.filters.insert(0, _listener)

    def heard(self, record: logging.LogRecord) -> None:
        """Take what the exporter logged; of several records the first with the most detail counts."""
        try:
            reason = record.getMessage()
        except (TypeError, ValueError):
            reason = str(record.msg)
        if record.exc_info and record.exc_info[1] is not None:
            reason = f"{reason}: {record.exc_info[1]}"
        self._reasons.append(reason)

    @contextmanager
    def listen(self) -> Iterator[None]:
        """Within the block, the exporter's log records of this thread are reasons."""
        self._reasons = []
        _listening.explanation = self
        try:
            yield
        finally:
            _listening.explanation = None

    def settle(self, succeeded: bool) -> None:
        """The export has ended."""
        self.last_error = "" if succeeded else self._reason()

    def _reason(self) -> str:
        if not self._reasons:
            return "the exporter reported failure"
        # A transient error with its cause comes first, "due to timeout, max retries" last: both are wanted.
        wanted = dict.fromkeys((self._reasons[0], self._reasons[-1]))
        reason = "; ".join(" ".join(text.split()) for text in wanted)
        for secret in sorted(self._secrets, key=len, reverse=True):
            reason = reason.replace(secret, "***")
        return reason


class ExplainedSpanExporter(SpanExporter):
    """A span exporter with `last_error`; `inner` is the upstream exporter."""

    def __init__(self, inner: SpanExporter, explanation: Explanation) -> None:
        self.inner = inner
        self._explanation = explanation

    @property
    def last_error(self) -> str:
        """Why the last export failed; empty when it did not."""
        return self._explanation.last_error

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export `spans` within the exporter's timeout."""
        with self._explanation.listen():
            result = self.inner.export(spans)
        self._explanation.settle(result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """End the exporter, and over grpc also an export under way."""
        with _unheard():
            self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: nothing is buffered here."""
        return self.inner.force_flush(timeout_millis)


class ExplainedLogExporter(LogRecordExporter):
    """A log record exporter with `last_error`; `inner` is the upstream exporter."""

    def __init__(self, inner: LogRecordExporter, explanation: Explanation) -> None:
        self.inner = inner
        self._explanation = explanation

    @property
    def last_error(self) -> str:
        """Why the last export failed; empty when it did not."""
        return self._explanation.last_error

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export `batch` within the exporter's timeout."""
        with self._explanation.listen():
            result = self.inner.export(batch)
        self._explanation.settle(result is LogRecordExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        """End the exporter, and over grpc also an export under way."""
        with _unheard():
            self.inner.shutdown()  # type: ignore[no-untyped-call]  # the SDK forgot the annotation

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Return True: nothing is buffered here."""
        return self.inner.force_flush(timeout_millis)


class ExplainedMetricExporter(MetricExporter):
    """A metric exporter with `last_error`; `inner` is the upstream exporter."""

    def __init__(self, inner: MetricExporter, explanation: Explanation) -> None:
        super().__init__(
            preferred_temporality=inner._preferred_temporality,  # noqa: SLF001  the SDK's reader reads it so, too
            preferred_aggregation=inner._preferred_aggregation,  # noqa: SLF001
        )
        self.inner = inner
        self._explanation = explanation

    @property
    def last_error(self) -> str:
        """Why the last export failed; empty when it did not."""
        return self._explanation.last_error

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Export `metrics_data` within the exporter's timeout."""
        with self._explanation.listen():
            result = self.inner.export(metrics_data, timeout_millis=timeout_millis, **kwargs)
        self._explanation.settle(result is MetricExportResult.SUCCESS)
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Return True: nothing is buffered here."""
        return self.inner.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """End the exporter, and over grpc also an export under way."""
        with _unheard():
            self.inner.shutdown(timeout_millis=timeout_millis, **kwargs)


@contextmanager
def _unheard() -> Iterator[None]:
    """Within the block, the exporter's log records of this thread are nobody's business: "already shut down"."""
    _listening.explanation = Explanation((), ())
    try:
        yield
    finally:
        _listening.explanation = None
