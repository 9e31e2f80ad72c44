"""The plain OpenTelemetry SDK as an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    ExemplarFilter,
    MeterProvider,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.trace import SpanLimits

from ticktrace.engine.added import Added, OpenLoggerProvider, OpenTracerProvider
from ticktrace.engine.attendant import Attendant, Deadline
from ticktrace.engine.delivery import Delivery, GuardedMetricExporter
from ticktrace.engine.drain import Drain
from ticktrace.engine.patience import Patience, Stall
from ticktrace.engine.pipes import Pipe, flush_all, log_pipe, metric_pipe, shut_down_all, span_pipe
from ticktrace.engine.recent import Recent, make_recent
from ticktrace.engine.recent_sdk import RecentMeterProvider
from ticktrace.engine.series_count import series_count
from ticktrace.scrubbing import LogScrubber, MetricScrubber, SpanScrubber, scrub_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.sdk.trace.export import SpanExporter

    from ticktrace.engine.drain import Source
    from ticktrace.engine.pipes import NamedTarget
    from ticktrace.engine.plan import Plan
    from ticktrace.engine.stamp import Stamps
    from ticktrace.settings import MetricsSettings, QueueSettings, TracesSettings

__all__ = ["SdkEngine", "exemplar_filter", "span_limits"]

_DRAIN_SHARE = 0.3  # of a shutdown's deadline for what is drained

_EXEMPLAR_FILTERS: dict[str, Callable[[], ExemplarFilter]] = {
    "trace_based": TraceBasedExemplarFilter,
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
}


def span_limits(traces: TracesSettings) -> SpanLimits:
    """The limits of the settings, as the SDK takes them."""
    return SpanLimits(
        max_attributes=traces.attribute_count_limit,
        max_events=traces.event_count_limit,
        max_links=traces.link_count_limit,
        max_attribute_length=traces.attribute_value_length_limit,
        max_event_attributes=traces.event_attribute_count_limit,
        max_link_attributes=traces.link_attribute_count_limit,
    )


def exemplar_filter(metrics: MetricsSettings) -> ExemplarFilter:
    """The exemplar filter of the settings, as the SDK takes it."""
    return _EXEMPLAR_FILTERS[metrics.exemplar_filter]()


class SdkEngine:
    """OpenTelemetry's own providers, with our accounts, guards and deadlines around their exporters."""

    def __init__(self, plan: Plan) -> None:
        scrubber = plan.scrubber if plan.scrubber is not None and plan.scrubber.enabled else None
        self._scrub_span = None if scrubber is None else SpanScrubber(scrubber)
        self._scrub_log = None if scrubber is None else LogScrubber(scrubber)
        self._scrub_metrics = None if scrubber is None else MetricScrubber(scrubber)
        self.recent: Recent | None = make_recent(plan.settings.metrics.recent)
        backtest = plan.settings.mode == "backtest"
        self._patience = Patience(plan.settings.traces.queue.export_timeout if backtest else 0.0)
        self._sources: list[Source] = []
        self._drain = Drain(self._sources, patience=self._patience)
        self.tracer_provider: OpenTracerProvider = self._make_tracer_provider(plan)
        self.logger_provider: OpenLoggerProvider = OpenLoggerProvider(
            resource=plan.resource, shutdown_on_exit=False
        )
        self._added = self.tracer_provider.added = self.logger_provider.added = Added(
            self._scrub_span, None if self._scrub_log is None else self._scrub_log.writable
        )
        self._pipes: list[Pipe] = []
        self._aborter = Attendant("abort")
        try:
            self.meter_provider: MeterProvider = self._connect(plan)
        except BaseException:
            self.shutdown(1.0)  # what was started before the fault must not linger
            raise

    def _span_pipe(
        self, exporter: NamedTarget[SpanExporter], queue: QueueSettings
    ) -> tuple[SpanProcessor, Pipe]:
        return span_pipe(exporter, queue, Stall(self._patience), scrub=self._scrub_span)

    def _make_tracer_provider(self, plan: Plan) -> OpenTracerProvider:
        return OpenTracerProvider(
            sampler=plan.sampler,
            resource=plan.resource,
            shutdown_on_exit=False,
            span_limits=span_limits(plan.settings.traces),
        )

    def _connect(self, plan: Plan) -> MeterProvider:
        settings = plan.settings
        for exporter in plan.span_exporters:
            span_processor, pipe = self._span_pipe(exporter, settings.traces.queue)
            self.tracer_provider.add_own(span_processor)
            self._pipes.append(pipe)
        scrub_log = None if self._scrub_log is None else self._scrub_log.readable
        for log_exporter in plan.log_exporters:
            log_processor, pipe = log_pipe(log_exporter, settings.logs.queue, scrub_log)
            self.logger_provider.add_own(log_processor)
            self._pipes.append(pipe)
        guards: dict[str, GuardedMetricExporter] = {}

        def guard(named: NamedTarget[MetricExporter]) -> MetricExporter:
            delivery = Delivery("metrics", named.name, named.destination)
            guards[named.name] = guarded = GuardedMetricExporter(named.target, delivery)
            return guarded

        readers = plan.metric_readers(guard)
        for reader in readers:
            if self._scrub_metrics is not None:
                scrub_reader(reader.target, self._scrub_metrics)
            exporter_guard = guards.get(reader.name)
            self._pipes.append(
                metric_pipe(
                    reader,
                    exporter_guard.delivery if exporter_guard else None,
                    exporter_guard.shutdown if exporter_guard else lambda: None,
                )
            )
        return self._make_meter_provider(plan, [reader.target for reader in readers])

    def _make_meter_provider(self, plan: Plan, readers: Sequence[MetricReader]) -> MeterProvider:
        options: dict[str, Any] = {
            "metric_readers": readers,
            "resource": plan.resource,
            "exemplar_filter": exemplar_filter(plan.settings.metrics),
            "shutdown_on_exit": False,
            "views": plan.views,
        }
        return (
            MeterProvider(**options) if self.recent is None else RecentMeterProvider(self.recent, **options)
        )

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """The accounts of all exporters."""
        return [pipe.delivery for pipe in self._pipes]

    def stamps(self, scope: str, version: str, schema_url: str) -> Stamps | None:  # noqa: ARG002  see `Engine`
        """Nowhere: the SDK's spans and measurements are made as they happen."""
        return None

    def drained(self, source: Source) -> Callable[[Callable[[], bool]], bool]:
        """Have a source drained from now on; see `Engine`."""
        self._sources.append(source)
        self._drain.start()

        def make_room(has_room: Callable[[], bool]) -> bool:
            return self._drain.make_room(source, has_room)

        return make_room

    def losses(self) -> list[str]:
        """What was lost, a line for each exporter that did not get it."""
        return [account.describe_loss() for account in self.deliveries if account.lost]

    def drain_silent_for(self) -> float:
        """Seconds since the drain's thread has last ended a pass; 0 where none runs."""
        return self._drain.silent_for

    def backlog(self) -> dict[str, int]:
        """How many items wait in each buffer, by its name."""
        return {
            f"{account.signal}.{account.name}": account.waiting
            for account in self.deliveries
            if account.room is not None
        }

    def series_count(self) -> Mapping[str, int]:
        """How many attribute sets each instrument has, by its exported name, for the reader that has most."""
        return series_count(self.meter_provider)

    def settle(self) -> None:
        """The SDK hands everything on as it happens; only what is drained waits."""
        if self._sources:
            self._drain.drain_now()

    def flush(self, seconds: float) -> bool:
        """Send what is queued; True when all of it was accepted within `seconds`."""
        deadline = Deadline(seconds)
        drained = not self._sources or self._drain.drain_now(deadline.remaining())
        return flush_all(self._pipes, deadline.remaining()) and drained

    def shutdown(self, seconds: float) -> bool:
        """Send what is left and stop; True when that ended within `seconds` and nothing was lost."""
        deadline = Deadline(seconds)
        self._patience.end(deadline)
        drained = self._end_drain(deadline.remaining() * _DRAIN_SHARE)
        return (
            shut_down_all(self._pipes, deadline.remaining(), self._aborter, self._added.shutdown) and drained
        )

    def _end_drain(self, seconds: float) -> bool:
        if not self._sources:
            return True
        deadline = Deadline(seconds)
        self._drain.stop(deadline.remaining())
        return self._drain.drain_now(deadline.remaining())

    def silence(self) -> None:
        """In a forked child: end the threads that the SDK restarts there for the parent, and send nothing."""
        for pipe in self._pipes:
            pipe.silence()
