"""A tracer provider of the deferred engine, and what it has exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from ticktrace.engine.deferred.provider import DeferredTracerProvider
from ticktrace.engine.deferred.trace_buffer import TraceBuffer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.trace import Tracer

__all__ = ["Deferred"]


class Deferred:
    """A provider, its buffer and its exporter."""

    def __init__(self, buffer: dict[str, Any], provider: dict[str, Any]) -> None:
        self.exporter = InMemorySpanExporter()
        self.dropped: list[tuple[str, int]] = []
        self.buffer = TraceBuffer(
            **{"on_dropped": lambda reason, spans: self.dropped.append((reason, spans)), **buffer}
        )
        self.provider = DeferredTracerProvider(
            **{"sampler": DEFAULT_ON, "resource": Resource({}), "buffer": self.buffer, **provider}
        )
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer: Tracer = self.provider.get_tracer("tests")

    def exported(self) -> list[ReadableSpan]:
        """All spans so far, after a flush."""
        self.provider.force_flush()
        return list(self.exporter.get_finished_spans())

    def names(self) -> list[str]:
        """The names of all spans so far, after a flush."""
        return [span.name for span in self.exported()]
