"""From light spans to the SDK's `ReadableSpan`, equal to what the SDK itself would have exported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.trace import ReadableSpan

from ticktrace.engine.deferred.span_attributes import bounded
from ticktrace.engine.deferred.span_reading import as_bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from opentelemetry.sdk.trace import Event
    from opentelemetry.trace import Link

    from ticktrace.engine.deferred.spans import LightSpan

__all__ = ["in_pieces", "materialise", "readable"]

T = TypeVar("T")

_AT_ONCE = 8  # events or links; with 128 attributes each, as many as the usual limits allow, some 100 µs


def readable(span: LightSpan) -> ReadableSpan:
    """One ended span as exporters take it. Any thread may ask; ids are drawn now if nobody asked before."""
    span.settle()
    return _readable(span, span.built_events(), span.built_links())


def in_pieces(span: LightSpan) -> Generator[None, None, ReadableSpan]:
    """`readable`, with a pause wherever it yields: a span may have more events and links than fit into one piece."""
    span.settle()
    events = yield from _built(span.raw_events, span.built_event)
    links = yield from _built(span.raw_links, span.built_link)
    return _readable(span, events, links)


def _built(raw: Sequence[Any] | None, build: Callable[[Any], T]) -> Generator[None, None, Sequence[T]]:
    if raw is None:
        return ()
    built: list[T] = []
    for noted in raw:
        built.append(build(noted))
        if not len(built) % _AT_ONCE:
            yield
    return as_bounded(raw, built)


def _readable(span: LightSpan, events: Sequence[Event], links: Sequence[Link]) -> ReadableSpan:
    tracer = span.tracer
    return ReadableSpan(
        name=span.raw_name,
        context=span.get_span_context(),
        parent=span.parent,
        resource=tracer.resource,
        attributes=bounded(span.raw_attributes, tracer.most_attributes, tracer.attribute_length),
        events=events,
        links=links,
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
