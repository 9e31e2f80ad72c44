"""The tracer provider of the deferred engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.trace import TraceFlags

from ticktrace.engine.added import SILENT_STARTS
from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.materialise import readable
from ticktrace.engine.deferred.trace_buffer import Verdict
from ticktrace.engine.deferred.tracer import DeferredTracer, children_follow, roots_are_sampled
from ticktrace.engine.patience import CALLED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import Tracer

    from ticktrace.engine.deferred.spans import LightSpan
    from ticktrace.engine.deferred.trace_buffer import TraceBuffer

__all__ = ["DeferredTracerProvider"]


class DeferredTracerProvider(TracerProvider):
    """Makes tracers whose spans gather in a `TraceBuffer`; who drains it decides what is exported.

    Args:
        sampler: the head sampler. It is asked for every span as OTel has it, unless its answer is known: the children
            under a parent-based sampler, everything under always_on.
        resource: what produces the spans.
        span_limits: the SDK's limits.
        id_generator: the SDK's by default.
        buffer: where ended traces go.
        record_unsampled: record also what the sampler drops, for a verdict by outcome. Such spans are not flagged as
            sampled, so other services see the head decision.
        follow: whether children get their local parent's decision unasked; by default found out from `sampler`, to be
            given for a sampler that stands behind a barrier.
    """

    def __init__(
        self,
        *,
        sampler: Sampler,
        resource: Resource,
        buffer: TraceBuffer,
        span_limits: SpanLimits | None = None,
        id_generator: IdGenerator | None = None,
        record_unsampled: bool = False,
        follow: bool | None = None,
    ) -> None:
        super().__init__(
            sampler=sampler,
            resource=resource,
            shutdown_on_exit=False,
            span_limits=span_limits,
            id_generator=id_generator,
        )
        self.buffer: TraceBuffer = buffer
        self.limits: SpanLimits = self._span_limits
        self.record_unsampled: bool = record_unsampled
        self.children_follow: bool = children_follow(sampler) if follow is None else follow
        self.sampled_roots: bool = roots_are_sampled(sampler)
        random = TraceFlags.RANDOM_TRACE_ID if self.id_generator.is_trace_id_random() else 0
        self.sampled_flags: TraceFlags = TraceFlags(TraceFlags.SAMPLED | random)
        self.starters: tuple[SpanProcessor, ...] = ()
        self.on_starter: Callable[[], None] | None = None
        """Told when a processor is added that wants to see spans begin."""
        self.drain: Callable[[], object] = self.deliver_all
        """Called by `force_flush` and `shutdown` before the processors are: the engine's own drain, once there is one."""
        self._light: dict[Tracer, DeferredTracer] = {}
        self._starters_lock = threading.Lock()

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Tracer:
        """The tracer of a scope; the same one for the same scope."""
        sdk = super().get_tracer(
            instrumenting_module_name, instrumenting_library_version, schema_url, attributes
        )
        if not isinstance(sdk, SdkTracer):  # OTEL_SDK_DISABLED
            return sdk
        light = self._light.get(sdk)
        if light is None:
            light = self._light.setdefault(sdk, DeferredTracer(self, sdk))
        return light

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Register a processor: `on_start` is called with the live span at once, `on_end` when a kept trace is drained."""
        super().add_span_processor(span_processor)
        if getattr(span_processor.on_start, "__func__", None) not in SILENT_STARTS:
            with self._starters_lock:
                self.starters += (span_processor,)
            if self.on_starter is not None:
                self.on_starter()

    def tell_start(self, span: LightSpan, context: Context | None) -> None:
        """Show a started span to the processors that want to see it."""
        before, CALLED.on_start = CALLED.on_start, True
        for processor in self.starters:
            try:
                processor.on_start(cast("SdkSpan", span), parent_context=context)  # has what theirs has
            except Exception as error:  # noqa: BLE001  a foreign processor may raise anything
                report(f"{type(processor).__name__}.on_start", error)
        CALLED.on_start = before

    def deliver(self, spans: Iterable[ReadableSpan]) -> None:
        """Give finished spans to every processor; never raises."""
        for span in spans:
            try:
                self._active_span_processor.on_end(span)
            except Exception as error:  # noqa: BLE001  see tell_start
                report("span_processor.on_end", error)

    def steps(self) -> Iterator[None]:
        """Deliver every trace that waits, in pieces of one span: what there is without rules that drop any."""
        self.buffer.sweep()
        for trace in self.buffer.take():
            if trace.verdict is Verdict.UNDECIDED:
                trace.verdict = Verdict.KEPT
            for span in trace.take():
                try:
                    self.deliver((readable(span),))
                except Exception as error:  # noqa: BLE001  one bad span must not take the others along
                    report("materialise", error)
                yield
            trace.release()

    def deliver_all(self) -> None:
        """Deliver what waits, and the ended children of what has not ended."""
        self.buffer.sweep(everything=True)
        for _ in self.steps():
            pass

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Drain, then flush the processors; see the SDK."""
        self.drain()
        return super().force_flush(timeout_millis)

    def shutdown(self) -> None:
        """Drain, then shut the processors down; see the SDK."""
        self.drain()
        super().shutdown()
