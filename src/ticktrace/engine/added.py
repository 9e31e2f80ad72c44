"""Processors that the application or a library adds to our providers: contained, and shut down with the rest.

The SDK calls a processor on the thread that starts or ends a span and lets through what it raises. Ours may be trusted;
of others nothing is known, so each stands behind a guard, which costs those without such a processor nothing. The guard
also takes secrets out of what has ended; a processor that looks at a span while it lives sees it as it is.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

from ticktrace.engine.attendant import Attendant, Request
from ticktrace.engine.barrier import attempt, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan, Span

__all__ = ["SILENT_STARTS", "Added", "OpenLoggerProvider", "OpenTracerProvider"]

# These do nothing at a span's start; calling them would only cost the trading thread.
SILENT_STARTS = (SpanProcessor.on_start, SimpleSpanProcessor.on_start, BatchSpanProcessor.on_start)


class _SilentAtStart(SpanProcessor):
    """A guard that does nothing at a span's start, so that an engine need not show it one."""

    def __init__(self, inner: SpanProcessor, scrub: Callable[[ReadableSpan], ReadableSpan] | None) -> None:
        self._inner = inner
        self._scrub = scrub

    def _on_ending(self, span: Span) -> None:
        try:
            self._inner._on_ending(span)  # noqa: SLF001  the SDK's own hook, not public yet
        except Exception as error:  # noqa: BLE001  the barrier
            report("an added span processor's _on_ending", error)

    def on_end(self, span: ReadableSpan) -> None:
        try:
            self._inner.on_end(span if self._scrub is None else self._scrub(span))
        except Exception as error:  # noqa: BLE001  the barrier
            report("an added span processor's on_end", error)

    def shutdown(self) -> None:
        attempt("an added span processor's shutdown", self._inner.shutdown)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return attempt(
            "an added span processor's force_flush", lambda: self._inner.force_flush(timeout_millis)
        )


class _GuardedSpanProcessor(_SilentAtStart):
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        try:
            self._inner.on_start(span, parent_context=parent_context)
        except Exception as error:  # noqa: BLE001  the barrier
            report("an added span processor's on_start", error)


def _guarded(
    processor: SpanProcessor, scrub: Callable[[ReadableSpan], ReadableSpan] | None
) -> _SilentAtStart:
    silent = getattr(processor.on_start, "__func__", None) in SILENT_STARTS
    return (_SilentAtStart if silent else _GuardedSpanProcessor)(processor, scrub)


class _GuardedLogProcessor(LogRecordProcessor):
    def __init__(
        self, inner: LogRecordProcessor, scrub: Callable[[ReadWriteLogRecord], ReadWriteLogRecord] | None
    ) -> None:
        self._inner = inner
        self._scrub = scrub

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        try:
            self._inner.on_emit(log_record if self._scrub is None else self._scrub(log_record))
        except Exception as error:  # noqa: BLE001  the barrier
            report("an added log record processor's on_emit", error)

    def enabled(self, **question: Any) -> bool:
        try:
            return self._inner.enabled(**question)
        except Exception as error:  # noqa: BLE001  the barrier
            report("an added log record processor's enabled", error)
            return True

    def shutdown(self) -> None:
        attempt("an added log record processor's shutdown", self._inner.shutdown)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return attempt(
            "an added log record processor's force_flush", lambda: self._inner.force_flush(timeout_millis)
        )


class Added:
    """What was added to the providers of one engine.

    Args:
        scrub_span: takes secrets out of a span before a processor is told of its end; None for leaving them.
        scrub_log: the same for log records.
    """

    def __init__(
        self,
        scrub_span: Callable[[ReadableSpan], ReadableSpan] | None = None,
        scrub_log: Callable[[ReadWriteLogRecord], ReadWriteLogRecord] | None = None,
    ) -> None:
        self.scrub_span: Callable[[ReadableSpan], ReadableSpan] | None = scrub_span
        self.scrub_log: Callable[[ReadWriteLogRecord], ReadWriteLogRecord] | None = scrub_log
        self._processors: list[tuple[SpanProcessor | LogRecordProcessor, Attendant]] = []

    def note(self, processor: SpanProcessor | LogRecordProcessor) -> None:
        """Shut this one down, too; each gets an attendant, for there may be no new thread when it is needed."""
        self._processors.append((processor, Attendant("added")))

    def shutdown(self) -> list[Request]:
        """Start shutting all of them down, side by side."""
        requests = []
        for processor, attendant in self._processors:
            requests.append(attendant.insist(partial(_end, processor)))
            attendant.dismiss()
        return requests


def _end(processor: SpanProcessor | LogRecordProcessor) -> bool:
    processor.shutdown()
    return True


class OpenTracerProvider(TracerProvider):
    """The SDK's tracer provider, with a guard before every processor that is added from outside."""

    added: Added

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor; what it raises is reported, and it is shut down when telemetry is."""
        guarded = _guarded(span_processor, self.added.scrub_span)
        self.added.note(guarded)
        super().add_span_processor(guarded)

    def add_own(self, span_processor: SpanProcessor) -> None:
        """Add a processor of the engine's, which looks after itself."""
        super().add_span_processor(span_processor)


class OpenLoggerProvider(LoggerProvider):
    """The SDK's logger provider, with a guard before every processor that is added from outside."""

    added: Added

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Add a processor; see `OpenTracerProvider.add_span_processor`."""
        guarded = _GuardedLogProcessor(log_record_processor, self.added.scrub_log)
        self.added.note(guarded)
        super().add_log_record_processor(guarded)

    def add_own(self, log_record_processor: LogRecordProcessor) -> None:
        """Add a processor of the engine's, which looks after itself."""
        super().add_log_record_processor(log_record_processor)
