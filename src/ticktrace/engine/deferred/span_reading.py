"""What can be read from a light span while it lives: the properties that the SDK's spans have.

Processors that hook into a span's start, and instrumentations that look at the current span, expect them.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk.trace import Event
from opentelemetry.sdk.util import BoundedList
from opentelemetry.trace import Link, Span, SpanContext, Status, StatusCode

from ticktrace.engine.deferred.span_attributes import bounded
from ticktrace.engine.deferred.span_exceptions import write_stack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from ticktrace.engine.deferred.span_attributes import Owned
    from ticktrace.engine.deferred.tracer import DeferredTracer

__all__ = ["UNSET", "ReadableLight", "as_bounded"]

T = TypeVar("T")

UNSET: Status = Status(StatusCode.UNSET)


class ReadableLight(Span):
    """Reads what a `LightSpan` noted, in the words of the SDK's `ReadableSpan`."""

    __slots__ = ()

    tracer: DeferredTracer
    raw_name: str
    raw_parent: Any
    raw_attributes: Owned
    raw_events: Any
    raw_links: Any
    raw_status: Status

    def settle(self) -> None:
        """Complete what was left for later."""

    @property
    def name(self) -> str:
        """Its name."""
        self.settle()
        return self.raw_name

    @property
    def context(self) -> SpanContext:
        """Its ids."""
        return self.get_span_context()

    @property
    def parent(self) -> SpanContext | None:
        """The ids of its parent, None at the root of a trace."""
        parent = self.raw_parent
        return parent.get_span_context() if isinstance(parent, Span) else parent

    @property
    def status(self) -> Status:
        """Its status so far."""
        self.settle()
        return self.raw_status

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its attributes so far, a copy."""
        self.settle()
        return MappingProxyType(dict(self.raw_attributes))

    @property
    def events(self) -> Sequence[Event]:
        """Its events so far."""
        return tuple(self.built_events())

    @property
    def links(self) -> Sequence[Link]:
        """Its links so far."""
        return tuple(self.built_links())

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the limits have cost."""
        return getattr(self.raw_attributes, "dropped", 0)

    @property
    def dropped_events(self) -> int:
        """How many events the limits have cost."""
        return getattr(self.raw_events, "dropped", 0)

    @property
    def dropped_links(self) -> int:
        """How many links the limits have cost."""
        return getattr(self.raw_links, "dropped", 0)

    @property
    def resource(self) -> Resource:
        """What produces it."""
        return self.tracer.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """Which library made it."""
        return self.tracer.scope

    def built_events(self) -> Sequence[Event]:
        """Its events as the SDK's objects, in a container that knows how many were dropped."""
        self.settle()
        raw = self.raw_events
        if raw is None:
            return ()
        return as_bounded(raw, [self.built_event(noted) for noted in raw])

    def built_event(self, noted: tuple[str, Owned, int]) -> Event:
        """One of its events as the SDK's object."""
        name, kept, at = noted
        if name == "exception" and isinstance(kept, dict):
            kept = dict(kept)  # the note itself stays as it is
            write_stack(kept)
        tracer = self.tracer
        return Event(name, bounded(kept, tracer.most_event_attributes, tracer.value_length), at)

    def built_links(self) -> Sequence[Link]:
        """Its links as the API's objects, in a container that knows how many were dropped."""
        self.settle()
        raw = self.raw_links
        if raw is None:
            return ()
        return as_bounded(raw, [self.built_link(tie) for tie in raw])

    def built_link(self, tie: Link | tuple[Span, Owned]) -> Link:
        """One of its links as the API's object."""
        if not isinstance(tie, tuple):
            return tie
        span, kept = tie
        tracer = self.tracer
        return Link(span.get_span_context(), bounded(kept, tracer.most_link_attributes, tracer.value_length))


def as_bounded(raw: Any, built: Sequence[T]) -> Sequence[T]:
    """What was built of `raw`, with the number of those that were dropped from it."""
    if not isinstance(raw, BoundedList):
        return tuple(built)
    counted: BoundedList[T] = BoundedList.from_seq(None, built)
    counted.dropped = raw.dropped
    return counted
