"""Console and JSON file: one line a document, in the place that the settings name."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from ticktrace.errors import SettingsError
from ticktrace.exporters import MemoryStore, build_log_exporters, build_metric_readers, build_span_exporters
from ticktrace.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.sdk.metrics.export import MetricExporter

    from ticktrace.exporters import Named


def unwrapped(named: Named[MetricExporter]) -> MetricExporter:
    return named.target


def settings_of(exporter: str, **environ: str) -> Settings:
    names = dict.fromkeys(("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"), exporter)
    return load_settings(environ=names | environ).settings


def emit_one_of_each(settings: Settings) -> list[str]:
    """Send a span, a counter and a log record; returns the destinations."""
    memory = MemoryStore()
    [spans] = build_span_exporters(settings, memory)
    [metrics] = build_metric_readers(settings, memory, unwrapped)
    [logs] = build_log_exporters(settings, memory)
    tracing = TracerProvider(shutdown_on_exit=False)
    tracing.add_span_processor(SimpleSpanProcessor(spans.target))
    metering = MeterProvider([metrics.target], shutdown_on_exit=False)
    logging = LoggerProvider(shutdown_on_exit=False)
    logging.add_log_record_processor(SimpleLogRecordProcessor(logs.target))
    tracing.get_tracer("test").start_span("candle 1m").end()
    metering.get_meter("test").create_counter("hits").add(7)
    logging.get_logger("test").emit(LogRecord(body="gap"))
    for provider in (tracing, metering, logging):
        provider.shutdown()
    return [spans.destination, metrics.destination, logs.destination]


def test_the_console_gets_one_line_for_each_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert emit_one_of_each(settings_of("console")) == ["stdout"] * 3
    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(documents) == 3
    text = json.dumps(documents)
    assert "candle 1m" in text
    assert "hits" in text
    assert "gap" in text


def test_each_signal_is_appended_to_its_own_file(tmp_path: Path) -> None:
    directory = tmp_path / "made" / "when needed"
    settings = settings_of("otlp_json_file", TICKTRACE_JSON_FILE_DIRECTORY=str(directory))
    for _ in range(2):
        destinations = emit_one_of_each(settings)
    assert destinations == [str(directory / name) for name in ("traces.jsonl", "metrics.jsonl", "logs.jsonl")]
    spans, metrics, logs = (
        [json.loads(line) for line in (directory / name).read_text().splitlines()]
        for name in ("traces.jsonl", "metrics.jsonl", "logs.jsonl")
    )
    assert [len(spans), len(metrics), len(logs)] == [2, 2, 2]
    assert spans[0]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "candle 1m"
    assert logs[0]["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]["body"] == {"stringValue": "gap"}
    [point] = metrics[0]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]["sum"]["dataPoints"]
    assert int(point["asInt"]) == 7


def test_the_preference_for_delta_is_otlps_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    environ = {**os.environ, "TICKTRACE_JSON_FILE_DIRECTORY": str(tmp_path)}
    emit_one_of_each(settings_of("otlp_json_file", **environ))
    [line] = (tmp_path / "metrics.jsonl").read_text().splitlines()
    metric = json.loads(line)["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    assert metric["sum"]["aggregationTemporality"] in {2, "AGGREGATION_TEMPORALITY_CUMULATIVE"}


def test_a_directory_that_cannot_be_written_is_a_located_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings = settings_of("otlp_json_file", TICKTRACE_JSON_FILE_DIRECTORY=str(tmp_path / "file" / "below"))
    builders: list[Any] = [
        lambda: build_span_exporters(settings, MemoryStore()),
        lambda: build_log_exporters(settings, MemoryStore()),
        lambda: build_metric_readers(settings, MemoryStore(), unwrapped),
    ]
    for build in builders:
        with pytest.raises(SettingsError, match=r"json_file\.directory: cannot write .*: Not a directory"):
            build()


def test_long_lines_of_several_processes_do_not_mix(tmp_path: Path) -> None:
    settings = settings_of("otlp_json_file", TICKTRACE_JSON_FILE_DIRECTORY=str(tmp_path))
    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            try:
                [named] = build_span_exporters(settings, MemoryStore())
                provider = TracerProvider(shutdown_on_exit=False)
                provider.add_span_processor(SimpleSpanProcessor(named.target))
                for _ in range(20):
                    span = provider.get_tracer("test").start_span(
                        "candle", attributes={"long": "x" * 100_000}
                    )
                    span.end()
            finally:
                os._exit(0)
        children.append(child)
    for child in children:
        os.waitpid(child, 0)
    lines = (tmp_path / "traces.jsonl").read_text().splitlines()
    assert len(lines) == 60
    for line in lines:
        json.loads(line)
