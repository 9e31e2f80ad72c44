"""From settings to a running engine: every part is built here, and only here."""

from __future__ import annotations

import logging
import platform
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import Observation
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.util._importlib_metadata import entry_points

from ticktrace import semconv
from ticktrace._version import __version__
from ticktrace.catalog import CATALOG, with_own
from ticktrace.engine import DeferredEngine, Plan, SdkEngine
from ticktrace.errors import MissingExtraError, SettingsError
from ticktrace.exporters import (
    MemoryStore,
    PrometheusServer,
    bearer_check,
    build_log_exporters,
    build_metric_readers,
    build_span_exporters,
    check_public,
)
from ticktrace.notify import check_notifications
from ticktrace.objectives import check_objectives, with_totals
from ticktrace.sampling import build_sampler
from ticktrace.scrubbing import scrub_resource, scrubber_of
from ticktrace.telemetry._journal import JournalKeeper
from ticktrace.telemetry._own_logs import scrub_own_logs
from ticktrace.telemetry._resource import detect_resource
from ticktrace.telemetry._self_metrics import watch
from ticktrace.views import build_views, check_instruments

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader

    from ticktrace.diagnostics import Journal
    from ticktrace.engine import BoundCounter, Deadline, Engine, Instruments, NamedTarget
    from ticktrace.exporters import PrometheusReader
    from ticktrace.settings import LoadedSettings, Settings

__all__ = ["Pipeline", "build_pipeline"]

_log = logging.getLogger("ticktrace")

_LAST_WRITE_SECONDS = 0.2  # for what is left when exporters have used up all the time there was

_ENGINES: dict[str, type[SdkEngine]] = {"sdk": SdkEngine, "deferred": DeferredEngine}


@dataclass
class Pipeline:
    """A running engine and what belongs to it."""

    engine: Engine
    memory: MemoryStore
    sampler: Any
    propagator: TextMapPropagator
    prometheus: PrometheusReader | None = None
    server: PrometheusServer | None = field(default=None)
    keeper: JournalKeeper | None = field(default=None)

    @property
    def journal(self) -> Journal | None:
        """Where decisions are written down; None where they are not."""
        return None if self.keeper is None else self.keeper.journal

    def losses(self) -> list[str]:
        """What was lost, a line for each place where it was."""
        mine = [] if self.keeper is None else self.keeper.losses()
        return [*self.engine.losses(), *mine]

    def describe(self, instruments: Instruments, settings: Settings) -> None:
        """Record what runs, and count from now on what exporters lose."""
        instruments.gauge(
            "ticktrace.build_info",
            {
                semconv.TELEMETRY_VERSION: __version__,
                semconv.TELEMETRY_ENGINE: settings.engine,
                semconv.PYTHON_VERSION: platform.python_version(),
            },
        ).set(1)
        probability = getattr(self.sampler, "probability", None)
        if probability is not None:
            spec = CATALOG["ticktrace.sampler.probability"]
            self.engine.meter_provider.get_meter("ticktrace", __version__).create_observable_gauge(
                spec.name, [lambda _: [Observation(self.sampler.probability)]], spec.unit, spec.description
            )
        for delivery in self.engine.deliveries:
            buffer = f"{delivery.signal}.{delivery.name}"

            def lost(items: int, reason: str, buffer: str = buffer) -> None:
                labels = {semconv.TELEMETRY_BUFFER_NAME: buffer, semconv.TELEMETRY_DROP_REASON: reason}
                instruments.counter("ticktrace.dropped", labels).add(items)

            delivery.on_loss = lost
        if self.keeper is not None:
            self.keeper.count_losses(instruments)
        if isinstance(self.engine, DeferredEngine):
            _watch(self.engine, instruments)
        if isinstance(self.engine, SdkEngine):
            watch(self.engine, instruments)

    def serve(self, settings: Settings) -> None:
        """Serve metrics on a port of their own, where the settings want that.

        Raises:
            SettingsError: the port is taken and `prometheus.serve` is ``always``.
        """
        if self.prometheus is None or settings.prometheus.serve == "never":
            return
        own = settings.prometheus
        server = PrometheusServer(self.prometheus, own.host, own.port, own.path, bearer_check(own.token))
        try:
            server.start()
        except SettingsError as error:
            if settings.prometheus.serve == "always":
                raise
            _log.warning(
                "ticktrace: metrics are not served on a port of their own, which does not matter where a FastAPI app serves"
                " them: %s",
                error.problems[0],
            )
        else:
            self.server = server
            _log.info("ticktrace: metrics are served at %s", server.url)

    def served_elsewhere(self, settings: Settings) -> None:
        """The application serves the metrics; a port of their own is closed unless it was asked for."""
        if self.server is not None and settings.prometheus.serve == "auto":
            self.server.stop(1.0)
            self.server = None
            _log.info("ticktrace: metrics are served by the application now; their own port is closed")

    def shutdown(self, deadline: Deadline) -> bool:
        """Stop everything within the deadline; True when nothing was lost."""
        try:
            good = self.engine.shutdown(deadline.remaining())
            if self.keeper is not None:
                good = self.keeper.journal.close(max(_LAST_WRITE_SECONDS, deadline.remaining())) and good
            return good
        finally:
            if self.server is not None:
                self.server.stop(min(1.0, deadline.remaining()))


def _watch(engine: DeferredEngine, instruments: Instruments) -> None:
    """Count the verdicts, and what was lost before there was one."""
    verdicts: dict[tuple[str, bool], BoundCounter] = {}  # few, and asked for with every trace
    drops: dict[str, BoundCounter] = {}

    def dropped(reason: str, spans: int) -> None:
        counter = drops.get(reason)
        if counter is None:
            labels = {semconv.TELEMETRY_BUFFER_NAME: "traces", semconv.TELEMETRY_DROP_REASON: reason}
            counter = drops[reason] = instruments.counter("ticktrace.dropped", labels)
        counter.add(spans)

    def judged(reason: str, kept: bool, spans: int) -> None:
        counter = verdicts.get((reason, kept))
        if counter is None:
            name = "ticktrace.spans.kept" if kept else "ticktrace.spans.discarded"
            key = semconv.TELEMETRY_KEEP_REASON if kept else semconv.TELEMETRY_DISCARD_REASON
            counter = verdicts[reason, kept] = instruments.counter(name, {key: reason})
        counter.add(spans)

    # Bound beforehand: it may be the trading thread that tells of them, in the middle of recording something.
    lost = {
        reason: instruments.counter(
            "ticktrace.dropped",
            {semconv.TELEMETRY_BUFFER_NAME: "measurements", semconv.TELEMETRY_DROP_REASON: reason},
        )
        for reason in ("invalid", "buffer_full")
    }

    def measurements_dropped(reason: str, count: int) -> None:
        counter = lost.get(reason)
        if counter is not None:
            counter.add(count)

    engine.on_dropped = dropped
    engine.on_measurements_dropped = measurements_dropped
    engine.on_verdict = judged


def _propagator(names: tuple[str, ...]) -> TextMapPropagator:
    known = {point.name: point for point in entry_points(group="opentelemetry_propagator")}
    return CompositePropagator([known[name].load()() for name in names if name != "none"])


def _without_missing_default(loaded: LoadedSettings) -> Settings:
    """The settings, less the default Prometheus exporter where its package is not installed.

    Somebody who asked for it gets an error instead; somebody who did not should still be able to start.
    """
    settings = loaded.settings
    if "exporters.metrics" in loaded.origins and loaded.origins["exporters.metrics"].source != "default":
        return settings
    try:
        import opentelemetry.exporter.prometheus  # noqa: F401, PLC0415  an optional dependency
    except ImportError:
        _log.warning(
            "ticktrace: %s; metrics are not exported",
            MissingExtraError("the exporter prometheus", "prometheus"),
        )
        exporters = settings.exporters.model_copy(update={"metrics": ("none",)})
        return settings.model_copy(update={"exporters": exporters})
    return settings


def build_pipeline(loaded: LoadedSettings, *, forked: bool = False) -> Pipeline:
    """Build and start what the settings describe.

    Args:
        loaded: the settings.
        forked: True in a forked child: a new identity, and no port of its own, which the parent holds.

    Raises:
        SettingsError: a sampler, propagator, view, objective or instrument that does not exist or cannot be.
        UnknownExporterError: an exporter that nobody registers.
        MissingExtraError: an exporter whose package is not installed.
    """
    settings = _without_missing_default(loaded)
    catalog, problems = with_own(settings.metrics.instruments, CATALOG)
    problems += check_instruments(settings.slo, settings.metrics, catalog)
    problems += check_objectives(settings.slo, settings.metrics, catalog)
    problems += check_notifications(settings.notifications)
    problems += check_public(settings)
    if problems:
        raise SettingsError(loaded.locate(problems))
    scrubber = scrubber_of(settings)
    scrub_own_logs(scrubber)
    memory = MemoryStore(settings.memory.max_spans, settings.memory.max_logs)
    propagator = _propagator(settings.propagators)
    sampler = build_sampler(settings.traces.sampler, settings.traces.sampler_arg)
    views = build_views(settings.metrics, settings.slo, catalog)
    built: list[Any] = []

    def readers(
        wrap: Callable[[NamedTarget[MetricExporter]], MetricExporter],
    ) -> Sequence[NamedTarget[MetricReader]]:
        made = build_metric_readers(settings, memory, wrap)
        built.extend(made)
        return with_totals(settings, made)

    try:
        span_exporters = build_span_exporters(settings, memory)
        built.extend(span_exporters)
        log_exporters = build_log_exporters(settings, memory)
        built.extend(log_exporters)
        engine = _ENGINES[settings.engine](
            Plan(
                settings=settings,
                resource=scrub_resource(detect_resource(settings, forked=forked), scrubber),
                sampler=sampler,
                views=views,
                span_exporters=span_exporters,
                log_exporters=log_exporters,
                metric_readers=readers,
                scrubber=scrubber,
            )
        )
    except Exception:
        for named in built:  # what was opened before the fault must not linger
            named.target.shutdown()
        raise
    memory.settle = engine.settle
    keeper = None
    if settings.diagnostics.enabled and settings.diagnostics.journal.enabled:
        logger = engine.logger_provider.get_logger("ticktrace.diagnostics", __version__, semconv.SCHEMA_URL)
        keeper = JournalKeeper(
            settings, engine, scrubber, logger if settings.diagnostics.log_events else None
        )
    prometheus = next((named.target for named in built if named.name == "prometheus"), None)
    pipeline = Pipeline(engine, memory, sampler, propagator, prometheus, keeper=keeper)
    if not forked:
        try:
            pipeline.serve(settings)
        except BaseException:
            engine.shutdown(1.0)
            raise
    return pipeline
