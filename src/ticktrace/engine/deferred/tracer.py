"""The tracer of the deferred engine: who is sampled, who is whose parent, and a block's current span."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, StaticSampler
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
)

from ticktrace.engine.barrier import report
from ticktrace.engine.current import SPAN_KEY, get_current
from ticktrace.engine.deferred.current_span import CurrentSpan, Options, block
from ticktrace.engine.deferred.span_attributes import owned
from ticktrace.engine.deferred.spans import LightSpan
from ticktrace.engine.deferred.trace_buffer import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Tracer as SdkTracer
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link, TraceState
    from opentelemetry.util.types import Attributes

    from ticktrace.engine.deferred.provider import DeferredTracerProvider

__all__ = ["DeferredTracer", "children_follow", "roots_are_sampled"]


_new = object.__new__


def _is(sampler: object, decision: Decision) -> bool:
    return type(sampler) is StaticSampler and sampler._decision is decision  # noqa: SLF001  the SDK tells nowhere else


def children_follow(sampler: Sampler) -> bool:
    """Whether a local child gets its parent's decision without being asked: ParentBased as it usually is, always_on."""
    if isinstance(sampler, ParentBased) and type(sampler).should_sample is ParentBased.should_sample:
        return _is(sampler._local_parent_sampled, Decision.RECORD_AND_SAMPLE) and _is(  # noqa: SLF001
            sampler._local_parent_not_sampled,  # noqa: SLF001
            Decision.DROP,
        )
    return _is(sampler, Decision.RECORD_AND_SAMPLE)


def roots_are_sampled(sampler: Sampler) -> bool:
    """Whether every span without a parent is sampled, as it is: always_on, parentbased_always_on."""
    if isinstance(sampler, ParentBased) and type(sampler).should_sample is ParentBased.should_sample:
        sampler = sampler._root  # noqa: SLF001
    return _is(sampler, Decision.RECORD_AND_SAMPLE)


class DeferredTracer(Tracer):
    """Makes `LightSpan`s; see `opentelemetry.trace.Tracer`.

    Args:
        provider: gives sampler, ids, limits and the buffer.
        sdk: the SDK's tracer of the same scope, which knows resource, scope and whether it is enabled.
    """

    def __init__(self, provider: DeferredTracerProvider, sdk: SdkTracer) -> None:
        limits = provider.limits
        self.provider: DeferredTracerProvider = provider
        self.ids: Any = provider.id_generator
        self.scope: InstrumentationScope = sdk._instrumentation_scope  # noqa: SLF001
        self.most_attributes: int | None = limits.max_span_attributes
        self.attribute_room: int = sys.maxsize if self.most_attributes is None else self.most_attributes
        self.attribute_length: int | None = limits.max_span_attribute_length
        self.value_length: int | None = limits.max_attribute_length
        self.most_event_attributes: int | None = limits.max_event_attributes
        self.most_link_attributes: int | None = limits.max_link_attributes
        self.most_events: int = sys.maxsize if limits.max_events is None else limits.max_events
        self.most_links: int = sys.maxsize if limits.max_links is None else limits.max_links
        self._sdk = sdk
        self._buffer = provider.buffer
        self._follow = provider.children_follow
        self._sampled_roots = provider.sampled_roots
        self._unsampled_too = provider.record_unsampled

    @property
    def resource(self) -> Resource:
        """What produces the spans."""
        return self._sdk.resource

    @property
    def instrumentation_info(self) -> Any:
        """The scope as the SDK's deprecated `InstrumentationInfo`."""
        return self._sdk.instrumentation_info

    @property
    def sampler(self) -> Sampler:
        """The head sampler."""
        return self.provider.sampler

    @property
    def id_generator(self) -> Any:
        """What draws ids; as the SDK's tracer names it."""
        return self.ids

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0917  a context manager of ours; OTel's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> CurrentSpan:
        """A context manager and decorator; see `CurrentSpan`."""
        if (
            context is None
            and kind is SpanKind.INTERNAL
            and not links
            and start_time is None
            and record_exception
            and set_status_on_exception
            and end_on_exit
        ):
            return block(self, name, attributes, None)
        options = Options(
            context, kind, links, start_time, record_exception, set_status_on_exception, end_on_exit
        )
        return block(self, name, attributes, options)

    def start_span(  # noqa: PLR0917  OTel's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> Span:
        """A span that is not made current; never raises. See `opentelemetry.trace.Tracer.start_span`."""
        try:
            trace: Any
            parent: Any = (get_current() if context is None else context).get(SPAN_KEY)
            buffer = self._buffer
            enabled = self._sdk._tracer_config.is_enabled  # noqa: SLF001
            kept = owned(attributes, self.most_attributes, self.attribute_length) if attributes else {}
            if parent is None and self._sampled_roots and enabled:
                now = buffer.now()
                at = buffer.wall()
                trace = Trace(buffer, now, at - now, self.provider.sampled_flags)
                at = at if start_time is None else start_time
                trace.root = span = LightSpan(self, trace, name, None, kind, kept, at)
            elif (
                self._follow
                and (trace := getattr(parent, "trace", None)).__class__ is Trace
                and trace.buffer is buffer
                and (trace.head_sampled or self._unsampled_too)
                and enabled
            ):
                at = buffer.now() + trace.offset if start_time is None else start_time
                span = LightSpan(self, trace, name, parent, kind, kept, at)
            else:
                given = self._ask(parent, name, context, kind, attributes, links, start_time)
                if not isinstance(given, LightSpan):
                    return given
                span = given
            if links:
                span.add_links(links)
            if not (record_exception and set_status_on_exception):
                span.on_error = (record_exception, set_status_on_exception)
            if self.provider.starters:
                self.provider.tell_start(span, context)
            return span  # noqa: TRY300  the last step of what may fail
        except Exception as error:  # noqa: BLE001  the barrier: a sampler, an id generator or arguments of the wrong kind
            report("tracer.start_span", error)
            return INVALID_SPAN

    def start_below(self, context: Context, name: str, attributes: Attributes) -> Span:
        """`start_span`, less what is rarely said, below the span of `context`, which is the current one; never raises."""
        try:
            trace: Any
            parent: Any = context.get(SPAN_KEY)
            provider = self.provider
            buffer = self._buffer
            if not provider.starters and self._sdk._tracer_config.is_enabled:  # noqa: SLF001
                kept = owned(attributes, self.most_attributes, self.attribute_length) if attributes else {}
                if parent is None and self._sampled_roots:
                    now = buffer.now()
                    at = buffer.wall()
                    # Both made field by field: calls of the classes would cost as much again.
                    trace = _new(Trace)
                    trace.buffer = buffer
                    trace.created = now
                    trace.offset = at - now
                    trace.flags = provider.sampled_flags
                    trace.spans = []
                    trace.root = span = _new(LightSpan)
                    span.tracer = self
                    span.trace = trace
                    span.raw_name = name
                    span.raw_parent = None
                    span.raw_attributes = kept
                    span.start_time = at
                    return span
                if (
                    self._follow
                    and (trace := getattr(parent, "trace", None)).__class__ is Trace
                    and trace.buffer is buffer
                    and (trace.head_sampled or self._unsampled_too)
                ):
                    span = _new(LightSpan)
                    span.tracer = self
                    span.trace = trace
                    span.raw_name = name
                    span.raw_parent = parent
                    span.raw_attributes = kept
                    span.start_time = buffer.now() + trace.offset
                    return span
        except Exception as error:  # noqa: BLE001  see start_span
            report("tracer.start_span", error)
            return INVALID_SPAN
        return self.start_span(name, None, SpanKind.INTERNAL, attributes)

    def _ask(  # noqa: PLR0917  start_span's arguments
        self,
        parent: object,
        name: str,
        context: Context | None,
        kind: SpanKind,
        attributes: Attributes,
        links: Sequence[Link] | None,
        start_time: int | None,
    ) -> Span:
        """Start a span whose sampler has to be asked, step by step as the SDK does."""
        above = parent.get_span_context() if isinstance(parent, Span) else None
        if above is not None and not isinstance(above, SpanContext):
            raise TypeError("parent_span_context must be a SpanContext or None.")
        if not self._sdk._is_enabled():  # noqa: SLF001
            return NonRecordingSpan(INVALID_SPAN.get_span_context() if above is None else above)
        if above is None or not above.is_valid:
            above = None
            trace_id = self.ids.generate_trace_id()
            random = self.ids.is_trace_id_random()
        else:
            trace_id = above.trace_id
            random = above.trace_flags.random_trace_id
        result = self.provider.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
        sampled = result.decision is Decision.RECORD_AND_SAMPLE
        flags = TraceFlags(
            (TraceFlags.SAMPLED if sampled else 0) | (TraceFlags.RANDOM_TRACE_ID if random else 0)
        )
        said: Any = result.attributes
        if result.decision is Decision.DROP:
            if not self.provider.record_unsampled:
                ids = SpanContext(trace_id, self.ids.generate_span_id(), False, flags, result.trace_state)
                return NonRecordingSpan(ids)
            said = {**(attributes or {}), **said}
        kept = owned(dict(said), self.most_attributes, self.attribute_length) if said else {}
        trace = getattr(parent, "trace", None)
        if isinstance(trace, Trace) and trace.buffer is self._buffer and isinstance(parent, LightSpan):
            at = self._buffer.now() + trace.offset if start_time is None else start_time
            span = LightSpan(self, trace, name, parent, kind, kept, at)
            span.made_context = SpanContext(
                trace_id, self.ids.generate_span_id(), False, flags, result.trace_state
            )
            return span
        return self._root(trace_id, name, above, kind, kept, start_time, flags, result.trace_state, sampled)

    def _root(  # noqa: PLR0917  see _ask
        self,
        trace_id: int,
        name: str,
        above: SpanContext | None,
        kind: SpanKind,
        kept: Any,
        start_time: int | None,
        flags: TraceFlags,
        state: TraceState | None,
        sampled: bool,
    ) -> LightSpan:
        trace = self._buffer.begin(flags)
        trace.trace_id = trace_id
        trace.trace_state = state
        trace.head_sampled = sampled
        at = trace.created + trace.offset if start_time is None else start_time
        trace.root = span = LightSpan(self, trace, name, above, kind, kept, at)
        return span
