"""What an engine is built from: everything decided, nothing started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk._logs.export import LogRecordExporter
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.trace import TracerProvider

    from ticktrace.engine.delivery import Delivery
    from ticktrace.engine.drain import Source
    from ticktrace.engine.pipes import NamedTarget
    from ticktrace.engine.recent import Recent
    from ticktrace.engine.stamp import Stamps
    from ticktrace.scrubbing import Scrubber
    from ticktrace.settings import Settings

__all__ = ["Engine", "Plan"]


@dataclass(frozen=True)
class Plan:
    """The parts of a pipeline.

    `metric_readers` is called by the engine with the guard to put before each push exporter, because a periodic
    reader starts its thread as soon as it is made. The `scrubber` takes secrets out of what is exported, but not out of
    the resource, which comes without them; None for leaving everything as it is.
    """

    settings: Settings
    resource: Resource
    sampler: Sampler
    views: Sequence[View]
    span_exporters: Sequence[NamedTarget[SpanExporter]]
    log_exporters: Sequence[NamedTarget[LogRecordExporter]]
    metric_readers: Callable[
        [Callable[[NamedTarget[MetricExporter]], MetricExporter]], Sequence[NamedTarget[MetricReader]]
    ]
    scrubber: Scrubber | None = None


class Engine(Protocol):
    """What stands behind the API: three providers that can be flushed and shut down within a deadline."""

    @property
    def tracer_provider(self) -> TracerProvider:
        """Makes tracers."""

    @property
    def meter_provider(self) -> MeterProvider:
        """Makes meters."""

    @property
    def logger_provider(self) -> LoggerProvider:
        """Makes loggers."""

    @property
    def recent(self) -> Recent | None:
        """The last values of histograms; None where none are kept."""

    @property
    def deliveries(self) -> Sequence[Delivery]:
        """The accounts of all exporters."""

    def stamps(self, scope: str, version: str, schema_url: str) -> Stamps | None:
        """Where the stamps of that scope go; None on an engine that makes everything as it happens."""

    def drained(self, source: Source) -> Callable[[Callable[[], bool]], bool]:
        """Have a source drained from now on: by the engine's drain, and with every flush and at the shutdown.

        Returns:
            What its producers call when it is full, with whether there is room again; it says so, too. Only in a backtest
            it waits.
        """

    def losses(self) -> Sequence[str]:
        """What was lost, a line for each place where it was."""

    def drain_silent_for(self) -> float:
        """Seconds since the drain's thread has last ended a pass; 0 where none runs."""

    def settle(self) -> None:
        """Hand on what was recorded so far, to where it can be read."""

    def flush(self, seconds: float) -> bool:
        """Send what is queued; True when all of it was accepted within `seconds`."""

    def shutdown(self, seconds: float) -> bool:
        """Send what is left and stop; True when that ended within `seconds` and nothing was lost."""

    def silence(self) -> None:
        """In a forked child: end what still runs for the parent there, and send nothing."""
