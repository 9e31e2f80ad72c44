"""The deferred engine: the trading thread stamps, the drain decides and does the rest.

Spans are light, gather by trace, and are judged after the fact. Measurements are aggregated in bulk.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from ticktrace.engine.added import OpenTracerProvider
from ticktrace.engine.attendant import Deadline
from ticktrace.engine.deferred.judge import Judge
from ticktrace.engine.deferred.meter import DeferredMeterProvider
from ticktrace.engine.deferred.provider import DeferredTracerProvider
from ticktrace.engine.deferred.stamped import StampQueue
from ticktrace.engine.deferred.tail import KeepRules
from ticktrace.engine.deferred.trace_buffer import TraceBuffer
from ticktrace.engine.deferred.tracer import DeferredTracer
from ticktrace.engine.patience import CALLED, Stall
from ticktrace.engine.pipes import span_pipe
from ticktrace.engine.sdk import SdkEngine, exemplar_filter, span_limits
from ticktrace.engine.stamp import Happened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from ticktrace.engine.delivery import Delivery
    from ticktrace.engine.drain import Drain
    from ticktrace.engine.pipes import NamedTarget, Pipe
    from ticktrace.engine.plan import Plan
    from ticktrace.engine.stamp import Stamps
    from ticktrace.settings import KeepSettings, QueueSettings

__all__ = ["DeferredEngine"]

_STAMPS_PER_TRACE = 8  # so many may wait for each trace that may
_STEPS_A_SLICE = 8  # 64 stamps, some 0.2 ms
_PAUSE_SECONDS = 0.00005
_DRAIN_SHARE = 0.2  # of a shutdown's deadline for ending the drain, as much for a last pass
_REST_SHARE = 0.5  # of what is left then, for what needs no verdict: measurements and lines
_PATIENT_DRAIN_SHARE = 0.4  # in a backtest, where these wait for exports
_QUEUE_SECONDS = 1.0  # so long an exporter may get nowhere before the drain no longer spares its full queue
_COLLECT_SECONDS = 0.5  # a collection waits so long for a pass under way


class _OpenDeferredTracerProvider(OpenTracerProvider, DeferredTracerProvider):
    """Ours, with a guard before every processor that is added from outside."""


def keep_rules(keep: KeepSettings) -> KeepRules:
    """The rules of the settings."""
    outcomes: int = Happened.NOTHING
    for name in keep.outcomes:
        outcomes |= getattr(Happened, name.upper())
    return KeepRules(
        outcomes=outcomes,
        slower_than=keep.slower_than,
        slower_than_p99=keep.slower_than_p99,
        attributes=keep.attributes,
        share_key=keep.share_key,
        share_per_minute=keep.share_per_minute,
        head=keep.head,
        head_per_second=keep.head_per_second,
        max_per_second=keep.max_per_second,
    )


class DeferredEngine(SdkEngine):
    """Light spans, judged by trace, on a thread of their own.

    Attributes:
        on_dropped: told what was lost before it was judged: the reason and the number of spans.
        on_measurements_dropped: told what was lost of the measurements: the reason and their number.
        on_verdict: told each verdict: the reason, whether the trace was kept, and its number of spans.
    """

    def __init__(self, plan: Plan) -> None:
        self.on_dropped: Callable[[str, int], None] | None = None
        self.on_measurements_dropped: Callable[[str, int], None] | None = None
        self.on_verdict: Callable[[str, bool, int], None] | None = None
        self._lost_spans = 0
        self._lost_stamps = 0
        self._queues: list[Delivery] | None = None
        self._stamps: list[StampQueue] = []
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
        everything = keep.head and provider.sampled_roots and keep.head_per_second is None
        explain = not everything or keep.max_per_second is not None
        self._judge = Judge(
            self._buffer,
            provider,
            keep_rules(keep),
            explain=explain,
            on_verdict=self._judged,
            congested=self._congested,
        )
        self._sources.append(self._judge)
        self._buffer.relieve = self._relieve
        provider.drain = self._drain_everything
        self._drain.start()
        return provider

    def _make_meter_provider(self, plan: Plan, readers: Sequence[MetricReader]) -> DeferredMeterProvider:
        metrics = plan.settings.metrics
        provider = DeferredMeterProvider(
            metric_readers=readers,
            resource=plan.resource,
            exemplar_filter=exemplar_filter(metrics),
            views=plan.views,
            buffer_size=metrics.buffer_size,
            unbounded=metrics.unbounded,
            series_limit=metrics.series_limit,
            idle_series_seconds=metrics.idle_series,
            wake=self._wake,
            before=self._derive_all,
            on_dropped=self._lost_measurements,
            recent=self.recent,
        )
        self._sources.append(provider)
        return provider

    def stamps(self, scope: str, version: str, schema_url: str) -> Stamps | None:
        """Where stamps of that scope go; None where a sampler has to be asked for every span."""
        provider = self.tracer_provider
        tracer = provider.get_tracer(scope, version, schema_url)
        if not isinstance(tracer, DeferredTracer) or not isinstance(provider, DeferredTracerProvider):
            return None
        if not provider.children_follow:
            return None
        queue = StampQueue(provider, tracer, self._buffer.max_traces * _STAMPS_PER_TRACE, self._wake)
        self._stamps.append(queue)
        self._sources.insert(0, queue)  # before the judge, who finds the traces that they complete
        return queue

    @property
    def drain(self) -> Drain:
        """What does the work."""
        return self._drain

    def backlog(self) -> dict[str, int]:
        """How many items wait in each buffer, by its name."""
        stamps = sum(len(queue.waiting) for queue in self._stamps)
        return {"traces": len(self._buffer), "stamps": stamps, **super().backlog()}

    def overflow_count(self) -> Mapping[str, int]:
        """How many measurements of each instrument went to its overflow series."""
        provider = self.meter_provider
        return provider.overflow_count() if isinstance(provider, DeferredMeterProvider) else {}

    def _lost_measurements(self, reason: str, count: int) -> None:
        if self.on_measurements_dropped is not None:
            self.on_measurements_dropped(reason, count)

    def _wake(self) -> None:
        self._drain.wake()

    def losses(self) -> list[str]:
        """What was lost: before there was a verdict, and by each exporter."""
        lost = self._lost_spans
        mine = [f"{lost} spans found no room to wait for their verdict"] if lost else []
        if self._lost_stamps:
            mine.append(f"{self._lost_stamps} stages and notes came too late to be measured")
        return [*mine, *super().losses()]

    def _dropped(self, reason: str, spans: int) -> None:
        self._lost_spans += spans
        if self.on_dropped is not None:
            self.on_dropped(reason, spans)

    def _judged(self, reason: str, kept: bool, spans: int) -> None:
        if self.on_verdict is not None:
            self.on_verdict(reason, kept, spans)

    def _derive_all(self) -> None:
        """Bring what was stamped into the instruments, before they are read; in slices, as the drain does it."""
        if self._drain.drain_now(_COLLECT_SECONDS, self._stamps, pause=True):
            return
        # A span processor blocks the drain: traces may be lost, but measurements need not wait.
        for queue in self._stamps:
            for number, _ in enumerate(queue.steps(), 1):
                if not number % _STEPS_A_SLICE:
                    time.sleep(_PAUSE_SECONDS)  # whoever waits for the GIL gets it

    def _derive_rest(self, deadline: Deadline) -> None:
        """What there was no time to judge is still to be measured and written down; what is left then is lost."""
        others = [source for source in self._sources if source is not self._judge]
        if self._drain.drain_now(deadline.remaining(), others):
            return
        for queue in self._stamps:  # a span processor blocks the drain, see `_derive_all`
            for _ in queue.steps():
                if deadline.remaining() <= 0:
                    break
            self._lost_stamps += len(queue.waiting)

    def _span_pipe(
        self, exporter: NamedTarget[SpanExporter], queue: QueueSettings
    ) -> tuple[SpanProcessor, Pipe]:
        live = self._patience.seconds <= 0
        stall = Stall(self._patience, _QUEUE_SECONDS)
        return span_pipe(exporter, queue, stall, gently=live, scrub=self._scrub_span)

    def _congested(self) -> bool:
        """Whether an exporter's queue is full: what is kept then waits here, where there is more room."""
        queues = self._queues
        if queues is None:
            accounts = [pipe.delivery for pipe in self._pipes if pipe.delivery.signal == "traces"]
            self._queues = queues = [account for account in accounts if account.room is not None]
        return any(queue.congested for queue in queues)

    def _relieve(self, has_room: Callable[[], bool]) -> bool:
        """Make room in the trace buffer, if the calling thread may; whether there is some."""
        if self._drain.make_room(self._judge, has_room):
            return True
        # In a backtest, what span processors end while they are called has as much room again: they must not wait.
        return (
            self._patience.seconds > 0
            and (self._drain.passing or CALLED.on_start)
            and len(self._buffer) < 2 * self._buffer.max_traces
        )

    def _drain_everything(self, seconds: float = 5.0) -> bool:
        deadline = Deadline(seconds)
        with self._patience.within(deadline):
            if not self._drain.drain_now(deadline.remaining()):  # makes room for what is cut
                return False
            self._buffer.sweep(everything=True)
            return self._drain.drain_now(deadline.remaining())

    def _end_drain(self, seconds: float) -> bool:  # noqa: ARG002  `shutdown` has done it by then, in its own way
        return True

    def settle(self) -> None:
        """Judge and deliver the traces that have ended."""
        self._drain.drain_now()

    def flush(self, seconds: float) -> bool:
        """Deliver what has ended, also of traces that go on, and send it."""
        deadline = Deadline(seconds)
        before = self._turned_away()
        drained = self._drain_everything(deadline.remaining())
        return super().flush(deadline.remaining()) and drained and self._turned_away() == before

    def _turned_away(self) -> int:
        return self._lost_spans + sum(account.dropped for account in self.deliveries)

    def shutdown(self, seconds: float) -> bool:
        """Deliver what has ended, send it and stop."""
        deadline = Deadline(seconds)
        share = _PATIENT_DRAIN_SHARE if self._patience.seconds > 0 else _DRAIN_SHARE
        self._patience.end(Deadline(deadline.remaining() * 2 * share))
        self._drain.stop(deadline.remaining() * share)
        drained = self._drain_everything(deadline.remaining() * share)
        if not drained:
            self._buffer.sweep(everything=True)
            self._judge.abandon("shutdown")
            self._derive_rest(Deadline(deadline.remaining() * _REST_SHARE))
        good = super().shutdown(deadline.remaining())
        if isinstance(self.meter_provider, DeferredMeterProvider):
            self.meter_provider.close()  # else what libraries go on recording would wait for ever
        return good and drained and not self._lost_spans
