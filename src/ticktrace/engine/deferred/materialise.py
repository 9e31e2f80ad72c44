"""From light spans to the SDK's `ReadableSpan`, equal to what the SDK itself would have exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan

from ticktrace.engine.deferred.span_attributes import bounded

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ticktrace.engine.deferred.spans import LightSpan

__all__ = ["materialise", "readable"]


def readable(span: LightSpan) -> ReadableSpan:
    """One ended span as exporters take it. Any thread may ask; ids are drawn now if nobody asked before."""
    span.settle()
    tracer = span.tracer
    return ReadableSpan(
        name=span.raw_name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=tracer.resource,
        attributes=bounded(span.raw_attributes, tracer.most_attributes, tracer.attribute_length),
        events=span.built_events(),
        links=span.built_links(),
        kind=span.kind,
        instrumentation_info=tracer.instrumentation_info,
        status=span.raw_status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=tracer.scope,
    )


def materialise(spans: Iterable[LightSpan]) -> list[ReadableSpan]:
    """Several ended spans, in the order given; see `readable`."""
    return [readable(span) for span in spans]
