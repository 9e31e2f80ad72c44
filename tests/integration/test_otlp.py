"""Every signal over both transports, into receivers that accept, refuse, hang and are not there."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]
import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult

from support.otlp_server import (
    Kind,
    attributes,
    hung_server,
    otlp_server,
    refused_endpoint,
)
from ticktrace.exporters import MemoryStore, build_log_exporters, build_metric_readers, build_span_exporters
from ticktrace.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace import ReadableSpan

    from ticktrace.exporters import Named

KINDS: tuple[Kind, ...] = ("grpc", "http")
PROTOCOLS = {"grpc": "grpc", "http": "http/protobuf"}


def settings_for(kind: Kind, endpoint: str, **more: Any) -> Settings:
    environ = {
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": PROTOCOLS[kind],
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        **more,
    }
    return load_settings(environ=environ).settings


def unwrapped(named: Named[MetricExporter]) -> MetricExporter:
    return named.target


@pytest.fixture
def span() -> Iterator[ReadableSpan]:
    store = MemoryStore()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(store.span_exporter()))
    provider.get_tracer("test").start_span("candle 1m").end()
    yield store.spans[0]
    provider.shutdown()


@pytest.mark.parametrize("kind", KINDS)
def test_a_span_arrives_with_its_attributes_and_resource(kind: Kind) -> None:
    with otlp_server(kind) as server:
        [named] = build_span_exporters(settings_for(kind, server.endpoint), MemoryStore())
        provider = TracerProvider(resource=Resource({"service.name": "bot"}), shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(named.target))
        with provider.get_tracer("test").start_as_current_span(
            "order buy", attributes={"trading.order.side": "buy"}
        ):
            pass
        provider.shutdown()
        [received] = server.spans()
        assert received.name == "order buy"
        assert attributes(received.attributes) == {"trading.order.side": "buy"}
        assert server.resources() == [{"service.name": "bot"}]


@pytest.mark.parametrize("kind", KINDS)
def test_metrics_are_pushed_at_the_interval_and_once_more_at_shutdown(kind: Kind) -> None:
    with otlp_server(kind) as server:
        settings = settings_for(kind, server.endpoint, OTEL_METRIC_EXPORT_INTERVAL="50")
        [named] = build_metric_readers(settings, MemoryStore(), unwrapped)
        provider = MeterProvider([named.target], shutdown_on_exit=False)
        counter = provider.get_meter("test").create_counter("trading.candles.processed")
        counter.add(2)
        assert server.wait_for(lambda: len(server.metrics()) > 0)
        counter.add(3)
        provider.shutdown()
        last = server.metrics()[-1]
        assert last.name == "trading.candles.processed"
        assert last.sum.data_points[0].as_int == 5


@pytest.mark.parametrize("kind", KINDS)
def test_a_log_record_arrives(kind: Kind) -> None:
    with otlp_server(kind) as server:
        [named] = build_log_exporters(settings_for(kind, server.endpoint), MemoryStore())
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(named.target))
        provider.get_logger("test").emit(LogRecord(body="position differs from the venue"))
        provider.shutdown()
        [record] = server.logs()
        assert record.body.string_value == "position differs from the venue"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("compression", ["none", "gzip", "deflate"])
def test_headers_and_compression_reach_the_receiver(kind: Kind, compression: str, span: ReadableSpan) -> None:
    with otlp_server(kind) as server:
        settings = settings_for(
            kind,
            server.endpoint,
            OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20abc,x-team=desk",
            OTEL_EXPORTER_OTLP_COMPRESSION=compression,
        )
        [named] = build_span_exporters(settings, MemoryStore())
        assert named.target.export([span]) is SpanExportResult.SUCCESS
        named.target.shutdown()
        [request] = server.requests
        assert request.headers["authorization"] == "Bearer abc"
        assert request.headers["x-team"] == "desk"
        if kind == "http":
            assert request.headers.get("content-encoding", "none") == compression


@pytest.mark.parametrize("kind", KINDS)
def test_the_settings_hold_whatever_the_environment_says(
    kind: Kind, span: ReadableSpan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upstream exporters read the environment themselves; ours are told everything by the settings."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-stray=1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1/elsewhere")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "nonsense")
    with otlp_server(kind) as server:
        arguments = {
            "exporters.traces": ["otlp"],
            "otlp.protocol": PROTOCOLS[kind],
            "otlp.endpoint": server.endpoint,
        }
        [named] = build_span_exporters(load_settings(arguments, environ={}).settings, MemoryStore())
        assert named.target.export([span]) is SpanExportResult.SUCCESS
        named.target.shutdown()
        assert "x-stray" not in server.requests[0].headers


def test_a_common_http_endpoint_gets_the_signals_path_and_an_own_one_is_used_as_it_is(
    span: ReadableSpan,
) -> None:
    with otlp_server("http") as server:
        for environ, path in (
            ({"OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.endpoint}/collect/"}, "/collect/v1/traces"),
            ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{server.endpoint}/own/traces"}, "/own/traces"),
        ):
            settings = load_settings(
                environ={
                    "OTEL_TRACES_EXPORTER": "otlp",
                    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                    **environ,
                }
            ).settings
            [named] = build_span_exporters(settings, MemoryStore())
            named.target.export([span])
            named.target.shutdown()
            assert named.destination == server.endpoint + path
            assert server.requests[-1].path == path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("preference", "counter_is_delta", "observable_is_delta"),
    [("cumulative", False, False), ("delta", True, True), ("lowmemory", True, False)],
)
def test_temporality_follows_the_preference(
    kind: Kind, preference: str, counter_is_delta: bool, observable_is_delta: bool
) -> None:
    with otlp_server(kind) as server:
        settings = settings_for(
            kind, server.endpoint, OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE=preference
        )
        [named] = build_metric_readers(settings, MemoryStore(), unwrapped)
        provider = MeterProvider([named.target], shutdown_on_exit=False)
        meter = provider.get_meter("test")
        meter.create_counter("counted").add(1)
        meter.create_up_down_counter("open").add(1)
        meter.create_observable_counter("seen", [lambda _: [Observation(1)]])
        provider.shutdown()
        delta = {metric.name: metric.sum.aggregation_temporality == 1 for metric in server.metrics()}
        assert delta == {"counted": counter_is_delta, "seen": observable_is_delta, "open": False}


@pytest.mark.parametrize("kind", KINDS)
def test_a_receiver_that_is_not_there_is_a_reason_and_not_a_flood_in_the_log(
    kind: Kind, span: ReadableSpan, caplog: pytest.LogCaptureFixture
) -> None:
    with refused_endpoint() as endpoint, caplog.at_level(logging.DEBUG, "opentelemetry"):
        settings = settings_for(kind, endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="0.3" if kind == "grpc" else "2")
        [named] = build_span_exporters(settings, MemoryStore())
        for _ in range(
            2 if kind == "grpc" else 1
        ):  # over http the reason comes with the first retry, after a second
            assert named.target.export([span]) is SpanExportResult.FAILURE
            assert "refused" in named.target.last_error  # type: ignore[attr-defined]
        named.target.shutdown()
        named.target.shutdown()
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


@pytest.mark.parametrize("kind", KINDS)
def test_an_export_to_a_receiver_that_never_answers_ends_with_its_timeout(
    kind: Kind, span: ReadableSpan
) -> None:
    with hung_server(kind) as endpoint:
        settings = settings_for(kind, endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="0.4")
        [named] = build_span_exporters(settings, MemoryStore())
        started = time.monotonic()
        assert named.target.export([span]) is SpanExportResult.FAILURE
        assert 0.3 < time.monotonic() - started < 10
        assert named.target.last_error  # type: ignore[attr-defined]
        named.target.shutdown()


def test_shutdown_ends_a_grpc_export_that_hangs(span: ReadableSpan) -> None:
    with hung_server("grpc") as endpoint:
        [named] = build_span_exporters(
            settings_for("grpc", endpoint, OTEL_EXPORTER_OTLP_TIMEOUT="30"), MemoryStore()
        )
        results: list[SpanExportResult] = []
        thread = threading.Thread(target=lambda: results.append(named.target.export([span])))
        thread.start()
        thread.join(0.3)
        assert thread.is_alive()
        named.target.shutdown()
        thread.join(10)
        assert results == [SpanExportResult.FAILURE]


@pytest.mark.parametrize("kind", KINDS)
def test_secrets_do_not_appear_in_the_reason_or_the_destination(kind: Kind, span: ReadableSpan) -> None:
    with otlp_server(kind) as server:
        server.fail_with = grpc.StatusCode.UNAUTHENTICATED if kind == "grpc" else 401
        endpoint = server.endpoint.replace("http://", "http://user:hunter2@")
        if kind == "grpc":
            endpoint = server.endpoint
        settings = settings_for(kind, endpoint, OTEL_EXPORTER_OTLP_HEADERS="api-key=hunter2")
        [named] = build_span_exporters(settings, MemoryStore())
        assert named.target.export([span]) is SpanExportResult.FAILURE
        said = named.destination + named.target.last_error  # type: ignore[attr-defined]
        assert "hunter2" not in said
        assert "401" in said or "UNAUTHENTICATED" in said
        server.fail_with = None
        assert named.target.export([span]) is SpanExportResult.SUCCESS
        assert named.target.last_error == ""  # type: ignore[attr-defined]
        named.target.shutdown()


def test_several_exporters_of_one_signal_all_receive_the_same() -> None:
    memory = MemoryStore()
    with otlp_server("grpc") as server:
        settings = settings_for("grpc", server.endpoint, OTEL_TRACES_EXPORTER="otlp,memory,otlp")
        provider = TracerProvider(shutdown_on_exit=False)
        built = build_span_exporters(settings, memory)
        assert [named.name for named in built] == ["otlp", "memory"]
        for named in built:
            provider.add_span_processor(SimpleSpanProcessor(named.target))
        provider.get_tracer("test").start_span("candle 1m").end()
        provider.shutdown()
        assert [span.name for span in server.spans()] == ["candle 1m"]
        assert [span.name for span in memory.spans] == ["candle 1m"]


def test_upstreams_own_names_state_the_protocol_and_take_our_settings(span: ReadableSpan) -> None:
    with otlp_server("http") as server:
        settings = settings_for("grpc", server.endpoint, OTEL_TRACES_EXPORTER="otlp_proto_http")
        [named] = build_span_exporters(settings, MemoryStore())
        assert named.target.export([span]) is SpanExportResult.SUCCESS
        named.target.shutdown()
        assert server.requests[0].path == "/v1/traces"


EXPORTING = """
import sys, threading
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from ticktrace.exporters import MemoryStore, build_span_exporters
from ticktrace.settings import load_settings

[named] = build_span_exporters(load_settings().settings, MemoryStore())
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(named.target))
thread = threading.Thread(target=provider.get_tracer("test").start_span("candle").end)
thread.start()
sys.stdin.readline()
named.target.shutdown()
thread.join()
print(named.target.last_error)
"""


def test_grpc_writes_nothing_to_stderr_on_its_own_when_a_receiver_goes_away() -> None:
    """Its C core would: `I1121 09:27:31 chttp2_transport.cc:1403] … Got goaway`."""
    environ = {
        **os.environ,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "30",
    }
    environ.pop("GRPC_VERBOSITY", None)
    with otlp_server("grpc", hangs=True) as server:
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = server.endpoint
        bot = subprocess.Popen(
            [sys.executable, "-c", EXPORTING],
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert server.wait_for(lambda: server.attempts == 1, timeout=30)
    said, errors = bot.communicate("end\n", timeout=30)
    assert (errors, bot.returncode) == ("", 0)
    assert said.strip()
