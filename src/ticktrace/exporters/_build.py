"""Settings in, exporters and metric readers out."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader
from opentelemetry.sdk.trace.export import SpanExporter

from ticktrace.errors import MissingExtraError
from ticktrace.exporters import console, json_file
from ticktrace.exporters._named import Named, Signal
from ticktrace.exporters._registry import BUILT_IN, construct_third_party, entry_point, unknown_exporter
from ticktrace.exporters.otlp import otlp_log_exporter, otlp_metric_exporter, otlp_span_exporter
from ticktrace.exporters.otlp_target import Protocol, otlp_target
from ticktrace.exporters.periodic import PushReader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ticktrace.exporters.memory import MemoryStore
    from ticktrace.settings import Settings

__all__ = ["build_log_exporters", "build_metric_readers", "build_span_exporters"]

T = TypeVar("T")

_log = logging.getLogger("ticktrace")

# The name of upstream's own entry points state the protocol; ours then hold, too, instead of the environment alone.
_OTLP: dict[str, Protocol | None] = {
    "otlp": None,
    "otlp_proto_grpc": "grpc",
    "otlp_proto_http": "http/protobuf",
}


def build_span_exporters(settings: Settings, memory: MemoryStore) -> list[Named[SpanExporter]]:
    """Build the exporters that `settings.exporters.traces` names.

    Args:
        settings: where and how they send.
        memory: what the exporter `memory` fills.

    Raises:
        UnknownExporterError: nobody registers a name.
        MissingExtraError: an exporter's packages are not installed.
        SettingsError: an exporter cannot be built as configured.
    """

    def build(place: int, name: str) -> Named[SpanExporter]:
        match name:
            case "console":
                return Named(name, console.console_span_exporter(), console.DESTINATION)
            case "memory":
                return Named(name, memory.span_exporter(), "memory")
            case "otlp_json_file":
                directory = settings.json_file.directory
                return Named(
                    name,
                    json_file.json_span_exporter(directory),
                    str(json_file.signal_file(directory, "traces")),
                )
            case _ if name in _OTLP:
                target = otlp_target(settings.otlp, "traces", _OTLP[name])
                return Named(name, otlp_span_exporter(target), target.destination)
            case _:
                return _third_party("traces", place, name, SpanExporter)

    return _build_all("traces", settings.exporters.traces, build)


def build_log_exporters(settings: Settings, memory: MemoryStore) -> list[Named[LogRecordExporter]]:
    """Build the exporters that `settings.exporters.logs` names; see `build_span_exporters`."""

    def build(place: int, name: str) -> Named[LogRecordExporter]:
        match name:
            case "console":
                return Named(name, console.console_log_exporter(), console.DESTINATION)
            case "memory":
                return Named(name, memory.log_exporter(), "memory")
            case "otlp_json_file":
                directory = settings.json_file.directory
                return Named(
                    name,
                    json_file.json_log_exporter(directory),
                    str(json_file.signal_file(directory, "logs")),
                )
            case _ if name in _OTLP:
                target = otlp_target(settings.otlp, "logs", _OTLP[name])
                return Named(name, otlp_log_exporter(target), target.destination)
            case _:
                return _third_party("logs", place, name, LogRecordExporter)

    return _build_all("logs", settings.exporters.logs, build)


def build_metric_readers(
    settings: Settings,
    memory: MemoryStore,
    wrap: Callable[[Named[MetricExporter]], MetricExporter],
) -> list[Named[MetricReader]]:
    """Build the readers for what `settings.exporters.metrics` names.

    Args:
        settings: where and how they send, how often, and how long a collection may take.
        memory: what the exporter `memory` reads for.
        wrap: called with each push exporter; what it returns, which must have the exporter's preferences of temporality
            and aggregation, is exported to periodically. Pull readers are not wrapped.

    Raises:
        As `build_span_exporters`.
    """

    def build(place: int, name: str) -> Named[Any]:
        match name:
            case "console":
                return Named(name, console.console_metric_exporter(), console.DESTINATION)
            case "memory":
                return Named(name, memory.metric_reader(), "memory")
            case "prometheus":
                return Named(name, _prometheus_reader(), "scrapes")
            case "otlp_json_file":
                directory = settings.json_file.directory
                return Named(
                    name,
                    json_file.json_metric_exporter(directory),
                    str(json_file.signal_file(directory, "metrics")),
                )
            case _ if name in _OTLP:
                target = otlp_target(settings.otlp, "metrics", _OTLP[name])
                exporter = otlp_metric_exporter(target, settings.metrics.temporality)
                return Named(name, exporter, target.destination)
            case _:
                return _third_party("metrics", place, name, MetricExporter, MetricReader)

    def read(built: Named[Any]) -> Named[MetricReader]:
        if isinstance(built.target, MetricReader):
            return Named(built.name, built.target, built.destination)
        reader = PushReader(
            wrap(built), interval=settings.metrics.export_interval, timeout=settings.metrics.export_timeout
        )
        return Named(built.name, reader, built.destination)

    # Readers come last: once one of them has started its thread, nothing else can fail.
    return [read(built) for built in _build_all("metrics", settings.exporters.metrics, build)]


def _build_all(
    signal: Signal, names: tuple[str, ...], build: Callable[[int, str], Named[T]]
) -> list[Named[T]]:
    built: list[Named[T]] = []
    for place, name in _wanted(signal, names):
        try:
            built.append(build(place, name))
        except BaseException:
            for done in built:
                _discard(done)
            raise
    return built


def _wanted(signal: Signal, names: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """The names to build, each once, with its place in the setting; all are checked before the first is built."""
    for place, name in enumerate(names):
        if name not in BUILT_IN[signal] and entry_point(signal, name) is None:
            raise unknown_exporter(signal, place, name)
    for place, name in enumerate(names):
        if name != "none" and name not in names[:place]:
            yield place, name


def _discard(built: Named[Any]) -> None:
    try:
        built.target.shutdown()
    except Exception as error:  # noqa: BLE001  the error that led here is the one to be seen
        _log.debug("ticktrace: discarding exporter %s failed: %s", built.name, error)


def _third_party(signal: Signal, place: int, name: str, *kinds: type) -> Named[Any]:
    point = entry_point(signal, name)
    if point is None:
        raise unknown_exporter(signal, place, name)
    return Named(name, construct_third_party(signal, place, point, kinds), point.value)


def _prometheus_reader() -> MetricReader:
    try:
        from ticktrace.exporters.prometheus import PrometheusReader  # noqa: PLC0415  optional
    except ImportError as error:
        raise MissingExtraError("the prometheus exporter", "prometheus") from error
    return PrometheusReader()
