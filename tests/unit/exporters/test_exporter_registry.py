"""Exporters by name: built in, from other packages, unknown, and absent."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics.export import (
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricReader,
)
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from ticktrace.errors import MissingExtraError, SettingsError, UnknownExporterError
from ticktrace.exporters import (
    MemoryStore,
    PrometheusReader,
    PushReader,
    build_log_exporters,
    build_metric_readers,
    build_span_exporters,
    known_exporters,
)
from ticktrace.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from ticktrace.exporters import Named

MODULE = "third_party_exporters"


class DeskSpanExporter(SpanExporter):
    def export(self, spans: Any) -> SpanExportResult:
        return SpanExportResult.SUCCESS


class DeskMetricExporter(MetricExporter):
    def export(self, metrics_data: Any, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Nothing to end."""


class DeskReader(InMemoryMetricReader):
    pass


class BrokenExporter(DeskSpanExporter):
    def __init__(self) -> None:
        raise RuntimeError("no licence key")


@pytest.fixture
def third_party(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed distribution that registers exporters, as pip would leave it in site-packages."""
    info = tmp_path / "desk_exporters-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: desk-exporters\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[opentelemetry_traces_exporter]\n"
        f"desk = {__name__}:DeskSpanExporter\n"
        f"desk_broken = {__name__}:BrokenExporter\n"
        f"desk_mixed_up = {__name__}:DeskMetricExporter\n"
        "desk_absent = no_such_module:Exporter\n"
        "[opentelemetry_metrics_exporter]\n"
        f"desk = {__name__}:DeskMetricExporter\n"
        f"desk_reader = {__name__}:DeskReader\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


def settings_with(**exporters: list[str]) -> Settings:
    return load_settings({"exporters": exporters, "otlp.endpoint": "http://127.0.0.1:1"}, environ={}).settings


def unwrapped(named: Named[MetricExporter]) -> MetricExporter:
    return named.target


def shut_down(readers: list[Named[MetricReader]]) -> None:
    for named in readers:
        named.target.shutdown()


def test_prometheus_is_known_for_metrics_only() -> None:
    anything = ["console", "memory", "none", "otlp", "otlp_json_file", "otlp_proto_grpc", "otlp_proto_http"]
    assert known_exporters("traces") == anything
    assert known_exporters("logs") == anything
    assert known_exporters("metrics") == [*anything, "prometheus"]


@pytest.mark.usefixtures("third_party")
def test_what_another_package_registers_is_known_and_built() -> None:
    assert "desk" in known_exporters("traces")
    assert "desk" not in known_exporters("logs")
    [named] = build_span_exporters(settings_with(traces=["desk"]), MemoryStore())
    assert type(named.target) is DeskSpanExporter
    assert named.destination == f"{__name__}:DeskSpanExporter"


@pytest.mark.usefixtures("third_party")
def test_a_third_partys_metric_exporter_is_pushed_to_and_its_reader_is_used_as_it_is() -> None:
    wrapped: list[str] = []

    def wrap(named: Named[MetricExporter]) -> MetricExporter:
        wrapped.append(named.name)
        return named.target

    readers = build_metric_readers(settings_with(metrics=["desk", "desk_reader"]), MemoryStore(), wrap)
    assert [type(named.target) for named in readers] == [PushReader, DeskReader]
    assert wrapped == ["desk"]
    shut_down(readers)


@pytest.mark.usefixtures("third_party")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("desk_broken", "cannot be constructed: RuntimeError: no licence key"),
        ("desk_absent", "cannot be loaded: ModuleNotFoundError: No module named 'no_such_module'"),
        ("desk_mixed_up", "is a DeskMetricExporter, not a SpanExporter"),
    ],
)
def test_a_third_party_exporter_that_fails_is_named_with_its_package(name: str, message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        build_span_exporters(settings_with(traces=["console", name]), MemoryStore())
    [problem] = raised.value.problems
    assert problem.startswith(f'exporters.traces[1]: exporter "{name}" (')
    assert "from desk-exporters) " in problem
    assert problem.endswith(message)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ["console", "promethues"],
            'exporters.metrics[1]: unknown exporter "promethues"; did you mean "prometheus"?; known: console, ',
        ),
        (["zipkin9000"], 'exporters.metrics[0]: unknown exporter "zipkin9000"; known: console, '),
    ],
)
def test_an_unknown_name_says_where_it_is_and_what_is_known(names: list[str], message: str) -> None:
    with pytest.raises(UnknownExporterError) as raised:
        build_metric_readers(settings_with(metrics=names), MemoryStore(), unwrapped)
    assert str(raised.value).startswith(message)


def test_a_name_of_another_signal_is_told_so() -> None:
    with pytest.raises(UnknownExporterError, match=r"prometheus carries metrics only"):
        build_log_exporters(settings_with(logs=["prometheus"]), MemoryStore())


@pytest.mark.parametrize(
    ("module", "name", "extra"),
    [
        ("opentelemetry.exporter.otlp.proto.grpc.metric_exporter", "otlp_proto_grpc", "otlp"),
        ("opentelemetry.exporter.otlp.proto.http.metric_exporter", "otlp_proto_http", "otlp"),
        ("opentelemetry.exporter.otlp.json.file", "otlp_json_file", "otlp"),
        ("ticktrace.exporters.prometheus", "prometheus", "prometheus"),
    ],
)
def test_a_missing_package_says_what_to_install(
    module: str, name: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # Python's own way to make an import fail
    with pytest.raises(MissingExtraError, match=rf"pip install 'ticktrace\[{extra}\]'"):
        build_metric_readers(settings_with(metrics=[name]), MemoryStore(), unwrapped)


def test_optional_packages_are_imported_only_by_the_exporters_that_need_them() -> None:
    import subprocess  # noqa: PLC0415  only this test needs a fresh interpreter

    program = (
        "import sys; import ticktrace.exporters as e; from ticktrace.settings import load_settings\n"
        "s = load_settings({'exporters.traces': ['console', 'memory'], 'exporters.metrics': ['none']}, environ={})\n"
        "e.build_span_exporters(s.settings, e.MemoryStore())\n"
        "print([m for m in ('grpc', 'requests', 'prometheus_client', 'opentelemetry.exporter') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_several_readers_at_once_are_each_built_once() -> None:
    settings = settings_with(metrics=["prometheus", "memory", "prometheus", "console"])
    readers = build_metric_readers(settings, MemoryStore(), unwrapped)
    assert [named.name for named in readers] == ["prometheus", "memory", "console"]
    assert isinstance(readers[0].target, PrometheusReader)
    assert isinstance(readers[2].target, PushReader)
    shut_down(readers)


def test_none_alone_builds_nothing() -> None:
    settings = settings_with(traces=["none"], metrics=["none"], logs=["none"])
    assert build_span_exporters(settings, MemoryStore()) == []
    assert build_log_exporters(settings, MemoryStore()) == []
    assert build_metric_readers(settings, MemoryStore(), unwrapped) == []


def test_what_was_built_is_ended_when_a_later_exporter_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = load_settings(
        {"exporters.traces": ["otlp", "otlp_json_file"], "json_file.directory": tmp_path / "file"}, environ={}
    ).settings
    with pytest.raises(SettingsError, match=r"json_file\.directory: cannot write "):
        build_span_exporters(settings, MemoryStore())
