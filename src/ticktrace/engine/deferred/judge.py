"""The drain's way through the trace buffer: judge what has ended, deliver what is kept, forget the rest."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode, TraceFlags

from ticktrace.engine.barrier import report
from ticktrace.engine.deferred.materialise import readable
from ticktrace.engine.deferred.tail import Happened, KeepReason, Tail, TraceFacts
from ticktrace.engine.deferred.trace_buffer import Verdict
from ticktrace.semconv import TELEMETRY_KEEP_REASON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.util.types import AttributeValue

    from ticktrace.engine.deferred.provider import DeferredTracerProvider
    from ticktrace.engine.deferred.spans import LightSpan
    from ticktrace.engine.deferred.tail import DiscardReason, KeepRules
    from ticktrace.engine.deferred.trace_buffer import Trace, TraceBuffer

__all__ = ["Judge"]

# What the trading room writes on its spans is how a trace tells of its outcome; see ticktrace.semconv.
_BY_NAME = {"order": Happened.ORDER, "fill": Happened.FILL}
_BY_EVENT = {"trading.order.rejected": Happened.REJECTION, "trading.signal.rejected": Happened.REJECTION}
_NEAR_MISS = ("trading.filter.result", "near_miss")


class Judge:
    """A source of the drain: the traces that wait.

    Args:
        buffer: where they wait.
        provider: its processors get what is kept.
        rules: what is worth keeping.
        explain: whether roots of kept traces get the reason as an attribute; where nothing can be dropped, it says
            nothing.
        on_verdict: told the reason, whether the trace was kept, and its number of spans.
    """

    def __init__(
        self,
        buffer: TraceBuffer,
        provider: DeferredTracerProvider,
        rules: KeepRules,
        *,
        explain: bool,
        on_verdict: Callable[[str, bool, int], None] | None = None,
    ) -> None:
        self._buffer = buffer
        self._provider = provider
        self._tail = Tail(rules, time.monotonic())
        self._explain = explain
        self.on_verdict: Callable[[str, bool, int], None] | None = on_verdict
        self._one_at_a_time = threading.Lock()

    def steps(self) -> Iterator[None]:
        """Judge and deliver what waits, a span at a time."""
        self._buffer.sweep()
        for trace in self._buffer.take():
            with self._one_at_a_time:  # never held over a yield: whoever flushes must not wait for a pause
                kept = self._kept(trace)
                spans = trace.take()
            for span in spans if kept else ():
                self._deliver(span)
                yield
            if not spans:
                continue
            if not kept:
                spans.clear()
                yield
            with suppress(AttributeError):
                trace.release()

    def _kept(self, trace: Trace) -> bool:
        if trace.verdict is Verdict.UNDECIDED:
            try:
                reason = self._reason(trace)
            except Exception as error:  # noqa: BLE001  what cannot be judged is rather kept
                report("judge", error)
                reason = KeepReason.HEAD
            kept = isinstance(reason, KeepReason)
            trace.verdict = Verdict.KEPT if kept else Verdict.DROPPED
            if kept and self._explain and trace.root is not None:
                trace.root.tell({TELEMETRY_KEEP_REASON: reason.value})
            if self.on_verdict is not None:
                self.on_verdict(reason.value, kept, len(trace.spans))
        return trace.verdict is Verdict.KEPT

    def _reason(self, trace: Trace) -> KeepReason | DiscardReason:
        root = trace.root
        spans = trace.spans
        happened = Happened.NOTHING
        for span in spans:
            span.settle()
            happened |= _happened(span)
        name = root.raw_name if root is not None else ""
        seconds = 0.0
        if root is not None and root.end_time is not None:
            seconds = (root.end_time - root.start_time) * 1e-9

        def attribute(key: str) -> AttributeValue | None:
            return None if root is None else root.raw_attributes.get(key)

        def matches(key: str, value: str) -> bool:
            return any(str(span.raw_attributes.get(key)) == value for span in spans)

        facts = TraceFacts(name.partition(" ")[0], seconds, happened, trace.head_sampled, attribute, matches)
        return self._tail.judge(facts, time.monotonic())

    def _deliver(self, span: LightSpan) -> None:
        try:
            self._provider.deliver((_as_sampled(readable(span)),))
        except Exception as error:  # noqa: BLE001  one bad span must not take the others along
            report("materialise", error)


def _happened(span: LightSpan) -> Happened:
    happened = _BY_NAME.get(span.raw_name.partition(" ")[0], Happened.NOTHING)
    if span.raw_status.status_code is StatusCode.ERROR:
        happened |= Happened.ERROR
    for name, attributes, _ in span.raw_events or ():
        happened |= _BY_EVENT.get(name, Happened.NOTHING)
        if attributes.get(_NEAR_MISS[0]) == _NEAR_MISS[1]:
            happened |= Happened.NEAR_MISS
    return happened


def _as_sampled(span: ReadableSpan) -> ReadableSpan:
    """The span as processors export it: the SDK's pass over what is not flagged as sampled, and this one now is.

    Only the exported copy says so. What other services were told, the head decision, stays as it was.
    """
    context = span.context
    if context is None or context.trace_flags.sampled:
        return span
    flagged = SpanContext(
        context.trace_id,
        context.span_id,
        context.is_remote,
        TraceFlags(context.trace_flags | TraceFlags.SAMPLED),
        context.trace_state,
    )
    return ReadableSpan(
        name=span.name,
        context=flagged,
        parent=span.parent,
        resource=span.resource,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
        kind=span.kind,
        instrumentation_info=span._instrumentation_info,  # noqa: SLF001  reading it otherwise warns
        status=span.status,
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )
