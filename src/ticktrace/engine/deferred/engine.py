"""The deferred engine: the trading thread stamps, the drain decides and does the rest.

Traces are deferred: spans are light, gather by trace, and are judged after the fact. Metrics are still the SDK's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ticktrace.engine.added import OpenTracerProvider
from ticktrace.engine.attendant import Deadline
from ticktrace.engine.deferred.drain import Drain
from ticktrace.engine.deferred.judge import Judge
from ticktrace.engine.deferred.provider import DeferredTracerProvider
from ticktrace.engine.deferred.tail import Happened, KeepRules
from ticktrace.engine.deferred.trace_buffer import TraceBuffer
from ticktrace.engine.sdk import SdkEngine, span_limits

if TYPE_CHECKING:
    from collections.abc import Callable

    from ticktrace.engine.plan import Plan
    from ticktrace.settings import KeepSettings

__all__ = ["DeferredEngine"]

_DRAIN_SHARE = 0.2  # of a shutdown's deadline goes to ending the drain, the rest to the last exports


class _OpenDeferredTracerProvider(OpenTracerProvider, DeferredTracerProvider):
    """Ours, with a guard before every processor that is added from outside."""


def keep_rules(keep: KeepSettings) -> KeepRules:
    """The rules of the settings."""
    outcomes = Happened.NOTHING
    for name in keep.outcomes:
        outcomes |= Happened[name.upper()]
    return KeepRules(
        outcomes=outcomes,
        slower_than=keep.slower_than,
        slower_than_p99=keep.slower_than_p99,
        attributes=keep.attributes,
        share_key=keep.share_key,
        share_per_minute=keep.share_per_minute,
        head=keep.head,
        max_per_second=keep.max_per_second,
    )


class DeferredEngine(SdkEngine):
    """Light spans, judged by trace, on a thread of their own.

    Attributes:
        on_dropped: told what was lost before it was judged: the reason and the number of spans.
        on_verdict: told each verdict: the reason, whether the trace was kept, and its number of spans.
    """

    def __init__(self, plan: Plan) -> None:
        self.on_dropped: Callable[[str, int], None] | None = None
        self.on_verdict: Callable[[str, bool, int], None] | None = None
        super().__init__(plan)

    def _make_tracer_provider(self, plan: Plan) -> OpenTracerProvider:
        keep = plan.settings.traces.keep
        self._buffer = TraceBuffer(
            max_traces=keep.max_traces,
            max_spans_per_trace=keep.max_spans_per_trace,
            max_age_seconds=keep.max_age,
            wake=self._wake,
            on_dropped=self._dropped,
        )
        provider = _OpenDeferredTracerProvider(
            sampler=plan.sampler,
            resource=plan.resource,
            buffer=self._buffer,
            span_limits=span_limits(plan.settings.traces),
            record_unsampled=True,
        )
        # Where the sampler wants every trace and is believed, there is nothing to explain.
        explain = not (keep.head and provider.sampled_roots) or keep.max_per_second is not None
        judge = Judge(self._buffer, provider, keep_rules(keep), explain=explain, on_verdict=self._judged)
        self._drain = Drain([judge])
        provider.drain = self._drain_everything
        self._drain.start()
        return provider

    def _wake(self) -> None:
        self._drain.wake()

    def _dropped(self, reason: str, spans: int) -> None:
        if self.on_dropped is not None:
            self.on_dropped(reason, spans)

    def _judged(self, reason: str, kept: bool, spans: int) -> None:
        if self.on_verdict is not None:
            self.on_verdict(reason, kept, spans)

    def _drain_everything(self, seconds: float = 5.0) -> bool:
        self._buffer.sweep(everything=True)
        return self._drain.drain_now(seconds)

    def settle(self) -> None:
        """Judge and deliver the traces that have ended."""
        self._drain.drain_now()

    def flush(self, seconds: float) -> bool:
        """Deliver what has ended, also of traces that go on, and send it."""
        deadline = Deadline(seconds)
        drained = self._drain_everything(deadline.remaining())
        return super().flush(deadline.remaining()) and drained

    def shutdown(self, seconds: float) -> bool:
        """Deliver what has ended, send it and stop."""
        deadline = Deadline(seconds)
        self._drain.stop(deadline.remaining() * _DRAIN_SHARE)
        drained = self._drain_everything(deadline.remaining() * _DRAIN_SHARE)
        return super().shutdown(deadline.remaining()) and drained
